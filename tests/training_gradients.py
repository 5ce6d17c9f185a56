"""Run in the training environment by tests/test_training_run.py: do the plug-in's savings change loss or gradients?

Prints JSON: loss and gradients' largest difference with and without the plug-in's hooks, and whether the layers below
the lowest adapter took part in the backward pass.
"""

import json
import sys

import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

from training.plugin import RetortPlugin


class Settings(dict):
    """As Axolotl's configuration: missing keys are None, keys read as attributes."""

    def __getattr__(self, name):
        return self.get(name)


def small_model():
    torch.manual_seed(0)
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 4, "num_attention_heads": 2}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=100, tie_word_embeddings=True, **shape))
    model.enable_input_require_grads()
    lora = LoraConfig(r=4, target_modules=["q_proj", "down_proj"], layers_to_transform=[2, 3], init_lora_weights=False)
    return get_peft_model(model, lora).train()


def step(model, batch):
    below = []
    model.base_model.model.model.layers[0].register_forward_hook(lambda m, i, out: below.append(out))
    loss = model(**batch).loss
    loss.backward()
    reached = (below[0][0] if isinstance(below[0], tuple) else below[0]).requires_grad
    return loss.item(), [p.grad.clone() for p in model.parameters() if p.requires_grad], reached


def main():
    ids = torch.randint(0, 100, (3, 12), generator=torch.Generator().manual_seed(1))
    labels = ids.clone()
    labels[:, :8] = -100
    labels[1, 8:10] = -100
    mask = torch.ones_like(ids)
    batch = {"input_ids": ids, "labels": labels, "attention_mask": mask}
    loss, gradients, reached = step(small_model(), dict(batch))
    spared = small_model()
    RetortPlugin().post_model_load(Settings(adapter="lora"), spared)
    spared_loss, spared_gradients, spared_reached = step(spared, dict(batch))
    difference = max(float((a - b).abs().max()) for a, b in zip(gradients, spared_gradients, strict=True))
    print(
        json.dumps(
            {
                "loss": loss,
                "spared_loss": spared_loss,
                "difference": difference,
                "largest": max(float(g.abs().max()) for g in gradients),
                "reached": reached,
                "spared_reached": spared_reached,
            }
        ),
        file=sys.stdout,
    )


if __name__ == "__main__":
    main()

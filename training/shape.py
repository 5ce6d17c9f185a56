"""How large a base model is: by its config.json where it is a folder, else by its name (`...-7B-...`), else unknown.

    Shape(parameters=1.345e8, layers=30, hidden=576, intermediate=1536, vocabulary=49152)

Parameters are counted as a Llama-like decoder's: embeddings, attention with grouped keys and values, a gated MLP. For
SmolLM2-135M this gives 134.5 million, which is what its file holds.
"""

import json
import re
from pathlib import Path
from typing import Any

from records.types import Record

_BILLIONS = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)\s?([bBmM])(?![a-zA-Z0-9])")
_TYPICAL = {1.5e9: (28, 1536, 8960), 4e9: (36, 2560, 9728), 9e9: (32, 4096, 14336), 2e10: (40, 5120, 17408)}
"""Layers, width and inner width of usual models (Qwen2.5/3, Llama 3.1) up to so many parameters, for a bare name."""
_LARGEST = (80, 8192, 28672)
_VOCABULARY = 152_000


class Shape(Record):
    """A decoder's size. `stated`: read from its config, not guessed from its name."""

    parameters: float
    layers: int
    hidden: int
    intermediate: int
    vocabulary: int
    embeddings: float
    linear: float
    stated: bool = True


def shape_of(base: str) -> Shape | None:
    """The size of a base model (a folder or a hub name); None where neither config nor name tells."""
    config = Path(base).expanduser() / "config.json"
    if config.is_file():
        try:
            return _counted(json.loads(config.read_text(encoding="utf-8")))
        except (ValueError, KeyError, TypeError, OSError):
            return None
    found = _BILLIONS.findall(base.rsplit("/", 1)[-1].replace("-", " ").replace("_", " "))
    return _named(float(found[-1][0]) * (1e9 if found[-1][1] in "bB" else 1e6)) if found else None


def _counted(config: dict[str, Any]) -> Shape:
    hidden, layers, inner = config["hidden_size"], config["num_hidden_layers"], config["intermediate_size"]
    heads = config["num_attention_heads"]
    head = config.get("head_dim") or hidden // heads
    keys = config.get("num_key_value_heads") or heads
    linear = layers * (hidden * head * (2 * heads + 2 * keys) + 3 * hidden * inner)
    tied = 1 if config.get("tie_word_embeddings", False) else 2
    embeddings = config["vocab_size"] * hidden * tied
    return Shape(
        parameters=linear + embeddings + (2 * layers + 1) * hidden,
        layers=layers,
        hidden=hidden,
        intermediate=inner,
        vocabulary=config["vocab_size"],
        embeddings=embeddings,
        linear=linear,
    )


def _named(parameters: float) -> Shape:
    layers, hidden, inner = next((s for most, s in _TYPICAL.items() if parameters <= most), _LARGEST)
    embeddings = min(0.3 * parameters, 2.0 * _VOCABULARY * hidden)
    return Shape(
        parameters=parameters,
        layers=layers,
        hidden=hidden,
        intermediate=inner,
        vocabulary=_VOCABULARY,
        embeddings=embeddings,
        linear=parameters - embeddings,
        stated=False,
    )

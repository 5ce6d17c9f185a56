"""One more honest baseline: logistic regression on a frozen embedding model's vectors, from the student's own rows.

The model is a folder on this machine (`gate.embeddings` in task.yaml), read by model2vec or sentence-transformers,
whichever is installed and can read it. Neither is a dependency of Retort and nothing is downloaded: where package or
folder is missing, `predict` says so, and the report shows that in the baseline's place.

    pip install model2vec          into .venv/app, and a folder as `StaticModel.save_pretrained` writes it
"""

from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from evaluation import baseline
from records.errors import InputError
from records.types import Answer

NAME = "frozen embeddings + logistic regression"
PACKAGES = ("model2vec", "sentence_transformers")
Encode = Callable[[Sequence[str]], Any]
"""Texts -> an array of (texts, dimensions)."""


def predict(
    texts: Sequence[str], answers: Sequence[Answer], documents: Mapping[str, str], folder: Path
) -> dict[str, Answer]:
    """As `evaluation.baseline.predict`, by vectors. Raises InputError that says what is missing."""
    encode = encoder(folder)

    def by_vectors(known: Sequence[str], classes: Sequence[str], asked: Sequence[str]) -> list[str]:
        from sklearn.linear_model import LogisticRegression

        only = baseline.only_class(classes)
        if only is not None:
            return [only] * len(asked)
        model = LogisticRegression(C=10, max_iter=2000)
        learnt = baseline.fitted(model, encode(list(known)), classes)
        return [str(label) for label in learnt.predict(encode(list(asked)))]

    return baseline.predict(texts, answers, documents, by_vectors)


def encoder(folder: Path) -> Encode:
    """What turns texts into vectors. Raises InputError without an installed package, a folder, or one that is read."""
    found = [name for name in PACKAGES if find_spec(name) is not None]
    if not found:
        raise InputError(f"not installed: {' or '.join(PACKAGES)}. Install one into the app environment.")
    if not folder.is_dir():
        raise InputError(f"gate.embeddings names {folder}, which is no folder here: give the model's folder.")
    faults = []
    for name in found:
        try:
            return _model2vec(folder) if name == "model2vec" else _sentence_transformers(folder)
        except Exception as fault:  # a vendor's own errors are of no one kind
            faults.append(f"{name}: {type(fault).__name__}: {str(fault)[:200]}")
    raise InputError(f"{folder} cannot be read as an embedding model ({'; '.join(faults)}).")


def _model2vec(folder: Path) -> Encode:
    from importlib import import_module

    encode: Encode = import_module("model2vec").StaticModel.from_pretrained(str(folder)).encode
    return encode


def _sentence_transformers(folder: Path) -> Encode:
    from importlib import import_module

    model = import_module("sentence_transformers").SentenceTransformer(str(folder), local_files_only=True)
    encode: Encode = model.encode
    return encode

"""The honest baseline beside every student: TF-IDF and logistic regression, trained on the very rows the student saw.

It costs next to nothing to train and to run. A fine-tuned model that loses to it should say so, and the report does.
Words and pairs of words, sublinear counts; no seed and no chance, so the same rows give the same predictions.
"""

import json
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from records.types import Answer

Classify = Callable[[Sequence[str], Sequence[str], Sequence[str]], list[str]]
"""Texts and their classes to learn from, and texts that are asked about -> a class for each of these."""
NAME = "TF-IDF + logistic regression"
MOST_CLASSES = 200
"""A json field with more distinct values is text, not a class: the commonest value is predicted."""


def predict(
    texts: Sequence[str],
    answers: Sequence[Answer],
    documents: Mapping[str, str],
    classify: "Classify | None" = None,
) -> dict[str, Answer]:
    """Train on texts with their answers (people's, of the train split) and answer the documents (id -> text).

    Json answers: one classifier for each top-level field that training rows have. No training rows: no predictions.
    `classify`: another classifier of texts than that by words (`evaluation.frozen`).
    """
    classify = classify or by_words
    if not texts or not documents:
        return {}
    ids, asked = list(documents), list(documents.values())
    objects = [value for value in answers if isinstance(value, dict)]
    if not objects:
        return dict(zip(ids, classify(texts, [str(value) for value in answers], asked), strict=True))
    predicted: dict[str, dict[str, Any]] = {i: {} for i in ids}
    for name in sorted({name for value in objects for name in value}):
        rows = [(t, v[name]) for t, v in zip(texts, answers, strict=True) if isinstance(v, dict) and name in v]
        values = {json.dumps(value, sort_keys=True): value for _, value in rows}
        classes = classify([t for t, _ in rows], [json.dumps(v, sort_keys=True) for _, v in rows], asked)
        for i, label in zip(ids, classes, strict=True):
            predicted[i][name] = values[label]
    return dict(predicted)


def by_words(texts: Sequence[str], classes: Sequence[str], asked: Sequence[str]) -> list[str]:
    """The class of each asked text by its words; the commonest class where there is nothing to learn from."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    commonest = only_class(classes)
    if commonest is not None:
        return [commonest] * len(asked)
    if not any(any(c.isalnum() for c in text) for text in texts):
        return [_commonest(classes)] * len(asked)
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"(?u)\b\w+\b")
    model = make_pipeline(words, LogisticRegression(C=10, max_iter=1000))
    return [str(label) for label in fitted(model, texts, classes).predict(asked)]


def fitted(model: Any, known: Any, classes: Sequence[str]) -> Any:
    """The model, fitted. Names and amounts have about as many values as rows: meant so, nothing to tell."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The number of unique classes")
        return model.fit(known, classes)


def only_class(classes: Sequence[str]) -> str | None:
    """The commonest class where a classifier makes no sense: one class only, or more than are classes; else None."""
    return None if 1 < len(set(classes)) <= MOST_CLASSES else _commonest(classes)


def _commonest(classes: Sequence[str]) -> str:
    counts = Counter(classes)
    return min(counts, key=lambda label: (-counts[label], label))

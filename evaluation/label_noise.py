"""People's own answers that look wrong: out-of-fold disagreement, by confident learning in its simplest form.

A simple model (TF-IDF and logistic regression) reads every document that people settled, each time trained on the
other folds, near-duplicates always in the same fold. An answer is doubted as in Northcutt, Jiang & Chuang 2021,
"Confident Learning: Estimating Uncertainty in Dataset Labels", JAIR 70:1373-1411, section 3: a label's threshold is
the mean probability that the model gives it on documents that people gave it; a document counts for the likeliest of
the labels whose threshold it reaches, and is doubted where that is not what people said. The most striking first: by
how far the other label lies above people's own (their "normalised margin").

    Doubt(document_id="41d0c7a2b6e95f13", said="lease", likelier="debt", margin=0.52)

It finds slips and documents that are hard for words, in one list: somebody has to look. Where the model agrees with
people on less than half of what it had not seen, the list would be one of its own errors: then it doubts nothing. (Of
330 messages of the sample task with their own labels it reads 41 % as labelled, and would doubt 115.) Choices only: the
values of an object's fields are names and amounts, which no classifier tells. Labels with fewer than five documents are
left out.
"""

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from records.types import Answer, Record

FOLDS = FEWEST = 5
_SEED = 2021
_FEWEST_AGREED = 0.5


class Doubt(Record):
    """One answer of people's that looks wrong. `margin`: probability of the likelier label less that of theirs."""

    document_id: str
    said: str
    likelier: str
    margin: float


class LabelNoise(Record):
    """`judged`: documents that were read; `left_out`: with labels too rare to judge; `why_not`: none was judged."""

    judged: int = 0
    left_out: int = 0
    doubts: list[Doubt] = Field(default_factory=list)
    why_not: str = ""

    @property
    def share(self) -> float | None:
        """Of what was judged, how much is doubted. No error rate: the model's own errors are in it."""
        return len(self.doubts) / self.judged if self.judged else None


def label_noise(texts: Mapping[str, str], gold: Mapping[str, Answer], clusters: Mapping[str, str]) -> LabelNoise:
    """Doubt people's answers. All by document id; `clusters`: near-duplicates have the same."""
    if any(isinstance(answer, dict) for answer in gold.values()):
        return LabelNoise(why_not="answers are objects: only the labels of a choice can be doubted")
    said = {i: str(a) for i, a in sorted(gold.items()) if any(c.isalnum() for c in texts.get(i, ""))}
    spread = Counter(label for label, _ in {(said[i], clusters.get(i, i)) for i in said})
    ids = [i for i in said if spread[said[i]] >= FEWEST]
    labels = sorted({said[i] for i in ids})
    if len(labels) < 2:
        return LabelNoise(left_out=len(said), why_not=f"fewer than two labels have {FEWEST} settled documents each")
    found = probabilities([texts[i] for i in ids], [said[i] for i in ids], [clusters.get(i, i) for i in ids], labels)
    given, left_out = [labels.index(said[i]) for i in ids], len(said) - len(ids)
    agreed = float((found.argmax(axis=1) == given).mean())
    if agreed < _FEWEST_AGREED:
        return LabelNoise(left_out=left_out, why_not=_too_weak(agreed))
    return LabelNoise(judged=len(ids), left_out=left_out, doubts=doubted(ids, given, found, labels))


def _too_weak(agreed: float) -> str:
    return (
        f"a bag of words agrees with people on only {100 * agreed:.0f} % of the answers that it had not seen, so that "
        "most of its doubts would be errors of its own"
    )


def probabilities(texts: Sequence[str], said: Sequence[str], groups: Sequence[str], labels: Sequence[str]) -> Any:
    """Of each document (row) and label (column), by a model that was not trained on its group."""
    import numpy as np
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold
    from sklearn.pipeline import make_pipeline

    found = np.zeros((len(texts), len(labels)))
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=_SEED)
    for train, held_out in folds.split(texts, said, groups):
        known = [said[i] for i in train]
        if len(set(known)) < 2:
            continue
        words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"(?u)\b\w+\b")
        model = make_pipeline(words, LogisticRegression(C=10, max_iter=1000))
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="The number of unique classes")
            model.fit([texts[i] for i in train], known)
        columns = [labels.index(label) for label in model.classes_]
        found[np.ix_(held_out, columns)] = model.predict_proba([texts[i] for i in held_out])
    return found


def doubted(ids: Sequence[str], said: Sequence[int], found: Any, labels: Sequence[str]) -> list[Doubt]:
    """Confident learning on out-of-fold probabilities. `said`: the column of each document's label."""
    import numpy as np

    given = np.array(said)
    thresholds = np.array([found[given == k, k].mean() if (given == k).any() else np.inf for k in range(len(labels))])
    reached = np.where(found >= thresholds, found, -1.0)
    likelier = reached.argmax(axis=1)
    rows = np.flatnonzero((reached.max(axis=1) >= 0) & (likelier != given)).tolist()
    doubts = [
        Doubt(
            document_id=ids[row],
            said=labels[said[row]],
            likelier=labels[int(likelier[row])],
            margin=float(found[row, likelier[row]] - found[row, said[row]]),
        )
        for row in rows
    ]
    return sorted(doubts, key=lambda doubt: (-doubt.margin, doubt.document_id))

"""Which examples a document is shown with: the nearest of what people corrected, balanced over the labels.

Examples that are near the document teach more than fixed ones (Liu et al. 2022, "What Makes Good In-Context Examples
for GPT-3?", DeeLIO; arXiv 2101.06804). The nearest stands last, next to the question: a model leans on what it read
last, and on the answer that it read most often (Zhao et al. 2021, "Calibrate Before Use"), hence the balance.

Never shown: the document itself, and what is much like it, or its answer would be given away in the prompt. That is
told from the texts alone, so a request in production is shown the same examples as the same text in a labelling run.

Near by words (TF-IDF; free, no model), or by an embedding model (`prompts.embedding`). The same pool, rules and text
give the same examples: scores are rounded, equal ones are ordered by document id.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from prompts.document_rules import Retrieval
from records.split import canonical, cluster_of, document_id
from records.types import Answer

ALIKE = 0.8
"""Share of common word triples (Jaccard) from which two texts are near-duplicates."""
_MAYBE_ALIKE = 0.5
"""Below this similarity no two texts share so many words: the triples are not looked at."""


class Solved(NamedTuple):
    """One document of a pool, with people's answer."""

    id: str
    cluster: str
    text: str
    answer: Answer


class WordIndex:
    """Similarity by words and pairs of words: the cosine of TF-IDF vectors, counts sublinear, 0..1."""

    def __init__(self, texts: Sequence[str]) -> None:
        """Takes about 0.1 s for a thousand short texts."""
        from sklearn.feature_extraction.text import TfidfVectorizer

        self._size = len(texts)
        self._words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"(?u)\b\w+\b")
        spoken = any(c.isalnum() for text in texts for c in text)
        self._columns = self._words.fit_transform(texts).T.tocsr() if spoken else None

    def scores(self, text: str) -> Any:
        """The similarity of a text to each text of the index, a NumPy array of their number."""
        import numpy as np

        if self._columns is None:
            return np.zeros(self._size)
        return (self._words.transform([text]) @ self._columns).toarray()[0]


class VectorIndex:
    """Similarity by an embedding model: the cosine of its vectors, -1..1."""

    def __init__(self, vectors: Sequence[bytes]) -> None:
        """`vectors`: as `prompts.embedding` gives them, one a text, all of one length."""
        import numpy as np

        self._rows = np.vstack([_unit(vector) for vector in vectors])

    def scores(self, vector: bytes) -> Any:
        """The similarity of a vector to each vector of the index, a NumPy array of their number."""
        return self._rows @ _unit(vector)


def _unit(vector: bytes) -> Any:
    import numpy as np

    row = np.frombuffer(vector, dtype="<f2").astype(np.float64)
    return row / max(float(np.linalg.norm(row)), 1e-12)


class Neighbours:
    """A pool that is chosen from: what does not depend on the text is looked up once."""

    def __init__(self, pool: Sequence[Solved], rules: Retrieval) -> None:
        """`pool`: sorted by id."""
        self._pool, self._rules = pool, rules
        self._clusters: dict[str, set[str]] = {}
        for one in pool:
            for name in (one.id, cluster_of(one.text)):
                self._clusters.setdefault(name, set()).add(one.cluster)
        counts = Counter(one.answer if isinstance(one.answer, str) else "" for one in pool)
        most = sum(min(n, rules.per_label) if label else n for label, n in counts.items())
        self._balanced = min(rules.count, most)

    def nearest(self, scores: Any, text: str) -> list[Solved]:
        """At most `count` of the pool for this text, the nearest last. `scores`: one a document of the pool.

        Labels that have `per_label` examples wait until no other label is left; objects are not balanced.
        """
        import numpy as np

        taken: list[tuple[int, Solved]] = []
        waiting: list[tuple[int, Solved]] = []
        labels: Counter[str] = Counter()
        own, count = self._own(text), self._rules.count
        for rank, at in enumerate(np.argsort(-np.round(scores, 6), kind="stable")):
            if len(taken) >= self._balanced and len(taken) + len(waiting) >= count:
                break
            one = self._pool[at]
            full = isinstance(one.answer, str) and labels[one.answer] >= self._rules.per_label
            if (full and len(waiting) >= count) or own.is_like(one, scores[at]):
                continue
            (waiting if full else taken).append((rank, one))
            if isinstance(one.answer, str):
                labels[one.answer] += 1
        chosen = [*taken[:count], *waiting][:count]
        return [one for _, one in sorted(chosen, key=lambda found: -found[0])]

    def _own(self, text: str) -> "_Own":
        names = (document_id(text), cluster_of(text))
        return _Own(text, set().union(*(self._clusters.get(name, set()) for name in names)))


class _Own:
    """What gives a text's answer away: the text itself (in one of `clusters`), and what is much like it."""

    def __init__(self, text: str, clusters: set[str]) -> None:
        self._text, self._clusters = text, clusters
        self._triples: set[tuple[str, ...]] | None = None

    def is_like(self, other: Solved, score: float) -> bool:
        if other.cluster in self._clusters:
            return True
        if score < _MAYBE_ALIKE:
            return False
        if self._triples is None:
            self._triples = _triples(self._text)
        theirs = _triples(other.text)
        return len(self._triples & theirs) >= ALIKE * len(self._triples | theirs)


def _triples(text: str) -> set[tuple[str, ...]]:
    words = canonical(text).split()
    return {tuple(words[n : n + 3]) for n in range(max(1, len(words) - 2))}

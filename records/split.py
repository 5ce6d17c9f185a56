"""Which split a document is in, for ever: a function of its content alone.

Near-duplicates must share a split, or a test document would be trained on with another date. The hash is therefore
taken of a *canonical* text: lower case, letters only (digits, punctuation and white space do not count). Chance and a
seed play no part, so the answer is the same on every machine and after a year of harvests. A document that is nearly
like one that is known already takes that one's cluster instead of its own (`records.library` has the whole rule).

    70 % train, 10 % validation, 20 % test (of the hash space).
"""

import hashlib
import unicodedata

from records.types import Split

TEST_SHARE = 0.20
VALIDATION_SHARE = 0.10


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).hexdigest()


def document_id(text: str) -> str:
    """16 hex digits of the text itself, less outer white space: exact duplicates share it."""
    return _digest(unicodedata.normalize("NFC", text).strip())


def canonical(text: str) -> str:
    """The text as near-duplicates share it: case-folded words of letters, single spaces."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    letters = "".join(c if c.isalpha() else " " for c in folded)
    return " ".join(letters.split())


def cluster_of(text: str) -> str:
    """16 hex digits shared by near-duplicates. A text without letters stands for itself."""
    return _digest(canonical(text) or text.strip())


def split_of(cluster: str) -> Split:
    """The split of a cluster (its 16 hex digits, as a fraction of 2**64)."""
    position = int(cluster, 16) / 2**64
    if position < TEST_SHARE:
        return Split.test
    if position < TEST_SHARE + VALIDATION_SHARE:
        return Split.validation
    return Split.train

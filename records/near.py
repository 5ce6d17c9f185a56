"""Near-duplicates: texts that share four fifths of their word triples or more, found by MinHash and kept in the store.

Why: a letter that is sent to fifty people with another name in it must not be trained on fifty times less once, and
tested once. Documents that are nearly alike form a cluster, and a cluster is in one split.

How: the words of the canonical text (`records.split`), three at a time, are hashed; 128 MinHash values stand for the
set (Broder 1997), and 16 bands of 8 of them are kept in `document_bands` (locality-sensitive hashing). A new document's
candidates are those that share a band; whether they are near is then counted on the texts themselves, not estimated.
A pair with a similarity (Jaccard) of 0.8 is found with a probability of 95 %, one with 0.9 with 99.99 %.

    bands_of(text)          16 numbers to look up, none for a text without letters
    similarity(a, b)        0..1

The hashes are written out here, with numpy, and are no library's: bands lie in the store for years, and a release that
changes its hash would silently find nothing any more.
"""

import functools
import hashlib
import zlib
from typing import TYPE_CHECKING

from records.split import canonical

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Numbers = NDArray[np.uint64]

THRESHOLD = 0.8
"""The similarity from which two documents are near-duplicates. Fixed: a split must not depend on a setting."""
BANDS, ROWS = 16, 8
_WORDS = 3
_LONGEST_WORD = 30
_CHUNK = 2_048


def shingles(text: str) -> "Numbers":
    """The set of a text's word triples, as sorted hashes. A shorter text is one shingle; one without letters none.

    A word of more than 30 letters is read letter by letter: so is a script that sets no spaces.
    """
    import numpy as np

    words = canonical(text).split()
    if any(len(word) > _LONGEST_WORD for word in words):
        words = [part for word in words for part in ([word] if len(word) <= _LONGEST_WORD else word)]
    if not words:
        return np.empty(0, np.uint64)
    hashed = np.fromiter((zlib.crc32(word.encode()) for word in words), np.uint64, len(words))
    width = min(_WORDS, len(words))
    places = _numbers(_WORDS, 3) | np.uint64(1)
    sums = sum(hashed[n : len(words) - width + 1 + n] * places[n] for n in range(width))
    return np.unique(_mixed(np.asarray(sums, np.uint64)))


def bands_of(text: str) -> list[int]:
    """The 16 bands of a text as signed 64-bit numbers: what near-duplicates share some of."""
    import numpy as np

    found = shingles(text)
    if not len(found):
        return []
    factors, terms = _numbers(BANDS * ROWS, 1) | np.uint64(1), _numbers(BANDS * ROWS, 2)
    lowest = np.full(BANDS * ROWS, np.iinfo(np.uint64).max, np.uint64)
    for n in range(0, len(found), _CHUNK):
        values = found[n : n + _CHUNK, None] * factors + terms
        lowest = np.minimum(lowest, values.min(axis=0))
    parts = (lowest >> np.uint64(32)).astype("<u4").reshape(BANDS, ROWS)
    return [_band(n, part.tobytes()) for n, part in enumerate(parts)]


def similarity(one: str, other: str) -> float:
    """The share of word triples that two texts have in common (Jaccard), 0..1."""
    import numpy as np

    a, b = _shingles(one), _shingles(other)
    if not len(a) or not len(b):
        return 0.0
    common = len(np.intersect1d(a, b, assume_unique=True))
    return common / (len(a) + len(b) - common)


@functools.lru_cache(maxsize=64)
def _shingles(text: str) -> "Numbers":
    return shingles(text)


@functools.cache
def _numbers(count: int, seed: int) -> "Numbers":
    """The splitmix64 sequence (Steele, Lea, Flood 2014): the same on every machine, in every release."""
    import numpy as np

    return _mixed(np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed))


def _mixed(x: "Numbers") -> "Numbers":
    import numpy as np

    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def _band(number: int, content: bytes) -> int:
    digest = hashlib.blake2b(content, digest_size=8, salt=number.to_bytes(2, "little")).digest()
    return int.from_bytes(digest, "little", signed=True)

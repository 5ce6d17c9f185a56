"""Two sketches that say much of a long stream in little memory, each with its error: quantiles, and distinct inputs.

    latencies = Quantiles();  latencies.add(0.18);  latencies.at(0.95)      # within 1 % of the true p95
    inputs = Distinct();      inputs.add(hash64);   inputs.count            # exact up to 32,768, then within 1 %

`Quantiles` is DDSketch (Masson, Rim, Lee 2019, PVLDB 12:2195-2205): counts in buckets whose bounds grow by a fixed
ratio, so that every quantile is within 1 % of the true one, whatever the distribution. `Distinct` keeps the k smallest
hashes (Bar-Yossef et al. 2002, RANDOM; the unbiased estimator of Beyer et al. 2007, SIGMOD): its standard error is
1 / sqrt(k - 2), 0.55 % at 32,768.
"""

import heapq
import math

ACCURACY = 0.01
_GROWTH = (1 + ACCURACY) / (1 - ACCURACY)
_LOG = math.log(_GROWTH)
_LEAST, _MOST = 1e-6, 1e9
"""Values outside are counted as these: 1,500 buckets at most."""
KEPT = 32_768
_SPACE = float(2**64)


class Quantiles:
    """Quantiles of values from a stream, not negative. Memory: one count a bucket."""

    def __init__(self) -> None:
        """Empty."""
        self.n, self._mean, self._squares, self._zeros = 0, 0.0, 0.0, 0
        self._buckets: dict[int, int] = {}

    def add(self, value: float) -> None:
        """Count a value."""
        self.n += 1
        off = value - self._mean
        self._mean += off / self.n  # Welford 1962, Technometrics 4:419-420: stable where sums of squares are not
        self._squares += off * (value - self._mean)
        if value < _LEAST:
            self._zeros += 1
            return
        bucket = math.ceil(math.log(value if value < _MOST else _MOST) / _LOG)
        self._buckets[bucket] = self._buckets.get(bucket, 0) + 1

    @property
    def mean(self) -> float | None:
        """The mean of all values, exact."""
        return self._mean if self.n else None

    def half_width(self, z: float = 1.645) -> float | None:
        """Half the mean's normal interval (90 %); None of fewer than two values."""
        return z * math.sqrt(self._squares / (self.n - 1) / self.n) if self.n > 1 else None

    def at(self, q: float) -> float | None:
        """The q-quantile (nearest rank), within 1 %; None of nothing."""
        return self.ranked(max(1, math.ceil(q * self.n))) if self.n else None

    def ranked(self, rank: int) -> float:
        """The value of this rank (1 is the smallest), within 1 %."""
        seen = self._zeros
        if rank <= seen:
            return 0.0
        for bucket in sorted(self._buckets):
            seen += self._buckets[bucket]
            if seen >= rank:
                return 2 * _GROWTH**bucket / (_GROWTH + 1)
        raise IndexError(f"rank {rank} of {self.n} values")

    def between(self, q: float, confidence: float = 0.9) -> tuple[float, float] | None:
        """The q-quantile's interval by order statistics (Hahn & Meeker 1991, chapter 5), widened by the sketch's 1 %.

        None where there are too few values for a bound on both sides.
        """
        from scipy.stats import binom

        low = int(binom.ppf((1 - confidence) / 2, self.n, q)) if self.n else 0
        high = int(binom.ppf((1 + confidence) / 2, self.n, q)) + 1
        if low < 1 or high > self.n:
            return None
        return self.ranked(low) * (1 - ACCURACY), self.ranked(high) * (1 + ACCURACY)


class Distinct:
    """How many different hashes of 64 bits a stream holds. Memory: `kept` of them."""

    def __init__(self, kept: int = KEPT) -> None:
        """`kept`: how many are remembered; up to so many the count is exact."""
        self._kept = kept
        self._heap: list[int] = []
        self._known: set[int] = set()

    def add(self, hashed: int) -> None:
        """Count a hash, drawn evenly from 0 to 2**64 - 1."""
        if hashed in self._known:
            return
        if len(self._heap) < self._kept:
            heapq.heappush(self._heap, -hashed)
        elif hashed < -self._heap[0]:
            self._known.discard(-heapq.heapreplace(self._heap, -hashed))
        else:
            return
        self._known.add(hashed)

    @property
    def exact(self) -> bool:
        """Whether every different hash is remembered."""
        return len(self._heap) < self._kept

    @property
    def count(self) -> float:
        """How many are different: exact, or estimated."""
        if self.exact:
            return float(len(self._heap))
        return (self._kept - 1) * _SPACE / (1 - self._heap[0])

    @property
    def error(self) -> float:
        """Standard error of the count, as a share of it."""
        return 0.0 if self.exact else 1 / math.sqrt(self._kept - 2)

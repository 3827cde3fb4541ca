"""What tests noticed so far, and so which of them to ask first."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable


__all__ = ["Record"]


LEAST = 0.3    # seconds that setting about a test costs whether or not it notices anything
NEAR  = 8      # lines within which changes are alike
FAR   = 0.05   # how much a change elsewhere says of one here
PRIOR = 20     # changes of which a test is held to notice one, as long as nothing is known


class Record:
    """How many changes each test has met so far, and how many it has noticed, line by line."""

    def __init__(self) -> None:
        self._met: dict[int, Counter[str]] = defaultdict(Counter)
        self._noticed: dict[int, Counter[str]] = defaultdict(Counter)

    def note(self, line: int, met: Iterable[str], noticed: str = "") -> None:
        self._met[line].update(list(met))    # of a dict it would take the values as well
        if noticed:
            self._noticed[line][noticed] += 1

    def costs(self, line: int, seconds: dict[str, float]) -> dict[str, float]:
        """Seconds until each test notices a change of a line, if it goes on as it did so far.

        What it did far from the line counts less, but never nothing.
        """
        met, noticed = (self._near(line, counts) for counts in (self._met, self._noticed))
        return {name: (own + LEAST) * (met[name] + PRIOR) / (noticed[name] + 1)
                for name, own in seconds.items()}

    @staticmethod
    def _near(line: int, counts: dict[int, Counter[str]]) -> dict[str, float]:
        sums: dict[str, float] = defaultdict(float)
        for other, count in counts.items():
            weight = FAR + (1 - FAR) * math.exp(-abs(line - other) / NEAR)
            for name, n in count.items():
                sums[name] += weight * n
        return sums

"""What the end of a bit line makes of its count."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


__all__ = ["MOST_BITS", "Sense"]


MOST_BITS = 8


@dataclass(frozen=True)
class Sense:
    """Count of the cells that agree on a bit line, as a converter gives it.

    A converter of *b* bits has codes from 0 to m = 2^b − 1, spread evenly from no agreement to
    :py:`rows` of them. A count becomes the nearest code, and a code stands for the nearest count,
    ties up both times:

    - code = (2 · m · count + rows) // (2 · rows)
    - sensed = (2 · rows · code + m) // (2 · m)

    Where m ≥ rows, each count has a code that stands for it: such a converter is exact. One bit is
    a sense amplifier, and also called ``"sign"``: at half of the rows and above it, all of them
    are taken to agree; below it, none.

    Parameters
    ----------
    rows : :class:`int`
        Word lines that are driven, at least 1.
    sense : :class:`str` or :class:`int`
        ``"exact"``; or bits, from 1 to 8; or ``"sign"``.
    """

    rows: int
    sense: str | int = "exact"

    def __post_init__(self) -> None:
        if not _integer(self.rows):
            raise TypeError(f"Rows must be an integer, not {self.rows!r}")
        if self.rows < 1:
            raise ValueError(f"Rows must be at least 1, not {self.rows!r}")
        if not isinstance(self.sense, str) and not _integer(self.sense):
            raise TypeError("Sense must be exact, sign, or an integer number of bits, "
                            f"not {self.sense!r}")
        if self.sense not in ("exact", "sign") and \
                (isinstance(self.sense, str) or not 1 <= self.sense <= MOST_BITS):
            raise ValueError(f"Sense must be exact, sign, or 1 to {MOST_BITS} bits, "
                             f"not {self.sense!r}")

    @property
    def exact(self) -> bool:
        """Whether each count is sensed as what it is."""
        return self.sense == "exact" or self.top >= self.rows

    @property
    def top(self) -> int:
        """The greatest code; that of a converter for counts where all are exact."""
        if self.sense == "exact":
            return self.rows
        return 1 if self.sense == "sign" else (1 << int(self.sense)) - 1

    def codes(self, counts: npt.ArrayLike) -> np.ndarray:
        """The code of each count."""
        return (2 * self.top * np.asarray(counts) + self.rows) // (2 * self.rows)

    def __call__(self, counts: npt.ArrayLike) -> np.ndarray:
        """The count that each count is taken for."""
        counts = np.asarray(counts)
        if self.exact:
            return counts
        return (2 * self.rows * self.codes(counts) + self.top) // (2 * self.top)

    @property
    def steps(self) -> list[tuple[int, int]]:
        """For each code above 0, the least count that has it, and the count that it stands for."""
        codes = np.arange(1, self.top + 1)
        least = -(-(2 * codes - 1) * self.rows // (2 * self.top))
        return [(int(count), int(self(count))) for count in least]


def _integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)

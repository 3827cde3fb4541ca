"""Real numbers that are multiples of one step."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


__all__ = ["Uniform", "uniform"]


ROUNDED = 2.0 ** -22   # by which numbers of float32 may be off, as a share of the greatest


@dataclass(frozen=True)
class Uniform:
    """Numbers low + step · k with k from 0 to :py:`most`."""

    low: float
    step: float
    most: int

    def index(self, values: npt.ArrayLike) -> np.ndarray:
        """The nearest k of each value."""
        return np.rint((np.asarray(values) - self.low) / self.step).astype(np.int64)

    def fits(self, values: npt.ArrayLike) -> bool:
        """Whether values are such numbers, but for how float32 rounds."""
        values = np.asarray(values, dtype=np.float64)
        index = self.index(values)
        slack = ROUNDED * max(abs(values).max(initial=0), abs(self.low),
                              abs(self.low + self.step * self.most))
        return bool((index >= 0).all() and (index <= self.most).all()
                    and (abs(self.low + self.step * index - values) <= slack).all())


def uniform(values: npt.ArrayLike, most: int) -> Uniform | None:
    """The greatest step by which some values are apart, or None where that is too small a one.

    Parameters
    ----------
    values : array of :class:`float`
        At least one. They may be off by what float32 rounds.
    most : :class:`int`
        How many steps the greatest may be above the least.
    """
    values = np.unique(np.asarray(values, dtype=np.float64))
    low, reach = values[0], values[-1] - values[0]
    if not reach:
        return Uniform(float(low), 1.0, 0)
    for count in range(1, most + 1):
        found = Uniform(float(low), float(reach / count), count)
        if found.fits(values):
            return found
    return None

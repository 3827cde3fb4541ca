"""Where functions of integers change their value."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


__all__ = ["Switches", "switches"]


@dataclass(frozen=True, eq=False)
class Switches:
    """All places at which some functions change, in the order of functions and then of places.

    Function :py:`which[n]` is :py:`before[n]` at :py:`place[n]` − 1 and :py:`after[n]` at
    :py:`place[n]`. Those which never change are :py:`first` everywhere, as others are to begin
    with.
    """

    first: np.ndarray
    which: np.ndarray
    place: np.ndarray
    before: np.ndarray
    after: np.ndarray

    @property
    def values(self) -> np.ndarray:
        """All values that there are, in ascending order."""
        return np.unique(np.concatenate([self.first, self.after]))


def switches(function: Callable[[np.ndarray], np.ndarray], low: np.ndarray, high: np.ndarray,
             most: int) -> Switches | None:
    """Every switch of monotonic functions of integers, by bisection; None if one has too many.

    Parameters
    ----------
    function : callable
        Takes integers, rows × functions, and gives each function's value.
    low, high : array of :class:`int`, functions
        The first and the last integer of each.
    most : :class:`int`
        How often a function may change.
    """
    first, last = function(np.stack([low, high]))
    which = np.flatnonzero(first != last)
    left, right, before, after = low[which], high[which], first[which], last[which]
    done = [np.empty((0, 4))]
    while which.size:
        found = right - left == 1
        done.append(np.stack([which, right, before, after], axis=1)[found])
        which, left, right, before, after = (
            each[~found] for each in (which, left, right, before, after))
        if not which.size:
            break
        if max(np.bincount(which)) > most:
            return None
        middle = (left + right) // 2
        value = _at(function, which, middle, low)
        lower, upper = value != before, value != after
        which, left, right, before, after = (np.concatenate(parts) for parts in (
            (which[lower], which[upper]), (left[lower], middle[upper]),
            (middle[lower], right[upper]), (before[lower], value[upper]),
            (value[lower], after[upper])))
    rows = np.concatenate(done)
    rows = rows[np.lexsort((rows[:, 1], rows[:, 0]))]
    which, place = rows[:, :2].T.astype(np.int64)
    if which.size and max(np.bincount(which)) > most:
        return None
    return Switches(first, which, place, rows[:, 2], rows[:, 3])


def _at(function: Callable[[np.ndarray], np.ndarray], which: np.ndarray, place: np.ndarray,
        low: np.ndarray) -> np.ndarray:
    """Values of some functions, each at some places, found for all of them at once."""
    order = np.argsort(which, kind="stable")
    counts = np.bincount(which, minlength=len(low))
    row = np.empty_like(which)
    row[order] = np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)
    table = np.repeat(low[None], counts.max(), axis=0)
    table[row, which] = place
    return function(table)[row, which]

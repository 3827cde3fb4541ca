"""Thresholds of functions that rise or fall in steps."""

import numpy as np

from .switches import Switches
from .uniform import Uniform


__all__ = ["stairs"]


def stairs(found: Switches, levels: Uniform, low: np.ndarray, high: np.ndarray, bits: int) \
        -> tuple[np.ndarray, np.ndarray]:
    """Thresholds of each function, functions × (2^bits − 1), and which functions fall.

    The number of a function, which levels give its value, is how many of its thresholds an integer
    reaches; where it falls, how many the negated integer reaches. So those of a function rise. One
    that is always reached is the least integer, and one that never is the greatest and 1.

    Parameters
    ----------
    found : :class:`model.switches.Switches`
        All that the functions do, each of which must rise only, or fall only.
    levels : :class:`model.uniform.Uniform`
        Their values.
    low, high : array of :class:`int`, functions
        The first and the last integer of each.
    bits : :class:`int`
        Of a number.
    """
    first = levels.index(found.first)
    before, after = levels.index(found.before), levels.index(found.after)
    falls = np.zeros(len(first), dtype=bool)
    falls[found.which] = after < before
    stair = np.arange(1, 1 << bits)
    # A rising function reaches as much as it is at first, and a falling one never gets beyond.
    reached = stair <= first[:, None]
    places = np.where(reached == falls[:, None], high[:, None] + 1, low[:, None])
    for which, place, one, other in zip(found.which, found.place, before, after, strict=True):
        places[which, min(one, other):max(one, other)] = place
    # A falling one has reached a stair up to the integer before that at which it leaves it.
    return np.where(falls[:, None], 1 - places, places), falls

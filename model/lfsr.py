"""Linear-feedback shift registers of maximal period."""

from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt


__all__ = ["TAPS", "Lfsr"]


# By width, the places whose exclusive or is fed back, the last one besides: P. Alfke, Efficient
# Shift Registers, LFSR Counters, and Long Pseudo-Random Sequence Generators (XAPP 052, 1996),
# but for 16 bits, which has those that are most common in software. The tests prove each maximal.
TAPS = {
    3: (2,), 4: (3,), 5: (3,), 6: (5,), 7: (6,), 8: (6, 5, 4), 9: (5,), 10: (7,), 11: (9,),
    12: (6, 4, 1), 13: (4, 3, 1), 14: (5, 3, 1), 15: (14,), 16: (14, 13, 11), 17: (14,), 18: (11,),
    19: (6, 2, 1), 20: (17,), 21: (19,), 22: (21,), 23: (18,), 24: (23, 22, 17), 25: (22,),
    26: (6, 2, 1), 27: (5, 2, 1), 28: (25,), 29: (27,), 30: (6, 4, 1), 31: (28,), 32: (22, 2, 1),
    33: (20,), 34: (27, 2, 1), 35: (33,), 36: (25,), 37: (5, 4, 3, 2, 1), 38: (6, 5, 1), 39: (35,),
    40: (38, 21, 19), 41: (38,), 42: (41, 20, 19), 43: (42, 38, 37), 44: (43, 18, 17),
    45: (44, 42, 41), 46: (45, 26, 25), 47: (42,), 48: (47, 21, 20), 49: (40,), 50: (49, 24, 23),
    51: (50, 36, 35), 52: (49,), 53: (52, 38, 37), 54: (53, 18, 17), 55: (31,), 56: (55, 35, 34),
    57: (50,), 58: (39,), 59: (58, 38, 37), 60: (59,), 61: (60, 46, 45), 62: (61, 6, 5),
    63: (62,), 64: (63, 61, 60),
}


@dataclass(frozen=True)
class Lfsr:
    """A Galois LFSR: each step shifts right, and feeds the bit that falls out back.

    It runs through all states but 0, 2^width − 1 of them. A step is linear, so that any number of
    them at once is a matrix over GF(2), of which hardware makes exclusive ors: it leaps forward.

    Parameters
    ----------
    width : :class:`int`
        Bits of the state, 3 to 64.
    seed : :class:`int`
        The state at first, 1 to 2^width − 1.
    """

    width: int
    seed: int = field(default=1, kw_only=True)

    def __post_init__(self) -> None:
        for name, low, high in (("width", 3, 64), ("seed", 1, None)):
            value = getattr(self, name)
            top = 2 ** self.width - 1 if high is None else high
            what = f"{name.capitalize()} of an LFSR"
            if not isinstance(value, int) or isinstance(value, bool):
                raise TypeError(f"{what} must be an integer, not {value!r}")
            if not low <= value <= top:
                raise ValueError(f"{what} must be between {low} and {top}, not {value!r}")

    @property
    def period(self) -> int:
        return 2 ** self.width - 1

    @cached_property
    def taps(self) -> int:
        """What is fed back: the places as bits of a state."""
        return sum(1 << tap - 1 for tap in (self.width, *TAPS[self.width]))

    def matrix(self, steps: int) -> tuple[int, ...]:
        """So many steps at once: for each bit of the state, what it alone becomes."""
        return _power(self.width, self.taps, steps % self.period)

    def after(self, steps: int, state: int | None = None) -> int:
        """The state so many steps after :py:`state`, or after the seed."""
        return _apply(self.matrix(steps), self.seed if state is None else state)

    def run(self, count: int, state: int | None = None) -> np.ndarray:
        """So many states, one step apart: :py:`state`, or the seed, and those that follow."""
        found = np.empty(count, dtype=np.uint64)
        found[:1] = self.seed if state is None else state
        known = 1
        while known < count:
            more = min(known, count - known)
            found[known:known + more] = _apply_to_all(self.matrix(known), found[:more])
            known += more
        return found

    def states(self, steps: npt.ArrayLike) -> np.ndarray:
        """The states so many steps after the seed, each number of steps by itself."""
        steps = np.asarray(steps, dtype=object) % self.period
        found = np.full(steps.shape, self.seed, dtype=np.uint64)
        for k in range(self.width):
            moved = np.zeros_like(found)
            for bit, image in enumerate(self.matrix(1 << k)):
                moved ^= np.where(found >> np.uint64(bit) & np.uint64(1), np.uint64(image),
                                  np.uint64(0))
            found = np.where((steps >> k & 1).astype(bool), moved, found)
        return found


def _apply(matrix: tuple[int, ...], state: int) -> int:
    result = 0
    for bit, image in enumerate(matrix):
        if state >> bit & 1:
            result ^= image
    return result


def _apply_to_all(matrix: tuple[int, ...], states: np.ndarray) -> np.ndarray:
    """What becomes of each state: that of each of its bytes, by a table."""
    result = np.zeros_like(states)
    for place in range(0, len(matrix), 8):
        images = matrix[place:place + 8]
        table = np.zeros(1 << len(images), dtype=np.uint64)
        for bit, image in enumerate(images):
            table[1 << bit:2 << bit] = table[:1 << bit] ^ np.uint64(image)
        result ^= table[states >> np.uint64(place) & np.uint64(len(table) - 1)]
    return result


@lru_cache(maxsize=4_096)
def _power(width: int, taps: int, steps: int) -> tuple[int, ...]:
    if steps == 0:
        return tuple(1 << bit for bit in range(width))
    if steps == 1:
        return (taps, *(1 << bit - 1 for bit in range(1, width)))
    half = _power(width, taps, steps // 2)
    whole = tuple(_apply(half, image) for image in half)
    one = _power(width, taps, 1)
    return tuple(_apply(one, image) for image in whole) if steps % 2 else whole

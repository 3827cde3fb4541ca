"""Crossbar of binary cells."""

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from .packing import disagreements, pack64
from .sense import Sense


__all__ = ["Crossbar"]


@dataclass(frozen=True, eq=False)
class Crossbar:
    """Word lines crossing bit lines, with one binary weight in each cell: a tile.

    A cell compares the bit on its word line with its weight (XNOR); a bit line counts the cells
    that agree. With set bits for +1 and clear bits for −1, twice that count less the number of
    word lines is the dot product.

    A cell is a differential pair: two devices, of which one conducts. The word line drives the
    first of them where its bit is set, and the second where it is clear, so that a current flows
    in the cells that agree.

    Counts that are sensed exactly assume a converter with a code for each of them, which is
    log2(word lines + 1) bits or more, and a current that is the same in all cells and free of
    noise. :class:`model.sense.Sense` is a converter with fewer codes.

    Parameters
    ----------
    weights : array of :class:`bool`, bit lines × word lines
        One row for each bit line.
    sense : :class:`str` or :class:`int`
        How bit lines are sensed, as :class:`model.sense.Sense` has it.
    """

    weights: np.ndarray
    sense: str | int = field(default="exact", kw_only=True)

    def __post_init__(self) -> None:
        weights = np.asarray(self.weights)
        if weights.ndim != 2 or weights.dtype != bool:
            raise TypeError(f"Weights must be a matrix of bool, not {weights.ndim}-dimensional "
                            f"{weights.dtype}")
        if not weights.size:
            raise ValueError(f"Weights must not be empty, not {weights.shape}")
        object.__setattr__(self, "weights", weights)
        Sense(self.word_lines, self.sense)

    @property
    def word_lines(self) -> int:
        return self.weights.shape[1]

    @property
    def bit_lines(self) -> int:
        return self.weights.shape[0]

    @property
    def devices(self) -> tuple[np.ndarray, np.ndarray]:
        """Whether each cell's first device conducts, and its second: bit lines × word lines.

        Exactly one of the two does.
        """
        return self.weights, ~self.weights

    def program(self, word_line: int, bits: npt.ArrayLike, *, first: int = 0) -> "Crossbar":
        """The crossbar with other weights on one word line: on bit lines from :py:`first` on.

        As many bits as there are bit lines are a whole row; fewer are a word of it.
        """
        bits = np.asarray(bits)
        if bits.ndim != 1 or bits.dtype != bool:
            raise TypeError(f"A row or word must be a vector of bool, not {bits.ndim}-dimensional "
                            f"{bits.dtype}")
        self._check(word_line)
        if not 0 <= first <= self.bit_lines - len(bits):
            raise ValueError(f"A row or word must be within {self.bit_lines} bit lines, "
                             f"not {len(bits)} from {first} on")
        weights = self.weights.copy()
        weights[first:first + len(bits), word_line] = bits
        return replace(self, weights=weights)

    def read(self, word_line: int) -> np.ndarray:
        """The weights on one word line: a bit for each bit line."""
        self._check(word_line)
        return self.weights[:, word_line].copy()

    def _check(self, word_line: int) -> None:
        if not 0 <= word_line < self.word_lines:
            raise ValueError(f"Word line must be between 0 and {self.word_lines - 1}, "
                             f"not {word_line}")

    @cached_property
    def _packed(self) -> np.ndarray:
        return pack64(self.weights)

    def counts(self, x: npt.ArrayLike) -> np.ndarray:
        """Number of cells on each bit line that agree with the bits on the word lines.

        The last axis of :py:`x` is the word lines; that of the result is the bit lines.
        """
        x = np.asarray(x)
        if x.dtype != bool or x.shape[-1:] != (self.word_lines,):
            raise ValueError(f"Word lines must carry {self.word_lines} bits, "
                             f"not {x.dtype} of shape {x.shape}")
        return self.word_lines - disagreements(pack64(x), self._packed)

    def sensed(self, x: npt.ArrayLike) -> np.ndarray:
        """The same, as it is sensed."""
        return Sense(self.word_lines, self.sense)(self.counts(x))

"""Crossbar of binary cells."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from .packing import disagreements, pack64


__all__ = ["Crossbar"]


@dataclass(frozen=True, eq=False)
class Crossbar:
    """Word lines crossing bit lines, with one binary weight in each cell.

    A cell compares the bit on its word line with its weight (XNOR); a bit line counts the cells
    that agree. With set bits for +1 and clear bits for −1, twice that count less the number of
    word lines is the dot product.

    Parameters
    ----------
    weights : array of :class:`bool`, bit lines × word lines
        One row for each bit line.
    """

    weights: np.ndarray

    def __post_init__(self) -> None:
        weights = np.asarray(self.weights)
        if weights.ndim != 2 or weights.dtype != bool:
            raise TypeError(f"Weights must be a matrix of bool, not {weights.ndim}-dimensional "
                            f"{weights.dtype}")
        if not weights.size:
            raise ValueError(f"Weights must not be empty, not {weights.shape}")
        object.__setattr__(self, "weights", weights)

    @property
    def word_lines(self) -> int:
        return self.weights.shape[1]

    @property
    def bit_lines(self) -> int:
        return self.weights.shape[0]

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

"""What the golden model answers to everything it can be asked, as a table in a design."""

from typing import Any

import numpy as np
import numpy.typing as npt
from amaranth.hdl import Cat, Const, Value
from amaranth.utils import bits_for, ceil_log2


__all__ = ["Table"]


class Table:
    """An array of non-negative integers that can be indexed with values of a design.

    Parameters
    ----------
    values : array of :class:`int` or :class:`bool`
        Any number of axes.
    """

    def __init__(self, values: npt.ArrayLike) -> None:
        array = np.asarray(values)
        if array.min() < 0:
            raise ValueError(f"Values must not be negative, not {array.min()}")
        self._width = bits_for(int(array.max()))
        self._bits = [ceil_log2(length) for length in array.shape]
        # Each axis as long as its index can say, so that an index is bits side by side.
        padded = np.zeros([1 << bits for bits in self._bits], dtype=np.int64)
        padded[tuple(slice(length) for length in array.shape)] = array
        content = 0
        for n, value in enumerate(padded.reshape(-1)):
            content |= int(value) << n * self._width
        self._content = Const(content, padded.size * self._width)

    def __getitem__(self, indices: Any) -> Any:
        indices = indices if isinstance(indices, tuple) else (indices,)
        if len(indices) != len(self._bits):
            raise IndexError(f"A table of {len(self._bits)} axes must be given as many indices")
        index = Cat(*(Value.cast(index)[:bits]
                      for index, bits in reversed(list(zip(indices, self._bits, strict=True)))))
        if not len(index):
            return self._content
        return self._content.word_select(index, self._width)

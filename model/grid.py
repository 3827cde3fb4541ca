"""A layer's weights over tiles."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from .crossbar import Crossbar


__all__ = ["Grid"]


@dataclass(frozen=True, eq=False)
class Grid:
    """Weights cut into tiles of one size, whose sensed counts add up to those of a layer.

    Tile (r, c) is a :class:`model.crossbar.Crossbar` of inputs from r · rows on and outputs from
    c · columns on. The tiles at the edges are used in part: word lines that have no input are not
    driven, and a converter counts from no agreement to as many word lines as are.

    Bias rows are further word lines of each tile, which always carry a set bit.
    :func:`model.bias.hold` says which thresholds their cells hold. They are sensed by themselves
    and exactly, whatever the converter.

    Parameters
    ----------
    weights : array of :class:`bool`, outputs × inputs
    rows, columns : :class:`int`
        Word lines for inputs, and bit lines, of a tile; at least 1.
    bias_rows : :class:`int`
        Word lines besides :py:`rows`, at least 0.
    sense : :class:`str` or :class:`int`
        How bit lines are sensed, as :class:`model.sense.Sense` has it.
    """

    weights: np.ndarray
    rows: int = field(default=128, kw_only=True)
    columns: int = field(default=128, kw_only=True)
    bias_rows: int = field(default=0, kw_only=True)
    sense: str | int = field(default="exact", kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights", Crossbar(self.weights, sense=self.sense).weights)
        for name, least in (("rows", 1), ("columns", 1), ("bias_rows", 0)):
            value = getattr(self, name)
            what = name.replace("_", " ").capitalize()
            if not isinstance(value, int) or isinstance(value, bool):
                raise TypeError(f"{what} must be an integer, not {value!r}")
            if value < least:
                raise ValueError(f"{what} must be at least {least}, not {value!r}")

    @property
    def inputs(self) -> int:
        return self.weights.shape[1]

    @property
    def outputs(self) -> int:
        return self.weights.shape[0]

    @property
    def down(self) -> int:
        """Tiles that an output's weights are in."""
        return -(-self.inputs // self.rows)

    @property
    def across(self) -> int:
        """Tiles that an input goes to."""
        return -(-self.outputs // self.columns)

    @property
    def count(self) -> int:
        """All tiles."""
        return self.down * self.across

    @property
    def word_lines(self) -> int:
        """Word lines of all tiles, bias rows included."""
        return self.count * (self.rows + self.bias_rows)

    @property
    def bit_lines(self) -> int:
        """Bit lines of all tiles."""
        return self.count * self.columns

    @property
    def cells(self) -> int:
        """Cells of all tiles, each of two devices."""
        return self.word_lines * self.columns

    @property
    def bias_cells(self) -> int:
        """Cells that can hold a part of an output's bias."""
        return self.down * self.bias_rows

    def used(self, *, biased: bool = False) -> int:
        """Cells that hold a weight, or, if there are biases to hold, a part of one."""
        return self.outputs * (self.inputs + self.bias_cells * biased)

    @cached_property
    def tiles(self) -> tuple[tuple[Crossbar, ...], ...]:
        """Rows of tiles, without their bias rows, each as large as it is used."""
        return tuple(
            tuple(Crossbar(self.weights[low:low + self.columns, left:left + self.rows],
                           sense=self.sense)
                  for low in range(0, self.outputs, self.columns))
            for left in range(0, self.inputs, self.rows))

    def counts(self, x: npt.ArrayLike) -> np.ndarray:
        """Cells that agree with the inputs, as the tiles sense them: … × inputs to … × outputs."""
        x = np.asarray(x)
        if x.shape[-1:] != (self.inputs,):
            raise ValueError(f"Inputs must be {self.inputs} bits, not shape {x.shape}")
        return sum((np.concatenate([tile.sensed(part) for tile in row], axis=-1)
                    for row, part in zip(self.tiles, self._parts(x), strict=True)),
                   start=np.zeros((), dtype=np.int64))

    def _parts(self, x: np.ndarray) -> list[np.ndarray]:
        return [x[..., left:left + self.rows] for left in range(0, self.inputs, self.rows)]

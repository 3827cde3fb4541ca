"""Matrix-vector product over planes of bits, by counting agreements."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from .crossbar import Crossbar
from .grid import Grid
from .sense import Sense


__all__ = ["Accumulate"]


@dataclass(frozen=True, eq=False)
class Accumulate:
    """Sum over planes of a crossbar's counts, which stands for acc = Σ_p g_p · Σ_i W_i · x_{p,i}.

    The hardware only ever adds up agreements, sum = Σ_p g_p · agree_p. Both kinds of inputs are an
    affine function of that away, acc = scale · sum − offset: where inputs are bipolar, scale is 2
    and the offset n · Σ g; where they are unsigned, x = (1 + x') / 2 with a bipolar x', scale is 1
    and the offset is Σ g times the number of the neuron's negative weights.

    The inputs may be spread over tiles, whose bit lines are sensed: a tile's count of one plane is
    taken for what :class:`model.sense.Sense` makes of it before it is weighed and added up.

    Parameters
    ----------
    weights : array of :class:`bool`, outputs × inputs
        A set bit is +1 and a clear one −1.
    gains : tuple of :class:`int`
        Weight of each plane, most significant first. Either each is half the one before it, down
        to 1, or all are the same power of two.
    bipolar : :class:`bool`
        Whether a clear input stands for −1, rather than 0.
    tile_rows : :class:`int`, or None
        Inputs that a tile takes; all of them if None. The last tile takes those that are left.
    sense : :class:`str` or :class:`int`
        How a tile senses, as :class:`model.sense.Sense` has it.
    """

    weights: np.ndarray
    gains: tuple[int, ...] = field(default=(1,), kw_only=True)
    bipolar: bool = field(default=True, kw_only=True)
    tile_rows: int | None = field(default=None, kw_only=True)
    sense: str | int = field(default="exact", kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights", Crossbar(self.weights).weights)
        gains = tuple(int(gain) for gain in self.gains)
        alike = len(set(gains)) == 1 and gains[0] > 0 and gains[0].bit_count() == 1
        halved = gains == tuple(1 << k for k in reversed(range(len(gains))))
        if not gains or not (alike or halved):
            raise ValueError("Gains must be the same power of two, or powers of two down to 1, "
                             f"not {self.gains!r}")
        object.__setattr__(self, "gains", gains)
        Sense(self.inputs if self.tile_rows is None else self.tile_rows, self.sense)

    @cached_property
    def crossbar(self) -> Crossbar:
        return Crossbar(self.weights)

    @cached_property
    def grid(self) -> Grid:
        """The tiles, with columns for all outputs."""
        return Grid(self.weights, rows=self.tile_rows or self.inputs, columns=self.outputs,
                    sense=self.sense)

    @property
    def exact(self) -> bool:
        """Whether every count is sensed as what it is."""
        return Sense(min(self.tile_rows or self.inputs, self.inputs), self.sense).exact

    @property
    def inputs(self) -> int:
        return self.weights.shape[1]

    @property
    def outputs(self) -> int:
        return self.weights.shape[0]

    @property
    def top(self) -> int:
        """The greatest sum: every input agrees in every plane."""
        return self.inputs * sum(self.gains)

    @property
    def scale(self) -> int:
        return 2 if self.bipolar else 1

    @property
    def offset(self) -> np.ndarray:
        """What to subtract for each neuron."""
        if self.bipolar:
            return np.full(self.outputs, self.top)
        return sum(self.gains) * np.count_nonzero(~self.weights, axis=1)

    def sums(self, planes: npt.ArrayLike) -> np.ndarray:
        """Weighted agreements of bits, … × planes × inputs, as sensed, with each neuron:
        … × outputs.
        """
        planes = np.asarray(planes)
        if planes.ndim < 2 or planes.shape[-2] != len(self.gains):
            raise ValueError(f"Inputs must have {len(self.gains)} planes, not shape {planes.shape}")
        counts = self.crossbar.counts if self.exact else self.grid.counts
        return np.asarray(self.gains) @ counts(planes)

    def acc(self, planes: npt.ArrayLike) -> np.ndarray:
        """The accumulators: … × outputs."""
        return self.acc_of(self.sums(planes))

    def acc_of(self, sums: npt.ArrayLike) -> np.ndarray:
        """Accumulators that these sums stand for."""
        return self.scale * np.asarray(sums) - self.offset

    def sum_threshold(self, thresholds: npt.ArrayLike) -> np.ndarray:
        """The least sum of each neuron whose accumulator reaches its threshold.

        Zero where every sum does; :py:`top + 1` where none does.
        """
        least = -(-(np.asarray(thresholds) + self.offset) // self.scale)
        return np.clip(least, 0, self.top + 1)

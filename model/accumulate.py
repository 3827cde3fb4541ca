"""Matrix-vector product over planes of bits, by counting agreements."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from .checks import check_range
from .crossbar import Crossbar
from .grid import Grid
from .sense import Sense


__all__ = ["Accumulate", "WEIGHT_BITS"]


WEIGHT_BITS = 8


@dataclass(frozen=True, eq=False)
class Accumulate:
    """Sum over planes of a crossbar's counts, which stands for acc = Σ_p g_p · Σ_i W_i · x_{p,i}.

    The hardware only ever adds up agreements, sum = Σ_p g_p · agree_p. Both kinds of inputs are an
    affine function of that away, acc = scale · sum − offset: where inputs are bipolar, scale is 2
    and the offset n · Σ g; where they are unsigned, x = (1 + x') / 2 with a bipolar x', scale is 1
    and the offset is Σ g times the number of the neuron's negative weights.

    Weights of several bits are planes of cells, too, whose agreements weigh 2^k. Cells hold
    the bits of w + 2^(B−1), and stand for ±1 like any other, so that Σ 2^k · b_k is 2w + 1; a bit
    line of clear cells, which all neurons share, takes the 1 away. So such sums stand for twice the
    weights: where inputs are bipolar, scale is 1 and the offset n · Σ g · 2^(B−1); where they are
    unsigned, acc = (sum − offset) / 2 with the offset Σ g · Σ_i (2^(B−1) − w_i).

    The inputs may be spread over tiles, whose bit lines are sensed: a tile's count of one plane is
    taken for what :class:`model.sense.Sense` makes of it before it is weighed and added up.

    Parameters
    ----------
    weights : array of :class:`bool`, outputs × inputs
        A set bit is +1 and a clear one −1. With :py:`weight_bits` B > 1, integers from −2^(B−1) to
        2^(B−1) − 1.
    gains : tuple of :class:`int`
        Weight of each plane, most significant first. Either each is half the one before it, down
        to 1, or all are the same power of two.
    bipolar : :class:`bool`
        Whether a clear input stands for −1, rather than 0.
    tile_rows : :class:`int`, or None
        Inputs that a tile takes; all of them if None. The last tile takes those that are left.
    sense : :class:`str` or :class:`int`
        How a tile senses, as :class:`model.sense.Sense` has it. Every count must be sensed as what
        it is where weights have several bits.
    weight_bits : :class:`int`
        1 to :data:`WEIGHT_BITS`.
    """

    weights: np.ndarray
    gains: tuple[int, ...] = field(default=(1,), kw_only=True)
    bipolar: bool = field(default=True, kw_only=True)
    tile_rows: int | None = field(default=None, kw_only=True)
    sense: str | int = field(default="exact", kw_only=True)
    weight_bits: int = field(default=1, kw_only=True)

    def __post_init__(self) -> None:
        check_range("Bits of a weight", self.weight_bits, 1, WEIGHT_BITS)
        object.__setattr__(self, "weights", Crossbar(self.weights).weights
                           if self.weight_bits == 1 else self._whole())
        gains = tuple(int(gain) for gain in self.gains)
        alike = len(set(gains)) == 1 and gains[0] > 0 and gains[0].bit_count() == 1
        halved = gains == tuple(1 << k for k in reversed(range(len(gains))))
        if not gains or not (alike or halved):
            raise ValueError("Gains must be the same power of two, or powers of two down to 1, "
                             f"not {self.gains!r}")
        object.__setattr__(self, "gains", gains)
        Sense(self.inputs if self.tile_rows is None else self.tile_rows, self.sense)
        if self.weight_bits > 1 and not self.exact:
            raise ValueError("Tiles must sense every count as what it is where weights have "
                             f"{self.weight_bits} bits")

    def _whole(self) -> np.ndarray:
        """Weights of several bits, once they are known to be that."""
        weights, half = np.asarray(self.weights), 1 << self.weight_bits - 1
        if weights.dtype.kind not in "iu":
            raise TypeError(f"Weights of {self.weight_bits} bits must be integers, "
                            f"not {weights.dtype}")
        if weights.ndim != 2 or not weights.size:
            raise ValueError(f"Weights must be outputs x inputs, not of shape {weights.shape}")
        if weights.min() < -half or weights.max() >= half:
            raise ValueError(f"Weights of {self.weight_bits} bits must be between {-half} and "
                             f"{half - 1}, not {weights.min()} to {weights.max()}")
        return weights.astype(np.int64)

    @cached_property
    def cells(self) -> np.ndarray:
        """Bits of the weights, planes × outputs × inputs, most significant first."""
        if self.weight_bits == 1:
            return self.weights[None]
        places = np.arange(self.weight_bits)[::-1, None, None]
        return (self.weights + (1 << self.weight_bits - 1) >> places & 1).astype(bool)

    @cached_property
    def crossbar(self) -> Crossbar:
        """All cells, those of a plane side by side."""
        return Crossbar(self.cells.reshape(-1, self.inputs))

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
    def whole(self) -> int:
        """The greatest sum of all inputs, if each weighed 1."""
        return self.inputs * sum(self.gains)

    @property
    def top(self) -> int:
        """The greatest sum: every input agrees in every plane."""
        return self.whole * (1 if self.weight_bits == 1 else 1 << self.weight_bits)

    @property
    def most(self) -> int:
        """What no accumulator is further from zero than."""
        return self.whole << self.weight_bits - 1

    @property
    def scale(self) -> int:
        return 2 if self.bipolar and self.weight_bits == 1 else 1

    @property
    def halved(self) -> bool:
        """Whether sums stand for twice the accumulator."""
        return self.weight_bits > 1 and not self.bipolar

    @property
    def offset(self) -> np.ndarray:
        """What to subtract for each neuron, before anything is halved."""
        if self.bipolar:
            return np.full(self.outputs, self.most)
        if self.weight_bits == 1:
            return sum(self.gains) * np.count_nonzero(~self.weights, axis=1)
        return self.most - sum(self.gains) * self.weights.sum(axis=1)

    def sums(self, planes: npt.ArrayLike) -> np.ndarray:
        """Weighted agreements of bits, … × planes × inputs, as sensed, with each neuron:
        … × outputs.
        """
        planes = np.asarray(planes)
        if planes.ndim < 2 or planes.shape[-2] != len(self.gains):
            raise ValueError(f"Inputs must have {len(self.gains)} planes, not shape {planes.shape}")
        if self.weight_bits == 1:
            counts = self.crossbar.counts if self.exact else self.grid.counts
            return np.asarray(self.gains) @ counts(planes)
        counts = np.asarray(self.gains) @ self.crossbar.counts(planes)
        places = 1 << np.arange(self.weight_bits)[::-1]
        clear = np.asarray(self.gains) @ np.count_nonzero(planes == 0, axis=-1)[..., None]
        return places @ counts.reshape(*counts.shape[:-1], self.weight_bits, -1) + clear

    def acc(self, planes: npt.ArrayLike) -> np.ndarray:
        """The accumulators: … × outputs."""
        return self.acc_of(self.sums(planes))

    def acc_of(self, sums: npt.ArrayLike) -> np.ndarray:
        """Accumulators that these sums stand for."""
        return self.scale * np.asarray(sums) - self.offset >> self.halved

    def sum_threshold(self, thresholds: npt.ArrayLike) -> np.ndarray:
        """The least sum of each neuron whose accumulator reaches its threshold.

        Zero where every sum does; :py:`top + 1` where none does.
        """
        wanted = (np.asarray(thresholds).T << self.halved) + self.offset
        return np.clip(-(-wanted // self.scale), 0, self.top + 1).T

"""Binary dense layer."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .accumulate import Accumulate


__all__ = ["Dense", "OUTPUT_BITS"]


OUTPUT_BITS = 4


@dataclass(frozen=True, eq=False)
class Dense(Accumulate):
    """Fully connected layer with binary weights and binary activations, or with few bits of either.

    Batch normalisation and sign are one comparison: a neuron fires when its accumulator, as
    :class:`model.accumulate.Accumulate` defines it, reaches its integer threshold. One that gives a
    number of b bits has 2^b − 1 thresholds, and its number is how many of them are reached.

    Parameters
    ----------
    weights : array of :class:`bool`, outputs × inputs
        One row for each neuron; with :py:`weight_bits`, integers.
    gains, bipolar
        Planes of the inputs. :class:`model.network.Network` sets them for its first layer.
    tile_rows, sense, weight_bits
        Tiles, and bits of a weight, as :class:`model.accumulate.Accumulate` has them.
    thresholds : array of :class:`int`, outputs, or outputs × (2^b − 1)
        Between −:py:`most`, which always fires, and :py:`most` + 1, which never does. Those of a
        neuron must not fall; b is 1 to :data:`OUTPUT_BITS`.
    """

    thresholds: np.ndarray

    def __post_init__(self) -> None:
        super().__post_init__()
        thresholds = np.asarray(self.thresholds)
        if thresholds.dtype.kind not in "iu":
            raise TypeError(f"Thresholds must be integers, not {thresholds.dtype}")
        several = [(self.outputs, (1 << bits) - 1) for bits in range(2, OUTPUT_BITS + 1)]
        if thresholds.shape not in [(self.outputs,), *several]:
            raise ValueError(f"Thresholds must be one per output ({self.outputs}), or 3, 7 or 15, "
                             f"not {thresholds.shape}")
        thresholds = thresholds.astype(np.int64)
        if thresholds.min() < -self.most or thresholds.max() > self.most + 1:
            raise ValueError(f"Thresholds must be between {-self.most} and {self.most + 1}, "
                             f"not {thresholds.min()} to {thresholds.max()}")
        if (np.diff(thresholds) < 0).any() and thresholds.ndim == 2:
            raise ValueError("Thresholds of a neuron must not fall")
        object.__setattr__(self, "thresholds", thresholds)

    @property
    def output_bits(self) -> int:
        """Bits of an activation."""
        return 1 if self.thresholds.ndim == 1 else self.thresholds.shape[1].bit_length()

    def fired(self, acc: np.ndarray) -> np.ndarray:
        """Activations of accumulators, … × outputs: bits, or numbers."""
        if self.thresholds.ndim == 1:
            return acc >= self.thresholds
        return np.count_nonzero(acc[..., None] >= self.thresholds, axis=-1)

    def __call__(self, planes: npt.ArrayLike) -> np.ndarray:
        """Activations for bits, … × planes × inputs: … × outputs."""
        return self.fired(self.acc(planes))

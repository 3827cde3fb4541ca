"""Binary dense layer."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .accumulate import Accumulate


__all__ = ["Dense"]


@dataclass(frozen=True, eq=False)
class Dense(Accumulate):
    """Fully connected layer with binary weights and binary activations.

    Batch normalisation and sign are one comparison: a neuron fires when its accumulator, as
    :class:`model.accumulate.Accumulate` defines it, reaches its integer threshold.

    Parameters
    ----------
    weights : array of :class:`bool`, outputs × inputs
        One row for each neuron.
    gains, bipolar
        Planes of the inputs. :class:`model.network.Network` sets them for its first layer.
    tile_rows, sense
        Tiles, as :class:`model.accumulate.Accumulate` has them.
    thresholds : array of :class:`int`, outputs
        Between −top, which always fires, and top + 1, which never does, where top is the number of
        inputs times the sum of the gains.
    """

    thresholds: np.ndarray

    def __post_init__(self) -> None:
        super().__post_init__()
        thresholds = np.asarray(self.thresholds)
        if thresholds.dtype.kind not in "iu":
            raise TypeError(f"Thresholds must be integers, not {thresholds.dtype}")
        if thresholds.shape != self.weights.shape[:1]:
            raise ValueError(f"Thresholds must be one per output ({self.outputs}), "
                             f"not {thresholds.shape}")
        thresholds = thresholds.astype(np.int64)
        if thresholds.min() < -self.top or thresholds.max() > self.top + 1:
            raise ValueError(f"Thresholds must be between {-self.top} and {self.top + 1}, "
                             f"not {thresholds.min()} to {thresholds.max()}")
        object.__setattr__(self, "thresholds", thresholds)

    def __call__(self, planes: npt.ArrayLike) -> np.ndarray:
        """Activations for bits, … × planes × inputs: … × outputs."""
        return self.acc(planes) >= self.thresholds

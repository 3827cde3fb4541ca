"""Scores of the classes."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .accumulate import Accumulate


__all__ = ["Scores", "argmax"]


@dataclass(frozen=True, eq=False)
class Scores(Accumulate):
    """Fully connected layer with weights of few bits whose accumulators become integer scores.

    score = gain · acc + bias, with a gain and a bias for each class.

    Parameters
    ----------
    weights : array of :class:`bool`, classes × inputs
        One row for each class; with :py:`weight_bits`, integers.
    gains, bipolar
        Planes of the inputs. :class:`model.network.Network` sets them where there is no layer
        before this one.
    tile_rows, sense, weight_bits
        Tiles, and bits of a weight, as :class:`model.accumulate.Accumulate` has them.
    gain : array of :class:`int`, classes
        Between −32,768 and 32,767.
    bias : array of :class:`int`, classes
        Such that no score can leave 32 bits.
    """

    gain: np.ndarray
    bias: np.ndarray

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("gain", "bias"):
            values = np.asarray(getattr(self, name))
            if values.dtype.kind not in "iu":
                raise TypeError(f"{name.capitalize()} must be integers, not {values.dtype}")
            if values.shape != (self.outputs,):
                raise ValueError(f"{name.capitalize()} must be one per class ({self.outputs}), "
                                 f"not {values.shape}")
            object.__setattr__(self, name, values.astype(np.int64))
        if self.gain.min() < -2 ** 15 or self.gain.max() >= 2 ** 15:
            raise ValueError("Gain must be between -32768 and 32767, "
                             f"not {self.gain.min()} to {self.gain.max()}")
        if self.reach >= 2 ** 31:
            raise ValueError("Gain and bias must keep every score within 32 bits, "
                             f"not reach {self.reach}")

    @property
    def reach(self) -> int:
        """A bound of the absolute value of each score, and of each figure on the way to it."""
        return int(np.max(2 * self.top * abs(self.gain) + abs(self.bias) * (1 + self.halved)))

    @property
    def gain_bits(self) -> int:
        """Width of a gain in hardware; none where all gains are 1 and no multiplier is needed."""
        return 0 if (self.gain == 1).all() else 16

    @property
    def score_bits(self) -> int:
        """Width of a score in hardware: coarse, so that networks alike share one accelerator."""
        return 16 if self.gain_bits == 0 and self.reach < 2 ** 15 else 32

    def __call__(self, planes: npt.ArrayLike) -> np.ndarray:
        """Scores for bits, … × planes × inputs: … × classes."""
        return self.gain * self.acc(planes) + self.bias


def argmax(scores: np.ndarray) -> np.ndarray:
    """The class of each row of scores: the lowest index of the greatest."""
    return np.argmax(scores, axis=-1)

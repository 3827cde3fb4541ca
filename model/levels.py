"""Weights of several levels on crossbars of ±1: one crossbar for each binary plane."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from . import train as binary
from .accumulate import Accumulate
from .dense import Dense
from .encoder import Encoder
from .fold import fold
from .network import Network
from .products import products
from .real import Real
from .scores import Scores, argmax


__all__ = ["Levels", "on_levels", "planes_of", "recompose"]


def planes_of(weights: npt.ArrayLike, bound: float, planes: int) -> np.ndarray:
    """Binary planes of real weights, most significant first: planes × outputs × inputs.

    A weight takes the nearest of 2^planes levels that are evenly spread from −:py:`bound` to
    :py:`bound`, the upper one of two; weights beyond take the last. With one plane these are signs.
    Level m, of 0 … 2^planes − 1, is bit by bit the planes' cells, which are +1 or −1.
    """
    if not isinstance(planes, int) or isinstance(planes, bool):
        raise TypeError(f"Planes must be an integer, not {planes!r}")
    if not 1 <= planes <= 16:
        raise ValueError(f"Planes must be between 1 and 16, not {planes!r}")
    if not bound > 0:
        raise ValueError(f"Bound must be greater than 0, not {bound!r}")
    top = 2 ** planes - 1
    level = np.floor((np.asarray(weights, dtype=np.float64) / bound + 1) * (top / 2) + 0.5)
    places = np.arange(planes)[::-1]
    return (level.clip(0, top).astype(np.int64) >> places[:, None, None] & 1).astype(bool)


def recompose(planes: np.ndarray) -> np.ndarray:
    """Σ_j 2^j · w_j of planes of ±1, most significant first: odd integers, outputs × inputs."""
    return np.tensordot(_gains(planes), np.where(planes, 1, -1), axes=1)


def _gains(planes: np.ndarray) -> np.ndarray:
    return 1 << np.arange(len(planes))[::-1]


@dataclass(frozen=True, eq=False)
class Levels:
    """A network whose weights have several binary planes, in as many crossbars for each layer.

    All crossbars of a layer see the same bits, and what each counts weighs twice as much as what
    the next one does. Their sum is compared with one integer threshold for each neuron; those of
    the last layer are scores, with an integer bias. Calling it gives the class of each image.

    Parameters
    ----------
    encoder : :class:`model.encoder.Encoder`
    planes : tuple of arrays of :class:`bool`, planes × outputs × inputs
        Of each hidden layer and of the scores, most significant first.
    thresholds : tuple of arrays of :class:`int`, outputs
        Of each hidden layer.
    bias : array of :class:`int`, classes
    """

    encoder: Encoder
    planes: tuple[np.ndarray, ...]
    thresholds: tuple[np.ndarray, ...]
    bias: np.ndarray

    def acc(self, layer: int, bits: npt.ArrayLike) -> np.ndarray:
        """Sums of a layer as its crossbars give them, for bits, … × planes of inputs × inputs."""
        gains, bipolar = (self.encoder.gains, self.encoder.bipolar) if layer == 0 else ((1,), True)
        planes = self.planes[layer]
        sums = [Accumulate(plane, gains=gains, bipolar=bipolar).acc(bits) for plane in planes]
        return np.tensordot(_gains(planes), sums, axes=1)

    def __call__(self, images: npt.ArrayLike) -> np.ndarray:
        x = binary.values_of(self.encoder, np.asarray(images))
        for planes, thresholds in zip(self.planes, self.thresholds, strict=False):
            x = binary.sign(products(x, recompose(planes)) - thresholds)
        return argmax(products(x, recompose(self.planes[-1])) + self.bias)

    @property
    def network(self) -> Network:
        """The same as a network of binary weights; :class:`ValueError` if there are more planes."""
        if any(len(planes) > 1 for planes in self.planes):
            raise ValueError("Planes must be one in each layer of a network, not "
                             f"{', '.join(str(len(planes)) for planes in self.planes)}")
        layers = tuple(Dense(planes[0], thresholds, gains=self.encoder.gains if n == 0 else (1,))
                       for n, (planes, thresholds)
                       in enumerate(zip(self.planes, self.thresholds, strict=False)))
        return Network(self.encoder, layers,
                       Scores(self.planes[-1][0], np.ones_like(self.bias), self.bias))


def on_levels(network: Real, bounds: Sequence[float], planes: int,
              images: npt.ArrayLike | None = None) -> Levels:
    """A network of real weights, on levels, with signs for activations.

    Parameters
    ----------
    network : :class:`model.real.Real`
    bounds : sequence of :class:`float`
        Greatest level of each layer, in its weights' own unit.
    planes : :class:`int`
        1 to 16.
    images : array of integers, images × inputs
        Over which mean and standard deviation of each layer's sums are measured anew, for its
        thresholds. Without any, sums are normalised as those of the real weights were.
    """
    if network.encoder.apart:
        raise ValueError("The first layer must add up its planes, not keep them apart")
    x = None if images is None else binary.values_of(network.encoder, np.asarray(images))
    kept, thresholds = [], []
    gain = sum(network.encoder.gains)
    units = [bound / (2 ** planes - 1) for bound in bounds]
    for n, (weights, unit) in enumerate(zip(network.weights, units, strict=True)):
        kept.append(planes_of(weights, bounds[n], planes))
        if n == len(network.weights) - 1:
            break
        if x is None:
            mean, std = network.means[n] / unit, network.stds[n] / unit
        else:
            acc = products(x, recompose(kept[n]))
            mean, std = acc.mean(axis=0), np.sqrt(acc.var(axis=0) + binary.VARIANCE)
        _, found = fold(kept[n][0], mean, std, 1.0, network.offsets[n],
                        gain=gain * (2 ** planes - 1))
        thresholds.append(found)
        if x is not None:
            x = binary.sign(acc - found)
        gain = 1
    bias = np.rint(network.offsets[-1] / (network.scale * units[-1])).astype(np.int64)
    return Levels(network.encoder, tuple(kept), tuple(thresholds), bias)

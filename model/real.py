"""Networks with real weights: what binarization starts from, and is measured against."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from . import train as binary
from .checks import check_range
from .dataset import Dataset
from .encoder import Encoder
from .products import products
from .scores import argmax


__all__ = ["ACTIVATIONS", "Real", "Trainee", "train"]


FASTER = 3   # times the rate for latent weights of signs, at which real ones take far more epochs


def _relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, x.dtype.type(0))


ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "tanh": np.tanh, "sign": binary.sign, "relu": _relu}


@dataclass(frozen=True, eq=False)
class Real:
    """A dense network of real weights, or of ±1 in its last layers.

    A hidden layer gives activation((W · x − mean) / std + offset), the last one the scores, which
    are scale · W · x + offset. Calling a network gives the class of each image, the lowest index of
    its greatest score.

    Parameters
    ----------
    encoder : :class:`model.encoder.Encoder`
        What it makes of an image is added up, Σ_p g_p · x_p, before weights are applied: pixels
        themselves where it is a :class:`model.encoder.BitSerial`.
    activation : :class:`str`
        ``"tanh"``, ``"sign"`` or ``"relu"``.
    weights : tuple of float arrays, outputs × inputs
        Of the hidden layers, then of the scores.
    offsets : tuple of float arrays, outputs
        Of the same.
    means, stds : tuple of float arrays, outputs
        Of the sums W · x of each hidden layer, over all training images.
    scale : :class:`float`
        1 where there is a hidden layer; else what brings pixels to the size of activations.
    """

    encoder: Encoder
    activation: str
    weights: tuple[np.ndarray, ...]
    offsets: tuple[np.ndarray, ...]
    means: tuple[np.ndarray, ...]
    stds: tuple[np.ndarray, ...]
    scale: float

    def __call__(self, images: npt.ArrayLike) -> np.ndarray:
        x = binary.values_of(self.encoder, np.asarray(images))
        for weights, offsets, mean, std in zip(self.weights, self.offsets, self.means, self.stds,
                                               strict=False):
            x = ACTIVATIONS[self.activation]((products(x, weights) - mean) / std + offsets)
        return argmax(self.scale * products(x, self.weights[-1]) + self.offsets[-1])


def train(dataset: Dataset, *, hidden: Sequence[int] = (128,), epochs: int | None = None,
          seed: int = 0, encoder: Encoder | None = None, activation: str = "tanh",
          bound: float | Sequence[float] = math.inf, real_layers: int | None = None,
          progress: Callable[[int, int], object] | None = None) -> Real:
    """Network with real weights, trained as :func:`model.train.train` trains binary ones.

    That is with the same batches, noise, batch normalisation and Adam, whose steps are longer.
    Gradients go through tanh as its derivative says, through a sign unchanged where
    the normalised sum is within ±1, and not elsewhere, and through a ReLU where it gives more
    than 0.

    Parameters
    ----------
    dataset, hidden, epochs, seed, encoder, progress
        As :func:`model.train.train` has them.
    activation : :class:`str`
        ``"tanh"``, ``"sign"`` or ``"relu"``.
    bound : :class:`float`, or sequence of them
        Real weights are clipped to ± this after each update; greater than 0. One for all layers, or
        one for each, of which those of binary layers stand for nothing.
    real_layers : :class:`int`, or None
        From the first on, at least 1, the scores being the last one; all if None. Weights of the
        others are trained as :func:`model.train.train` does, and are ±1. Those take ``"sign"``.
    """
    if activation not in ACTIVATIONS:
        raise ValueError(f"Activation must be one of {', '.join(ACTIVATIONS)}, not {activation!r}")
    hidden = tuple(hidden)
    bounds = tuple(bound) if isinstance(bound, Sequence) else (bound,) * (len(hidden) + 1)
    if len(bounds) != len(hidden) + 1:
        raise ValueError(f"Bound must be one, or one for each of {len(hidden) + 1} layers, "
                         f"not {len(bounds)}")
    for each in bounds:
        if not each > 0:
            raise ValueError(f"Bound must be greater than 0, not {each!r}")
    if real_layers is not None:
        check_range("Layers of real weights", real_layers, 1, len(hidden) + 1)
        if real_layers <= len(hidden) and activation != "sign":
            raise ValueError(f"Activation must be sign where weights are binary, not {activation}")
        bounds = (*bounds[:real_layers], *(1.0,) * (len(bounds) - real_layers))

    def trainee(sizes: Sequence[int], x: np.ndarray, rng: np.random.Generator) -> Trainee:
        return Trainee(sizes, x, rng, activation, bounds, real_layers)

    trained, x, encoder = binary.fitted(trainee, dataset, hidden, epochs, seed, encoder, progress)
    # Rounding to 32 bits may have moved the bound itself.
    weights = [np.clip(trained.seen(n).T.astype(np.float64), -limit, limit)
               for n, limit in enumerate(bounds)]
    offsets = [offsets.astype(np.float64) for offsets in trained.offsets]
    means, stds = [], []
    with threadpool_limits(1, user_api="blas"):
        for n in range(trained.depth - 1):
            acc = products(x, weights[n])
            means.append(acc.mean(axis=0))
            stds.append(np.sqrt(acc.var(axis=0) + binary.VARIANCE))
            x = ACTIVATIONS[activation]((acc - means[n]) / stds[n] + offsets[n])
    return Real(encoder, activation, tuple(weights), tuple(offsets), tuple(means), tuple(stds),
                float(trained.scale))


class Trainee(binary.Trainee):
    """Weights that are what is trained, at least in the first layers; an activation of choice."""

    def __init__(self, sizes: Sequence[int], x: np.ndarray, rng: np.random.Generator,
                 activation: str, bounds: Sequence[float], real_layers: int | None = None) -> None:
        super().__init__(sizes, x, rng)
        self.activation = activation
        self.real_layers = self.depth if real_layers is None else real_layers
        binary_layers = self.depth - self.real_layers
        self.bound = np.repeat(np.array(bounds[:self.depth], dtype=np.float32),
                               [part.size for part in self.weights])
        self.pace: float | np.ndarray = FASTER
        if binary_layers:
            paces = [FASTER] * self.real_layers + [1] * binary_layers
            # Of the weights of each layer, then of their offsets.
            self.pace = np.repeat(np.array([*paces, *paces], dtype=np.float64),
                                  [part.size for part in (*self.weights, *self.offsets)])
        for latent, limit in zip(self.weights, bounds[:self.real_layers], strict=False):
            latent *= np.float32(min(1, limit / binary.SPREAD))
        if not binary_layers:
            # Weights grow until their scores suit the softmax; signs cannot, and need a factor.
            self.scale = np.float32(1 if self.depth > 1 else
                                    math.sqrt(sizes[-2]) / binary.STEEP * self.scale)

    def seen(self, layer: int) -> np.ndarray:
        return self.weights[layer] if layer < self.real_layers else super().seen(layer)

    def fire(self, normal: np.ndarray) -> np.ndarray:
        return ACTIVATIONS[self.activation](normal)

    def slope(self, normal: np.ndarray) -> np.ndarray:
        if self.activation == "relu":
            return normal > 0
        return 1 - np.tanh(normal) ** 2 if self.activation == "tanh" else super().slope(normal)

    def adam(self, rate: float | np.ndarray, decay: float = 0.9,
             decay_square: float = 0.999) -> None:
        super().adam(self.pace * rate, decay, decay_square)

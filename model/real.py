"""Networks with real weights: what binarization starts from, and is measured against."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from . import train as binary
from .dataset import Dataset
from .encoder import Encoder
from .products import products
from .scores import argmax


__all__ = ["ACTIVATIONS", "Real", "Trainee", "train"]


FASTER = 3   # times the rate for latent weights of signs, at which real ones take far more epochs

ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {"tanh": np.tanh, "sign": binary.sign}


@dataclass(frozen=True, eq=False)
class Real:
    """A dense network of real weights.

    A hidden layer gives activation((W · x − mean) / std + offset), the last one the scores, which
    are scale · W · x + offset. Calling a network gives the class of each image, the lowest index of
    its greatest score.

    Parameters
    ----------
    encoder : :class:`model.encoder.Encoder`
        What it makes of an image is added up, Σ_p g_p · x_p, before weights are applied: pixels
        themselves where it is a :class:`model.encoder.BitSerial`.
    activation : :class:`str`
        ``"tanh"`` or ``"sign"``.
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
          bound: float = math.inf, progress: Callable[[int, int], object] | None = None) -> Real:
    """Network with real weights, trained as :func:`model.train.train` trains binary ones.

    That is with the same batches, noise, batch normalisation and Adam, whose steps are longer.
    Gradients go through tanh as its derivative says, and through a sign unchanged where
    the normalised sum is within ±1, and not elsewhere.

    Parameters
    ----------
    dataset, hidden, epochs, seed, encoder, progress
        As :func:`model.train.train` has them.
    activation : :class:`str`
        ``"tanh"`` or ``"sign"``.
    bound : :class:`float`
        Weights are clipped to ± this after each update; greater than 0.
    """
    if activation not in ACTIVATIONS:
        raise ValueError(f"Activation must be one of {', '.join(ACTIVATIONS)}, not {activation!r}")
    if not bound > 0:
        raise ValueError(f"Bound must be greater than 0, not {bound!r}")

    def trainee(sizes: Sequence[int], x: np.ndarray, rng: np.random.Generator) -> Trainee:
        return Trainee(sizes, x, rng, activation, bound)

    trained, x, encoder = binary.fitted(trainee, dataset, hidden, epochs, seed, encoder, progress)
    # Rounding to 32 bits may have moved the bound itself.
    weights = [np.clip(latent.T.astype(np.float64), -bound, bound) for latent in trained.weights]
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
    """Weights that are what is trained, and an activation of choice."""

    def __init__(self, sizes: Sequence[int], x: np.ndarray, rng: np.random.Generator,
                 activation: str, bound: float) -> None:
        super().__init__(sizes, x, rng)
        self.activation = activation
        self.bound = bound
        self.latent[:self.weights_end] *= np.float32(min(1, bound / binary.SPREAD))
        # Weights grow until their scores suit the softmax; signs cannot, and need a factor.
        self.scale = np.float32(1 if self.depth > 1 else
                                math.sqrt(sizes[-2]) / binary.STEEP * self.scale)

    def seen(self, latent: np.ndarray) -> np.ndarray:
        return latent

    def fire(self, normal: np.ndarray) -> np.ndarray:
        return np.tanh(normal) if self.activation == "tanh" else super().fire(normal)

    def slope(self, normal: np.ndarray) -> np.ndarray:
        return 1 - np.tanh(normal) ** 2 if self.activation == "tanh" else super().slope(normal)

    def adam(self, rate: float, decay: float = 0.9, decay_square: float = 0.999) -> None:
        super().adam(FASTER * rate, decay, decay_square)

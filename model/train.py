"""Offline training of networks with binary weights and activations."""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from .dataset import Dataset
from .dense import Dense
from .encoder import BitSerial, Encoder
from .fold import fold
from .network import Network
from .products import products
from .scores import Scores


__all__ = ["Trainee", "fitted", "sign", "train", "values_of"]


BATCH    = 100
RATE     = 3e-3    # of Adam at the start; it falls to zero along half a cosine
NOISE    = 1 / 3   # added to inputs in training, in standard deviations of all inputs
STEEP    = 2.0     # scale of the softmax at random weights: great scores leave no gradient
SPREAD   = 0.1     # latent weights start within ± this
VARIANCE = 1e-3    # keeps a neuron that never changes from dividing by zero
CHUNK    = 1000    # images encoded at once, to bound memory

# Digits need some thousand updates to settle; large datasets need to be seen some times.
MIN_UPDATES, MIN_EPOCHS = 3000, 10


def train(dataset: Dataset, *, hidden: Sequence[int] = (128,), epochs: int | None = None,
          seed: int = 0, encoder: Encoder | None = None,
          progress: Callable[[int, int], object] | None = None) -> Network:
    """Network with layers of :py:`hidden` neurons, trained on the dataset's training images.

    Weights are the signs of latent weights, which are what is trained, by Adam. The gradient
    passes a neuron's sign unchanged where the normalised sum is within ±1, and not elsewhere. Each
    neuron has a batch normalisation with an offset, which is folded into its threshold in the end
    with the statistics of the whole training set. The scores are the sums of the last layer plus a
    bias, rounded to integers; their gain is 1.

    The same arguments give the same network on the same machine. It runs on one core: on these
    small matrices more threads mostly wait for each other, for minutes where the cores are busy,
    and their number would change how gradients round. Train several networks in processes instead.

    Parameters
    ----------
    dataset : :class:`model.dataset.Dataset`
    hidden : sequence of :class:`int`
        Neurons in each hidden layer; may be empty.
    epochs : :class:`int`
        Times that each image is seen. By default enough for 3,000 updates, and at least 10.
    seed : :class:`int`
        Of the starting weights, the order of the images, and the noise added to them.
    encoder : :class:`model.encoder.Encoder`
        By default a :class:`model.encoder.BitSerial` as wide as the dataset's pixels. The network
        is trained on the encoder's own planes.
    progress
        Called after each epoch with the number of epochs done and their total.
    """
    trainee, x, encoder = fitted(Trainee, dataset, hidden, epochs, seed, encoder, progress)
    with threadpool_limits(1, user_api="blas"):
        layers, scores = trainee.finish(x, encoder)
    return Network(encoder, layers, scores, dataset.name, dataset.class_names)


def fitted(kind: Callable[..., "Trainee"], dataset: Dataset, hidden: Sequence[int],
           epochs: int | None, seed: int, encoder: Encoder | None,
           progress: Callable[[int, int], object] | None) \
        -> tuple["Trainee", np.ndarray, Encoder]:
    """A trainee that has learned as :func:`train` says, what it was shown of all training images,
    and their encoder.

    :py:`kind` makes the trainee of the layers' sizes, those values, and a random generator.
    """
    encoder = BitSerial(dataset.bits) if encoder is None else encoder
    hidden = tuple(hidden)
    _check_positive("Hidden layers", *hidden)
    if epochs is not None:
        _check_positive("Epochs", epochs)
    dataset.check_training()

    x, y = values_of(encoder, dataset.x_train), dataset.y_train
    batch = min(BATCH, len(x))
    updates = len(x) // batch          # an epoch; the images left over differ from epoch to epoch
    if epochs is None:
        epochs = max(math.ceil(MIN_UPDATES / updates), MIN_EPOCHS)
    rng = np.random.default_rng(seed)
    with threadpool_limits(1, user_api="blas"):
        trainee = kind((dataset.inputs, *hidden, dataset.classes), x, rng)
        noise = np.float32(NOISE * x[:CHUNK].std())
        for epoch in range(epochs):
            order = rng.permutation(len(x))
            for n in range(updates):
                chosen = order[n * batch:(n + 1) * batch]
                noisy = rng.standard_normal((batch, x.shape[1]), dtype=np.float32) * noise
                noisy += x[chosen]
                done = (epoch * updates + n) / (epochs * updates)
                trainee.update(noisy, y[chosen], RATE * (1 + math.cos(math.pi * done)) / 2)
            if progress is not None:
                progress(epoch + 1, epochs)
    return trainee, x, encoder


def _check_positive(what: str, *values: int) -> None:
    for value in values:
        if not isinstance(value, (int, np.integer)) or isinstance(value, bool):
            raise TypeError(f"{what} must be integers, not {value!r}")
        if value < 1:
            raise ValueError(f"{what} must be at least 1, not {value!r}")


def values_of(encoder: Encoder, images: np.ndarray) -> np.ndarray:
    """What a weight of the first layer is multiplied with: Σ_p g_p · x_p, images × inputs."""
    values = np.empty(images.shape, dtype=np.float32)
    for n in range(0, len(images), CHUNK):
        planes = encoder(images[n:n + CHUNK])
        sums = np.einsum("p,npi->ni", np.array(encoder.gains), planes)
        values[n:n + CHUNK] = 2 * sums - sum(encoder.gains) if encoder.bipolar else sums
    return values


def sign(x: np.ndarray) -> np.ndarray:
    """+1 where a number is 0 or greater, −1 elsewhere, as wide as it is."""
    return np.where(x >= 0, x.dtype.type(1), x.dtype.type(-1))


class Trainee:
    """A network in training: latent weights, offsets, and Adam's memory of their gradients.

    Each of these is one flat array, so that an update takes few calls of NumPy, seen as one array
    for each layer: first all weights, inputs × outputs, then all offsets.
    """

    # Latent weights beyond it would only take longer to turn round. One for all, or one for each.
    bound: float | np.ndarray = 1.0

    def __init__(self, sizes: Sequence[int], x: np.ndarray, rng: np.random.Generator) -> None:
        self.depth  = len(sizes) - 1
        self.shapes = [*pairwise(sizes), *((size,) for size in sizes[1:])]
        self.weights_end = sum(a * b for a, b in pairwise(sizes))
        total = self.weights_end + sum(sizes[1:])
        self.latent   = np.zeros(total, dtype=np.float32)
        self.gradient = np.zeros(total, dtype=np.float32)
        self.mean     = np.zeros(total, dtype=np.float32)
        self.square   = np.zeros(total, dtype=np.float32)
        self.latent[:self.weights_end] = rng.uniform(-SPREAD, SPREAD, self.weights_end)
        parts = self.split(self.latent)
        self.weights, self.offsets = parts[:self.depth], parts[self.depth:]
        self.gradients = self.split(self.gradient)
        self.updates = 0
        # Bits have a mean square of 1; only where there is no hidden layer do scores see pixels.
        power = 1.0 if self.depth > 1 else float((x[:CHUNK] ** 2).mean()) or 1.0
        self.scale = np.float32(STEEP / math.sqrt(sizes[-2] * power))

    def split(self, flat: np.ndarray) -> list[np.ndarray]:
        ends = np.cumsum([math.prod(shape) for shape in self.shapes])
        return [part.reshape(shape)
                for part, shape in zip(np.split(flat, ends[:-1]), self.shapes, strict=True)]

    def seen(self, layer: int) -> np.ndarray:
        """The weights that a layer's inputs meet."""
        return sign(self.weights[layer])

    def fire(self, normal: np.ndarray) -> np.ndarray:
        """Activations for normalised sums with their offsets."""
        return sign(normal)

    def slope(self, normal: np.ndarray) -> np.ndarray:
        """What the gradient of an activation is multiplied with on its way to the sum."""
        return abs(normal) <= 1

    def update(self, x: np.ndarray, y: np.ndarray, rate: float) -> None:
        """Learn from one batch."""
        weights = [self.seen(n) for n in range(self.depth)]

        # Forward. `normal` is a layer's sums after normalisation and before the offset.
        inputs, normals, stds = [x], [], []
        for n in range(self.depth - 1):
            acc = inputs[n] @ weights[n]
            acc -= acc.mean(axis=0)
            stds.append(np.sqrt((acc * acc).mean(axis=0) + np.float32(VARIANCE)))
            normals.append(acc / stds[n])
            inputs.append(self.fire(normals[n] + self.offsets[n]))
        scores = (inputs[-1] @ weights[-1]) * self.scale + self.offsets[-1]

        # Backward from the cross-entropy: the gradient of scores is softmax less the truth.
        delta = np.exp(scores - scores.max(axis=1, keepdims=True))
        delta /= delta.sum(axis=1, keepdims=True)
        delta[np.arange(len(y)), y] -= 1
        delta /= np.float32(len(y))
        self.gradients[-1][:] = delta.sum(axis=0)
        delta *= self.scale
        np.matmul(inputs[-1].T, delta, out=self.gradients[self.depth - 1])
        for n in reversed(range(self.depth - 1)):
            delta = delta @ weights[n + 1].T
            delta *= self.slope(normals[n] + self.offsets[n])
            self.gradients[self.depth + n][:] = delta.sum(axis=0)
            # Mean and deviation of the batch depend on each of its images, too.
            delta -= delta.mean(axis=0) + normals[n] * (delta * normals[n]).mean(axis=0)
            delta /= stds[n]
            np.matmul(inputs[n].T, delta, out=self.gradients[n])
        self.adam(rate)

    def adam(self, rate: float | np.ndarray, decay: float = 0.9,
             decay_square: float = 0.999) -> None:
        """One step of Adam, at one rate or one for each number, that leaves no weight beyond the
        bound.
        """
        self.updates += 1
        self.mean   += np.float32(1 - decay) * (self.gradient - self.mean)
        self.square += np.float32(1 - decay_square) * (self.gradient ** 2 - self.square)
        rate = rate * (math.sqrt(1 - decay_square ** self.updates) / (1 - decay ** self.updates))
        self.latent -= np.float32(rate) * self.mean / (np.sqrt(self.square) + np.float32(1e-8))
        weights = self.latent[:self.weights_end]
        np.clip(weights, -self.bound, self.bound, out=weights)

    def finish(self, x: np.ndarray, encoder: Encoder) -> tuple[tuple[Dense, ...], Scores]:
        """Layers of integers, normalised with the statistics of all of :py:`x`."""
        weights = [np.ascontiguousarray(latent.T >= 0) for latent in self.weights]
        layers = []
        # Where planes are kept apart, one is to a neuron what their mean was in training, and the
        # scores add up as many.
        apart = encoder.apart and self.depth > 1
        runs, gains = (encoder.planes, (1,)) if apart else (1, encoder.gains)
        gain = sum(gains)
        for n in range(self.depth - 1):
            acc = products(x, np.where(weights[n], 1.0, -1.0))
            mean, std = acc.mean(axis=0), np.sqrt(acc.var(axis=0) + VARIANCE)
            bits, thresholds = fold(weights[n], mean, std, 1.0, self.offsets[n], gain=gain)
            whole = thresholds
            if n == 0 and apart:
                bits, thresholds = fold(weights[n], mean / runs, std / runs, 1.0, self.offsets[n])
            layers.append(Dense(bits, thresholds, gains=gains if n == 0 else (1,),
                                bipolar=encoder.bipolar if n == 0 else True))
            x = np.where(acc >= whole, np.float32(1), np.float32(-1))
            gain = 1
        offsets = self.offsets[-1].astype(np.float64)
        bias = np.rint(runs * offsets / self.scale).astype(np.int64)
        return tuple(layers), Scores(weights[-1], np.ones_like(bias), bias)

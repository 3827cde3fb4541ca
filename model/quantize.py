"""Trained networks in integers, with weights of several bits that use each neuron's full range."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from .checks import check_range
from .compend import Compend
from .dataset import Dataset
from .dense import Dense
from .encoder import BitSerial
from .fold import fold
from .network import SCORE_BITS, Layer, Network
from .products import products
from .ranges import CONSTANT, full_range
from .real import Real
from .scores import Scores
from .train import VARIANCE


__all__ = ["quantize"]


WIDER = 4   # bits by which accumulators of trained networks differ at least
TRIED = 4   # shifts of a neuron, from the one at which nothing is cut off downwards


def quantize(real: Real, dataset: Dataset, *, weight_bits: int = 8, activation_bits: int = 8,
             detection: str = "exact", factor: int = 3, acc_bits: int | None = None) -> Network:
    """Network of integers that classifies as a network of real weights does, but for rounding.

    Each neuron's weights take the whole range of :py:`weight_bits`. What that multiplies its sums
    with is undone where it costs no range: of signs it is no matter; a ReLU's sum is divided by
    2^shift, rounded to the nearest, and what is left, less than a factor of 2, divides the weights
    that the next layer has for it. A neuron's shift is the one at which rounding and the greatest
    result together have the least mean square error over training images. The classes' scores
    have one factor in common.

    Batch normalisation becomes a bias. Mean and standard deviation of each layer's sums are
    measured anew, over all training images, on the integers that come there.

    Layers whose weights are all ±1, after those of real weights, remain binary, and become what
    :func:`model.train.train` makes of its own.

    Per-neuron scales after R. Krishnamoorthi, "Quantizing deep convolutional networks for efficient
    inference", 2018; scales moved on into the next layer after M. Nagel et al., "Data-Free
    Quantization Through Weight Equalization and Bias Correction", ICCV 2019.

    Parameters
    ----------
    real : :class:`model.real.Real`
        Of activation ``"relu"`` or ``"sign"``, whose encoder is a
        :class:`model.encoder.BitSerial`.
    dataset : :class:`model.dataset.Dataset`
        Only its training images are used, and its names.
    weight_bits : :class:`int`
        2 to 16. Scores have fewer where their sums would not fit 32 bits.
    activation_bits : :class:`int`
        Bits that a ReLU gives, 1 to 8.
    detection, factor, acc_bits
        Of hidden layers, as :class:`model.compend.Compend` has them. By default accumulators have
        a multiple of :data:`WIDER` bits, the least that is enough.
    """
    if not isinstance(real.encoder, BitSerial):
        raise TypeError("Encoder must give whole pixels: a BitSerial, "
                        f"not {type(real.encoder).__name__}")
    if real.activation not in ("relu", "sign"):
        raise ValueError(f"Activation must be relu or sign, not {real.activation}")
    check_range("Bits of a weight", weight_bits, 2, 16)
    check_range("Bits of an activation", activation_bits, 1, 8)
    dataset.check_training()
    options: dict[str, Any] = {"weight_bits": weight_bits, "detection": detection, "factor": factor}
    binary = len(real.weights) - _binary_layers(real)
    inputs = _Inputs(real.encoder.check(dataset.x_train), real.encoder.bits)
    layers: list[Layer] = []
    with threadpool_limits(1, user_api="blas"):
        for n in range(len(real.weights) - 1):
            layer: Layer
            if n >= binary:
                layer, inputs = _binary(real, n, inputs)
            elif real.activation == "sign":
                layer, inputs = _sign(real, n, inputs, options)
            else:
                layer, inputs = _relu(real, n, inputs, options | {"output_bits": activation_bits})
            layers.append(layer)
    layers = [_narrow(layer, acc_bits) if isinstance(layer, Compend) else layer for layer in layers]
    scores = _scores(real, inputs, weight_bits) if binary == len(real.weights) else \
        _binary_scores(real)
    return Network(real.encoder, tuple(layers), scores, dataset.name, dataset.class_names)


@dataclass(frozen=True, eq=False)
class _Inputs:
    """What comes to a layer of all training images: :py:`x`, images × inputs, of :py:`bits` bits.

    They stand for the real numbers (x − zero) / scale, with a scale for all or one for each input.
    """

    x: np.ndarray
    bits: int
    scale: float | np.ndarray = 1.0
    zero: float = 0.0

    @classmethod
    def signs(cls, x: np.ndarray) -> "_Inputs":
        """Bits that stand for ±1."""
        return cls(x, 1, scale=0.5, zero=0.5)

    def top(self, weight_bits: int) -> int:
        """The greatest bias, as :class:`model.compend.Compend` has it."""
        return self.x.shape[1] * (2 ** self.bits - 1) << weight_bits - 1

    def sums(self, real: Real, n: int, weight_bits: int) -> tuple[np.ndarray, ...]:
        """A layer's integer weights, its sums of them, and their means and deviations."""
        weights, gains = full_range(real.weights[n] / self.scale, weight_bits)
        acc = products(self.x, weights)
        return weights, acc, *_normalised(acc, gains)


def _normalised(acc: np.ndarray, gains: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of sums that are :py:`gains` times those of a real layer."""
    return acc.mean(axis=0), np.sqrt(acc.var(axis=0) + VARIANCE * np.square(gains))


def _narrow(layer: Compend, acc_bits: int | None) -> Compend:
    """The same with a narrower accumulator, though not so narrow that no other network fits it."""
    if acc_bits is not None:
        return replace(layer, acc_bits=acc_bits)
    bits = -(-layer.least_acc_bits // WIDER) * WIDER
    return replace(layer, acc_bits=min(bits, layer.most_acc_bits))


def _binary_layers(real: Real) -> int:
    """How many layers at the end have nothing but ±1, after a first one."""
    count = 0
    for weights in reversed(real.weights[1:]):
        if real.activation != "sign" or (abs(weights) != 1).any():
            break
        count += 1
    return count


def _relu(real: Real, n: int, inputs: _Inputs, options: dict[str, Any]) -> tuple[Compend, _Inputs]:
    weights, acc, mean, std = inputs.sums(real, n, options["weight_bits"])
    top = inputs.top(options["weight_bits"])
    bias = np.rint((real.offsets[n] * std - mean).clip(-top, top)).astype(np.int64)
    sums = (acc + bias).clip(0, top)
    shifts = np.array([_shift(each, options["output_bits"]) for each in sums.T])
    bias = (bias + (1 << shifts >> 1)).clip(-top, top)
    layer = Compend(weights, bias, shifts=shifts, input_bits=inputs.bits, **options)
    x = layer.result(acc.astype(np.int64) + layer.preload)
    return layer, _Inputs(x.astype(np.uint8), layer.output_bits, std / 2.0 ** shifts)


def _shift(sums: np.ndarray, bits: int) -> int:
    """By how many bits to shift what a neuron gives for images, before that is rounded."""
    top = 2 ** bits - 1
    least = math.ceil(math.log2(max(sums.max() / top, 1)))

    def error(shift: int) -> float:
        results = np.floor(sums / 2 ** shift + 0.5).clip(0, top)
        return float(np.square(results * 2 ** shift - sums).mean())

    return min(range(least, max(least - TRIED, -1), -1), key=error)


def _sign(real: Real, n: int, inputs: _Inputs, options: dict[str, Any]) -> tuple[Compend, _Inputs]:
    weights, acc, mean, std = inputs.sums(real, n, options["weight_bits"])
    top = inputs.top(options["weight_bits"])
    _, thresholds = fold(weights > 0, mean, std, 1.0, real.offsets[n], gain=top // len(weights[0]))
    layer = Compend(weights, (-thresholds).clip(-top, top), activation="sign",
                    input_bits=inputs.bits, **options)
    return layer, _Inputs.signs(acc + layer.bias >= 0)


def _binary(real: Real, n: int, inputs: _Inputs) -> tuple[Dense, _Inputs]:
    acc = products(np.where(inputs.x, 1.0, -1.0), real.weights[n])
    bits, thresholds = fold(real.weights[n] > 0, *_normalised(acc, 1.0), 1.0, real.offsets[n])
    return Dense(bits, thresholds), _Inputs.signs(acc >= thresholds)


def _scores(real: Real, inputs: _Inputs, weight_bits: int) -> Compend:
    weights = real.weights[-1] / inputs.scale
    bias = real.offsets[-1] / real.scale - inputs.zero * weights.sum(axis=1)
    gain = full_range(weights.reshape(1, -1), weight_bits)[1].item()
    gain = min(gain, inputs.top(weight_bits) / max(abs(bias).max(), 1 / CONSTANT))
    layer = Compend(np.rint(gain * weights).astype(np.int64), np.rint(gain * bias).astype(np.int64),
                    weight_bits=weight_bits, input_bits=inputs.bits, activation="linear")
    if layer.least_acc_bits > SCORE_BITS:
        return _scores(real, inputs, weight_bits - 1)
    return replace(layer, acc_bits=min(layer.most_acc_bits, SCORE_BITS))


def _binary_scores(real: Real) -> Scores:
    bias = np.rint(real.offsets[-1] / real.scale).astype(np.int64)
    return Scores(real.weights[-1] > 0, np.ones_like(bias), bias)

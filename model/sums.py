"""What a matrix product of floats gives, in integers."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from .errors import InputError
from .onnx_graph import Product
from .uniform import ROUNDED, Uniform, uniform


__all__ = ["Sums", "finite", "rounding"]


WEIGHT_BITS = 8
MANTISSA    = 24   # bits of a float32


@dataclass(frozen=True, eq=False)
class Sums:
    """What a product of the graph gives for integers: scale · (acc + shift) + bias, for each
    neuron, where acc = Σ w · k, and k = 0, 1 … are the numbers that come, in their order.

    So sums that are equal in exact arithmetic are so here, for neurons of one scale and bias.

    Parameters
    ----------
    weights : array of :class:`int`, outputs × inputs
    scale, shift, bias : array of :class:`float`, outputs
    given : :class:`model.uniform.Uniform`
        Numbers that come.
    error : array of :class:`float`, outputs
        By how much a product in float32 may be off, in whatever order it adds up; 0 where nothing
        is rounded.
    """

    weights: np.ndarray
    scale: np.ndarray
    shift: np.ndarray
    bias: np.ndarray
    given: Uniform
    error: np.ndarray

    @classmethod
    def of(cls, product: Product, real: np.ndarray, given: Uniform) -> "Sums":
        """For real weights, outputs × inputs, each row of which must have a step of its own."""
        finite(real, f"weights of {product.name}")
        weights, scale = np.zeros(real.shape, dtype=np.int64), np.ones(len(real))
        for n, row in enumerate(real):
            found = uniform(np.append(row, 0.0), 2 ** WEIGHT_BITS - 1)
            if found is None:
                raise InputError(
                    f"weights of {product.name}, in output {n}, are no multiples of one number: "
                    f"quantize them, to at most {WEIGHT_BITS} bits")
            weights[n] = found.index(row) - found.index(0.0)
            if weights[n].any():
                # The mean over all weights is nearer than any one of them.
                scale[n] = row @ weights[n] / (weights[n] @ weights[n])
        used = weights.any(axis=1)
        if used.any() and np.ptp(scale[used]) <= ROUNDED * scale[used].max():
            scale[used] = scale[used].mean()
        bias = finite(product.bias, product.name)
        # Numbers around zero are whole or half steps from it, but for how float32 rounds.
        least = given.low / given.step
        whole = np.rint(2 * least) / 2
        if abs(whole - least) <= ROUNDED * max(abs(least), given.most):
            least = whole
        return cls(weights, scale * given.step, least * weights.sum(axis=1), bias, given,
                   rounding(real, bias, given))

    @property
    def offset(self) -> np.ndarray:
        """What the product gives where acc is 0."""
        return self.scale * self.shift + self.bias

    @property
    def low(self) -> np.ndarray:
        """The least acc of each neuron."""
        return self.given.most * np.minimum(self.weights, 0).sum(axis=1)

    @property
    def high(self) -> np.ndarray:
        """The greatest acc of each neuron."""
        return self.given.most * np.maximum(self.weights, 0).sum(axis=1)

    def __call__(self, acc: np.ndarray) -> np.ndarray:
        return self.scale * (acc + self.shift) + self.bias

    def acc(self, real: np.ndarray) -> np.ndarray:
        """The nearest acc to what the product gave."""
        return np.rint((real - self.offset) / self.scale).astype(np.int64)


def rounding(weights: np.ndarray, bias: np.ndarray, given: Uniform) -> np.ndarray:
    """By how much sums of real weights may be off in float32, outputs; 0 where they are exact.

    N. Higham, "Accuracy and Stability of Numerical Algorithms", 2002, has the bound.
    """
    reach = max(abs(given.low), abs(given.low + given.step * given.most))
    most = abs(weights).sum(axis=1) * reach + abs(bias)
    unit = grain(weights) * min(grain(given.low), grain(given.step))
    exact = most <= 2.0 ** MANTISSA * min(unit, grain(bias))
    return np.where(exact, 0.0, (weights.shape[1] + 3) * 2.0 ** -MANTISSA * most)


def grain(values: Any) -> float:
    """The greatest power of two of which all values are multiples."""
    values = np.asarray(values, dtype=np.float64)
    mantissa, exponent = np.frexp(values[values != 0])
    whole = np.ldexp(mantissa, 53).astype(np.int64)
    lowest = np.ldexp((whole & -whole).astype(np.float64), exponent - 53)
    return float(lowest.min(initial=2.0 ** 99))


def finite(values: Any, name: str) -> np.ndarray:
    """The values, once they are known to be numbers."""
    values = np.asarray(values)
    if not np.isfinite(values).all():
        raise InputError(f"{name} gives numbers that are not finite")
    return values

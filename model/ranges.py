"""Ranges of weights of several bits: which integers stand for real ones, and how they fill it."""

import math

import numpy as np


__all__ = ["bounds", "full_range"]


BOUND    = 0.2         # of weights that start within half of it
CONSTANT = 2.0 ** 15   # for a neuron of nothing but a bias, which would otherwise be rounded away


def bounds(hidden: int) -> tuple[float, ...]:
    """What :func:`model.real.train` should clip weights of several bits to, where they are to be
    quantized, for so many hidden layers and the scores.

    Weights that grow freely have few great ones, which leave little of the range to all others.
    The scores' must grow: otherwise more neurons give more than 0, and less work can be left out.
    """
    return (BOUND,) * hidden + (math.inf,)


def full_range(weights: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Integers for real weights, outputs × inputs, and what each row was multiplied with.

    The factor of a row is the greatest that leaves all of it between −(2^(bits−1) − 1) and
    2^(bits−1); the products are rounded. Of a row of zeros it is :data:`CONSTANT`.
    """
    half = 1 << bits - 1
    high, low = weights.max(axis=1), -weights.min(axis=1)
    with np.errstate(divide="ignore", over="ignore"):
        gains = np.minimum(np.where(high > 0, half / high, np.inf),
                           np.where(low > 0, (half - 1) / low, np.inf))
    gains = np.where(np.isfinite(gains), gains, CONSTANT)
    return np.rint(weights * gains[:, None]).astype(np.int64), gains

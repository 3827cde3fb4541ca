"""Integer scores in the order of real ones."""

from collections.abc import Callable, Iterator

import numpy as np

from .errors import InputError


__all__ = ["ranking"]


GAIN_BITS = 15
BIAS      = 1 << 28   # beyond which no bias is tried


def ranking(scores: Callable[[np.ndarray], np.ndarray], low: np.ndarray, high: np.ndarray,
            name: str) -> tuple[np.ndarray, np.ndarray]:
    """Gains and biases with which gain · acc + bias are in the order of real scores.

    That is so for every accumulator of any two classes, and where scores are equal the first class
    comes before the others in both. The smallest gains are taken that will do.

    Parameters
    ----------
    scores : callable
        Real scores of accumulators, rows × classes. Nearly in proportion to these, but for an
        offset.
    low, high : array of :class:`int`, classes
        The first and the last accumulator of each class.
    name : :class:`str`
        Where they come from, for messages.
    """
    span = int((high - low).max()) + 1
    steps = np.arange(span)[:, None]
    acc = low + steps
    real = scores(np.minimum(acc, high))
    inside = acc <= high
    classes = np.broadcast_to(np.arange(len(low)), acc.shape)[inside]
    acc, values = acc[inside], real[inside]
    slope = (real[-1] - real[0]) / np.maximum(high - low, 1)
    offset = real[0] - slope * low
    wanted = _order(values, classes, acc * np.sign(slope[classes]))
    for gain, bias in _candidates(slope, offset):
        found = gain[classes] * acc + bias[classes]
        if (_order(found, classes, acc * np.sign(slope[classes])) == wanted).all():
            return gain, bias
    raise InputError(f"scores of {name} are in no order that integer gains of {GAIN_BITS} bits "
                     "keep: a class could change; give all classes one scale")


def _order(values: np.ndarray, classes: np.ndarray, within: np.ndarray) -> np.ndarray:
    """From the least score to the greatest, of equal ones the first class last."""
    return np.lexsort((within, -classes, values))


def _candidates(slope: np.ndarray, offset: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Gains and biases, from coarse to fine."""
    greatest = abs(slope).max()
    if not greatest:
        # The same class for all images.
        yield np.zeros(len(slope), dtype=np.int64), np.unique(offset, return_inverse=True)[1]
        return
    least = abs(slope[slope != 0]).min(initial=greatest)
    for bits in range(GAIN_BITS + 1):
        for unit in (least / 2 ** bits, greatest / max(2 ** bits - 1, 1)):
            gain = np.rint(slope / unit)
            bias = np.rint((offset - offset.min()) / unit)
            if abs(gain).max() < 2 ** GAIN_BITS and bias.max() < BIAS:
                yield gain.astype(np.int64), bias.astype(np.int64)
    # Those that are integers to begin with may be in no order that smaller ones have.
    given = np.append(slope, offset - offset.min())
    if (given == np.rint(given)).all() and abs(given).max() < BIAS:
        gain, bias = np.split(given.astype(np.int64) // np.gcd.reduce(given.astype(np.int64)), 2)
        if abs(gain).max() < 2 ** GAIN_BITS:
            yield gain, bias

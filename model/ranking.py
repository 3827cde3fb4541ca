"""Integer scores in the order of real ones."""

from collections.abc import Callable, Iterator

import numpy as np

from .errors import InputError


__all__ = ["ranking"]


GAIN_BITS = 15
BIAS      = 1 << 28   # beyond which no bias is tried


def ranking(scores: Callable[[np.ndarray], np.ndarray], low: np.ndarray, high: np.ndarray,
            name: str, slack: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
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
    slack : array of :class:`float`, classes, or None
        By how much accumulators may be off where real scores come of them, since what adds them up
        rounds. Scores that are no further apart than that may be equal as integers.
    """
    span = int((high - low).max()) + 1
    steps = np.arange(span)[:, None]
    acc = low + steps
    real = scores(np.minimum(acc, high))
    slope = (real[-1] - real[0]) / np.maximum(high - low, 1)
    # What is the same for all accumulators needs one.
    inside = (acc <= high) & ((slope != 0) | (steps == 0))
    classes = np.broadcast_to(np.arange(len(low)), acc.shape)[inside]
    acc, values = acc[inside], real[inside]
    offset = real[0] - slope * low
    # From the least score to the greatest, of equal ones the first class last.
    order = np.lexsort((-classes, values))
    classes, acc, values = classes[order], acc[order], values[order]
    # Scores that come of two sums are off by what both of them are.
    apart = 0.0 if slack is None else float(2 * (slack * abs(slope)).max())
    for gain, bias in _candidates(slope, offset):
        found = gain[classes] * acc + bias[classes]
        if ((gain != 0) == (slope != 0)).all() and (np.diff(found) >= 0).all() \
                and not _confused(found, values, classes, apart):
            return gain, bias
    raise InputError(f"scores of {name} are in no order that integer gains of {GAIN_BITS} bits "
                     "keep: a class could change; give all classes one scale")


def _confused(found: np.ndarray, values: np.ndarray, classes: np.ndarray, apart: float) -> bool:
    """Whether scores that are so far apart are equal as integers, of which another class wins."""
    # As integers no two scores of a class are equal.
    for away in range(1, int(classes.max()) + 1):
        alike = (found[away:] == found[:-away]) & (values[away:] - values[:-away] > apart)
        if (alike & (classes[:-away] <= classes[away:])).any():
            return True
    return False


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

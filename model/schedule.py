"""When processing elements that each go their own way are done with an image."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .checks import check_range
from .compend import Compend


__all__ = ["Counts", "Schedule"]


MOST  = 1 << 20   # of any parameter
BLOCK = 64        # images worked on at once, to bound memory
NEVER = 1 << 62   # a sum from which nothing can take away so much that it is negative


@dataclass(frozen=True, eq=False)
class Counts:
    """What an image took, each an array with an element for every image.

    :py:`cycles` it is worked on; :py:`planes_run` and :py:`planes_skipped` of all neurons.
    """

    cycles: np.ndarray
    planes_run: np.ndarray
    planes_skipped: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Time that a layer takes on :py:`pe` PEs, to which :py:`simd` activations go in each cycle.

    That is a :class:`model.compend.Compend`. An image's activations go round in words, one word
    a cycle, the same for all PEs; words of nothing but zeros are left out as long as
    :py:`least` words remain. PE e takes neurons e, e + PE, e + 2 PE … in turn. A plane takes a
    PE as many cycles as there are words, wherever in the round it began. After the first plane
    sums only fall, and a neuron is given up with the very word that makes its sum negative;
    else it is done with the last word of a plane. The next neuron begins with the word after
    that, or :py:`wasted` words later where it was not clear before that a neuron was done.

    The image is done when the last PE is, and :py:`overhead` cycles lie between that and the next
    image's first word.

    Parameters
    ----------
    pe, simd : :class:`int`
        Neurons worked on at once, and activations in a word; at least 1.
    skip_zeros : :class:`bool`
        Whether words of zeros are left out.
    wasted, overhead : :class:`int`
        Cycles, at least 0.
    least : :class:`int`
        At least 1, and no more words than an image has.
    """

    pe: int
    simd: int
    skip_zeros: bool = True
    wasted: int = 0
    overhead: int = 0
    least: int = 1

    def __post_init__(self) -> None:
        for what, value, low in (("PE", self.pe, 1), ("SIMD", self.simd, 1),
                                 ("Wasted", self.wasted, 0), ("Overhead", self.overhead, 0),
                                 ("Least", self.least, 1)):
            check_range(what, value, low, MOST)

    def counts(self, layer: Compend, x: npt.ArrayLike) -> Counts:
        """What each of some vectors of activations takes, images × inputs."""
        x = layer.check(x)
        if x.ndim != 2 or not len(x):
            raise ValueError(f"Activations must be images x inputs, not of shape {x.shape}")
        words = -(-layer.inputs // self.simd)
        if self.least > words:
            raise ValueError(f"Least must be at most the {words} words of an image, "
                             f"not {self.least}")
        blocks = [self._block(layer, x[n:n + BLOCK]) for n in range(0, len(x), BLOCK)]
        cycles, run = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
        return Counts(cycles, run, layer.outputs * layer.weight_bits - run)

    def _block(self, layer: Compend, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        words = _in_words(x, self.simd)
        used = words.any(axis=2) | (not self.skip_zeros)
        # Left out so far; once there would be too few, all that come stay.
        left_out = np.arange(words.shape[1]) - (used.cumsum(axis=1) - used)
        used |= left_out >= words.shape[1] - self.least
        rounds = used.sum(axis=1)
        order = np.argsort(~used, axis=1, kind="stable")
        run = layer.run(x)[1]
        falls = _Falls.of(layer, x, words, order, run)
        busy = np.zeros((len(x), self.pe), dtype=np.int64)
        most = layer.weight_bits * rounds[:, None]
        for first in range(0, layer.outputs, self.pe):
            neurons = slice(first, first + self.pe)
            lanes = slice(min(self.pe, layer.outputs - first))
            taken = (run[:, neurons] - 1) * rounds[:, None]
            taken += falls.until_negative(neurons, busy[:, lanes] % rounds[:, None], rounds)
            busy[:, lanes] += np.where(taken < most, np.minimum(taken + self.wasted, most), most)
        return busy.max(axis=1) + self.overhead, run.sum(axis=1)


@dataclass(frozen=True, eq=False)
class _Falls:
    """What the words of the last plane that each neuron takes do to its sum.

    :py:`before` is the sum before that plane, images × neurons, or :data:`NEVER` where that is the
    first plane, which none ends in, or nothing is detected. :py:`until` is what is taken away up to
    each word of the round, images × neurons × words.
    """

    before: np.ndarray
    until: np.ndarray

    @classmethod
    def of(cls, layer: Compend, x: np.ndarray, words: np.ndarray, order: np.ndarray,
           run: np.ndarray) -> "_Falls":
        sums = np.stack([0 * run + NEVER, *(sums for _, sums in layer.running(x))])
        before = np.take_along_axis(sums, run[None] - 1, axis=0)[0]
        planes = _in_words(layer.planes, words.shape[2])
        falls = np.stack([np.einsum("hfs,fs->hf", planes[last, np.arange(layer.outputs)], each)
                          for last, each in zip(run - 1, words, strict=True)])
        falls = np.take_along_axis(falls, order[:, None], axis=2)
        falls <<= (layer.weight_bits - run)[..., None]
        return cls(before if layer.detection != "none" else 0 * before + NEVER,
                   falls.cumsum(axis=2))

    def until_negative(self, neurons: slice, start: np.ndarray, rounds: np.ndarray) -> np.ndarray:
        """Words that some neurons take, of rounds that begin with the word at :py:`start`."""
        until, start, words = self.until[:, neurons], start[..., None], rounds[:, None, None]
        at = np.arange(until.shape[2])
        place = (start + at) % words
        skipped = np.where(start > 0, np.take_along_axis(until, start - 1, axis=2), 0)
        fallen = np.take_along_axis(until, place, axis=2) - skipped
        fallen += np.where(place < start, until[..., -1:], 0)
        negative = fallen > self.before[:, neurons, None]
        return np.where(negative.any(axis=2), negative.argmax(axis=2) + 1, rounds[:, None])


def _in_words(values: np.ndarray, simd: int) -> np.ndarray:
    """Words of the last axis, zeros filling up the last one."""
    folds = -(-values.shape[-1] // simd)
    padding = [(0, 0)] * (values.ndim - 1) + [(0, folds * simd - values.shape[-1])]
    return np.pad(values, padding).reshape(*values.shape[:-1], folds, simd)

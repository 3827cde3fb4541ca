"""Training by signs on memristors, as its source has it: real weights, sigmoids, write noise."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .checks import check_range, check_real


__all__ = ["FILTERS", "SigmoidLearner", "SigmoidStep", "SigmoidUpdate"]


FILTERS = ("steep", "flat", "none")

POOL    = 2 ** 21   # deviations that are drawn ahead of time, of which an image takes a part
AT_ONCE = 1_000     # images


@dataclass(frozen=True)
class SigmoidUpdate:
    """The rule by which two layers of real weights learn, one image at a time.

    Weights are what memristors hold: W of :py:`inputs` rows of :py:`hidden`, and V of
    :py:`hidden` rows of :py:`classes`; of V there is a copy C. There is no bias. For an image x,
    pixels from 0 to 1, and its label t:

    1. h = σ(x · W) and o = σ(h · V), where σ(a) = 1 / (1 + exp(−a)). The class is that of the
       greatest output, the first of equal ones.
    2. e_k is the error of an output, 1 − o_t or −o_k, and 0 where it is less than
       :py:`dead_zone` either way. Where all are 0 nothing is learned, and no noise is drawn.
    3. The copy gives δ_j, the sign of Σ_k e_k · C_jk. The filter then makes it 0 in some neurons:
       with ``"steep"`` in those whose h_j is within :py:`edge` of 0 or 1, where σ is flat; with
       ``"flat"`` in all others; with ``"none"`` in none.
    4. V and C change by r · sign(e_k) · h_j, and W by r · δ_j · x_i, where r is the convergence
       rate.

    So of a gradient only signs are left of errors and of what comes back through the copy, and
    slopes of sigmoids are 1 or 0. A filter stands for the slope h_j · (1 − h_j), which is small
    near 0 and near 1: ``"steep"`` passes where it is not. Slides of the source have the condition
    of ``"flat"``.

    Write noise: each change of each weight is multiplied by 1 + :py:`noise` · z, where z is drawn
    anew from the standard normal distribution; for the copy by another one. What the source's
    noise rate is a rate of is not known here.

    The rate: images are counted in passes of :py:`window`. A pass that has no fewer wrong classes
    than :py:`falling` times those of the pass before divides r by :py:`decay`; the first pass has
    none before it. Where :py:`falling` is 0 each pass does, that one too. Learning is over once r
    is less than :py:`rate` / :py:`span`.

    The rule is after B. Li, Y. Wang, Y. Wang, Y. Chen and H. Yang, "Training itself: mixed-signal
    training acceleration for memristor-based neural network" (ASP-DAC 2014). Dead zone, edge,
    window, span and the first rate are not known from there.

    Parameters
    ----------
    inputs, hidden, classes : :class:`int`
        Size; at least 2 classes.
    rate : :class:`float`
        Convergence rate that learning begins with, in units of a weight; above 0, at most 1.
    decay : :class:`float`
        What it is divided by; above 1, at most 256.
    window : :class:`int`
        Images of a pass.
    falling : :class:`float`
        Share of the wrong classes of a pass that the next one has to stay below, 0 to 1.
    span : :class:`float`
        First rate over the last one; at least 1.
    dead_zone : :class:`float`
        Errors that are none, 0 to 1.
    edge : :class:`float`
        How near 0 or 1 a hidden output counts as flat, 0 to 0.5.
    filter : :class:`str`
        One of :data:`FILTERS`.
    noise : :class:`float`
        Standard deviation of a change, as a share of it, 0 to 1.
    start : :class:`float`
        Standard deviation of weights before anything is learned, 0 to 10.
    seed : :class:`int`
        Of weights and of noise.
    """

    inputs: int
    hidden: int
    classes: int
    rate: float = 0.02
    decay: float = 1.2
    window: int = 5_000
    falling: float = 0
    span: float = 150
    dead_zone: float = 0.3
    edge: float = 0.1
    filter: str = "steep"
    noise: float = 0
    start: float = 0.05
    seed: int = 1

    def __post_init__(self) -> None:
        for name, least in (("inputs", 1), ("hidden", 1), ("classes", 2), ("window", 1),
                            ("seed", 0)):
            check_range(name.capitalize(), getattr(self, name), least)
        for name, low, high in (("falling", 0, 1), ("span", 1, None), ("dead_zone", 0, 1),
                                ("edge", 0, 0.5), ("noise", 0, 1), ("start", 0, 10),
                                ("rate", 0, 1), ("decay", 1, 256)):
            what = name.replace("_", " ").capitalize()
            check_real(what, getattr(self, name), low, high)
            if name in ("rate", "decay") and getattr(self, name) == low:
                raise ValueError(f"{what} must be above {low}, not {getattr(self, name)!r}")
        if self.filter not in FILTERS:
            raise ValueError(f"Filter must be one of {', '.join(FILTERS)}, not {self.filter!r}")


class SigmoidStep(NamedTuple):
    """What an image did."""

    outputs: np.ndarray    # of each class, 0 to 1
    learned: bool          # whether anything was
    changes: np.ndarray    # δ of each hidden neuron; empty where nothing was learned


class SigmoidLearner:
    """Weights that learn by a :class:`SigmoidUpdate`; numbers are :class:`numpy.float32`.

    Deviations of a noisy write are a part of a pool of 2^21 that were drawn beforehand, from a
    place that is drawn for each image and each array.
    """

    def __init__(self, spec: SigmoidUpdate) -> None:
        self.spec = spec
        self.rng = np.random.default_rng(spec.seed)
        self.first, self.second = (
            spec.start * self.rng.standard_normal(shape, dtype=np.float32)
            for shape in ((spec.inputs, spec.hidden), (spec.hidden, spec.classes)))
        self.copy = self.second.copy()
        self.pool = self.rng.standard_normal(
            max(POOL, 2 * spec.hidden * max(spec.inputs, spec.classes)) if spec.noise else 0,
            dtype=np.float32)
        self.rate = float(spec.rate)
        self.samples = self.wrong = 0   # in all; and in this pass
        # As many wrong classes of a pass, or more, lower the rate.
        self.limit = np.inf if spec.falling else 0.0

    @property
    def done(self) -> bool:
        """Whether the rate has become less than the last one."""
        return self.rate < self.spec.rate / self.spec.span

    def step(self, pixels: np.ndarray, label: int) -> SigmoidStep:
        """Learn an image of pixels from 0 to 1."""
        spec, rate = self.spec, np.float32(self.rate)
        rows = np.flatnonzero(pixels)   # the others neither count nor change
        seen = pixels[rows]
        weights = self.first[rows]
        hidden = sigmoid(seen @ weights)
        outputs = sigmoid(hidden @ self.second)
        self._after(bool(outputs.argmax() != label))
        errors = -outputs
        errors[label] += 1
        errors[abs(errors) < spec.dead_zone] = 0
        if not errors.any():
            return SigmoidStep(outputs, False, np.empty(0, dtype=np.float32))
        changes = np.sign(self.copy @ errors)
        if spec.filter != "none":
            steep = abs(hidden - np.float32(0.5)) < 0.5 - spec.edge
            changes[~steep if spec.filter == "steep" else steep] = 0
        second = np.multiply.outer(rate * hidden, np.sign(errors))
        self.second += self._written(second)
        self.copy += self._written(second)
        weights += self._written(np.multiply.outer(rate * seen, changes))
        self.first[rows] = weights
        return SigmoidStep(outputs, True, changes)

    def learn(self, images: npt.ArrayLike, labels: npt.ArrayLike) -> Iterator[SigmoidStep]:
        """Learn images one after another, until there are no more or learning is over."""
        pixels = np.asarray(images, dtype=np.float32)
        for each, label in zip(pixels, np.asarray(labels).tolist(), strict=True):
            if self.done:
                return
            yield self.step(each, label)

    def outputs(self, images: npt.ArrayLike) -> np.ndarray:
        """Outputs for images, by what was learned so far. Nothing is learned."""
        pixels = np.asarray(images, dtype=np.float32)
        return np.concatenate([
            sigmoid(sigmoid(pixels[n:n + AT_ONCE] @ self.first) @ self.second)
            for n in range(0, len(pixels), AT_ONCE)])

    def _after(self, wrong: bool) -> None:
        """An image was classified; a pass may end with it."""
        spec = self.spec
        self.samples += 1
        self.wrong += wrong
        if self.samples % spec.window == 0:
            if self.wrong >= self.limit:
                self.rate /= spec.decay
            self.limit, self.wrong = spec.falling * self.wrong, 0

    def _written(self, changes: np.ndarray) -> np.ndarray:
        """Changes as they arrive."""
        if not self.spec.noise:
            return changes
        start = int(self.rng.integers(len(self.pool) - changes.size + 1))
        drawn = self.pool[start:start + changes.size].reshape(changes.shape)
        return changes * (1 + np.float32(self.spec.noise) * drawn)


def sigmoid(sums: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(−sums)), of numbers of any size."""
    # By tanh, as exp would overflow.
    return (1 + np.tanh(sums / 2)) / 2

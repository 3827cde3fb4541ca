"""The golden model of training on chip, compiled: the same bits, in less time."""

import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import astuple
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .convergence import ALWAYS, Control, Convergence
from .sign_update import DRAWS, Learner, SignUpdate, Step


__all__ = ["CompiledLearner", "can_compile", "fastest"]


AHEAD = 512   # images that are learned at once
MOST  = 2 ** 62   # of a margin or a filter, beyond all that sums can be
BITS, ROWS, PULSES, FAULTS = range(len(DRAWS))


def can_compile() -> bool:
    """Whether Numba is here."""
    return importlib.util.find_spec("numba") is not None


def fastest(spec: SignUpdate, convergence: Convergence | None = None) -> Learner:
    """A :class:`CompiledLearner` where Numba is here, and else one in NumPy."""
    return (CompiledLearner if can_compile() else Learner)(spec, convergence)


class CompiledLearner(Learner):
    """A :class:`model.sign_update.Learner` whose :meth:`learn` is machine code, made by Numba.

    Counters, what is drawn, rates and steps are those of NumPy to the bit, so that either goes on
    where the other stopped. Compiling takes some seconds, once a process.
    """

    def learn(self, images: npt.ArrayLike, labels: npt.ArrayLike) -> Iterator[Step]:
        """Learn images one after another, up to 512 of them ahead of the step that is taken."""
        images, labels = np.asarray(images), np.asarray(labels)
        if images.shape != (len(labels), self.spec.inputs):
            raise ValueError(f"Images must be {len(labels)} of {self.spec.inputs} pixels, as there "
                             f"are labels, not {images.shape}")
        if len(labels) and labels.min() < 0:
            raise ValueError(f"Labels must be at least 0, not {labels.min()}")
        for n in range(0, len(labels), AHEAD):
            yield from self._learn(images[n:n + AHEAD].astype(np.int32),
                                   labels[n:n + AHEAD].astype(np.int64))

    def _learn(self, images: np.ndarray, labels: np.ndarray) -> Iterator[Step]:
        spec, convergence, count = self.spec, self.control.spec, len(images)
        rule = Rule(spec.inputs, spec.hidden, spec.classes, spec.bias, min(spec.margin, MOST),
                    min(spec.filter, MOST), spec.top, spec.noise, spec.forward != "integer",
                    spec.forward == "sign", spec.lfsrs["bits"].taps, convergence.window or 0)
        states = np.array([self.draws[name].state for name in DRAWS], dtype=np.int64)
        control = np.array(astuple(self.control)[1:], dtype=np.int64)
        scores = np.zeros((count, spec.classes), dtype=np.int32)
        facts = np.zeros((count, 3), dtype=np.int64)
        changes = np.zeros((count, spec.hidden), dtype=np.int16)
        _compiled()(rule, np.array(convergence.rates), np.array(convergence.until, dtype=np.int64),
                    images, labels, self.first, self.second, self.copy, states, control, scores,
                    facts, changes)
        for name, state in zip(DRAWS, states.tolist(), strict=True):
            self.draws[name].state = state
        self.control = Control(convergence, *control.tolist())
        for n, (active, learned, written) in enumerate(facts.tolist()):
            found = changes[n, :learned * spec.hidden]   # none where nothing was learned
            yield Step(scores[n], active, bool(learned), written, found)


class Rule(NamedTuple):
    """What does not change while images are learned, in numbers."""

    inputs: int
    hidden: int
    classes: int
    bias: int
    margin: int
    filter: int
    top: int
    noise: int
    signs_first: bool    # whether the first crossbar sees signs of counters only
    signs_second: bool   # and the second
    taps: int
    window: int          # 0 where there is none


@cache
def _compiled() -> Callable[..., None]:
    """The loop as machine code; Numba is imported where it is needed, since that takes a while."""
    import numba

    return numba.njit(_learn)


def _learn(rule: Rule, rates: np.ndarray, until: np.ndarray, images: np.ndarray,
           labels: np.ndarray, first: np.ndarray, second: np.ndarray, copy: np.ndarray,
           states: np.ndarray, control: np.ndarray, scores: np.ndarray, facts: np.ndarray,
           changes: np.ndarray) -> None:
    """Learn images, and fill in what they did; :py:`control` has the members of a Control.

    This is written for a compiler: numbers, arrays and loops. Types are as wide as they need to be
    and no wider, as that many times fewer go through a processor at once.
    """
    hidden, classes = rule.hidden, rule.classes
    both = hidden + rule.bias
    active = np.zeros(rule.inputs + rule.bias, dtype=np.int64)
    sums, signs = np.zeros(hidden, dtype=np.int32), np.ones(both, dtype=np.int16)
    limits = np.zeros(hidden, dtype=np.int16)

    def after(state: int) -> int:
        return state >> 1 ^ -(state & 1) & rule.taps

    def pulsed(counter: int, step: int) -> int:
        return min(max(counter + step, -rule.top), rule.top)

    for n in range(len(images)):
        count, state = 0, states[BITS]
        for i in range(rule.inputs):
            active[count] = i   # to be written over if it is not
            count += images[n, i] > state & 255
            state = after(state)
        states[BITS] = state
        for i in range(rule.inputs, rule.inputs + rule.bias):
            active[count] = i
            count += 1
        facts[n, 0] = count

        sums[:] = 0
        for row in active[:count]:
            if rule.signs_first:
                for j in range(hidden):
                    sums[j] += 1 if first[row, j] >= 0 else -1
            else:
                for j in range(hidden):
                    sums[j] += first[row, j]
        for j in range(hidden):
            signs[j] = 1 if sums[j] >= 0 else -1
        for j in range(both):
            for k in range(classes):
                seen = second[j, k]
                if rule.signs_second:
                    seen = 1 if seen >= 0 else -1
                scores[n, k] += signs[j] * seen

        label = labels[n]
        if label >= classes:
            continue
        rival = 1 if label == 0 else 0
        for k in range(classes):
            if k != label and scores[n, k] > scores[n, rival]:
                rival = k
        lead = scores[n, label] - scores[n, rival]
        level, rate = control[0], rates[control[0]]
        control[1] += 1
        ends = level < len(until) and control[1] == until[level]
        if rule.window:
            control[2] += 1
            control[3] += lead < 0 or (lead == 0 and rival < label)
            if control[2] == rule.window:
                ends = control[3] >= control[4]
                control[4], control[3], control[2] = control[3], 0, 0
        control[0] += ends and level < len(rates) - 1
        if lead >= rule.margin:
            continue

        facts[n, 1], any_change = 1, False
        for j in range(hidden):
            right, wrong = copy[j, label], copy[j, rival]
            if rule.signs_second:
                right, wrong = int(right >= 0), int(wrong >= 0)
            step = int(right > wrong) - int(right < wrong)
            if not -rule.filter <= sums[j] < rule.filter:
                step = 0
            changes[n, j], limits[j] = step, step * rule.top
            any_change |= step != 0
        for j in range(both):
            for k, error in ((label, 1), (rival, -1)):
                step = error * signs[j]
                given, lost = True, False
                if rate < ALWAYS:
                    given = states[PULSES] & 255 < rate
                    states[PULSES] = after(states[PULSES])
                if rule.noise:
                    lost = states[FAULTS] & 255 < rule.noise
                    states[FAULTS] = after(states[FAULTS])
                if given:
                    second[j, k] = pulsed(second[j, k], step)
                    if not lost:
                        copy[j, k] = pulsed(copy[j, k], step)
        if not any_change:
            continue
        for row in active[:count]:
            if rate < ALWAYS:
                given = states[ROWS] & 255 < rate
                states[ROWS] = after(states[ROWS])
                if not given:
                    continue
            facts[n, 2] += 1
            for j in range(hidden):
                # A counter at its limit stays; being equal needs no wider numbers, and no branch.
                first[row, j] += changes[n, j] * (first[row, j] != limits[j])

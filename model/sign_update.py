"""Training on chip: two layers of counters, learned by the signs of their errors alone."""

from collections.abc import Iterator, Mapping
from dataclasses import astuple, dataclass, fields
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .checks import check_range
from .convergence import ALWAYS, Control, Convergence
from .draws import Draws
from .lfsr import Lfsr


__all__ = ["FORWARDS", "Learner", "SignUpdate", "Step"]


FORWARDS = ("integer", "sign-first", "sign")

WIDTH = 32                          # of the LFSRs
DRAWS = ("bits", "rows", "pulses", "faults")
STEPS = 1_000_003                   # of the LFSR between one seed and the next
AT_ONCE = 32                        # images
START_FIRST, START_SECOND = 16, 8   # counters begin between these and their opposites


@dataclass(frozen=True)
class SignUpdate:
    """The rule by which two layers of saturating counters learn, one image at a time.

    Counters are the conductances of two crossbars: :py:`inputs` + :py:`bias` rows of
    :py:`hidden`, and :py:`hidden` + :py:`bias` rows of :py:`classes`; of the second there is a
    copy. For an image and its label t:

    1. Input i is 1 where its pixel is greater than a byte drawn for it; rows of a bias are
       always 1. These are the active rows.
    2. a_j is the sum of the first crossbar's counters over active rows; h_j is +1 where a_j ≥ 0,
       and −1 elsewhere.
    3. Score s_k is the sum of h_j times the second crossbar's counters, rows of the bias with +1.
    4. m is the class with the greatest score but t, the first of equal ones. Where
       s_t − s_m ≥ :py:`margin` nothing is learned, and nothing below is drawn. Otherwise d_t = +1,
       d_m = −1, and all other d are 0.
    5. The copy gives e_j = Σ_k d_k times its counters, that of t less that of m; and
       δ_j is the sign of e_j where −:py:`filter` ≤ a_j < :py:`filter`, and 0 elsewhere.
    6. Counters of t and of m get a pulse of d_k · h_j in both the second crossbar and its copy,
       each with a probability of p/256.
    7. Counters of active rows get a pulse of δ_j, each row with a probability of p/256, unless all
       δ are 0.

    A pulse is a step of one; no counter goes beyond ±(2^(bits − 1) − 1). p is the rate of
    :class:`model.convergence.Convergence`. Errors go only through signs (the Manhattan rule), and
    nothing is multiplied.

    What is drawn are low bytes of LFSRs of 32 bits, each with a cycle's part of its own, a step a
    byte: one for each input, of the image's first to its last; for each row of the second crossbar
    one for t and one for m, unless p is 256; for each active row one, bias rows last, unless p is
    256 or all δ are 0. A pulse, or a row's, is given where the byte is less than p. Where
    :py:`noise` is not 0, a pulse is lost on its way to the copy where another byte, drawn for each
    as those are, is less than that.

    In the mode ``"sign-first"`` the first crossbar sees signs of counters only, +1 where one is at
    least 0 and −1 elsewhere; in ``"sign"`` so do both, and the copy. What was learned is then a
    network of binary weights.

    The rule is after B. Li et al., "Training itself: mixed-signal training acceleration for
    memristor-based neural network" (ASP-DAC 2014).

    Parameters
    ----------
    inputs, hidden, classes : :class:`int`
        Size; at least 2 classes.
    bits : :class:`int`
        Of a counter, 4 to 12.
    bias : :class:`int`
        Rows of either crossbar that are always on.
    margin : :class:`int`
        By which the right class has to win.
    filter : :class:`int`
        How far from zero a hidden sum may be for its neuron to learn: a power of two, so that this
        is seen from a few bits.
    forward : :class:`str`
        One of :data:`FORWARDS`.
    noise : :class:`int`
        Of 256 pulses, how many do not reach the copy, on average.
    seed : :class:`int`
        Of counters and of what is drawn.
    """

    inputs: int
    hidden: int
    classes: int
    bits: int = 8
    bias: int = 4
    margin: int = 600
    filter: int = 512
    forward: str = "integer"
    noise: int = 0
    seed: int = 1

    def __post_init__(self) -> None:
        for name, low, high in (("inputs", 1, 4_096), ("hidden", 1, 4_096), ("classes", 2, 256),
                                ("bits", 4, 12), ("bias", 0, 64), ("margin", 0, None),
                                ("filter", 1, None), ("noise", 0, ALWAYS - 1), ("seed", 0, None)):
            check_range(name.capitalize(), getattr(self, name), low, high)
        if self.filter.bit_count() != 1:
            raise ValueError(f"Filter must be a power of two, not {self.filter!r}")
        if self.forward not in FORWARDS:
            raise ValueError(f"Forward must be one of {', '.join(FORWARDS)}, not {self.forward!r}")

    @property
    def top(self) -> int:
        """The greatest that a counter can be."""
        return 2 ** (self.bits - 1) - 1

    @property
    def shapes(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Rows and columns of both crossbars."""
        return ((self.inputs + self.bias, self.hidden), (self.hidden + self.bias, self.classes))

    @cached_property
    def lfsrs(self) -> dict[str, Lfsr]:
        """Those that draw, by what they draw; evenly apart on one cycle."""
        start = Lfsr(WIDTH)
        return {name: Lfsr(WIDTH, seed=start.after(STEPS * self.seed + start.period // 4 * n))
                for n, name in enumerate(DRAWS)}


class Step(NamedTuple):
    """What an image did: what was drawn and found, as far as time or a host depends on it."""

    scores: np.ndarray     # of each class
    active: int            # rows
    learned: bool          # whether anything was
    written: int           # rows that got pulses
    changes: np.ndarray    # δ of each hidden neuron; empty where nothing was learned


class Learner:
    """Counters that learn by a :class:`SignUpdate`, and all else that an image changes.

    Parameters
    ----------
    spec : :class:`SignUpdate`
        The rule.
    convergence : :class:`model.convergence.Convergence`
        Its rates.
    """

    def __init__(self, spec: SignUpdate, convergence: Convergence | None = None) -> None:
        self.spec = spec
        self.control = Control(convergence or Convergence())
        rng = np.random.default_rng(spec.seed)
        first, second = spec.shapes
        starts = min(START_FIRST, spec.top), min(START_SECOND, spec.top)
        self.first, self.second = (
            rng.integers(-start, start + 1, shape).astype(np.int16)
            for start, shape in zip(starts, (first, second), strict=True))
        self.copy = self.second.copy()
        self.draws = {name: Draws(lfsr) for name, lfsr in spec.lfsrs.items()}

    def forward(self, active: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Hidden sums and scores, from the rows that are active."""
        spec = self.spec
        counters = self.first[active]
        if spec.forward == "integer":
            sums = counters.sum(axis=0, dtype=np.int32)
        else:
            sums = len(active) - 2 * (counters < 0).view(np.int8).sum(axis=0, dtype=np.int32)
        return sums, self._signs(sums).astype(np.int32) @ self._seen(self.second)

    def step(self, pixels: np.ndarray, label: int) -> Step:
        """Learn an image, or with a label that no class has, do no more than add up its scores."""
        spec = self.spec
        bits = pixels > self.draws["bits"].take(spec.inputs)
        active = np.concatenate([np.flatnonzero(bits), spec.inputs + np.arange(spec.bias)])
        count = len(active)
        sums, scores = self.forward(active)
        rest = Step(scores, count, False, 0, np.empty(0, dtype=np.int16))
        if label >= spec.classes:
            return rest
        others = scores.copy()
        others[label] = np.iinfo(others.dtype).min
        rival = int(others.argmax())
        rate = self.control.rate
        self.control.after(bool(scores.argmax() != label))
        if scores[label] - scores[rival] >= spec.margin:
            return rest

        seen = self._seen(self.copy[:spec.hidden, [label, rival]])
        errors = np.sign(seen[:, 0] - seen[:, 1])
        near = (sums >= -spec.filter) & (sums < spec.filter)
        changes = np.where(near, errors, 0).astype(np.int16)
        self.pulse_second(label, rival, self._signs(sums), rate)
        if not changes.any():
            active = active[:0]
        elif rate < ALWAYS:
            active = active[self.draws["rows"].take(len(active)) < rate]
        self.first[active] = self._saturated(self.first[active] + changes)
        return Step(scores, count, True, len(active), changes)

    def learn(self, images: npt.ArrayLike, labels: npt.ArrayLike) -> Iterator[Step]:
        """Learn images one after another."""
        for pixels, label in zip(np.asarray(images), np.asarray(labels).tolist(), strict=True):
            yield self.step(pixels, label)

    def scores(self, images: npt.ArrayLike, samples: int) -> np.ndarray:
        """Scores of images by what was learned so far: those of so many draws of each, added up.

        Bytes are drawn anew, from where learning began, for an image's samples one after another.
        Nothing is learned.
        """
        spec, images = self.spec, np.asarray(images)
        draws = Draws(spec.lfsrs["bits"])
        first = np.where(self.first < 0, -1, 1) if spec.forward != "integer" else self.first
        # Floating-point numbers are exact up to 2^24, which no sum can reach.
        first = first.astype(np.float32)
        second = self._seen(self.second).astype(np.float32)
        found = []
        for n in range(0, len(images), AT_ONCE):
            block = np.repeat(images[n:n + AT_ONCE], samples, axis=0)
            bits = (block > draws.take(block.size).reshape(block.shape)).astype(np.float32)
            sums = bits @ first[:spec.inputs] + first[spec.inputs:].sum(axis=0)
            signs = np.ones((len(block), spec.hidden + spec.bias), dtype=np.float32)
            signs[:, :spec.hidden][sums < 0] = -1
            scores = (signs @ second).astype(np.int64)
            found.append(scores.reshape(-1, samples, spec.classes).sum(axis=1))
        return np.concatenate(found)

    def state(self) -> dict[str, np.ndarray]:
        """All that images have changed."""
        return {"first": self.first, "second": self.second, "copy": self.copy,
                "draws": np.array([draws.state for draws in self.draws.values()], dtype=np.uint64),
                "control": np.array(astuple(self.control)[1:], dtype=np.int64)}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from what :meth:`state` said of a learner by the same rule."""
        found = {}
        for name in ("first", "second", "copy"):
            counters = np.asarray(state[name])
            if counters.dtype != np.int16 or counters.shape != getattr(self, name).shape:
                raise ValueError(f"Counters must be {getattr(self, name).shape} of int16, not "
                                 f"{counters.shape} of {counters.dtype}")
            if abs(counters.astype(np.int32)).max() > self.spec.top:
                raise ValueError(f"Counters must be at most {self.spec.top}, not "
                                 f"{abs(counters.astype(np.int32)).max()}")
            found[name] = counters.copy()
        level, *others = map(int, state["control"])
        counts = len(fields(self.control)) - 2   # but the rates, and the level
        if not 0 <= level < len(self.control.spec.rates) or len(others) != counts:
            raise ValueError(f"Control must be a level and {counts} counts, "
                             f"not {state['control']}")
        for draws, drawn in zip(self.draws.values(), state["draws"], strict=True):
            draws.state = int(drawn)
        self.first, self.second, self.copy = found.values()
        self.control = Control(self.control.spec, level, *others)

    def pulse_second(self, label: int, rival: int, signs: np.ndarray, rate: int) -> None:
        """Pulses of the second crossbar, and of its copy those that are not lost."""
        spec = self.spec
        pulses = np.stack([signs, -signs], axis=1).astype(np.int16)
        if rate < ALWAYS:
            pulses *= self.draws["pulses"].take(pulses.size).reshape(pulses.shape) < rate
        places = [label, rival]
        self.second[:, places] = self._saturated(self.second[:, places] + pulses)
        if spec.noise:
            drawn = self.draws["faults"].take(pulses.size).reshape(pulses.shape)
            pulses *= drawn >= spec.noise
        self.copy[:, places] = self._saturated(self.copy[:, places] + pulses)

    def _signs(self, sums: np.ndarray) -> np.ndarray:
        """±1 of hidden neurons, and of the bias."""
        signs = np.ones(self.spec.hidden + self.spec.bias, dtype=np.int16)
        signs[:self.spec.hidden][sums < 0] = -1
        return signs

    def _seen(self, counters: np.ndarray) -> np.ndarray:
        """What the second crossbar makes of its counters."""
        if self.spec.forward != "sign":
            return counters.astype(np.int32)
        return np.where(counters < 0, -1, 1).astype(np.int32)

    def _saturated(self, counters: np.ndarray) -> np.ndarray:
        return np.minimum(np.maximum(counters, -self.spec.top), self.spec.top)

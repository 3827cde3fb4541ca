"""How a network that learns is laid out over its hardware, in space and in time."""

from dataclasses import dataclass, replace

import numpy as np

from model.checks import check_range
from model.packing import pack_fields
from model.sign_update import SignUpdate, Step

from . import bus, conductance, convergence, draws, spram


__all__ = ["LearningFolding"]


@dataclass(frozen=True)
class LearningFolding:
    """A :class:`model.sign_update.SignUpdate` on :py:`pe` counters of the first crossbar at once.

    The first crossbar has :py:`groups` words of PE counters for each row: one behind another where
    they are a power of two, so that an address takes no adder, and else those of all rows of a
    group. A word of the second, and
    of its copy, has :py:`rows` rows of all classes.

    Parameters
    ----------
    spec : :class:`model.sign_update.SignUpdate`
        The rule, with a bias of at least 1.
    pe : :class:`int`
        Hidden neurons worked on in one cycle, a divisor of all.
    rows : :class:`int`
        Rows of the second crossbar worked on in one cycle, a divisor of PE.
    pixels : :class:`int`
        Pixels that come in one cycle, a power of two.
    storage : :class:`str`
        Where the first crossbar is: one of :data:`gateware.conductance.STORAGE`.
    """

    spec: SignUpdate
    pe: int
    rows: int = 1
    pixels: int = 1
    storage: str = "block"

    def __post_init__(self):
        spec = self.spec
        check_range("Bias", spec.bias, 1)
        check_range("PE", self.pe, 1, spec.hidden)
        check_range("Rows", self.rows, 1, self.pe)
        check_range("Pixels at once", self.pixels, 1, 64)
        if spec.hidden % self.pe:
            raise ValueError(f"PE must divide the {spec.hidden} hidden neurons, not {self.pe!r}")
        if self.pe % self.rows:
            raise ValueError(f"Rows must divide the {self.pe} neurons of a word, not {self.rows!r}")
        if self.pixels.bit_count() != 1:
            raise ValueError(f"Pixels at once must be a power of two, not {self.pixels!r}")
        if self.storage not in conductance.STORAGE:
            raise ValueError(f"Storage must be one of {', '.join(conductance.STORAGE)}, "
                             f"not {self.storage!r}")
        if self.storage == "spram":
            spram.check(self.pe * spec.bits, self.groups * self.lines)

    @property
    def groups(self):
        """Words of a row of the first crossbar."""
        return self.spec.hidden // self.pe

    @property
    def interleaved(self):
        """Whether words of a row lie one behind another, rather than those of a group."""
        return self.groups.bit_count() == 1

    @property
    def parts(self):
        """Words of the second crossbar that meet one group."""
        return self.pe // self.rows

    @property
    def words(self):
        """Words of the second crossbar."""
        return -(-(self.spec.hidden + self.spec.bias) // self.rows)

    @property
    def few(self):
        """Rows of the last of them."""
        return self.spec.hidden + self.spec.bias - (self.words - 1) * self.rows

    @property
    def entering(self):
        """Words of an image, without its label."""
        return -(-self.spec.inputs // self.pixels)

    @property
    def biases(self):
        """Words of the bias, as they are told with those of an image."""
        return -(-self.spec.bias // self.pixels)

    @property
    def loads(self):
        """Cycles in which an image and its label come."""
        return self.entering + self.biases

    @property
    def lines(self):
        """Rows of the first crossbar, with those that fill up the last word of an image."""
        return self.entering * self.pixels + self.spec.bias

    @property
    def sum_bits(self):
        """Width of a hidden sum."""
        most = 1 if self.spec.forward != "integer" else self.spec.top
        return (self.spec.shapes[0][0] * most).bit_length() + 1

    @property
    def score_bits(self):
        """Width of a score."""
        most = 1 if self.spec.forward == "sign" else self.spec.top
        return (self.spec.shapes[1][0] * most).bit_length() + 1

    @property
    def regions(self):
        """Size of each memory and register that a host reads and writes, by name."""
        spec = self.spec
        second = bus.Region(self.rows * spec.classes * spec.bits, self.words)
        found = {"first": bus.Region(self.pe * spec.bits, self.groups * self.lines),
                 "second": second, "copy": second, "convergence": convergence.REGION}
        return found | {f"draws_{name}": draws.REGION for name in self.drawn}

    @property
    def drawn(self):
        """What is drawn."""
        return ("bits", "rows", "pulses", *(["faults"] if self.spec.noise else []))

    def image(self, learner):
        """What they hold for a :class:`model.sign_update.Learner`: rows, by name."""
        spec = self.spec
        first = np.zeros((self.lines, spec.hidden), dtype=np.int64)
        first[:spec.inputs] = learner.first[:spec.inputs]
        first[self.lines - spec.bias:] = learner.first[spec.inputs:]
        first = first.reshape(self.lines, self.groups, self.pe)
        if not self.interleaved:
            first = first.swapaxes(0, 1)
        image = {"first": self._fields(first.reshape(-1, self.pe))}
        for name in ("second", "copy"):
            rows = np.zeros((self.words * self.rows, spec.classes), dtype=np.int64)
            rows[:spec.hidden + spec.bias] = getattr(learner, name)
            image[name] = self._fields(rows.reshape(self.words, -1))
        image["convergence"] = convergence.words(learner.control)
        return image | {f"draws_{name}": [learner.draws[name].state] for name in self.drawn}

    def lfsr(self, name, image):
        """What draws, with the state that is in an :meth:`image`, or the rule's own if none is."""
        lfsr = self.spec.lfsrs[name]
        rows = image.get(f"draws_{name}")
        return lfsr if rows is None else replace(lfsr, seed=rows[0])

    def cycles(self, step):
        """Cycles that an image takes, if the next one is there and its scores are taken at once.

        Parameters
        ----------
        step : :class:`model.sign_update.Step`
            What the image did.
        """
        cycles = self.groups * (step.active + 1) + self.words + self.spec.classes + 8
        if not step.learned:
            return cycles
        cycles += self.words + 3
        changed = step.changes.reshape(self.groups, self.pe).any(axis=1).sum()
        if not changed:
            return cycles
        each = changed * (2 if self.storage == "spram" else 1)
        return int(cycles + step.active - step.written + step.written * each + 2)

    def updated(self, active):
        """Cycles of an image that drives so many rows, where all neurons learn, and every row."""
        changes = np.ones(self.spec.hidden, dtype=np.int16)
        return self.cycles(Step(np.empty(0), active, True, active, changes))

    @property
    def most(self):
        """Cycles that no image exceeds."""
        return self.updated(self.spec.shapes[0][0])

    def _fields(self, counters):
        """Rows of counters in two's complement."""
        return pack_fields(counters & (1 << self.spec.bits) - 1, self.spec.bits, counters.shape[1])

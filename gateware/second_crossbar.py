"""The second crossbar of a network that learns, and its copy: scores, errors, pulses."""

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from model.convergence import ALWAYS

from . import bus
from .class_sums import ClassSums
from .conductance import Conductance
from .draws import Draws


__all__ = ["SecondCrossbar"]


class SecondCrossbar(wiring.Component):
    """Adds up scores; or sends errors back through the copy, and gives both of them pulses.

    Either takes a cycle for each word of rows, and :py:`done` comes three cycles after these. Where
    the rule has no noise, both get the same pulses; else some are lost on their way to the copy.

    Parameters
    ----------
    folding : :class:`gateware.learning_folding.LearningFolding`
        The rule, and how it is laid out.
    image : dict of list of :class:`int`
        Rows at power-up of ``"second"``, ``"copy"``, ``"draws_pulses"`` and ``"draws_faults"``, if
        they are there.

    Members
    -------
    scoring : :py:`In(1)`
        Begin to add up scores.
    learning : :py:`In(1)`
        Begin to tell changes and to give pulses.
    done : :py:`Out(1)`
        High for one cycle when that is done.
    group : :py:`Out(range(folding.groups))`
        A group of hidden neurons that is wanted in the next cycle.
    signs : :py:`In(folding.pe)`
        Which of them are not negative.
    near : :py:`In(folding.pe)`
        And which are near zero.
    label : :py:`In(range(classes))`
        The right class.
    rival : :py:`In(range(classes))`
        The other one that errors are of.
    rate : :py:`In(range(ALWAYS + 1))`
        Of 256, how many pulses are given. These three stay through all of it.
    scores : :py:`Out(data.ArrayLayout(signed(folding.score_bits), classes))`
        From :py:`done` on.
    changes_en : :py:`Out(1)`
        Whether a group's changes are complete.
    changes_group : :py:`Out(range(folding.groups))`
        Which group's.
    up : :py:`Out(folding.pe)`
        Whose counters are to get pulses up.
    down : :py:`Out(folding.pe)`
        And whose down.
    second_bus : :py:`In(bus.Signature(addr_width))`
        The host's access to counters.
    copy_bus : :py:`In(bus.Signature(addr_width))`
        To those of the copy.
    draws_pulses_bus : :py:`In(bus.Signature(0))`
        To the state that masks of pulses are drawn from.
    draws_faults_bus : :py:`In(bus.Signature(0))`
        To that which losses are; only where the rule has noise.
    """

    def __init__(self, folding, *, image):
        self._folding = folding
        self._image = image
        spec = folding.spec
        addr_width = folding.regions["second"].addr_width
        super().__init__({
            "scoring": In(1),
            "learning": In(1),
            "done": Out(1),
            "group": Out(range(folding.groups)),
            "signs": In(folding.pe),
            "near": In(folding.pe),
            "label": In(range(spec.classes)),
            "rival": In(range(spec.classes)),
            "rate": In(range(ALWAYS + 1)),
            "scores": Out(data.ArrayLayout(signed(folding.score_bits), spec.classes)),
            "changes_en": Out(1),
            "changes_group": Out(range(folding.groups)),
            "up": Out(folding.pe),
            "down": Out(folding.pe),
            "second_bus": In(bus.Signature(addr_width)),
            "copy_bus": In(bus.Signature(addr_width)),
            "draws_pulses_bus": In(bus.Signature(0)),
            **({"draws_faults_bus": In(bus.Signature(0))} if spec.noise else {}),
        })

    def elaborate(self, platform):
        m = Module()
        folding, spec = self._folding, self._folding.spec
        rows, classes = folding.rows, spec.classes

        def cells(name):
            m.submodules[name] = found = Conductance(
                count=rows * classes, bits=spec.bits, depth=folding.words,
                init=self._image.get(name))
            wiring.connect(m, wiring.flipped(getattr(self, f"{name}_bus")), found.bus)
            return found

        def draws(name):
            m.submodules[name] = found = Draws(folding.lfsr(name, self._image), count=2 * rows,
                                               fewer=2 * folding.few)
            wiring.connect(m, wiring.flipped(getattr(self, f"draws_{name}_bus")), found.bus)
            return found

        second, copy, pulses = cells("second"), cells("copy"), draws("pulses")
        m.submodules.sums = sums = ClassSums(
            rows=rows, classes=classes, bits=spec.bits, few=folding.few,
            score_bits=folding.score_bits, signs=spec.forward == "sign")

        # Ask for a word, and for the group that it meets.
        going, learns = Signal(), Signal()
        word  = Signal(range(folding.words))
        part  = Signal(range(folding.parts))
        group = Signal.like(self.group)
        last  = word == folding.words - 1
        m.d.comb += [self.group.eq(group), *(each.en.eq(going) for each in (second, copy)),
                     *(each.addr.eq(word) for each in (second, copy))]
        with m.If(self.scoring | self.learning):
            m.d.sync += [going.eq(1), learns.eq(self.learning), word.eq(0), part.eq(0),
                         group.eq(0)]
        with m.If(going):
            m.d.sync += [word.eq(word + 1), part.eq(part + 1)]
            with m.If(part == folding.parts - 1):
                m.d.sync += [part.eq(0), group.eq(group + 1)]
            with m.If(last):
                m.d.sync += going.eq(0)

        # In the next cycle they are there.
        there, few, ours = Signal(), Signal(), Signal()
        begins, whole, done = Signal(), Signal(), Signal()
        now_part, now_group = Signal.like(part), Signal.like(group)
        m.d.sync += [there.eq(going), few.eq(last), begins.eq(word == 0), now_part.eq(part),
                     now_group.eq(group), whole.eq(part == folding.parts - 1),
                     ours.eq(word >= spec.hidden // rows),   # rows of the bias
                     done.eq(there & few), self.done.eq(done)]
        signs = Signal(rows)
        m.d.comb += signs.eq(self.signs.word_select(now_part, rows)
                             | ours.replicate(rows))
        m.d.comb += [sums.counters.eq(second.data), sums.signs.eq(signs),
                     sums.en.eq(there & ~learns), sums.first.eq(begins), sums.last.eq(few),
                     self.scores.eq(sums.scores)]
        now = there & learns
        self._pulse(m, going & learns, last, now, few, signs, second, copy, pulses, draws)
        self._send(m, now, ours, whole, now_part, now_group, copy)
        return m

    def _pulse(self, m, asks, last, now, few, signs, second, copy, pulses, draws):
        """Pulses of the right class and of its rival, in a word of rows.

        They are drawn as the word is asked for, one cycle before it is there.
        """
        folding, spec = self._folding, self._folding.spec
        rows, classes = folding.rows, spec.classes
        given, kept = Signal(2 * rows), Signal(2 * rows)
        m.d.comb += [second.pulse.eq(now), copy.pulse.eq(now), pulses.few.eq(last),
                     pulses.en.eq(asks & (self.rate != ALWAYS))]
        m.d.sync += given.eq(Cat(drawn < self.rate for drawn in pulses.o))
        if spec.noise:
            faults = draws("faults")
            m.d.comb += [faults.few.eq(last), faults.en.eq(asks)]
            m.d.sync += kept.eq(Cat(drawn >= spec.noise for drawn in faults.o))
        right, rival = (Signal(classes, name=name) for name in ("right", "wrong"))
        m.d.comb += [right.eq(1 << self.label), rival.eq(1 << self.rival)]
        for row in range(rows):
            there = ~few if row >= folding.few else C(1)
            places = slice(2 * row, 2 * row + 2)
            for each in second, copy:
                reach = given[places] & there.replicate(2)
                if spec.noise and each is copy:
                    reach &= kept[places]
                for k in range(classes):
                    up   = (right[k] & reach[0] & signs[row]) | (rival[k] & reach[1] & ~signs[row])
                    down = (right[k] & reach[0] & ~signs[row]) | (rival[k] & reach[1] & signs[row])
                    place = row * classes + k
                    m.d.comb += [each.up[place].eq(up), each.down[place].eq(down)]

    def _send(self, m, now, ours, whole, part, group, copy):
        """Changes of hidden neurons, by which of two counters of the copy is greater.

        They are chosen in the cycle in which they are there, and compared in the next.
        """
        folding, spec = self._folding, self._folding.spec
        rows, classes = folding.rows, spec.classes
        near = Signal(rows)
        sends, ends = Signal(), Signal()
        m.d.sync += [near.eq(self.near.word_select(part, rows)), sends.eq(now),
                     ends.eq(now & whole & ~ours), self.changes_group.eq(group)]
        ups, downs = Signal(rows), Signal(rows)
        for row in range(rows):
            counters = Array(copy.data[row * classes + k] for k in range(classes))
            right, rival = (Signal(signed(spec.bits), name=f"{name}_{row}")
                            for name in ("right", "rival"))
            m.d.sync += [right.eq(counters[self.label]), rival.eq(counters[self.rival])]
            if spec.forward == "sign":
                up, down = ~right[-1] & rival[-1], right[-1] & ~rival[-1]
            else:
                up, down = right > rival, right < rival
            m.d.comb += [ups[row].eq(near[row] & up), downs[row].eq(near[row] & down)]
        for name, latest, out in ("up", ups, self.up), ("down", downs, self.down):
            held = Signal(folding.pe - rows, name=f"held_{name}")
            m.d.comb += out.eq(Cat(held, latest))
            with m.If(sends):
                m.d.sync += held.eq(Cat(held, latest)[rows:])
        m.d.comb += self.changes_en.eq(ends)

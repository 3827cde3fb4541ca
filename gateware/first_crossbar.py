"""The first crossbar of a network that learns: rows that images drive, their sums, their pulses."""

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from model.convergence import ALWAYS

from . import bus
from .active_rows import ActiveRows
from .conductance import Conductance
from .draws import Draws
from .hidden_sums import HiddenSums


__all__ = ["FirstCrossbar"]


class FirstCrossbar(wiring.Component):
    """Adds up the counters of active rows, group after group, and gives them pulses, row after row.

    Forward, a group takes a cycle for each active row, and one more; :py:`done` comes two cycles
    after all of these, with the last group's signs. An update takes a cycle for each row that is
    masked, and for each other one a cycle for each group that changes, or two in SPRAM;
    :py:`done` comes two cycles after those.

    Parameters
    ----------
    folding : :class:`gateware.learning_folding.LearningFolding`
        The rule, and how it is laid out.
    image : dict of list of :class:`int`
        Rows at power-up of ``"first"``, ``"draws_bits"`` and ``"draws_rows"``, if they are there.

    Members
    -------
    i : :py:`In(stream.Signature(data.ArrayLayout(8, folding.pixels)))`
        Images, zeros filling up the last word of each.
    full : :py:`Out(1)`
        Whether an image is there; it stays until :py:`end`.
    end : :py:`In(1)`
        Let go of it, while nothing is done with it.
    forward : :py:`In(1)`
        Begin to add up.
    update : :py:`In(1)`
        Begin to give pulses, where any group changes.
    done : :py:`Out(1)`
        High for one cycle when that is done.
    rate : :py:`In(range(ALWAYS + 1))`
        Of 256, how many rows get pulses; stays through an update.
    sums_en : :py:`Out(1)`
        Whether a group's sums are complete.
    sums_group : :py:`Out(range(folding.groups))`
        Which group's.
    signs : :py:`Out(folding.pe)`
        Which of them are not negative.
    near : :py:`Out(folding.pe)`
        And which are near zero. Both stay until the next sums begin.
    changed : :py:`In(folding.groups)`
        Which groups change; stays through an update.
    group : :py:`Out(range(folding.groups))`
        A group whose changes are wanted in the next cycle.
    up : :py:`In(folding.pe)`
        Which counters of its get pulses up.
    down : :py:`In(folding.pe)`
        And which get them down.
    first_bus : :py:`In(bus.Signature(folding.regions["first"].addr_width))`
        The host's access to the counters.
    draws_bits_bus : :py:`In(bus.Signature(0))`
        To the state that bits are drawn from.
    draws_rows_bus : :py:`In(bus.Signature(0))`
        To that which masks of rows are.
    """

    def __init__(self, folding, *, image):
        self._folding = folding
        self._image = image
        super().__init__({
            "i": In(stream.Signature(data.ArrayLayout(8, folding.pixels))),
            "full": Out(1),
            "end": In(1),
            "forward": In(1),
            "update": In(1),
            "done": Out(1),
            "rate": In(range(ALWAYS + 1)),
            "sums_en": Out(1),
            "sums_group": Out(range(folding.groups)),
            "signs": Out(folding.pe),
            "near": Out(folding.pe),
            "changed": In(folding.groups),
            "group": Out(range(folding.groups)),
            "up": In(folding.pe),
            "down": In(folding.pe),
            "first_bus": In(bus.Signature(folding.regions["first"].addr_width)),
            "draws_bits_bus": In(bus.Signature(0)),
            "draws_rows_bus": In(bus.Signature(0)),
        })

    def elaborate(self, platform):
        m = Module()
        folding, spec = self._folding, self._folding.spec
        m.submodules.active = active = ActiveRows(folding, lfsr=folding.lfsr("bits", self._image))
        m.submodules.cells = cells = Conductance(
            count=folding.pe, bits=spec.bits, depth=folding.groups * folding.lines,
            init=self._image.get("first"), storage=folding.storage)
        m.submodules.sums = sums = HiddenSums(
            count=folding.pe, bits=spec.bits, sum_bits=folding.sum_bits, filter=spec.filter,
            signs=spec.forward != "integer")
        m.submodules.draws = draws = Draws(folding.lfsr("rows", self._image), count=1)
        wiring.connect(m, wiring.flipped(self.i), active.i)
        for flipped, own in ((self.first_bus, cells.bus), (self.draws_rows_bus, draws.bus),
                             (self.draws_bits_bus, active.draws_bus)):
            wiring.connect(m, wiring.flipped(flipped), own)

        group = Signal(range(folding.groups))
        row, last = active.o.payload.row, active.o.payload.last
        taken = active.o.valid & active.o.ready
        if folding.interleaved:
            place = Cat(self.group, row)
        else:
            place = Array(n * folding.lines for n in range(folding.groups))[self.group] + row
        m.d.comb += [self.full.eq(active.full), active.end.eq(self.end),
                     cells.addr.eq(place), sums.counters.eq(cells.data),
                     cells.up.eq(self.up), cells.down.eq(self.down),
                     self.signs.eq(sums.signs), self.near.eq(sums.near)]

        # What was read is there in the next cycle, and in the sums one later.
        adds, fresh, ends = Signal(), Signal(), Signal(2)
        groups = [Signal.like(group, name=f"group_{n}") for n in range(2)]
        m.d.sync += [adds.eq(0), ends.eq(Cat(0, ends)), groups[0].eq(group),
                     groups[1].eq(groups[0])]
        m.d.comb += [sums.en.eq(adds), self.sums_en.eq(ends[1]), self.sums_group.eq(groups[1])]
        with m.If(taken):
            m.d.sync += fresh.eq(0)
        with m.If(active.start):
            m.d.sync += fresh.eq(1)

        left = Signal(folding.groups)       # groups of this row that are still to change
        masked = Signal()
        pulses = Signal()                    # what was read gets pulses now
        able  = ~pulses if folding.storage == "spram" else C(1)
        only  = (left & (left - 1)) == 0
        lowest = Signal.like(group)
        for n in reversed(range(folding.groups)):
            with m.If(left[n]):
                m.d.comb += lowest.eq(n)
        m.d.comb += [masked.eq((self.rate != ALWAYS) & (draws.o[0] >= self.rate)),
                     cells.pulse.eq(pulses)]
        m.d.sync += pulses.eq(0)

        with m.FSM():
            with m.State("WAIT"):
                m.d.sync += [group.eq(0), left.eq(self.changed)]
                with m.If(self.forward):
                    m.d.comb += active.start.eq(1)
                    m.next = "FORWARD"
                with m.Elif(self.update):
                    m.d.comb += active.start.eq(1)
                    m.next = "UPDATE"

            with m.State("FORWARD"):
                m.d.comb += [self.group.eq(group), active.o.ready.eq(1), cells.en.eq(taken),
                             sums.clear.eq(taken & fresh)]
                m.d.sync += adds.eq(taken)
                with m.If(taken & last):
                    m.d.sync += ends[0].eq(1)
                    m.next = "SUM"
                    with m.If(group != folding.groups - 1):
                        m.d.comb += active.start.eq(1)
                        m.d.sync += group.eq(group + 1)
                        m.next = "FORWARD"
            with m.State("SUM"):
                with m.If(ends[1]):
                    m.d.comb += self.done.eq(1)
                    m.next = "WAIT"

            with m.State("UPDATE"):
                m.d.comb += [self.group.eq(lowest),
                             cells.en.eq(active.o.valid & ~masked & able),
                             active.o.ready.eq(able & (masked | only)),
                             draws.en.eq(taken & (self.rate != ALWAYS))]
                m.d.sync += pulses.eq(cells.en)
                with m.If(cells.en):
                    m.d.sync += left.eq(Mux(only, self.changed, left & (left - 1)))
                with m.If(taken & last):
                    m.next = "PULSE"
            with m.State("PULSE"):
                with m.If(able):
                    m.d.comb += self.done.eq(1)
                    m.next = "WAIT"
        return m

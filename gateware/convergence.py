"""How fast counters learn, and when they learn more slowly."""

from amaranth import *
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from model.convergence import ALWAYS, LEVELS

from . import bus


__all__ = ["Convergence", "REGION", "words"]


RATES, UNTIL = 0, LEVELS   # a word for each level
WINDOW, LAST, LEVEL, SAMPLES, COUNTED, ERRORS, BEFORE = range(2 * LEVELS, 2 * LEVELS + 7)

REGION = bus.Region(bus.WORD, 4 * LEVELS)   # which is all of them, and a power of two


def words(control):
    """What the memory holds for a :class:`model.convergence.Control`, a row each."""
    spec, rows = control.spec, [0] * REGION.depth
    rows[RATES:RATES + len(spec.rates)] = spec.rates
    rows[UNTIL:UNTIL + len(spec.until)] = spec.until
    rows[WINDOW], rows[LAST] = spec.window or 0, len(spec.rates) - 1
    rows[LEVEL:BEFORE + 1] = (control.level, control.samples, control.counted, control.errors,
                              control.before)
    return rows


class Convergence(wiring.Component):
    """Goes from rate to rate, by a schedule or by itself.

    Does what :class:`model.convergence.Control` does, of which it keeps all in one memory of 32
    bits: rates, then the samples after which levels end, each for eight levels, the window, or 0
    for a schedule, the last level, and what samples have changed. It is idle again 4 cycles after
    a sample by a schedule, 6 by itself, and at most 9 where a level ends.

    Parameters
    ----------
    init : list of :class:`int`, or None
        Rows at power-up, as :func:`words` has them; zeros if None, which is a rate of 0.

    Members
    -------
    sample : :py:`In(1)`
        A sample was looked at; only where :py:`idle` is high.
    error : :py:`In(1)`
        Whether it was taken for another class, in the same cycle.
    idle : :py:`Out(1)`
        Whether the last sample's part is done, and :py:`rate` is the next one's.
    rate : :py:`Out(range(ALWAYS + 1))`
        Of 256, how often something is done.
    bus : :py:`In(bus.Signature(REGION.addr_width))`
        The host's access while it is idle, or becomes so after a write: words may be written one a
        cycle. A read is answered one cycle later, or as soon as it is idle again; the address must
        stay that long.
    """

    def __init__(self, *, init=None):
        self._init = [0] * REGION.depth if init is None else list(init)
        if len(self._init) != REGION.depth:
            raise ValueError(f"Rows at power-up must be {REGION.depth}, not {len(self._init)}")
        super().__init__({
            "sample": In(1),
            "error": In(1),
            "idle": Out(1),
            "rate": Out(range(ALWAYS + 1)),
            "bus": In(bus.Signature(REGION.addr_width)),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.cells = cells = memory.Memory(shape=bus.WORD, depth=REGION.depth,
                                                   init=self._init)
        r_port, w_port = cells.read_port(), cells.write_port()
        found = r_port.data
        level = Signal(range(LEVELS))
        error = Signal()
        value = Signal(bus.WORD)
        asked = Signal()   # for a word, while others were looked at
        m.d.comb += self.bus.r_data.eq(found)
        m.d.sync += self.bus.r_valid.eq(0)
        with m.If(self.bus.r_en):
            m.d.sync += asked.eq(1)

        def look(address, following):
            m.d.comb += r_port.addr.eq(address)
            m.next = following

        # One adder for all that is counted, and one choice of what is written.
        more, total = Signal(), Signal(bus.WORD)
        kinds = {"host": self.bus.w_data, "total": total, "value": value, "level": level + 1}
        writes = {kind: Signal(name=f"writes_{kind}") for kind in kinds}
        m.d.comb += [more.eq(1), total.eq(found + more)]
        for kind, content in kinds.items():
            with m.If(writes[kind]):
                m.d.comb += w_port.data.eq(content)

        def write(address, kind=None):
            """Write a word, zero if of no kind."""
            m.d.comb += [w_port.en.eq(1), w_port.addr.eq(address)]
            if kind:
                m.d.comb += writes[kind].eq(1)

        def listen():
            """Whatever the host writes, the rate has to be looked up again."""
            with m.If(self.bus.w_en):
                write(self.bus.addr, "host")
                m.next = "LEVEL"

        with m.FSM(init="LEVEL"):
            with m.State("IDLE"):
                m.d.comb += [self.idle.eq(1), r_port.addr.eq(self.bus.addr)]
                m.d.sync += error.eq(self.error)
                with m.If(self.bus.r_en | asked):
                    m.d.sync += [self.bus.r_valid.eq(1), asked.eq(0)]
                with m.If(self.sample):
                    look(SAMPLES, "SAMPLES")
                listen()

            with m.State("SAMPLES"):
                write(SAMPLES, "total")
                m.d.sync += value.eq(total)
                look(WINDOW, "WINDOW")
            with m.State("WINDOW"):
                with m.If(found == 0):
                    look(UNTIL + level, "UNTIL")
                with m.Else():
                    look(COUNTED, "COUNTED")
            with m.State("UNTIL"):
                m.next = "IDLE"
                with m.If(found == value):
                    look(LAST, "LAST")

            with m.State("COUNTED"):
                m.d.sync += value.eq(total)
                look(WINDOW, "FULL")
            with m.State("FULL"):
                look(ERRORS, "ERRORS")
                write(COUNTED)
                with m.If(found != value):
                    m.d.comb += writes["value"].eq(1)
                    m.next = "MORE"
            with m.State("MORE"):
                m.d.comb += more.eq(error)
                write(ERRORS, "total")
                m.next = "IDLE"
            with m.State("ERRORS"):
                m.d.comb += more.eq(error)
                write(ERRORS)
                m.d.sync += value.eq(total)
                look(BEFORE, "BEFORE")
            with m.State("BEFORE"):
                write(BEFORE, "value")
                m.next = "IDLE"
                with m.If(value >= found):
                    look(LAST, "LAST")

            with m.State("LAST"):
                m.next = "IDLE"
                with m.If(found != level):
                    write(LEVEL, "level")
                    m.d.sync += level.eq(level + 1)
                    look(RATES + level + 1, "RATE")
            with m.State("LEVEL"):
                look(LEVEL, "RATES")
                listen()
            with m.State("RATES"):
                m.d.sync += level.eq(found)
                look(RATES + found[:len(level)], "RATE")
                listen()
            with m.State("RATE"):
                m.d.sync += self.rate.eq(found)
                m.next = "IDLE"
                listen()
        return m

"""Sums of several passes, added up."""

from amaranth import *
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out


__all__ = ["Tally"]


class Tally(wiring.Component):
    """Adds up the words that come in each of several passes, place by place.

    Gives what :meth:`model.accumulate.Accumulate.sums` gives of planes that come one after another,
    all of the same weight. Words of all passes but the last are taken at once; those of the last
    leave as they come, as totals, combinational from input to output, and back. The throughput is
    one word a cycle.

    Parameters
    ----------
    top : :class:`int`
        The greatest word in.
    words : :class:`int`
        Words in a pass.
    most : :class:`int`
        Passes at most, at least 2.

    Members
    -------
    samples : :py:`In(range(most + 1))`
        How many passes, at least 1; stays while there is anything here.
    i : :py:`In(stream.Signature(range(top + 1)))`
        Words, of each pass all of them.
    o : :py:`Out(stream.Signature(range(top * most + 1)))`
        Their totals.
    """

    def __init__(self, *, top, words, most):
        for name, value, least in (("The greatest word", top, 1), ("Words", words, 1),
                                   ("Passes", most, 2)):
            if not isinstance(value, int):
                raise TypeError(f"{name} must be an integer, not {value!r}")
            if value < least:
                raise ValueError(f"{name} must be at least {least}, not {value!r}")
        self._words = words
        self._most = most
        super().__init__({
            "samples": In(range(most + 1)),
            "i": In(stream.Signature(range(top + 1))),
            "o": Out(stream.Signature(range(top * most + 1))),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.totals = totals = memory.Memory(
            shape=len(self.o.payload), depth=self._words, init=[])
        w_port = totals.write_port()
        # A word that is alone is read again as soon as it is written.
        r_port = totals.read_port(transparent_for=(w_port,) if self._words == 1 else ())

        # What is there of a place is asked for one cycle ahead.
        place     = Signal(range(self._words))
        following = Signal.like(place)
        taken     = Signal()
        end       = Signal()
        m.d.comb += end.eq(place == self._words - 1)
        m.d.comb += taken.eq(self.i.valid & self.i.ready)
        m.d.comb += following.eq(place)
        with m.If(taken):
            m.d.comb += following.eq(Mux(end, 0, place + 1))
        m.d.sync += place.eq(following)
        m.d.comb += r_port.addr.eq(following)

        index = Signal(range(self._most))
        first = Signal(init=1)   # index == 0
        last  = Signal()
        m.d.comb += last.eq(index + 1 == self.samples)
        with m.If(taken & end):
            m.d.sync += index.eq(Mux(last, 0, index + 1))
            m.d.sync += first.eq(last)

        m.d.comb += self.o.payload.eq(Mux(first, 0, r_port.data) + self.i.payload)
        m.d.comb += self.o.valid.eq(self.i.valid & last)
        m.d.comb += self.i.ready.eq(self.o.ready | ~last)
        m.d.comb += [w_port.en.eq(taken), w_port.addr.eq(place), w_port.data.eq(self.o.payload)]
        return m

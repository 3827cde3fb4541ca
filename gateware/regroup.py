"""Words of one width to words of another."""

from math import gcd

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out


__all__ = ["Regroup"]


class Regroup(wiring.Component):
    """Vectors of bits in words of :py:`i_width` to the same vectors in words of :py:`o_width`.

    Words are cut into units as wide as both widths' greatest common divisor; one unit passes in
    each cycle. The last word of a vector is filled up with zeros, and units past its end are
    dropped. Latency: a word out is valid one cycle after its last unit, or at once where the unit
    is a whole word out; a unit passes in the cycle after its word in was taken, or at once where
    it is a whole word in.

    Parameters
    ----------
    i_width, o_width : :class:`int`
        Bits in a word in, and in a word out.
    i_words, o_words : :class:`int`
        Words in a vector in, and in a vector out. The former may exceed what the latter hold; the
        latter may exceed the former by less than a word.

    Members
    -------
    i : :py:`In(stream.Signature(i_width))`
        Vectors, first bit lowest.
    o : :py:`Out(stream.Signature(o_width))`
        The same.
    """

    def __init__(self, *, i_width, o_width, i_words, o_words):
        self._unit = gcd(i_width, o_width)
        self._i_units = i_words * i_width // self._unit
        self._o_units = o_words * o_width // self._unit
        if self._i_units * self._unit <= (o_words - 1) * o_width:
            raise ValueError(f"Vectors of {o_words} words of {o_width} bits must be shorter than "
                             f"{i_words} words of {i_width} bits by no whole word")
        super().__init__({
            "i": In(stream.Signature(i_width)),
            "o": Out(stream.Signature(o_width)),
        })

    def elaborate(self, platform):
        m = Module()
        i_per = len(self.i.payload) // self._unit
        o_per = len(self.o.payload) // self._unit

        units = stream.Signature(self._unit).create()
        if i_per == 1:
            m.d.comb += units.valid.eq(self.i.valid)
            m.d.comb += units.payload.eq(self.i.payload)
            m.d.comb += self.i.ready.eq(units.ready)
        else:
            left = Signal(range(i_per + 1))
            word = Signal.like(self.i.payload)
            m.d.comb += units.valid.eq(left != 0)
            m.d.comb += units.payload.eq(word)
            m.d.comb += self.i.ready.eq((left == 0) | ((left == 1) & units.ready))
            with m.If(units.valid & units.ready):
                m.d.sync += left.eq(left - 1)
                m.d.sync += word.eq(word >> self._unit)
            with m.If(self.i.valid & self.i.ready):
                m.d.sync += left.eq(i_per)
                m.d.sync += word.eq(self.i.payload)

        count = Signal(range(self._i_units))
        wanted = Signal()
        final  = Signal()
        m.d.comb += wanted.eq(count < self._o_units)
        m.d.comb += final.eq(count == self._i_units - 1)
        with m.If(units.valid & units.ready):
            m.d.sync += count.eq(Mux(final, 0, count + 1))

        if o_per == 1:
            m.d.comb += self.o.valid.eq(units.valid & wanted)
            m.d.comb += self.o.payload.eq(units.payload)
            m.d.comb += units.ready.eq(self.o.ready | ~wanted)
        else:
            slot = Signal(range(o_per))
            full = Signal()
            ends = Signal()
            m.d.comb += self.o.valid.eq(full)
            m.d.comb += units.ready.eq(self.o.ready | ~full)
            m.d.comb += ends.eq((slot == o_per - 1) | final)
            with m.If(full & self.o.ready):
                m.d.sync += full.eq(0)
            with m.If(units.valid & units.ready & wanted):
                m.d.sync += full.eq(ends)
                m.d.sync += slot.eq(Mux(ends, 0, slot + 1))
                for n in range(o_per):
                    with m.If(slot == n):
                        m.d.sync += self.o.payload.word_select(n, self._unit).eq(units.payload)
                    with m.Elif(slot == 0):
                        m.d.sync += self.o.payload.word_select(n, self._unit).eq(0)
        return m

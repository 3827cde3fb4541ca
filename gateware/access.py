"""Words of a bus, written from bytes and read to bytes."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from model.frame import WORD

from . import bus


__all__ = ["Access"]


PATIENCE = 255   # cycles that a read may take; where nothing is mapped, nothing answers


class Access(wiring.Component):
    """Carries out WRITE and READ of :mod:`model.frame`, one word after another.

    All addresses of a write are checked before the first word is written. A word takes six cycles
    to write, and six to read where it is answered in one; both wait for streams. Where nothing
    answers, a read is given up after 256 cycles.

    Parameters
    ----------
    addr_width : :class:`int`
        Bits of an address on :py:`bus`, at most 30.
    writable : :class:`int`
        Width of the addresses that may be written, at most :py:`addr_width`.

    Members
    -------
    start : :py:`In(1)`
        Begin, with what the next three say.
    write : :py:`In(1)`
        Whether to write; stays until the end.
    first : :py:`In(32)`
        Address of the first word. The highest two bits are its place.
    count : :py:`In(8)`
        How many words, at least 1.
    done : :py:`Out(1)`
        High for one cycle when all words were written, or told.
    refused : :py:`Out(1)`
        High for one cycle instead when nothing may be written there, or nothing answers.
    i : :py:`In(stream.Signature(8))`
        Bytes to write.
    o : :py:`Out(stream.Signature(8))`
        Bytes that were read.
    place : :py:`Out(2)`
        Where the address lies: 0 on the accelerator's bus, which alone may be written.
    bus : :py:`Out(bus.Signature(addr_width))`
        Words at that place. The address stays until a read is answered.
    """

    def __init__(self, *, addr_width, writable):
        if not 0 < addr_width <= 30:
            raise ValueError(f"Addresses must be 1 to 30 bits, not {addr_width!r}")
        if not 0 < writable <= addr_width:
            raise ValueError(f"Addresses to write must be 1 to {addr_width} bits, "
                             f"not {writable!r}")
        self._writable = writable
        super().__init__({
            "start": In(1),
            "write": In(1),
            "first": In(bus.WORD),
            "count": In(8),
            "done": Out(1),
            "refused": Out(1),
            "i": In(stream.Signature(8)),
            "o": Out(stream.Signature(8)),
            "place": Out(2),
            "bus": Out(bus.Signature(addr_width)),
        })

    def elaborate(self, platform):
        m = Module()

        width    = self.bus.signature.addr_width
        addr     = Signal(width + 1)   # counting on may lead beyond the last one
        beyond   = Signal()            # the first has more bits than that
        left     = Signal.like(self.count)
        word     = Signal(bus.WORD)
        step     = Signal(range(WORD))
        patience = Signal(range(PATIENCE + 1))
        m.d.comb += self.bus.addr.eq(addr)
        m.d.comb += self.bus.w_data.eq(word)
        m.d.comb += self.o.payload.eq(word)

        def shift(following):
            m.d.sync += word.eq(Cat(word[8:], self.i.payload))
            m.d.sync += step.eq(step + 1)
            with m.If(step == WORD - 1):
                m.next = following

        def count_on(following):
            m.d.sync += addr.eq(addr + 1)
            m.d.sync += left.eq(left - 1)
            m.next = following

        with m.FSM():
            with m.State("WAIT"):
                m.d.sync += addr.eq(self.first[:width])
                m.d.sync += beyond.eq(self.first[width:30].any())
                m.d.sync += self.place.eq(self.first[30:])
                m.d.sync += left.eq(self.count)
                with m.If(self.start):
                    m.next = "FETCH"
                    with m.If(self.write):
                        m.next = "JUDGE"

            with m.State("JUDGE"):
                m.next = "GATHER"
                with m.If(beyond | (self.place != 0) | (addr + left > 1 << self._writable)):
                    m.d.comb += self.refused.eq(1)
                    m.next = "WAIT"

            with m.State("GATHER"):
                with m.If(left == 0):
                    m.d.comb += self.done.eq(1)
                    m.next = "WAIT"
                with m.Else():
                    m.d.comb += self.i.ready.eq(1)
                    with m.If(self.i.valid):
                        shift("STORE")

            with m.State("STORE"):
                m.d.comb += self.bus.w_en.eq(1)
                count_on("GATHER")

            with m.State("FETCH"):
                m.d.sync += patience.eq(PATIENCE)
                with m.If(left == 0):
                    m.d.comb += self.done.eq(1)
                    m.next = "WAIT"
                with m.Else():
                    m.d.comb += self.bus.r_en.eq(~beyond & ~addr[-1])
                    m.next = "REPLY"

            with m.State("REPLY"):
                m.d.sync += patience.eq(patience - 1)
                m.d.sync += word.eq(self.bus.r_data)
                with m.If(self.bus.r_valid):
                    m.next = "TELL"
                with m.Elif(patience == 0):
                    m.d.comb += self.refused.eq(1)
                    m.next = "WAIT"

            with m.State("TELL"):
                m.d.comb += self.o.valid.eq(1)
                with m.If(self.o.ready):
                    shift("FOLLOW")

            with m.State("FOLLOW"):
                count_on("FETCH")

        return m

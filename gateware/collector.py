"""Whole frames out of the bytes of a line."""

import operator

from amaranth import *
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from . import cobs


__all__ = ["Collector"]


class Collector(wiring.Component):
    """Unstuffs frames into a memory of two pages: one fills while the other is in use.

    A frame of fewer than :py:`least` bytes is dropped. Of a longer one than :py:`most`, one byte
    too many is counted and nothing beyond :py:`most` is written. A frame that is complete takes
    the other page as soon as that is free; until then, :py:`i` waits.

    Parameters
    ----------
    least, most : :class:`int`
        Bytes in a frame.

    Members
    -------
    i : :py:`In(stream.Signature(8))`
        Bytes of the line.
    lost : :py:`In(1)`
        High for one cycle when one of them was lost: the frame that it was in is damaged.
    w : :py:`In(memory.WritePort.Signature(addr_width=addr_width, shape=8))`
        The memory; the topmost bit of the address is the page. Never made to wait.
    held : :py:`Out(1)`
        A frame is there.
    page : :py:`Out(1)`
        Where it is.
    count : :py:`Out(range(most + 2))`
        Its bytes, :py:`most + 1` if there were more.
    damaged : :py:`Out(1)`
        Whether it is known to be damaged.
    release : :py:`In(1)`
        The frame, and its page, are no longer needed.
    """

    def __init__(self, *, least, most):
        self._least = operator.index(least)
        self._most  = operator.index(most)
        if not 0 < self._least <= self._most:
            raise ValueError(f"Frames must have at least 1 and at most {most} bytes, not {least!r}")
        addr_width = 1 + ceil_log2(self._most + 2)
        super().__init__({
            "i": In(stream.Signature(8)),
            "lost": In(1),
            "w": In(memory.WritePort.Signature(addr_width=addr_width, shape=8)),
            "held": Out(1),
            "page": Out(1),
            "count": Out(range(self._most + 2)),
            "damaged": Out(1),
            "release": In(1),
        })

    def elaborate(self, platform):
        m = Module()

        m.submodules.decoder = decoder = cobs.Decoder()
        wiring.connect(m, wiring.flipped(self.i), decoder.i)
        item = decoder.o.payload

        # The frame that is coming in.
        count  = Signal.like(self.count)
        lost   = Signal()    # a byte of it
        full   = Signal()    # it is complete
        broken = Signal()
        m.d.comb += decoder.o.ready.eq(~full)
        m.d.comb += self.w.en.eq(decoder.o.valid & ~full & ~item.end & (count != self._most + 1))
        m.d.comb += self.w.addr.eq(Cat(count, ~self.page))
        m.d.comb += self.w.data.eq(item.byte)
        with m.If(self.w.en):
            m.d.sync += count.eq(count + 1)
        with m.If(decoder.o.valid & ~full & item.end):
            m.d.sync += lost.eq(0)
            m.d.sync += broken.eq(lost | item.broken)
            with m.If(count < self._least):
                m.d.sync += count.eq(0)
            with m.Else():
                m.d.sync += full.eq(1)
        with m.If(self.lost):
            m.d.sync += lost.eq(1)

        # The frame that is there.
        with m.If(self.release):
            m.d.sync += self.held.eq(0)
        with m.If(full & ~self.held):
            m.d.sync += full.eq(0)
            m.d.sync += count.eq(0)
            m.d.sync += self.held.eq(1)
            m.d.sync += self.page.eq(~self.page)
            m.d.sync += self.count.eq(count)
            m.d.sync += self.damaged.eq(broken)

        return m

"""Consistent overhead byte stuffing: frames without zeros, so that a zero ends each.

Each byte's place holds the distance to the next zero: first that of the frame's first zero, then
at each zero that of the one after it. The end of the frame counts as a zero.
"""

import operator

from amaranth import *
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out


__all__ = ["item", "Decoder", "Encoder"]


item = data.StructLayout({
    "byte": 8,     # of the frame, unless this is its end
    "end": 1,
    "broken": 1,   # with the end: the distances did not add up
})


class Decoder(wiring.Component):
    """Bytes between delimiters to frames.

    Combinational from stream to stream, and recovers at any delimiter.

    Members
    -------
    i : :py:`In(stream.Signature(8))`
        Bytes of the line.
    o : :py:`Out(stream.Signature(item))`
        Bytes of frames, and an item at the end of each, empty ones included.
    """

    def __init__(self):
        super().__init__({
            "i": In(stream.Signature(8)),
            "o": Out(stream.Signature(item)),
        })

    def elaborate(self, platform):
        m = Module()

        left = Signal(8)    # bytes until the next distance
        zero = Signal()     # a zero comes before that byte, unless the frame ends there
        end  = self.i.payload == 0

        m.d.comb += self.o.payload.byte.eq(Mux(left == 0, 0, self.i.payload))
        m.d.comb += self.o.payload.end.eq(end)
        m.d.comb += self.o.payload.broken.eq(left != 0)
        m.d.comb += self.o.valid.eq(self.i.valid & (end | (left != 0) | zero))
        m.d.comb += self.i.ready.eq(self.o.ready | ~self.o.valid)

        with m.If(self.i.valid & self.i.ready):
            with m.If(end):
                m.d.sync += left.eq(0)
                m.d.sync += zero.eq(0)
            with m.Elif(left == 0):
                m.d.sync += left.eq(self.i.payload - 1)
                m.d.sync += zero.eq(self.i.payload != 0xFF)
            with m.Else():
                m.d.sync += left.eq(left - 1)

        return m


class Encoder(wiring.Component):
    """Writes a frame into a memory, stuffed.

    A distance is known only at the next zero, so it is written there and then, in place of the
    zero: every byte that comes in is one write. The frame's end is one more zero.

    Parameters
    ----------
    size : :class:`int`
        Bytes in the longest frame, at most 253: a longer one would need distances in between.

    Members
    -------
    start : :py:`In(1)`
        Begin a frame. Comes before its bytes, not with them.
    i : :py:`In(stream.Signature(8, always_ready=True))`
        Bytes of the frame, and a zero behind.
    length : :py:`Out(range(size + 3))`
        After that zero: bytes written, and one more.
    w : :py:`In(memory.WritePort.Signature(addr_width=length, shape=8))`
        Access to the memory.
    """

    def __init__(self, *, size):
        self._size = operator.index(size)
        if not 1 <= self._size <= 253:
            raise ValueError(f"Size must be 1 to 253 bytes, not {size!r}")
        length = Shape.cast(range(self._size + 3))
        super().__init__({
            "start": In(1),
            "i": In(stream.Signature(8, always_ready=True)),
            "length": Out(length),
            "w": In(memory.WritePort.Signature(addr_width=length.width, shape=8)),
        })

    @property
    def size(self):
        return self._size

    def elaborate(self, platform):
        m = Module()

        open_ = Signal.like(self.length)    # where the distance to the next zero belongs
        zero  = self.i.payload == 0

        m.d.comb += self.w.en.eq(self.i.valid)
        m.d.comb += self.w.addr.eq(Mux(zero, open_, self.length))
        m.d.comb += self.w.data.eq(Mux(zero, self.length - open_, self.i.payload))

        with m.If(self.start):
            m.d.sync += open_.eq(0)
            m.d.sync += self.length.eq(1)
        with m.Elif(self.i.valid):
            m.d.sync += self.length.eq(self.length + 1)
            with m.If(zero):
                m.d.sync += open_.eq(self.length)

        return m

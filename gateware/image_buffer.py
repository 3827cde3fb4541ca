"""Where a host leaves images for an accelerator."""

import operator

from amaranth import *
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from .regroup import Regroup


__all__ = ["ImageBuffer"]


class ImageBuffer(wiring.Component):
    """Takes images byte by byte, and sends them to an accelerator word by word, again and again.

    An image comes in whole bytes, its first bit lowest, and leaves as words of :py:`width` bits,
    zeros filling up the last. Up to :py:`batch` images lie one behind another. A byte takes one
    cycle for each unit of :class:`gateware.regroup.Regroup` in it, eight at most. From two cycles
    after the start a word is offered in every cycle, so that the accelerator never waits.

    Parameters
    ----------
    width : :class:`int`
        Bits in a word.
    words : :class:`int`
        Words in an image.
    image_bytes : :class:`int`
        Bytes in an image: no fewer than its words have bits, the last word apart.
    batch : :class:`int`
        Images that there is room for.

    Members
    -------
    i : :py:`In(stream.Signature(8))`
        Images, while none are sent. What exceeds the room is lost.
    clear : :py:`In(1)`
        Forget all images, and what there is of another.
    filled : :py:`Out(range(batch * image_bytes + 1))`
        Bytes that came since.
    images : :py:`Out(range(batch + 1))`
        Images that are complete. The last is there for good two cycles after :py:`i` is ready.
    whole : :py:`Out(1)`
        Whether there is nothing besides.
    start : :py:`In(1)`
        Send all images, one after another, :py:`rounds` times. There must be some.
    rounds : :py:`In(16)`
        At least 1; taken with :py:`start`.
    o : :py:`Out(stream.Signature(width))`
        Words of the images.
    last : :py:`Out(1)`
        With a word that is offered: whether it is the last of the last image in a round.
    """

    def __init__(self, *, width, words, image_bytes, batch):
        self._words = operator.index(words)
        self._image_bytes = operator.index(image_bytes)
        self._batch = operator.index(batch)
        if self._batch < 1:
            raise ValueError(f"Batch must be at least 1, not {batch!r}")
        if 8 * self._image_bytes <= (self._words - 1) * width:
            raise ValueError(f"Images of {words} words of {width} bits must be more bytes than "
                             f"{image_bytes!r}")
        super().__init__({
            "i": In(stream.Signature(8)),
            "clear": In(1),
            "filled": Out(range(self._batch * self._image_bytes + 1)),
            "images": Out(range(self._batch + 1)),
            "whole": Out(1),
            "start": In(1),
            "rounds": In(16),
            "o": Out(stream.Signature(width)),
            "last": Out(1),
        })

    def elaborate(self, platform):
        m = Module()

        rows = self._batch * self._words
        m.submodules.cells = cells = memory.Memory(shape=self.o.payload.shape(), depth=rows,
                                                   init=[])
        r_port = cells.read_port()
        w_port = cells.write_port()

        # Take.
        regroup = Regroup(i_width=8, o_width=len(self.o.payload), i_words=self._image_bytes,
                          o_words=self._words)
        m.submodules.regroup = ResetInserter(self.clear)(regroup)
        wiring.connect(m, wiring.flipped(self.i), regroup.i)
        word = regroup.o
        at  = Signal(range(self._image_bytes))
        end = Signal(range(rows + 1))      # rows that are filled
        top = Signal(range(rows))          # the last of them
        m.d.comb += word.ready.eq(1)
        m.d.comb += self.whole.eq(at == 0)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += self.filled.eq(self.filled + 1)
            m.d.sync += at.eq(at + 1)
            with m.If(at == self._image_bytes - 1):
                m.d.sync += at.eq(0)
                m.d.sync += self.images.eq(self.images + 1)
        m.d.comb += w_port.en.eq(word.valid)
        m.d.comb += w_port.addr.eq(end)
        m.d.comb += w_port.data.eq(word.payload)
        with m.If(word.valid):
            m.d.sync += [end.eq(end + 1), top.eq(end)]
        with m.If(self.clear):
            m.d.sync += [self.filled.eq(0), self.images.eq(0), at.eq(0), end.eq(0)]

        # Send. What the memory puts out stays until it is taken.
        row   = Signal(range(rows))
        left  = Signal.like(self.rounds)   # rounds that are not yet read to their ends
        more  = Signal()                   # left != 0
        fetch = Signal()
        final = Signal()
        m.d.comb += fetch.eq(more & (~self.o.valid | self.o.ready))
        m.d.comb += final.eq(row == top)
        m.d.comb += r_port.en.eq(fetch)
        m.d.comb += r_port.addr.eq(row)
        m.d.comb += self.o.payload.eq(r_port.data)
        with m.If(fetch):
            m.d.sync += self.last.eq(final)
            m.d.sync += row.eq(Mux(final, 0, row + 1))
            with m.If(final):
                m.d.sync += [left.eq(left - 1), more.eq(left != 1)]
        with m.If(fetch | self.o.ready):
            m.d.sync += self.o.valid.eq(fetch)
        with m.If(self.start):
            m.d.sync += [left.eq(self.rounds), more.eq(1)]

        return m

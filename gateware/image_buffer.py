"""Where a host leaves an image and finds its scores."""

import operator

from amaranth import *
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from . import bus


__all__ = ["ImageBuffer"]


class ImageBuffer(wiring.Component):
    """Memory between a bus and an accelerator.

    Words of pixels lie first, each in as many words of the bus as it needs, lowest bits first; a
    score for each class lies behind them, its sign extended. A word of pixels is offered after as
    many cycles as it takes words of the bus, so one of up to 32 bits can go in every cycle; with
    wider ones the accelerator waits if it could take them faster.

    Parameters
    ----------
    pixels : shape-castable
        A word of pixels.
    words : :class:`int`
        Words of pixels in an image.
    result : :class:`amaranth.lib.data.StructLayout`
        What :py:`i` brings for a class: :py:`score` of at most 32 bits, :py:`best`, :py:`last`.
    classes : :class:`int`
        How many of those an image yields.

    Members
    -------
    bus : :py:`In(bus.Signature(addr_width))`
        Access while no image is under way; reads are answered one cycle later.
    start : :py:`In(1)`
        Send the image.
    o : :py:`Out(stream.Signature(pixels))`
        Words of pixels.
    i : :py:`In(stream.Signature(result))`
        Scores. Taken while an image is under way; the last one comes after all words of pixels.
    done : :py:`Out(1)`
        High for one cycle when all scores have come.
    best : :py:`Out(result["best"].shape)`
        The best class of the last image.
    cycles : :py:`Out(32)`
        Its time, from the first word of pixels accepted to the last score accepted, counting both.
    """

    def __init__(self, *, pixels, words, result, classes):
        self._words = operator.index(words)
        self._classes = operator.index(classes)
        self._width = Shape.cast(pixels).width
        self._chunks = -(-self._width // bus.WORD)
        if result["score"].width > bus.WORD:
            raise ValueError(f"Scores must be at most {bus.WORD} bits, "
                             f"not {result['score'].width}")
        super().__init__({
            "bus": In(bus.Signature(ceil_log2(self.depth))),
            "start": In(1),
            "o": Out(stream.Signature(pixels)),
            "i": In(stream.Signature(result)),
            "done": Out(1),
            "best": Out(result["best"].shape),
            "cycles": Out(32),
        })

    @property
    def scores(self):
        """Address of the first score."""
        return self._words * self._chunks

    @property
    def depth(self):
        """Number of addresses."""
        return self.scores + self._classes

    def elaborate(self, platform):
        m = Module()

        m.submodules.cells = cells = memory.Memory(shape=bus.WORD, depth=self.depth, init=[])
        r_port = cells.read_port()
        w_port = cells.write_port()

        running = Signal()
        with m.If(self.start):
            m.d.sync += running.eq(1)
        with m.Elif(self.done):
            m.d.sync += running.eq(0)

        # Send. The memory's output holds the last chunk of a word, a register the ones before it.
        addr    = Signal(range(self.scores + 1))
        fetched = Signal()
        last    = Signal()
        fetch   = Signal()
        take    = Signal()
        m.d.comb += take.eq(fetched & (~last | self.o.ready))
        m.d.comb += fetch.eq(running & (addr != self.scores) & (~fetched | take))
        m.d.comb += self.o.valid.eq(fetched & last)
        with m.If(self.start):
            m.d.sync += addr.eq(0)
        with m.Elif(fetch):
            m.d.sync += addr.eq(addr + 1)
        with m.If(fetch | take):
            m.d.sync += fetched.eq(fetch)
        payload = Value.cast(self.o.payload)
        if self._chunks == 1:
            m.d.comb += last.eq(1)
            m.d.comb += payload.eq(r_port.data)
        else:
            before = Signal((self._chunks - 1) * bus.WORD)
            chunk  = Signal(range(self._chunks))
            m.d.comb += last.eq(chunk == self._chunks - 1)
            m.d.comb += payload.eq(Cat(before, r_port.data))
            with m.If(take):
                m.d.sync += chunk.eq(Mux(last, 0, chunk + 1))
                m.d.sync += before.eq(Cat(before, r_port.data)[bus.WORD:])

        # Collect.
        index = Signal(range(self.depth))
        score = self.i.valid & self.i.ready
        m.d.comb += self.i.ready.eq(running)
        m.d.comb += self.done.eq(score & self.i.payload.last)
        with m.If(self.start):
            m.d.sync += index.eq(self.scores)
        with m.Elif(score):
            m.d.sync += index.eq(index + 1)
            m.d.sync += self.best.eq(self.i.payload.best)

        # Count.
        counting = Signal()
        with m.If(self.start):
            m.d.sync += counting.eq(0)
            m.d.sync += self.cycles.eq(0)
        with m.Elif(running & (counting | (self.o.valid & self.o.ready))):
            m.d.sync += counting.eq(1)
            m.d.sync += self.cycles.eq(self.cycles + 1)

        # The bus has the ports while no image is under way.
        m.d.comb += r_port.en.eq(fetch | (self.bus.r_en & ~running))
        m.d.comb += r_port.addr.eq(Mux(running, addr, self.bus.addr))
        m.d.comb += self.bus.r_data.eq(r_port.data)
        m.d.sync += self.bus.r_valid.eq(self.bus.r_en & ~running)
        m.d.comb += w_port.en.eq(Mux(running, score, self.bus.w_en))
        m.d.comb += w_port.addr.eq(Mux(running, index, self.bus.addr))
        m.d.comb += w_port.data.eq(Mux(running, self.i.payload.score, self.bus.w_data))

        return m

"""What an accelerator made of a batch of images."""

import operator

from amaranth import *
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from model.frame import POLYNOMIAL


__all__ = ["Results"]


class Results(wiring.Component):
    """Keeps the scores of a round of images, and counts, times and signs those of all rounds.

    Takes a score in every cycle. The signature is :func:`model.frame.signature`.

    Parameters
    ----------
    result : :class:`amaranth.lib.data.StructLayout`
        What :py:`i` brings for a class: :py:`score` of at most 32 bits, :py:`best`, :py:`last`.
    classes : :class:`int`
        How many of those an image yields.
    batch : :class:`int`
        Images in a round, at most.

    Members
    -------
    start : :py:`In(1)`
        Images will come: forget those before.
    images : :py:`In(range(batch + 1))`
        How many in a round, at least 1; stays while they come.
    rounds : :py:`In(16)`
        How many rounds, at least 1; taken with :py:`start`.
    begin : :py:`In(1)`
        High when the first word of pixels is taken, and as often afterwards as one likes.
    i : :py:`In(stream.Signature(result))`
        Scores, taken while more are to come.
    counted : :py:`Out(1)`
        High for one cycle with the last score of each image.
    done : :py:`Out(1)`
        High for one cycle with the last score of all.
    cycles : :py:`Out(32)`
        Time from the first :py:`begin` to the last score, counting both.
    digest : :py:`Out(32)`
        Signature of all scores and classes that came.
    best : :py:`Out(result["best"].shape)`
        Class of the last image that came.
    addr : :py:`In(range(batch * classes))`
        Score to read; an image's lie one behind another.
    score : :py:`Out(signed(32))`
        That of the last round, one cycle later, while no more are to come.
    best_there : :py:`Out(result["best"].shape)`
        Class of its image, if :py:`score` is the last of it.
    """

    def __init__(self, *, result, classes, batch):
        self._classes = operator.index(classes)
        self._batch = operator.index(batch)
        if result["score"].width > 32:
            raise ValueError(f"Scores must be at most 32 bits, not {result['score'].width}")
        super().__init__({
            "start": In(1),
            "images": In(range(self._batch + 1)),
            "rounds": In(16),
            "begin": In(1),
            "i": In(stream.Signature(result)),
            "counted": Out(1),
            "done": Out(1),
            "cycles": Out(32),
            "digest": Out(32),
            "best": Out(result["best"].shape),
            "addr": In(range(self._batch * self._classes)),
            "score": Out(signed(32)),
            "best_there": Out(result["best"].shape),
        })

    def elaborate(self, platform):
        m = Module()

        came = self.i.payload
        depth = self._batch * self._classes
        score_bits = len(came.score)
        m.submodules.cells = cells = memory.Memory(
            shape=score_bits + len(came.best), depth=depth, init=[])
        r_port = cells.read_port()
        w_port = cells.write_port()
        m.d.comb += r_port.addr.eq(self.addr)
        m.d.comb += self.score.eq(r_port.data[:score_bits].as_signed())
        m.d.comb += self.best_there.eq(r_port.data[score_bits:])

        left  = Signal.like(self.rounds)
        more  = Signal()    # left != 0, as soon as it is so: much waits for it
        index = Signal(range(depth))
        image = Signal(range(max(2, self._batch)))
        top   = Signal.like(image)   # the last of a round
        taken = Signal()
        final = Signal()
        m.d.comb += self.i.ready.eq(more)
        m.d.comb += taken.eq(self.i.valid & self.i.ready)
        m.d.comb += final.eq(image == top)
        m.d.comb += self.counted.eq(taken & came.last)
        m.d.comb += self.done.eq(self.counted & final & (left == 1))
        m.d.comb += w_port.en.eq(taken)
        m.d.comb += w_port.addr.eq(index)
        m.d.comb += w_port.data.eq(Cat(came.score, came.best))
        with m.If(taken):
            m.d.sync += index.eq(index + 1)
            # The signature register, as in signature analysis (Frohwerk, 1977).
            ahead = Mux(self.digest[-1], POLYNOMIAL, 0) ^ (self.digest << 1)
            place = Mux(came.last, Cat(C(0, 16), came.best), 0)
            m.d.sync += self.digest.eq(ahead ^ came.score ^ place)
        with m.If(self.counted):
            m.d.sync += self.best.eq(came.best)
            m.d.sync += image.eq(image + 1)
            with m.If(final):
                m.d.sync += [image.eq(0), index.eq(0)]
                m.d.sync += left.eq(left - 1)
                m.d.sync += more.eq(left != 1)

        counting = Signal()
        with m.If(more & (counting | self.begin)):
            m.d.sync += counting.eq(1)
            m.d.sync += self.cycles.eq(self.cycles + 1)

        with m.If(self.start):
            m.d.sync += [left.eq(self.rounds), more.eq(1)]
            m.d.sync += top.eq(self.images - 1)
            m.d.sync += [self.cycles.eq(0), self.digest.eq(0), counting.eq(0)]

        return m

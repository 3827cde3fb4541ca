"""Which score is the greatest."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .scores import greatest, layout


__all__ = ["Best"]


class Best(wiring.Component):
    """Marks the last score of each image, and says beside it which was the greatest.

    It is chosen as by :func:`model.scores.argmax`. One score a cycle; combinational from input to
    output, and back.

    Parameters
    ----------
    classes, words : :class:`int`
        Scores of an image, and how many come in all: those behind the last class are dropped.
    score_bits : :class:`int`
        Width of a score.

    Members
    -------
    i : :py:`In(stream.Signature(signed(score_bits)))`
        Scores, in the order of the classes.
    o : :py:`Out(stream.Signature(layout(classes, score_bits)))`
        The same; :py:`best` is the first of the greatest so far.
    """

    def __init__(self, *, classes, words, score_bits):
        if words < classes:
            raise ValueError(f"Words must be at least the {classes} classes, not {words!r}")
        self._classes = classes
        self._words = words
        super().__init__({
            "i": In(stream.Signature(signed(score_bits))),
            "o": Out(stream.Signature(layout(classes, score_bits))),
        })

    def elaborate(self, platform):
        m = Module()
        index = Signal(range(self._words))
        real  = Signal()
        score = self.i.payload
        m.d.comb += [real.eq(index < self._classes),
                     self.o.valid.eq(self.i.valid & real),
                     self.i.ready.eq(self.o.ready | ~real),
                     self.o.payload.score.eq(score),
                     self.o.payload.best.eq(greatest(
                         m, self._classes, index, score, self.o.valid & self.o.ready)),
                     self.o.payload.last.eq(index == self._classes - 1)]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += index.eq(Mux(index == self._words - 1, 0, index + 1))
        return m

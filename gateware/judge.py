"""Whether an image has to be learned, and from which class it is to be told apart."""

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from model.checks import check_range

from .scores import greatest, layout


__all__ = ["LABEL", "Judge"]


LABEL = 8   # bits of a label


class Judge(wiring.Component):
    """Sends the scores of an image, and judges them on their way.

    A score a cycle from the cycle after :py:`start` on; :py:`done` comes in the cycle after the
    last one was taken.

    Parameters
    ----------
    classes : :class:`int`
        At least 2.
    score_bits : :class:`int`
        Width of a score.
    margin : :class:`int`
        By which the right class has to win, or the image is learned.

    Members
    -------
    start : :py:`In(1)`
        Begin.
    label : :py:`In(LABEL)`
        The right class; if there is none of that number, nothing is learned. It stays until all is
        done.
    scores : :py:`In(data.ArrayLayout(signed(score_bits), classes))`
        They stay until all is done.
    o : :py:`Out(stream.Signature(layout(classes, score_bits)))`
        The scores, in the order of the classes, and beside each the first of the greatest so far.
    done : :py:`Out(1)`
        High for one cycle; from then on until the next start the others say what was found.
    learns : :py:`Out(1)`
        Whether the right class does not win by the margin.
    known : :py:`Out(1)`
        Whether there is a right class; with :py:`label`.
    wrong : :py:`Out(1)`
        Whether another class was chosen.
    rival : :py:`Out(range(classes))`
        The first of the greatest of all others.
    """

    def __init__(self, *, classes, score_bits, margin):
        check_range("Classes", classes, 2, 1 << LABEL)
        check_range("Bits of a score", score_bits, 1)
        check_range("Margin", margin, 0)
        self._classes = classes
        self._margin = margin
        super().__init__({
            "start": In(1),
            "label": In(LABEL),
            "scores": In(data.ArrayLayout(signed(score_bits), classes)),
            "o": Out(stream.Signature(layout(classes, score_bits))),
            "done": Out(1),
            "learns": Out(1),
            "known": Out(1),
            "wrong": Out(1),
            "rival": Out(range(classes)),
        })

    def elaborate(self, platform):
        m = Module()
        place = Signal(range(self._classes))
        going = Signal()
        begun = Signal()                           # there was another
        score = Signal.like(self.o.payload.score)
        right, rival_score = Signal.like(score), Signal.like(score)
        ours  = place == self.label
        taken = self.o.valid & self.o.ready
        last  = place == self._classes - 1
        best  = greatest(m, self._classes, place, score, taken)
        m.d.comb += [score.eq(self.scores[place]), self.o.valid.eq(going),
                     self.o.payload.score.eq(score), self.o.payload.best.eq(best),
                     self.o.payload.last.eq(last)]
        with m.If(self.start):
            m.d.sync += [going.eq(1), place.eq(0), begun.eq(0)]
        with m.If(taken):
            m.d.sync += place.eq(place + 1)
            with m.If(ours):
                m.d.sync += right.eq(score)
            with m.Elif(~begun | (score > rival_score)):
                m.d.sync += [begun.eq(1), self.rival.eq(place), rival_score.eq(score)]
            with m.If(last):
                m.d.sync += [going.eq(0), self.wrong.eq(best != self.label)]
        m.d.sync += self.done.eq(taken & last)
        m.d.comb += self.known.eq(self.label < self._classes)
        m.d.comb += self.learns.eq(self.known & (right - rival_score < self._margin))
        return m

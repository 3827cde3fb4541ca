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

    A score a cycle from the cycle after :py:`start` on, but the last, which is judged in its turn
    and waits until it is released. :py:`done` comes in the cycle after that turn.

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
        Begin; only where it is not busy.
    release : :py:`In(1)`
        High for one cycle from :py:`done` on: the last score may leave, in this cycle already.
    busy : :py:`Out(1)`
        Whether some score has not left yet.
    label : :py:`In(LABEL)`
        The right class; if there is none of that number, nothing is learned. It stays until all is
        done.
    scores : :py:`In(data.ArrayLayout(signed(score_bits), classes))`
        They stay while it is busy.
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
            "release": In(1),
            "busy": Out(1),
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
        ahead = Signal.like(place)                 # of the score that comes next
        begun = Signal()                           # there was another
        judged, free = Signal(), Signal()          # the last one is, and is released
        score = Signal.like(self.o.payload.score)
        rival_score = Signal.like(score)
        enough = Signal.like(score - self._margin)   # of a rival's score, to learn
        ours  = place == self.label
        last  = place == self._classes - 1
        turn  = self.busy & ~judged & (last | self.o.ready)
        best  = greatest(m, self._classes, place, score, turn)
        m.d.comb += [self.o.valid.eq(self.busy & (~last | (judged & (free | self.release)))),
                     self.o.payload.score.eq(score), self.o.payload.best.eq(best),
                     self.o.payload.last.eq(last)]
        with m.If(self.start):
            m.d.sync += [self.busy.eq(1), place.eq(0), begun.eq(0), judged.eq(0), free.eq(0),
                         score.eq(self.scores[0]), ahead.eq(1)]
        with m.If(self.release):
            m.d.sync += free.eq(1)
        with m.If(judged & self.o.valid & self.o.ready):
            m.d.sync += self.busy.eq(0)
        with m.If(turn):
            m.d.sync += judged.eq(last)
            with m.If(~last):
                m.d.sync += [place.eq(ahead), score.eq(self.scores[ahead]), ahead.eq(ahead + 1)]
            with m.If(ours):
                m.d.sync += enough.eq(score - self._margin)
            with m.Elif(~begun | (score > rival_score)):
                m.d.sync += [begun.eq(1), self.rival.eq(place), rival_score.eq(score)]
            with m.If(last):
                m.d.sync += self.wrong.eq(best != self.label)
        m.d.sync += self.done.eq(turn & last)
        m.d.comb += self.known.eq(self.label < self._classes)
        m.d.comb += self.learns.eq(self.known & (rival_score > enough))
        return m

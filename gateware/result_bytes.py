"""What an answer tells of a batch of images."""

import operator

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from model.frame import CLASS, WORD


__all__ = ["ResultBytes"]


class ResultBytes(wiring.Component):
    """Gives out results byte by byte, as the answers to INFER and REPEAT have them.

    To INFER that is :class:`model.frame.Run`: the time, and for each image its scores, if they are
    asked for, and its class. To REPEAT it is :class:`model.frame.Repeated`: time and signature.
    A byte takes one cycle; a score takes one more, and two where it is left out.

    Parameters
    ----------
    classes : :class:`int`
        How many scores an image has.
    batch : :class:`int`
        Images, at most.
    score_bytes : :class:`int`
        Bytes of a score, at most 4.
    best : shape
        Of a class.

    Members
    -------
    start : :py:`In(1)`
        Begin. All that comes in stays until :py:`done`.
    repeated : :py:`In(1)`
        Whether to answer REPEAT.
    shown : :py:`In(1)`
        Whether scores are asked for.
    images : :py:`In(range(batch + 1))`
        How many images there are, at least 1.
    cycles : :py:`In(32)`
        What it took.
    digest : :py:`In(32)`
        Signature of the results.
    addr : :py:`Out(range(batch * classes))`
        Score to read; an image's lie one behind another.
    score : :py:`In(signed(32))`
        That score, one cycle later.
    best : :py:`In(best)`
        Class of its image, if :py:`score` is the last of it.
    o : :py:`Out(stream.Signature(8))`
        Bytes of the answer.
    done : :py:`Out(1)`
        High for one cycle when the last of them is taken.
    """

    def __init__(self, *, classes, batch, score_bytes, best):
        self._classes = operator.index(classes)
        self._score_bytes = operator.index(score_bytes)
        if not 1 <= self._score_bytes <= 4:
            raise ValueError(f"Scores must be 1 to 4 bytes, not {score_bytes!r}")
        super().__init__({
            "start": In(1),
            "repeated": In(1),
            "shown": In(1),
            "images": In(range(batch + 1)),
            "cycles": In(32),
            "digest": In(32),
            "addr": Out(range(batch * self._classes)),
            "score": In(signed(32)),
            "best": In(best),
            "o": Out(stream.Signature(8)),
            "done": Out(1),
        })

    def elaborate(self, platform):
        m = Module()

        images = Signal.like(self.images)        # to come
        left   = Signal(range(self._classes))    # scores to come after this one
        step   = Signal(range(2 * WORD))

        def say(data, last):
            """Give out a byte; whether it was the last of its kind."""
            m.d.comb += self.o.valid.eq(1)
            m.d.comb += self.o.payload.eq(Value.cast(data).word_select(step, 8))
            with m.If(self.o.ready):
                m.d.sync += step.eq(step + 1)
                with m.If(last):
                    m.d.sync += step.eq(0)
            return self.o.ready & last

        def follow(then):
            m.d.sync += self.addr.eq(self.addr + 1)
            m.d.sync += left.eq(then)
            m.next = "PAUSE"

        with m.FSM():
            with m.State("WAIT"):
                m.d.sync += self.addr.eq(0)
                m.d.sync += left.eq(self._classes - 1)
                m.d.sync += images.eq(self.images)
                with m.If(self.start):
                    m.next = "TIME"

            with m.State("TIME"):
                with m.If(say(Cat(self.cycles, self.digest), Mux(
                        self.repeated, step == 2 * WORD - 1, step == WORD - 1))):
                    m.next = "SCORE"
                    with m.If(self.repeated):
                        m.d.comb += self.done.eq(1)
                        m.next = "WAIT"

            # The score at `addr` is there now.
            with m.State("SCORE"):
                told = ~self.shown
                with m.If(self.shown):
                    told |= say(self.score, step == self._score_bytes - 1)
                with m.If(told):
                    with m.If(left == 0):
                        m.next = "CLASS"
                    with m.Else():
                        follow(left - 1)

            with m.State("CLASS"):
                with m.If(say(self.best, step == CLASS - 1)):
                    m.d.sync += images.eq(images - 1)
                    follow(self._classes - 1)
                    with m.If(images == 1):
                        m.d.comb += self.done.eq(1)
                        m.next = "WAIT"

            with m.State("PAUSE"):
                m.next = "SCORE"

        return m

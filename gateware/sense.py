"""What the end of a bit line makes of its count."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

import model.sense

from .samples import chosen


__all__ = ["Sense"]


class Sense(wiring.Component):
    """Adds up a tile's count of one bit line, word by word, and senses it.

    Computes what :class:`model.sense.Sense` computes, of all words since the first of the tile. The
    planes of a word come one after another, and each is counted by itself. The throughput is one
    word a cycle and the latency :py:`latency` = 1 cycle, counted in cycles in which :py:`en` is
    high.

    Parameters
    ----------
    simd : :class:`int`
        The greatest count of a word.
    planes : :class:`int`
        Counts that take turns, at least 1.
    sampled : :class:`bool`
        Whether fewer may, and :py:`samples` says how many; :py:`planes` is then a power of two.
    words : :class:`int`
        Words in a tile, at least 1.
    rows, edge : :class:`int`
        Word lines that are driven in a tile, and in the last one.
    sense : :class:`str` or :class:`int`
        How it is sensed, as :class:`model.sense.Sense` has it.

    Members
    -------
    samples : :py:`In(range(planes + 1))`
        How many counts take turns, a power of two. Only if :py:`sampled`.
    en : :py:`In(1)`
        Whether there is a word; while low, :py:`o` holds.
    first : :py:`In(1)`
        Whether it is a tile's first.
    last : :py:`In(1)`
        Whether it ends the last tile.
    i : :py:`In(range(simd + 1))`
        Cells that agree in this word.
    o : :py:`Out(range(rows + 1))`
        What those of the tile so far are sensed as; meant for its last word.
    """

    latency = 1

    def __init__(self, *, simd, planes, words, rows, edge, sense, sampled=False):
        self._planes = planes
        self._words = words
        self._rows  = model.sense.Sense(rows, sense)
        self._edge  = model.sense.Sense(edge, sense)
        self._sampled = sampled
        super().__init__({
            **({"samples": In(range(planes + 1))} if sampled else {}),
            "en": In(1),
            "first": In(1),
            "last": In(1),
            "i": In(range(simd + 1)),
            "o": Out(range(rows + 1)),
        })

    def elaborate(self, platform):
        m = Module()
        # No reset: what is there before a tile's first word is never looked at.
        sensed = Signal.like(self.o, reset_less=True)
        count  = Signal.like(self.o)
        m.d.comb += self.o.eq(sensed)
        if self._words == 1:
            m.d.comb += count.eq(self.i)
        else:
            held = [Signal.like(self.o, name=f"held_{n}", reset_less=True)
                    for n in range(self._planes)]
            # The counts of all planes go round, and the one that is next is the oldest.
            oldest = held[-1]
            if self._sampled:
                oldest = chosen(self.samples, [held[(1 << bit) - 1]
                                               for bit in range(len(self.samples))])
            m.d.comb += count.eq(Mux(self.first, 0, oldest) + self.i)
            with m.If(self.en):
                for after, before in zip(held, [count, *held], strict=False):
                    m.d.sync += after.eq(before)

        with m.If(self.en):
            if self._edge != self._rows:
                with m.If(self.last):
                    self._sense(m, sensed, count, self._edge)
                with m.Else():
                    self._sense(m, sensed, count, self._rows)
            else:
                self._sense(m, sensed, count, self._rows)
        return m

    def _sense(self, m, sensed, count, converter):
        if converter.exact:
            m.d.sync += sensed.eq(count)
            return
        m.d.sync += sensed.eq(0)
        for least, value in converter.steps:
            with m.If(count >= least):
                m.d.sync += sensed.eq(value)

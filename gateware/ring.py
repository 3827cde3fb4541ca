"""Words of an image that go round and round."""

from amaranth import *
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from model.checks import check_range

from .total import Total


__all__ = ["Ring"]


class Ring(wiring.Component):
    """Buffer that holds an image while another comes, and sends its words in turn, again and again.

    Words of nothing but zeros are left out as long as :py:`least` words remain. A word is taken in
    each cycle while there is room. The cycle after the last word of an image is the first in which
    it can :py:`start`; from the next one on there is a word in every cycle, the first one first,
    and after the last one the first again, until :py:`end`, after which another image can start.

    Parameters
    ----------
    simd, bits : :class:`int`
        Activations in a word, and bits of each.
    words : :class:`int`
        Words of an image.
    least : :class:`int`
        Words that are kept at least, at most :py:`words`; all of them are if it is that.

    Members
    -------
    i : :py:`In(stream.Signature(data.ArrayLayout(bits, simd)))`
        Images.
    room : :py:`In(1)`
        Whether an image may start.
    end : :py:`In(1)`
        Let go of the image.
    start : :py:`Out(1)`
        Whether one starts in this cycle.
    word : :py:`Out(data.ArrayLayout(bits, simd))`
        A word of the image.
    index : :py:`Out(range(words))`
        Which of all words it is.
    rounds : :py:`Out(range(words + 1))`
        Words that go round, from :py:`start` to :py:`end`.
    total : :py:`Out(range(words * simd * (2 ** bits - 1) + 1))`
        The image's activations added up, as long.
    """

    def __init__(self, *, simd, bits, words, least=1):
        for name, value in (("SIMD", simd), ("Bits", bits), ("Words", words), ("Least", least)):
            check_range(name, value, 1)
        if least > words:
            raise ValueError(f"Least must be at most the {words} words of an image, not {least!r}")
        self._simd, self._bits = simd, bits
        self._words, self._least = words, least
        word = data.ArrayLayout(bits, simd)
        super().__init__({
            "i": In(stream.Signature(word)),
            "room": In(1),
            "end": In(1),
            "start": Out(1),
            "word": Out(word),
            "index": Out(range(words)),
            "rounds": Out(range(words + 1)),
            "total": Out(range(words * simd * (2 ** bits - 1) + 1)),
        })

    def elaborate(self, platform):
        m = Module()
        entry = data.StructLayout({"word": self.word.shape(), "index": self.index.shape()})
        place_bits = ceil_log2(self._words)
        m.submodules.cells = cells = memory.Memory(shape=entry, depth=2 << place_bits, init=[])
        w_port, r_port = cells.write_port(), cells.read_port()
        m.submodules.sum = sum_ = Total(count=self._simd, bits=self._bits)
        rounds = Signal(data.ArrayLayout(self.rounds.shape(), 2))
        totals = Signal(data.ArrayLayout(self.total.shape(), 2))
        full   = Signal(data.ArrayLayout(1, 2))

        # Take.
        bank  = Signal()
        index = Signal(range(self._words))
        kept  = Signal(range(self._words))                     # before this word
        out   = Signal(range(self._words - self._least + 1))   # words left out
        added = Signal(range((self._words - 1) * self._simd * (2 ** self._bits - 1) + 1))
        taken = Signal()
        last  = Signal()
        m.d.comb += [self.i.ready.eq(~full[bank]),
                     taken.eq(self.i.valid & self.i.ready),
                     last.eq(index == self._words - 1),
                     sum_.i.eq(self.i.payload),
                     w_port.addr.eq(Cat(kept, bank)),
                     w_port.data.word.eq(self.i.payload), w_port.data.index.eq(index)]
        keep = Signal()
        m.d.comb += keep.eq(Value.cast(self.i.payload).any() | (out == self._words - self._least))
        m.d.comb += w_port.en.eq(taken & keep)
        with m.If(taken):
            m.d.sync += [index.eq(index + 1), kept.eq(kept + keep), out.eq(out + ~keep),
                         added.eq(added + sum_.o)]
            with m.If(last):
                m.d.sync += [index.eq(0), kept.eq(0), out.eq(0), added.eq(0), bank.eq(~bank),
                             full[bank].eq(1), rounds[bank].eq(kept + keep),
                             totals[bank].eq(added + sum_.o)]

        # Send.
        going = Signal()
        turn  = Signal()
        place = Signal(place_bits)
        m.d.comb += [self.start.eq(~going & full[turn] & self.room),
                     self.rounds.eq(rounds[turn]),
                     self.total.eq(totals[turn]),
                     r_port.addr.eq(Cat(place, turn)),
                     self.word.eq(r_port.data.word), self.index.eq(r_port.data.index)]
        with m.If(self.start):
            m.d.sync += going.eq(1)
        with m.If(self.start | going):
            m.d.sync += place.eq(Mux(place + 1 == self.rounds, 0, place + 1))
        with m.If(self.end):
            m.d.sync += [going.eq(0), place.eq(0), turn.eq(~turn), full[turn].eq(0)]
        return m

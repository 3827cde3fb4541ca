"""Words of an image that go round and round."""

from amaranth import *
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from model.checks import check_range

from .family import family
from .memories import attributes
from .total import Total


__all__ = ["Ring"]


class Ring(wiring.Component):
    """Buffer that holds an image while another comes, and sends its words in turn, again and again.

    Activations come a few at a time, which words are made of; those that the last word lacks are
    zeros, and the first of it. Words of nothing but zeros are left out as long as :py:`least` words
    remain. What comes is taken in each cycle while there is room. The second cycle after the last
    of an image is the first in which it can :py:`start`; from the next one on there is a word in
    every cycle, the first one first, and after the last one the first again, until :py:`end`, after
    which another image can start.

    Parameters
    ----------
    simd, bits : :class:`int`
        Activations in a word, and bits of each.
    words : :class:`int`
        Words of an image.
    pixels : :class:`int`, or None
        Activations that come at once, a divisor of :py:`simd`, which it is if None.
    entering : :class:`int`, or None
        How often some come for an image; as often as fill all words if None.
    least : :class:`int`
        Words that are kept at least, at most :py:`words`; all of them are if it is that.
    grain : :class:`int`
        Bits by which :py:`total` is too fine to be of use.

    Members
    -------
    i : :py:`In(stream.Signature(data.ArrayLayout(bits, pixels)))`
        Images, the first activation of each lowest.
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
    total : :py:`Out(range(most + 1))`
        The image's activations added up, as long; in units of 2^:py:`grain`, rounded up.
    """

    def __init__(self, *, simd, bits, words, pixels=None, entering=None, least=1, grain=0):
        for name, value in (("SIMD", simd), ("Bits", bits), ("Words", words), ("Least", least)):
            check_range(name, value, 1)
        check_range("Grain", grain, 0)
        if least > words:
            raise ValueError(f"Least must be at most the {words} words of an image, not {least!r}")
        pixels = simd if pixels is None else pixels
        check_range("Pixels", pixels, 1, simd)
        if simd % pixels:
            raise ValueError(f"Pixels must divide the {simd} activations of a word, not {pixels!r}")
        parts = simd // pixels
        entering = words * parts if entering is None else entering
        check_range("Entering", entering, (words - 1) * parts + 1, words * parts)
        self._simd, self._bits = simd, bits
        self._words, self._least = words, least
        self._pixels, self._entering = pixels, entering
        self._grain = grain
        word = data.ArrayLayout(bits, simd)
        most = -(-entering * pixels * (2 ** bits - 1) >> grain)
        super().__init__({
            "i": In(stream.Signature(data.ArrayLayout(bits, pixels))),
            "room": In(1),
            "end": In(1),
            "start": Out(1),
            "word": Out(word),
            "index": Out(range(words)),
            "rounds": Out(range(words + 1)),
            "total": Out(range(most + 1)),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.sum = sum_ = Total(count=self._pixels, bits=self._bits)
        rounds = Signal(data.ArrayLayout(self.rounds.shape(), 2))
        totals = Signal(data.ArrayLayout(self.total.shape(), 2))
        full   = Signal(data.ArrayLayout(1, 2))

        # Take, and look at it in the next cycle: where it comes from may be far away.
        taken, last, bank = Signal(), Signal(), Signal()
        came = Signal(range(self._entering))   # before what comes
        m.d.comb += [self.i.ready.eq(~full[bank]), taken.eq(self.i.valid & self.i.ready),
                     last.eq(taken & (came == self._entering - 1))]
        seen = Signal(data.StructLayout({"payload": self.i.payload.shape(), "valid": 1, "last": 1,
                                         "bank": 1}))
        m.d.sync += [seen.payload.eq(self.i.payload), seen.valid.eq(taken), seen.last.eq(last),
                     seen.bank.eq(bank)]
        with m.If(taken):
            m.d.sync += came.eq(came + 1)
        with m.If(last):
            m.d.sync += [came.eq(0), bank.eq(~bank)]

        index = Signal(range(self._words))
        kept  = Signal(range(self._words))                     # before this word
        out   = Signal(range(self._words - self._least + 1))   # words left out
        rounding = (1 << self._grain) - 1
        added = Signal(range(
            (self._entering - 1) * self._pixels * (2 ** self._bits - 1) + rounding + 1),
            init=rounding)
        # Those of a word that have come, the latest above the others.
        coming = Value.cast(seen.payload)
        some = coming.any()   # of them is no zero
        whole = seen.valid    # the word is complete
        parts = self._simd // self._pixels
        if parts > 1:
            part = Signal(range(parts))
            held = Signal((self._simd - self._pixels) * self._bits)
            held_some = Signal()
            coming = Cat(held, coming)
            some |= held_some
            whole &= (part == parts - 1) | seen.last
            with m.If(seen.valid):
                m.d.sync += [part.eq(part + 1), held.eq(coming >> self._pixels * self._bits),
                             held_some.eq(some)]
            with m.If(whole):
                m.d.sync += [part.eq(0), held.eq(0), held_some.eq(0)]
        keep = Signal()
        m.d.comb += [keep.eq(some | (out == self._words - self._least)),
                     sum_.i.eq(seen.payload)]
        with m.If(seen.valid):
            m.d.sync += added.eq(added + sum_.o)
        with m.If(whole):
            m.d.sync += [index.eq(index + 1), kept.eq(kept + keep), out.eq(out + ~keep)]
        with m.If(seen.last):
            m.d.sync += [index.eq(0), kept.eq(0), out.eq(0), added.eq(rounding),
                         full[seen.bank].eq(1), rounds[seen.bank].eq(kept + keep),
                         totals[seen.bank].eq(added + sum_.o >> self._grain)]

        # Send.
        going = Signal()
        turn  = Signal()
        place = Signal(ceil_log2(self._words))
        m.d.comb += [self.start.eq(~going & full[turn] & self.room),
                     self.rounds.eq(rounds[turn]),
                     self.total.eq(totals[turn])]
        with m.If(self.start):
            m.d.sync += going.eq(1)
        with m.If(self.start | going):
            m.d.sync += place.eq(Mux(place + 1 == self.rounds, 0, place + 1))
        with m.If(self.end):
            m.d.sync += [going.eq(0), place.eq(0), turn.eq(~turn), full[turn].eq(0)]

        # Kept apart, since what is small need not be in a block RAM, which takes long to answer:
        # from an index there is an adder to go, and then all the way to where the weights are.
        depth = 2 << len(place)
        small = attributes(len(self.index), depth, family(platform))
        for name, out, into, attrs in (("words", self.word, coming, {}),
                                       ("indices", self.index, index, small)):
            if not len(Value.cast(out)):
                continue   # there is one word, and Yosys would stumble over a memory of no bits
            m.submodules[name] = cells = memory.Memory(
                shape=out.shape(), depth=depth, init=[], attrs=attrs)
            w_port, r_port = cells.write_port(), cells.read_port()
            m.d.comb += [w_port.en.eq(whole & keep), w_port.addr.eq(Cat(kept, seen.bank)),
                         w_port.data.eq(into),
                         r_port.addr.eq(Cat(place, turn)), out.eq(r_port.data)]
        return m

"""Pixels to bits drawn with a probability: numbers, and comparators."""

from functools import reduce
from math import gcd
from operator import xor

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from model.stochastic import FRESH, PLACES, bits_of

from .lfsr import Lfsr, leap


__all__ = ["Stochastic"]


class _Turn:
    """Which sample's bits are drawn now, and what is next once a word of them has left."""

    def __init__(self, most):
        self.sample = Signal(range(most))
        self.moves  = Signal()         # a word leaves
        self.next_sample  = Signal()   # after it comes another sample,
        self.first_sample = Signal()   # which is the first one again;
        self.next_word    = Signal()   # another word of pixels,
        self.first_word   = Signal()   # which is the first one again

    def count(self, m, word):
        with m.If(self.next_sample):
            m.d.sync += self.sample.eq(Mux(self.first_sample, 0, self.sample + 1))
        with m.If(self.next_word):
            m.d.sync += word.eq(Mux(self.first_word, 0, word + 1))


class Stochastic(wiring.Component):
    """Bits of pixels, set where a pixel is greater than a number.

    Computes what :class:`model.stochastic.Stochastic` computes: each word of pixels becomes as many
    words of bits as there are samples. Where samples are kept apart, it becomes one of them, and a
    vector comes :py:`times` times for each sample. The numbers of all pixels of
    a word come of one LFSR, leapt forward by wires and exclusive ors, or of the indices of pixel
    and sample. They begin anew with each vector, and vectors of a batch share them. The throughput
    is one word out a cycle; combinational from input to output, and back.

    Parameters
    ----------
    spec : :class:`model.stochastic.Stochastic`
        Samples at most, and how numbers are made.
    simd : :class:`int`
        Pixels of a vector in a word.
    inputs : :class:`int`
        Pixels of a vector.
    batch : :class:`int`
        Vectors that come side by side.
    times : :class:`int`, or None
        How often each comes for a sample, where samples are kept apart; None where they are not.

    Members
    -------
    samples : :py:`In(range(spec.most + 1))`
        How many to draw, a power of two; stays while there is anything here. Not where
        :py:`spec.most` is 1.
    i : :py:`In(stream.Signature(data.ArrayLayout(spec.bits, simd * batch)))`
        Pixels, those of the first vector lowest; zeros fill up the last word of a vector.
    o : :py:`Out(stream.Signature(simd * batch))`
        One bit of each.
    """

    def __init__(self, spec, *, simd, inputs, batch=1, times=None):
        self._spec = spec
        self._simd = simd
        self._inputs = inputs
        self._batch = batch
        self._times = times
        super().__init__({
            **({"samples": In(range(spec.most + 1))} if spec.most > 1 else {}),
            "i": In(stream.Signature(data.ArrayLayout(spec.bits, simd * batch))),
            "o": Out(stream.Signature(simd * batch)),
        })

    def elaborate(self, platform):
        m = Module()
        spec = self._spec
        turn = self._together(m) if self._times is None else self._apart(m)
        make = {"lfsr": self._lfsr, "lfsr-rotate": self._shared, "lfsr-bank": self._shared,
                "vdc": self._vdc, "vdc-xor": self._vdc_xor}[spec.generator]
        for n, number in enumerate(make(m, turn)):
            for vector in range(self._batch):
                place = vector * self._simd + n
                m.d.comb += self.o.payload[place].eq(self.i.payload[place] > number)
        return m

    @property
    def _words(self):
        return -(-self._inputs // self._simd)

    def _last(self, sample):
        """Whether a sample is the last one."""
        return C(1, 1) if self._spec.most == 1 else sample + 1 == self.samples

    def _together(self, m):
        """All samples of a word, and then the next word."""
        turn = _Turn(self._spec.most)
        word = Signal(range(self._words))
        last = self._last(turn.sample)
        m.d.comb += self.o.valid.eq(self.i.valid)
        m.d.comb += self.i.ready.eq(self.o.ready & last)
        m.d.comb += turn.moves.eq(self.o.valid & self.o.ready)
        m.d.comb += turn.next_sample.eq(turn.moves)
        m.d.comb += turn.first_sample.eq(turn.moves & last)
        m.d.comb += turn.next_word.eq(turn.moves & last)
        m.d.comb += turn.first_word.eq(turn.next_word & (word == self._words - 1))
        turn.count(m, word)
        return turn

    def _apart(self, m):
        """All words, as often as a vector comes for a sample, and then the next sample."""
        turn = _Turn(self._spec.most)
        word = Signal(range(self._words))
        time = Signal(range(self._times))
        m.d.comb += self.o.valid.eq(self.i.valid)
        m.d.comb += self.i.ready.eq(self.o.ready)
        m.d.comb += turn.moves.eq(self.o.valid & self.o.ready)
        m.d.comb += turn.next_word.eq(turn.moves)
        m.d.comb += turn.first_word.eq(turn.moves & (word == self._words - 1))
        m.d.comb += turn.next_sample.eq(turn.first_word & (time == self._times - 1))
        m.d.comb += turn.first_sample.eq(turn.next_sample & self._last(turn.sample))
        with m.If(turn.first_word):
            m.d.sync += time.eq(Mux(turn.next_sample, 0, time + 1))
        turn.count(m, word)
        return turn

    def _low(self, value):
        return value[:self._spec.bits]

    def _lfsr(self, m, turn):
        """One step a pixel: the state of a word's first pixel, and the one that it set out from.

        That is the word's in the first sample, or else the sample's in the first word.
        """
        lfsr, apart = self._spec.numbers.lfsr, self._times is not None
        if apart:
            following, anew, far, near = (turn.next_sample, turn.first_sample, self._inputs,
                                          self._simd)
        else:
            following, anew, far, near = turn.next_word, turn.first_word, self._simd, self._inputs
        m.submodules.first = first = Lfsr(lfsr, step=far)
        m.d.comb += [first.en.eq(following), first.restart.eq(anew)]
        state = Signal(lfsr.width, init=lfsr.seed)
        with m.If(anew):
            m.d.sync += state.eq(lfsr.seed)
        with m.Elif(following):
            m.d.sync += state.eq(leap(lfsr, first.o, far))
        if apart:
            with m.Elif(turn.first_word):
                m.d.sync += state.eq(first.o)
        with m.Elif(turn.moves):
            m.d.sync += state.eq(leap(lfsr, state, near))
        return [self._low(leap(lfsr, state, n)) for n in range(self._simd)]

    def _shared(self, m, turn):
        """Pixels take turns at what is made of one state, which is the same in all words."""
        numbers = self._spec.numbers
        m.submodules.lfsr = lfsr = Lfsr(numbers.lfsr, step=FRESH)
        m.d.comb += [lfsr.en.eq(turn.next_sample), lfsr.restart.eq(turn.first_sample)]
        if self._spec.generator == "lfsr-rotate":
            made = [self._low(lfsr.o.rotate_right(n)) for n in range(PLACES)]
        else:
            made = [self._low(leap(numbers.lfsr, lfsr.o, numbers.spread * n))
                    for n in range(numbers.bank)]

        # A word's first pixel takes what the last one of the word before leaves over.
        period, step = numbers.period, self._simd % numbers.period
        phases = min(period // gcd(period, step), self._words)
        phase  = Signal(range(phases))
        with m.If(turn.first_word):
            m.d.sync += phase.eq(0)
        with m.Elif(turn.next_word):
            m.d.sync += phase.eq(Mux(phase == phases - 1, 0, phase + 1))
        if phases == 1:
            return [made[n % period] for n in range(self._simd)]
        taken = [Signal(self._spec.bits, name=f"number_{n}") for n in range(self._simd)]
        with m.Switch(phase):
            for t in range(phases):
                with m.Case(t):
                    for n in range(self._simd):
                        m.d.comb += taken[n].eq(made[(t * step + n) % period])
        return taken

    def _reversed(self, sample):
        """The sample's index in eight bits, turned round."""
        return Cat(Const(0, self._spec.bits - len(sample)), sample[::-1])

    def _vdc(self, m, turn):
        # 128 / T, which is the one bit of T at the other end.
        middle = Const(128, self._spec.bits) if self._spec.most == 1 else \
            Cat(self.samples, Const(0, self._spec.bits))[:self._spec.bits][::-1]
        return [self._reversed(turn.sample) | middle] * self._simd

    def _vdc_xor(self, m, turn):
        """Masks of pixels, each linear in the bits of the pixel's index."""
        bits = bits_of(self._inputs)
        masks = self._spec.numbers.masks(bits)
        first = Signal(bits)
        with m.If(turn.first_word):
            m.d.sync += first.eq(0)
        with m.Elif(turn.next_word):
            m.d.sync += first.eq(first + self._simd)
        zeros = (self._simd & -self._simd).bit_length() - 1   # in any word's first index
        numbers = []
        for n in range(self._simd):
            index = Cat(Const(n, zeros), first[zeros:] + (n >> zeros))[:bits]
            mask = [reduce(xor, (index[bit] for bit in range(bits) if masks[bit] >> place & 1),
                           Const(0, 1)) for place in range(self._spec.bits)]
            numbers.append(Cat(mask) ^ self._reversed(turn.sample))
        return numbers

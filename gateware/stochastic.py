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


class Stochastic(wiring.Component):
    """Bits of pixels, set where a pixel is greater than a number.

    Computes what :class:`model.stochastic.Stochastic` computes: each word of pixels becomes as many
    words of bits as there are samples. The numbers of all pixels of a word come of one LFSR, leapt
    forward by wires and exclusive ors, or of the indices of pixel and sample. They begin anew with
    each vector, and vectors of a batch share them. The throughput is one word out a cycle;
    combinational from input to output, and back.

    Parameters
    ----------
    spec : :class:`model.stochastic.Stochastic`
        Samples, and how numbers are made.
    simd : :class:`int`
        Pixels of a vector in a word.
    inputs : :class:`int`
        Pixels of a vector.
    batch : :class:`int`
        Vectors that come side by side.

    Members
    -------
    i : :py:`In(stream.Signature(data.ArrayLayout(spec.bits, simd * batch)))`
        Pixels, those of the first vector lowest; zeros fill up the last word of a vector.
    o : :py:`Out(stream.Signature(simd * batch))`
        One bit of each.
    """

    def __init__(self, spec, *, simd, inputs, batch=1):
        self._spec = spec
        self._simd = simd
        self._inputs = inputs
        self._batch = batch
        super().__init__({
            "i": In(stream.Signature(data.ArrayLayout(spec.bits, simd * batch))),
            "o": Out(stream.Signature(simd * batch)),
        })

    def elaborate(self, platform):
        m = Module()
        spec, words = self._spec, -(-self._inputs // self._simd)
        sample = Signal(range(spec.samples))
        word   = Signal(range(words))
        sample_last = sample == spec.samples - 1
        word_last   = word == words - 1
        m.d.comb += self.o.valid.eq(self.i.valid)
        m.d.comb += self.i.ready.eq(self.o.ready & sample_last)
        moves     = Signal()
        next_word = Signal()
        restart   = Signal()
        m.d.comb += moves.eq(self.o.valid & self.o.ready)
        m.d.comb += next_word.eq(moves & sample_last)
        m.d.comb += restart.eq(next_word & word_last)
        with m.If(moves):
            m.d.sync += sample.eq(Mux(sample_last, 0, sample + 1))
        with m.If(next_word):
            m.d.sync += word.eq(Mux(word_last, 0, word + 1))

        make = {"lfsr": self._lfsr, "lfsr-rotate": self._shared, "lfsr-bank": self._shared,
                "vdc": self._vdc, "vdc-xor": self._vdc_xor}[spec.generator]
        numbers = make(m, sample, moves, next_word, restart)
        for n, number in enumerate(numbers):
            for vector in range(self._batch):
                place = vector * self._simd + n
                m.d.comb += self.o.payload[place].eq(self.i.payload[place] > number)
        return m

    def _low(self, value):
        return value[:self._spec.bits]

    def _lfsr(self, m, sample, moves, next_word, restart):
        """One step a pixel: the state of a word's first pixel, now and in the first sample."""
        lfsr = self._spec.numbers.lfsr
        m.submodules.first = first = Lfsr(lfsr, step=self._simd)
        m.d.comb += [first.en.eq(next_word), first.restart.eq(restart)]
        state = Signal(lfsr.width, init=lfsr.seed)
        with m.If(restart):
            m.d.sync += state.eq(lfsr.seed)
        with m.Elif(next_word):
            m.d.sync += state.eq(leap(lfsr, first.o, self._simd))
        with m.Elif(moves):
            m.d.sync += state.eq(leap(lfsr, state, self._inputs))
        return [self._low(leap(lfsr, state, n)) for n in range(self._simd)]

    def _shared(self, m, sample, moves, next_word, restart):
        """Pixels take turns at what is made of one state, which is the same in all words."""
        numbers = self._spec.numbers
        m.submodules.lfsr = lfsr = Lfsr(numbers.lfsr, step=FRESH)
        m.d.comb += [lfsr.en.eq(moves), lfsr.restart.eq(next_word)]
        if self._spec.generator == "lfsr-rotate":
            made = [self._low(lfsr.o.rotate_right(n)) for n in range(PLACES)]
        else:
            made = [self._low(leap(numbers.lfsr, lfsr.o, numbers.spread * n))
                    for n in range(numbers.bank)]

        # A word's first pixel takes what the last one of the word before leaves over.
        period, step = numbers.period, self._simd % numbers.period
        turns = min(period // gcd(period, step), -(-self._inputs // self._simd))
        turn  = Signal(range(turns))
        with m.If(restart):
            m.d.sync += turn.eq(0)
        with m.Elif(next_word):
            m.d.sync += turn.eq(Mux(turn == turns - 1, 0, turn + 1))
        taken = [Signal(self._spec.bits, name=f"number_{n}") for n in range(self._simd)]
        with m.Switch(turn):
            for t in range(turns):
                with m.Case(t):
                    for n in range(self._simd):
                        m.d.comb += taken[n].eq(made[(t * step + n) % period])
        return taken

    def _reversed(self, sample):
        """The sample's index in eight bits, turned round."""
        return Cat(Const(0, self._spec.bits - len(sample)), sample[::-1])

    def _vdc(self, m, sample, moves, next_word, restart):
        middle = Const(128 // self._spec.samples, self._spec.bits)
        return [self._reversed(sample) | middle] * self._simd

    def _vdc_xor(self, m, sample, moves, next_word, restart):
        """Masks of pixels, each linear in the bits of the pixel's index."""
        bits = bits_of(self._inputs)
        masks = self._spec.numbers.masks(bits)
        first = Signal(bits)
        with m.If(restart):
            m.d.sync += first.eq(0)
        with m.Elif(next_word):
            m.d.sync += first.eq(first + self._simd)
        zeros = (self._simd & -self._simd).bit_length() - 1   # in any word's first index
        numbers = []
        for n in range(self._simd):
            index = Cat(Const(n, zeros), first[zeros:] + (n >> zeros))[:bits]
            mask = [reduce(xor, (index[bit] for bit in range(bits) if masks[bit] >> place & 1),
                           Const(0, 1)) for place in range(self._spec.bits)]
            numbers.append(Cat(mask) ^ self._reversed(sample))
        return numbers

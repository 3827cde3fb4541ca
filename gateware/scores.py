"""Scores of the classes, and which is the greatest."""

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from . import bus
from .accumulate import Accumulate
from .memories import Store
from .samples import weighed
from .tally import Tally
from .transpose import Transpose


__all__ = ["Scores", "greatest", "layout"]


def layout(classes, score_bits):
    """What leaves for each class: its score, and with the last one the class that is best."""
    return data.StructLayout({"score": signed(score_bits), "best": range(classes), "last": 1})


def greatest(m, classes, place, score, taken):
    """Place of the greatest score so far, of an image whose scores pass one after another.

    The first of equal scores wins, so only a greater one takes over.
    """
    best_score = Signal.like(score)
    best_place = Signal(range(classes))
    wins = (place == 0) | (score > best_score)
    with m.If(taken & wins):
        m.d.sync += best_score.eq(score)
        m.d.sync += best_place.eq(place)
    return Mux(wins, place, best_place)


class Scores(wiring.Component):
    """Fully connected layer with weights of few bits whose accumulators become integer scores.

    Computes what :class:`model.scores.Scores` and :func:`model.scores.argmax` compute. Takes what
    :class:`gateware.accumulate.Accumulate` takes, as fast. Scores leave one at a time, in the
    order of the classes, one cycle after their sums: there is one multiplier, or none where all
    gains are 1. Where there are several passes, they leave in the last.

    Parameters
    ----------
    folding : :class:`gateware.folding.Folding`
        Size and parallelism; it must leave one class at a time.
    bipolar : :class:`bool`
        Whether a clear input stands for −1.
    gain_bits, score_bits : :class:`int`
        Widths, as :class:`model.network.Shape` has them.
    weights, affine : list of :class:`int`, or None
        Memory rows at power-up. A row of :py:`affine` holds a class's bias, its accumulator's
        offset included, in the lower :py:`score_bits` bits, and its gain above; twice the bias
        where sums stand for twice the accumulator.

    Members
    -------
    samples : :py:`In(range(folding.samples + 1))`
        How many planes or passes there are, a power of two; stays while there is anything here.
        Only where there may be several.
    i : :py:`In(stream.Signature(folding.simd * folding.batch))`
        Inputs, as :class:`gateware.accumulate.Accumulate` takes them.
    vectors : :py:`In(range(folding.batch + 1), init=folding.batch)`
        How many vectors there are in the batch that leaves; as many as it has if it is full.
    left : :py:`Out(1)`
        High for a cycle when a batch has left all buffers.
    o : :py:`Out(stream.Signature(layout(folding.outputs, score_bits)))`
        Scores; :py:`best` holds with the last.
    sums : :py:`Out(range(folding.total + 1))`
        What the score was made of, for probes; valid with :py:`o`.
    weights_bus : :py:`In(bus.Signature(weights_addr_width))`
        The host's access to the weights.
    affine_bus : :py:`In(bus.Signature(affine_addr_width))`
        The host's access to gains and biases.
    """

    def __init__(self, folding, *, bipolar, gain_bits, score_bits, weights=None, affine=None):
        if folding.lanes != 1:
            raise ValueError("Folding must leave one class at a time: PE must be at most "
                             f"{folding.beats // folding.batch}, not {folding.pe}")
        self._folding = folding
        self._bipolar = bipolar
        self._gain_bits = gain_bits
        self._score_bits = score_bits
        self._weights = weights
        self._affine = affine
        super().__init__({
            **({"samples": In(range(folding.samples + 1))} if folding.samples > 1 else {}),
            "i": In(stream.Signature(folding.simd * folding.batch)),
            "vectors": In(range(folding.batch + 1), init=folding.batch),
            "left": Out(1),
            "o": Out(stream.Signature(layout(folding.outputs, score_bits))),
            "sums": Out(range(folding.total + 1)),
            "weights_bus": In(bus.Signature(folding.weights.addr_width)),
            "affine_bus": In(bus.Signature(
                bus.Region(gain_bits + score_bits, folding.outputs).addr_width)),
        })

    def elaborate(self, platform):
        m = Module()
        classes = self._folding.outputs
        m.submodules.accumulate = accumulate = Accumulate(self._folding, init=self._weights)
        m.submodules.affine = affine = Store(
            width=self._gain_bits + self._score_bits, depth=classes, init=self._affine)
        wiring.connect(m, wiring.flipped(self.i), accumulate.i)
        wiring.connect(m, wiring.flipped(self.weights_bus), accumulate.bus)
        wiring.connect(m, wiring.flipped(self.affine_bus), affine.bus)
        source = accumulate.o
        if self._folding.sampled:
            m.d.comb += accumulate.samples.eq(self.samples)
        if sum(self._folding.passes) > 1:
            m.submodules.tally = tally = Tally(
                top=self._folding.top, words=self._folding.words * self._folding.batch,
                most=self._folding.samples)
            m.d.comb += [tally.i.valid.eq(source.valid), source.ready.eq(tally.i.ready),
                         tally.i.payload.eq(Value.cast(source.payload)),
                         tally.samples.eq(self.samples)]
            source = tally.o
        if self._folding.batch > 1:
            m.submodules.transpose = transpose = Transpose(
                width=len(Value.cast(source.payload)), words=self._folding.words,
                batch=self._folding.batch)
            m.d.comb += [transpose.i.valid.eq(source.valid), source.ready.eq(transpose.i.ready),
                         transpose.i.payload.eq(source.payload),
                         transpose.vectors.eq(self.vectors), self.left.eq(transpose.left)]
            source = transpose.o

        # Gains and biases are asked for one cycle ahead. Classes that only fill up the last group
        # are taken and dropped.
        index = Signal(range(self._folding.words))
        following = Signal.like(index)
        real = Signal()
        take = Signal()
        m.d.comb += real.eq(index < classes)
        m.d.comb += source.ready.eq(self.o.ready | ~self.o.valid)
        m.d.comb += take.eq(source.valid & source.ready)
        m.d.comb += following.eq(index)
        with m.If(take):
            m.d.comb += following.eq(Mux(index == self._folding.words - 1, 0, index + 1))
        m.d.sync += index.eq(following)
        m.d.comb += affine.en.eq(1)
        m.d.comb += affine.addr.eq(Mux(following < classes, following, 0))

        total = Value.cast(source.payload)
        if self._folding.samples > 1:
            total = weighed(total, self.samples)[:self._folding.total.bit_length()]
        bias  = affine.data[:self._score_bits].as_signed()
        scaled = total if self._gain_bits == 0 else \
            total * affine.data[self._score_bits:].as_signed()
        score = Signal(signed(self._score_bits))
        # What sums stand for, as model.accumulate has it: half of it, or itself, or its double.
        several = self._folding.weight_bits > 1
        doubled = scaled << 1 if self._bipolar and not several else scaled
        m.d.comb += score.eq(doubled + bias >> (several and not self._bipolar))

        place = Signal(range(classes))
        with m.If(self.o.ready | ~self.o.valid):
            m.d.sync += self.o.valid.eq(source.valid & real)
            with m.If(source.valid & real):
                m.d.sync += place.eq(index)
                m.d.sync += self.sums.eq(total)
                m.d.sync += self.o.payload.score.eq(score)
                m.d.sync += self.o.payload.last.eq(index == classes - 1)

        m.d.comb += self.o.payload.best.eq(greatest(
            m, classes, place, self.o.payload.score, self.o.valid & self.o.ready))
        return m

# amaranth: UnusedElaboratable=no
"""Scores are gains times sums plus biases, and the first of the greatest wins."""

from typing import Any

from amaranth.hdl import Array, Cat, Const, Mux, Signal, signed

import gateware.scores
from gateware.folding import Folding

from .accumulate import reach
from .change import Change
from .harness import Harness
from .layers import Layer, rules, run, twin_sums, write
from .proof import Proof, case
from .table import Table


__all__ = ["PROOFS"]


def scores(h: Harness, *, inputs: int, outputs: int, gains: tuple[int, ...], pe: int, simd: int,
           vectors: int, bipolar: bool, gain_bits: int, score_bits: int) -> None:
    """Scores of all classes, and the choice among them."""
    folding = Folding(inputs, outputs, gains, pe, simd)
    layer = Layer(h, folding, vectors)
    dut = h.add(gateware.scores.Scores(folding, bipolar=bipolar, gain_bits=gain_bits,
                                       score_bits=score_bits))
    twin = Table(twin_sums(inputs, gains))
    rows = [h.constant(gain_bits + score_bits, f"affine_{n}") for n in range(outputs)]
    expected = []
    for v, vector in enumerate(layer.vectors):
        values = []
        for n, (weights, row) in enumerate(zip(layer.weights, rows, strict=True)):
            gain = row[score_bits:].as_signed() if gain_bits else 1
            score = Signal(signed(score_bits), name=f"score_{v}_{n}")
            h.m.d.comb += score.eq(gain * (twin[weights, vector] << int(bipolar))
                                   + row[:score_bits].as_signed())
            values.append(score)
        # The lowest index of the greatest: the last of these that is assigned.
        best = Signal(range(outputs), name=f"best_{v}")
        for n in reversed(range(outputs)):
            with h.m.If(Cat(*(values[n] >= value for value in values)).all()):
                h.m.d.comb += best.eq(n)
        none = Const(0, len(best))
        expected += [Cat(value, none, Const(0, 1)) for value in values[:-1]]
        expected.append(Cat(values[-1], best, Const(1, 1)))
    last = dut.o.payload.last
    ready = write(h, dut.weights_bus, layer.rows, name="weights") \
        & write(h, dut.affine_bus, rows, name="affine")
    run(h, layer, dut, expected, ready=ready, fields=Cat(
        dut.o.payload.score, Mux(last, dut.o.payload.best, Const(0, len(dut.o.payload.best))),
        last))


def safe(h: Harness, *, inputs: int, outputs: int, gains: tuple[int, ...], pe: int, simd: int,
         gain_bits: int, score_bits: int) -> None:
    """Control, and the choice among any scores there may be."""
    folding = Folding(inputs, outputs, gains, pe, simd)
    dut = h.add(gateware.scores.Scores(folding, bipolar=True, gain_bits=gain_bits,
                                       score_bits=score_bits))
    rules(h, folding, dut, "accumulate.")
    inside = h.inside(dut)
    taken = dut.o.valid & dut.o.ready
    index, place, best_place = inside["index"], inside["place"], inside["best_place"]
    count = Signal(range(max(outputs, 2)), name="classes_left")
    h.m.d.sync += count.eq(Mux(taken, Mux(count == outputs - 1, 0, count + 1), count))
    after = Mux(index == 0, folding.words, index)
    h.claim("classes leave in order, and the last one says so",
            (count < outputs) & (index < folding.words)
            & Mux(dut.o.valid,
                  (place == count) & (dut.o.payload.last == (count == outputs - 1))
                  & (after == count + 1),
                  (index == count) | ((index >= outputs) & (count == 0))))

    # The scores of this vector that have left, and the rule by which one of them is the best.
    left = Array(Signal(signed(score_bits), name=f"left_{n}") for n in range(outputs))
    with h.m.If(taken):
        h.m.d.sync += left[count].eq(dut.o.payload.score)
    best = inside["best_score"]
    for n in range(outputs):
        h.claim("the best so far is no less than any, and greater than those before it",
                (count <= n) | ((best_place < count) & (best == left[best_place])
                                & Mux(best_place > n, left[n] < best, left[n] <= best)))
    values: list[Any] = [*(left[n] for n in range(outputs - 1)), dut.o.payload.score]
    chosen = Array(values)[dut.o.payload.best]
    for n, value in enumerate(values):
        h.claim("the class that leaves with the last score is the first of the greatest",
                ~(dut.o.valid & dut.o.payload.last) | (
                    (dut.o.payload.best < outputs)
                    & Mux(dut.o.payload.best > n, value < chosen, value <= chosen)))


SHAPES: tuple[dict[str, Any], ...] = (
    {"inputs": 2, "outputs": 2, "gains": (1,), "pe": 1, "simd": 1, "gain_bits": 0,
     "score_bits": 16},
    {"inputs": 2, "outputs": 3, "gains": (1,), "pe": 2, "simd": 1, "gain_bits": 0,
     "score_bits": 16},
    {"inputs": 2, "outputs": 3, "gains": (2, 1), "pe": 2, "simd": 2, "gain_bits": 0,
     "score_bits": 32},
)


PROOFS = (
    Proof(
        "scores.rules",
        "All that accumulate.rules says, of the layer as a whole; classes leave in order; and the "
        "class that leaves with the last is the lowest of those with the greatest score, whatever "
        "the scores are, ties and negative ones among them.",
        "the source keeps what it offers; no access over the buses", "induction", safe,
        tuple(case(reach(shape), **shape) for shape in SHAPES),
        (Change("gateware.scores", "score > best_score", "score >= best_score",
                case=1, cycles=14),
         Change("gateware.scores", "best_score = Signal.like(score)",
                "best_score = Signal(len(score))", case=1, cycles=14),
         Change("gateware.scores", "source.ready.eq(self.o.ready | ~self.o.valid)",
                "accumulate.o.ready.eq(1)", case=1, cycles=14)),
    ),
    Proof(
        "scores.scores",
        "The scores that leave are gain · acc + bias, for all weights, gains and biases, written "
        "over the bus, and all inputs, modulo the width of a score; the class that leaves with "
        "the last is the lowest of the greatest.",
        "so many vectors come once weights, gains and biases are written", "bounded", scores,
        (*(case(cycles, **shape, vectors=1, bipolar=shape["gains"] == (1,))
           for cycles, shape in zip((16, 18, 16), SHAPES, strict=True)),
         case(16, inputs=2, outputs=2, gains=(1,), pe=1, simd=1, gain_bits=16, score_bits=32,
              vectors=1, bipolar=True)),
        (Change("gateware.scores", "scaled << 1 if self._bipolar", "scaled if self._bipolar"),
         Change("gateware.scores", "affine.addr.eq(Mux(following < classes, following, 0))",
                "affine.addr.eq(index)", case=1),
         Change("gateware.scores", "m.d.comb += real.eq(index < classes)",
                "m.d.comb += real.eq(1)", case=1)),
    ),
)

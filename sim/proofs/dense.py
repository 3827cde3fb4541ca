# amaranth: UnusedElaboratable=no
"""Dense layers fire as their twins do."""

from typing import Any

from amaranth.hdl import Cat, Const, Mux, Signal

import gateware.dense
from gateware.folding import Folding

from .accumulate import SHAPES, reach
from .change import Change
from .environment import progress
from .harness import Harness
from .layers import Layer, rules, run, twin_bits, write
from .proof import Proof, case
from .table import Table


__all__ = ["PROOFS"]


def bits(h: Harness, *, inputs: int, outputs: int, gains: tuple[int, ...], pe: int, simd: int,
         vectors: int, bipolar: bool) -> None:
    """Bits, word by word of lanes; neurons that only fill up the last group never fire."""
    folding = Folding(inputs, outputs, gains, pe, simd)
    layer = Layer(h, folding, vectors)
    dut = h.add(gateware.dense.Dense(folding))
    held, fires = map(Table, twin_bits(inputs, gains, bipolar))
    thresholds = [h.constant(range(2 * folding.top + 2), f"threshold_{n}")
                  for n in range(outputs)]
    for threshold in thresholds:
        h.assume(threshold < 2 * folding.top + 2)

    def words(values: list[Any], filler: Any) -> list[Any]:
        values = values + [filler] * (folding.words * folding.lanes - len(values))
        return [Cat(*values[n:n + folding.lanes]) for n in range(0, len(values), folding.lanes)]

    neurons = list(zip(layer.weights, thresholds, strict=True))
    rows = words([held[neuron] for neuron in neurons],
                 Const(folding.top + 1, folding.threshold_bits))
    expected = [word for vector in layer.vectors
                for word in words([fires[*neuron, vector] for neuron in neurons], Const(0, 1))]
    ready = write(h, dut.weights_bus, layer.rows, name="weights") \
        & write(h, dut.thresholds_bus, rows, name="thresholds")
    run(h, layer, dut, expected, ready=ready)


def safe(h: Harness, *, inputs: int, outputs: int, gains: tuple[int, ...], pe: int,
         simd: int) -> None:
    """Control, and each word compared with the thresholds of its own neurons."""
    folding = Folding(inputs, outputs, gains, pe, simd)
    dut = h.add(gateware.dense.Dense(folding))
    _, given, due = rules(h, folding, dut, "accumulate.")
    left = dut.o.valid & dut.o.ready
    h.claim("what leaves is what the accumulator gives", given == left)
    progress(h, given | dut.i.valid, (due >= folding.drain) & dut.o.ready, folding.latency)

    word = Signal(range(max(folding.words, 2)), name="words_left")
    h.m.d.sync += word.eq(Mux(left, Mux(word == folding.words - 1, 0, word + 1), word))
    h.claim("thresholds are counted as words leave",
            (word < folding.words) & (h.inside(dut)["row"] == word))
    thresholds = Cat(*(h.row(dut, f"thresholds.cells_{n}", word)
                       for n in range(folding.thresholds.chunks)))
    started = h.past(1)
    for lane in range(folding.lanes):
        threshold = thresholds.word_select(lane, folding.threshold_bits)
        h.claim("a neuron fires when its sum reaches its own threshold",
                ~started | (dut.o.payload[lane] == (dut.sums[lane] >= threshold)))


PROOFS = (
    Proof(
        "dense.rules",
        "All that accumulate.rules says, of the layer as a whole; and each sum is compared with "
        "the threshold of its own neuron, whatever is in memory.",
        "the source keeps what it offers; no access over the buses", "induction", safe,
        tuple(case(reach(shape), **shape) for shape in (
            *SHAPES[:5], {"inputs": 9, "outputs": 7, "gains": (1,), "pe": 4, "simd": 2})),
        (Change("gateware.dense", "thresholds.addr.eq(following)", "thresholds.addr.eq(row)",
                case=1, cycles=12),
         Change("gateware.dense", "taken.eq(accumulate.o.valid & accumulate.o.ready)",
                "taken.eq(accumulate.o.valid)", case=1, cycles=12),
         Change("gateware.dense", "self.sums[lane] >= met", "self.sums[lane] > met",
                case=1, cycles=12)),
    ),
    Proof(
        "dense.bits",
        "The activations that leave are those of the twin, for all weights and thresholds, written "
        "over the bus, and all inputs.",
        "so many vectors come once weights and thresholds are written", "bounded", bits,
        tuple(case(cycles, **shape, vectors=vectors, bipolar=shape["gains"] == (1,))
              for cycles, vectors, shape
              in zip((16, 17, 17, 15, 12), (1, 1, 1, 1, 1), SHAPES, strict=False)),
        (Change("gateware.dense", "self.sums[lane] >= met", "self.sums[lane] > met"),
         Change("gateware.compiler", "layer.sum_threshold(layer.thresholds)",
                "layer.thresholds.clip(0)", case=2),
         Change("gateware.dense", "thresholds.addr.eq(following)", "thresholds.addr.eq(row)",
                case=3)),
    ),
)

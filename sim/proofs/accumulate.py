# amaranth: UnusedElaboratable=no
"""Accumulate adds agreements up as its twin does, and never loses count."""

from typing import Any

from amaranth.hdl import Cat, Const, Signal, Value

import gateware.accumulate
from gateware.folding import Folding

from .change import Change
from .environment import progress
from .harness import Harness
from .layers import Layer, rules, run, twin_sums, write
from .proof import Proof, case
from .table import Table


__all__ = ["PROOFS"]


def sums(h: Harness, *, inputs: int, outputs: int, gains: tuple[int, ...], pe: int, simd: int,
         vectors: int, **tiles: Any) -> None:
    """Sums, word by word of lanes."""
    folding = Folding(inputs, outputs, gains, pe, simd, **tiles)
    layer = Layer(h, folding, vectors)
    dut = h.add(gateware.accumulate.Accumulate(folding))
    twin = Table(twin_sums(inputs, gains, **tiles))
    width = len(Const(folding.top))
    # Sums of neurons that only fill up the last group are nobody's, and not looked at.
    lanes: list[list[Any]] = []
    for vector in layer.vectors:
        totals = [twin[weights, vector] for weights in layer.weights]
        totals += [None] * (folding.groups * folding.pe - outputs)
        lanes += [totals[n:n + folding.lanes] for n in range(0, len(totals), folding.lanes)]
    place = Signal(range(len(lanes) + 1), name="place")
    looked_at = Signal(folding.lanes * width, name="looked_at")
    h.m.d.sync += place.eq(place + (dut.o.valid & dut.o.ready))
    h.m.d.comb += looked_at.eq(Value.cast(dut.o.payload))
    for n, word in enumerate(lanes):
        for k, total in enumerate(word):
            if total is None:
                with h.m.If(place == n):
                    h.m.d.comb += looked_at.word_select(k, width).eq(0)
    expected = [Cat(*(Const(0, width) if total is None else Cat(total, Const(0, width))[:width]
                      for total in word)) for word in lanes]
    run(h, layer, dut, expected, ready=write(h, dut.bus, layer.rows, name="weights"),
        fields=looked_at)


def reach(shape: dict[str, Any]) -> int:
    """Cycles in which sums of two groups can have left, one cycle more than they came in."""
    folding = Folding(*(shape[name] for name in ("inputs", "outputs", "gains", "pe", "simd")))
    return 2 * folding.beats + 7


def safe(h: Harness, *, inputs: int, outputs: int, gains: tuple[int, ...], pe: int,
         simd: int) -> None:
    """Control, whatever the weights."""
    folding = Folding(inputs, outputs, gains, pe, simd)
    dut = h.add(gateware.accumulate.Accumulate(folding))
    _, given, due = rules(h, folding, dut)
    h.claim("what leaves is what the accumulator gives", given == (dut.o.valid & dut.o.ready))
    progress(h, given | dut.i.valid, (due >= folding.drain) & dut.o.ready, dut.latency)


SHAPES: tuple[dict[str, Any], ...] = (
    {"inputs": 2, "outputs": 2, "gains": (1,), "pe": 1, "simd": 1},
    {"inputs": 3, "outputs": 3, "gains": (1,), "pe": 2, "simd": 2},
    {"inputs": 2, "outputs": 2, "gains": (2, 1), "pe": 2, "simd": 1},
    {"inputs": 2, "outputs": 3, "gains": (2, 1), "pe": 2, "simd": 2},
    {"inputs": 3, "outputs": 2, "gains": (1,), "pe": 2, "simd": 3},
    {"inputs": 2, "outputs": 1, "gains": (1, 1), "pe": 1, "simd": 2},
)

# Tiles of two words and of one, whose last is used in part, and that count planes apart.
SENSED: tuple[dict[str, Any], ...] = (
    {"inputs": 3, "outputs": 2, "gains": (1,), "pe": 2, "simd": 1, "tile_rows": 2, "sense": "sign"},
    {"inputs": 3, "outputs": 1, "gains": (2, 1), "pe": 1, "simd": 1, "tile_rows": 2,
     "sense": "sign"},
    {"inputs": 4, "outputs": 1, "gains": (1,), "pe": 1, "simd": 4, "sense": 2},
)


# Weights of several bits, in groups, and in words whose last is used in part.
SEVERAL: tuple[dict[str, Any], ...] = (
    {"inputs": 2, "outputs": 2, "gains": (1,), "pe": 1, "simd": 1, "weight_bits": 2},
    {"inputs": 3, "outputs": 1, "gains": (1,), "pe": 1, "simd": 2, "weight_bits": 2},
)


PROOFS = (
    Proof(
        "accumulate.rules",
        "What is offered stays; memory is never addressed beyond its end; each word travels with "
        "its place in its group and none is lost; a group's sums have all left before the next "
        "are handed over; as many leave as groups came in, the first within the latency of its "
        "last word.",
        "the source keeps what it offers; no access over the bus", "induction", safe,
        tuple(case(reach(shape), **shape) for shape in (
            *SHAPES, {"inputs": 9, "outputs": 7, "gains": (1,), "pe": 4, "simd": 2},
            {"inputs": 5, "outputs": 7, "gains": (4, 2, 1), "pe": 6, "simd": 3})),
        (Change("gateware.accumulate", "m.d.comb += self.i.ready.eq(advance)",
                "m.d.comb += self.i.ready.eq(1)", case=1, cycles=12),
         Change("gateware.accumulate", "advance.eq(self.o.ready | ~self.o.valid)",
                "advance.eq(1)", case=1, cycles=12),
         Change("gateware.accumulate", "fold == folding.folds - 1", "fold == 0", case=1,
                cycles=12),
         Change("gateware.folding", "min(self.least_beats //", "min(2 * self.beats //", case=4,
                cycles=12)),
    ),
    Proof(
        "accumulate.sums",
        "The sums that leave are those of the twin, for all weights, written over the bus, and all "
        "inputs, of exact layers, of tiles that sense, and of weights of two bits.",
        "so many vectors come once the weights are written", "bounded", sums,
        tuple(case(cycles, **shape, vectors=vectors) for cycles, vectors, shape
              in zip((16, 17, 17, 15, 17, 15, 18, 21, 15, 24, 24), (1, 1, 1, 1, 2, 2, *[1] * 5),
                     (*SHAPES, *SENSED, *SEVERAL), strict=True)),
        (Change("gateware.accumulate", "count, fresh, cells", "count, C(0), cells", case=3),
         Change("gateware.accumulate", "begin.eq(last)", "begin.eq(0)", case=1),
         Change("gateware.crossbar", "m.d.sync += delayed.eq(x)", "m.d.comb += delayed.eq(x)",
                case=1),
         Change("gateware.compiler", "rows.transpose(1, 0, 3, 2, 4)",
                "rows.transpose(1, 0, 3, 4, 2)", case=1),
         Change("gateware.accumulate", "Mux(again, acc << 1, acc)", "acc", case=9),
         Change("gateware.accumulate", "following + clear if", "following if", case=9),
         Change("gateware.accumulate", "crossbar.shared.eq(Mux(fold_last, filled, 0))",
                "crossbar.shared.eq(0)", case=10),
         Change("gateware.accumulate", "flags.valid & flags.tile_last", "flags.valid", case=6),
         Change("gateware.sense", "held[-1]", "held[0]", case=7),
         Change("gateware.sense", "count >= least", "count > least", case=8)),
    ),
)

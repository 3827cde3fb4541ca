# amaranth: UnusedElaboratable=no
"""A whole accelerator, as small as there is one, computes what the golden model computes."""

from typing import Any

from amaranth.hdl import Cat, Const, Mux, Signal, signed

import gateware.compiler
import gateware.mapping
from gateware.folding import Folding
from model.encoder import Threshold
from model.network import Shape

from .change import Change
from .environment import collect, feed, holds, progress
from .harness import Harness
from .layers import Layer, twin_bits, twin_sums
from .proof import Proof, case
from .table import Table


__all__ = ["PROOFS"]


SCORE_BITS = 16


def network(h: Harness, *, pe: int, simd: int) -> None:
    """Two pixels, two neurons, two classes: all weights, thresholds, biases and images."""
    shape = Shape(Threshold(bits=1, level=1), (2, 2, 2), 0, SCORE_BITS)
    first, second = Folding(2, 2, (1,), pe, simd), Folding(2, 2, (1,), 1, simd)
    dut = h.add(gateware.compiler.compile(shape, gateware.mapping.Mapping((first, second))))

    hidden, final = Layer(h, first, 1), Layer(h, second, 0, name="classes")
    held, fires = map(Table, twin_bits(2, (1,), True))
    thresholds = [h.constant(range(2 * first.top + 2), f"threshold_{n}") for n in range(2)]
    for threshold in thresholds:
        h.assume(threshold < 2 * first.top + 2)
    biases = [h.constant(SCORE_BITS, f"bias_{n}") for n in range(2)]
    lanes = first.lanes
    stored = [held[weights, threshold]
              for weights, threshold in zip(hidden.weights, thresholds, strict=True)]
    rows: dict[str, list[Any]] = {
        "layer0.weights": hidden.rows,
        "layer0.thresholds": [Cat(*stored[n:n + lanes]) for n in range(0, 2, lanes)],
        "layer1.weights": final.rows,
        "scores.affine": biases,
    }
    accesses = [(region.address(n, 0), row) for name, region in dut.memories.items()
                for n, row in enumerate(rows[name])]
    accesses.append((dut.control_address, Const(1, 32)))
    written = Signal(range(len(accesses) + 1), name="written")
    h.m.d.comb += dut.bus.w_en.eq(written != len(accesses))
    h.m.d.sync += written.eq(written + dut.bus.w_en)
    for n, (address, row) in enumerate(accesses):
        with h.m.If(written == n):
            h.m.d.comb += [dut.bus.addr.eq(address), dut.bus.w_data.eq(row)]
    ready = h.name("ready", written == len(accesses))
    h.claim("it is loaded once the host has said so", dut.loaded == ready)

    image, = hidden.vectors
    bits = Signal(2, name="bits")
    h.m.d.comb += bits.eq(Cat(fires[weights, threshold, image] for weights, threshold
                              in zip(hidden.weights, thresholds, strict=True)))
    twin = Table(twin_sums(2, (1,)))
    scores = [Signal(signed(SCORE_BITS), name=f"score_{n}") for n in range(2)]
    for score, weights, bias in zip(scores, final.weights, biases, strict=True):
        h.m.d.comb += score.eq((twin[weights, bits] << 1) + bias.as_signed())
    best = h.name("best", scores[1] > scores[0])
    words = [image[n:n + simd] for n in range(0, 2, simd)]
    fed = feed(h, dut.i, words, when=ready)
    last = dut.o.payload.last
    expected = [Cat(scores[0], Const(0, 2)), Cat(scores[1], best, Const(1, 1))]
    out = collect(h, dut.o, expected, fields=Cat(
        dut.o.payload.score, Mux(last, dut.o.payload.best, 0), last))
    holds(h, dut.o)
    progress(h, (dut.i.valid & dut.i.ready) | (dut.o.valid & dut.o.ready),
             ready & (dut.i.valid | (fed == len(words))) & dut.o.ready & (out != 2), 18)


PROOFS = (
    Proof(
        "accelerator.network",
        "A network of two pixels, two neurons and two classes gives the scores and the class of "
        "the golden model, for all images, weights, thresholds and biases, written over the bus.",
        "one image comes once everything is written", "bounded", network,
        (case(38, pe=2, simd=2), case(38, pe=1, simd=1)),
        (Change("gateware.accelerator", "decoder.add(f\"layer{last}.weights\", scores.weights_bus)",
                "decoder.add(\"layer0.weights\", scores.weights_bus)"),
         Change("gateware.regroup", "units.payload.eq(self.i.payload)",
                "units.payload.eq(~self.i.payload)"),
         Change("gateware.scores", "(score > best_score)",
                "(score >= best_score)")),
    ),
)

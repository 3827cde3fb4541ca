# amaranth: UnusedElaboratable=no
"""Encoders make of each word of pixels the planes of bits that their twins make of it."""

from typing import Any

import numpy as np
from amaranth.hdl import Value

import gateware.encoder
import model.encoder

from .change import Change
from .environment import accept, holds, offer
from .harness import Harness
from .proof import Proof, case
from .table import Table


__all__ = ["PROOFS"]


def planes(h: Harness, *, spec: Any, simd: int) -> None:
    """Each word in becomes one word out for each plane, and each bit is the twin's."""
    dut = h.add(gateware.encoder.encoder(spec, simd=simd, inputs=simd))
    taken, given = offer(h, dut.i), accept(h, dut.o)
    holds(h, dut.o)
    pixels = np.arange(2 ** spec.bits)
    twin = Table(spec(pixels[:, None])[:, :, 0])    # pixel, plane
    plane = h.name("plane", Value.cast(0))
    if spec.planes > 1:
        # How many planes of this word have left: what the component counts, it counts right.
        count = h.inside(dut)["plane"]
        plane = h.count(given & ~taken, spec.planes, name="planes_left")
        h.m.d.sync += plane.eq(Value.cast(plane + given)[:len(plane)])
        with h.m.If(taken):
            h.m.d.sync += plane.eq(0)
        h.claim("the plane is the number of words that left since the last word was taken",
                count == plane)
    h.claim("a word is offered whenever there are pixels", dut.o.valid == dut.i.valid)
    h.claim("pixels are taken with the last of their planes",
            taken == (given & (plane == spec.planes - 1)))
    for n in range(simd):
        h.claim(f"pixel {n} is what the twin makes of it",
                ~dut.o.valid | (dut.o.payload[n] == twin[dut.i.payload[n], plane]))
    h.cover("a word is taken", taken)


PROOFS = (
    Proof(
        "encoder.bit-serial",
        "Each word of pixels leaves once for each plane, most significant first, with the bits "
        "that the twin gives, and is taken with its last plane.",
        "the source keeps what it offers", "induction", planes,
        tuple(case(bits + 1, spec=model.encoder.BitSerial(bits), simd=simd)
              for bits, simd in ((1, 2), (2, 1), (3, 2), (5, 3), (8, 1))),
        (Change("gateware.encoder", "self._spec.bits - 1 - p", "p", case=1),
         Change("gateware.encoder", "m.d.comb += self.i.ready.eq(self.o.ready & last)",
                "m.d.comb += self.i.ready.eq(self.o.ready)", case=1),
         Change("gateware.encoder", "with m.If(self.o.valid & self.o.ready):",
                "with m.If(self.o.valid):", case=2)),
    ),
    Proof(
        "encoder.threshold",
        "Each word of pixels leaves once, in the cycle in which it is taken, with the bits that "
        "the twin gives, at every level there is for so few bits.",
        "the source keeps what it offers", "induction", planes,
        (*(case(2, spec=model.encoder.Threshold(bits=bits, level=level), simd=2)
           for bits in (1, 2, 3) for level in range(1, 2 ** bits)),
         case(2, spec=model.encoder.Threshold(bits=8, level=128), simd=1)),
        (Change("gateware.encoder", "[n] >= self._spec.level", "[n] > self._spec.level", case=2),
         Change("gateware.encoder", "self.i.ready.eq(self.o.ready)\n        for",
                "self.i.ready.eq(1)\n        for")),
    ),
)

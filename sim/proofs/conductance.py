# amaranth: UnusedElaboratable=no
"""Counters move by as much as they get pulses, and never wrap."""

from amaranth.hdl import Cat, Mux, Signal

import gateware.conductance

from .change import Change
from .harness import Harness
from .proof import Proof, case


__all__ = ["PROOFS"]


def pulses(h: Harness, *, count: int, bits: int, depth: int, storage: str) -> None:
    """One counter, whichever, through whatever is done to it and to all others."""
    dut = h.add(gateware.conductance.Conductance(
        count=count, bits=bits, depth=depth, storage=storage))
    region, bus, top = dut.region, dut.bus, 2 ** (bits - 1) - 1
    for signal in (dut.en, dut.addr, dut.pulse, dut.up, dut.down,
                   bus.addr, bus.w_en, bus.w_data, bus.r_en):
        h.drive(signal)
    h.assume((dut.up & dut.down) == 0)
    h.assume(dut.addr < depth)
    h.assume(~(bus.r_en | bus.w_en) | ~(dut.en | dut.pulse))
    asked = Signal(range(depth), name="asked")
    with h.m.If(dut.en):
        h.m.d.sync += asked.eq(dut.addr)
    shown = h.past(dut.en)
    h.assume(~dut.pulse | shown)
    h.assume(~(dut.pulse & dut.en) | ((storage == "block") & (dut.addr != asked)))

    row, place = h.constant(range(depth), "row"), h.constant(range(count), "place")
    h.assume((row < depth) & (place < count))
    at_row, chunk = bus.addr[region.chunk_bits:], bus.addr[:region.chunk_bits]
    held = Signal(bits, name="held")
    mine = dut.pulse & (asked == row)
    up, down = dut.up.bit_select(place, 1), dut.down.bit_select(place, 1)
    written = bus.w_en & (at_row == row) & (chunk == place * bits // 32)
    brought = bus.w_data.bit_select(place * bits % 32, bits)
    # A host brings what counters may be.
    h.assume(~bus.w_en | Cat(bus.w_data[n:n + bits] != 1 << bits - 1
                             for n in range(0, 32, bits)).all())
    with h.m.If(written):
        h.m.d.sync += held.eq(brought)
    with h.m.Elif(mine & up & (held.as_signed() != top)):
        h.m.d.sync += held.eq(held + 1)
    with h.m.Elif(mine & down & (held.as_signed() != -top)):
        h.m.d.sync += held.eq(held - 1)

    # A part of the memory is as wide as the bus, or a block of an SPRAM.
    wide = 32 if storage == "block" else 16
    names = [f"cells_{n // 32}" + ("" if storage == "block" else f".spram_{n % 32 // 16}")
             for n in range(0, region.width, wide)]
    cells = Cat(h.row(dut, name, row) for name in names).bit_select(place * bits, bits)
    h.claim("the memory holds what pulses made of a counter, and no pulse changes nothing",
            cells == held)
    h.claim("no counter is beyond its ends", held.as_signed() >= -top)
    moved = held.as_signed() - h.past(held).as_signed()
    h.claim("a counter moves by one at most, and so never wraps",
            h.past(written) | ((moved <= 1) & (moved >= -1)))
    h.claim("a word that was asked for is there in the next cycle",
            ~shown | (asked != row)
            | (Mux(shown, Cat(dut.data.as_value()), 0).bit_select(place * bits, bits) == held))
    h.cover("a counter at its end gets a pulse", mine & up & (held.as_signed() == top))


PROOFS = (
    Proof(
        "conductance.pulses",
        "A counter holds what the host brought, and one more or less for each pulse since, but no "
        "more than it can hold; no pulse changes nothing, and none is lost where words follow one "
        "another at once.",
        "words are pulsed in the cycle in which they are there, and not read in that; no counter "
        "gets a pulse both ways; a host comes while nothing is read, and brings what counters may "
        "be", "induction", pulses,
        tuple(case(cycles, count=count, bits=bits, depth=depth, storage=storage)
              for cycles, count, bits, depth, storage in (
                  (5, 1, 4, 2, "block"), (5, 3, 4, 3, "block"), (5, 9, 4, 2, "block"),
                  (5, 2, 8, 3, "block"), (5, 1, 4, 2, "spram"), (5, 5, 8, 2, "spram"))),
        (Change("gateware.conductance", "~counter[1:-1].any()", "~counter[:-1].any()", case=0,
                cycles=24),
         Change("gateware.conductance", "counter[:-1].all()", "counter[1:-1].all()", case=0,
                cycles=24),
         Change("gateware.conductance", "w_addr.eq(Mux(self.pulse, last, row))",
                "w_addr.eq(Mux(self.pulse, self.addr, row))", case=1, cycles=12),
         Change("gateware.conductance", "(self.bus.w_en & (chunk == n))", "self.bus.w_en", case=2,
                cycles=12),
         Change("gateware.conductance", "cells.addr.eq(Mux(self.en, self.addr, w_addr))",
                "cells.addr.eq(r_addr)", case=4, cycles=12)),
    ),
)

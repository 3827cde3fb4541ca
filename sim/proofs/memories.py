# amaranth: UnusedElaboratable=no
"""Stores keep what is written, and a bus reaches what it shall and nothing else."""

from amaranth.hdl import Const, Mux, Signal, Value

import gateware.bus
import gateware.memories

from .change import Change
from .harness import Harness
from .proof import Proof, case


__all__ = ["PROOFS"]


def store(h: Harness, *, width: int, depth: int) -> None:
    """One row, whichever, and one word of it: its value is the last one written."""
    dut = h.add(gateware.memories.Store(width=width, depth=depth))
    region = dut.region
    h.drive(dut.en)
    h.drive(dut.addr)
    for name in ("addr", "w_en", "w_data", "r_en"):
        h.drive(getattr(dut.bus, name))
    row = h.constant(range(depth), "row")
    h.assume(row < depth)
    chunk = h.constant(range(max(region.chunks, 2)), "chunk")
    h.assume(chunk < region.chunks)
    address = Signal(range(max(depth << region.chunk_bits, 2)), name="address")
    h.m.d.comb += address.eq((row << region.chunk_bits) + chunk)

    stored = Signal(32, name="stored")
    here = dut.bus.addr == address
    for n in range(region.chunks):
        low, high = 32 * n, min(32 * n + 32, width)
        with h.m.If(dut.bus.w_en & here & (chunk == n)):
            h.m.d.sync += stored.eq(dut.bus.w_data[:high - low])
        cells = h.row(dut, f"cells_{n}", row)
        h.claim("the memory holds what was written last", (chunk != n) | (cells == stored))
        wants = h.past(dut.en & ~dut.bus.r_en & (dut.addr == row))
        h.claim("the row is there one cycle after it is asked for",
                (chunk != n) | ~wants | (dut.data[low:high] == h.past(stored)))
        stays = h.past(~dut.en & ~dut.bus.r_en)
        h.claim("and stays while none is asked for",
                ~stays | (dut.data == h.past(dut.data)))
    asks = h.past(dut.bus.r_en & here)
    h.claim("the bus is answered one cycle later", dut.bus.r_valid == h.past(dut.bus.r_en))
    h.claim("with what was written last", ~asks | (dut.bus.r_data == h.past(stored)))
    h.cover("something is read back", asks & (dut.bus.r_data == 1))


def decoder(h: Harness, *, sizes: tuple[tuple[int, int], ...]) -> None:
    """Targets behind a bus, laid out as the compiler lays them out."""
    regions, addr_width = gateware.bus.place({
        f"target_{n}": gateware.bus.Region(width, depth)
        for n, (width, depth) in enumerate(sizes)})
    dut = gateware.bus.Decoder(regions, addr_width)
    targets = []
    for name, region in regions.items():
        target = gateware.bus.Signature(region.addr_width).create(path=(name,))
        dut.add(name, target)
        targets.append((region, target))
    h.add(dut)
    bus = dut.bus
    for signal in (bus.addr, bus.w_en, bus.w_data, bus.r_en):
        h.drive(signal)
    reached = Value.cast(0)
    answer, answers = Const(0, 32), Const(0, 1)
    for region, target in targets:
        h.drive(target.r_valid)
        h.drive(target.r_data)
        end = region.base + (1 << region.addr_width)
        mine = (bus.addr >= region.base) & (bus.addr < end)
        h.claim("a target is written and read where its region is, and nowhere else",
                (target.w_en == (bus.w_en & mine)) & (target.r_en == (bus.r_en & mine)))
        h.claim("at the address within its region",
                ~mine | (target.addr == bus.addr - region.base))
        h.claim("with the word there is", target.w_data == bus.w_data)
        reached = reached + (target.w_en | target.r_en)
        answer, answers = Mux(target.r_valid, target.r_data, answer), answers + target.r_valid
    h.claim("one target at most is reached", reached <= 1)
    h.assume(answers <= 1)
    h.claim("an answer is handed on one cycle later", bus.r_valid == h.past(answers != 0))
    h.claim("unchanged", ~bus.r_valid | (bus.r_data == h.past(answer)))
    h.cover("the last target is reached", targets[-1][1].w_en)


PROOFS = (
    Proof(
        "memories.store",
        "A row reads as what was last written to it over the bus, by the datapath one cycle later "
        "and until it asks again, and by the bus one cycle later too.",
        "nothing: rows, words of rows and accesses may be any, at once and beyond the end",
        "induction", store,
        tuple(case(3, width=width, depth=depth)
              for width, depth in ((1, 1), (3, 3), (8, 4), (33, 2), (40, 3), (65, 2))),
        (Change("gateware.memories", "w_port.en.eq(self.bus.w_en & (chunk == n))",
                "w_port.en.eq(self.bus.w_en)", case=3, cycles=5),
         Change("gateware.memories", "with m.If(answer == n):", "with m.If(chunk == n):", case=3,
                cycles=5),
         Change("gateware.memories", "en.eq(self.en | self.bus.r_en)", "en.eq(1)", case=1,
                cycles=5)),
    ),
    Proof(
        "bus.decoder",
        "An access reaches the target in whose region its address lies, at its place in there, "
        "and no other; an answer is handed on one cycle later.",
        "targets answer one at a time", "induction", decoder,
        (case(2, sizes=((8, 4),)), case(2, sizes=((8, 4), (40, 3), (1, 1))),
         case(2, sizes=((3, 5), (65, 2), (16, 16), (1, 1)))),
        (Change("gateware.bus", "region.base >> low", "region.base >> low + 1", case=1),
         Change("gateware.bus", "self.bus.addr[:low]", "self.bus.addr[1:low + 1]", case=1)),
    ),
)

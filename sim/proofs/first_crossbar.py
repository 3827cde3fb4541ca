# amaranth: UnusedElaboratable=no
"""Rows that are not masked get their pulses, each group that changes once, and no others do."""

from amaranth.hdl import Cat, Mux, Signal
from amaranth.utils import bits_for

import gateware.first_crossbar
from gateware.learning_folding import LearningFolding
from model.convergence import ALWAYS
from model.sign_update import SignUpdate

from .change import Change
from .environment import offer
from .harness import Harness
from .proof import Proof, case


__all__ = ["PROOFS"]


def updates(h: Harness, *, inputs: int, hidden: int, pe: int, pixels: int, storage: str) -> None:
    """One word of one row, whichever, through whatever images and updates come."""
    spec = SignUpdate(inputs, hidden, 2, bits=4, bias=1, filter=2)
    folding = LearningFolding(spec, pe=pe, pixels=pixels, storage=storage)
    dut = h.add(gateware.first_crossbar.FirstCrossbar(folding, image={}))
    inside = h.inside(dut)
    offer(h, dut.i)
    for signal in (dut.forward, dut.update, dut.end, dut.rate, dut.changed, dut.up, dut.down):
        h.drive(signal)
    busy = Signal(name="busy")
    begins = dut.forward | dut.update
    h.m.d.sync += busy.eq((busy | begins) & ~dut.done)
    h.assume(~(begins | dut.end) | (dut.full & ~busy))
    h.assume(dut.forward + dut.update + dut.end <= 1)
    h.assume(~dut.update | dut.changed.any())
    h.assume(~busy | ((dut.rate == h.past(dut.rate)) & (dut.changed == h.past(dut.changed))))
    h.assume(((dut.up & dut.down) == 0) & (dut.rate <= ALWAYS))

    row, group = h.constant(range(folding.lines), "row"), h.constant(range(folding.groups), "group")
    h.assume((row < folding.lines) & (group < folding.groups))
    mine = Cat(group, row) if folding.interleaved else row + group * folding.lines
    reads, writes = inside["cells.reads"], inside["cells.writes_0"]
    read, written = inside["cells.r_addr"], inside["cells.w_addr"]
    updating = Signal(name="updating")
    h.m.d.sync += updating.eq(Mux(begins, dut.update, updating))

    # A word of rows: bits, and above them which word it is.
    now, lowest = inside["active.now"], inside["active.lowest"]
    index = now[pixels:pixels + bits_for(folding.loads - 1)]
    told = now[:pixels].any() & ((index << (pixels - 1).bit_length()) + lowest == row)
    taken = h.name("taken", told & inside["o__ready"] & updating)
    expected, hits = Signal(name="expected"), Signal(2, name="hits")
    with h.m.If(taken):
        h.m.d.sync += expected.eq(~inside["masked"] & dut.changed.bit_select(group, 1))
    with h.m.If(writes & (written == mine) & (hits != 3)):
        h.m.d.sync += hits.eq(hits + 1)
    with h.m.If(begins):
        h.m.d.sync += [expected.eq(0), hits.eq(0)]
    h.claim("once an update is done, a word has got pulses once where its row was active and not "
            "masked and its group changes, and else it has not",
            ~h.past(dut.done) | (hits == expected))
    h.claim("nothing gets pulses but in an update", ~writes | updating)
    h.claim("what gets pulses was read in the cycle before",
            ~writes | (h.past(reads) & (written == h.past(read))))
    h.claim("a word is not read while it gets pulses, nor any in SPRAM",
            ~(reads & writes) | ((storage == "block") & (read != written)))
    h.cover("a row is masked", taken & inside["masked"])
    h.cover("a word got pulses, and all is done", h.past(dut.done) & (hits == 1))


PROOFS = (
    Proof(
        "first_crossbar.updates",
        "An update gives pulses to each word of each active row that is not masked, where its "
        "group changes, exactly once, and to no other word; a masked row changes nothing; a word "
        "that gets pulses was read in the cycle before, and is not read in that; so that what "
        "conductance.pulses assumes of it holds.",
        "the source keeps what it offers; passes are begun one at a time, while there is an image; "
        "an update changes some group; rate and groups stay meanwhile; no host comes", "bounded",
        updates,
        tuple(case(cycles, inputs=inputs, hidden=hidden, pe=pe, pixels=pixels, storage=storage)
              for cycles, inputs, hidden, pe, pixels, storage in (
                  (16, 2, 2, 1, 2, "block"), (16, 2, 2, 2, 1, "block"), (18, 2, 2, 1, 2, "spram"),
                  (18, 1, 3, 1, 2, "block"))),
        (Change("gateware.first_crossbar", "cells.en.eq(active.o.valid & ~masked & able)",
                "cells.en.eq(active.o.valid & able)", case=0, cycles=16),
         Change("gateware.first_crossbar", "active.o.ready.eq(able & (masked | only))",
                "active.o.ready.eq(able)", case=0, cycles=16),
         Change("gateware.first_crossbar", "left.eq(Mux(only, self.changed, left & (left - 1)))",
                "left.eq(left & (left - 1))", case=0, cycles=16),
         Change("gateware.first_crossbar", '~pulses if folding.storage == "spram" else C(1)',
                "C(1)", case=2, cycles=18)),
    ),
)

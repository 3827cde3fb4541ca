# amaranth: UnusedElaboratable=no
"""Sums are exact for however long: each stage of the pipeline holds what it must add up to."""

from typing import Any

from amaranth.hdl import Array, Cat, Mux, Signal, Value

import gateware.accumulate
from gateware.folding import Folding

from .accumulate import SHAPES, reach
from .change import Change
from .harness import Harness
from .layers import rules
from .popcount import total
from .proof import Proof, case


__all__ = ["PROOFS"]


def exact(h: Harness, *, inputs: int, outputs: int, gains: tuple[int, ...], pe: int,
          simd: int) -> None:
    """A reference adds words up as they go in; its totals travel beside the pipeline."""
    folding = Folding(inputs, outputs, gains, pe, simd)
    dut = h.add(gateware.accumulate.Accumulate(folding))
    taken, _, _ = rules(h, folding, dut)
    inside = h.inside(dut)
    planes, beats = folding.planes, folding.beats
    entered = h.signals["entered"]
    advance, left = inside["advance"], inside["left"]
    full = inside["full"]

    def gain(place: Any) -> Any:
        return Array(gains)[place % planes]

    def agreements(x: Any, row: Any, n: int) -> Any:
        return total(~(x ^ row.word_select(n, simd)))

    # The row of weights that belongs to a word, counted by the words that went in.
    row = Signal(range(max(folding.rows, 2)), name="reference_row")
    h.m.d.sync += row.eq(Mux(taken & (entered % planes == planes - 1),
                             Mux(row == folding.rows - 1, 0, row + 1), row))
    h.claim("the row is that of the word", (row < folding.rows) & (inside["row"] == row))
    weights = Cat(*(h.row(dut, f"crossbar.weights.cells_{n}", row)
                    for n in range(folding.weights.chunks)))

    stages = 3 if folding.serial else 2
    valid = [Value.cast(inside[name])[0] for name in ("sensed_0", "sensed_1", "weighed")[:stages]]
    places = [h.signals[f"place_{n}"] for n in range(stages)]
    handed = []
    width = len(Signal(range(folding.top + 1)))
    for n in range(folding.pe):
        so_far = Signal(range(folding.top + 1), name=f"so_far_{n}")
        after = Signal(range(folding.top + 1), name=f"after_{n}")
        h.m.d.comb += after.eq(so_far + gain(entered) * agreements(dut.i.payload, weights, n))
        h.m.d.sync += so_far.eq(Mux(taken, Mux(entered == beats - 1, 0, after), so_far))
        beside = [Signal(range(folding.top + 1), name=f"beside_{k}_{n}") for k in range(stages)]
        done = Signal(range(folding.top + 1), name=f"done_{n}")
        for held, behind in zip([*beside, done], [after, *beside], strict=True):
            h.m.d.sync += held.eq(Mux(advance, behind, held))

        h.claim("a count is no more than there are places",
                inside[f"crossbar.popcount_{n}.count"] <= simd)
        # What has been added up, stage by stage from the last one to the first.
        value = Mux(inside["begin"], 0, inside[f"acc_{n}"])
        h.claim("sums that are complete are what went in", ~full | (done == inside[f"acc_{n}"]))
        if folding.serial:
            fresh, part, place = inside["fresh"], inside[f"part_{n}"], places[1]
            h.claim("a part is begun with the first plane", fresh == (place % planes == 0))
            most = Array([simd * ((1 << k) - 1) for k in range(planes)])[place % planes]
            h.claim("a part is no more than its planes can give", fresh | (part <= most))
            due = Array([0, *(planes - k for k in range(1, planes))])[place % planes]
            value = Mux(fresh & ~valid[2], value, value + (part << due))
            h.claim("planes are weighed as they shall be", ~valid[2] | (beside[2] == value[:width]))
            value = Mux(valid[2] & (places[2] == beats - 1), 0, value)
        for k, counted in ((1, inside[f"crossbar.popcount_{n}.count"]),
                           # Inputs wait for the memory as their opposites.
                           (0, agreements(~inside["crossbar.x_0"],
                                          inside["crossbar.weights.data"], n))):
            value = Mux(valid[k], value + gain(places[k]) * counted, value)
            h.claim("each stage has counted what it shall",
                    ~valid[k] | (beside[k] == value[:width]))
            value = Mux(valid[k] & (places[k] == beats - 1), 0, value)
        h.claim("what has been added up is what went in", so_far == value[:width])

        taken_over = Signal(range(folding.top + 1), name=f"handed_{n}")
        h.m.d.sync += taken_over.eq(Mux(advance & full, done, taken_over))
        handed.append(taken_over)

    for drained in range(folding.drain):
        now = left == folding.drain - drained
        for n in range(folding.pe - drained * folding.lanes):
            waits = inside["sums"].word_select(n, width)
            h.claim("sums move up as lanes leave",
                    ~now | (waits == handed[n + drained * folding.lanes]))
        for lane in range(folding.lanes):
            h.claim("the sums that leave are those that went in",
                    ~now | (dut.o.payload[lane] == handed[lane + drained * folding.lanes]))
    h.claim("all lanes of a group are counted", left <= folding.drain)


PROOFS = (
    Proof(
        "accumulate.exact",
        "Each sum that leaves, however many went before, is that of its group's words: agreements "
        "with the row of weights that belongs to the word, times the gain of its plane, added up; "
        "whatever the weights are, modulo the width of a sum, which none of a real layer leaves.",
        "the source keeps what it offers; no access over the bus", "induction", exact,
        tuple(case(reach(shape), **shape) for shape in SHAPES),
        (Change("gateware.accumulate", "part << 1, count", "part, count", case=2, cycles=14),
         Change("gateware.accumulate", "sums[n + folding.lanes] if", "sums[n] if", case=2),
         Change("gateware.accumulate", "Mux(row == folding.rows - 1, 0, row + 1)",
                "Mux(row == folding.rows - 1, 1, row + 1)", case=1, cycles=16),
         Change("gateware.crossbar", "popcount.x.eq(x.word_select(",
                "popcount.x.eq(~self.x.word_select(", case=1)),
    ),
)

# amaranth: UnusedElaboratable=no
"""Gather sends the vectors of each batch side by side, however long either side waits."""

from typing import Any

from amaranth.hdl import Array, Cat, Mux, Signal, Value

import gateware.gather

from .change import Change
from .environment import accept, collect, feed, holds, in_range, offer, progress
from .harness import Harness
from .proof import Proof, case


__all__ = ["PROOFS"]


def safe(h: Harness, *, per_word: int, units: int, words: int, times: int, batch: int,
         interleaved: bool) -> None:
    """Rules that need no look at the data."""
    dut = h.add(gateware.gather.Gather(width=1, per_word=per_word, units=units, words=words,
                                       times=times, batch=batch, interleaved=interleaved))
    taken, given = offer(h, dut.i), accept(h, dut.o)
    last = h.free(1, "last")
    h.m.d.comb += dut.last.eq(last)
    holds(h, dut.o)
    in_range(h, dut)
    inside = h.inside(dut)
    full, r_bank, w_bank = inside["full"], inside["r_bank"], inside["w_bank"]
    r_index, r_times = inside["r_index"], inside["r_times"]
    word, part, slot = inside["word"], inside["part"], inside["slot"]

    # Units as they come, counted apart: of a vector, and vectors of a batch.
    unit, vector = Signal(range(units), name="unit"), Signal(range(batch), name="vector")
    ends = taken & (unit == units - 1) & (vector == batch - 1)
    if interleaved:
        h.m.d.sync += vector.eq(Mux(taken, Mux(vector == batch - 1, 0, vector + 1), vector))
        h.m.d.sync += unit.eq(Mux(ends, 0, unit + (taken & (vector == batch - 1))))
    else:
        whole = taken & (unit == units - 1)
        ends = whole & ((vector == batch - 1) | last)
        h.m.d.sync += unit.eq(Mux(whole, 0, unit + taken))
        h.m.d.sync += vector.eq(Mux(ends, 0, vector + whole))
    h.claim("units are counted as they come", (unit == word * per_word + part)
            & (part < per_word) & (vector == slot))
    h.claim("a batch closes with its last unit, full or not", dut.closed == ends)
    h.claim("as many vectors are told as it has", ~ends | (dut.vectors == vector + 1))
    h.claim("counters are in range", (r_index < words) & (r_times < times) & (slot < batch)
            & (unit < units))
    h.claim("banks fill and empty in turn", ~(full[0] ^ full[1]) | (full[1] == r_bank))
    h.claim("the bank that fills follows the one that is sent",
            Mux(full.all() | ~full.any(), w_bank == r_bank, w_bank != r_bank))
    h.claim("only a full bank is partly sent", full.any() | ((r_index == 0) & (r_times == 0)))

    # Words that are due: those of each batch, as often as they shall be sent, less words out.
    due = Signal(range(-1, 5 * words * times + 1), name="due")
    h.m.d.sync += due.eq(due + Mux(ends, words * times, 0) - given)
    held = (full[0].as_unsigned() + full[1]) * (words * times) - (r_times * words + r_index)
    h.claim("as many words are due as batches closed, times each, less those that left",
            due == held + dut.o.valid)
    h.claim("a word of a batch that is here is offered in the next cycle, unasked",
            ~h.past(full.any()) | dut.o.valid)
    progress(h, taken | given, dut.i.valid & dut.o.ready, 2)
    h.cover("a batch has left for the last time", given & (r_times == 0) & (r_index == 0))


def whole(h: Harness, *, per_word: int, units: int, words: int, times: int, batch: int,
          interleaved: bool, counts: tuple[int, ...]) -> None:
    """The words of batches of so many vectors, one by one; of those that came, where some lack."""
    dut = h.add(gateware.gather.Gather(width=1, per_word=per_word, units=units, words=words,
                                       times=times, batch=batch, interleaved=interleaved))
    sent: list[Any] = []
    lasts, expected, masks = [], [], []
    for n, count in enumerate(counts):
        vectors = [h.constant(units, f"vector_{n}_{slot}") for slot in range(count)]
        places = [(slot, unit) for slot in range(count) for unit in range(units)]
        if interleaved:
            places.sort(key=lambda place: place[1])
        sent += [vectors[slot][unit] for slot, unit in places]
        lasts += [count < batch and place == (count - 1, units - 1) for place in places]
        length = words * per_word
        filled = [Cat(vector[:length], *[0] * max(length - units, 0)) for vector in vectors]
        expected += [Cat(each.word_select(word, per_word) for each in filled)
                     for word in range(words)] * times
        masks += [(1 << count * per_word) - 1] * (words * times)
    fed = feed(h, dut.i, sent)
    h.m.d.comb += dut.last.eq(Array([*lasts, 0])[fed])
    mask = Signal(per_word * batch, name="mask")
    out = collect(h, dut.o, expected, fields=Value.cast(dut.o.payload) & mask)
    h.m.d.comb += mask.eq(Array([*masks, masks[-1]])[out])
    holds(h, dut.o)
    progress(h, (dut.i.valid & dut.i.ready) | (dut.o.valid & dut.o.ready),
             (dut.i.valid | (fed == len(sent))) & dut.o.ready & (out != len(expected)), 3)


SHAPES: tuple[dict[str, Any], ...] = tuple(
    {"per_word": per_word, "units": units, "words": words, "times": times, "batch": batch,
     "interleaved": interleaved}
    for per_word, units, words, times, batch, interleaved in (
        (1, 1, 1, 1, 1, True), (1, 2, 2, 1, 2, True), (1, 2, 2, 2, 2, False),
        (2, 3, 2, 2, 2, True), (2, 4, 1, 2, 2, True), (1, 3, 3, 1, 3, False)))


PROOFS = (
    Proof(
        "gather.rules",
        "What is offered stays; memory is never addressed beyond its end; a batch closes with the "
        "last unit of its last vector, which is its last place or is said to be the last, and "
        "tells how many came; exactly as many words leave as batches closed, each as often as it "
        "shall, and whatever is there is offered unasked; and whenever there is a unit to take and "
        "whoever waits for a word, one moves within two cycles.",
        "the source keeps what it offers", "induction", safe,
        tuple(case(5 + shape["units"] * shape["batch"] + shape["words"] * shape["times"], **shape)
              for shape in SHAPES),
        (Change("gateware.gather", "word * self._per_word + part == self._units - 1",
                "word * self._per_word + part == self._units - 2", case=1, cycles=14),
         Change("gateware.gather", "self.i.ready.eq(~full.word_select(w_bank, 1))",
                "self.i.ready.eq(1)", case=1, cycles=16),
         Change("gateware.gather", "self.closed.eq(final & (round_ | self.last))",
                "self.closed.eq(round_ & (final | self.last))", case=2, cycles=14)),
    ),
    Proof(
        "gather.order",
        "The words that leave are those of all vectors of each batch side by side, the first one "
        "lowest, again and again, and then those of the next: none lost, doubled or out of turn; "
        "units past the last word are dropped, and what lacks to it is zeros. Of a batch that "
        "closed early, the vectors that came.",
        "two or three batches come", "bounded", whole,
        (case(19, **SHAPES[1], counts=(2, 2, 2)), case(21, **SHAPES[2], counts=(2, 1, 2)),
         case(24, **SHAPES[3], counts=(2, 2)), case(22, **SHAPES[4], counts=(2, 2)),
         case(26, **SHAPES[5], counts=(1, 3, 2))),
        (Change("gateware.gather", "1 << (slot * self._per_word + part)",
                "1 << (part * self._batch + slot)", case=2),
         Change("gateware.gather", "Cat(word[:index_bits], w_bank)",
                "Cat(word[:index_bits], C(0, 1))", case=0),
         Change("gateware.gather", "next_slot(round_ | self.last)", "next_slot(round_)", case=1),
         Change("gateware.gather", "with m.If(taken & (word < self._words)):", "with m.If(taken):",
                case=3)),
    ),
)

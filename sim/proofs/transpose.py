# amaranth: UnusedElaboratable=no
"""Transpose sends the vectors of each batch one behind another, however long either side waits."""

from typing import Any

from amaranth.hdl import Array, Mux, Signal

import gateware.transpose

from .change import Change
from .environment import accept, collect, feed, holds, in_range, offer, progress
from .harness import Harness
from .proof import Proof, case


__all__ = ["PROOFS"]


def safe(h: Harness, *, words: int, batch: int) -> None:
    """Rules that need no look at the data."""
    dut = h.add(gateware.transpose.Transpose(width=1, words=words, batch=batch))
    taken, given = offer(h, dut.i), accept(h, dut.o)
    holds(h, dut.o)
    in_range(h, dut)
    inside = h.inside(dut)
    full, r_bank, w_bank = inside["full"], inside["r_bank"], inside["w_bank"]
    r_index, r_slot = inside["r_index"], inside["r_slot"]
    w_index, w_slot = inside["w_index"], inside["w_slot"]

    # Batches here, of words as they come, counted apart.
    came = Signal(range(words * batch), name="came")
    ends = taken & (came == words * batch - 1)
    here = Signal(range(4), name="here")
    h.m.d.sync += came.eq(Mux(ends, 0, came + taken))
    h.m.d.sync += here.eq(here + ends - dut.left)
    vectors = h.free(range(batch + 1), "vectors")
    h.m.d.comb += dut.vectors.eq(vectors)
    h.assume((vectors >= 1) & (vectors <= batch))
    h.assume(~h.past((here != 0) & ~dut.left) | (vectors == h.past(vectors)))

    h.claim("words are counted as they come", came == w_index * batch + w_slot)
    h.claim("whole batches are here until they have left", here == full[0].as_unsigned() + full[1])
    h.claim("counters are in range", (r_index < words) & (w_index < words) & (r_slot < batch)
            & (w_slot < batch) & (came < words * batch))
    h.claim("banks fill and empty in turn", ~(full[0] ^ full[1]) | (full[1] == r_bank))
    h.claim("the bank that fills follows the one that is sent",
            Mux(full.all() | ~full.any(), w_bank == r_bank, w_bank != r_bank))
    sending = (r_index != 0) | (r_slot != 0)
    h.claim("only a full bank is partly sent", full.any() | ~sending)
    h.claim("vectors that are dropped are not begun", ~sending | (r_slot < vectors))
    h.claim("a batch leaves whose last word becomes valid next", ~h.past(dut.left) | dut.o.valid)
    h.claim("and then a bank is free", ~h.past(dut.left) | dut.i.ready)

    # Words of batches that left, as told, less words out; words of the next may be out as well.
    due = Signal(range(-words * batch, words * batch + 2), name="due")
    h.m.d.sync += due.eq(due + Mux(dut.left, vectors * words, 0) - given)
    h.claim("as many words leave of each batch as its vectors have",
            due == dut.o.valid.as_unsigned() - (r_slot * words + r_index))
    h.claim("a word of a batch that is here is offered in the next cycle, unasked",
            ~h.past(here != 0) | dut.o.valid)
    progress(h, taken | given, dut.i.valid & dut.o.ready, 2)
    h.cover("a batch leaves that is not full" if batch > 1 else "a batch leaves",
            dut.left & (vectors <= max(batch - 1, 1)))


def whole(h: Harness, *, words: int, batch: int, counts: tuple[int, ...]) -> None:
    """The words of batches of which so many vectors are told, one by one."""
    dut = h.add(gateware.transpose.Transpose(width=1, words=words, batch=batch))
    sent, expected = [], []
    for n, count in enumerate(counts):
        vectors = [h.constant(words, f"vector_{n}_{slot}") for slot in range(batch)]
        sent += [vector[word] for word in range(words) for vector in vectors]
        expected += [vector[word] for vector in vectors[:count] for word in range(words)]
    fed = feed(h, dut.i, sent)
    left = h.count(dut.left, len(counts), name="left")
    h.m.d.comb += dut.vectors.eq(Array([*counts, counts[-1]])[left])
    out = collect(h, dut.o, expected)
    holds(h, dut.o)
    progress(h, (dut.i.valid & dut.i.ready) | (dut.o.valid & dut.o.ready),
             (dut.i.valid | (fed == len(sent))) & dut.o.ready & (out != len(expected)), 3)


SHAPES: tuple[dict[str, Any], ...] = tuple(
    {"words": words, "batch": batch}
    for words, batch in ((1, 1), (1, 3), (2, 1), (2, 2), (3, 2), (2, 3)))


PROOFS = (
    Proof(
        "transpose.rules",
        "What is offered stays; memory is never addressed beyond its end; exactly as many words "
        "leave of each batch as the vectors have that are told of it; it leaves in the cycle "
        "before its last word is valid, in which a bank is free again; whatever is there is "
        "offered unasked; and whenever there is a word to take and whoever waits for one, a word "
        "moves within two cycles.",
        "the source keeps what it offers; as many vectors are told as a batch may have, and that "
        "stays while there is a batch, until it leaves", "induction", safe,
        tuple(case(6 + 2 * shape["words"] * shape["batch"], **shape) for shape in SHAPES),
        (Change("gateware.transpose", "r_slot == self.vectors - 1", "r_slot == self._batch - 1",
                case=1),
         Change("gateware.transpose", "self.i.ready.eq(~full.word_select(w_bank, 1))",
                "self.i.ready.eq(1)", case=3),
         Change("gateware.transpose", "r_port.en.eq(self.o.ready | ~self.o.valid)",
                "r_port.en.eq(self.o.ready)", case=3),
         Change("gateware.transpose", "w_slot == self._batch - 1", "w_slot == self._batch - 2",
                case=3)),
    ),
    Proof(
        "transpose.order",
        "The words that leave are those of the first vector of a batch, in order, then those of "
        "the second, as many vectors as are told of it, and then those of the next batch: none "
        "lost, doubled or out of turn.",
        "two or three batches come", "bounded", whole,
        (case(14, **SHAPES[1], counts=(3, 1, 2)), case(14, **SHAPES[2], counts=(1, 1, 1)),
         case(20, **SHAPES[3], counts=(2, 1, 2)), case(20, **SHAPES[4], counts=(1, 2)),
         case(22, **SHAPES[5], counts=(2, 3))),
        (Change("gateware.transpose", "Cat(r_index, r_slot, r_bank)",
                "Cat(r_slot, r_index, r_bank)", case=2),
         Change("gateware.transpose", "Cat(w_index, w_slot, w_bank)",
                "Cat(w_index, w_slot, C(0, 1))", case=2),
         Change("gateware.transpose", "m.d.sync += r_bank.eq(~r_bank)",
                "m.d.sync += r_bank.eq(r_bank)", case=2)),
    ),
)

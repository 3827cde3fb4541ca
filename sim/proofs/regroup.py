# amaranth: UnusedElaboratable=no
"""Regroup cuts vectors into other words, however long either side waits."""

from math import gcd

from amaranth.hdl import Cat, Const, Mux

import gateware.regroup

from .change import Change
from .environment import accept, collect, feed, holds, offer, progress
from .harness import Harness
from .proof import Proof, case


__all__ = ["PROOFS"]


def safe(h: Harness, *, i_width: int, o_width: int, i_words: int, o_words: int) -> None:
    """Rules that need no look at the data."""
    dut = h.add(gateware.regroup.Regroup(i_width=i_width, o_width=o_width, i_words=i_words,
                                         o_words=o_words))
    taken, given = offer(h, dut.i), accept(h, dut.o)
    holds(h, dut.o)
    unit = gcd(i_width, o_width)
    i_per, o_per, units = i_width // unit, o_width // unit, i_words * i_width // unit
    inside = h.inside(dut)
    count = inside["count"]
    h.claim("units of a vector are counted in range", count < units)
    if i_per > 1:
        left = inside["left"]
        h.claim("units of a word are counted in range", left <= i_per)
        h.claim("words in begin where their units do", (count + left) % i_per == 0)
    else:
        left = Const(0)
    if o_per > 1:
        slot, wanted = inside["slot"], min(units, o_words * o_per)
        h.claim("words out begin where their units do",
                slot == (count % o_per if units <= o_words * o_per else
                         Mux(count < wanted, count % o_per, 0)))
    progress(h, taken | given, dut.i.valid & dut.o.ready, units + 2)
    left_before = h.count(given, o_words, name="given")
    h.cover("a vector has left", left_before == o_words)


def whole(h: Harness, *, i_width: int, o_width: int, i_words: int, o_words: int) -> None:
    """The words that come out of two vectors."""
    dut = h.add(gateware.regroup.Regroup(i_width=i_width, o_width=o_width, i_words=i_words,
                                         o_words=o_words))
    words, expected = [], []
    for vector in range(2):
        bits = h.constant(i_words * i_width, f"vector_{vector}")
        words += [bits.word_select(n, i_width) for n in range(i_words)]
        filled = Cat(bits, Const(0, o_width))
        expected += [filled[n * o_width:(n + 1) * o_width] for n in range(o_words)]
    fed = feed(h, dut.i, words)
    out = collect(h, dut.o, expected)
    holds(h, dut.o)
    progress(h, (dut.i.valid & dut.i.ready) | (dut.o.valid & dut.o.ready),
             (dut.i.valid | (fed == len(words))) & dut.o.ready & (out != len(expected)),
             i_words * i_width + 2)


SHAPES = (
    {"i_width": 1, "o_width": 1, "i_words": 3, "o_words": 3},
    {"i_width": 1, "o_width": 3, "i_words": 6, "o_words": 2},
    {"i_width": 3, "o_width": 1, "i_words": 2, "o_words": 6},
    {"i_width": 2, "o_width": 3, "i_words": 3, "o_words": 2},
    {"i_width": 3, "o_width": 2, "i_words": 2, "o_words": 3},
    {"i_width": 4, "o_width": 2, "i_words": 2, "o_words": 3},
    {"i_width": 2, "o_width": 2, "i_words": 3, "o_words": 2},
    {"i_width": 3, "o_width": 2, "i_words": 1, "o_words": 2},
)


PROOFS = (
    Proof(
        "regroup.rules",
        "What is offered stays; units are counted in range and words begin where they shall; and "
        "whenever there is a word to take and whoever waits for one, a word moves before a whole "
        "vector could pass.",
        "the source keeps what it offers", "induction", safe,
        tuple(case(shape["i_words"] * shape["i_width"] + 7, **shape) for shape in (
            *SHAPES, {"i_width": 2, "o_width": 3, "i_words": 4, "o_words": 3},
            {"i_width": 3, "o_width": 2, "i_words": 3, "o_words": 4})),
        (Change("gateware.regroup", "units.ready.eq(self.o.ready | ~full)", "units.ready.eq(1)",
                case=1),
         Change("gateware.regroup", "count == self._i_units - 1", "count == self._i_units - 2",
                case=3),
         Change("gateware.regroup", "units.ready.eq(self.o.ready | ~wanted)",
                "units.ready.eq(self.o.ready & wanted)", case=6, cycles=16)),
    ),
    Proof(
        "regroup.order",
        "The words that leave are the bits that came, in order, filled up with zeros at the end "
        "of each vector, and bits past the end are dropped.",
        "two vectors come", "bounded", whole,
        tuple(case(2 * shape["i_words"] * shape["i_width"] + 6, **shape) for shape in SHAPES),
        (Change("gateware.regroup", "m.d.sync += word.eq(word >> self._unit)",
                "m.d.sync += word.eq(word >> 2 * self._unit)", case=2),
         Change("gateware.regroup", "with m.Elif(slot == 0):", "with m.Elif(slot == self._unit):",
                case=7),
         Change("gateware.regroup", "(left == 0) | ((left == 1) & units.ready)",
                "(left == 0) | (left == 1)", case=3)),
    ),
)

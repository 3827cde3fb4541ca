# amaranth: UnusedElaboratable=no
"""The ring sends each image's words round and round, those of nothing but zeros left out."""

from typing import Any

from amaranth.hdl import Array, Const, Mux, Signal, Value

import gateware.ring

from .change import Change
from .environment import feed, in_range, progress
from .harness import Harness
from .proof import Proof, case


__all__ = ["PROOFS"]


def order(h: Harness, *, simd: int, bits: int, words: int, least: int, images: int) -> None:
    """An image is let go of when anything lets go of it; the next one starts when there is room."""
    dut = h.add(gateware.ring.Ring(simd=simd, bits=bits, words=words, least=least))
    data = [[h.constant(simd * bits, f"word_{image}_{n}") for n in range(words)]
            for image in range(images)]
    fed = feed(h, dut.i, [word for each in data for word in each])
    h.m.d.comb += dut.room.eq(h.free(1, "room"))
    going = Signal(name="going")
    h.m.d.comb += dut.end.eq(h.free(1, "ends") & going)
    h.m.d.sync += going.eq((going | dut.start) & ~dut.end)
    ended = h.count(dut.end, images, name="ended")

    # Of each image, where the words that stay go, how many there are, and their sum.
    kept, counts, totals = [], [], []
    for image, each in enumerate(data):
        places = [Signal(range(words), name=f"kept_{image}_{n}") for n in range(words)]
        count: Any = Const(0, range(words + 1))
        for n, word in enumerate(each):
            # Where too few would be left after it, a word stays whatever it is.
            stays = word.any() | (count + words - n <= least)
            for place, found in enumerate(places):
                with h.m.If(stays & (count == place)):
                    h.m.d.comb += found.eq(n)
            count = h.name(f"count_{image}_{n}", count + stays)
        kept.append(places)
        counts.append(count)
        totals.append(sum(word.word_select(n, bits) for word in each for n in range(simd)))

    place = Signal(range(words), name="place")
    rounds = h.name("rounds", Array(counts)[ended])
    with h.m.If(going):
        h.m.d.sync += place.eq(Mux(place + 1 == rounds, 0, place + 1))
    with h.m.If(dut.end):
        h.m.d.sync += place.eq(0)
    index = h.name("index", Array([Array(each)[place] for each in kept])[ended])
    word = h.name("word", Array([Array(each)[index] for each in data])[ended])
    h.claim("an image starts where there is room, none is worked on and it is whole",
            ~dut.start | (dut.room & ~going & (fed >= (ended + 1) * words)))
    h.claim("words are those that stay, in order, again and again",
            ~going | ((Value.cast(dut.word) == word) & (dut.index == index)))
    h.claim("as many go round as stay, at least the least, and their sum is told from the start",
            ~(dut.start | going) | ((dut.rounds == rounds) & (rounds >= least)
                                    & (dut.total == Array(totals)[ended])))
    in_range(h, dut)
    progress(h, dut.start | (dut.i.valid & dut.i.ready),
             dut.room & ~going & (dut.i.valid | (fed == images * words)) & (ended != images), 3)
    h.cover("the last image has gone round", (ended == images - 1) & going & (place + 1 == rounds)
            & (rounds == words) & dut.end)


PROOFS = (
    Proof(
        "ring.order",
        "Each image's words go round and round in order, with their places, from the cycle after "
        "its start until it is let go of: all that are not zero, and no fewer than the least; "
        "and how many these are, and the sum of all, is told as long.",
        "so many images come, each let go of at any time once it has started", "bounded", order,
        tuple(case(cycles, simd=simd, bits=bits, words=words, least=least, images=images)
              for cycles, simd, bits, words, least, images in (
                  (14, 1, 1, 1, 1, 3), (15, 2, 1, 2, 1, 3), (16, 1, 1, 3, 2, 3),
                  (14, 2, 2, 3, 3, 2), (15, 1, 1, 4, 1, 2))),
        (Change("gateware.ring", "(out == self._words - self._least)",
                "(out > self._words - self._least)", case=2),
         Change("gateware.ring", "kept.eq(kept + keep), out", "kept.eq(kept + 1), out", case=1),
         Change("gateware.ring", "self.i.ready.eq(~full[bank])", "self.i.ready.eq(1)", case=2),
         Change("gateware.ring", "self.index, index, small)", "self.index, kept, small)", case=1),
         Change("gateware.ring", "[going.eq(0), place.eq(0),", "[going.eq(0),", case=2)),
    ),
)

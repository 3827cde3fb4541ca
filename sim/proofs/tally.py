# amaranth: UnusedElaboratable=no
"""Tally gives the totals of what comes in several passes, however many of them there are."""

from amaranth.hdl import Mux, Signal

import gateware.tally

from .change import Change
from .environment import accept, collect, feed, holds, offer, progress
from .harness import Harness
from .proof import Proof, case


__all__ = ["PROOFS"]


def totals(h: Harness, *, words: int, samples: int, most: int, images: int) -> None:
    """The words that come out, one by one."""
    dut = h.add(gateware.tally.Tally(top=2, words=words, most=most))
    h.m.d.comb += dut.samples.eq(samples)
    data = [h.constant(2, f"word_{n}") for n in range(words * samples * images)]
    for word in data:
        h.assume(word <= 2)
    fed = feed(h, dut.i, data)
    expected = []
    for image in range(images):
        for place in range(words):
            first = image * samples * words + place
            expected.append(sum((data[first + each * words] for each in range(1, samples)),
                                data[first])[:len(dut.o.payload)])
    out = collect(h, dut.o, expected)
    holds(h, dut.o)
    progress(h, (dut.i.valid & dut.i.ready) | (dut.o.valid & dut.o.ready),
             (dut.i.valid | (fed == len(data))) & dut.o.ready & (out != len(expected)), 1)


def counts(h: Harness, *, words: int, samples: int, most: int) -> None:
    """Places and passes are counted, whatever comes."""
    dut = h.add(gateware.tally.Tally(top=3, words=words, most=most))
    h.m.d.comb += dut.samples.eq(samples)
    taken, given = offer(h, dut.i), accept(h, dut.o)
    inside = h.inside(dut)
    place, index, first = (inside[name] for name in ("place", "index", "first"))
    h.claim("places and passes are in range", (place < words) & (index < samples))
    h.claim("the first pass is known", first == (index == 0))
    came = Signal(range(words * samples), name="came")
    h.m.d.sync += came.eq(Mux(taken, Mux(came == words * samples - 1, 0, came + 1), came))
    h.claim("so many words came of this image", came == index * words + place)
    last = index == samples - 1
    h.claim("totals leave with the words of the last pass, and only with these",
            given == (taken & last))
    h.claim("words of other passes never wait", last | dut.i.ready)
    h.cover("an image is done", given & (place == words - 1))


PROOFS = (
    Proof(
        "tally.totals",
        "Of each place the total of all passes leaves, in order; a word moves whenever there is "
        "one and whoever waits for it.",
        "two or three images come", "bounded", totals,
        (case(12, words=1, samples=2, most=2, images=3),
         case(14, words=2, samples=2, most=4, images=2),
         case(16, words=3, samples=2, most=4, images=2),
         case(14, words=1, samples=4, most=4, images=2),
         case(8, words=2, samples=1, most=4, images=2)),
        (Change("gateware.tally", "Mux(first, 0, r_port.data)", "r_port.data", case=1),
         Change("gateware.tally", "transparent_for=(w_port,) if", "transparent_for=() if", case=0),
         Change("gateware.tally", "r_port.addr.eq(following)", "r_port.addr.eq(place)", case=1)),
    ),
    Proof(
        "tally.rules",
        "Words are counted by place and by pass; totals leave with the words of the last pass, and "
        "all others are taken at once.",
        "the source keeps what it offers", "induction", counts,
        tuple(case(words * samples + 3, words=words, samples=samples, most=most)
              for words, samples, most in ((1, 2, 2), (3, 2, 4), (2, 4, 8), (4, 1, 2))),
        (Change("gateware.tally", "index + 1 == self.samples", "index == self.samples - 2", case=1),
         Change("gateware.tally", "self.i.ready.eq(self.o.ready | ~last)",
                "self.i.ready.eq(self.o.ready)", case=1)),
    ),
)

# amaranth: UnusedElaboratable=no
"""The buffer of images sends what came, in order, as often as it shall."""

from math import gcd
from typing import Any

from amaranth.hdl import Cat, Const, Mux, Signal

import gateware.image_buffer

from .change import Change
from .environment import accept, collect, feed, holds, in_range, offer, progress
from .harness import Harness
from .proof import Proof, case


__all__ = ["PROOFS", "buffer_used_well"]


def buffer_used_well(h: Harness, buffer: Any, sending: Any, room: int) -> Any:
    """Whether a buffer's host keeps to what its docstring asks for, in this cycle."""
    settled = h.past(h.past(buffer.i.ready & ~buffer.i.valid) & ~buffer.i.valid) & ~buffer.i.valid
    ready = settled & buffer.whole & (buffer.images != 0) & (buffer.rounds != 0) & ~buffer.clear
    return (~(buffer.i.valid | buffer.clear | buffer.start) | ~sending) \
        & (~buffer.i.valid | (buffer.filled < room)) & (~buffer.start | ready)


def rules(h: Harness, *, width: int, words: int, image_bytes: int, batch: int) -> None:
    """Bytes, starts and words at any time that is allowed."""
    dut = h.add(gateware.image_buffer.ImageBuffer(width=width, words=words,
                                                  image_bytes=image_bytes, batch=batch))
    h.blank = False
    room, unit = batch * image_bytes, gcd(8, width)
    i_per, o_per, units = 8 // unit, width // unit, image_bytes * 8 // unit
    came, given = offer(h, dut.i), accept(h, dut.o)
    for signal in (dut.clear, dut.start, dut.rounds):
        h.drive(signal)
    inside = h.inside(dut)
    at, end, row, rounds = (inside[name] for name in ("at", "end", "row", "left"))
    sending = (rounds != 0) | dut.o.valid
    h.assume(buffer_used_well(h, dut, sending, room))

    # Taking: bytes, the units of them that have passed, and the rows that these have filled.
    h.claim("bytes and images are counted as they come",
            (at < image_bytes) & (dut.filled == dut.images * image_bytes + at)
            & (dut.filled <= room) & (dut.whole == (at == 0)))
    count = inside["regroup.count"]
    left  = inside["regroup.left"] if i_per > 1 else Const(0)
    full  = inside["regroup.full"] if o_per > 1 else Const(0)
    made  = sum((count >= n * o_per for n in range(1, words + 1)), start=Const(0, 1))
    h.claim("units of an image are counted in range", (count < units) & (left <= i_per))
    h.claim("and in step with its bytes", Mux(
        dut.whole, ((left == 0) & (count == 0))
        | ((left != 0) & (count + left == units) & (dut.images != 0)),
        count + left == at * i_per))
    if o_per > 1:
        h.claim("words begin where their units do", inside["regroup.slot"] == Mux(
            count < words * o_per, count % o_per, 0))
    h.claim("rows are filled as words are made",
            end + full == (dut.images - (dut.whole & (left != 0))) * words + made)
    progress(h, came, dut.i.valid, i_per, name="taking")

    h.claim("the last of them is remembered", (end == 0) | (inside["top"] == end - 1))

    # Sending: which word of which round is the next to leave.
    place = Signal(range(batch * words), name="place")
    remaining = Signal(16, name="remaining")
    last = h.name("last", place + 1 == dut.images * words)
    with h.m.If(given):
        h.m.d.sync += place.eq(Mux(last, 0, place + 1))
        h.m.d.sync += remaining.eq(remaining - last)
    with h.m.If(dut.start):
        h.m.d.sync += remaining.eq(dut.rounds)
    h.claim("the last word of a round is marked", ~dut.o.valid | (dut.last == last))
    h.claim("words leave until all have left, as often as they shall, and no longer",
            sending == (remaining != 0))
    h.claim("it is known whether there is more to read", inside["more"] == (rounds != 0))
    h.claim("rows are read in turn, one ahead of the words that leave", Mux(
        dut.o.valid, (row == Mux(last, 0, place + 1)) & (rounds == remaining - last),
        (row == place) & (rounds == remaining)))
    h.claim("all that is sent is there, and images are whole", Mux(
        sending, dut.whole & (left == 0) & (end == dut.images * words)
        & (place < dut.images * words), place == 0))
    h.claim("a word is offered in every cycle from two after the start",
            ~(sending & h.past(remaining != 0)) | dut.o.valid)
    in_range(h, dut)
    holds(h, dut.o)
    h.cover("a second round begins", given & last & (remaining == 2))


def whole(h: Harness, *, width: int, words: int, image_bytes: int, batch: int,
          rounds: int) -> None:
    """A byte that is forgotten, then images, sent some rounds."""
    dut = h.add(gateware.image_buffer.ImageBuffer(width=width, words=words,
                                                  image_bytes=image_bytes, batch=batch))
    images = [h.constant(8 * image_bytes, f"image_{n}") for n in range(batch)]
    line = [h.constant(8, "forgotten"),
            *(image.word_select(n, 8) for image in images for n in range(image_bytes))]
    expected = [Cat(image, Const(0, width))[n * width:(n + 1) * width]
                for image in images for n in range(words)] * rounds

    ready = Signal(name="ready_for_more")
    fed = feed(h, dut.i, line, when=ready)
    cleared = h.count(dut.clear, 1, name="cleared")
    h.m.d.comb += dut.clear.eq((fed == 1) & ~cleared & h.free(1, "clears"))
    h.m.d.comb += ready.eq((fed != 1) | cleared)
    there = (fed == len(line)) & dut.i.ready
    started = h.count(dut.start, 1, name="started")
    h.m.d.comb += dut.start.eq(h.past(h.past(there)) & ~started & h.free(1, "starts"))
    h.m.d.comb += dut.rounds.eq(rounds)

    out = collect(h, dut.o, expected)
    holds(h, dut.o)
    progress(h, dut.o.valid & dut.o.ready,
             started.bool() & dut.o.ready & (out != len(expected)), 2)


PROOFS = (
    Proof(
        "image_buffer.rules",
        "What is offered stays; memory is never addressed beyond its end; bytes, images and rows "
        "are counted in step; a byte is taken in as many cycles as it has units; and exactly as "
        "many words leave as there are in all images, as many rounds as asked for, one in every "
        "cycle from two after the start.",
        "the source keeps what it offers; no more bytes come than there is room for; a start is "
        "for whole images, some of them, that are there for good and stay; while words leave, no "
        "byte comes, and nothing is started or forgotten",
        "induction", rules,
        (case(12, width=8, words=2, image_bytes=2, batch=2),
         case(12, width=12, words=2, image_bytes=3, batch=2),
         case(14, width=1, words=1, image_bytes=1, batch=1),
         case(12, width=16, words=2, image_bytes=3, batch=3),
         case(12, width=4, words=3, image_bytes=2, batch=2)),
        (Change("gateware.image_buffer", "final.eq(row == top)", "final.eq(row == end)",
                cycles=16),
         Change("gateware.image_buffer", "fetch.eq(more & (~self.o.valid | self.o.ready))",
                "fetch.eq(more)"),
         Change("gateware.image_buffer", "with m.If(at == self._image_bytes - 1):",
                "with m.If(self.filled == self._image_bytes - 1):"),
         Change("gateware.image_buffer", "at.eq(0), end.eq(0)]", "at.eq(0)]", case=4),
         Change("gateware.image_buffer", "with m.If(fetch | self.o.ready):",
                "with m.If(self.o.ready):")),
    ),
    Proof(
        "image_buffer.image",
        "The words of pixels that leave are the bits that came since all was forgotten, in order, "
        "each image filled up with zeros or cut to its words, and all of them again in each round.",
        "one byte comes and is forgotten, then all images, started once they are there",
        "bounded", whole,
        (case(22, width=8, words=2, image_bytes=2, batch=2, rounds=2),
         case(22, width=12, words=2, image_bytes=3, batch=1, rounds=2),
         case(20, width=16, words=1, image_bytes=1, batch=2, rounds=2),
         case(28, width=3, words=2, image_bytes=1, batch=1, rounds=2)),
        (Change("gateware.image_buffer", "ResetInserter(self.clear)(regroup)", "regroup", case=1),
         Change("gateware.image_buffer", "Mux(final, 0, row + 1)", "Mux(final, 1, row + 1)"),
         Change("gateware.image_buffer", "w_port.data.eq(word.payload)",
                "w_port.data.eq(word.payload[::-1])", case=1),
         Change("gateware.image_buffer", "with m.If(final):\n                m.d.sync += [left",
                "with m.If(1):\n                m.d.sync += [left")),
    ),
)

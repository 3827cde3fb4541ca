# amaranth: UnusedElaboratable=no
"""Results are kept, counted, timed and signed as they come."""

from typing import Any

import numpy as np
from amaranth.hdl import Array, Cat, Const, Mux, Signal, signed

import gateware.results
from gateware.scores import layout
from model import frame

from .change import Change
from .environment import feed, in_range, offer
from .harness import Harness
from .proof import Proof, case
from .table import Table


__all__ = ["PROOFS", "results_used_well"]


def results_used_well(h: Harness, results: Any, running: Any, batch: int) -> Any:
    """Whether what surrounds results keeps to what their docstring asks for, in this cycle."""
    some, began = results.start | running, h.past(results.start | running)
    return (~results.start | (~running & (results.rounds != 0))) \
        & (~some | ((results.images != 0) & (results.images <= batch))) \
        & (~(running & began) | (results.images == h.past(results.images)))


def rules(h: Harness, *, classes: int, bits: int, batch: int) -> None:
    """Scores and starts at any time that is allowed."""
    dut = h.add(gateware.results.Results(result=layout(classes, bits), classes=classes,
                                         batch=batch))
    h.blank = False
    for signal in (dut.start, dut.images, dut.rounds, dut.begin, dut.addr):
        h.drive(signal)
    came = offer(h, dut.i)
    inside = h.inside(dut)
    rounds = inside["left"]
    h.assume(results_used_well(h, dut, rounds != 0, batch))

    # Which class of which image is the next to come.
    place = Signal(range(max(classes, 2)), name="place")
    image = Signal(range(max(batch, 2)), name="image_to_come")
    remaining = Signal(16, name="remaining")
    asked = Signal(16, name="asked")
    last = h.name("last", place == classes - 1)
    final = h.name("final", last & (image + 1 == dut.images))
    h.assume(~dut.i.valid | (dut.i.payload.last == last))
    with h.m.If(came):
        h.m.d.sync += place.eq(Mux(last, 0, place + 1))
        h.m.d.sync += image.eq(Mux(final, 0, image + last))
        h.m.d.sync += remaining.eq(remaining - final)
    with h.m.If(dut.start):
        h.m.d.sync += [remaining.eq(dut.rounds), asked.eq(dut.rounds)]

    h.claim("scores are taken exactly while more are to come",
            (rounds == remaining) & (inside["more"] == dut.i.ready)
            & (dut.i.ready == (remaining != 0)))
    h.claim("each has a place of its own, by its image and its class", (place < classes) & Mux(
        remaining != 0, image < dut.images, (image == 0) & (place == 0))
        & (inside["image"] == image) & (inside["index"] == image * classes + place))
    h.claim("it is known which image is the last of a round",
            (remaining == 0) | (inside["top"] == dut.images - 1))
    h.claim("an image is counted with its last score", dut.counted == (came & last))
    h.claim("all are done with the last score of the last round",
            dut.done == (came & final & (remaining == 1)))
    counted = h.past(dut.counted)
    h.claim("the class is that of the last image", ~h.past(Const(1)) | (
        dut.best == Mux(counted, h.past(dut.i.payload.best), h.past(dut.best))))
    h.claim("time and signature stay once all are done", h.past((remaining != 0) | dut.start)
            | ((dut.cycles == h.past(dut.cycles)) & (dut.digest == h.past(dut.digest))))
    in_range(h, dut, reads=False)   # what lies beyond may be read, and is told to nobody
    h.cover("a second round is over", dut.done & (asked == 2))


def scores(h: Harness, *, classes: int, bits: int, images: int, rounds: int) -> None:
    """Some rounds of scores, and a look at all that is made of them."""
    dut = h.add(gateware.results.Results(result=layout(classes, bits), classes=classes,
                                         batch=images))
    best_bits = len(dut.best)
    came = [h.constant(bits + best_bits + 1, f"result_{n}")
            for n in range(images * rounds * classes)]
    for n, result in enumerate(came):
        h.assume(result[-1] == (n % classes == classes - 1))
    started = h.count(dut.start, 1, name="started").bool()
    h.m.d.comb += [dut.start.eq(~started & h.free(1, "starts")), dut.images.eq(images),
                   dut.rounds.eq(Mux(dut.start, rounds, 0)), dut.begin.eq(h.free(1, "begins"))]
    first = h.name("first", started & dut.begin)
    begun = h.count(first, 1, name="begun").bool() | first
    fed = feed(h, dut.i, came, when=begun)
    over = h.count(dut.done, 1, name="over").bool()

    cycles = Signal(8, name="cycles")
    h.m.d.sync += cycles.eq(cycles + (begun & ~over))
    h.claim("the time is that from the first word to the last score",
            ~over | (dut.cycles == cycles))
    h.claim("the class is the one that came with the last score",
            ~over | (dut.best == came[-1][bits:-1]))
    twin = Table(signatures(classes, bits, best_bits, images * rounds))
    content = Cat(*(result[:-1] if n % classes == classes - 1 else result[:bits]
                    for n, result in enumerate(came)))
    h.claim("the signature is that of the model", ~over | (dut.digest == twin[content]))

    # Read all of them back, one after the other, once the last is there.
    kept = came[-images * classes:]
    asked = Signal(range(len(kept) + 1), name="asked")
    asks = over & (asked != len(kept))
    h.m.d.sync += asked.eq(asked + asks)
    h.m.d.comb += dut.addr.eq(asked)
    before = h.past(asked)
    h.claim("scores of the last round are read back, with their sign",
            ~h.past(asks) | (dut.score == Array([*(result[:bits].as_signed() for result in kept),
                                                 Const(0, signed(bits))])[before]))
    h.claim("and the class with the last of each image", ~h.past(asks) | (
        Array([*(result[-1] for result in kept), 0])[before] == 0) | (
        dut.best_there == Array([*(result[bits:-1] for result in kept), 0])[before]))
    h.cover("all scores are read back", (asked == len(kept)) & (fed == len(came)))


def signatures(classes: int, bits: int, best_bits: int, images: int) -> Any:
    """What the model says of all scores and classes there are, by their bits."""
    size = classes * bits + best_bits
    found = []
    for content in range(1 << size * images):
        each = [content >> n * size & (1 << size) - 1 for n in range(images)]
        rows = np.array([[row >> n * bits & (1 << bits) - 1 for n in range(classes)]
                         for row in each])
        negative = rows >> bits - 1 & 1
        best = np.array([row >> classes * bits for row in each])
        found.append(frame.signature(rows - (negative << bits), best))
    return found


PROOFS = (
    Proof(
        "results.rules",
        "Scores are taken exactly while more are to come; each goes to the place of its image and "
        "class, which is within the memory; an image is counted with its last score, and all are "
        "done with the last of the last round; the class is that of the last image; and time and "
        "signature stay once all are done.",
        "the source keeps what it offers, and marks each image's last score; nothing is started "
        "while scores are to come; there are images and rounds, and as many images until all are "
        "done",
        "induction", rules,
        (case(12, classes=2, bits=4, batch=2), case(14, classes=3, bits=4, batch=3),
         case(8, classes=1, bits=4, batch=2)),
        (Change("gateware.results", "final.eq(image == top)",
                "final.eq(image == self.images)"),
         Change("gateware.results", "[image.eq(0), index.eq(0)]", "[image.eq(0)]"),
         Change("gateware.results", "self.done.eq(self.counted & final & (left == 1))",
                "self.done.eq(self.counted & (left == 1))"),
         Change("gateware.results", "self.i.ready.eq(more)", "self.i.ready.eq(1)")),
    ),
    Proof(
        "results.scores",
        "Scores and classes of the last round read back as they came, with their sign; the "
        "signature is what the model says of all rounds; the class is that of the last image; and "
        "the time is the one from the first word of pixels to the last score, both counted.",
        "one start; scores come once a word of pixels was taken, each image's last one marked",
        "bounded", scores,
        (case(14, classes=2, bits=1, images=2, rounds=1),
         case(13, classes=2, bits=1, images=1, rounds=2),
         case(12, classes=1, bits=3, images=2, rounds=1)),
        (Change("gateware.results", "Cat(C(0, 16), came.best)", "Cat(C(0, 15), came.best)"),
         Change("gateware.results", "self.digest << 1", "self.digest", case=1),
         Change("gateware.results", "(counting | self.begin)", "counting"),
         Change("gateware.results", "r_port.data[:score_bits].as_signed()",
                "r_port.data[:score_bits]", case=2),
         Change("gateware.results", "m.d.sync += index.eq(index + 1)",
                "m.d.sync += index.eq(index + came.last)")),
    ),
)

# amaranth: UnusedElaboratable=no
"""The buffer of an image sends what was written, and keeps what comes back."""

from amaranth.hdl import Array, Cat, Const, Mux, Signal, signed
from amaranth.lib import data

import gateware.image_buffer

from .change import Change
from .environment import accept, collect, feed, holds, in_range, offer, progress
from .harness import Harness
from .layers import write
from .proof import Proof, case


__all__ = ["PROOFS"]


RESULT = data.StructLayout({"score": signed(16), "best": 1, "last": 1})


def rules(h: Harness, *, pixels: int, words: int, classes: int) -> None:
    """Starts and accesses at any time that is allowed, scores at any time."""
    dut = h.add(gateware.image_buffer.ImageBuffer(pixels=pixels, words=words, result=RESULT,
                                                  classes=classes))
    h.blank = False
    for name in ("addr", "w_en", "w_data", "r_en"):
        h.drive(getattr(dut.bus, name))
    start = h.free(1, "start")
    h.m.d.comb += dut.start.eq(start)
    left = accept(h, dut.o)
    came = offer(h, dut.i)
    inside = h.inside(dut)
    running, addr, index = inside["running"], inside["addr"], inside["index"]
    h.assume(~start | ~running)
    h.assume(~(dut.bus.w_en | dut.bus.r_en) | (dut.bus.addr < dut.depth))
    scores = Signal(range(classes + 1), name="scores")
    h.m.d.sync += scores.eq(Mux(start, 0, scores + came))
    h.assume(~dut.i.valid | (dut.i.payload.last == (scores == classes - 1)))

    sent = Signal(range(words + 1), name="sent")
    h.m.d.sync += sent.eq(Mux(start, 0, sent + left))
    h.assume(~came | (sent == words))

    chunks = dut.scores // words
    chunk = inside["chunk"] if chunks > 1 else Const(0)
    fetched = inside["fetched"]
    h.claim("what is sent is counted in range", addr <= dut.scores)
    h.claim("each word of the bus is fetched once, in turn",
            Mux(running, addr == sent * chunks + chunk + fetched, ~fetched & (chunk == 0)))
    h.claim("an image is under way until it is over", ~h.past(running & ~dut.done) | running)
    h.claim("scores are counted as they come, while an image is under way and at no other time",
            ~running | ((index == dut.scores + scores) & (scores < classes)))
    h.claim("and taken then", dut.i.ready == running)
    in_range(h, dut)
    holds(h, dut.o)
    h.claim("it is over with the last score", dut.done == (came & dut.i.payload.last))
    h.cover("an image is over", dut.done)


def whole(h: Harness, *, pixels: int, words: int, classes: int) -> None:
    """An image written, sent and classified, and its scores read."""
    dut = h.add(gateware.image_buffer.ImageBuffer(pixels=pixels, words=words, result=RESULT,
                                                  classes=classes))
    image = [h.constant(pixels, f"pixels_{n}") for n in range(words)]
    chunks = dut.scores // words
    rows = [Cat(word, Const(0, 32))[32 * n:32 * n + 32] for word in image for n in range(chunks)]
    host = gateware.image_buffer.bus.Signature(dut.bus.signature.addr_width).create(path=("host",))
    written = write(h, host, rows, name="image")
    h.m.d.comb += [dut.start.eq(written & ~h.past(written))]
    for name in ("w_en", "w_data"):
        h.m.d.comb += getattr(dut.bus, name).eq(getattr(host, name))

    begun = h.past(written) & written
    sent = collect(h, dut.o, image)
    results = [h.constant(18, f"result_{n}") for n in range(classes)]
    for n, result in enumerate(results):
        h.assume(result[17] == (n == classes - 1))
    fed = feed(h, dut.i, results, when=sent == words)
    holds(h, dut.o)
    over = h.count(dut.done, 1, name="over")
    progress(h, (dut.o.valid & dut.o.ready) | (dut.i.valid & dut.i.ready),
             begun & dut.o.ready & (sent != words), chunks + 2)

    # The time it took, counted from outside.
    counting = Signal(name="counting")
    cycles = Signal(8, name="cycles")
    first = dut.o.valid & dut.o.ready
    h.m.d.sync += counting.eq(counting | first)
    h.m.d.sync += cycles.eq(cycles + ((counting | first) & ~over))
    h.claim("the time counted is that from the first word to the last score", ~over
            | (dut.cycles == cycles))
    h.claim("the best class is the one that came with the last score",
            ~over | (dut.best == results[-1][16]))

    # Read scores back, one after the other, once the last is there.
    asked = Signal(range(classes + 1), name="asked")
    asks = over.bool() & (asked != classes)
    h.m.d.sync += asked.eq(asked + asks)
    h.m.d.comb += [dut.bus.r_en.eq(asks), dut.bus.addr.eq(
        Mux(asks, dut.scores + asked, host.addr))]
    expected = Array([*(result[:16].as_signed() for result in results), Const(0, signed(16))])
    h.claim("scores are read back in order, with their sign",
            ~h.past(asks) | (dut.bus.r_valid
                             & (dut.bus.r_data.as_signed() == expected[h.past(asked)])))
    h.cover("all scores are read back", (asked == classes) & (fed == classes))


PROOFS = (
    Proof(
        "image_buffer.rules",
        "What is offered stays; memory is never addressed beyond its end; scores are taken while "
        "an image is under way, and it is over with the last of them.",
        "no image is started while one is under way; the bus stays within the buffer; scores come "
        "once all pixels were taken, one for each class, the last one marked, and are kept until "
        "they are taken",
        "induction", rules,
        (case(12, pixels=8, words=2, classes=2), case(14, pixels=40, words=2, classes=3)),
        (Change("gateware.image_buffer", "with m.Elif(self.done):", "with m.Elif(self.i.valid):"),
         Change("gateware.image_buffer", "(addr != self.scores) & ", "", cycles=14),
         Change("gateware.image_buffer", "take.eq(fetched & (~last | self.o.ready))",
                "take.eq(fetched)")),
    ),
    Proof(
        "image_buffer.image",
        "The words of pixels that leave are those written over the bus, in order; scores read back "
        "as they came, with their sign; the best class is that of the last score, and the time the "
        "one from the first word taken to the last score, both counted.",
        "one image, started once it is written; scores come once all pixels were taken, one for "
        "each class, the last one marked",
        "bounded", whole,
        (case(14, pixels=8, words=2, classes=2), case(16, pixels=40, words=2, classes=2),
         case(16, pixels=32, words=3, classes=2)),
        (Change("gateware.image_buffer", "payload.eq(Cat(before, r_port.data))",
                "payload.eq(Cat(r_port.data, before))", case=1),
         Change("gateware.image_buffer", "w_port.data.eq(Mux(running, self.i.payload.score, ",
                "w_port.data.eq(Mux(running, self.i.payload.score.as_unsigned(), "),
         Change("gateware.image_buffer", "running & (counting | (self.o.valid & self.o.ready))",
                "running & counting")),
    ),
)

# amaranth: UnusedElaboratable=no
"""An answer tells all results of a batch, byte by byte, and nothing else."""

from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Array, Cat, Const, Mux, Signal

import gateware.result_bytes
from model.frame import CLASS, WORD

from .change import Change
from .environment import accept, holds, progress
from .harness import Harness
from .proof import Proof, case


__all__ = ["PROOFS", "Watched", "watch"]


@dataclass(frozen=True)
class Watched:
    """What may be seen of results that are told from outside.

    Parameters
    ----------
    busy : value
        Whether telling was begun, and is not done before this cycle.
    bytes, size : value
        How many have been taken since, and how many there are in all.
    used_well : value
        Whether what surrounds it keeps to what its docstring asks for, in this cycle.
    rules : dict
        By their texts, what it keeps to in return.
    """

    busy: Any
    bytes: Any
    size: Any
    used_well: Any
    rules: dict[str, Any]


def watch(h: Harness, told: Any, *, classes: int, batch: int, score_bytes: int) -> Watched:
    """Watch results being told from outside."""
    busy = Signal(name="telling")
    done = Signal(range(WORD + batch * (classes * score_bytes + CLASS) + 2 * WORD + 1),
                  name="told_bytes")
    given = told.o.valid & told.o.ready
    with h.m.If(given):
        h.m.d.sync += done.eq(done + 1)
    with h.m.If(told.done):
        h.m.d.sync += busy.eq(0)
    with h.m.If(told.start & ~busy):
        h.m.d.sync += [busy.eq(1), done.eq(0)]
    stays = Cat(told.repeated, told.shown, told.images, told.cycles, told.digest)
    size = h.name("told_size", Mux(told.repeated, 2 * WORD, WORD + told.images * Mux(
        told.shown, classes * score_bytes + CLASS, CLASS)))
    return Watched(
        busy, done, size,
        (busy | ~told.start | ((told.images != 0) & (told.images <= batch)))
        & (~busy | (stays == h.past(stays))),
        {
            "nothing is told that was not asked for": busy | ~(told.o.valid | told.done),
            "it is done with the last byte": ~busy | (
                (done < size) & (told.done == (given & (done + 1 == size)))),
            "the address of a score is within": ~busy | (told.addr < classes * batch),
        })


def answer(h: Harness, *, classes: int, batch: int, score_bytes: int) -> None:
    """Any results, told at any time."""
    bits = 3
    dut = h.add(gateware.result_bytes.ResultBytes(
        classes=classes, batch=batch, score_bytes=score_bytes, best=bits))
    given = accept(h, dut.o)
    for signal in (dut.start, dut.repeated, dut.shown, dut.images, dut.cycles, dut.digest):
        h.drive(signal)
    depth = classes * batch
    scores = [h.constant(32, f"score_{n}") for n in range(depth)]
    bests  = [h.constant(bits, f"best_{n}") for n in range(batch)]
    before = h.past(dut.addr)
    last = Array([n % classes == classes - 1 for n in range(depth)])[before]
    h.m.d.comb += [
        dut.score.eq(Array(scores)[before]),
        dut.best.eq(Mux(last, Array([bests[n // classes] for n in range(depth)])[before],
                        h.free(bits, "no_best"))),
    ]
    seen = watch(h, dut, classes=classes, batch=batch, score_bytes=score_bytes)
    h.assume(seen.used_well)
    for text, rule in seen.rules.items():
        h.claim(text, rule)
    holds(h, dut.o)

    # All that there is to tell, in the order of model.frame.Run.
    time  = [dut.cycles.word_select(n, 8) for n in range(WORD)]
    short = [Cat(best, Const(0, 16)).word_select(n, 8) for best in bests for n in range(CLASS)]
    long  = [part for image, best in enumerate(bests) for part in (
        *(score.word_select(n, 8) for score in scores[image * classes:(image + 1) * classes]
          for n in range(score_bytes)),
        *(Cat(best, Const(0, 16)).word_select(n, 8) for n in range(CLASS)))]
    signature = [dut.digest.word_select(n, 8) for n in range(WORD)]
    at = seen.bytes
    wanted = h.name("wanted", Mux(dut.repeated, Array([*time, *signature])[at], Mux(
        dut.shown, Array([*time, *long])[at], Array([*time, *short])[at])))
    h.claim("each byte is the one that was to come", ~dut.o.valid | (dut.o.payload == wanted))
    progress(h, given | dut.done, seen.busy & dut.o.ready, 2 * classes + 1)

    # What makes it so, state by state.
    inside = h.inside(dut)
    images, left, step = inside["images"], inside["left"], inside["step"]
    state = inside.state
    image = h.name("image", dut.images - images)
    each = classes * score_bytes + CLASS
    h.claim("it waits where nothing is asked for", Mux(
        seen.busy, state("TIME", "SCORE", "CLASS", "PAUSE"), state("WAIT")))
    h.claim("there are images", ~seen.busy | ((dut.images != 0) & (dut.images <= batch)))
    h.claim("the time is told first", ~state("TIME") | (
        (at == step) & (dut.addr == 0) & (left == classes - 1) & (image == 0)
        & (step < Mux(dut.repeated, 2 * WORD, WORD))))
    telling = state("SCORE", "CLASS", "PAUSE")
    h.claim("images and scores are told in turn", ~telling | (
        ~dut.repeated & (images != 0) & (image < dut.images) & (left < classes)
        & (dut.addr == image * classes + (classes - 1 - left))
        & (at == WORD + step + Mux(dut.shown, image * each + Mux(
            state("CLASS"), classes * score_bytes, (classes - 1 - left) * score_bytes),
            image * CLASS))))
    h.claim("bytes of each are counted",
            (~state("SCORE") | (step < Mux(dut.shown, score_bytes, 1)))
            & (~state("CLASS") | ((step < CLASS) & (left == 0)))
            & (~state("WAIT", "PAUSE") | (step == 0)))
    h.claim("a score is told one cycle after it is asked for, or later",
            ~state("SCORE", "CLASS") | (dut.addr == before))
    h.cover("all scores are told", dut.done & dut.shown & (dut.images == batch))


PROOFS = (
    Proof(
        "result_bytes.answer",
        "The bytes that leave are those of model.frame.Run and Repeated, in order, no more and no "
        "fewer: time, and for each image its scores, if asked for, and its class, or time and "
        "signature; what is offered stays; no score is told from beyond the last, and each "
        "byte is offered in as many cycles as promised.",
        "all that is told stays until it is done; there is an image",
        "induction", answer,
        (case(20, classes=2, batch=2, score_bytes=2),
         case(22, classes=3, batch=2, score_bytes=1),
         case(26, classes=1, batch=3, score_bytes=4)),
        (Change("gateware.result_bytes", "with m.If(images == 1):", "with m.If(images == 0):"),
         Change("gateware.result_bytes", "images.eq(images - 1)", "images.eq(images - 2)"),
         Change("gateware.result_bytes", "follow(left - 1)",
                "m.d.sync += [self.addr.eq(self.addr + 1), left.eq(left - 1)]"),
         Change("gateware.result_bytes", "m.d.sync += self.addr.eq(0)",
                "m.d.sync += self.addr.eq(self.addr)", cycles=34),
         Change("gateware.result_bytes", "Cat(self.cycles, self.digest)",
                "Cat(self.cycles, self.cycles)"),
         Change("gateware.result_bytes", "told = ~self.shown", "told = self.shown"),
         Change("gateware.result_bytes", "say(self.score, ", "say(self.score[8:], ")),
    ),
)

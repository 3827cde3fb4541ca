# amaranth: UnusedElaboratable=no
"""The host link: no command reaches further than it may, whatever comes over the line."""

from math import gcd
from typing import Any
from unittest import mock

from amaranth.hdl import Cat, Const, Mux, Signal

import gateware.link
import gateware.scores
from model.frame import Counter, Identity, Opcode

from .change import Change
from .environment import accept, holds, offer
from .frames import AnyFrames, stays
from .harness import Harness
from .image_buffer import buffer_used_well
from .proof import Proof, case
from .results import results_used_well


__all__ = ["PROOFS"]


def kept(component: Any, made: list[Any]) -> Any:
    """The class of a component; what is made of it is put into a list."""
    def make(**options: Any) -> Any:
        made.append(component(**options))
        return made[-1]
    return make


def link(h: Harness, *, addr_width: int, width: int, words: int, inputs: int, classes: int) -> None:
    """Whatever frames there are, and whatever the accelerator answers."""
    identity = Identity(hash=bytes(8), clock_hz=12_000_000, control=0, inputs=inputs, bits=8,
                        classes=classes, score_bits=16, batch=2)
    frames = AnyFrames(constant=identity.pack())
    parts: list[Any] = []
    with mock.patch.multiple(gateware.link, Frames=lambda constant: frames,
                             ImageBuffer=kept(gateware.link.ImageBuffer, parts),
                             Results=kept(gateware.link.Results, parts)):
        dut = h.add(gateware.link.Link(
            identity, words=words, width=width, addr_width=addr_width,
            result=gateware.scores.layout(classes, identity.score_bits)))
    buffer, results = parts
    inside, room, depth = h.inside(dut), identity.buffer_bytes, identity.batch * classes
    state = inside.state

    # What surrounds it.
    told = Cat(frames.opcode, frames.sequence, frames.length, frames.fault)
    h.assume(frames.open == (h.past(frames.open & ~frames.close)
                             | (frames.open & ~h.past(frames.open))))
    h.assume(~h.past(frames.open) | (told == h.past(told)))
    h.assume(stays(h, frames))
    offer(h, dut.i)
    accept(h, dut.o)
    accept(h, dut.pixels, name="pixels")
    offer(h, dut.scores, name="scores")
    for signal in (dut.lost, dut.loaded, dut.bus.r_data, dut.bus.r_valid):
        h.drive(signal)
    w_en, r_en = dut.bus.w_en, dut.bus.r_en
    h.assume(~h.past(Const(1)) | h.past(w_en) | (dut.loaded == h.past(dut.loaded)))
    sending = (inside["buffer.left"] != 0) | buffer.o.valid
    h.assume(~results.done | ~sending)

    # What a frame asks for.
    is_write, is_read, is_infer, is_repeat, is_reset = (
        frames.opcode == opcode for opcode in (
            Opcode.WRITE, Opcode.READ, Opcode.INFER, Opcode.REPEAT, Opcode.RESET))
    addr, left, beyond, stored, limit, images, step, run, error = (inside[name] for name in (
        "addr", "left", "beyond", "stored", "limit", "images", "step", "run", "error"))
    sound = h.name("sound", (frames.fault == 0) & (error == 0))
    known = (frames.opcode != 0) & (frames.opcode <= Opcode.RESET)
    fresh = ~inside["any_last"] | (frames.sequence != inside["last"])
    runs = h.name("runs", (is_infer & run) | is_repeat)
    end = h.name("end", Mux(stored == 2, depth, Mux(stored == 3, len(Counter), 1 << addr_width)))
    fits = (addr + left <= end) & ~beyond & (stored != 1)

    # What makes it so, state by state.
    storing, reading = state("GATHER", "WRITE"), state("FETCH", "REPLY", "WORD")
    filling, running = state("PART", "PIXELS", "SETTLE"), state("ROUNDS", "START", "RUN")
    telling = state("SCORE", "BYTES", "CLASS", "FOLLOWING", "PAUSE")
    beginning, timed = state("ANSWER", "OPCODE", "SEQUENCE", "LENGTH"), state("TIME")
    working = h.name("working", state("HEAD", "COUNT", "LIMIT") | storing | filling | running)
    h.claim("a frame is open from its judgement to the end of its answer",
            state("WAIT") | frames.open)
    h.claim("a judgement has no error yet", ~state("JUDGE") | (error == 0))
    h.claim("only an INFER runs at once", state("WAIT") | ~run | is_infer)
    h.claim("only what is whole, known and new is worked on",
            ~working | (sound & fresh & (is_write | is_read | is_infer | is_repeat)))
    h.claim("and images only with weights", ~(working & (is_infer | is_repeat)) | dut.loaded)
    h.claim("each command has states of its own",
            (~state("LIMIT") | is_write | is_read) & (~storing | is_write) & (~filling | is_infer)
            & (~state("SETTLE") | run) & (~running | runs) & (~reading | (is_read & sound))
            & (~timed | (runs & sound)) & (~telling | (is_infer & run & sound)))
    h.claim("an answer that is no error is to a frame without a fault that asks for something",
            ~(beginning | state("ERROR", "CONSTANT", "ECHO", "CLOSE")) | (error != 0)
            | ((frames.fault == 0) & known & ~state("ERROR")))
    h.claim("what an address may reach is known when it is compared", ~state("LIMIT") | (
        (limit == end) & ((stored != 1) | beyond)))
    h.claim("what is written fits, and lies with the accelerator",
            ~storing | (fits & ~stored[1]))
    h.claim("what is read fits", ~(reading | (beginning & sound & is_read)) | fits)
    h.claim("there is a word to write, or to read", ~state("WRITE", "REPLY", "WORD") | (left != 0))
    h.claim("there is room for what is left of a part", ~state("PIXELS") | (
        buffer.filled + left <= room))
    answers = beginning & sound & runs
    h.claim("images are whole, and there are some, when they are started, and until they are told",
            ~(state("START", "RUN") | answers | timed | telling)
            | (buffer.whole & (buffer.images != 0)))
    h.claim("all of them are told", (images == buffer.images)
            | ~((state("OPCODE", "SEQUENCE", "LENGTH") & answers) | timed))
    h.claim("parts of an answer are counted from the first", (
        ~(state("COUNT") | filling | running | answers) | (step == 0))
        & (~timed | (step == 0) | ((addr == 0) & (left == classes - 1))))
    h.claim("scores are told in turn", ~telling | (
        (addr + left + images * classes + 1 == (buffer.images + 1) * classes) & (images != 0)
        & Mux(state("FOLLOWING"), (left != 0) & (left <= classes),
              (left < classes) & (~state("CLASS") | (left == 0)))))
    h.claim("a score is told one cycle after it is asked for, or later",
            ~state("SCORE", "BYTES", "CLASS", "REPLY") | (addr == h.past(addr)))

    # The buffer: what it counts, and how long ago its last byte came.
    at, size = inside["buffer.at"], identity.image_bytes
    h.claim("bytes and images are counted as they come",
            (at < size) & (buffer.filled == buffer.images * size + at) & (buffer.filled <= room))
    units = 8 // gcd(8, width)
    since = Signal(4, init=15, name="since")
    h.m.d.sync += since.eq(Mux(buffer.i.valid & buffer.i.ready, 0, since + (since != 15)))
    if units > 1:
        waits = inside["buffer.regroup.left"]
        h.claim("a byte becomes pixels in time", (waits == 0) | (waits + since <= units))
    for n, name in enumerate(("PIXELS", "ANSWER", "OPCODE", "SEQUENCE", "LENGTH", "CLOSE", "WAIT",
                              "JUDGE", "HEAD", "COUNT")):
        h.claim("some cycles lie between one command's bytes and the next command",
                ~state(name) | (since >= n))
    h.claim("also where there is more to say",
            ~(reading | telling | state("ERROR", "CONSTANT", "ECHO", "TIME")) | (since >= 5))
    h.claim("pixels leave and scores come while it waits for them, and at no other time",
            (state("RUN") == (inside["results.left"] != 0)) & (~sending | state("RUN")))

    # What it comes to.
    asked = state("SCORE", "BYTES", "CLASS")
    h.claim("no access is beyond the end of what it is to",
            (~(w_en | r_en) | ((addr < 1 << addr_width) & ~stored[1]))
            & (~(state("REPLY") & stored[1]) | (addr < end)) & (~asked | (addr < depth)))
    h.claim("only WRITE writes the accelerator's memories, and only READ reads them",
            (~w_en | is_write) & (~r_en | is_read))
    acts = w_en | buffer.i.valid | buffer.clear | buffer.start | results.start | dut.reset
    h.claim("nothing is done for a frame that is damaged, too long, unknown or repeated",
            ~acts | (sound & (fresh | is_reset)))
    h.claim("and nothing is read for one that is damaged, too long or unknown", ~r_en | sound)
    h.claim("images come with INFER, are forgotten with that, REPEAT or RESET, and started with "
            "the former two", (~buffer.i.valid | is_infer) & (~dut.reset | is_reset)
            & (~buffer.clear | is_infer | is_repeat | is_reset)
            & (~(buffer.start | results.start) | (runs & dut.loaded)))
    h.claim("the buffer's host keeps to what image_buffer.rules assumes",
            buffer_used_well(h, buffer, sending, room))
    h.claim("and so it does with the results, as results.rules assumes them",
            results_used_well(h, results, inside["results.left"] != 0, identity.batch))
    holds(h, buffer.i, name="bytes of images")
    holds(h, frames.answer, name="answers")
    h.cover("a word is written", w_en)
    h.cover("a word is read", r_en)
    h.cover("images are started", buffer.start & (buffer.images == 1))


PROOFS = (
    Proof(
        "link.reach",
        "Whatever comes over the line, no access lies beyond the scores, the counters or the "
        "address space; only WRITE writes the accelerator's memories; nothing is written, put into "
        "the buffer, forgotten, started or reset for a frame that is damaged, too long or unknown, "
        "nor, RESET apart, for a repeated one; images are started only with weights, and where "
        "there are some and all of them whole; the buffer gets no more bytes than there is room "
        "for; and all that image_buffer.rules, results.rules and frames.rules assume of the link "
        "holds.",
        "frames that keep to frames.rules; sources keep what they offer; weights come and go with "
        "writes alone; the last score of all comes once all pixels were taken",
        "induction", link,
        (case(17, addr_width=3, width=2, words=4, inputs=1, classes=2),
         case(17, addr_width=1, width=8, words=2, inputs=2, classes=3)),
        (Change("gateware.link", "with m.Elif(any_last & (frames.sequence == last)):",
                "with m.Elif(any_last & (frames.sequence == 0)):", cycles=28),
         Change("gateware.link", "addr + left > limit", "addr > limit"),
         Change("gateware.link", "beyond | (addr", "(addr"),
         Change("gateware.link", " | (stored[1] & is_write)", ""),
         Change("gateware.link", "with m.If(frames.fault != 0):", "with m.If(frames.fault == 1):"),
         Change("gateware.link", "left.eq(left - 1)\n                m.next = \"GATHER\"",
                "left.eq(left)\n                m.next = \"GATHER\""),
         Change("gateware.link", "(offset + left > self.identity.buffer_bytes) | ", ""),
         Change("gateware.link", "offset != buffer.filled", "offset == 0", case=1, cycles=26),
         Change("gateware.link", "~buffer.whole | (buffer.images == 0)", "buffer.images == 0",
                case=1),
         Change("gateware.link", "runs & ~self.loaded", "is_repeat & ~self.loaded"),
         Change("gateware.link", "word.eq(1)\n                with m.If(buffer.i.ready):",
                "word.eq(1)\n                with m.If(1):")),
    ),
)

# amaranth: UnusedElaboratable=no
"""The host link: no command reaches further than it may, whatever comes over the line."""

from typing import Any
from unittest import mock

from amaranth.hdl import Cat, Module, Mux
from amaranth.hdl._ast import AnySeq
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

import gateware.frames
import gateware.link
import gateware.scores
from model.frame import Identity

from .change import Change
from .environment import accept, holds, offer
from .harness import Harness
from .proof import Proof, case


__all__ = ["PROOFS"]


def frames(h: Harness) -> None:
    """Whatever comes over the line, and whatever answer is given."""
    dut = h.add(gateware.frames.Frames(constant=bytes(range(21))))
    h.arrays = True
    offer(h, dut.i)
    accept(h, dut.o)
    for name in ("lost", "next", "restart", "recite", "close"):
        h.drive(getattr(dut, name))
    offer(h, dut.answer, name="answer")
    holds(h, dut.o)
    inside = h.inside(dut)
    h.claim("a frame is open until it is closed, and its page is in use",
            (~h.past(dut.open & ~dut.close) | dut.open)
            & (inside.state("WAIT", "SEND") | inside["collector.held"]))
    kept = Cat(dut.opcode, dut.sequence, dut.length, dut.fault)
    h.claim("what is said of a frame stays while it is open",
            ~h.past(dut.open) | ~dut.open | (kept == h.past(kept)))
    h.claim("answers are taken while a frame is open, and sent when it is closed",
            ~(dut.answer.ready & ~dut.open) & ~(dut.o.valid & dut.open))
    h.cover("a byte comes in", inside["collector.decoder.left"] != 0)


class AnyFrames(wiring.Component):
    """In the place of :class:`gateware.frames.Frames`: any frames that keep to its rules."""

    def __init__(self, *, constant: bytes) -> None:
        super().__init__(gateware.frames.Frames(constant=constant).signature)

    def elaborate(self, platform: Any) -> Any:
        m = Module()
        for _, member, value in self.signature.flatten(self):
            if member.flow == Out:
                m.d.comb += value.eq(AnySeq(len(value)))
        return m


def link(h: Harness, *, addr_width: int) -> None:
    """Whatever frames there are, and whatever the accelerator answers."""
    identity = Identity(hash=bytes(8), clock_hz=12_000_000, words=1, simd=1, bits=2, classes=2)
    frames = AnyFrames(constant=identity.pack())
    with mock.patch.object(gateware.link, "Frames", lambda constant: frames):
        dut = h.add(gateware.link.Link(identity, addr_width=addr_width,
                                       result=gateware.scores.layout(2, 16)))
    told = Cat(frames.opcode, frames.sequence, frames.length, frames.fault)
    h.assume(frames.open == (h.past(frames.open & ~frames.close)
                             | (frames.open & ~h.past(frames.open))))
    h.assume(~h.past(frames.open) | (told == h.past(told)))
    offer(h, dut.i)
    accept(h, dut.o)
    accept(h, dut.pixels, name="pixels")
    offer(h, dut.scores, name="scores")
    for signal in (dut.lost, dut.loaded, dut.bus.r_data, dut.bus.r_valid):
        h.drive(signal)
    inside = h.inside(dut)
    addr, left, beyond, chosen = (inside[name] for name in ("addr", "left", "beyond", "inside"))
    error, run, w_en, r_en = (inside[name] for name in ("error", "run", "w_en", "r_en"))
    last, any_last = inside["last"], inside["any_last"]
    opcode, sequence, fault = frames.opcode, frames.sequence, frames.fault
    is_write, is_read, is_infer = opcode == 2, opcode == 3, opcode == 4
    limit = Mux(chosen, identity.buffer_words + identity.classes, 1 << addr_width)
    fits = (left == 0) | (addr + left <= limit)

    # What makes it so, state by state.
    working = inside.state("ADDRESS", "COUNT", "LIMIT", "GATHER", "WRITE", "RUN")
    answering = inside.state("ANSWER", "OPCODE", "SEQUENCE", "LENGTH")
    reading = inside.state("RESULT", "FETCH", "REPLY", "WORD")
    h.claim("a frame is open from its judgement to the end of its answer",
            inside.state("WAIT") | frames.open)
    fresh = ~any_last | (sequence != last)
    h.claim("only what is whole, known and new is worked on",
            ~working | ((fault == 0) & (error == 0) & fresh & (is_write | is_read | is_infer)))
    h.claim("an answer that is no error is to a frame without a fault",
            ~answering | (error != 0) | (fault == 0))
    h.claim("a judgement has no error yet", ~inside.state("JUDGE") | (error == 0))
    h.claim("only reads and results are read", ~reading | (
        (error == 0) & (fault == 0) & (is_read | (is_infer & run & chosen))))
    h.claim("a result is that of a run", ~inside.state("RESULT", "RUN") | (is_infer & run & chosen))
    h.claim("only what INFER asks for lies in the buffer without being said to",
            ~inside.state("LIMIT", "GATHER", "WRITE", "RUN") | ~is_infer | chosen)
    h.claim("only an INFER runs", ~inside.state("LIMIT", "GATHER", "WRITE") | is_infer | ~run)
    h.claim("what is written fits", ~inside.state("GATHER", "WRITE") | (~is_read & fits))
    h.claim("a write has a word to write, and a read one to read",
            ~inside.state("WRITE", "REPLY", "WORD") | (left != 0))
    answers = answering & (error == 0) & (is_read | (is_infer & run))
    h.claim("what is read fits", ~(reading | answers) | fits)
    h.claim("no bit of an address is left out",
            ~(inside.state("GATHER", "WRITE", "RUN") | reading | answers) | ~beyond)
    h.claim("a run's scores are in the buffer", ~(answers & is_infer) | chosen)

    # What it comes to.
    for name, bus, own in (("buffer", None, chosen), ("accelerator", dut.bus, ~chosen)):
        access: Any = (w_en | r_en) & own if bus is None else bus.w_en | bus.r_en
        h.claim(f"no access to the {name} is beyond its end", ~access | (addr < limit))
    h.claim("nothing is read and written at once", ~(w_en & r_en))
    h.claim("only WRITE reaches the accelerator's memories, and the buffer is for WRITE and INFER",
            ~w_en | is_write | (is_infer & chosen))
    h.claim("nothing is written, read or started for a frame that is damaged, too long, unknown "
            "or repeated", ~(w_en | inside["start"]) | ((fault == 0) & (error == 0) & fresh))
    h.cover("a word is written", w_en & is_write)
    h.cover("a word is read", r_en & is_read)


PROOFS = (
    Proof(
        "frames.rules",
        "Whatever comes over the line, what is sent stays until it is taken; a frame stays open, "
        "and what is said of it stays, until it is closed; and answers are taken while it is open "
        "and sent when it is not.",
        "sources keep what they offer", "induction", frames,
        (case(4),),
        (Change("gateware.frames", "with m.If(self.close):", "with m.If(self.next):", cycles=60),
         Change("gateware.collector", "with m.If(self.release):", "with m.If(self.i.valid):",
                cycles=20)),
    ),
    Proof(
        "link.reach",
        "Whatever comes over the line, no access lies beyond the buffer or the address space; "
        "nothing is written or started for a frame that is damaged, too long, unknown or repeated; "
        "and only WRITE reaches the accelerator's memories.",
        "frames that keep to frames.rules; sources keep what they offer", "induction", link,
        (case(16, addr_width=3), case(16, addr_width=1)),
        (Change("gateware.link", "with m.Elif(any_last & (frames.sequence == last)):",
                "with m.Elif(any_last & (frames.sequence == 0)):", cycles=28),
         Change("gateware.link", "addr + left > Mux", "addr > Mux"),
         Change("gateware.link", "beyond | (addr", "(addr"),
         Change("gateware.link", "with m.If(frames.fault != 0):", "with m.If(frames.fault == 1):"),
         Change("gateware.link", "m.d.sync += left.eq(left - 1)\n                m.next",
                "m.next")),
    ),
)

# amaranth: UnusedElaboratable=no
"""Words are written and read in turn, where they may be, and no others."""

from dataclasses import dataclass
from typing import Any
from unittest import mock

from amaranth.hdl import Cat, Const, Mux, Signal

import gateware.access
from model.frame import WORD

from .change import Change
from .environment import accept, holds, offer, progress
from .harness import Harness
from .proof import Proof, case


__all__ = ["PROOFS", "Watched", "watch"]


@dataclass(frozen=True)
class Watched:
    """What may be seen of accesses from outside.

    Parameters
    ----------
    busy : value
        Whether something was begun, and is neither done nor refused before this cycle.
    write, first, count : value
        What it is about.
    bytes : value
        How many have passed since the start.
    due : value
        Whether all bytes of a word have come, and the word is still to be written.
    asked, answered : value
        Whether the word whose bytes are to be given out was read, and whether it is there.
    came, answer : value
        The word that comes byte by byte, and the one that was read.
    used_well : value
        Whether what surrounds accesses keeps to what their docstring asks for, in this cycle.
    rules : dict
        By their texts, what accesses keep to in return.
    """

    busy: Any
    write: Any
    first: Any
    count: Any
    bytes: Any
    due: Any
    asked: Any
    answered: Any
    came: Any
    answer: Any
    used_well: Any
    rules: dict[str, Any]


def watch(h: Harness, access: Any, *, writable: int) -> Watched:
    """Watch accesses from outside."""
    def register(shape: Any, name: str) -> Any:
        return Signal(shape, name=f"access_{name}")

    busy, write, due, asked, answered = (register(1, name) for name in (
        "busy", "write", "due", "asked", "answered"))
    first, came, answer = (register(32, name) for name in ("first", "came", "answer"))
    count, done = register(8, "count"), register(10, "bytes")
    i, o, bus = access.i, access.o, access.bus
    taken, given = i.valid & i.ready, o.valid & o.ready
    fourth = done[:2] == WORD - 1
    sync = h.m.d.sync
    with h.m.If(taken | given):
        sync += done.eq(done + 1)
    with h.m.If(taken):
        sync += [came.word_select(done[:2], 8).eq(i.payload), due.eq(fourth)]
    with h.m.If(bus.w_en):
        sync += due.eq(0)
    with h.m.If(given & fourth):
        sync += [asked.eq(0), answered.eq(0)]
    with h.m.If(bus.r_en):
        sync += asked.eq(1)
    with h.m.If(bus.r_valid):
        sync += [answered.eq(1), answer.eq(bus.r_data)]
    with h.m.If(access.done | access.refused):
        sync += busy.eq(0)
    with h.m.If(access.start & ~busy):
        sync += [busy.eq(1), write.eq(access.write), first.eq(access.first),
                 count.eq(access.count), done.eq(0), due.eq(0), asked.eq(0), answered.eq(0)]

    offset, index = first[:30], done[2:]
    fits = (first[30:] == 0) & (offset + count <= 1 << writable)
    awaited = busy & asked & ~answered
    where = Cat(bus.addr, access.place)
    return Watched(
        busy, write, first, count, done, due, asked, answered, came, answer,
        (busy | ~access.start | (access.count != 0)) & (~busy | (access.write == write))
        & (~bus.r_valid | awaited),
        {
            "nothing is done that was not begun": busy | ~(
                bus.w_en | bus.r_en | i.ready | o.valid | access.done | access.refused),
            "it is done, or refused, when nothing is under way": ~(
                access.refused & (access.done | bus.r_en)) & (asked | ~answered),
            "a write takes bytes and writes words, a read reads words and gives bytes": ~busy | Mux(
                write, ~(bus.r_en | o.valid), ~(bus.w_en | i.ready)),
            "the place is that of the first word": ~busy | (access.place == first[30:]),
            "what may not be written is refused before a byte of it is taken, and nothing else":
                ~(busy & write) | ((fits | ~(bus.w_en | i.ready | access.done))
                                   & (~access.refused | (~fits & (done == 0)))),
            "words are written in turn, once all their bytes came": ~bus.w_en | (
                due & (bus.addr == offset + index - 1) & (bus.w_data == came)),
            "words are read in turn, once each, as long as there are addresses": ~bus.r_en | (
                ~asked & (done[:2] == 0) & (index < count) & (bus.addr == offset + index)),
            "the address stays until there is an answer":
                ~awaited | (where == h.past(where)),
            "what is told is the answer, lowest byte first": ~o.valid | (
                answered & (o.payload == answer.word_select(done[:2], 8))),
            "as many bytes pass as words have, and none while one is to be written":
                ~(i.ready | o.valid) | (~due & (index < count)),
            "it is done once all words are":
                ~access.done | (~(due | asked) & (done == count * WORD)),
            "and no sooner": ~busy | (done <= count * WORD),
        })


def words(h: Harness, *, addr_width: int, writable: int, patience: int) -> None:
    """Anything asked for at any time, and answered at any time or not at all."""
    with mock.patch.object(gateware.access, "PATIENCE", patience):
        dut = h.add(gateware.access.Access(addr_width=addr_width, writable=writable))
    taken, given = offer(h, dut.i), accept(h, dut.o)
    for signal in (dut.start, dut.write, dut.first, dut.count, dut.bus.r_data, dut.bus.r_valid):
        h.drive(signal)
    seen = watch(h, dut, writable=writable)
    h.assume(seen.used_well)
    for text, rule in seen.rules.items():
        h.claim(text, rule)
    holds(h, dut.o)

    # A read is given up neither early nor late.
    quiet = Signal(range(patience + 4), name="quiet")
    reading = seen.busy & ~seen.write
    h.m.d.sync += quiet.eq(Mux(reading & ~dut.o.valid & ~dut.bus.r_valid, quiet + 1, 0))
    h.claim("a read is given up where there is no answer for so many cycles, and no other",
            ~(reading & dut.refused) | (~dut.bus.r_valid & ~seen.answered & (quiet > patience)))
    h.claim("and it is given up then", ~reading | (quiet <= patience + 2))
    progress(h, taken | given | dut.done | dut.refused,
             seen.busy & Mux(seen.write, dut.i.valid, dut.o.ready & seen.answered), 4)

    # What makes it so, state by state.
    inside = h.inside(dut)
    addr, beyond, left, word, step, patient = (inside[name] for name in (
        "addr", "beyond", "left", "word", "step", "patience"))
    state = inside.state
    offset, index = seen.first[:30], seen.bytes[2:]
    passed = index - state("STORE", "FOLLOW")
    h.claim("it waits where nothing is asked for", state("WAIT") == ~seen.busy)
    h.claim("a write and a read have states of their own", ~(
        (state("JUDGE", "GATHER", "STORE") & ~seen.write)
        | (state("FETCH", "REPLY", "TELL", "FOLLOW") & seen.write)))
    h.claim("bytes of a word are counted", (step == Mux(seen.busy, seen.bytes[:2], 0))
            & (state("GATHER", "TELL") | (step == 0)))
    h.claim("nothing is read in a write", ~(seen.busy & seen.write) | ~(seen.asked | seen.answered))
    h.claim("words are counted, and addresses with them", ~seen.busy | (
        (passed >= 0) & (left + passed == seen.count) & (beyond == offset[addr_width:].any())
        & (addr == offset[:addr_width] + passed)))
    h.claim("a write that was not refused fits", ~state("GATHER", "STORE") | (
        (seen.first[30:] == 0) & (offset + seen.count <= 1 << writable)))
    h.claim("nothing passes before the judgement", ~state("JUDGE") | (seen.bytes == 0))
    h.claim("a word is due when it is stored", ~seen.busy | (seen.due == state("STORE")))
    h.claim("its bytes are those that came", Mux(
        state("STORE"), word == seen.came,
        ~state("GATHER") | ((word & (Const(0xFFFF_FFFF << 32) >> (step * 8))[:32])
                            == (seen.came << 32 >> (step * 8))[:32])))
    h.claim("a word is asked for where there is one, and told once it is there",
            (~state("FETCH", "FOLLOW") | ~(seen.asked | seen.answered))
            & (~state("REPLY") | ((seen.asked == ~(beyond | addr[-1])) & ~seen.answered))
            & (~state("TELL") | (seen.asked & seen.answered)))
    h.claim("there is a word left to read, tell or store",
            ~state("STORE", "REPLY", "TELL", "FOLLOW") | (left != 0))
    h.claim("words that were read have addresses", ~reading | (
        (passed == 0) & ~state("FOLLOW") & ~state("TELL")
        | (~beyond & (addr + state("TELL", "FOLLOW") <= 1 << addr_width))))
    h.claim("what is still to be told of a word is the answer's", ~state("TELL") | (
        (word & (0xFFFF_FFFF >> (step * 8))) == seen.answer >> (step * 8)))
    later = seen.bytes != 0
    h.claim("cycles without an answer are counted",
            (~state("FETCH") | (quiet == later)) & (~state("TELL", "FOLLOW") | (quiet == 0))
            & (~state("REPLY") | (quiet + patient == patience + 1 + later)))
    h.cover("a word is written", dut.done & seen.write & (seen.count == 1))
    h.cover("a word is read", dut.done & ~seen.write & (seen.count == 1))


PROOFS = (
    Proof(
        "access.words",
        "Exactly as many words as asked for are written, in turn, each of its bytes where it "
        "belongs, or none and no byte is taken, which is so if and only if one of them lies where "
        "nothing may be written; words are read in turn, as long as there are addresses, and told "
        "byte by byte as they were answered; a read is given up if and only if there is no answer "
        "in time; whatever was begun is done or refused, once, and nothing happens otherwise.",
        "the source keeps what it offers; at least one word is asked for; a write does not become "
        "a read; answers come to reads alone, before they are given up",
        "induction", words,
        (case(10, addr_width=3, writable=2, patience=3),
         case(10, addr_width=4, writable=4, patience=255),
         case(10, addr_width=30, writable=12, patience=2)),
        (Change("gateware.access", "addr + left > 1", "addr > 1"),
         Change("gateware.access", "beyond | (self.place != 0)", "(self.place != 0)"),
         Change("gateware.access", "(self.place != 0) | ", ""),
         Change("gateware.access", "self.bus.r_en.eq(~beyond & ~addr[-1])",
                "self.bus.r_en.eq(~beyond)"),
         Change("gateware.access", "addr.eq(addr + 1)", "addr.eq(addr)"),
         Change("gateware.access", "Cat(word[8:], self.i.payload)",
                "Cat(self.i.payload, word[:24])"),
         Change("gateware.access", "patience.eq(PATIENCE)", "patience.eq(patience)"),
         Change("gateware.access", "m.d.sync += word.eq(self.bus.r_data)\n"
                "                with m.If(self.bus.r_valid):",
                "with m.If(self.bus.r_valid):\n"
                "                    m.d.sync += word.eq(self.bus.r_data[1:])")),
    ),
)

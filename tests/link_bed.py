# amaranth: UnusedElaboratable=no

"""A link with a stand-in for an accelerator, what may be said to it, and what it has to answer."""

import dataclasses
import zlib
from contextlib import nullcontext
from itertools import cycle, pairwise

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator
from cobs import cobs
from hypothesis import strategies as st

from gateware.link import Link
from gateware.scores import layout
from gateware.system import identity
from model import frame
from model.frame import Counter, Frame, Opcode

from .standin import CONTROL, SCORE_BITS, LinkModel, StandIn


__all__ = ["Bed", "BEDS", "NARROW", "LOADED", "WRITE", "stuffed", "sealed", "reaching_too_far",
           "part", "dump", "results", "COUNTS", "model_of", "answers", "image_of", "lines"]


I_VALID, I_LOST, O_READY = 1 << 8, 1 << 9, 1 << 10   # above the byte that the line says
# Cycles for each byte of a frame, for each of an answer, for each score, and more: nothing comes
# after that.
BYTE, ANSWER, SCORE, MORE = 16, 7, 3, 600


class Bed(wiring.Component):
    """A link with a stand-in for an accelerator, in a simulation that is kept and reset."""

    def __init__(self, batch, **sizes):
        self.standin = standin = StandIn(**sizes)
        self.identity = dataclasses.replace(identity(standin, 12_000_000), batch=batch)
        self.width = self.identity.bits * standin.pixels
        self.link = Link(self.identity, words=standin.words, width=self.width, addr_width=5,
                         result=layout(standin.classes, SCORE_BITS))
        super().__init__({
            "i": In(stream.Signature(8)),
            "lost": In(1),
            "o": Out(stream.Signature(8)),
        })
        self.pins = Signal(11)
        self.seen = Signal(18 + len(self.link.best))
        self.simulator = None

    def elaborate(self, platform):
        m = Module()
        m.submodules.link = link = self.link
        m.submodules.standin = standin = self.standin
        wiring.connect(m, wiring.flipped(self.i), link.i)
        wiring.connect(m, link.o, wiring.flipped(self.o))
        wiring.connect(m, link.bus, standin.bus)
        m.d.comb += standin.i.valid.eq(link.pixels.valid)
        m.d.comb += Value.cast(standin.i.payload).eq(link.pixels.payload)
        m.d.comb += link.pixels.ready.eq(standin.i.ready)
        wiring.connect(m, standin.o, link.scores)
        m.d.comb += link.lost.eq(self.lost)
        m.d.comb += link.loaded.eq(standin.loaded)
        return m

    def simulated(self):
        """The bed with one signal for all that is set and one for all that is seen: a simulator
        takes its time for each.
        """
        m = Module()
        m.submodules.bed = self
        link = self.link
        m.d.comb += Cat(self.i.payload, self.i.valid, self.lost, self.o.ready).eq(self.pins)
        m.d.comb += self.seen.eq(Cat(
            self.o.payload, self.o.valid, self.i.ready, link.reset, link.bus.r_en, link.bus.addr,
            link.any_best, link.best))
        return m

    def say(self):
        """The line on the pins, cycle by cycle; told each time whether the link was ready."""
        for byte, stall in zip(self.line, cycle(self.i_stalls), strict=False):
            for _ in range(stall):
                yield 0
            if byte is None:
                yield I_LOST
            else:
                while not (yield byte | I_VALID):
                    pass
                self.quiet = 0
        while True:
            yield 0

    async def talk(self, ctx):
        saying, stalls, stall, held = self.say(), cycle(self.o_stalls), 0, None
        ends = [-1, *(n for n, byte in enumerate(self.line) if byte == 0)]
        patience = MORE + SCORE * self.identity.classes * self.identity.batch + \
            BYTE * max(end - start for start, end in pairwise(ends)) + \
            ANSWER * max(map(len, self.expected.split(b"\0")))
        pins = next(saying) | O_READY
        ctx.set(self.pins, pins)
        async for _, _, seen in ctx.tick().sample(self.seen):
            byte, valid, ready = seen & 0xFF, seen >> 8 & 1, seen >> 9 & 1
            self.note(seen >> 10)
            assert held is None or (valid, byte) == (1, held)
            held = byte if valid and stall else None
            self.quiet = 0 if valid else self.quiet + 1
            if valid and not stall:
                self.answers.append(byte)
                stall = next(stalls)
                right = byte or self.expected.startswith(self.answers)
                if not right or len(self.answers) == len(self.expected):
                    break
            elif stall:
                stall -= 1
            if self.quiet > patience:
                break
            before, pins = pins, saying.send(ready) | O_READY * (stall == 0)
            if pins != before:
                ctx.set(self.pins, pins)
        self.memory = [ctx.get(word) for word in self.standin.data]

    def note(self, inside):
        """Classes shown one after another, cycles of reset, and what was read over the bus."""
        reset, r_en, addr, there, best = (
            inside & 1, inside >> 1 & 1, inside >> 2 & 31, inside >> 7 & 1, inside >> 8)
        shown = best if there else None
        if not self.shown or self.shown[-1] != shown:
            self.shown.append(shown)
        self.resets += reset
        if r_en:
            self.reads.append(addr)

    def __call__(self, line, expected, i_stalls=(0,), o_stalls=(0,), vcd=None):
        """What comes back of a line, from reset, until all is answered or something is wrong."""
        self.line, self.i_stalls, self.o_stalls = line, i_stalls, o_stalls
        self.expected = b"".join(answer.encode() for answer in expected)
        self.answers, self.quiet = bytearray(), 0
        self.shown, self.resets, self.reads = [], 0, []
        if self.simulator is None:
            self.simulator = Simulator(self.simulated())
            self.simulator.add_clock(1e-6)
            self.simulator.add_testbench(self.talk)
        else:
            self.simulator.reset()
        with self.simulator.write_vcd(str(vcd)) if vcd else nullcontext():
            self.simulator.run()
        *answers, rest = bytes(self.answers).split(b"\0")
        assert rest == b""
        return [Frame.decode(answer) for answer in answers]


BEDS = {
    "narrow": Bed(3, words=5, simd=3, bits=4, classes=3),
    "wide": Bed(1, words=3, simd=15, bits=5, classes=17),
    "tiny": Bed(2, words=1, simd=8, bits=4, classes=2),     # four bytes
}
NARROW = BEDS["narrow"]


# A line is a list of parts: what is between two delimiters, and whether a byte of it was lost.

def stuffed(raw, lost=False):
    return cobs.encode(raw), lost


def sealed(body):
    """A body with the right CRC, whatever else is wrong with it."""
    return stuffed(body + zlib.crc32(body).to_bytes(4, "little"))


def reaching_too_far(body):
    """A frame whose last distance leads beyond its end, though all its bytes are there."""
    line, at = bytearray(sealed(body)[0]), 0
    while at + line[at] < len(line):
        at += line[at]
    line[at] += 1
    return bytes(line), False


def part(opcode, sequence, payload=b""):
    return stuffed(Frame(opcode, sequence, payload).raw)


def dump(bed):
    """Commands that read all there is, with sequence numbers that no other command has."""
    return [*reads((0, 15), (15, 1)), *results(bed), *COUNTS]


def results(bed):
    """Those of them that read all scores."""
    depth = bed.identity.batch * bed.identity.classes
    return reads(*((frame.RESULTS + at, min(59, depth - at)) for at in range(0, depth, 59)), n=242)


def reads(*places, n=240):
    return [part(Opcode.READ, n, frame.read(*place)) for n, place in enumerate(places, n)]


COUNTS = reads((frame.COUNTERS, len(Counter)), n=255)


def model_of(bed):
    """What says all that the link must answer from reset."""
    model = LinkModel(bed.standin)
    model.identity = bed.identity
    model.scores = [0] * (bed.identity.batch * bed.identity.classes)
    return model


def answers(bed, parts):
    """What the model answers from reset."""
    model = model_of(bed)
    return [answer for data, lost in parts if (answer := model(data, lost)) is not None]


LOADED = part(Opcode.WRITE, 239, frame.write(CONTROL, [1]))
WRITE  = bytes([Opcode.WRITE, 9, 12]) + frame.write(3, [5, 6])


def image_of(bed, n=0):
    """An image as it is sent; the bits behind the last pixel are clear."""
    bits = bed.identity.inputs * bed.identity.bits
    return (0x9ABC_DEF1_2345_6789_0BAD_CAFE_1357_9BDF * (n + 1) % (1 << bits)).to_bytes(
        bed.identity.image_bytes, "little")


# What a line may bring.

words = st.lists(st.integers(0, 0xFFFF_FFFF), max_size=15)


@st.composite
def infers(draw, bed):
    """A part of some images, mostly the first, mostly of whole ones."""
    size, most = bed.identity.image_bytes, bed.identity.buffer_bytes
    offset = draw(st.sampled_from([0, 0, 0, size, 1, most - 1, most]))
    length = draw(st.one_of(st.just(size), st.integers(0, min(most, frame.MAX_BYTES)),
                            st.just(min(most - offset, frame.MAX_BYTES))))
    return frame.infer(offset, draw(st.binary(min_size=length, max_size=length)),
                       run=draw(st.booleans()), scores=draw(st.booleans()))


@st.composite
def commands(draw, bed):
    """A body of a frame: mostly sound commands, some that ask for too much."""
    opcode   = draw(st.sampled_from([*Opcode, Opcode.WRITE, *[Opcode.INFER] * 4, 0, 0x83]))
    sequence = draw(st.integers(0, 3))    # repeats are frequent
    depth    = bed.identity.batch * bed.identity.classes
    address  = draw(st.one_of(
        st.integers(0, 33), st.integers(0, depth + 1).map(lambda n: frame.RESULTS + n),
        st.integers(0, 4).map(lambda n: frame.COUNTERS + n),
        st.sampled_from([32 << 5, 1 << 15, 1 << 30, frame.RESULTS - 1, 0xFFFF_FFFF])))
    data     = draw(words)
    payload  = draw(st.sampled_from([True] * 9 + [False])) and {
        Opcode.IDENTIFY: b"", Opcode.WRITE: frame.write(address, data or [7]),
        Opcode.READ: frame.read(address, draw(st.integers(0, 61))),
        Opcode.INFER: draw(infers(bed)),
        Opcode.REPEAT: frame.repeat(draw(st.sampled_from([1, 2, 3, 5, 0, 1 << 16, 1 << 31]))),
        Opcode.ECHO: draw(st.binary(max_size=20)), Opcode.RESET: b"",
    }.get(opcode)
    if not isinstance(payload, bytes):
        payload = draw(st.binary(max_size=245))    # any length, and beyond the greatest
    return bytes([opcode, sequence, len(payload)]) + payload


@st.composite
def lines(draw, bed):
    """Parts of a line on which every kind of accident happens."""
    parts = [LOADED] if draw(st.integers(0, 5)) else []
    for _ in range(draw(st.integers(1, 6))):
        body = draw(commands(bed))
        data, lost = sealed(body)
        accident = draw(st.sampled_from(["none"] * 4 + ["again", "flip", "cut", "split", "lost",
                                                        "grown", "liar", "swallowed", "noise"]))
        at = draw(st.integers(0, len(data) - 1))
        if accident == "again":
            parts.append((data, lost))
        elif accident == "flip":
            flipped = data[at] ^ 1 << draw(st.integers(0, 7))
            data = data[:at] + (bytes([flipped]) if flipped else b"") + data[at + 1:]
        elif accident == "cut":
            data = data[:at]
        elif accident == "split":
            parts.append((data[:at], False))
            data = data[at:]
        elif accident == "lost":
            lost = True
        elif accident == "grown":
            data += draw(st.binary(min_size=1, max_size=80)).replace(b"\0", b"\1")
        elif accident == "liar":
            data, lost = sealed(body[:2] + draw(st.binary(min_size=1, max_size=1)) + body[3:])
        elif accident == "swallowed":
            data = data[:at] + data[at + 1:]
        elif accident == "noise":
            parts.append((draw(st.binary(max_size=9)).replace(b"\0", b"\1"), draw(st.booleans())))
        parts.append((data, lost))
    return parts

"""Something small with an accelerator's ports, and what a host must see of it behind a link."""

import dataclasses
import zlib

import numpy as np
from amaranth import *
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from gateware import bus
from gateware.scores import layout
from gateware.system import identity
from model import frame
from model.encoder import BitSerial
from model.frame import Counter, Error, Frame, Layer, Opcode, Repeated, Run


__all__ = ["StandIn", "LinkModel", "unstuff"]


WORDS = 16                # of memory, at 0; nothing is mapped behind
CONTROL = WORDS - 2       # bit 0 is `loaded`, and then comes a word that nobody minds
SCORE_BITS = 20
MASK = 0xFFFF_FFFF


class StandIn(wiring.Component):
    """Adds up all pixels of an image, and gives class c the score (c + 1) × (sum − 20)."""

    def __init__(self, *, words=5, simd=3, bits=4, classes=3, encoder=None):
        encoder = encoder or BitSerial(bits)
        bits = encoder.bits
        self.words = words
        self.hash = b"stand-in"
        self.classes = classes
        self.control_address = CONTROL
        self.memories = {"cells": bus.Region(32, CONTROL)}
        self.counters = {}
        self.plan = self   # as much of one as a host needs
        self.data = memory.MemoryData(shape=32, depth=WORDS, init=[])
        self.score_bits = SCORE_BITS
        self.inputs = words * simd - (words * simd > 1)
        self.encoder, self.sent_bits, self.sent = encoder, encoder.sent_bits, encoder.sent
        self.pixels, self.batch, self.learns = simd, 1, False
        self.told = (Layer(self.inputs, classes, 1, simd, bits),)
        super().__init__({
            "i": In(stream.Signature(data.ArrayLayout(bits, simd))),
            "o": Out(stream.Signature(layout(classes, SCORE_BITS))),
            "bus": In(bus.Signature(5)),
            "loaded": Out(1),
        })

    def cycles(self, images, rounds=1):
        return rounds * images * (self.words + self.classes)

    def elaborate(self, platform):
        m = Module()

        m.submodules.cells = cells = memory.Memory(self.data)
        w_port, r_port = cells.write_port(), cells.read_port()
        mapped = ~self.bus.addr[4]
        m.d.comb += w_port.addr.eq(self.bus.addr)
        m.d.comb += w_port.data.eq(self.bus.w_data)
        m.d.comb += w_port.en.eq(self.bus.w_en & mapped)
        m.d.comb += r_port.addr.eq(self.bus.addr)
        m.d.comb += self.bus.r_data.eq(r_port.data)
        m.d.sync += self.bus.r_valid.eq(self.bus.r_en & mapped)
        with m.If(w_port.en & (self.bus.addr == CONTROL)):
            m.d.sync += self.loaded.eq(self.bus.w_data[0])

        count = Signal(range(self.words + 1))
        total = Signal(SCORE_BITS)
        index = Signal(range(self.classes))
        m.d.comb += self.i.ready.eq(count != self.words)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += count.eq(count + 1)
            m.d.sync += total.eq(total + sum(self.i.payload))
        m.d.comb += self.o.valid.eq(count == self.words)
        m.d.comb += self.o.payload.score.eq((index + 1) * (total - 20))
        m.d.comb += self.o.payload.best.eq(total % self.classes)
        m.d.comb += self.o.payload.last.eq(index == self.classes - 1)
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += index.eq(index + 1)
            with m.If(self.o.payload.last):
                m.d.sync += index.eq(0)
                m.d.sync += count.eq(0)
                m.d.sync += total.eq(0)

        return m


def unstuff(line):
    """Bytes of a frame as far as they can be known, and whether something was missing."""
    raw, at, zero = bytearray(), 0, False
    while at < len(line):
        raw += bytes(zero)
        block = line[at + 1:at + line[at]]
        raw += block
        if len(block) < line[at] - 1:
            return bytes(raw), True
        zero = line[at] != 0xFF
        at += line[at]
    return bytes(raw), False


class LinkModel:
    """What a link in front of a :class:`StandIn` answers, and does."""

    def __init__(self, standin, clock_hz=12_000_000):
        self.identity = identity(standin, clock_hz)
        self.standin = standin
        self.memory = [0] * WORDS
        self.scores = [0] * (self.identity.batch * standin.classes)
        self.images = b""
        self.counters = [0] * len(Counter)
        self.last = None

    @property
    def loaded(self):
        return self.memory[CONTROL] & 1

    def __call__(self, line, lost=False):
        """The answer to what was between two delimiters, or None; bytes may have been lost."""
        raw, broken = unstuff(line)
        broken |= lost
        if len(raw) < frame.MIN_FRAME:
            return None
        answer = self.judge(raw, broken)
        refused = answer.opcode == frame.ANSWER | Opcode.ERROR
        if not refused and answer.opcode == frame.ANSWER | Opcode.RESET:
            self.images, self.counters, self.last = b"", [0] * len(Counter), None
        else:
            which = Counter.REFUSED if refused else Counter.COMMANDS
            self.counters[which] = self.counters[which] + 1 & 0xFFFF
        return answer

    def judge(self, raw, broken):
        nothing = Frame(0, raw[1])
        if len(raw) > frame.MAX_FRAME:
            return nothing.error(Error.LENGTH)
        body = raw[:-frame.CRC]
        if broken or zlib.crc32(body) != int.from_bytes(raw[len(body):], "little"):
            return nothing.error(Error.DAMAGED)
        if body[2] != len(body) - frame.HEADER:
            return nothing.error(Error.LENGTH)
        return self.carry_out(Frame(body[0], body[1], body[frame.HEADER:]))

    def carry_out(self, sent):
        payload, size = sent.payload, len(sent.payload)
        forms = {Opcode.IDENTIFY: size == 0, Opcode.WRITE: size >= 8 and size % 4 == 0,
                 Opcode.READ: size == 5, Opcode.INFER: size >= 4, Opcode.REPEAT: size == 4,
                 Opcode.ECHO: True, Opcode.RESET: size == 0}
        if sent.opcode not in forms:
            return sent.error(Error.OPCODE)
        if not forms[sent.opcode]:
            return sent.error(Error.LENGTH)
        if sent.opcode not in (Opcode.IDENTIFY, Opcode.ECHO, Opcode.RESET) \
                and sent.sequence == self.last:
            return sent.error(Error.REPEATED)
        if sent.opcode in (Opcode.INFER, Opcode.REPEAT) and not self.loaded:
            return sent.error(Error.WEIGHTS)
        result = {Opcode.IDENTIFY: self.identify, Opcode.WRITE: self.write, Opcode.READ: self.read,
                  Opcode.INFER: self.infer, Opcode.REPEAT: self.repeat,
                  Opcode.ECHO: lambda payload: payload,
                  Opcode.RESET: lambda payload: b""}[sent.opcode](payload)
        if isinstance(result, Error):
            return sent.error(result)
        self.last = sent.sequence
        return sent.answer(result)

    def identify(self, payload):
        return dataclasses.replace(self.identity, loaded=bool(self.loaded)).pack()

    def write(self, payload):
        address, words = int.from_bytes(payload[:4], "little"), frame.unpack_words(payload[4:])
        if address + len(words) > 32:
            return Error.ADDRESS
        return self.store(self.memory, address, words)

    def store(self, memory, at, words):
        for n, word in enumerate(words, at):
            if n < len(memory):    # where nothing is mapped, nothing is written
                memory[n] = word
        return b""

    def read(self, payload):
        address, count = int.from_bytes(payload[:4], "little"), payload[4]
        if count not in range(1, frame.MAX_WORDS + 1):
            return Error.LENGTH
        space = [self.memory, self.memory, self.scores, self.counters][address >> 30]
        at = address if space is self.memory else address & (1 << 30) - 1
        if at + count > len(space):
            return Error.ADDRESS
        return frame.pack_words(space[at:at + count])

    def infer(self, payload):
        identity, data = self.identity, payload[4:]
        head = int.from_bytes(payload[:4], "little")
        offset, flags = head & (1 << 24) - 1, head >> 24
        if flags > 3:
            return Error.ADDRESS
        if data and offset not in (0, len(self.images)):
            self.images = b""
            return Error.IMAGE
        before = self.images if offset or not data else b""
        if len(before) + len(data) > identity.buffer_bytes:
            return Error.ADDRESS
        self.images = before + data
        if not flags & 1:
            return b""
        scores = bool(flags & 2)
        count = self.whole()
        if count is None:
            return Error.IMAGE
        if count > identity.most_images(scores=scores):
            return Error.LENGTH
        return self.run(1, scores).pack(identity)

    def repeat(self, payload):
        rounds = int.from_bytes(payload, "little")
        if rounds not in range(1, frame.MAX_ROUNDS + 1):
            return Error.LENGTH
        if self.whole() is None:
            return Error.IMAGE
        run = self.run(rounds, True)
        return Repeated(run.cycles, frame.signature(np.array(run.scores), np.array(run.best),
                                                    rounds)).pack()

    def whole(self):
        """How many images there are; None, and then none are, if one is not complete."""
        count, rest = divmod(len(self.images), self.identity.image_bytes)
        if rest or not count:
            self.images = b""
            return None
        return count

    def run(self, rounds, scores):
        identity, classes = self.identity, self.identity.classes
        size = identity.image_bytes
        images = [self.images[at:at + size] for at in range(0, len(self.images), size)]
        results, best = [], []
        for image in images:
            packed, total = int.from_bytes(image, "little"), 0
            for n in range(self.standin.words * self.standin.pixels):
                pixel = packed >> n * identity.bits & (1 << identity.bits) - 1
                total += pixel * ((1 << self.standin.encoder.bits) - 1
                                  if identity.bits == 1 else 1)
            results.append(tuple((c + 1) * (total - 20) for c in range(classes)))
            best.append(total % classes)
        self.scores[:len(results) * classes] = [score & MASK for row in results for score in row]
        self.counters[Counter.IMAGES] += len(images) * rounds
        # A word in every cycle, then a score in each; the next image waits for that.
        cycles = self.standin.cycles(rounds * len(images))
        return Run(cycles, tuple(best), tuple(results) if scores else None)

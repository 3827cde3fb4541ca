"""Something small with an accelerator's ports, and what a host must see of it behind a link."""

import zlib
from types import SimpleNamespace

from amaranth import *
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from gateware import bus
from gateware.scores import layout
from model import frame
from model.encoder import BitSerial
from model.frame import Error, Frame, Identity, Opcode, Run


__all__ = ["StandIn", "LinkModel", "unstuff"]


WORDS = 16                # of memory, at 0; nothing is mapped behind
CONTROL = WORDS - 1       # bit 0 is `loaded`
SCORE_BITS = 20
MASK = 0xFFFF_FFFF


class StandIn(wiring.Component):
    """Adds up all pixels of an image, and gives class c the score (c + 1) × (sum − 20)."""

    def __init__(self, *, words=5, simd=3, bits=4, classes=3):
        self.words = words
        self.hash = b"stand-in"
        self.classes = classes
        self.control_address = CONTROL
        self.memories = {"cells": bus.Region(32, CONTROL)}
        # As much of a shape and a mapping as a driver looks at.
        self.shape = SimpleNamespace(classes=classes, encoder=BitSerial(bits))
        self.mapping = SimpleNamespace(layers=[SimpleNamespace(
            folds=words, simd=simd, inputs=words * simd - (words * simd > 1))])
        super().__init__({
            "i": In(stream.Signature(data.ArrayLayout(bits, simd))),
            "o": Out(stream.Signature(layout(classes, SCORE_BITS))),
            "bus": In(bus.Signature(5)),
            "loaded": Out(1),
        })

    def elaborate(self, platform):
        m = Module()

        m.submodules.cells = cells = memory.Memory(shape=32, depth=WORDS, init=[])
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

    def __init__(self, identity):
        self.identity = identity
        self.memory = [0] * WORDS
        self.buffer = [0] * (identity.buffer_words + identity.classes)
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
        forms = {Opcode.IDENTIFY: size == 0, Opcode.WRITE: size in range(8, 65, 4),
                 Opcode.READ: size == 5, Opcode.INFER: size in range(2, 63, 4)}
        if sent.opcode not in forms:
            return sent.error(Error.OPCODE)
        if not forms[sent.opcode]:
            return sent.error(Error.LENGTH)
        if sent.opcode != Opcode.IDENTIFY and sent.sequence == self.last:
            return sent.error(Error.REPEATED)
        if sent.opcode == Opcode.INFER and not self.loaded:
            return sent.error(Error.WEIGHTS)
        result = {Opcode.IDENTIFY: self.identify, Opcode.WRITE: self.write,
                  Opcode.READ: self.read, Opcode.INFER: self.infer}[sent.opcode](payload)
        if isinstance(result, Error):
            return sent.error(result)
        self.last = sent.sequence
        return sent.answer(result)

    def identify(self, payload):
        identity = self.identity
        return Identity(identity.hash, identity.clock_hz, identity.words, identity.simd,
                        identity.bits, identity.classes, bool(self.loaded)).pack()

    def place(self, address, count):
        """The memory that holds all the words, and where they begin in it; None if none does."""
        if address >= frame.BUFFER:
            offset = address - frame.BUFFER
            return (self.buffer, offset) if offset + count <= len(self.buffer) else None
        return (self.memory, address) if address + count <= 32 else None

    def write(self, payload):
        words = frame.unpack_words(payload[4:])
        place = self.place(int.from_bytes(payload[:4], "little"), len(words))
        return Error.ADDRESS if place is None else self.store(*place, words)

    def store(self, memory, at, words):
        for n, word in enumerate(words, at):
            if n < len(memory):    # where nothing is mapped, nothing is written
                memory[n] = word
        return b""

    def read(self, payload):
        count = payload[4]
        if count not in range(1, 16):
            return Error.LENGTH
        place = self.place(int.from_bytes(payload[:4], "little"), count)
        if place is None or place[1] + count > len(place[0]):
            return Error.ADDRESS
        memory, at = place
        return frame.pack_words(memory[at:at + count])

    def infer(self, payload):
        offset, words = int.from_bytes(payload[:2], "little"), frame.unpack_words(payload[2:])
        run, offset = bool(offset & frame.RUN), offset & ~frame.RUN
        if offset + len(words) > len(self.buffer):
            return Error.ADDRESS
        self.store(self.buffer, offset, words)
        if not run:
            return b""
        identity, chunks = self.identity, self.identity.chunks
        total = 0
        for n in range(0, identity.buffer_words, chunks):
            word = sum(chunk << 32 * k for k, chunk in enumerate(self.buffer[n:n + chunks]))
            for _ in range(identity.simd):
                total += word & (1 << identity.bits) - 1
                word >>= identity.bits
        scores = [(c + 1) * (total - 20) for c in range(identity.classes)]
        self.buffer[identity.buffer_words:] = [score & MASK for score in scores]
        # Words of one chunk enter in every cycle; a score leaves in each after that.
        cycles = 1 + (identity.words - 1) * chunks + identity.classes
        return Run(total % identity.classes, cycles, tuple(scores[:frame.MAX_SCORES])).pack()

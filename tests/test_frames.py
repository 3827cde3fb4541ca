# amaranth: UnusedElaboratable=no

import zlib
from itertools import cycle

import pytest
from amaranth import Module
from amaranth.sim import Simulator
from cobs import cobs
from hypothesis import given, settings, strategies as st

from gateware.frames import PAGE, Frames, fault
from model import frame
from model.frame import Error, Frame

from . import strategies
from .traffic import memories, ports, registers


CONSTANT = bytes(range(100, 122))


class Bed:
    """Frames over a line, with somebody who reads each and answers it."""

    def __init__(self):
        self.dut = Frames(constant=CONSTANT)
        self.line, self.answers = [], bytearray()

    async def feed(self, ctx):
        dut, stalls = self.dut, cycle(self.i_stalls)
        for byte in self.line:
            if stall := next(stalls):
                ctx.set(dut.i.payload, 0)    # means nothing now
                for _ in range(stall):
                    await ctx.tick()
            if byte is None:    # lost on the way
                ctx.set(dut.lost, 1)
                await ctx.tick()
                ctx.set(dut.lost, 0)
                continue
            ctx.set(dut.i.payload, byte)
            ctx.set(dut.i.valid, 1)
            ready = 0
            while not ready:
                _, _, ready = await ctx.tick().sample(dut.i.ready)
            ctx.set(dut.i.valid, 0)

    async def drain(self, ctx):
        dut, stalls = self.dut, cycle(self.o_stalls)
        stall, held = next(stalls), None
        while True:
            ctx.set(dut.o.ready, stall == 0)
            _, _, valid, byte = await ctx.tick().sample(dut.o.valid, dut.o.payload)
            assert held is None or (valid, byte) == (1, held)
            held = byte if valid and stall else None
            if valid and not stall:
                self.answers.append(byte)
                stall = next(stalls)
            elif stall:
                stall -= 1

    async def wait(self, ctx, signal, limit=3_000):
        """Cycles until it is high."""
        for cycles in range(limit):
            if ctx.get(signal):
                return cycles
            await ctx.tick()
        raise TimeoutError(f"{signal.name} stayed low")

    async def pulse(self, ctx, signal):
        ctx.set(signal, 1)
        await ctx.tick()
        ctx.set(signal, 0)

    async def read(self, ctx, count):
        data = bytearray()
        while len(data) < count:
            await self.wait(ctx, self.dut.fresh, 3)
            data.append(ctx.get(self.dut.byte))
            at = ctx.get(self.dut.at)
            await self.pulse(ctx, self.dut.next)
            assert (ctx.get(self.dut.at), ctx.get(self.dut.fresh)) == (at + 1, 0)
        return bytes(data)

    async def say(self, ctx, data):
        for byte in data:
            ctx.set(self.dut.answer.payload, byte)
            ctx.set(self.dut.answer.valid, 1)
            ready = 0
            while not ready:
                _, _, ready = await ctx.tick().sample(self.dut.answer.ready)
            ctx.set(self.dut.answer.valid, 0)

    async def answer(self, ctx, data, *, recite=False, twice=False):
        """Begin an answer, or do so twice, and close it; what could be read of the constant."""
        dut = self.dut
        ctx.set(dut.recite, recite)
        if twice:
            await self.pulse(ctx, dut.restart)
            await self.say(ctx, b"\0\1\2"[:1 + len(data) % 3])
        await self.pulse(ctx, dut.restart)
        assert ctx.get(dut.at) == 0
        constant = await self.read(ctx, len(CONSTANT)) if recite else b""
        await self.say(ctx, data)
        await self.pulse(ctx, dut.close)
        ctx.set(dut.recite, 0)
        assert not ctx.get(dut.open)
        return constant

    def __call__(self, line, host, i_stalls=(0,), o_stalls=(0,)):
        self.line, self.i_stalls, self.o_stalls = line, i_stalls, o_stalls
        m = Module()
        m.submodules.dut = self.dut
        sim = Simulator(m)
        sim.add_clock(1e-6)
        sim.add_testbench(self.feed, background=True)
        sim.add_testbench(self.drain, background=True)
        sim.add_testbench(host)
        sim.run()
        *answers, rest = bytes(self.answers).split(b"\0")
        assert rest == b""
        return [cobs.decode(answer) for answer in answers]


def sealed(body):
    return body + zlib.crc32(body).to_bytes(frame.CRC, "little")


def line_of(raw, lost=False):
    return [*[None] * lost, *cobs.encode(raw), 0]


@settings(max_examples=7)
@given(payloads=st.lists(st.binary(max_size=20), min_size=1, max_size=4), data=st.data(),
       i_stalls=strategies.stalls, o_stalls=strategies.stalls)
def test_frames_are_read_and_answered(payloads, data, i_stalls, o_stalls):
    sent = [Frame(data.draw(st.integers(0, 255)), n, payload)
            for n, payload in enumerate(payloads)]
    said = [data.draw(st.binary(max_size=9)) for _ in sent]
    recited = [data.draw(st.booleans()) for _ in sent]
    bed = Bed()
    dut = bed.dut

    async def host(ctx):
        for each, answer, recite in zip(sent, said, recited, strict=True):
            await bed.wait(ctx, dut.open)
            assert [ctx.get(field) for field in (dut.opcode, dut.sequence, dut.length, dut.fault)] \
                == [each.opcode, each.sequence, len(each.payload), 0]
            assert ctx.get(dut.at) == frame.HEADER
            assert await bed.read(ctx, len(each.payload)) == each.payload
            constant = await bed.answer(ctx, answer, recite=recite, twice=data.draw(st.booleans()))
            assert constant == (CONSTANT if recite else b"")
        await bed.pulse(ctx, dut.next)    # which means nothing now
        for _ in range(200 + 40 * max(o_stalls)):
            await ctx.tick()
            assert not ctx.get(dut.open)

    line = [byte for each in sent for byte in each.encode()]
    assert bed(line, host, i_stalls, o_stalls) == [sealed(answer) for answer in said]


WHOLE = Frame(2, 9, b"payload").raw
LONG  = bytes([2, 9, frame.MAX_PAYLOAD]) + bytes(range(1, frame.MAX_PAYLOAD + 1))


@pytest.mark.parametrize("line, expected", [
    (line_of(WHOLE), 0),
    (line_of(sealed(LONG)), 0),
    (line_of(sealed(LONG + b"x")), Error.LENGTH),
    (line_of(sealed(LONG + b"x" * 60)), Error.LENGTH),
    (line_of(sealed(LONG + b"x"), lost=True), Error.LENGTH),
    (line_of(WHOLE, lost=True), Error.DAMAGED),
    (line_of(WHOLE[:-1]), Error.DAMAGED),
    (line_of(WHOLE[:4] + b"A" + WHOLE[5:]), Error.DAMAGED),
    (line_of(sealed(bytes([2, 9, 6]) + b"payload")), Error.LENGTH),
    (line_of(sealed(bytes([2, 9, 8]) + b"payload")), Error.LENGTH),
    (line_of(sealed(bytes([2, 9, 7 + 128]) + b"payload")), Error.LENGTH),
    (line_of(sealed(bytes([2, 9, 0]))), 0),
    (line_of(WHOLE)[:-2] + [1, 0], Error.DAMAGED),
])
def test_what_is_wrong_is_said_and_the_next_frame_is_sound(line, expected):
    bed = Bed()
    dut = bed.dut

    async def host(ctx):
        for wrong in (expected, 0, expected):
            await bed.wait(ctx, dut.open)
            assert (ctx.get(dut.fault), ctx.get(dut.sequence)) == (wrong, 9)
            await bed.answer(ctx, b"!")
        await ctx.tick().repeat(60)

    assert bed(line + line_of(WHOLE) + line, host) == [sealed(b"!")] * 3


def test_frames_too_short_to_be_answered_are_dropped():
    bed = Bed()
    short = [byte for raw in (b"", b"\1", b"123456") for byte in line_of(raw)]

    async def host(ctx):
        await bed.wait(ctx, bed.dut.open)
        assert ctx.get(bed.dut.sequence) == 9
        await bed.answer(ctx, b"")
        await ctx.tick().repeat(100)

    assert bed([*short, *line_of(WHOLE)], host) == [sealed(b"")]


def test_one_more_frame_may_arrive_and_then_the_line_waits():
    bed = Bed()
    dut = bed.dut

    async def host(ctx):
        await bed.wait(ctx, dut.open)
        await ctx.tick().repeat(200)
        # Two frames and the first byte of a third, which is taken in before it has a page.
        assert not ctx.get(dut.i.ready)
        for n in range(3):
            await bed.wait(ctx, dut.open)
            assert ctx.get(dut.sequence) == n
            await bed.answer(ctx, bytes([n]))
        await ctx.tick().repeat(60)

    line = [byte for n in range(3) for byte in Frame(1, n, b"1234").encode()]
    assert bed(line, host) == [sealed(bytes([n])) for n in range(3)]


@pytest.mark.parametrize("pause", range(4, 10))
def test_bytes_that_arrive_take_the_memory_first(pause):
    """Whatever of an answer is being written meanwhile, to its CRC and its end."""
    bed = Bed()
    sent = [Frame(3, n, b"0123456789") for n in range(3)]

    async def host(ctx):
        for each in sent:
            await bed.wait(ctx, bed.dut.open)
            assert (ctx.get(bed.dut.fault), ctx.get(bed.dut.sequence)) == (0, each.sequence)
            await bed.answer(ctx, b"abc")
        await ctx.tick().repeat(80)

    line = [byte for each in sent for byte in each.encode()]
    assert bed(line, host, i_stalls=[pause]) == [sealed(b"abc")] * 3


def test_the_longest_answer():
    bed = Bed()
    answer = bytes(range(256))[-frame.MAX_FRAME + frame.CRC:]

    async def host(ctx):
        await bed.wait(ctx, bed.dut.open)
        await bed.answer(ctx, answer)
        await ctx.tick().repeat(4 * frame.MAX_FRAME)

    assert bed(line_of(WHOLE), host) == [sealed(answer)]


def test_checking_takes_five_cycles_a_byte_and_so_does_an_answer():
    bed = Bed()
    dut = bed.dut

    async def host(ctx):
        await bed.wait(ctx, dut.i.valid)
        # All bytes of the line, a cycle each; then each that is checked; and what begins and ends.
        assert await bed.wait(ctx, dut.open) == len(WHOLE) + 2 + 5 * len(WHOLE) + 4
        await bed.pulse(ctx, dut.restart)
        ctx.set(dut.answer.valid, 1)
        for waits in (0, 4, 4):   # and in the next it is taken
            assert await bed.wait(ctx, dut.answer.ready) == waits
            await ctx.tick()
        ctx.set(dut.answer.valid, 0)

    bed(line_of(WHOLE), host)


def test_there_is_one_memory_of_four_pages():
    assert memories(Frames(constant=CONSTANT)) == {"cells": (8, 1024)}


def test_members_are_as_wide_as_they_have_to_be():
    assert fault == range(8)
    assert ports(Frames(constant=b"")) == {
        "i_payload": 8, "i_valid": 1, "i_ready": 1, "lost": 1, "o_payload": 8, "o_valid": 1,
        "o_ready": 1, "open": 1, "opcode": 8, "sequence": 8, "length": 8, "fault": 3,
        "at": (PAGE - 1).bit_length(), "byte": 8, "fresh": 1, "next": 1, "restart": 1,
        "recite": 1, "answer_payload": 8, "answer_valid": 1, "answer_ready": 1, "close": 1}


def test_registers_are_as_wide_as_they_have_to_be_and_start_from_zero():
    """As iCE40's flip-flops do: another start costs look-up tables."""
    assert registers(Frames(constant=b"")) == {
        "fsm_state": (3, 0), "opcode": (8, 0), "sequence": (8, 0), "length": (8, 0),
        "fault": (3, 0), "at": (8, 0), "fresh": (1, 0), "byte": (8, 0), "held": (1, 0),
        "phase": (2, 0), "step": (2, 0)}

# amaranth: UnusedElaboratable=no

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from gateware.uart import Receiver, Transmitter
from sim.pins import Listener, levels

from . import strategies
from .traffic import idle_bits, ports, simulate


divisors = st.sampled_from([4, 5, 7, 12, 26])


def receive(line, divisor, stalls=(0,), vcd=None):
    """Bytes, and number of errors, that a receiver gets out of the levels of a line."""
    dut = Receiver(divisor=divisor)
    taken, errors = bytearray(), 0

    async def bench(ctx):
        nonlocal errors
        wait = 0
        for cycle, level in enumerate([*line, *[1] * (11 * divisor)]):
            ctx.set(dut.rx, int(level))
            ctx.set(dut.o.ready, wait == 0)
            _, _, valid, byte, error = \
                await ctx.tick().sample(dut.o.valid, dut.o.payload, dut.error)
            errors += error
            if valid and wait == 0:
                taken.append(byte)
                wait = stalls[cycle % len(stalls)]
            elif wait:
                wait -= 1

    simulate(dut, bench, vcd=vcd)
    return bytes(taken), errors


def transmit(data, divisor, stalls=(0,), vcd=None):
    """Levels of a transmitter's pin while it sends."""
    dut = Transmitter(divisor=divisor)
    line = []

    async def bench(ctx):
        assert ctx.get(dut.i.ready)
        for n, byte in enumerate(data):
            for _ in range(stalls[n % len(stalls)]):
                line.append((await ctx.tick().sample(dut.tx))[2])
            ctx.set(dut.i.payload, byte)
            ctx.set(dut.i.valid, 1)
            ready = 0
            while not ready:
                _, _, ready, level = await ctx.tick().sample(dut.i.ready, dut.tx)
                line.append(level)
            ctx.set(dut.i.valid, 0)
        for _ in range(11 * divisor):
            line.append((await ctx.tick().sample(dut.tx))[2])

    simulate(dut, bench, vcd=vcd)
    return line


@settings(max_examples=30)
@given(data=st.binary(min_size=1, max_size=8), divisor=divisors, percent=st.floats(-2, 2),
       gap=st.integers(0, 9), stalls=strategies.stalls)
def test_receiver_follows_two_percent(data, divisor, percent, gap, stalls):
    line = levels(data, divisor * (1 + percent / 100))
    assert receive([1] * gap + [*line], divisor, stalls) == (data, 0)


@pytest.mark.parametrize("divisor", [12, 26])
@pytest.mark.parametrize("percent", [-4, 4])
def test_receiver_follows_four_percent_where_it_can(divisor, percent):
    line = levels(b"\x00\xff\x55\xaa", divisor * (1 + percent / 100))
    assert receive(line, divisor) == (b"\x00\xff\x55\xaa", 0)


@pytest.mark.parametrize("divisor", [4, 5, 8, 12])
@pytest.mark.parametrize("byte", [0x5A, 0xA5])
def test_each_bit_is_sampled_once_in_its_middle(divisor, byte):
    cells = []
    for bit in (0, *(byte >> n & 1 for n in range(8)), 1):
        cell = [1 - bit] * divisor
        cell[(divisor - 1) // 2] = bit    # at any other time the line says the opposite
        cells.append(cell)
    cells[0][0] = 0
    assert receive([1, 1, *sum(cells, []), *[1] * 3 * divisor], divisor) == (bytes([byte]), 0)


def test_a_byte_is_there_half_a_bit_before_it_ends():
    dut = Receiver(divisor=12)
    line = [*levels(b"k", 12)]

    async def bench(ctx):
        for cycle, level in enumerate(line):
            ctx.set(dut.rx, int(level))
            await ctx.tick()
            # The line passes two flip-flops first.
            assert ctx.get(dut.o.valid) == (cycle >= 9 * 12 + 5 + 2)
            assert not ctx.get(dut.error)

    simulate(dut, bench)


def test_nothing_of_the_receiver_is_wider_than_it_has_to_be(tmp_path):
    dut = Receiver(divisor=8)
    assert ports(dut) == {"rx": 1, "o_payload": 8, "o_valid": 1, "o_ready": 1, "error": 1}
    assert (dut.divisor, dut.rx.init) == (8, 1)
    line = [*levels(b"\xff\x00\xff", 8), *[0] * 100, *[1] * 9]
    receive(line, 8, [40], vcd=tmp_path / "vcd")
    assert idle_bits(tmp_path / "vcd") == {}


def test_nothing_of_the_transmitter_is_wider_than_it_has_to_be(tmp_path):
    dut = Transmitter(divisor=8)
    assert ports(dut) == {"i_payload": 8, "i_valid": 1, "i_ready": 1, "tx": 1}
    assert (dut.divisor, dut.tx.init) == (8, 1)
    transmit(b"\xff\x00\xff", 8, [0, 100], vcd=tmp_path / "vcd")
    assert idle_bits(tmp_path / "vcd") == {}


@settings(max_examples=30)
@given(data=st.binary(max_size=8), divisor=divisors, stalls=strategies.stalls)
def test_transmitter_sends_what_a_listener_hears(data, divisor, stalls):
    line = transmit(data, divisor, stalls)
    assert Listener(divisor)(np.array(line)) == data


@pytest.mark.parametrize("divisor", [4, 5, 12])
def test_transmitter_leaves_no_gap(divisor):
    line = transmit(b"\x00\xff\x5a", divisor)
    start = line.index(0)
    assert line[start:start + 30 * divisor] == [*levels(b"\x00\xff\x5a", divisor)]


@given(data=st.binary(min_size=1, max_size=6), divisor=st.floats(4, 30), cut=st.integers(1, 40))
def test_listener_hears_levels_however_they_are_cut(data, divisor, cut):
    line = np.concatenate([levels(data, divisor), np.ones(1, dtype=np.uint8)])
    listener = Listener(divisor)
    heard = b"".join(listener(line[at:at + cut]) for at in range(0, len(line), cut))
    assert heard == data
    assert not listener(np.ones(400, dtype=np.uint8)) and not listener.busy


@pytest.mark.parametrize("divisor", [4, 12])
def test_a_low_stop_bit_is_an_error_and_a_break_only_one(divisor):
    good = [*levels(b"a", divisor)]
    line = [*good, *[0] * 50 * divisor, *[1] * divisor, *good]
    assert receive(line, divisor) == (b"aa", 1)


@pytest.mark.parametrize("low", [1, 5])      # not as long as to the middle of a bit
@pytest.mark.parametrize("high", [9, 30, 200])
def test_a_glitch_is_no_start_bit(low, high):
    assert receive([1, 1, *[0] * low, *[1] * high, *levels(b"b", 12)], 12) == (b"b", 0)


def test_a_byte_that_nobody_takes_keeps_the_next_from_coming():
    dut = Receiver(divisor=4)
    line = [*levels(b"abc", 4), 1, 1, 1, 1, 1, 1]
    errors = []

    async def bench(ctx):
        for level in line:
            ctx.set(dut.rx, int(level))
            errors.append((await ctx.tick().sample(dut.error))[2])
        assert ctx.get(dut.o.valid) and ctx.get(dut.o.payload) == ord("a")

    simulate(dut, bench)
    assert sum(errors) == 2


@pytest.mark.parametrize("component", [Receiver, Transmitter])
def test_a_divisor_must_leave_room_for_the_middle(component):
    with pytest.raises(ValueError, match=r"^Divisor must be at least 4 clocks a bit, not 3$"):
        component(divisor=3)

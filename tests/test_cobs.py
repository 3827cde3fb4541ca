# amaranth: UnusedElaboratable=no

import pytest
from amaranth import Module
from amaranth.lib import memory, wiring
from cobs import cobs
from hypothesis import given, settings, strategies as st

from gateware.cobs import Decoder, Encoder, item
from sim import bench

from . import strategies
from .standin import unstuff
from .traffic import idle_bits, offers, ports, simulate


# Distances of 255 stand for no zero; random bytes hardly ever need one.
long_runs = st.lists(st.sampled_from([1, 252, 253, 254, 255, 300]), max_size=3).map(
    lambda sizes: [*b"\0".join(bytes([7] * size) for size in sizes)])


@settings(max_examples=30)
@given(data=st.one_of(long_runs, st.lists(st.integers(0, 255), max_size=99)),
       i_stalls=strategies.stalls, o_stalls=strategies.stalls)
def test_decoder_matches_library(data, i_stalls, o_stalls):
    line = cobs.encode(bytes(data)) + b"\0"
    items = bench.run(Decoder(), [*line], len(data) + 1, i_stalls=i_stalls, o_stalls=o_stalls)
    assert [word & 0x1FF for word in items[:-1]] == data
    assert items[-1] == 1 << item["end"].offset


@settings(max_examples=25)
@given(lines=st.lists(st.lists(st.integers(1, 9) | st.just(255), max_size=12).map(bytes),
                      min_size=1, max_size=4),
       i_stalls=strategies.stalls, o_stalls=strategies.stalls)
def test_decoder_recovers_at_any_delimiter(lines, i_stalls, o_stalls):
    expected = []
    for line in lines:
        raw, broken = unstuff(line)
        expected += [*raw, (1 | broken << 1) << 8]
    items = bench.run(Decoder(), [byte for line in lines for byte in line + b"\0"], len(expected),
                      i_stalls=i_stalls, o_stalls=o_stalls)
    # Whether a frame is broken is only said at its end.
    assert [word if word >> 8 & 1 else word & 0xFF for word in items] == expected


def test_decoder_offers_unasked_and_a_byte_each_cycle():
    assert offers(Decoder(), [0])
    line = [*cobs.encode(bytes(range(60))), 0]
    bench.run(Decoder(), line, 61, limit=63)


def test_nothing_of_the_decoder_is_wider_than_it_has_to_be(tmp_path):
    assert (item.size, item["byte"].width, item["end"].width, item["broken"].width) == (10, 8, 1, 1)
    dut = Decoder()
    assert ports(dut) == {"i_payload": 8, "i_valid": 1, "i_ready": 1, "o_payload": 10,
                          "o_valid": 1, "o_ready": 1}
    line = [*cobs.encode(bytes([7] * 300)), 0, 9, 0]
    bench.run(dut, line, 302, i_stalls=[0, 0, 1], o_stalls=[0, 0, 0, 5],
              vcd=str(tmp_path / "vcd"))
    assert idle_bits(tmp_path / "vcd") == {}


def encode(frames, size, pauses=(0,), vcd=None):
    """What an encoder writes for one frame after another, pausing before each byte."""
    m = Module()
    m.submodules.dut = dut = Encoder(size=size)
    m.submodules.cells = cells = memory.Memory(
        shape=8, depth=1 << len(dut.w.addr), init=[])
    wiring.connect(m, dut.w, cells.write_port())
    stuffed = []

    async def testbench(ctx):
        for data in frames:
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            for n, byte in enumerate([*data, 0]):
                ctx.set(dut.i.payload, ~byte & 0xFF)
                if pause := pauses[n % len(pauses)]:
                    await ctx.tick().repeat(pause)
                ctx.set(dut.i.payload, byte)
                ctx.set(dut.i.valid, 1)
                assert ctx.get(dut.i.ready)
                await ctx.tick()
                ctx.set(dut.i.valid, 0)
            stuffed.append(bytes(ctx.get(cells.data[n]) for n in range(ctx.get(dut.length) - 1)))

    simulate(m, testbench, vcd=vcd)
    return stuffed


byte = st.one_of(st.integers(0, 255), st.just(0))


@settings(max_examples=25)
@given(data=st.lists(byte, max_size=253))
def test_encoder_matches_library(data):
    assert encode([data], 253) == [cobs.encode(bytes(data))]


@settings(max_examples=25)
@given(frames=st.lists(st.lists(byte, max_size=9), min_size=1, max_size=4),
       pauses=strategies.stalls)
def test_encoder_takes_frames_one_after_another(frames, pauses):
    assert encode(frames, 9, pauses) == [cobs.encode(bytes(data)) for data in frames]


@pytest.mark.parametrize("size, bits", [(1, 2), (5, 3), (6, 4), (253, 8)])
def test_nothing_of_the_encoder_is_wider_than_it_has_to_be(tmp_path, size, bits):
    dut = Encoder(size=size)
    assert dut.size == size
    assert ports(dut) == {"start": 1, "i_payload": 8, "i_valid": 1, "i_ready": 1, "length": bits,
                          "w_addr": bits, "w_data": 8, "w_en": 1}
    # A zero as the last byte puts the greatest distance's place as far back as it can be.
    frames = [[*[255] * (size - 1), 0], [0] * size, [1] * size]
    assert encode(frames, size, vcd=tmp_path / "vcd") == [*map(cobs.encode, map(bytes, frames))]
    idle = idle_bits(tmp_path / "vcd")
    assert not {name for name in idle if name in ("open_", "length")} or size != 253


@pytest.mark.parametrize("size", [0, 254])
def test_a_frame_has_one_distance_for_each_zero(size):
    with pytest.raises(ValueError, match=rf"^Size must be 1 to 253 bytes, not {size}$"):
        Encoder(size=size)

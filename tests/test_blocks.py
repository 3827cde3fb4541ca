"""Memories are counted as synthesis makes them."""

import pytest

from gateware import blocks
from gateware.bus import Region
from gateware.mapping import Resources


ICE40 = Resources(5_280, 30, 4_096, 16, "ice40", 4)
ECP5  = Resources(24_288, 56, 18_432, 36, "ecp5")
GOWIN = Resources(8_640, 26, 18_432, 36, "gowin")


@pytest.mark.parametrize("width, depth, ice40, ecp5", [
    (16, 256, 1, 1), (17, 256, 2, 1), (32, 256, 2, 1), (33, 256, 3, 2), (65, 3, 5, 3),
    # Deeper than a block is at its widest, so other shapes of a block are used.
    (16, 257, 2, 1), (16, 512, 2, 1), (32, 512, 4, 1), (8, 512, 1, 1), (4, 1_024, 1, 1),
    (2, 2_048, 1, 1), (1, 257, 1, 1), (2, 2_049, 2, 1), (16, 5_000, 20, 5), (36, 513, 7, 3),
    (1, 16_384, 8, 1), (1, 16_385, 9, 2),
])
def test_blocks_of_a_memory(width, depth, ice40, ecp5):
    assert blocks.blocks(width, depth, ICE40) == ice40
    assert blocks.blocks(width, depth, ECP5) == ecp5


@pytest.mark.parametrize("width, depth, resources, expected", [
    (16, 256, ICE40, (1, 0)), (16, 5_000, ICE40, (20, 48)), (16, 5_000, ECP5, (5, 48)),
    # So small that flip-flops are less.
    (16, 3, ICE40, (0, 16 * 3 + 24 + 3)), (7, 9, ICE40, (0, 63 + 42 + 9)),
    # What costs as much as a block is in none.
    (8, 8, ICE40, (0, 64 + 42 + 8)), (9, 8, ICE40, (1, 0)), (31, 48, ECP5, (0, 6 * 24 + 64)),
    # Look-up tables as memory.
    (20, 32, ECP5, (0, 6 * 2 * 5 + 21)), (16, 10, ECP5, (0, 6 * 4)), (11, 128, ECP5, (1, 0)),
    (32, 48, ECP5, (1, 0)), (32, 32, ECP5, (0, 6 * 16 + 33)), (16, 3, GOWIN, (1, 0)),
])
def test_memories_go_where_they_cost_less(width, depth, resources, expected):
    assert blocks.buffer(width, depth, resources) == expected


@pytest.mark.parametrize("width, depth, units, resources, expected", [
    (128, 57, 4, ICE40, (8, 0)), (32, 102, 32, ICE40, (2, 0)), (128, 57, 4, ECP5, (4, 0)),
    (32, 102, 32, ECP5, (8, 0)), (80, 100, 8, ECP5, (4, 0)), (160, 1, 2, ECP5, (0, 6 * 40)),
    (16, 32, 16, ECP5, (0, 16 * (6 * 2 + 2))), (32, 102, 32, GOWIN, (8, 0)),
])
def test_units_of_a_row_are_written_by_themselves(width, depth, units, resources, expected):
    assert blocks.buffer(width, depth, resources, units) == expected


def test_a_host_reaches_a_word_or_several():
    assert blocks.access(Region(32, 8)) == pytest.approx(0.6 * 32 + 1 + 3 + 3)
    assert blocks.access(Region(40, 8)) == pytest.approx(0.73 * 40 + 2 + 4 + 3)
    assert blocks.access(Region(65, 8)) == pytest.approx(0.73 * 65 + 3 + 5 + 3)


def test_a_memory_is_cut_into_words():
    assert blocks.cut(blocks.cells, 32, 8, ICE40) == (2, 0)
    assert blocks.cut(blocks.cells, 64, 8, ICE40) == (4, 0)
    assert blocks.cut(blocks.cells, 65, 8, ICE40) == (5, 0)
    # Two words and a half, each of blocks five deep.
    assert blocks.cut(blocks.cells, 80, 5_000, ICE40) == (100, 240)


def test_a_store_is_a_memory_and_its_access():
    assert blocks.store(16, 256, ICE40) == (1, blocks.access(Region(16, 256)))
    assert blocks.store(20, 5_000, ICE40) == (
        blocks.buffer(20, 5_000, ICE40)[0],
        blocks.buffer(20, 5_000, ICE40)[1] + blocks.access(Region(20, 5_000)))


def test_tables_of_adders_and_registers():
    for family, sums, running, alone in (("ice40", [4, 5], [4, 4, 5], 7),
                                         ("ecp5", [6, 8], [6, 6, 6], 0),
                                         ("gowin", [4, 5], [4, 4, 5], 0)):
        assert [blocks.sum_luts(bits, family) for bits in (4, 5)] == sums
        assert [blocks.running_luts(bits, dull, family)
                for bits, dull in ((4, 0), (4, 1), (5, 0))] == running
        assert blocks.lone(7, family) == alone


def test_edges():
    assert blocks.buffer(36, 512, ECP5, 4) == (1, 0)
    assert blocks.buffer(30, 48, ECP5) == (0, 206)
    assert blocks.cells(7, 3_078, ICE40)[0] == 7
    assert blocks.cells(13, 3_078, ICE40)[0] == 14
    assert blocks.cells(7, 7_173, ICE40)[0] == 15

# amaranth: UnusedElaboratable=no
"""Rows in block RAM of 36 bits, in cells of an ECP5 and elsewhere."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from gateware.wide import Wide, blocks, pieces

from .cells import needs_verilator, run
from .traffic import ports, simulate


def bits(rng, width):
    return int.from_bytes(rng.bytes(-(-width // 8)), "little") & (1 << width) - 1


class Rows:
    """What a memory does, in plain Python, with words for it to do at random."""

    def __init__(self, width, rows, rng):
        self.width, self.rows, self.rng = width, list(rows), rng
        self.latch = self.data = None
        self.row, self.writing, self.left = 0, None, 0

    def step(self):
        """Inputs of a cycle; :py:`data` is then what comes of it."""
        rng, depth, chunks = self.rng, len(self.rows), -(-self.width // 32)
        addr = int(rng.integers(depth))
        inputs = {"en": int(rng.integers(2)), "addr": addr, "w_en": 0,
                  "w_addr": int(rng.integers(depth)), "w_data": bits(rng, 32)}
        if rng.integers(2):
            if self.left == 0:
                self.writing, self.row, self.left = bits(rng, self.width), inputs["w_addr"], chunks
            chunk = chunks - self.left
            inputs |= {"w_en": 1 << chunk, "w_addr": self.row,
                       "w_data": self.writing >> 32 * chunk & 0xffff_ffff}
            self.left -= 1
        # A row that is being written is not read; nor is one that is half written.
        if (inputs["w_en"] or self.left) and addr == self.row:
            inputs["en"] = 0
        if inputs["en"]:
            self.data, self.latch = self.latch, self.rows[addr]
        if inputs["w_en"] and self.left == 0:
            self.rows[self.row] = self.writing
        return inputs


@given(seed=st.integers(0, 1 << 30), width=st.integers(1, 700), depth=st.integers(1, 5))
def test_rows_are_what_was_written(seed, width, depth):
    rng = np.random.default_rng(seed)
    init = [bits(rng, width) for _ in range(depth)]
    dut, golden = Wide(width=width, depth=depth, init=init), Rows(width, init, rng)

    async def tb(ctx):
        for _ in range(60):
            for name, value in golden.step().items():
                ctx.set(getattr(dut, name), value)
            await ctx.tick()
            if golden.data is not None:
                assert ctx.get(dut.data) == golden.data

    simulate(dut, tb)


@needs_verilator
def test_cells_of_an_ecp5_are_no_different():
    rng = np.random.default_rng(3)
    sizes = [(1, 5), (35, 512), (300, 13), (61, 513), (36, 1_024), (20, 1_025), (14, 2_048)]
    cycles, traffic, expected, make = 600, [], [], []
    for width, depth in sizes:
        init = [bits(rng, width) for _ in range(depth)]
        golden = Rows(width, init, rng)
        steps, seen = [], [None]
        for _ in range(cycles):
            steps.append(golden.step())
            seen.append(golden.data)
        make.append(lambda width=width, depth=depth, init=init: Wide(width=width, depth=depth,
                                                                     init=init))
        traffic.append(steps)
        expected.append(seen)
    found = run(make, "ecp5", traffic)
    for size, outputs, seen in zip(sizes, found, expected, strict=True):
        for cycle, word in enumerate(seen[:-1]):
            if word is not None:
                assert [each["data"] for each in outputs[cycle]] == [word, word], (size, cycle)


@given(width=st.integers(1, 2_000))
def test_a_row_is_cut_into_as_few_pieces_as_there_can_be(width):
    found = pieces(width)
    assert len(found) == -(-width // 36)
    assert all(1 <= piece.width <= 36 for piece in found)
    seen = [n for piece in found for where in (piece.own, piece.extra)
            for n in range(where.start, where.stop)]
    assert sorted(seen) == list(range(width))
    for piece in found:
        assert {n // 32 for n in range(piece.own.start, piece.own.stop)} == {piece.chunk}
        assert {n // 32 for n in range(piece.extra.start, piece.extra.stop)} <= {piece.kept}
        # The first of the words is written before the others.
        assert piece.kept <= piece.chunk


@pytest.mark.parametrize("width, depth, count", [
    (1, 1, 1), (36, 512, 1), (37, 512, 2), (1_750, 138, 49), (36, 513, 2), (18, 1_024, 1),
    (37, 1_024, 3), (36, 1_025, 4), (9, 2_048, 1)])
def test_how_many_blocks_rows_take(width, depth, count):
    assert blocks(width, depth) == count


def test_ports_are_as_wide_as_they_have_to_be():
    dut = Wide(width=289, depth=9, init=[0] * 9)
    assert ports(dut) == {"en": 1, "addr": 4, "w_en": 10, "w_addr": 4, "w_data": 32, "data": 289}
    assert dut.latency == 2


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="^Rows in wide storage must be at most 2048, not 2049$"):
        Wide(width=1, depth=2_049, init=[0] * 2_049)

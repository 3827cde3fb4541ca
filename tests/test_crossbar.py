# amaranth: UnusedElaboratable=no

import random

import numpy as np
import pytest
from amaranth.hdl import Value
from amaranth.sim import Simulator
from hypothesis import given, strategies as st

import gateware.crossbar
from gateware.adder_tree import stages
from model.crossbar import Crossbar
from model.packing import pack, unpack_fields
from model.sense import Sense
from sim import synthesis, tools, verilated
from sim.verilog import to_rtlil

from . import strategies
from .traffic import ports


def test_count_is_a_dot_product():
    rng = np.random.default_rng(0)
    weights, x = rng.random((5, 32)) < 0.5, rng.random((7, 32)) < 0.5
    bipolar = (2 * x - 1) @ (2 * weights - 1).T
    assert (2 * Crossbar(weights).counts(x) - 32 == bipolar).all()


@given(data=st.data(), bit_lines=st.integers(1, 6), word_lines=st.integers(1, 20))
def test_cells_are_differential_pairs(data, bit_lines, word_lines):
    tile = Crossbar(data.draw(strategies.bits(bit_lines, word_lines)))
    x = data.draw(strategies.bits(3, word_lines))
    first, second = tile.devices
    assert (first ^ second).all()
    # A device is driven on one level of the word line, and the pair on either.
    assert (tile.counts(x) == (x[:, None] & first | ~x[:, None] & second).sum(axis=-1)).all()


@given(data=st.data(), bit_lines=st.integers(1, 6), word_lines=st.integers(1, 5))
def test_rows_and_words_are_programmed_and_read_back(data, bit_lines, word_lines):
    before = tile = Crossbar(data.draw(strategies.bits(bit_lines, word_lines)), sense=2)
    weights = tile.weights.copy()
    for _ in range(3):
        first = data.draw(st.integers(0, bit_lines - 1))
        line = data.draw(st.integers(0, word_lines - 1))
        bits = data.draw(st.integers(1, bit_lines - first).flatmap(strategies.bits))
        tile = tile.program(line, bits, first=first)
        weights[first:first + len(bits), line] = bits
        assert [tile.read(n).tolist() for n in range(word_lines)] == weights.T.tolist()
    assert tile.sense == 2
    tile = tile.program(0, ~weights[:, 0])
    assert (tile.read(0) == ~weights[:, 0]).all()
    tile.read(0)[:] = 0    # is nobody's but the caller's
    assert (tile.read(0) == ~weights[:, 0]).all()
    assert (before.read(0) == before.weights[:, 0]).all() and before is not tile


@pytest.mark.parametrize("act, error, message", [
    (lambda tile: tile.program(3, np.ones(2, dtype=bool)), ValueError,
     "^Word line must be between 0 and 2, not 3$"),
    (lambda tile: tile.read(-1), ValueError, "^Word line must be between 0 and 2, not -1$"),
    (lambda tile: tile.program(0, np.ones(3, dtype=bool)), ValueError,
     "^A row or word must be within 2 bit lines, not 3 from 0 on$"),
    (lambda tile: tile.program(0, np.ones(2, dtype=bool), first=1), ValueError,
     "^A row or word must be within 2 bit lines, not 2 from 1 on$"),
    (lambda tile: tile.program(0, np.ones(1, dtype=bool), first=-1), ValueError,
     "^A row or word must be within 2 bit lines, not 1 from -1 on$"),
    (lambda tile: tile.program(0, np.ones(2)), TypeError,
     "^A row or word must be a vector of bool, not 1-dimensional float64$"),
])
def test_only_what_is_there_is_programmed(act, error, message):
    with pytest.raises(error, match=message):
        act(Crossbar(np.ones((2, 3), dtype=bool)))


@given(data=st.data(), word_lines=st.integers(1, 30), sense=strategies.senses)
def test_bit_lines_are_sensed(data, word_lines, sense):
    tile = Crossbar(data.draw(strategies.bits(4, word_lines)), sense=sense)
    x = data.draw(strategies.bits(3, word_lines))
    assert (tile.sensed(x) == Sense(word_lines, sense)(tile.counts(x))).all()
    with pytest.raises(ValueError, match="^Sense must be exact, sign, or 1 to 8 bits, not 12$"):
        Crossbar(tile.weights, sense=12)


@given(data=st.data(), simd=st.integers(1, 40), pe=st.integers(1, 4), rows=st.integers(1, 5),
       levels=st.integers(0, 3), storage=st.sampled_from(["block", "wide"]), shared=st.booleans())
def test_gateware_matches_model(data, simd, pe, rows, levels, storage, shared):
    weights = data.draw(strategies.bits(rows, pe, simd))
    x = data.draw(strategies.bits(8, simd))
    order = data.draw(st.lists(st.integers(0, rows - 1), min_size=8, max_size=8))
    moves = data.draw(st.lists(st.booleans(), min_size=40, max_size=40)) + [True] * 20
    cells = data.draw(strategies.bits(8, 1, simd))   # of the bit line that is nobody's
    dut = gateware.crossbar.Crossbar(simd=simd, pe=pe, rows=rows, init=pack(weights, simd * pe),
                                     levels=levels, storage=storage, shared=shared)
    assert dut.latency == (2 if storage == "wide" else 1) + stages(simd, levels)
    seen = []

    async def tb(ctx):
        sent = 0
        for moving in moves:
            ctx.set(dut.en, moving)
            # What is on the inputs while the pipeline stands still must not matter.
            index = min(sent, 7)
            ctx.set(dut.row, order[index] if moving else rows - 1 - order[index])
            ctx.set(dut.x, pack(x[index] if moving else ~x[index], simd)[0])
            if shared:
                ctx.set(dut.shared, pack(cells[index] if moving else ~cells[index], simd)[0])
            _, _, counts, one = await ctx.tick().sample(Value.cast(dut.o),
                                                        dut.o_shared if shared else dut.en)
            if moving:
                if sent >= dut.latency and len(seen) < 8:
                    seen.append(unpack_fields([counts], simd.bit_length(), pe).tolist())
                    seen[-1] += [one] if shared else []
                sent += 1

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(tb)
    sim.run()
    expected = [Crossbar(weights[row]).counts(bits).tolist()
                + ([Crossbar(line).counts(bits).item()] if shared else [])
                for row, bits, line in zip(order, x, cells, strict=True)]
    assert seen == expected


@pytest.mark.parametrize("simd, pe, rows", [(1, 1, 1), (7, 2, 4), (8, 3, 5)])
def test_members_are_as_wide_as_they_have_to_be(simd, pe, rows):
    dut = gateware.crossbar.Crossbar(simd=simd, pe=pe, rows=rows)
    assert ports(dut) == {
        "en": 1, "row": (rows - 1).bit_length(), "x": simd, "o": pe * simd.bit_length(),
        "bus_w_en": 1, "bus_w_data": 32, "bus_r_en": 1, "bus_r_data": 32, "bus_r_valid": 1,
        "bus_addr": (rows - 1).bit_length()}
    wide = ports(gateware.crossbar.Crossbar(simd=simd, pe=pe, rows=rows, shared=True))
    assert (wide["shared"], wide["o_shared"]) == (simd, simd.bit_length())
    assert dut.latency == 2
    assert [gateware.crossbar.Crossbar(simd=31, pe=1, rows=1, levels=levels).latency
            for levels in range(1, 5)] == [5, 3, 3, 2]


def test_host_reads_and_writes_the_weights():
    dut = gateware.crossbar.Crossbar(simd=5, pe=2, rows=3, init=[1, 2, 3])

    async def tb(ctx):
        ctx.set(dut.bus.addr, 1)
        ctx.set(dut.bus.w_data, 0b11111_00000)
        ctx.set(dut.bus.w_en, 1)
        await ctx.tick()
        ctx.set(dut.bus.w_en, 0)
        seen = []
        for address in range(3):
            ctx.set(dut.bus.addr, address)
            ctx.set(dut.bus.r_en, 1)
            await ctx.tick()
            assert ctx.get(dut.bus.r_valid)
            seen.append(ctx.get(dut.bus.r_data))
        assert seen == [1, 0b11111_00000, 3]

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(tb)
    sim.run()


@pytest.mark.parametrize("weights, error, message", [
    (np.ones((2, 2)), TypeError, "^Weights must be a matrix of bool, not 2-dimensional float64$"),
    (np.ones(2, dtype=bool), TypeError, "^Weights must be a matrix of bool, not 1-dimensional "),
    (np.ones((0, 2), dtype=bool), ValueError, r"^Weights must not be empty, not \(0, 2\)$"),
])
def test_weights_must_be_a_matrix_of_bits(weights, error, message):
    with pytest.raises(error, match=message):
        Crossbar(weights)


def test_word_lines_must_fit():
    with pytest.raises(ValueError, match="^Word lines must carry 3 bits, not bool of shape "):
        Crossbar(np.ones((2, 3), dtype=bool)).counts(np.ones(4, dtype=bool))


@pytest.mark.skipif(tools.find("yosys") is None, reason="Yosys: pip install 'ohmbit[verilog]'")
@pytest.mark.slow
@pytest.mark.parametrize("family, most", [("ice40", 1.0), ("ecp5", 1.4)])
def test_constant_weights_share_what_they_have_in_common(family, most):
    """Look-up tables for each weight; a neuron that is alone takes more than twice as many."""
    def tables(pe):
        rows = [random.Random(1).getrandbits(63 * pe)]
        dut = gateware.crossbar.Crossbar(simd=63, pe=pe, rows=1, init=rows, storage="logic")
        cells = synthesis.synthesize(to_rtlil(dut, "top", family=family), family,
                                     cache=verilated.cache_folder() / "netlists").cells
        found = cells.get("LUT4", 0) + 2 * cells.get("CCU2C", 0) + cells.get("SB_LUT4", 0)
        return found / (63 * pe)

    assert tables(32) < most < tables(1) / 1.8

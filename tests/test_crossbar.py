# amaranth: UnusedElaboratable=no

import numpy as np
import pytest
from amaranth.hdl import Value
from amaranth.sim import Simulator
from hypothesis import given, strategies as st

import gateware.crossbar
from model.crossbar import Crossbar
from model.packing import pack, unpack_fields

from . import strategies


def test_count_is_a_dot_product():
    rng = np.random.default_rng(0)
    weights, x = rng.random((5, 32)) < 0.5, rng.random((7, 32)) < 0.5
    bipolar = (2 * x - 1) @ (2 * weights - 1).T
    assert (2 * Crossbar(weights).counts(x) - 32 == bipolar).all()


@given(data=st.data(), simd=st.integers(1, 40), pe=st.integers(1, 4), rows=st.integers(1, 5))
def test_gateware_matches_model(data, simd, pe, rows):
    weights = data.draw(strategies.bits(rows, pe, simd))
    x = data.draw(strategies.bits(8, simd))
    order = data.draw(st.lists(st.integers(0, rows - 1), min_size=8, max_size=8))
    moves = data.draw(st.lists(st.booleans(), min_size=40, max_size=40)) + [True] * 20
    dut = gateware.crossbar.Crossbar(simd=simd, pe=pe, rows=rows, init=pack(weights, simd * pe))
    seen = []

    async def tb(ctx):
        sent = 0
        for moving in moves:
            ctx.set(dut.en, moving)
            # What is on the inputs while the pipeline stands still must not matter.
            index = min(sent, 7)
            ctx.set(dut.row, order[index] if moving else rows - 1 - order[index])
            ctx.set(dut.x, pack(x[index] if moving else ~x[index], simd)[0])
            _, _, counts = await ctx.tick().sample(Value.cast(dut.o))
            if moving:
                if sent >= dut.latency and len(seen) < 8:
                    seen.append(unpack_fields([counts], simd.bit_length(), pe).tolist())
                sent += 1

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(tb)
    sim.run()
    expected = [Crossbar(weights[row]).counts(bits).tolist()
                for row, bits in zip(order, x, strict=True)]
    assert seen == expected


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

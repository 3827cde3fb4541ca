# amaranth: UnusedElaboratable=no

from dataclasses import replace

import numpy as np
import pytest
from amaranth.hdl import Module, ResetInserter, Signal
from hypothesis import given, strategies as st

import gateware.draws
from gateware.draws import REGION
from model import draws
from model.draws import Draws
from model.lfsr import Lfsr

from .traffic import ports, read, simulate, write


@given(width=st.integers(3, 64), data=st.data(), counts=st.lists(st.integers(0, 300), max_size=20))
def test_bytes_are_those_of_one_state_after_another(width, data, counts):
    lfsr = Lfsr(width, seed=data.draw(st.integers(1, 2 ** width - 1)))
    drawn, state = Draws(lfsr), lfsr.seed
    for count in counts:
        expected = []
        for _ in range(count):
            expected.append(state & 255)
            state = lfsr.after(1, state)
        assert drawn.take(count).tolist() == expected
        assert drawn.state == state


def test_it_goes_on_where_a_block_ends(monkeypatch):
    monkeypatch.setattr(draws, "FIRST", 20)
    monkeypatch.setattr(draws, "BLOCK", 50)
    lfsr = Lfsr(16, seed=9)
    found, drawn = Draws(lfsr), []
    for count in (49, 1, 1, 50, 7, 50, 0, 43, 6, 51, 130, 1):
        drawn += found.take(count).tolist()
    assert drawn == lfsr.run(389).astype(np.uint8).tolist()
    assert found.state == lfsr.after(389)


def test_a_state_that_was_kept_goes_on():
    first, second = Draws(Lfsr(32, seed=5)), Draws(Lfsr(32))
    first.take(1_000)
    second.state = first.state
    assert (second.take(500) == first.take(500)).all()


@given(width=st.integers(8, 32), count=st.integers(1, 9), data=st.data(),
       takes=st.lists(st.sampled_from(["all", "few", "none", "write", "zero"]), max_size=12))
def test_gateware_matches_model(width, count, data, takes):
    fewer = data.draw(st.one_of(st.none(), st.integers(0, count)))
    lfsr = Lfsr(width, seed=data.draw(st.integers(1, 2 ** width - 1)))
    other = data.draw(st.integers(1, 2 ** width - 1))
    dut, twin = gateware.draws.Draws(lfsr, count=count, fewer=fewer), Draws(lfsr)

    async def tb(ctx):
        for take in takes:
            kept = twin.state
            assert list(ctx.get(dut.o)) == twin.take(count).tolist()
            twin.state = kept
            if take in ("write", "zero"):
                await write(ctx, dut.bus, 0, other if take == "write" else 0)
                twin.state = other if take == "write" else kept
                continue
            few = take == "few" and fewer is not None
            if fewer is not None:
                ctx.set(dut.few, few)
            ctx.set(dut.en, take != "none")
            await ctx.tick()
            ctx.set(dut.en, 0)
            twin.take({True: fewer or 0, False: count}[few] if take != "none" else 0)
            assert await read(ctx, dut.bus, 0) == twin.state

    simulate(dut, tb)


def test_it_has_the_members_that_it_needs():
    assert ports(gateware.draws.Draws(Lfsr(9), count=3)) == {
        "o": 24, "en": 1, "bus_addr": 0, "bus_w_en": 1, "bus_w_data": 32, "bus_r_en": 1,
        "bus_r_data": 32, "bus_r_valid": 1}
    assert ports(gateware.draws.Draws(Lfsr(9), count=3, fewer=2))["few"] == 1
    assert (REGION.width, REGION.depth) == (32, 1)


def test_a_reset_does_not_draw_again_what_was_drawn():
    m, reset = Module(), Signal()
    dut, twin = gateware.draws.Draws(Lfsr(9), count=3), Draws(Lfsr(9))
    m.submodules.dut = ResetInserter(reset)(dut)

    async def tb(ctx):
        for value in 0, 1, 0:
            ctx.set(reset, value)
            ctx.set(dut.en, not value)
            assert list(ctx.get(dut.o)) == Draws(replace(Lfsr(9), seed=twin.state)).take(3).tolist()
            twin.take(0 if value else 3)
            await ctx.tick()

    simulate(m, tb)


@pytest.mark.parametrize("width, given_, message", [
    (7, {"count": 1}, "Width of the LFSR must be between 8 and 32, not 7"),
    (33, {"count": 1}, "Width of the LFSR must be between 8 and 32, not 33"),
    (9, {"count": 0}, "Bytes must be at least 1, not 0"),
    (9, {"count": 2, "fewer": 3}, "Fewer bytes must be between 0 and 2, not 3"),
    (9, {"count": 2, "fewer": -1}, "Fewer bytes must be between 0 and 2, not -1")])
def test_bad_draws(width, given_, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        gateware.draws.Draws(Lfsr(width), **given_)


@pytest.mark.parametrize("state", [0, -1, 512])
def test_states_that_an_lfsr_is_never_in(state):
    found = Draws(Lfsr(9))
    with pytest.raises(ValueError, match=f"^State must be between 1 and 511, not {state}$"):
        found.state = state
    assert found.state == 1

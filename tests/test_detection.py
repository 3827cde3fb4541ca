# amaranth: UnusedElaboratable=no

import numpy as np
import pytest
from amaranth.hdl import ClockDomain, Module, Signal
from hypothesis import given, strategies as st

from gateware.detection import Detection, word
from model.compend import Compend

from .traffic import ports, read, registers, simulate, write


@given(speculative=st.booleans(), data=st.data(), writes=st.lists(
    st.one_of(st.integers(0, 12), st.integers(0, 2 ** 32 - 1)), max_size=12))
def test_it_holds_what_there_is_hardware_for(speculative, data, writes):
    most = 9 if speculative else 1
    held = data.draw(st.integers(0, most))
    dut = Detection(speculative=speculative, init=held)

    async def tb(ctx):
        now = held
        for value in writes:
            await write(ctx, dut.bus, 0, value)
            now = value if value <= most else now
            assert await read(ctx, dut.bus, 0) == now
            assert (ctx.get(dut.detect), ctx.get(dut.factor)) == (now & 1, now >> 1)

    simulate(dut, tb)


def test_neurons_may_end_early_unless_told_otherwise():
    dut = Detection(speculative=True)
    assert ports(dut) == {"detect": 1, "factor": 3, "bus_addr": 0, "bus_w_en": 1, "bus_w_data": 32,
                          "bus_r_en": 1, "bus_r_data": 32, "bus_r_valid": 1}
    found = registers(Detection(speculative=True))
    assert (found["detect"], found["factor"]) == ((1, 1), (3, 0))


def test_reset_leaves_it():
    dut, rst = Detection(speculative=True, init=7), Signal()
    m = Module()
    m.domains.sync = domain = ClockDomain()
    m.submodules.dut = dut
    m.d.comb += domain.rst.eq(rst)

    async def tb(ctx):
        await write(ctx, dut.bus, 0, 5)
        ctx.set(rst, 1)
        await ctx.tick()
        ctx.set(rst, 0)
        assert (ctx.get(dut.detect), ctx.get(dut.factor)) == (1, 2)

    simulate(m, tb)


@pytest.mark.parametrize("speculative, init", [(True, 10), (False, 2), (True, -1), (False, -1)])
def test_what_it_cannot_hold(speculative, init):
    most = 9 if speculative else 1
    with pytest.raises(ValueError, match=f"^Detection at power-up must be between 0 and {most}, "
                                         f"not {init}$"):
        Detection(speculative=speculative, init=init)


@pytest.mark.parametrize("detection, factor, value", [
    ("none", 3, 0), ("exact", 3, 1), ("speculative", 1, 3), ("speculative", 4, 9)])
def test_words_of_layers(detection, factor, value):
    layer = Compend(np.ones((1, 1), int), np.zeros(1, int), detection=detection, factor=factor)
    assert word(layer) == value

# amaranth: UnusedElaboratable=no
"""Rows in SPRAM, in cells of an iCE40 and elsewhere."""

from unittest import mock

import gateware.spram
import numpy as np
import pytest
from amaranth.hdl import Fragment, Instance, Module, Value
from hypothesis import given, strategies as st

from gateware.family import Target
from gateware.spram import Spram, blocks

from .cells import needs_verilator, run
from .traffic import ports, simulate


def step(rng, width, depth, golden):
    """Inputs of a cycle, and what is there after it: rows, and what was read or None."""
    rows, data = golden
    chunks = -(-width // 32)
    addr, chunk = int(rng.integers(depth)), int(rng.integers(chunks))
    word = int(rng.integers(1 << 32))
    do = rng.choice(["read", "write", "nothing", "both"])
    inputs = {"en": do in ("read", "both"), "addr": addr, "w_data": word,
              "w_en": 1 << chunk if do in ("write", "both") else 0}
    if inputs["w_en"]:
        mask = 0xffff_ffff << 32 * chunk
        rows[addr] = (rows[addr] & ~mask | word << 32 * chunk) & (1 << width) - 1
        data = None
    elif inputs["en"]:
        data = rows[addr]
    return inputs, (rows, data)


def fill(width, rows):
    """Inputs that write all rows."""
    return [{"en": 0, "addr": addr, "w_en": 1 << chunk, "w_data": row >> 32 * chunk & 0xffff_ffff}
            for addr, row in enumerate(rows) for chunk in range(-(-width // 32))]


@given(seed=st.integers(0, 1 << 30), width=st.integers(1, 64), depth=st.integers(1, 9))
def test_rows_are_what_was_written(seed, width, depth):
    rng = np.random.default_rng(seed)
    dut = Spram(width=width, depth=depth)

    async def tb(ctx):
        golden = [0] * depth, None
        for _ in range(40):
            inputs, golden = step(rng, width, depth, golden)
            for name, value in inputs.items():
                ctx.set(getattr(dut, name), value)
            await ctx.tick()
            if golden[1] is not None:
                assert ctx.get(dut.data) == golden[1]

    simulate(dut, tb)


@needs_verilator
def test_cells_of_an_ice40_are_no_different():
    rng = np.random.default_rng(3)
    sizes = [(1, 5), (16, 1), (17, 300), (40, 16_384), (64, 3_675)]
    traffic, expected = [], []
    for width, depth in sizes:
        few = min(depth, 100)
        rows = [int.from_bytes(rng.bytes(8), "little") & (1 << width) - 1 for _ in range(few)]
        steps, golden = fill(width, rows), (rows, None)
        # The last rows are as good as the first.
        shift = depth - few
        seen = [None] * len(steps)
        while len(steps) < 1_200:
            inputs, golden = step(rng, width, few, golden)
            steps.append(inputs)
            seen.append(golden[1])
        traffic.append([each | {"addr": each["addr"] + shift} for each in steps])
        expected.append(seen)
    found = run([lambda size=size: Spram(width=size[0], depth=size[1]) for size in sizes], "ice40",
                traffic)
    for size, outputs, seen in zip(sizes, found, expected, strict=True):
        assert sum(word is not None for word in seen) > 200
        # What is there in a cycle is what the one before it left.
        for cycle, word in enumerate(seen[:-1]):
            if word is not None:
                assert [each["data"] for each in outputs[cycle + 1]] == [word, word], (size, cycle)


def test_how_many_blocks_rows_take():
    assert [blocks(width) for width in (1, 16, 17, 32, 48, 64)] == [1, 1, 2, 2, 3, 4]


def test_ports_are_as_wide_as_they_have_to_be():
    assert ports(Spram(width=33, depth=9)) == {
        "en": 1, "addr": 4, "w_en": 2, "w_data": 32, "data": 33}


def test_ports_of_a_block_are_as_wide_as_those_of_the_cell():
    m = Module()
    m.submodules.dut = Spram(width=21, depth=9)
    with mock.patch.object(gateware.spram, "Instance", wraps=Instance) as made:
        Fragment.get(m, Target("ice40"))
    assert len(made.call_args_list) == 2
    for call in made.call_args_list:
        found = {name[2:]: len(Value.cast(port)) for name, port in call.kwargs.items()}
        assert found == {"CLOCK": 1, "ADDRESS": 14, "CHIPSELECT": 1, "WREN": 1, "MASKWREN": 4,
                         "DATAIN": 16, "STANDBY": 1, "SLEEP": 1, "POWEROFF": 1, "DATAOUT": 16}


@pytest.mark.parametrize("width, depth, message", [
    (65, 1, "^Rows in SPRAM must be at most 64 bits, which 4 blocks read in a cycle, not 65$"),
    (64, 16_385, "^Rows in SPRAM must be at most 16384, not 16385$"),
])
def test_what_does_not_fit_is_refused(width, depth, message):
    with pytest.raises(ValueError, match=message):
        Spram(width=width, depth=depth)

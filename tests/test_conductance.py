# amaranth: UnusedElaboratable=no

import numpy as np
import pytest
from hypothesis import given, strategies as st

from gateware.conductance import Conductance
from model.packing import pack_fields

from .traffic import fill, held, idle_bits, memories, ports, read, simulate, write


def fields(counters, bits):
    return pack_fields(np.asarray(counters) & (1 << bits) - 1, bits, np.shape(counters)[-1])


@given(count=st.integers(1, 9), bits=st.integers(3, 12), depth=st.integers(1, 5),
       storage=st.sampled_from(["block", "spram"]), data=st.data())
def test_counters_move_by_one_and_no_further_than_their_ends(count, bits, depth, storage, data):
    """In blocks a word is asked for while another is written; in SPRAM it waits for that."""
    if storage == "spram":
        count = min(count, 64 // bits)
    top, rng = 2 ** (bits - 1) - 1, np.random.default_rng(data.draw(st.integers(0, 999)))
    counters = rng.choice([-top, 1 - top, -1, 0, top - 1, top], (depth, count))
    order = data.draw(st.lists(st.tuples(st.integers(0, depth - 1), st.sampled_from([0, 1, 1])),
                               max_size=30))
    # What the host writes; at power-up there is something else, and nothing at all in SPRAM.
    init = {} if storage == "spram" else {"init": fields(counters[::-1], bits)}
    dut = Conductance(count=count, bits=bits, depth=depth, storage=storage, **init)

    async def tb(ctx):
        if init:
            assert await held(ctx, dut.bus, dut.region) == init["init"]
        await fill(ctx, dut.bus, dut.region, fields(counters, bits))
        now, shown, pulses = counters.copy(), None, False
        for addr, follows in [*order, (0, 0)]:
            if shown is not None:
                assert list(ctx.get(dut.data)) == now[shown].tolist()
                if pulses := bool(rng.random() < 0.8):
                    steps = rng.integers(-1, 2, count)
                    ctx.set(dut.pulse, 1)
                    ctx.set(dut.up, int(fields(steps[None] > 0, 1)[0]))
                    ctx.set(dut.down, int(fields(steps[None] < 0, 1)[0]))
                    now[shown] = (now[shown] + steps).clip(-top, top)
            clashes = pulses and (storage == "spram" or addr == shown)
            for wait in [1] * clashes + [0] * (not follows) + [2]:
                # Nothing is asked for where it must not be, and now and then for no reason.
                ctx.set(dut.en, wait == 2)
                ctx.set(dut.addr, addr if wait == 2 else int(rng.integers(depth)))
                await ctx.tick()
                ctx.set(dut.pulse, 0)
                ctx.set(dut.up, int(rng.integers(1 << count)))
            pulses, shown = False, addr
        ctx.set(dut.en, 0)
        assert await held(ctx, dut.bus, dut.region) == fields(now, bits)

    simulate(dut, tb)


@pytest.mark.parametrize("bits", [3, 4, 8, 12])
@pytest.mark.parametrize("storage", ["block", "spram"])
def test_what_only_a_host_can_bring_does_not_wrap(bits, storage):
    dut = Conductance(count=2, bits=bits, depth=1, storage=storage)
    low = -2 ** (bits - 1)

    async def tb(ctx):
        await fill(ctx, dut.bus, dut.region, fields([[low, low]], bits))
        ctx.set(dut.en, 1)
        await ctx.tick()
        ctx.set(dut.en, 0)
        ctx.set(dut.pulse, 1)
        ctx.set(dut.up, 1)
        ctx.set(dut.down, 2)
        await ctx.tick()
        ctx.set(dut.pulse, 0)
        assert await held(ctx, dut.bus, dut.region) == fields([[low + 1, low]], bits)

    simulate(dut, tb)


def test_a_word_stays_while_none_is_asked_for():
    dut = Conductance(count=2, bits=4, depth=3, init=fields([[1, -2], [3, 4], [-5, 6]], 4))

    async def tb(ctx):
        ctx.set(dut.en, 1)
        ctx.set(dut.addr, 1)
        await ctx.tick()
        ctx.set(dut.en, 0)
        for addr in (0, 2, 1):
            ctx.set(dut.addr, addr)
            assert list(ctx.get(dut.data)) == [3, 4]
            await ctx.tick()

    simulate(dut, tb)


def test_nothing_is_wider_than_it_has_to_be(tmp_path):
    dut = Conductance(count=5, bits=8, depth=5)
    assert ports(dut) == {
        "en": 1, "addr": 3, "data": 40, "pulse": 1, "up": 5, "down": 5, "bus_addr": 4,
        "bus_w_en": 1, "bus_w_data": 32, "bus_r_en": 1, "bus_r_data": 32, "bus_r_valid": 1}
    assert memories(dut) == {"cells_0": (32, 5), "cells_1": (8, 5)}
    assert ports(Conductance(count=5, bits=8, depth=8))["addr"] == 3

    async def tb(ctx):
        assert await held(ctx, dut.bus, dut.region) == [0] * 5
        for n in range(5):
            for pulses in range(260):
                ctx.set(dut.en, 1)
                ctx.set(dut.addr, n)
                await ctx.tick()
                ctx.set(dut.en, 0)
                ctx.set(dut.pulse, 1)
                ctx.set(dut.up, 31 * (pulses % 259 < 130))
                ctx.set(dut.down, 31 * (pulses % 259 >= 130))
                await ctx.tick()
                ctx.set(dut.pulse, 0)
        for chunk, word in ((0, 0xffff_ffff), (1, 255), (0, 0), (1, 0)):
            await write(ctx, dut.bus, chunk, word)
            assert await read(ctx, dut.bus, chunk) == word
        await held(ctx, dut.bus, dut.region)

    simulate(dut, tb, vcd=tmp_path / "vcd")
    assert not idle_bits(tmp_path / "vcd")


GOOD = {"count": 2, "bits": 8, "depth": 3}


@pytest.mark.parametrize("name, said, least", [
    ("count", "Counters", 1), ("bits", "Bits", 3), ("depth", "Depth", 1)])
def test_bad_sizes(name, said, least):
    with pytest.raises(ValueError, match=f"^{said} must be at least {least}, not {least - 1}$"):
        Conductance(**GOOD | {name: least - 1})
    with pytest.raises(TypeError, match=f"^{said} must be an integer, not 1.5$"):
        Conductance(**GOOD | {name: 1.5})


@pytest.mark.parametrize("given_, message", [
    ({"storage": "wide"}, "Storage must be one of block, spram, not 'wide'"),
    ({"init": [0]}, "Initial contents must be 3 words, not 1"),
    ({"storage": "spram", "init": [0] * 3}, "Storage in SPRAM must have no initial contents, since "
     "the cells wake up with any: a host writes them"),
    ({"storage": "spram", "count": 9}, "Rows in SPRAM must be at most 64 bits, which 4 blocks read "
     "in a cycle, not 72")])
def test_bad_memories(given_, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        Conductance(**GOOD | given_)

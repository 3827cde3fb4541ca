# amaranth: UnusedElaboratable=no

import pytest
from hypothesis import given, strategies as st

import gateware.convergence
from gateware.convergence import BEFORE, LEVEL, REGION, words
from model.convergence import Control, Convergence, rates

from .traffic import fill, memories, ports, read, registers, simulate, write


@pytest.mark.parametrize("decay, found", [
    (1.2, (256, 213, 178, 148)), (1.5, (256, 171, 114, 76)), (1.8, (256, 142, 79, 44)),
    (2, (256, 128, 64, 32)), (4, (256, 64, 16, 4)), (64, (256, 4, 1, 1))])
def test_rates_become_less_by_a_factor(decay, found):
    assert rates(decay) == found
    assert rates(decay, 2) == found[:2]


def test_levels_end_with_a_sample():
    control = Control(Convergence((256, 128, 5), until=(3, 4)))
    found = []
    for _ in range(7):
        found.append(control.rate)
        control.after(False)
    assert found == [256, 256, 256, 128, 5, 5, 5] and control.samples == 7


@given(samples=st.integers(0, 10_000), parts=st.lists(st.floats(0, 1), max_size=7))
def test_schedules_are_parts_of_all_samples(samples, parts):
    found = Convergence.scheduled(2, samples, tuple(sorted(parts)))
    assert found.rates == rates(2, len(parts) + 1)
    ends = [round(part * samples) for part in sorted(parts)]
    # Where parts are near one another, or none at all, levels last a sample at least.
    for n, (end, part) in enumerate(zip(found.until, ends, strict=True)):
        assert end == max(part, 1 + (found.until[n - 1] if n else 0))


def test_the_published_schedule():
    assert Convergence.scheduled(4, 1_000) == Convergence((256, 64, 16, 4), (340, 670, 900))


def test_levels_end_when_errors_become_no_fewer():
    control = Control(Convergence((256, 64, 16), window=4))
    windows = [(3, 0), (2, 0), (2, 1), (1, 1), (4, 2), (4, 2), (0, 2)]
    for errors, level in windows:
        for n in range(4):
            control.after(n < errors)
        assert (control.level, control.before) == (level, errors)
    assert (control.counted, control.errors, control.samples) == (0, 0, 28)
    for error in True, False, True:
        control.after(error)
    assert (control.counted, control.errors) == (3, 2)


@pytest.mark.parametrize("given_, message", [
    ({"rates": ()}, "Number of rates must be between 1 and 8, not 0"),
    ({"rates": (1,) * 9, "window": 1}, "Number of rates must be between 1 and 8, not 9"),
    ({"rates": (257,)}, "Rates must be between 1 and 256, not 257"),
    ({"rates": (0,)}, "Rates must be between 1 and 256, not 0"),
    ({"rates": (2, 1)}, "Ends of levels must be 1 for 2 rates, not 0"),
    ({"rates": (2, 1), "until": (0,)}, "Ends of levels must be between 1 and 4294967295, not 0"),
    ({"rates": (3, 2, 1), "until": (5, 5)}, "Ends of levels must ascend, not 5, 5"),
    ({"rates": (2, 1), "until": (5,), "window": 3},
     "Levels must end by a schedule or by themselves, not by both"),
    ({"window": 0}, "Window must be between 1 and 4294967295, not 0")])
def test_bad_convergences(given_, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        Convergence(**given_)


@pytest.mark.parametrize("decay, levels, message", [
    (1, 4, "Decay must be above 1, and at most 256, not 1"),
    (257, 4, "Decay must be above 1, and at most 256, not 257"),
    (2, 9, "Levels must be between 1 and 8, not 9"),
    (2, 0, "Levels must be between 1 and 8, not 0")])
def test_bad_rates(decay, levels, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        rates(decay, levels)


convergences = st.lists(st.integers(1, 256), min_size=1, max_size=8).flatmap(
    lambda rates: st.one_of(
        st.builds(Convergence, st.just(tuple(rates)), window=st.integers(1, 5)),
        st.lists(st.integers(1, 25), min_size=len(rates) - 1, max_size=len(rates) - 1,
                 unique=True).map(lambda ends: Convergence(tuple(rates), tuple(sorted(ends))))))


@given(spec=convergences, errors=st.lists(st.booleans(), max_size=30), data=st.data())
def test_gateware_matches_model(spec, errors, data):
    """At any sample a host may read all there is, or write what another has come to."""
    control, waits = Control(spec), data.draw(st.lists(st.integers(0, 2), min_size=1, max_size=5))
    switch = data.draw(st.integers(0, 30))
    other = Control(data.draw(convergences))
    for error in data.draw(st.lists(st.booleans(), max_size=9)):
        other.after(error)
    dut = gateware.convergence.Convergence(init=words(control))

    async def all_words(ctx):
        return [await read(ctx, dut.bus, n) for n in range(REGION.depth)]

    async def tb(ctx):
        now = control
        for n, error in enumerate(errors):
            await until_idle(ctx)
            if n == switch:
                now = other
                await fill(ctx, dut.bus, REGION, words(now))
                # It looks its rate up again, and answers as soon as it has.
                assert await read(ctx, dut.bus, LEVEL, cycles=4) == now.level
            assert ctx.get(dut.rate) == now.rate
            for _ in range(waits[n % len(waits)]):
                await ctx.tick()
            await sample(ctx, error)
            now.after(error)
        await until_idle(ctx)
        assert ctx.get(dut.rate) == now.rate
        assert await all_words(ctx) == words(now)

    async def until_idle(ctx):
        for _ in range(12):
            if ctx.get(dut.idle):
                return
            await ctx.tick()
        raise AssertionError("It is never idle")

    async def sample(ctx, error):
        ctx.set(dut.sample, 1)
        ctx.set(dut.error, error)
        await ctx.tick()
        ctx.set(dut.sample, 0)
        ctx.set(dut.error, not error)   # it does not matter any more

    simulate(dut, tb)


@pytest.mark.parametrize("spec, errors, cycles", [
    (Convergence(), [0, 1], [4, 4]), (Convergence((256, 8), (1,)), [0, 1], [6, 4]),
    (Convergence((256, 8), window=2), [0, 0, 1, 0, 0, 1], [6, 7, 6, 9, 6, 8])])
def test_cycles_of_a_sample(spec, errors, cycles):
    """Of two windows with no fewer errors the second ends a level, and of others there is none."""
    dut, found = gateware.convergence.Convergence(init=words(Control(spec))), []

    async def tb(ctx):
        await ctx.tick().repeat(4)
        for error in errors:
            ctx.set(dut.sample, 1)
            ctx.set(dut.error, error)
            count = 0
            while not count or not ctx.get(dut.idle):
                await ctx.tick()
                ctx.set(dut.sample, 0)
                count += 1
            found.append(count)

    simulate(dut, tb)
    assert found == cycles


def test_it_has_its_rate_some_cycles_after_power_up():
    dut = gateware.convergence.Convergence(init=words(Control(Convergence((77,)))))
    assert ports(dut) == {"sample": 1, "error": 1, "idle": 1, "rate": 9, "bus_addr": 5,
                          "bus_w_en": 1, "bus_w_data": 32, "bus_r_en": 1, "bus_r_data": 32,
                          "bus_r_valid": 1}
    assert memories(dut) == {"cells": (32, 32)}
    seen = []

    async def tb(ctx):
        for _ in range(4):
            seen.append((ctx.get(dut.idle), ctx.get(dut.rate)))
            await ctx.tick()

    simulate(dut, tb)
    assert seen == [(0, 0), (0, 0), (0, 0), (1, 77)]


def test_memory_begins_with_rates_and_ends_with_errors():
    control = Control(Convergence((9, 8, 7), (5, 6)), level=1, samples=5)
    found = words(control)
    assert (LEVEL, BEFORE) == (18, 22)
    assert found == [9, 8, 7, *[0] * 5, 5, 6, *[0] * 6, 0, 2, 1, 5, 0, 0, 2 ** 32 - 1, *[0] * 9]
    assert words(Control(Convergence((9, 8), window=4), counted=3, errors=2, before=1))[16:23] \
        == [4, 1, 0, 0, 3, 2, 1]
    with pytest.raises(ValueError, match="^Rows at power-up must be 32, not 31$"):
        gateware.convergence.Convergence(init=found[1:])


@pytest.mark.parametrize("given_, ends", [
    ({"until": (5, 9, 12)}, 12), ({"window": 4}, 10)])
def test_it_goes_on_from_the_level_that_its_memory_holds(given_, ends):
    control = Control(Convergence((256, 200, 90, 30), **given_), level=2, samples=9, counted=3,
                      errors=2, before=1)
    dut = gateware.convergence.Convergence(init=words(control))

    async def tb(ctx):
        await ctx.tick().repeat(4)
        assert ctx.get(dut.rate) == 90
        for _ in range(4):
            ctx.set(dut.sample, 1)
            await ctx.tick()
            ctx.set(dut.sample, 0)
            await ctx.tick().repeat(9)
            control.after(False)
            assert ctx.get(dut.rate) == control.rate == (30 if control.samples >= ends else 90)
        assert [await read(ctx, dut.bus, n) for n in range(REGION.depth)] == words(control)

    simulate(dut, tb)


def test_without_rows_all_is_zero():
    dut = gateware.convergence.Convergence()
    assert registers(dut)["level"] == (3, 0)

    async def tb(ctx):
        await ctx.tick().repeat(4)
        assert ctx.get(dut.idle) and ctx.get(dut.rate) == 0
        assert [await read(ctx, dut.bus, n) for n in range(REGION.depth)] == [0] * 32

    simulate(dut, tb)


def test_an_answer_comes_once_and_only_when_asked():
    dut, seen = gateware.convergence.Convergence(init=[7] * REGION.depth), []

    async def tb(ctx):
        for cycle in range(24):
            ctx.set(dut.sample, cycle == 12)
            ctx.set(dut.bus.r_en, cycle in (8, 13))   # the second time it is at work
            seen.append(ctx.get(dut.bus.r_valid))
            await ctx.tick()

    simulate(dut, tb)
    assert not any(seen[:9]) and seen[9:12] == [1, 0, 0] and sum(seen[12:]) == 1


@pytest.mark.parametrize("apart", range(4))
def test_no_word_that_a_host_writes_is_lost(apart):
    """However far one comes after the one before, whose rate may still be looked up."""
    control = Control(Convergence((200, 100, 50), (3, 9)), level=1)
    dut = gateware.convergence.Convergence()

    async def tb(ctx):
        for address, word in enumerate(words(control)):
            await write(ctx, dut.bus, address, word)
            for _ in range(apart):
                await ctx.tick()
        await ctx.tick().repeat(4)
        assert ctx.get(dut.idle) and ctx.get(dut.rate) == 100
        assert [await read(ctx, dut.bus, n) for n in range(REGION.depth)] == words(control)

    simulate(dut, tb)

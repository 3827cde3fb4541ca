# amaranth: UnusedElaboratable=no

import math

import numpy as np
import pytest
from amaranth.sim import Simulator
from hypothesis import given, strategies as st

import gateware.lfsr
from model.lfsr import TAPS, Lfsr

from .traffic import ports


WIDTHS = range(3, 65)


def step(state, taps):
    """The definition."""
    return state >> 1 ^ (taps if state & 1 else 0)


def walk(lfsr, count):
    """States by the definition, the seed first."""
    found, state = [], lfsr.seed
    for _ in range(count):
        found.append(state)
        state = step(state, lfsr.taps)
    return found


def prime(n):
    """Whether a number below 2^64 is: Miller and Rabin, with bases that suffice up to there."""
    bases = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37)
    if n in bases:
        return True
    if n < 2 or any(n % base == 0 for base in bases):
        return False
    twos = (n - 1 & 1 - n).bit_length() - 1
    for base in bases:
        power = pow(base, n - 1 >> twos, n)
        if power in (1, n - 1):
            continue
        for _ in range(twos - 1):
            power = power * power % n
            if power == n - 1:
                break
        else:
            return False
    return True


def factors(n):
    """Prime factors, each once: Pollard's rho."""
    if n == 1:
        return set()
    if prime(n):
        return {n}
    for offset in range(1, 100):
        slow = fast = 2
        divisor = 1
        while divisor == 1:
            slow = (slow * slow + offset) % n
            fast = (fast * fast + offset) % n
            fast = (fast * fast + offset) % n
            divisor = math.gcd(abs(slow - fast), n)
        if divisor != n:
            return factors(divisor) | factors(n // divisor)
    raise AssertionError(f"no factor of {n} was found")


def test_factors():
    assert factors(2 ** 12 - 1) == {3, 5, 7, 13}
    assert factors(2 ** 61 - 1) == {2 ** 61 - 1}
    assert factors(2 ** 64 - 1) == {3, 5, 17, 257, 641, 65_537, 6_700_417}


@pytest.mark.parametrize("width", range(3, 17))
def test_all_states_but_zero_follow_one_another(width):
    lfsr = Lfsr(width)
    states = walk(lfsr, lfsr.period + 1)
    assert lfsr.period == 2 ** width - 1
    assert sorted(states[:-1]) == list(range(1, 2 ** width))
    assert states[-1] == states[0] == 1
    # So each bit is set in one state more than it is clear.
    assert all(sum(state >> bit & 1 for state in states[:-1]) == 2 ** (width - 1)
               for bit in range(width))


@pytest.mark.parametrize("width", WIDTHS)
def test_taps_are_maximal(width):
    """The order of a step is the period: no power of it by a part of that is the identity."""
    lfsr = Lfsr(width)
    one, taps = lfsr.matrix(0), lfsr.taps
    assert one == tuple(1 << bit for bit in range(width))
    power, squares = one, [lfsr.matrix(1)]
    while len(squares) < width:
        squares.append(multiply(squares[-1], squares[-1]))

    def raised(steps):
        result = one
        for k, square in enumerate(squares):
            if steps >> k & 1:
                result = multiply(square, result)
        return result

    assert lfsr.matrix(1) == tuple(step(1 << bit, taps) for bit in range(width))
    assert raised(lfsr.period) == power
    assert all(raised(lfsr.period // factor) != one for factor in factors(lfsr.period))


def multiply(left, right):
    """Matrices over GF(2), by columns: the right one first."""
    def applied(state):
        result = 0
        for bit, column in enumerate(left):
            result ^= column if state >> bit & 1 else 0
        return result
    return tuple(map(applied, right))


def test_those_that_software_knows():
    assert Lfsr(16).taps == 0xb400
    assert Lfsr(32).taps == 0x8020_0003
    assert TAPS.keys() == set(WIDTHS)


@given(data=st.data(), width=st.integers(3, 64), steps=st.integers(0, 300))
def test_leaps_are_as_many_steps(data, width, steps):
    lfsr = Lfsr(width, seed=data.draw(st.integers(1, 2 ** width - 1)))
    states = walk(lfsr, steps + 1)
    assert lfsr.after(steps) == states[-1]
    assert lfsr.after(steps + lfsr.period) == states[-1]
    assert lfsr.after(steps, state=1) == walk(Lfsr(width), steps + 1)[-1]
    assert lfsr.states(range(steps + 1)).tolist() == states
    assert lfsr.states([[steps, 0], [0, steps]]).tolist() \
        == [[states[-1], lfsr.seed], [lfsr.seed, states[-1]]]


def test_states_far_away():
    lfsr = Lfsr(64, seed=0x0123_4567_89ab_cdef)
    steps = [2 ** 63 + 5, 2 ** 64 - 1, 3]
    assert lfsr.states(steps).tolist() == [lfsr.after(each) for each in steps]
    assert lfsr.states(steps).dtype == np.uint64
    assert lfsr.after(2 ** 64 - 1) == lfsr.seed


@given(data=st.data(), width=st.integers(3, 64), leap=st.integers(1, 70))
def test_hardware_goes_through_the_same_states(data, width, leap):
    spec = Lfsr(width, seed=data.draw(st.integers(1, 2 ** width - 1)))
    moves = data.draw(st.lists(st.sampled_from(["move", "stay", "restart", "both"]), max_size=25))
    dut = gateware.lfsr.Lfsr(spec, step=leap)

    async def tb(ctx):
        at = 0
        for move in moves:
            assert ctx.get(dut.o) == spec.after(at * leap)
            ctx.set(dut.en, move in ("move", "both"))
            ctx.set(dut.restart, move in ("restart", "both"))
            await ctx.tick()
            at = 0 if move in ("restart", "both") else at + (move == "move")
        assert ctx.get(dut.o) == spec.after(at * leap)

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(tb)
    sim.run()


def test_a_whole_period_in_hardware():
    spec, seen = Lfsr(5, seed=9), []
    dut = gateware.lfsr.Lfsr(spec)

    async def tb(ctx):
        ctx.set(dut.en, 1)
        for _ in range(spec.period):
            seen.append(ctx.get(dut.o))
            await ctx.tick()
        assert ctx.get(dut.o) == 9

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(tb)
    sim.run()
    assert sorted(seen) == list(range(1, 32))
    assert seen[:4] == [spec.after(steps) for steps in range(4)]
    assert ports(dut) == {"en": 1, "restart": 1, "o": 5}


@pytest.mark.parametrize("given, error, message", [
    ({"width": 2}, ValueError, "^Width of an LFSR must be between 3 and 64, not 2$"),
    ({"width": 65}, ValueError, "^Width of an LFSR must be between 3 and 64, not 65$"),
    ({"width": "8"}, TypeError, "^Width of an LFSR must be an integer, not '8'$"),
    ({"seed": 0}, ValueError, "^Seed of an LFSR must be between 1 and 255, not 0$"),
    ({"seed": 256}, ValueError, "^Seed of an LFSR must be between 1 and 255, not 256$"),
    ({"seed": 1.0}, TypeError, r"^Seed of an LFSR must be an integer, not 1\.0$"),
    ({"seed": True}, TypeError, "^Seed of an LFSR must be an integer, not True$"),
])
def test_what_it_cannot_be(given, error, message):
    with pytest.raises(error, match=message):
        Lfsr(**{"width": 8} | given)


@pytest.mark.parametrize("leap, error, message", [
    (0, ValueError, "^Step must be at least 1, not 0$"),
    (1.5, TypeError, r"^Step must be an integer, not 1\.5$")])
def test_what_hardware_cannot_be(leap, error, message):
    with pytest.raises(error, match=message):
        gateware.lfsr.Lfsr(Lfsr(8), step=leap)

# amaranth: UnusedElaboratable=no

from fractions import Fraction

import pytest
from amaranth import ClockDomain, Module
from amaranth.sim import Simulator
from hypothesis import given, strategies as st

import gateware.sense
from model.sense import Sense

from . import strategies
from .traffic import ports, registers


def nearest(value):
    """Of two equally near, the greater."""
    return int((value + Fraction(1, 2)) // 1)


@given(rows=st.integers(1, 300), sense=strategies.senses)
def test_counts_become_the_nearest_code_and_the_count_it_stands_for(rows, sense):
    column = Sense(rows, sense)
    counts = range(rows + 1)
    if sense == "exact":
        assert column.exact
        assert column(counts).tolist() == list(counts)
        return
    top = 1 if sense == "sign" else 2 ** sense - 1
    codes = [nearest(Fraction(count * top, rows)) for count in counts]
    assert column.codes(counts).tolist() == codes
    assert column(counts).tolist() == [nearest(Fraction(code * rows, top)) for code in codes]
    assert column.exact == (column(counts).tolist() == list(counts))
    assert (column(0), column(rows)) == (0, rows)


@given(rows=st.integers(1, 300), sense=strategies.senses)
def test_steps_say_the_same(rows, sense):
    column = Sense(rows, sense)
    steps = column.steps
    assert len(steps) == column.top
    for count in range(rows + 1):
        assert column(count) == max([value for least, value in steps if count >= least],
                                    default=0)


@pytest.mark.parametrize("rows, sense, expected", [
    (4, "sign", [0, 0, 4, 4, 4]), (5, "sign", [0, 0, 0, 5, 5, 5]), (1, "sign", [0, 1]),
    (2, 1, [0, 2, 2]),
    # Codes 0 to 3 stand for 0, 2.33, 4.67 and 7.
    (7, 2, [0, 0, 2, 2, 5, 5, 7, 7]),
    # Codes 0 to 3 stand for 0, 1.33, 2.67 and 4; the count of 2 is between two codes.
    (4, 2, [0, 1, 3, 3, 4]),
    # A code stands for 4.5, between two counts.
    (9, 2, [0, 0, 3, 3, 3, 6, 6, 6, 9, 9]), (3, 2, [0, 1, 2, 3]), (3, 8, [0, 1, 2, 3]),
])
def test_small_columns(rows, sense, expected):
    assert Sense(rows, sense)(range(rows + 1)).tolist() == expected


@pytest.mark.parametrize("rows, sense, error, message", [
    (0, "exact", ValueError, "^Rows must be at least 1, not 0$"),
    (1.5, "exact", TypeError, "^Rows must be an integer, not 1.5$"),
    (True, "exact", TypeError, "^Rows must be an integer, not True$"),
    (4, 0, ValueError, "^Sense must be exact, sign, or 1 to 8 bits, not 0$"),
    (4, 9, ValueError, "^Sense must be exact, sign, or 1 to 8 bits, not 9$"),
    (4, "3", ValueError, "^Sense must be exact, sign, or 1 to 8 bits, not '3'$"),
    (4, None, TypeError, "^Sense must be exact, sign, or an integer number of bits, not None$"),
    (4, True, TypeError, "^Sense must be exact, sign, or an integer number of bits, not True$"),
])
def test_what_cannot_be_is_refused(rows, sense, error, message):
    with pytest.raises(error, match=message):
        Sense(rows, sense)


def sensed(dut, steps, samples=None):
    """What is on :py:`o` after each of some steps: whether enabled, first, last, and the count."""
    seen = []

    async def tb(ctx):
        if samples is not None:
            ctx.set(dut.samples, samples)
        for en, first, last, count in steps:
            ctx.set(dut.en, en)
            ctx.set(dut.first, first)
            ctx.set(dut.last, last)
            ctx.set(dut.i, count)
            await ctx.tick()
            seen.append(ctx.get(dut.o))

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(tb)
    sim.run()
    return seen


@given(data=st.data(), simd=st.integers(1, 9), planes=st.integers(1, 3), words=st.integers(1, 4),
       sense=strategies.senses, most=st.sampled_from([None, None, 2, 4]))
def test_gateware_matches_model(data, simd, planes, words, sense, most):
    if most is not None:
        planes = data.draw(st.sampled_from([1, 2, 4][:most.bit_length()]))
    rows = data.draw(st.integers((words - 1) * simd + 1, words * simd))
    edge = data.draw(st.integers(1, rows))
    dut = gateware.sense.Sense(simd=simd, planes=most or planes, words=words, rows=rows, edge=edge,
                               sense=sense, sampled=most is not None)
    steps, expected = [], []
    for tile in range(3):
        driven = edge if tile == 2 else rows
        sums, count = [0] * planes, -(-driven // simd)
        for word in range(count):
            for plane in range(planes):
                # What is there while there is no word must not matter.
                if data.draw(st.booleans()):
                    steps.append((0, *data.draw(st.tuples(*[st.integers(0, 1)] * 2)), 0))
                    expected.append(expected[-1] if expected else None)
                agree = data.draw(st.integers(0, min(simd, driven - word * simd)))
                sums[plane] += agree
                last = word == count - 1
                steps.append((1, word == 0, tile == 2 and last, agree))
                expected.append(int(Sense(driven, sense)(sums[plane])) if last else None)
    for step, (seen, wanted) in enumerate(zip(sensed(dut, steps, most and planes), expected,
                                             strict=True)):
        assert wanted is None or seen == wanted, (step, steps)


@pytest.mark.parametrize("rows, edge, sense", [(7, 7, 2), (12, 5, 3), (12, 2, 2), (8, 3, "sign"),
                                               (12, 12, "exact")])
def test_every_count_of_a_tile(rows, edge, sense):
    dut = gateware.sense.Sense(simd=4, planes=2, words=3, rows=rows, edge=edge, sense=sense)
    for last, driven in ((0, rows), (1, edge)):
        for count in range(driven + 1):
            # Two planes: the other one counts down as this one counts up.
            steps = [(1, word == 0, last and word == 2,
                      min(max(total - 4 * word, 0), 4))
                     for word in range(3) for total in (count, driven - count)]
            seen = sensed(dut, steps)
            assert seen[-2:] == Sense(driven, sense)([count, driven - count]).tolist()
            waiting = sensed(dut, [*steps, (0, 1, 1, 4)])
            assert waiting[-1] == seen[-1]


@pytest.mark.parametrize("words, planes, rows", [(1, 3, 3), (2, 1, 6), (3, 3, 7), (3, 2, 8)])
def test_nothing_is_wider_than_it_has_to_be(words, planes, rows):
    dut = gateware.sense.Sense(simd=3, planes=planes, words=words, rows=rows, edge=rows, sense=2)
    width = rows.bit_length()
    assert ports(dut) == {"en": 1, "first": 1, "last": 1, "i": 2, "o": width}
    assert dut.latency == 1
    # What is sensed goes by two names, and a tile of one word has nothing to hold.
    held = {f"held_{n}" for n in range(planes if words > 1 else 0)}
    assert registers(dut) == dict.fromkeys({"sensed", "o", *held}, (width, 0))


def test_reset_leaves_the_counts():
    """A word of 4, then a reset, then one of 3; of 8 there are four codes for 0, 3, 5 and 8."""
    m = Module()
    m.domains.sync = sync = ClockDomain()
    m.submodules.dut = dut = gateware.sense.Sense(simd=4, planes=1, words=2, rows=8, edge=8,
                                                  sense=2)

    async def tb(ctx):
        ctx.set(dut.en, 1)
        ctx.set(dut.first, 1)
        ctx.set(dut.i, 4)
        await ctx.tick()
        ctx.set(dut.en, 0)
        ctx.set(sync.rst, 1)
        await ctx.tick()
        assert ctx.get(dut.o) == Sense(8, 2)(4) == 5
        ctx.set(sync.rst, 0)
        ctx.set(dut.en, 1)
        ctx.set(dut.first, 0)
        ctx.set(dut.i, 3)
        await ctx.tick()
        assert ctx.get(dut.o) == Sense(8, 2)(7) == 8

    sim = Simulator(m)
    sim.add_clock(1e-6)
    sim.add_testbench(tb)
    sim.run()

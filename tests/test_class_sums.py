# amaranth: UnusedElaboratable=no

import numpy as np
import pytest
from hypothesis import given, strategies as st

from gateware.class_sums import ClassSums

from .traffic import ports, simulate


@given(rows=st.integers(1, 5), classes=st.integers(1, 4), bits=st.integers(2, 9),
       signs=st.booleans(), data=st.data())
def test_rows_are_added_or_taken_away(rows, classes, bits, signs, data):
    few = data.draw(st.integers(1, rows))
    words = data.draw(st.lists(st.tuples(*[st.booleans()] * 3), max_size=20))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    top = 2 ** (bits - 1) - 1
    score_bits = (20 * rows * (1 if signs else top + 1)).bit_length() + 1
    dut = ClassSums(rows=rows, classes=classes, bits=bits, few=few, score_bits=score_bits,
                    signs=signs)

    async def tb(ctx):
        scores = late = np.zeros(classes, dtype=int)
        for en, first, last in [*words, (0, 0, 0)]:
            counters = rng.choice([-top - 1, -top, -1, 0, 1, top], (rows, classes))
            plus = rng.random(rows) < 0.5
            ctx.set(dut.counters, counters.tolist())
            ctx.set(dut.signs, sum(int(sign) << n for n, sign in enumerate(plus)))
            for port, value in (dut.en, en), (dut.first, first), (dut.last, last):
                ctx.set(port, value)
            await ctx.tick()
            # Words are added one cycle later, and scores begin with none.
            begins = en and first
            assert list(ctx.get(dut.scores)) == ([0] * classes if begins else late.tolist())
            if en:
                value = np.where(counters < 0, -1, 1) if signs else counters
                terms = np.where(plus, 1, -1)[:, None] * value
                word = terms[:few if last else rows].sum(axis=0)
                scores = word + (0 if first else scores)
            late = scores

    simulate(dut, tb)


def test_counters_are_numbers_unless_told_otherwise():
    dut = ClassSums(rows=1, classes=1, bits=4, few=1, score_bits=9)

    async def tb(ctx):
        ctx.set(dut.counters, [[-5]])
        for en in 1, 0:
            ctx.set(dut.en, en)
            ctx.set(dut.first, en)
            await ctx.tick()
        assert list(ctx.get(dut.scores)) == [5]   # and taken away, without a sign

    simulate(dut, tb)


def test_what_there_is():
    assert ports(ClassSums(rows=2, classes=3, bits=4, few=1, score_bits=9)) == {
        "counters": 24, "signs": 2, "en": 1, "first": 1, "last": 1, "scores": 27}


GOOD = {"rows": 2, "classes": 3, "bits": 4, "few": 1, "score_bits": 9}


@pytest.mark.parametrize("name, value, message", [
    ("rows", 0, "Rows must be at least 1, not 0"),
    ("classes", 0, "Classes must be at least 1, not 0"),
    ("bits", 1, "Bits must be at least 2, not 1"),
    ("score_bits", 0, "Bits of a score must be at least 1, not 0"),
    ("few", 0, "Rows of a word that has fewer must be between 1 and 2, not 0"),
    ("few", 3, "Rows of a word that has fewer must be between 1 and 2, not 3")])
def test_bad_sums(name, value, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        ClassSums(**GOOD | {name: value})

import numpy as np
from hypothesis import given, strategies as st

from model import draws
from model.draws import Draws
from model.lfsr import Lfsr


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

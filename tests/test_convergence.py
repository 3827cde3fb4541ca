import pytest
from hypothesis import given, strategies as st

from model.convergence import Control, Convergence, rates


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

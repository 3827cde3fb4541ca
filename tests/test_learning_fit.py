from dataclasses import replace

import pytest

from boards import catalog
from gateware import learning_area
from gateware.learning_fit import fit, layouts
from gateware.mapping import Resources
from model.sign_update import SignUpdate


DIGITS, MNIST = SignUpdate(64, 128, 10), SignUpdate(784, 300, 10)
UP5K = catalog.find("icebreaker").resources
ECP5 = catalog.find("ulx3s-85f").resources


def layout(folding):
    return folding.pe, folding.rows, folding.pixels, folding.storage


def test_layouts_that_there_are_to_choose_from():
    spec = SignUpdate(6, 6, 2, bits=8)
    assert [layout(each)[:3] for each in layouts(spec, ECP5)] == [
        (pe, rows, pixels) for pe, divisors in (
            (1, (1,)), (2, (1, 2)), (3, (1, 3)), (6, (1, 2, 3, 6)))
        for rows in divisors for pixels in (1, 2, 4, 8)]
    assert {each.storage for each in layouts(spec, ECP5)} == {"block"}
    assert {each.storage for each in layouts(spec, UP5K)} == {"spram"}
    # Four SPRAMs read 64 bits in a cycle.
    assert max(each.pe for each in layouts(SignUpdate(6, 16, 2, bits=8), UP5K)) == 8
    assert max(each.pe for each in layouts(SignUpdate(6, 16, 2, bits=4), UP5K)) == 16


@pytest.mark.parametrize("spec, resources", [(DIGITS, UP5K), (MNIST, ECP5), (DIGITS, ECP5)])
def test_no_layout_that_fits_is_faster(spec, resources):
    active = 40
    found = fit(spec, resources, active=active)

    def cycles(folding):
        return max(folding.loads, folding.updated(active))

    need = learning_area.estimate(found, resources)
    assert not need.excess(resources) and need.luts <= 6_000
    for other in layouts(spec, resources):
        luts = learning_area.estimate(other, resources)
        if not luts.excess(resources) and luts.luts <= min(6_000, 0.93 * resources.luts):
            assert (cycles(found), need.luts) <= (cycles(other), luts.luts)


def test_the_smallest_layout_within_a_target():
    found = fit(MNIST, ECP5, target=400)
    active = round(0.14 * 784) + 4
    assert max(found.loads, found.updated(active)) <= 400
    need = learning_area.estimate(found, ECP5)
    assert not need.excess(ECP5)
    for other in layouts(MNIST, ECP5):
        luts = learning_area.estimate(other, ECP5)
        if max(other.loads, other.updated(active)) <= 400 and not luts.excess(ECP5):
            assert need.luts <= luts.luts


def test_a_target_that_none_reaches_gives_the_fastest():
    assert layout(fit(DIGITS, UP5K, target=1)) == layout(fit(DIGITS, UP5K))


def test_what_does_not_fit_is_the_smallest_there_is():
    little = Resources(luts=10, memory_blocks=1, memory_block_bits=4_096, memory_block_width=16,
                       family="ice40")
    assert fit(DIGITS, little) == min(layouts(DIGITS, little), key=lambda each:
                                      learning_area.estimate(each, little).luts)


def test_limits_may_be_reached_and_not_passed():
    found = fit(DIGITS, ECP5, active=12)
    need, cycles = learning_area.estimate(found, ECP5), found.updated(12)
    assert fit(DIGITS, ECP5, active=12, effort=need.luts) == found
    assert fit(DIGITS, ECP5, active=12, effort=need.luts - 1) != found
    quick = fit(DIGITS, ECP5, active=12, target=cycles)
    assert quick.updated(12) <= cycles
    assert fit(DIGITS, ECP5, active=12, target=quick.updated(12)) == quick
    assert fit(DIGITS, ECP5, active=12, target=quick.updated(12) - 1) != quick
    # One in fourteen look-up tables is left to place and route.
    for luts, same in ((need.luts / 0.93, True), (need.luts / 0.93 - 1, False)):
        assert (fit(DIGITS, replace(ECP5, luts=luts), active=12) == found) == same
    assert fit(DIGITS, replace(ECP5, memory_blocks=need.memory_blocks - 1), active=12) != found


@pytest.mark.parametrize("given, error, message", [
    ({"active": 0}, ValueError, "Active rows must be at least 1, not 0"),
    ({"active": 1.5}, TypeError, "Active rows must be an integer, not 1.5")])
def test_bad_wishes(given, error, message):
    with pytest.raises(error, match=f"^{message}$"):
        fit(DIGITS, UP5K, **given)


def test_more_neurons_than_spram_has_room_for():
    with pytest.raises(ValueError, match="^Hidden must be as many neurons as SPRAM has room for, "
                                         "not 4096$"):
        fit(SignUpdate(784, 4_096, 10), UP5K)

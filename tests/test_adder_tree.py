import functools

import pytest

from gateware.adder_tree import adder_tree, stages


def places(number):
    """Bits of the word that a number counts."""
    if isinstance(number, int):
        return [number]
    return [place for each in (number.a, number.b, number.carry) if each is not None
            for place in places(each)]


def bits(number):
    return len(places(number)).bit_length()


@pytest.mark.parametrize("width", [*range(1, 70), 127, 128, 255, 256, 300])
def test_all_bits_are_counted_once_as_soon_as_can_be(width):
    tree = adder_tree(width)
    assert len(tree) == width.bit_length() - 1
    if width == 1:
        return
    (top,), made = tree[-1], set()
    assert sorted(places(top)) == list(range(width))
    for level, adders in enumerate(tree, 1):
        for adder in adders:
            assert adder.level == level
            assert bits(adder.a) >= bits(adder.b)
            assert {each for each in (adder.a, adder.b) if not isinstance(each, int)} <= made
        made.update(adders)


@functools.cache
def fewest(width):
    """Cells of the best of all trees that are as deep: one for each bit of a sum."""
    if width == 1:
        return 0
    most = (1 << width.bit_length() - 1) - 1
    return min(fewest(a) + fewest(b) + max(a, b).bit_length() + 1
               for carry in range(2) for a in range(1, width - carry)
               for b in [width - carry - a] if b >= 1 and max(a, b) <= most)


@pytest.mark.parametrize("width", range(1, 140))
def test_no_tree_takes_fewer_cells(width):
    assert sum(bits(adder.a) + 1 for level in adder_tree(width) for adder in level) \
        == fewest(width)


@pytest.mark.parametrize("width, levels, expected", [
    (1, 0, 1), (1, 1, 1), (2, 1, 1), (3, 1, 1), (4, 1, 2), (15, 2, 2), (16, 2, 2), (31, 2, 2),
    (32, 2, 3), (255, 0, 1), (255, 1, 7), (255, 7, 1), (255, 9, 1)])
def test_registers_on_the_way(width, levels, expected):
    assert stages(width, levels) == expected

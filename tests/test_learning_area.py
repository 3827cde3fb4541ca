"""Areas of trainers are estimated as synthesis has them; `bench.area` measures."""

from dataclasses import replace

import pytest

from boards import catalog
from gateware import learning_area
from gateware.area import Estimate
from gateware.learning_folding import LearningFolding
from model.sign_update import SignUpdate


ICE40 = catalog.find("icebreaker").resources
ECP5 = catalog.find("ulx3s-85f").resources
SPEC = SignUpdate(64, 128, 10)


def estimate(resources, spec=SPEC, **layout):
    return learning_area.estimate(LearningFolding(spec, **{"pe": 8} | layout), resources)


def test_memories_are_counted_where_they_are():
    assert estimate(ICE40, storage="spram").spram_blocks == 4
    assert estimate(ICE40).spram_blocks == 0
    assert estimate(ICE40).memory_blocks - estimate(ICE40, storage="spram").memory_blocks \
        == learning_area.conductance(8, 8, 1_088, "block", ICE40)[0] == 20
    assert estimate(ICE40, replace(SPEC, bits=4), storage="spram").spram_blocks == 2


def test_more_at_once_takes_more():
    least = estimate(ECP5)
    for more in ({"rows": 2}, {"pixels": 4}, {"pe": 16}):
        assert estimate(ECP5, **more).luts > least.luts
    assert estimate(ECP5, replace(SPEC, noise=9)).luts > least.luts
    assert estimate(ECP5, replace(SPEC, bits=9)).luts > least.luts
    assert estimate(ECP5, replace(SPEC, forward="sign")).luts < least.luts


def test_choices_and_draws():
    assert [learning_area.choice(8, count) for count in (1, 2, 10)] == [0, 6, 54]
    lfsr = SPEC.lfsrs["bits"]
    # A step ahead takes an exclusive or for each of three taps, which is a look-up table.
    assert learning_area.drawing(lfsr, 1) == 40 + 3
    assert learning_area.drawing(lfsr, 2) > learning_area.drawing(lfsr, 1)


def test_digits():
    assert estimate(ICE40, storage="spram") == Estimate(4_401, 20, 4)
    assert estimate(ECP5) == Estimate(4_785, 15)
    # With a single group, no signs or changes are kept in memories.
    assert estimate(ECP5, pe=128) == Estimate(10_708, 41)
    assert estimate(ECP5, pe=64) == Estimate(7_830, 25)
    assert estimate(ICE40, pixels=2) == Estimate(4_626, 40)
    assert estimate(ICE40, rows=4) == Estimate(7_154, 70)


WIDE = {"pe": 16, "rows": 4, "pixels": 4}


@pytest.mark.parametrize("resources, spec, layout, luts, blocks", [
    (ICE40, SignUpdate(1_020, 64, 10), WIDE, 7_985, 178),
    (ECP5, SignUpdate(1_020, 64, 10), {}, 4_648, 42),
    (ICE40, replace(SPEC, forward="sign"), WIDE, 6_990, 76),
    (ICE40, replace(SPEC, filter=256), {}, 4_593, 40),
    (ECP5, replace(SPEC, noise=9), {}, 4_872, 15),
    (ECP5, replace(SPEC, bits=11), {}, 5_198, 20),
    (ECP5, SignUpdate(64, 128, 16), {}, 5_544, 17),
    (ECP5, SignUpdate(64, 128, 17), {}, 5_534, 20)])
def test_rules_and_layouts(resources, spec, layout, luts, blocks):
    assert estimate(resources, spec, **layout) == Estimate(luts, blocks)

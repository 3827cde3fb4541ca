from dataclasses import replace

import numpy as np
import pytest

from gateware.learning_folding import LearningFolding
from gateware.learning_plan import LearningPlan
from gateware.system import identity
from model.frame import Identity, Layer
from model.sign_update import SignUpdate


SPEC = SignUpdate(9, 8, 3, bits=4, bias=2, margin=30, filter=16)
PLAN = LearningPlan(LearningFolding(SPEC, pe=4, rows=2, pixels=2))


def test_places_of_all_memories():
    assert {name: (region.width, region.depth, region.base)
            for name, region in PLAN.regions.items()} == {
        "first": (16, 24, 0x00), "second": (24, 5, 0x40), "copy": (24, 5, 0x48),
        "convergence": (32, 32, 0x20), "draws_bits": (32, 1, 0x52), "draws_rows": (32, 1, 0x53),
        "draws_pulses": (32, 1, 0x54), "control": (32, 2, 0x50)}
    assert (PLAN.addr_width, PLAN.control_address) == (7, 0x50)
    assert list(PLAN.memories) == [name for name in PLAN.regions if name != "control"]
    assert PLAN.counters == {} and PLAN.plan is PLAN
    noisy = LearningPlan(LearningFolding(replace(SPEC, noise=1), pe=4))
    assert "draws_faults" in noisy.memories


def test_what_a_host_is_told():
    told = identity(PLAN, 12_000_000)
    assert told == Identity(PLAN.hash, 12_000_000, 0x50, inputs=11, bits=8, classes=3,
                            score_bits=PLAN.folding.score_bits, batch=42, learns=True,
                            layers=(Layer(9, 8, 4, 1, 8), Layer(8, 3, 3, 2, 1)))
    assert Identity.unpack(told.pack()) == told
    assert (PLAN.words, PLAN.pixels, PLAN.batch, PLAN.probed) == (6, 2, 1, ())


def test_hash_tells_hardware_apart():
    specs = [SPEC, *(replace(SPEC, **given) for given in (
        {"margin": 31}, {"filter": 32}, {"bits": 5}, {"noise": 1}, {"noise": 2}, {"bias": 1},
        {"forward": "sign"}, {"inputs": 10}, {"hidden": 16}, {"classes": 4}))]
    plans = [LearningPlan(LearningFolding(spec, pe=4)) for spec in specs]
    plans += [LearningPlan(LearningFolding(SPEC, pe=4, **given)) for given in (
        {"rows": 2}, {"pixels": 2}, {"storage": "spram"})]
    plans.append(LearningPlan(LearningFolding(SPEC, pe=8)))
    assert len({plan.hash for plan in plans}) == len(plans)
    # What a host writes is none of it.
    assert LearningPlan(LearningFolding(replace(SPEC, seed=2), pe=4)).hash == plans[0].hash


def test_counters_in_spram_are_not_there_at_power_up():
    spram = LearningPlan(LearningFolding(SPEC, pe=4, storage="spram"))
    assert (spram.in_spram, spram.fills, spram.empty("first")) == (True, False, True)
    assert not spram.empty("second")
    assert (PLAN.in_spram, PLAN.fills, PLAN.empty("first")) == (False, True, False)


def test_labels_come_behind_their_images():
    image = [1, 2, 3, 4, 5, 6, 7, 8, 255, 2]
    sent = PLAN.sent([image])
    assert sent.tolist() == [[*image[:-1], 0, 2]] and sent.dtype == np.uint8
    assert PLAN.rows_of([image]).tolist() == [[1, 2], [3, 4], [5, 6], [7, 8], [255, 0], [2, 0]]
    assert PLAN.rows_of(np.zeros((0, 10), dtype=int)).shape == (0, 2)


@pytest.mark.parametrize("images, error, message", [
    ([[0] * 9], ValueError, "Images must be 9 pixels and a label, not 9 numbers"),
    ([[256] * 10], ValueError, "Pixels must be between 0 and 255, not 256 to 256"),
    ([[0.5] * 10], TypeError, "Pixels must be integers, not float64")])
def test_bad_images(images, error, message):
    with pytest.raises(error, match=f"^{message}$"):
        PLAN.sent(images)


@pytest.mark.parametrize("pixels, loads", [(1, 11), (2, 6), (8, 3)])
def test_cycles_where_images_come_faster_or_more_slowly_than_they_are_learned(pixels, loads):
    plan = LearningPlan(LearningFolding(SPEC, pe=4, pixels=pixels))
    assert plan.folding.loads == loads
    most = plan.folding.most
    assert plan.cycles(0) == 0
    assert plan.cycles(1) == loads + most
    assert plan.cycles(2, 3) == plan.cycles(6) == loads + 6 * most
    assert plan.cycles(6, taken=((most,) * 6,)) == plan.cycles(6)
    assert plan.limit(3) == 2 * plan.cycles(3) + 100
    # With so little to do the line decides; and an image that takes long holds up the second
    # one after it, for which there is no room.
    assert plan.cycles(4, taken=((1, 1, 1, 1),)) == 4 * loads + 1
    assert plan.cycles(4, taken=((1, 99, 1, 1),)) == 2 * loads + 99 + max(1 + 1, loads + 1)


def test_no_image_takes_more_cycles_than_the_most():
    folding = PLAN.folding
    # Nine rows and two of the bias for two groups, forward and back.
    assert folding.most == 2 * 12 + 5 + 3 + 8 + 5 + 3 + 2 * 11 + 2

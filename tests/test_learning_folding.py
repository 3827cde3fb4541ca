import numpy as np
import pytest

from gateware.learning_folding import LearningFolding
from model.packing import unpack_fields
from model.sign_update import Learner, SignUpdate, Step


SPEC = SignUpdate(10, 6, 3, bits=5, bias=3)


def test_how_it_is_laid_out():
    folding = LearningFolding(SPEC, pe=2, rows=2, pixels=4)
    assert (folding.groups, folding.parts, folding.words, folding.few) == (3, 1, 5, 1)
    assert (folding.entering, folding.lines) == (3, 15)
    # 13 rows of up to 15 either way, and 9.
    assert (folding.sum_bits, folding.score_bits) == (9, 9)
    signs = LearningFolding(SignUpdate(10, 6, 3, bias=3, forward="sign"), pe=6, rows=3)
    assert (signs.sum_bits, signs.score_bits, signs.parts, signs.words) == (5, 5, 2, 3)
    first = LearningFolding(SignUpdate(10, 6, 3, bias=3, forward="sign-first"), pe=6)
    assert (first.sum_bits, first.score_bits) == (5, 12)


def test_widths_are_those_of_each_crossbar():
    wide = LearningFolding(SignUpdate(100, 6, 3, bias=3), pe=6)   # 103 rows of up to 127, and 9
    assert (wide.sum_bits, wide.score_bits) == (15, 12)


def test_lfsrs_have_the_state_that_an_image_holds():
    folding = LearningFolding(SPEC, pe=2)
    assert folding.lfsr("rows", {}) == SPEC.lfsrs["rows"]
    found = folding.lfsr("rows", {"draws_rows": [77], "draws_bits": [5]})
    assert (found.seed, found.width) == (77, 32)


def test_memories_hold_what_a_learner_has():
    learner, folding = Learner(SPEC), LearningFolding(SPEC, pe=2, rows=2, pixels=4)
    image, regions = folding.image(learner), folding.regions
    assert list(image) == list(regions) == ["first", "second", "copy", "convergence", "draws_bits",
                                            "draws_rows", "draws_pulses"]
    for name, rows in image.items():
        assert len(rows) == regions[name].depth
        assert max(rows) < 1 << regions[name].width
    assert (regions["first"].width, regions["second"].width) == (10, 30)

    def counters(name, count):
        fields = unpack_fields(image[name], 5, count).astype(int)
        return np.where(fields > 15, fields - 32, fields)

    # Twelve rows of pixels, two of which there are not, and the bias; one group after another.
    first = counters("first", 2).reshape(3, 15, 2).swapaxes(0, 1).reshape(15, 6)
    assert (first[:10] == learner.first[:10]).all() and (first[12:] == learner.first[10:]).all()
    assert (first[10:12] == 0).all()
    second = counters("second", 6).reshape(10, 3)
    assert (second[:9] == learner.second).all() and (second[9:] == 0).all()
    assert image["copy"] == image["second"]
    assert image["draws_rows"] == [SPEC.lfsrs["rows"].seed]
    noisy = LearningFolding(SignUpdate(10, 6, 3, noise=1), pe=2)
    assert list(noisy.regions)[-1] == "draws_faults"


@pytest.mark.parametrize("learned, written, changes, storage, cycles", [
    (False, 0, [], "block", 3 * 8 + 5 + 3 + 8),
    (True, 0, [0] * 6, "block", 3 * 8 + 5 + 3 + 8 + 5 + 3),
    (True, 7, [1, 0, 0, 0, 0, -1], "block", 3 * 8 + 5 + 3 + 8 + 5 + 3 + 2 * 7 + 2),
    (True, 4, [1, 0, 0, 1, 1, -1], "block", 3 * 8 + 5 + 3 + 8 + 5 + 3 + 3 * 4 + 3 + 2),
    (True, 4, [1, 0, 0, 1, 1, -1], "spram", 3 * 8 + 5 + 3 + 8 + 5 + 3 + 6 * 4 + 3 + 2)])
def test_cycles_depend_on_what_an_image_does(learned, written, changes, storage, cycles):
    folding = LearningFolding(SPEC, pe=2, rows=2, pixels=4, storage=storage)
    step = Step(np.zeros(3), 7, learned, written, np.array(changes, dtype=int))
    assert folding.cycles(step) == cycles


@pytest.mark.parametrize("given_, message", [
    ({"pe": 0}, "PE must be between 1 and 6, not 0"),
    ({"pe": 7}, "PE must be between 1 and 6, not 7"),
    ({"pe": 4}, "PE must divide the 6 hidden neurons, not 4"),
    ({"rows": 0}, "Rows must be between 1 and 3, not 0"),
    ({"rows": 4}, "Rows must be between 1 and 3, not 4"),
    ({"rows": 2}, "Rows must divide the 3 neurons of a word, not 2"),
    ({"pixels": 3}, "Pixels at once must be a power of two, not 3"),
    ({"pixels": 65}, "Pixels at once must be between 1 and 64, not 65"),
    ({"storage": "wide"}, "Storage must be one of block, spram, not 'wide'"),
    ({"spec": SignUpdate(10, 6, 3, bias=0)}, "Bias must be at least 1, not 0"),
    ({"spec": SignUpdate(10, 30, 3), "pe": 15, "storage": "spram"},
     "Rows in SPRAM must be at most 64 bits, which 4 blocks read in a cycle, not 120")])
def test_bad_layouts(given_, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        LearningFolding(**{"spec": SPEC, "pe": 3} | given_)

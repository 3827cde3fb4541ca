"""What is asked of a mapping on the command line; see also tests/test_inputs.py."""

import pytest

from boards import catalog
from gateware.fit import LEVELS, fit
from gateware.mapping import uniform
from model.errors import InputError
from ohmbit.mappings import NO_WISHES, Wishes, choose_mapping, describe

from .commandline import random_network


NETWORK = random_network(64, 12, 10)
BOARD   = catalog.find("icebreaker")


def choose(board=BOARD, **wishes):
    return choose_mapping(NETWORK, "net.npz", board, Wishes(**wishes))


def test_what_is_asked_for_is_what_there_is():
    assert choose() == choose_mapping(NETWORK, "net.npz", BOARD) == fit(
        NETWORK.shape, BOARD.resources)
    assert choose(batch="2") == fit(NETWORK.shape, BOARD.resources, batch=2)
    assert choose(batch="auto") == fit(NETWORK.shape, BOARD.resources, batch=None)
    assert choose(target=900) == fit(NETWORK.shape, BOARD.resources, target=900)
    assert choose(pe="4", simd="8") == uniform(NETWORK.shape, pe=4, simd=8)
    assert choose(pe="4,1", simd="8,4", storage="spram,block", batch="3") == uniform(
        NETWORK.shape, pe=(4, 1), simd=(8, 4), storage=("spram", "block"), batch=3)


def test_images_a_second_are_cycles_at_the_boards_clock():
    fps = 30_000
    mapping = choose(fps=fps)
    assert mapping == choose(target=int(BOARD.clock_hz / fps))
    assert BOARD.clock_hz / mapping.cycles_per_image >= fps
    both = choose(fps=fps, batch="auto")
    assert BOARD.clock_hz / both.cycles_per_image >= fps


def test_an_ecp5_has_registers_between_its_adders():
    ecp5 = catalog.find("ulx3s-25f")
    for wishes in ({}, {"pe": "4", "simd": "8"}):
        assert {layer.levels for layer in choose(ecp5, **wishes).layers} == {LEVELS["ecp5"]}
    assert {layer.levels for layer in choose(pe="4", simd="8").layers} == {0}


@pytest.mark.parametrize("wishes, said", [
    ({"batch": "0"}, "--batch takes a number from 1 on, or auto, not '0'"),
    ({"batch": "many"}, "--batch takes a number from 1 on, or auto, not 'many'"),
    ({"batch": "2.5"}, "--batch takes a number from 1 on, or auto, not '2.5'"),
    ({"batch": "auto", "pe": "1", "simd": "1"}, "--batch auto chooses PE and SIMD itself"),
    ({"batch": "99"}, "mapping: Batch must be smaller than 99 for layers as small as these"),
    ({"batch": "7", "pe": "2", "simd": "64"}, "mapping: Batch must be between 1 and the 5 cycles "),
    ({"batch": "2", "pe": "6,1", "simd": "32,3"}, "mapping: SIMD of layer 1 must be a multiple of"),
])
def test_batches_that_cannot_be(wishes, said):
    with pytest.raises(InputError) as refused:
        choose(**wishes)
    assert said in str(refused.value)


def test_wishes_are_few_by_default():
    assert NO_WISHES == Wishes() and NO_WISHES.images == 1
    assert Wishes(batch="auto").images is None and Wishes(batch="12").images == 12


def test_a_mapping_in_words():
    assert describe(choose(pe="4,1", simd="8,4", storage="spram,block", batch="3")).startswith(
        "PE x SIMD 4 x 8 in spram, 1 x 4, 3 images at once: ")
    assert describe(choose(pe="4", simd="8")) == \
        "PE x SIMD 4 x 8, 2 x 8: 120 cycles an image"
    assert describe(choose()).endswith(("ran out first", "see --target-cycles", "an image"))


def test_simulate_in_batches(ohmbit_, network):
    options = ["--engine", "amaranth", "--images", "5", "--no-boundary", "--dataset", "digits"]
    answer = ohmbit_("simulate", network, "--batch", "2", *options, "--json").json
    assert (answer["mismatches"], answer["images"]) == (0, 5)
    assert answer["cycles"] == answer["predicted_cycles"]
    alone = ohmbit_("simulate", network, *options, "--json").json
    assert answer["cycles_per_image"] <= alone["cycles_per_image"]

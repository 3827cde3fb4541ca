from dataclasses import replace

import numpy as np
import pytest
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx

from model.compend import Compend
from model.encoder import BitSerial
from model.errors import InputError
from model.network import Network
from model.onnx_compare import ROWS, compare
from model.onnx_writer import build

from .commandline import random_network


NETWORK = random_network(9, 6, 3)
IMAGES  = np.random.default_rng(0).integers(0, 32, (ROWS + 44, 9))


def test_every_number_is_compared():
    found = compare(build(NETWORK), NETWORK, IMAGES)
    assert (found.images, found.numbers, found.mismatches, found.first) == \
        (300, 300 * (6 + 6 + 3 + 3), 0, "")
    assert compare(build(NETWORK), NETWORK, IMAGES[:0]).numbers == 0


def test_numbers_are_those_of_one_image_after_another():
    """As anybody who reads QONNX would run the file."""
    wrapped = ModelWrapper(build(NETWORK))
    for image in IMAGES[:5]:
        found = execute_onnx(wrapped, {"pixels": image[None].astype(np.uint8)})
        assert found["scores"].dtype == np.float32
        assert (found["scores"] == NETWORK.scores_of(image[None])).all()


@pytest.mark.parametrize("image", [0, 255, 256, 299])
def test_a_wrong_score_is_told(image):
    """In whichever image, with what the graph has."""
    model = build(NETWORK)
    scores = NETWORK.scores
    bias = scores.bias + np.array([0, 1, 0])
    found = compare(model, replace(NETWORK, scores=replace(scores, bias=bias)), IMAGES[image:])
    right = NETWORK.scores_of(IMAGES[image:image + 1])[0, 1]
    assert found.mismatches == 300 - image
    assert found.first == f"scores, image 0, neuron 1: {right} instead of {right + 1}"


def test_the_first_difference_has_its_image():
    """A pixel that only one image has tells two thresholds apart."""
    images = np.zeros((300, 9), dtype=int)
    images[270] = 31
    layer = NETWORK.layers[0]
    acc = layer.acc(BitSerial(5)(images[270:271]))[0]
    neuron = int(np.flatnonzero(acc > 0)[0])
    moved = layer.thresholds.copy()
    moved[neuron] = acc[neuron]
    network = replace(NETWORK, layers=(replace(layer, thresholds=moved),))
    later = moved.copy()
    later[neuron] += 1
    other = replace(NETWORK, layers=(replace(layer, thresholds=later),))
    found = compare(build(network), other, images)
    assert found.first == f"layer0.bits, image 270, neuron {neuron}: 1 instead of -1"
    assert 1 < found.mismatches < 10


def test_bits_are_0_where_the_next_layer_takes_numbers():
    """±1 there would be another graph."""
    last = Compend(np.array([[1, 2, -1, 1, 1, 1]]), np.zeros(1, int), weight_bits=3, input_bits=1,
                   output_bits=1, activation="linear", detection="none")
    network = Network(NETWORK.encoder, NETWORK.layers, last)
    assert compare(build(network), network, IMAGES).mismatches == 0
    assert compare(build(NETWORK), network, IMAGES).first.startswith("layer0.bits, image")


def test_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "qonnx.core.onnx_exec", None)
    with pytest.raises(InputError, match=r"is not installed: pip install 'ohmbit\[qonnx\]'"):
        compare(build(NETWORK), NETWORK, IMAGES)

"""Differences are found and named, whichever of the two sides is the wrong one."""

# amaranth: UnusedElaboratable=no

from dataclasses import replace

import numpy as np
import pytest
from amaranth.hdl import Cat

import gateware.popcount
from gateware.compiler import compile, image
from gateware.mapping import uniform
from sim.amaranth_engine import AmaranthEngine
from sim.compare import Difference, compare

from .commandline import drawing_network, random_network


@pytest.fixture(scope="module")
def network():
    return random_network(16, 9, 6, 4, bits=2)


@pytest.fixture(scope="module")
def images(network):
    return np.random.default_rng(0).integers(0, 4, (40, network.inputs))


def run(network, images, **options):
    engine = AmaranthEngine()
    mapping = uniform(network.shape, pe=4, simd=5)
    engine.load(compile(network.shape, mapping, probes=True))
    engine.write(image(network, mapping))
    return engine.infer(images, **options)


@pytest.fixture(scope="module")
def result(network, images):
    return run(network, images)


def test_no_difference(network, images, result):
    comparison = compare(network, images, result)
    assert (comparison.total, comparison.where, comparison.first) == (0, None, "")
    assert comparison.seen == "layer0.acc, layer0.bits, layer1.acc, layer1.bits, scores.acc, " \
                              "scores, class"
    assert compare(network, images, result, result).total == 0


def test_a_threshold_of_the_model_moved_by_one_step(network, images, result):
    """Of each neuron, where some image reaches the threshold exactly."""
    acc = network.trace(images)["layer0.acc"]
    layer = network.layers[0]
    seen = 0
    for n, threshold in enumerate(layer.thresholds):
        reached = np.flatnonzero(acc[:, n] == threshold)
        moved = layer.thresholds.copy()
        moved[n] += 1
        wrong = replace(network, layers=(replace(layer, thresholds=moved), *network.layers[1:]))
        comparison = compare(wrong, images, result)
        if len(reached):
            seen += 1
            assert comparison.where == Difference(
                "layer0.bits", reached[0], n, 1, 0,
                result.when["layer0.bits"][reached[0], n])
            assert comparison.mismatches["layer0.bits"] == len(reached)
        else:
            assert comparison.total == 0
    assert seen >= 3


@pytest.mark.parametrize("place", [(0, 3), (1, 5), (2, 1)])
def test_an_inverted_neuron_is_named(network, images, result, place):
    n, neuron = place
    layers = [*network.layers, network.scores]
    weights = layers[n].weights.copy()
    weights[neuron] ^= True
    layers[n] = replace(layers[n], weights=weights)
    wrong = replace(network, layers=tuple(layers[:-1]), scores=layers[-1])
    where = compare(wrong, images, result).where
    assert (where.name, where.place) == (f"{'scores' if n == 2 else f'layer{n}'}.acc", neuron)


def test_an_operator_of_the_gateware(network, images, monkeypatch):
    """The sum of each first full adder becomes an OR."""
    in_tables = gateware.popcount.in_tables

    def wrong(addition):
        (a,), (b,) = addition.a, addition.b
        return Cat(a[0] | b[0], in_tables(addition)[1])

    monkeypatch.setattr(gateware.popcount, "in_tables", wrong)
    comparison = compare(network, images, run(network, images))
    assert comparison.where.name == "layer0.acc"
    assert comparison.where.cycle is not None
    assert str(comparison.where) == comparison.first
    expected = network.trace(images)["layer0.acc"]
    where = comparison.where
    assert where.expected == expected[where.image, where.place] != where.got


def test_two_engines_part(network, images, result):
    """The one that saw less decides what is compared, and no model is asked."""
    other = replace(result, scores=result.scores + (np.arange(4) == 2), trace=None)
    comparison = compare(network, images, result, other)
    assert list(comparison.mismatches) == ["scores", "class"]
    assert comparison.mismatches["scores"] == len(images)
    assert comparison.where == Difference(
        "scores", 0, 2, result.scores[0, 2], result.scores[0, 2] + 1, result.when["scores"][0, 2])


def test_a_sample_that_differs():
    network = drawing_network(9, 5, 3, samples=4, combine="scores")
    images = np.random.default_rng(0).integers(0, 256, (3, 9))
    result = run(network, images)
    assert compare(network, images, result).total == 0
    result.trace["layer0.bits"][1, 2, 4] ^= True
    comparison = compare(network, images, result)
    assert comparison.mismatches["layer0.bits"] == comparison.total == 1
    where, right = comparison.where, network.trace(images)["layer0.bits"][1, 2, 4]
    assert where == Difference("layer0.bits", 1, 4, 1 - right, right,
                               result.when["layer0.bits"][1, 2, 4], 2)


def test_words_of_a_difference():
    assert str(Difference("layer1.bits", 3, 12, 1, 0, 1234)) \
        == "image 3, layer1.bits[12], cycle 1,234: 1 instead of 0"
    assert str(Difference("layer0.acc", 3, 12, 1, 0, 9, 2)) \
        == "image 3, sample 2, layer0.acc[12], cycle 9: 1 instead of 0"
    assert str(Difference("class", 3, 0, 7, 8)) == "image 3, class[0]: 7 instead of 8"


def test_as_many_values_as_images(network, images, result):
    with pytest.raises(ValueError, match=r"^layer0.acc must be \(39, 9\), not \(40, 9\)$"):
        compare(network, images[:39], result)


def test_layers_pass_in_order(network, images, result):
    """Stamps tell when a value passed: neurons in groups, layers one after the other."""
    when = result.when
    assert when.keys() == {"layer0.sums", "layer0.bits", "layer1.sums", "layer1.bits",
                           "scores.sums", "scores", "class"}
    for name, stamps in when.items():
        assert (np.diff(stamps, axis=1) >= 0).all() and (np.diff(stamps, axis=0) > 0).all(), name
    assert (when["layer0.bits"][:, -1] < when["layer1.bits"][:, 0]).all()
    assert (when["layer1.bits"][:, -1] < when["scores"][:, 0]).all()
    assert (when["scores"][:, -1] == result.done).all()
    assert (when["class"][:, 0] == result.done).all()



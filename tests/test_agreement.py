from dataclasses import replace

import numpy as np

from model import qonnx
from model.agreement import Agreement, Part, agreement

from .onnx_graphs import Chain


RNG = np.random.default_rng(2)
X = RNG.integers(0, 256, (300, 12))


def imported(tmp_path, weights=None):
    rng = np.random.default_rng(3)
    first, last = (np.where(rng.random(shape) < 0.5, -1.0, 1.0) for shape in ((12, 7), (7, 3)))
    chain = Chain(1, 12).node("Sub", 0.5).bipolar().matmul(first, 1.0).node("Mul", -2.0)
    chain.node("Add", 0.5).bipolar().matmul(last, 1.0)
    return qonnx.load(chain.save(tmp_path / "g.onnx"))


def test_everything_is_compared(tmp_path):
    assert agreement(imported(tmp_path), X) == Agreement(300, 300 * 10, 300 * 7, 300, 0, ())


def test_a_threshold_that_is_off_is_found_where_it_matters(tmp_path):
    whole = imported(tmp_path)
    layer, scores = *whole.network.layers, whole.network.scores
    thresholds = layer.thresholds.copy()
    thresholds[4] += 2
    network = replace(whole.network, layers=(replace(layer, thresholds=thresholds),))
    found = agreement(replace(whole, network=network), X)
    acc = network.trace(X)["layer0.acc"][:, 4]
    images = np.flatnonzero(acc == layer.thresholds[4])
    assert len(images) > 9 and images.max() >= 256
    hidden = [part for part in found.parts if part.node == "BipolarQuant_6"]
    assert hidden == [Part("BipolarQuant_6", image, 4, 0, 1, -2) for image in images]
    assert str(hidden[0]) == (f"BipolarQuant_6, image {images[0]}, neuron 4, its sum 2 below the "
                              "threshold: 0 instead of 1")
    # What comes of it is the difference of every sum thereafter.
    after = [part for part in found.parts if part.node == "MatMul_8"]
    assert {part.image for part in after} == set(images.tolist())
    assert len(after) == scores.outputs * len(images)
    assert all(part.distance is None and abs(part.got - part.expected) == 2 for part in after)


def test_a_weight_that_is_off_is_found(tmp_path):
    whole = imported(tmp_path)
    layer, = whole.network.layers
    weights = layer.weights.copy()
    weights[5, 11] ^= True
    network = replace(whole.network, layers=(replace(layer, weights=weights),))
    found = agreement(replace(whole, network=network), X)
    sums = [part for part in found.parts if part.node == "MatMul_3"]
    assert [(part.image, part.neuron) for part in sums] == [(n, 5) for n in range(300)]


def test_a_class_that_is_off_is_found(tmp_path):
    whole = imported(tmp_path)
    scores = whole.network.scores
    network = replace(whole.network, scores=replace(scores, bias=scores.bias + [0, 0, 99]))
    found = agreement(replace(whole, network=network), X)
    assert {(part.node, part.neuron, part.got) for part in found.parts} == {("class", 0, 2)}
    assert len(found.parts) == (whole.network(X) != 2).sum() > 0


import numpy as np
import pytest
from amaranth.hdl import Fragment
from hypothesis import given, strategies as st

from gateware.compiler import (
    affine_rows,
    compile,
    counted,
    image,
    taken,
    threshold_rows,
    weight_rows,
)
from gateware.control import network_id
from gateware.mapping import uniform
from gateware.plan import Plan
from model.compend import Compend
from model.dense import Dense
from model.encoder import BitSerial, Threshold
from model.network import Network, Shape
from model.scores import Scores

from . import strategies


@given(data=st.data(), layer=st.one_of(strategies.denses(), strategies.few_bit_denses()))
def test_rows_of_a_layer_hold_its_cells_and_thresholds(data, layer):
    folding = data.draw(strategies.foldings(layer))
    rows = weight_rows(layer.cells, folding)
    assert len(rows) == folding.rows
    for number, row in enumerate(rows):
        rest, fold = divmod(number, folding.folds)
        group, plane = divmod(rest, folding.weight_bits)
        for cell in range(folding.pe * folding.simd):
            neuron = group * folding.pe + cell // folding.simd
            place  = fold * folding.simd + cell % folding.simd
            inside = neuron < layer.outputs and place < layer.inputs
            assert row >> cell & 1 == (layer.cells[plane, neuron, place] if inside else 1)
        assert row >> folding.pe * folding.simd == 0

    rows, bits = threshold_rows(layer, folding), folding.threshold_bits
    assert len(rows) == folding.words * folding.turns
    thresholds = layer.sum_threshold(layer.thresholds).reshape(layer.outputs, -1)
    for n, row in enumerate(rows):
        word, turn = divmod(n, folding.turns)
        for place in range(folding.lanes * folding.steps):
            neuron = word * folding.lanes + place // folding.steps
            step = turn * folding.steps + place % folding.steps
            inside = neuron < layer.outputs and step < folding.stairs
            assert row >> place * bits & (1 << bits) - 1 \
                == (thresholds[neuron, step] if inside else folding.top + 1)
        assert row >> folding.lanes * folding.steps * bits == 0


@pytest.mark.parametrize("gain, bias, rows", [
    # Six inputs that all agree, of 6 at most: a bipolar accumulator is twice the sum, less 6.
    ([1, 1], [0, -9], [-6 & 0xffff, -15 & 0xffff]),
    ([1, -2], [7, 40_000], [(7 - 6) | 1 << 32, 40_012 | 0xfffe << 32]),
])
def test_rows_of_scores_hold_bias_and_gain(gain, bias, rows):
    layer = Scores(np.ones((2, 6), dtype=bool), np.array(gain), np.array(bias))
    assert affine_rows(layer) == rows


@pytest.mark.parametrize("bipolar, rows", [
    # Sums of twice the weights: less 6 · 2 with ±1; with 0 and 1 less 6 · 2 − Σ w, for twice the
    # score.
    (True, [5 - 12, -9 - 12]), (False, [10 - 12 - 6, -18 - 12 + 6])])
def test_rows_of_scores_of_few_bits(bipolar, rows):
    weights = np.array([[-1] * 6, [1] * 6])
    layer = Scores(weights, np.ones(2, dtype=int), np.array([5, -9]), weight_bits=2,
                   bipolar=bipolar)
    assert affine_rows(layer) == [row & 0xffff for row in rows]


@given(data=st.data(), network=strategies.networks(max_size=9))
def test_image_has_all_memories(data, network):
    mapping = data.draw(strategies.mappings(network))
    contents, plan = image(network, mapping), Plan(network.shape, mapping)
    assert set(contents) == set(plan.memories)
    for name, rows in contents.items():
        region = plan.memories[name]
        assert len(rows) == region.depth and max(rows) < 1 << region.width
    for n, layer in enumerate(network.all_layers):
        assert contents[f"layer{n}.weights"] == weight_rows(layer.weights, mapping.layers[n])
    for n, layer in enumerate(network.layers):
        assert contents[f"layer{n}.thresholds"] == threshold_rows(layer, mapping.layers[n])
    assert contents["scores.affine"] == affine_rows(network.scores)
    if getattr(network.encoder, "most", 1) > 1:
        assert contents["samples"] == [network.encoder.samples]


def test_mapping_must_be_one_of_the_network():
    layer = Scores(np.ones((2, 6), dtype=bool), np.ones(2, dtype=int), np.zeros(2, dtype=int))
    network = Network(Threshold(1, bits=1), (), layer)
    other = uniform(Shape(Threshold(1, bits=1), (6, 2, 2), 0, 16), pe=1, simd=1)
    with pytest.raises(ValueError):
        image(network, other)


def test_compile_hands_on_what_it_is_given():
    shape = Shape(BitSerial(1), (6, 2), 0, 16)
    mapping = uniform(shape, pe=1, simd=2)
    plain = compile(shape, mapping)
    Fragment.get(plain, None)    # or it would count as forgotten
    assert (plain.shape, plain.mapping, plain.image) == (shape, mapping, None)
    assert not hasattr(plain, "probe_0")
    contents = {"layer0.weights": [0] * 6, "scores.affine": [0] * 2}
    full = compile(shape, mapping, image=contents, probes=True)
    Fragment.get(full, None)
    assert full.image is contents and hasattr(full, "probe_0")


def test_what_layers_of_several_bits_take_of_each_image():
    rng = np.random.default_rng(0)
    relu = Compend(rng.integers(-7, 9, (6, 9)), rng.integers(-99, 99, 6), weight_bits=4,
                   input_bits=3, output_bits=2, shifts=np.full(6, 3))
    hidden = Dense(rng.random((5, 6)) < 0.5, np.zeros(5, int), gains=(2, 1), bipolar=False)
    last = Compend(rng.integers(-7, 9, (4, 5)), np.zeros(4, int), weight_bits=4, input_bits=1,
                   activation="linear")
    network = Network(BitSerial(3), (relu, hidden), last)
    mapping = uniform(network.shape, pe=2, simd=3)
    images = rng.integers(0, 8, (7, 9))
    trace = network.trace(images)
    first, none, scores = counted(network, mapping, images)
    assert none is None
    for found, folding, layer, x in ((first, mapping.layers[0], relu, images),
                                     (scores, mapping.layers[2], last, trace["layer1.bits"])):
        expected = folding.schedule.counts(layer, x)
        for name in ("cycles", "planes_run", "planes_skipped"):
            assert (getattr(found, name) == getattr(expected, name)).all()
    assert taken((first, none, scores)) \
        == (tuple(first.cycles.tolist()), None, tuple(scores.cycles.tolist()))
    rows = image(network, mapping)
    assert set(rows) == set(Plan(network.shape, mapping).memories)
    assert rows["layer0.detection"] == [1] and "scores.affine" not in rows
    # How layers detect is no part of which network it is.
    assert network_id(rows) == network_id(image(network.detecting("none"), mapping))

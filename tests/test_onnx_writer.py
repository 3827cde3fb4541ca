from dataclasses import replace

import numpy as np
import onnx
import pytest
from hypothesis import assume, given, settings, strategies as st
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.infer_datatypes import InferDataTypes

from model.compend import Compend
from model.dense import Dense
from model.encoder import BitSerial, Lookup, Threshold
from model.errors import InputError
from model.network import Network
from model.onnx_writer import EXACT, build, write
from model.scores import Scores
from model.stochastic import Stochastic

from .onnx_runs import executed
from .strategies import encoders, few_networks, networks, serial_networks


RNG = np.random.default_rng(0)

whole_pixels = encoders.filter(lambda encoder: not isinstance(encoder, Stochastic))
seeds        = st.integers(0, 2 ** 32 - 1)


def images_of(network, seed, count=12):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 2 ** network.encoder.bits, (count, network.inputs))
    images[0], images[1] = 0, 2 ** network.encoder.bits - 1
    return images


def bits(*shape):
    return RNG.random(shape) < 0.5


@given(network=networks(exact=True, encoder=whole_pixels), seed=seeds)
@settings(max_examples=30)
def test_binary_networks_have_every_number(network, seed):
    assert executed(build(network), network, images_of(network, seed))


def rising(network):
    """The same with a table of pixels that does not fall."""
    encoder = network.encoder
    return replace(network, encoder=replace(encoder, table=tuple(sorted(encoder.table)))) \
        if isinstance(encoder, Lookup) else network


@given(network=few_networks().map(rising), seed=seeds)
@settings(max_examples=40)
def test_few_bits_have_every_number(network, seed):
    assume(not isinstance(network.encoder, Stochastic))
    assert executed(build(network), network, images_of(network, seed))


@given(network=serial_networks(), seed=seeds)
@settings(max_examples=40)
def test_layers_that_end_early_have_every_number(network, seed):
    assume(not isinstance(network.encoder, Stochastic))
    if any(isinstance(layer, Compend) for layer in network.layers):
        network = network.detecting("exact")
    assert executed(build(network), network, images_of(network, seed))


@pytest.mark.parametrize("encoder, kind", [
    (Threshold(1, bits=1), "UINT8"), (BitSerial(8), "UINT8"), (BitSerial(9), "UINT16"),
    (Threshold(65_535, bits=16), "UINT16")])
def test_pixels_are_integers(encoder, kind):
    """Whatever the encoder, and on both sides of its level."""
    scores = Scores(bits(3, 4), np.array([-3, 0, 7]), np.array([1, -2, 0]))
    network = Network(encoder, (), scores)
    model = build(network)
    given, = model.graph.input
    assert given.type.tensor_type.elem_type == getattr(onnx.TensorProto, kind)
    images = images_of(network, 0)
    images[2] = getattr(encoder, "level", 1)
    images[3] = images[2] - 1
    assert executed(model, network, images)


def test_says_how_many_bits_there_are():
    """As datatypes that qonnx infers; the greatest weight of a Compend needs one bit more."""
    first = Compend(np.array([[8, -7], [1, 2]]), np.zeros(2, int), weight_bits=4, input_bits=3,
                    output_bits=2, activation="relu", detection="exact", shifts=np.zeros(2, int))
    few = Dense(np.array([[-2, 1]]), np.array([[0, 1, 2]]), gains=(2, 1), bipolar=False,
                weight_bits=2)
    last = Compend(np.array([[3]]), np.zeros(1, int), weight_bits=4, input_bits=2, output_bits=1,
                   activation="linear", detection="none")
    wrapped = ModelWrapper(build(Network(BitSerial(3), (first, few), last)))
    kinds = {node.output[0]: wrapped.transform(InferDataTypes()).get_tensor_datatype(node.output[0])
             for node in wrapped.graph.node if node.op_type in ("Quant", "MultiThreshold")}
    assert {name: kind.name for name, kind in kinds.items()} == {
        "encoder.values": "UINT3", "layer0.quantized": "INT5", "layer0.values": "UINT2",
        "layer1.quantized": "INT2", "layer1.values": "UINT2", "scores.quantized": "INT4"}


def test_is_onnx_and_the_same_each_time(tmp_path):
    network = Network(Threshold(8, bits=4), (Dense(bits(5, 6), np.arange(5)),),
                      Scores(bits(3, 5), np.ones(3, int), np.arange(3)), "digits", ("a", "ö", "c"))
    write(tmp_path / "a.onnx", build(network))
    write(tmp_path / "b.onnx", build(network))
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()
    model = onnx.load(tmp_path / "a.onnx")
    onnx.checker.check_model(model, full_check=True)
    names = [node.name for node in model.graph.node]
    assert len(set(names)) == len(names) and "MatMul_layer0_acc" in names
    assert model.producer_name == "ohmbit"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.onnx", "b.onnx"]


def refusal(network):
    with pytest.raises(InputError) as info:
        build(network)
    assert "\n" not in str(info.value)
    return str(info.value)


def ones(encoder, inputs, threshold, gain=1, bias=0):
    """A network of one neuron that adds up all pixels."""
    layer = Dense(np.ones((1, inputs), bool), np.array([threshold]), gains=encoder.gains,
                  bipolar=False)
    return Network(encoder, (layer,), Scores(bits(1, 1), np.array([gain]), np.array([bias])))


def test_sums_are_refused_beyond_what_float32_holds():
    """To the unit, of sums, thresholds and scores."""
    pixel = 2 ** 16 - 1
    most = EXACT // pixel
    encoder = BitSerial(16)
    network = ones(encoder, most, EXACT // 2 - 1)
    images = np.full((2, most), pixel)
    images[1, :most // 2] = 0
    assert executed(build(network), network, images)
    assert executed(build(ones(encoder, most, 1 - EXACT // 2)), ones(encoder, most, 1 - EXACT // 2),
                    images)
    for threshold in (EXACT // 2, -EXACT // 2):
        assert "layer0 has numbers of up to" in refusal(ones(encoder, most, threshold))
    assert f"{pixel * (most + 1):,} units" in refusal(ones(encoder, most + 1, 0))
    alone = Scores(np.ones((1, 1), bool), np.array([1]), np.array([EXACT - 255]))
    network = Network(BitSerial(8), (), alone)
    assert executed(build(network), network, np.array([[0], [255]]))
    for changed in (replace(alone, bias=alone.bias + 1), replace(alone, gain=np.array([-2])),
                    replace(alone, bias=-alone.bias - 1)):
        assert "scores has numbers of up to" in refusal(replace(network, scores=changed))


def test_multi_bit_layers_are_refused_beyond_what_float32_holds():
    def network(bias, activation, **options):
        layer = Compend(np.ones((1, 256), int), np.array([bias]), weight_bits=16, input_bits=8,
                        output_bits=1, activation=activation, detection="exact", **options)
        return Network(BitSerial(8), (layer,), Scores(bits(1, 1), np.array([1]), np.array([0])))

    for activation, most, options in (("sign", EXACT // 2 - 1, {}),
                                      ("relu", EXACT - 256 * 255, {"shifts": np.array([3])})):
        for sign in (-1, 1):
            build(network(sign * most, activation, **options))
            assert "layer0 has numbers" in refusal(network(sign * (most + 1), activation,
                                                           **options))
    wide = Compend(np.full((1, 600), 128), np.zeros(1, int), weight_bits=8, input_bits=8,
                   output_bits=1, activation="linear", detection="none")
    assert "scores has numbers" in refusal(Network(BitSerial(8), (), wide))


def test_refuses_what_no_node_does():
    network = ones(BitSerial(4), 8, 3)
    scores = network.scores
    drawn = Network(Stochastic(4), (), Scores(bits(2, 8), np.ones(2, int), np.zeros(2, int)))
    assert "its encoder is a Stochastic" in refusal(drawn)
    tiled = replace(network.layers[0], tile_rows=4, sense=2)
    assert "layer0 is in tiles that do not sense" in refusal(replace(network, layers=(tiled,)))
    assert "scores is in tiles" in refusal(
        replace(network, layers=(), scores=replace(scores, weights=bits(1, 8), tile_rows=4,
                                                   sense="sign")))
    early = Compend(np.ones((1, 8), int), np.zeros(1, int), weight_bits=4, input_bits=4,
                    output_bits=1, activation="sign", detection="speculative")
    assert "--detection exact" in refusal(replace(network, layers=(early,)))
    assert "--detection" not in str(build(replace(network, layers=(early,)).detecting("none")))


def test_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    assert refusal(ones(BitSerial(4), 8, 3)) == \
        "onnx is not installed: pip install 'ohmbit[qonnx]'"

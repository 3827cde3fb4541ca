import json
from dataclasses import replace

import numpy as np
import onnx
import pytest
from hypothesis import assume, given, settings
from onnx import helper, numpy_helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.util.cleanup import cleanup_model

from model import onnx_origin, qonnx
from model.agreement import Agreement, agreement
from model.compend import Compend
from model.encoder import BitSerial, Threshold
from model.errors import InputError
from model.network import Network
from model.onnx_writer import KEY, build, write
from model.qonnx import Input
from model.scores import Scores
from model.stochastic import Stochastic

from .commandline import random_network
from .onnx_graphs import Chain
from .onnx_runs import same
from .strategies import few_networks, networks, serial_networks
from .test_onnx_writer import images_of, rising, whole_pixels


NAMES = ("zero", "ein\"s", "∅")


def there(network, folder):
    """The network, and what says in the file which one it was."""
    write(folder / "g.onnx", build(network))
    return onnx_origin.read(folder / "g.onnx")


@pytest.fixture
def path(tmp_path):
    network = replace(random_network(9, 6, 3), class_names=NAMES)
    write(tmp_path / "g.onnx", build(network))
    return tmp_path / "g.onnx"


def change(path, edit):
    model = onnx.load(path)
    edit(model)
    onnx.save(model, path)


def constant(name, edit):
    def edited(model):
        tensor, = (each for each in model.graph.initializer if each.name == name)
        values = numpy_helper.to_array(tensor).copy()
        edit(values)
        tensor.CopyFrom(numpy_helper.from_array(values, name))
    return edited


@pytest.mark.parametrize("kind", [
    networks(exact=True, encoder=whole_pixels), few_networks().map(rising), serial_networks()],
    ids=["binary", "few bits", "ending early"])
def test_networks_come_back_from_an_import(kind, tmp_path_factory):
    @given(network=kind)
    @settings(max_examples=40)
    def comes_back(network):
        names = tuple(f"{n}" for n in range(network.classes))
        network = replace(network, dataset="a", class_names=names)
        path = tmp_path_factory.mktemp("graph") / "g.onnx"
        assume(not isinstance(network.encoder, Stochastic))
        if any(isinstance(layer, Compend) for layer in network.layers):
            network = network.detecting("exact")
        write(path, build(network))
        imported = qonnx.load(path)
        assert same(imported.network, network)
        assert agreement(imported, images_of(network, 0)).parts == ()

    comes_back()


@pytest.mark.parametrize("kind", [
    networks(encoder=whole_pixels), few_networks(), serial_networks()],
    ids=["binary", "few bits", "ending early"])
def test_every_export_says_which_network_it_was(kind, tmp_path_factory):
    @given(network=kind)
    @settings(max_examples=40)
    def says(network):
        try:
            found = there(network, tmp_path_factory.mktemp("graph"))
        except InputError:
            return
        assert same(found.network, network)
        assert found.bits == network.encoder.bits

    says()


def test_an_import_may_say_otherwise(path):
    network = qonnx.load(path, dataset="mine").network
    assert (network.dataset, network.class_names) == ("mine", ())
    assert same(replace(network, dataset="digits", class_names=NAMES),
                onnx_origin.read(path).network)
    found = qonnx.load(path, Input(bits=3, divisor=1.0, given=True)).network
    assert found.encoder == BitSerial(3)
    assert (found.dataset, found.class_names) == ("digits", NAMES)


@pytest.mark.parametrize("edit, attribute", [
    (constant("layer0.thresholds", lambda values: values.__iadd__(1)), "thresholds"),
    (constant("layer0.weights", lambda values: values.__imul__(-1)), "weights"),
    (constant("scores.gain", lambda values: values.__imul__(2)), "gain"),
    (constant("scores.bias", lambda values: values.__iadd__([1, 0, 0])), "bias"),
], ids=["threshold", "weights", "gain", "bias"])
def test_other_constants_are_another_network(edit, attribute, path):
    before = onnx_origin.read(path).network
    change(path, edit)
    imported = qonnx.load(path)
    assert same(imported.network, onnx_origin.read(path).network)
    old, new = ([getattr(layer, attribute, 0) for layer in network.all_layers]
                for network in (before, imported.network))
    assert sum((a != b).any() for a, b in zip(old, new, strict=True)
               if not isinstance(a, int)) == 1
    assert agreement(imported, images_of(before, 1, 60)).parts == ()


@pytest.mark.parametrize("edit", [
    constant("layer0.thresholds", lambda values: values.__iadd__(0.25)),
    constant("scores.bias", lambda values: values.__iadd__([0.5, 0, 0])),
    lambda model: model.graph.node[1].attribute.pop(1),
    lambda model: setattr(model.graph.node[0], "name", "other"),
], ids=["threshold", "bias", "rounding", "name"])
def test_what_was_changed_otherwise_counts(edit, path):
    """The network is then made of the graph, with the names that it still has."""
    change(path, edit)
    assert onnx_origin.read(path).network is None
    imported = qonnx.load(path)
    assert imported.network.dataset == "digits" and imported.network.class_names == NAMES
    assert imported.network.encoder == BitSerial(5)
    assert agreement(imported, images_of(imported.network, 1, 60)).parts == ()


def test_qonnx_may_clean_up_before(path):
    network = onnx_origin.read(path).network
    cleanup_model(ModelWrapper(str(path))).save(str(path))
    assert onnx_origin.read(path).network is None
    found = qonnx.load(path).network
    images = images_of(network, 2, 200)
    ours, theirs = network.trace(images), found.trace(images)
    assert (ours["layer0.bits"] == theirs["layer0.bits"]).all()
    assert (network(images) == found(images)).all()
    assert (found.dataset, found.class_names, found.encoder) == ("digits", NAMES, BitSerial(5))


def test_layers_that_end_early_are_known_from_the_file(tmp_path):
    """Of a graph that was changed, a layer of the weights ±1 is a binary one."""
    weights = np.array([[1, -1, 1], [-1, 1, 1]])
    first = Compend(weights, np.array([-2, 1]), weight_bits=2, input_bits=3, output_bits=1,
                    activation="sign", detection="exact")
    network = Network(BitSerial(3), (first,), Scores(weights[:, :2] > 0, np.ones(2, int),
                                                     np.arange(2)))
    assert same(there(network, tmp_path).network, network)
    imported = qonnx.load(tmp_path / "g.onnx", dataset="a", class_names=("no", "yes"))
    assert same(imported.network, replace(network, dataset="a", class_names=("no", "yes")))
    images = images_of(network, 3, 100)
    assert agreement(imported, images) == Agreement(100, 100 * (2 + 2), 100 * 2, 100, 0, ())
    change(tmp_path / "g.onnx", lambda model: setattr(model.graph.node[0], "name", "other"))
    other = qonnx.load(tmp_path / "g.onnx")
    assert not isinstance(other.network.layers[0], Compend)
    assert agreement(other, images).parts == ()
    assert (other.network(images) == network(images)).all()


def test_a_difference_in_a_layer_that_ends_early_is_found(tmp_path):
    first = Compend(np.array([[1, -1, 2]]), np.array([0]), weight_bits=3, input_bits=3,
                    output_bits=2, activation="relu", detection="exact", shifts=np.array([1]))
    scores = Scores(np.array([[1], [-1]]), np.ones(2, int), np.zeros(2, int), weight_bits=2)
    network = Network(BitSerial(3), (first,), scores)
    write(tmp_path / "g.onnx", build(network))
    imported = qonnx.load(tmp_path / "g.onnx")
    images = images_of(network, 3, 50)
    assert agreement(imported, images).parts == ()
    wrong = replace(network, layers=(replace(first, shifts=np.array([2])),))
    parts = agreement(replace(imported, network=wrong), images).parts
    assert {part.node for part in parts} >= {"layer0.values", "scores"}
    assert all(part.got != part.expected for part in parts)


def test_other_graphs_say_nothing(tmp_path):
    chain = Chain(1, 8).node("Sub", 0.5).bipolar().matmul(np.ones((8, 2)), 1.0)
    assert onnx_origin.read(chain.save(tmp_path / "g.onnx")) is None


def header(**changes):
    def edit(model):
        said = json.loads(model.metadata_props[0].value)
        helper.set_model_props(model, {KEY: json.dumps(said | changes)})
    return edit


@pytest.mark.parametrize("edit", [
    lambda model: helper.set_model_props(model, {KEY: "["}),
    lambda model: helper.set_model_props(model, {KEY: "[]"}),
    lambda model: helper.set_model_props(model, {KEY: "[" * 100_000}),
    header(dataset=1), header(class_names=[1]), header(class_names=None), header(encoder={}),
    header(encoder={"bits": 17}), header(encoder={"bits": 0}), header(encoder={"bits": "5"}),
    header(encoder={"bits": True}),
])
def test_refuses_what_export_does_not_say(edit, path):
    change(path, edit)
    with pytest.raises(InputError, match="its metadata 'ohmbit' are not what `ohmbit"):
        qonnx.load(path)


@pytest.mark.parametrize("changes", [
    {"format": 9}, {"format": None}, {"sizes": None}, {"sizes": [9]}, {"sizes": [9, 6]},
    {"sizes": [9, 6, 4]}, {"sizes": [9, -6, 3]}, {"encoder": {"kind": "BitSerial", "bits": 6}},
    {"encoder": {"kind": "Threshold", "bits": 5, "level": 3}}, {"encoder": {"kind": [], "bits": 5}},
    {"class_names": ["a"]}, {"format": 4, "serial": [], "weight_bits": [], "tiles": []},
    {"format": 4, "serial": [None, {}], "weight_bits": [1, 1], "tiles": [[None, "exact"]] * 2},
    {"format": 2, "tiles": [[None, "exact"], [2, "sign"]]},
])
def test_a_header_of_another_network_is_none(changes, path):
    change(path, header(**changes))
    assert onnx_origin.read(path).network is None


@pytest.mark.parametrize("value", [np.nan, np.inf, -1e30])
def test_a_graph_of_other_constants_is_none(value, path):
    change(path, constant("layer0.thresholds", lambda values: values.fill(value)))
    assert onnx_origin.read(path).network is None


def test_an_encoder_of_one_bit_is_what_it_was(tmp_path):
    """The graph alone does not say whether 0 and 1 stand for themselves."""
    scores = Scores(np.array([[True, False], [True, True]]), np.array([2, 3]), np.array([0, -1]))
    for encoder in (BitSerial(1), Threshold(1, bits=1)):
        network = Network(encoder, (), scores)
        write(tmp_path / "g.onnx", build(network))
        assert same(qonnx.load(tmp_path / "g.onnx").network, network)
        assert [node.op_type for node in build(network).graph.node[1:3]] == \
            (["Quant", "BipolarQuant"] if network.encoder.bipolar is False else
             ["Sub", "BipolarQuant"])

import json
import pathlib
from dataclasses import replace

import numpy as np
import onnx
import pytest

from model import data, onnx_writer
from model.compend import Compend
from model.encoder import BitSerial, Threshold
from model.network import Network
from model.onnx_origin import read
from model.quantize import quantize
from model.ranges import bounds
from model.real import train as train_real
from model.scores import Scores
from model.train import train

from .commandline import drawing_network, few_network, random_network
from .onnx_runs import executed, same


DIGITS = data.load("digits")


def serial(**options):
    """Of weights of several bits, by training with real ones."""
    whole = {name: options.pop(name) for name in ("weight_bits", "activation_bits", "detection")
             if name in options}
    return lambda: quantize(train_real(DIGITS, epochs=3, **options), DIGITS, **whole)


# As the tests train them, but for fewer epochs.
BINARY = {
    "digits": lambda: train(DIGITS, epochs=3),
    "deep": lambda: train(DIGITS, hidden=(64, 48, 32), epochs=3),
    "bipolar": lambda: train(DIGITS, encoder=Threshold(8, bits=5), epochs=3),
    "no layer": lambda: train(DIGITS, hidden=(), epochs=3),
    "iris": lambda: train(data.load("iris"), hidden=(32,), epochs=20),
    "random": lambda: random_network(64, 12, 10),
}
SEVERAL = {
    "relu": serial(hidden=(24, 16), activation="relu", bound=bounds(2)),
    "sign": serial(hidden=(24, 16), activation="sign", bound=bounds(2)),
    "narrow": serial(hidden=(20,), activation="relu", weight_bits=3, activation_bits=1),
    "wide": serial(hidden=(20,), activation="relu", weight_bits=8, activation_bits=4),
    "first": serial(hidden=(48, 24), activation="sign", bound=0.05, real_layers=1),
}
ALL = BINARY | SEVERAL | {"few": lambda: few_network(64, 24, 10)}


@pytest.mark.parametrize("make", ALL.values(), ids=ALL)
def test_trained_networks_are_computed_to_the_bit(make, ohmbit_):
    network = make()
    network.save("net.npz")
    assert ohmbit_("export", "net.npz", "-o", "net.onnx").code == 0
    images = data.load(network.dataset).x_test
    assert executed(onnx.load("net.onnx"), network, images)
    assert same(read("net.onnx").network, network)


@pytest.mark.parametrize("make", ALL.values(), ids=ALL)
def test_trained_networks_come_back(make, ohmbit_):
    """To the same bytes in the network's file."""
    network = make()
    network.save("net.npz")
    assert ohmbit_("export", "net.npz").code == 0
    done = ohmbit_("import", "net.onnx", "-o", "again.npz", "--verify", network.dataset, "--json")
    assert done.code == 0 and done.json["mismatches"] == 0
    assert done.json["dataset"] == network.dataset
    assert same(Network.load("again.npz"), network)
    assert pathlib.Path("again.npz").read_bytes() == pathlib.Path("net.npz").read_bytes()


def test_says_what_it_wrote(network, ohmbit_):
    done = ohmbit_("export", network, "--json")
    size = pathlib.Path("net.onnx").stat().st_size
    assert done.json == {"graph": "net.onnx", "network": "net.npz", "dataset": "digits",
                         "sizes": [64, 12, 10], "nodes": 10, "bytes": size}
    assert f"net.onnx: 64-12-10, 10 nodes, {size:,} bytes" in done.err
    said, = onnx.load("net.onnx").metadata_props
    assert json.loads(said.value)["dataset"] == "digits"
    assert ohmbit_("export", network, "-o", "other/name.onnx").code == 0
    assert pathlib.Path("other/name.onnx").read_bytes() == pathlib.Path("net.onnx").read_bytes()


def test_verifies_what_it_writes(network, ohmbit_):
    done = ohmbit_("export", network, "--verify", "digits", "--json")
    assert done.code == 0
    assert [done.json[name] for name in ("images", "numbers", "mismatches")] == \
        [360, 360 * (12 + 12 + 10 + 10), 0]
    assert "equal to the network in 15,840 numbers of 360 images" in done.err
    assert "an image has 4" in ohmbit_("export", network, "--verify", "iris").refusal


def test_a_difference_is_told_and_nothing_written(network, ohmbit_, monkeypatch):
    wrong = random_network(64, 12, 10, seed=1)
    build = onnx_writer.build
    monkeypatch.setattr(onnx_writer, "build", lambda _: build(wrong))
    done = ohmbit_("export", network, "--verify", "digits")
    assert done.code == 1 and not pathlib.Path("net.onnx").exists()
    assert "numbers differ, of 15,840, the first in layer0.acc, image 0, neuron 0: " in done.line
    assert "nothing was written" in done.line


def test_names_and_dataset_may_be_replaced_on_the_way_back(network, ohmbit_):
    assert ohmbit_("export", network).code == 0
    assert ohmbit_("import", "net.onnx", "--dataset", "digits").code == 0
    assert Network.load("net.npz").class_names[9] == "9"


def test_speculation_is_left_out_where_that_is_said(ohmbit_):
    layer = Compend(np.ones((3, 8), int), -np.arange(3) - 9, weight_bits=4, input_bits=4,
                    output_bits=1, activation="sign", detection="speculative")
    whole = Network(BitSerial(4), (layer,), Scores(np.ones((2, 3), bool), np.ones(2, int),
                                                   np.arange(2)))
    whole.save("net.npz")
    done = ohmbit_("export", "net.npz")
    assert done.refusal == ("net.npz: layer0 stops early by speculation, and no node of QONNX "
                            "does: export what it gives where it does not, with --detection exact")
    assert ohmbit_("export", "net.npz", "--detection", "exact").code == 0
    images = np.random.default_rng(0).integers(0, 16, (50, 8))
    assert executed(onnx.load("net.onnx"), whole.detecting("exact"), images)


@pytest.mark.parametrize("change, message", [
    (lambda _: drawing_network(64, 12, 10, samples=4), "its encoder is a Stochastic"),
    (lambda net: replace(net, layers=(replace(net.layers[0], tile_rows=8, sense=2),)),
     "layer0 is in tiles"),
    (lambda _: random_network(300, 10, bits=16), "scores has numbers of up to 19,660,500 units"),
])
def test_refuses(change, message, network, ohmbit_, tmp_path):
    change(Network.load(network)).save(network)
    refusal = ohmbit_("export", network).refusal
    assert refusal.startswith("net.npz: ") and message in refusal
    assert [path.name for path in tmp_path.iterdir()] == ["net.npz"]


@pytest.mark.parametrize("arguments, message", [
    (("-o", "."), "is a folder: name a file in it"),
    (("-o", "net.npz"), "net.npz is the network: name another file with -o"),
    (("-o", "net.npz/x.onnx"), "cannot be written"),
    (("--detection", "exact"), "--detection: Detection can be chosen where"),
])
def test_refuses_arguments(arguments, message, network, ohmbit_, tmp_path):
    before = network.read_bytes()
    assert message in ohmbit_("export", network, *arguments).refusal
    assert network.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["net.npz"]


def test_refuses_what_is_no_network(ohmbit_):
    assert "no such file" in ohmbit_("export", "none.npz").refusal


def test_a_full_disk_leaves_what_was_there(network, ohmbit_, monkeypatch):
    pathlib.Path("net.onnx").write_text("before")

    def full(self, contents):
        raise OSError(28, "No space left on device", str(self))

    monkeypatch.setattr(pathlib.Path, "write_bytes", full)
    assert "the disk is full" in ohmbit_("export", network).refusal
    assert pathlib.Path("net.onnx").read_text() == "before"
    assert sorted(path.name for path in pathlib.Path().iterdir()) == ["net.npz", "net.onnx"]


def test_says_what_to_install(network, ohmbit_, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    assert ohmbit_("export", network).refusal == \
        "net.npz: onnx is not installed: pip install 'ohmbit[qonnx]'"
    assert not pathlib.Path("net.onnx").exists()

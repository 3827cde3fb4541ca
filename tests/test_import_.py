import os
import pathlib

import numpy as np
import pytest

from model.network import Network

from .onnx_graphs import Chain


RNG = np.random.default_rng(5)
TFC = pathlib.Path(os.environ.get("OHMBIT_DATA", "nowhere")).absolute() / "qonnx" / "TFC_1W1A.onnx"


def signs(*shape):
    return np.where(RNG.random(shape) < 0.5, -1.0, 1.0)


@pytest.fixture
def graph(ohmbit_):
    """A good one, of digits."""
    chain = Chain(1, 64).node("Sub", 0.5).bipolar().matmul(signs(64, 12), 1.0)
    chain.norm(signs(12), np.ones(12), np.zeros(12), np.ones(12)).bipolar()
    return chain.matmul(signs(12, 10), 0.5).save("net.onnx")


@pytest.mark.skipif(not TFC.exists(), reason="set OHMBIT_DATA to a folder with mnist/ and "
                                             "qonnx/TFC_1W1A.onnx of the QONNX model zoo")
def test_a_network_of_the_model_zoo(ohmbit_):
    """As many right as FINN's notebook prints, and no number of another value."""
    done = ohmbit_("import", TFC, "-o", "tfc.npz", "--dataset", "mnist", "--verify", "mnist",
                   "--json")
    assert done.code == 0, done.err
    answer = done.json
    assert answer["sizes"] == [784, 64, 64, 64, 10]
    assert [layer["flipped"] for layer in answer["layers"]] == [1, 5, 6, 0]
    assert [layer["undecided"] for layer in answer["layers"]] == [0, 0, 0, 0]
    assert [answer[name] for name in ("images", "activations", "sums", "classes", "mismatches")] \
        == [10_000, 1_920_000, 2_020_000, 10_000, 0]
    assert ohmbit_("eval", "tfc.npz", "--json").json["correct"] == 9296


def test_writes_a_network_and_says_what_it_is(graph, ohmbit_):
    done = ohmbit_("import", graph, "--divide", 16, "--dataset", "digits", "--verify", "digits",
                   "--explain")
    assert done.code == 0, done.err
    assert "layer0  MatMul_3, BatchNormalization_4, BipolarQuant_5  64 x 12" in done.out
    assert "scores  MatMul_7" in done.out
    assert done.out.splitlines()[-1].startswith(
        "net.npz: 64-12-10, equal to the graph in 12,600 numbers of 360 images")
    network = Network.load("net.npz")
    assert network.dataset == "digits" and network.class_names[3] == "3"
    assert network.shape.sizes == (64, 12, 10)
    assert network.encoder.level == 8
    done = ohmbit_("import", graph, "-o", "other/name.npz", "--json")
    assert done.code == 0 and "mismatches" not in done.json
    assert Network.load("other/name.npz").encoder.level == 128


def test_pixels_may_be_said(ohmbit_):
    graph = Chain(1, 64).matmul(signs(64, 10), 1.0).save("net.onnx")
    assert "say what pixels become, with --input" in ohmbit_("import", graph).refusal
    for text, planes in (("bipolar:8", 1), ("uint:5", 5), ("uint:8", 8)):
        assert ohmbit_("import", graph, "--input", text, "--verify", "digits").code == 0
        assert Network.load("net.npz").encoder.planes == planes


def test_a_difference_is_told_and_nothing_written(ohmbit_):
    """As many tenths up as down are not always nothing, when floats add them up."""
    chain = Chain(1, 64).node("Sub", 0.5).bipolar().matmul(signs(64, 40) * 0.1).bipolar()
    graph = chain.matmul(signs(40, 10), 1.0).save("net.onnx")
    done = ohmbit_("import", graph, "--divide", 16, "--verify", "digits", "--explain", "--json")
    assert done.code == 1 and not pathlib.Path("net.npz").exists()
    assert done.json["mismatches"] > 0
    assert all("its sum 0 above the threshold" in line or "MatMul_5" in line or "class" in line
               for line in done.json["differences"])
    assert "nothing was written" in done.err and "BipolarQuant_3, image" in done.err
    done = ohmbit_("import", graph, "--divide", 16)
    assert done.code == 0
    assert "40 places of layer0 are where float32 may round either way" in done.out


@pytest.mark.parametrize("arguments, message", [
    (("--input", "bipolar"), "--input takes bipolar:LEVEL with a level from 1 to 255, or uint:BITS "
                             "with 1 to 8 bits, not 'bipolar'"),
    (("--input", "uint:9"), "--input takes"), (("--input", "bipolar:256"), "--input takes"),
    (("--input", "uint:²"), "--input takes"), (("--input", "int:8"), "--input takes"),
    (("--divide", "0"), "--divide takes a number above 0, not 0"),
    (("--divide", "nan"), "--divide takes a number above 0, not nan"),
    (("--dataset", "letters"), "letters"), (("--verify", "letters"), "letters"),
    (("--verify", "iris"), "the graph takes 64 pixels, and an image has 4"),
    (("--input", "uint:4", "--verify", "digits"), "between 0 and 15, not 0 to 16"),
    (("-o", "."), "is a folder: name a file in it"),
])
def test_refuses(graph, ohmbit_, arguments, message):
    assert message in ohmbit_("import", graph, *arguments).refusal
    assert not pathlib.Path("net.npz").exists()


def test_refuses_what_is_no_graph(ohmbit_, tmp_path):
    assert "No such file" in ohmbit_("import", "none.onnx").refusal
    pathlib.Path("none.onnx").write_text("no graph")
    assert ohmbit_("import", "none.onnx").refusal.startswith("none.onnx: ")
    assert list(tmp_path.iterdir()) == [tmp_path / "none.onnx"]


def test_says_what_to_install(graph, ohmbit_, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "qonnx.core.onnx_exec", None)
    assert "pip install 'ohmbit[qonnx]'" in ohmbit_("import", graph).refusal

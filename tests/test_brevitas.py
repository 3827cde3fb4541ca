"""Networks that Brevitas made and wrote itself, by all of its ways to ONNX."""

import importlib.util

import numpy as np
import pytest

from model import qonnx
from model.agreement import agreement

from .brevitas_networks import EXPORTERS, Kind, digits, export, images, network, outputs


IMAGES = 1000

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("brevitas") is None,
                       reason="Brevitas: pip install 'ohmbit[brevitas]', see docs/brevitas.md"),
]

KINDS = [
    Kind("sign", "sign", "sign of pixels"),
    Kind("sign of tenths", "sign", "8 bits", bias=True),
    Kind("sign of each", "sign", "8 bits", end="norm"),
    Kind("sign", "relu of 2 bits", "8 bits"),
    Kind("sign", "signed 2 bits", "8 learned bits", bias=True),
    Kind("sign of tenths", "ternary", "sign of pixels", end="norm"),
    Kind("2 bits", "relu of 2 bits", "8 bits", bias=True),
    Kind("2 bits of each", "tanh of 2 bits", "8 learned bits", end="norm"),
    Kind("2 wide bits", "signed 2 bits", "8 signed bits", bias=True),
    Kind("2 bits", "ternary", "8 signed bits", bias=True),
]

# Equal sums of these are not equal in Brevitas, which adds multiples of what float32 only nears.
TYING = [Kind("sign of tenths", "sign", "sign of pixels"), Kind("2 bits", "sign", "8 bits")]

of_each = pytest.mark.parametrize("trained", [False, True], ids=["random", "trained"])


def imported(kind, exporter, trained, tmp_path):
    path = tmp_path / "net.onnx"
    export(network(kind, trained), exporter, path)
    return qonnx.load(path)


def order(scores):
    """Classes of each image from the greatest score to the least, of equal ones the first first."""
    return np.argsort(-scores.astype(np.float64), axis=1, kind="stable")


@of_each
@pytest.mark.parametrize("kind, exporter", [(kind, exporter) for kind in KINDS
                                            for exporter in kind.exporters], ids=str)
def test_import_computes_what_brevitas_does(kind, exporter, trained, tmp_path):
    """All activations of 1,000 images, and the order of all scores."""
    found = imported(kind, exporter, trained, tmp_path)
    x = images(IMAGES)
    real, scores = outputs(network(kind, trained), x)
    trace = found.network.trace(x)
    assert len(real) == len(found.network.layers) == 2
    for n, (step, expected) in enumerate(zip(found.steps, real, strict=False)):
        got = trace[f"layer{n}.{'bits' if step.levels.most == 1 else 'values'}"]
        assert step.levels.fits(expected)
        np.testing.assert_array_equal(got, step.levels.index(expected))
    np.testing.assert_array_equal(order(trace["scores"]), order(scores))
    compared = agreement(found, x)
    assert compared.images == compared.classes == IMAGES and compared.parts == ()


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_networks_have_learned(kind):
    x, y = digits()
    _, scores = outputs(network(kind, True), x)
    assert (scores.argmax(axis=1) == y).mean() > 0.75


@of_each
@pytest.mark.parametrize("kind", TYING, ids=str)
def test_of_equal_sums_rounding_alone_decides_in_brevitas(kind, trained, tmp_path):
    """Whichever class Brevitas then takes has the greatest score of the import, too."""
    found = imported(kind, "qonnx", trained, tmp_path)
    x = images(IMAGES)
    _, scores = outputs(network(kind, trained), x)
    got = found.network.trace(x)["scores"]
    taken = np.take_along_axis(got, scores.argmax(axis=1)[:, None], axis=1)[:, 0]
    np.testing.assert_array_equal(taken, got.max(axis=1))


@pytest.mark.parametrize("exporter", [name for name in EXPORTERS if name.startswith("qcdq")])
def test_brevitas_writes_no_signs_but_as_qonnx(exporter, tmp_path):
    """Else :attr:`tests.brevitas_networks.Kind.exporters` leaves out what it could have."""
    with pytest.raises(AssertionError, match="Binary quant not supported"):
        export(network(KINDS[0], False), exporter, tmp_path / "net.onnx")

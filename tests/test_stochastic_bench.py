"""`bench.stochastic`: networks that were trained on exact pixels see bits drawn of them."""

import json

import numpy as np
import pytest

from bench.stochastic import carried_over, main
from model.dense import Dense
from model.encoder import BitSerial
from model.network import Network
from model.scores import Scores
from model.stochastic import Stochastic


@pytest.fixture
def images(tmp_path):
    """Two classes that are bright in one half or the other."""
    rng = np.random.default_rng(0)
    y = np.arange(200) % 2
    x = rng.integers(0, 120, (200, 16))
    x[y == 0, :8] += 110
    x[y == 1, 8:] += 110
    path = tmp_path / "halves.npz"
    np.savez(path, x_train=x[:100], y_train=y[:100], x_test=x[100:], y_test=y[100:])
    return str(path)


@pytest.mark.parametrize("generator", ["vdc", "vdc-xor"])
def test_all_samples_are_exact_pixels(generator):
    """256 samples of a pixel add up to the pixel."""
    rng = np.random.default_rng(1)
    weights = rng.random((30, 20)) < 0.5
    encoder = BitSerial(8)
    signs = np.where(weights, 1, -1).sum(axis=1)
    layer = Dense(weights, 128 * signs + rng.integers(-400, 400, 30), gains=encoder.gains,
                  bipolar=False)
    ones = np.ones(4, dtype=int)
    network = Network(encoder, (layer,), Scores(rng.random((4, 30)) < 0.5, ones, ones))
    images = rng.integers(0, 256, (200, 20))
    drawn = carried_over(network, Stochastic(256, generator=generator))
    bits = network.trace(images)["layer0.bits"]
    assert 0.2 < bits.mean() < 0.8
    assert (drawn.trace(images)["layer0.bits"] == bits).all()
    assert (drawn(images) == network(images)).all()


def test_accuracies(images, capsys):
    assert main(["--dataset", images, "--hidden", "16", "--samples", "1,16", "--epochs", "20",
                 "--generators", "vdc,lfsr", "--adapted", "--json"]) == 0
    exact, *rows = json.loads(capsys.readouterr().out)
    assert exact["accuracy"][""] >= 95
    assert [(row["generator"], row["training"]) for row in rows] == [
        ("vdc", "exact"), ("vdc", "adapted"), ("lfsr", "exact"), ("lfsr", "adapted")]
    assert all(row["accuracy"].keys() == {"1", "16"} for row in rows)
    assert all(row["accuracy"]["16"] >= 90 for row in rows)
    assert main(["--dataset", images, "--hidden", "8", "--samples", "4", "--epochs", "2",
                 "--generators", "vdc"]) == 0
    assert "| vdc" in capsys.readouterr().out


@pytest.mark.parametrize("options, said", [
    (["--samples", "3"], "Samples must be a power of two from 1 to 256, not 3"),
    (["--generators", "dice"], "Generator must be one of lfsr"),
    (["--dataset", "digits"], "pixels of digits have 5 bits: choose a dataset with 8")])
def test_what_cannot_be_measured(options, said, capsys):
    assert main(options) == 2
    assert said in capsys.readouterr().err

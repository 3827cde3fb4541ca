"""``ohmbit tile``."""

import importlib

import numpy as np
import pytest

from model import data
from model.network import Network
from model.tiling import tile

from .commandline import random_network


def test_tile_counts_tiles_and_what_is_right(ohmbit_, network):
    outcome = ohmbit_("tile", network, "--size", "16x8", "--bias", "3", "--sense", "3",
                      "-o", "tiled.npz", "--json")
    answer, expected = outcome.json, tile(Network.load(network), rows=16, columns=8, bias_rows=3,
                                          sense=3)
    assert outcome.code == 0
    first, scores = answer["layers"]
    # 64 inputs and 12 neurons, and 12 inputs and 10 classes, whose biases no cell holds.
    assert first == {
        "layer": "layer0", "inputs": 64, "outputs": 12, "grid": [4, 2], "tiles": 8,
        "rows": 8 * 19, "columns": 8 * 8, "cells": 8 * 19 * 8, "used_cells": 12 * (64 + 4 * 3),
        "used_share": 0.75, "thresholds": 12, "saturated": int(expected.held[0].saturated.sum()),
        "rounded": int(expected.held[0].rounded.sum())}
    assert first["saturated"] + first["rounded"] > 0
    assert scores == {
        "layer": "scores", "inputs": 12, "outputs": 10, "grid": [1, 2], "tiles": 2,
        "rows": 2 * 19, "columns": 2 * 8, "cells": 2 * 19 * 8, "used_cells": 120,
        "used_share": 120 / 304, "thresholds": 0, "saturated": 0, "rounded": 0}
    digits = data.load("digits")
    assert (answer["dataset"], answer["images"]) == ("digits", 360)
    assert (answer["size"], answer["bias_rows"], answer["sense"]) == ([16, 8], 3, 3)
    for key, net in (("exact_accuracy", expected.exact), ("accuracy", expected.network)):
        assert answer[key] == (net(digits.x_test) == digits.y_test).mean()
    assert "on tiles of 16 x 8 weights and 3 bias rows, sensed with 3 bits" in outcome.err
    assert "75.0%" in outcome.err and "tiled.npz: written" in outcome.err

    written = Network.load("tiled.npz")
    for layer, wanted in zip(written.all_layers, expected.network.all_layers, strict=True):
        for name, value in vars(wanted).items():
            assert name in ("crossbar", "grid") or np.array_equal(getattr(layer, name), value), name
    # It runs the same in hardware, and is the same network when it is spread over tiles again.
    simulated = ohmbit_("simulate", "tiled.npz", "--engine", "amaranth", "--images", "2", "--pe",
                        "3", "--simd", "7", "--json").json
    assert simulated["mismatches"] == 0 and simulated["cycles"] == simulated["predicted_cycles"]
    again = ohmbit_("tile", "tiled.npz", "--size", "16x8", "--sense", "3", "--json").json
    assert again["accuracy"] == answer["accuracy"]


@pytest.mark.parametrize("options, said", [
    ([], "128 x 128 weights, sensed exactly"), (["--sense", "sign"], "sensed by sign"),
    (["--sense", "1"], "sensed with 1 bit\n")])
def test_tile_says_how_it_senses(ohmbit_, network, options, said):
    outcome = ohmbit_("tile", network, *options)
    assert outcome.code == 0 and said in outcome.out
    assert "written" not in outcome.out
    assert ("(+0.00 points)" in outcome.out) == (not options)


def test_all_images_count(ohmbit_, network, monkeypatch):
    whole = ohmbit_("tile", network, "--sense", "2", "--json").json
    monkeypatch.setattr(importlib.import_module("ohmbit.commands.tile"), "CHUNK", 7)
    assert ohmbit_("tile", network, "--sense", "2", "--json").json == whole


@pytest.mark.parametrize("options, line", [
    (["--size", "16"], "--size takes rows and columns of weights, such as 128x128, not '16'"),
    (["--size", "0x4"], "--size takes rows and columns of weights, such as 128x128, not '0x4'"),
    (["--sense", "9"], "--sense takes exact, sign, or 1 to 8 bits, not '9'"),
    (["--sense", "loud"], "--sense takes exact, sign, or 1 to 8 bits, not 'loud'"),
    (["-o", "."], "is a folder: name a file in it"),
    (["--bias", "-1"], "bias"),
])
def test_bad_input_is_one_line(ohmbit_, network, options, line):
    assert line in ohmbit_("tile", network, *options).refusal


def test_sensitivity_refuses_tiles_that_sense(ohmbit_):
    random_network(64, 12, 10).save("net.npz")
    assert ohmbit_("tile", "net.npz", "--sense", "2", "-o", "tiled.npz").code == 0
    assert "tiles that sense" in ohmbit_("sensitivity", "tiled.npz").refusal

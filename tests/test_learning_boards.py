"""Boards that learn: through their pins, as a netlist, and as bitstreams."""

import os
import pathlib

import numpy as np
import pytest

from boards import catalog
from boards.virtual import VirtualBoard
from boards.virtual_engine import VirtualEngine
from gateware.learning_fit import fit
from gateware.learning_plan import LearningPlan
from gateware.trainer import Trainer
from model import data
from model.convergence import Convergence
from model.learned import scaled
from model.sign_update import Learner, SignUpdate
from ohmbit.commands.build import clocked_board
from ohmbit.inputs import choose_board
from ohmbit.rules import Wanted
from ohmbit.trainers import choose_folding
from sim import tools
from sim.netlist_engine import NetlistEngine


pytestmark = pytest.mark.slow

DIGITS = SignUpdate(64, 128, 10, margin=300, filter=256)


def learned(engine, plan, count):
    """Have an engine and the model learn digits, one a time and then many; what either came to."""
    images = data.load("digits")
    x, y = scaled(images.x_train[:count], 16), images.y_train[:count]
    learner = Learner(plan.folding.spec, Convergence.scheduled(2, count))
    engine.write(plan.folding.image(learner))
    for part in slice(0, 1), slice(1, count):
        result = engine.infer(np.column_stack([x[part], y[part]]))
        steps = list(learner.learn(x[part], y[part]))
        assert result.scores.tolist() == [step.scores.tolist() for step in steps]
        taken = (tuple(plan.folding.cycles(step) for step in steps),)
        predict = getattr(engine, "predict", lambda n, taken: plan.cycles(n, taken=taken))
        assert result.cycles == predict(len(steps), taken)
    assert learner.control.samples == count
    return engine.read(), plan.folding.image(learner)


def test_an_icebreaker_learns_digits_through_its_pins():
    board = catalog.find("icebreaker")
    plan = LearningPlan(fit(DIGITS, board.resources))
    with VirtualEngine(board) as engine:
        engine.load(Trainer(plan))
        found, expected = learned(engine, plan, 60)
    assert found == expected


def test_a_board_of_another_clock_and_rate_learns_by_command(ohmbit_, tmp_path):
    rng = np.random.default_rng(1)
    x = rng.integers(0, 256, (30, 6))
    np.savez("few.npz", x_train=x, y_train=x[:, 0] // 90, x_test=x[:9], y_test=x[:9, 0] // 90)
    few = data.load("few.npz")
    board = clocked_board(choose_board("icebreaker", baud=1_500_000), "18")
    spec = Wanted(8, 8, "integer", 0, None, None, 1).rule(few)
    plan = LearningPlan(choose_folding(spec, board, few, None))
    with VirtualBoard(board, Trainer(plan)) as virtual:
        said = ohmbit_("learn", "few.npz", "--hidden", "8", "--epochs", "2", "--every", "25",
                       "--engine", "board", "--port", virtual.path, "--baud", "1500000",
                       "--json").json
    assert said["engine"] == "board" and said["compared"] == 60
    assert said["images_per_second"] == round(60 * 18e6 / said["cycles"], 1)


@pytest.mark.nightly
@pytest.mark.parametrize("board", ["icebreaker", "ulx3s-85f"])
def test_netlists_learn_digits(board):
    board = catalog.find(board)
    plan = LearningPlan(fit(DIGITS, board.resources))
    engine = NetlistEngine(board.family.name)
    engine.load(Trainer(plan))
    found, expected = learned(engine, plan, 40)
    assert found == expected


@pytest.mark.nightly
@pytest.mark.skipif("OHMBIT_DATA" not in os.environ,
                    reason="MNIST: set OHMBIT_DATA to a folder with mnist/")
@pytest.mark.timeout(5_400)   # of which most goes into routing block RAMs
@pytest.mark.parametrize("board, mhz, cycles, options", [
    ("icebreaker", 24, 10_000, ()),
    ("ulx3s-85f", 30, 700, ("--hidden", "300", "--clock", "30", "--target-cycles", "700"))])
def test_bitstreams_that_learn_mnist(ohmbit_, board, mhz, cycles, options):
    for tool in catalog.find(board).family.tools:
        if tools.find(tool) is None:
            pytest.skip(f"{tool}: {tools.TOOLS[tool].get}")
    found = ohmbit_("trainer", "mnist", "--board", board, *options, "--json").json
    assert found["clock_mhz"] == mhz <= found["fmax_mhz"]
    assert found["cycles_per_update"] <= cycles
    assert found["luts"] <= found["luts_available"]
    assert pathlib.Path(found["bitstream"]).exists()

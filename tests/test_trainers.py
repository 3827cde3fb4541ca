"""Hardware beside the golden model, and bitstreams of it."""

import importlib
import pathlib

import numpy as np
import pytest

from boards import catalog
from gateware.learning_fit import fit
from gateware.learning_folding import LearningFolding
from gateware.learning_plan import LearningPlan
from gateware.trainer import Trainer
from model import data
from model.errors import CheckFailed, InputError
from model.network import Network
from model.sign_update import Learner, SignUpdate
from ohmbit.trainers import Beside
from sim.amaranth_engine import AmaranthEngine

from .commandline import pretended


trainer = importlib.import_module("ohmbit.commands.trainer")


@pytest.fixture
def few(tmp_path):
    """A dataset of a few small images."""
    rng = np.random.default_rng(1)
    x = rng.integers(0, 256, (30, 6))
    np.savez("few.npz", x_train=x, y_train=x[:, 0] // 90, x_test=x[:9], y_test=x[:9, 0] // 90)
    return "few.npz"


def test_hardware_learns_beside_the_model(ohmbit_, few):
    options = ("learn", few, "--hidden", "8", "--epochs", "2", "--every", "25")
    alone = ohmbit_(*options, "-o", "alone.npz", "--json").json
    both = ohmbit_(*options, "-o", "both.npz", "--engine", "amaranth", "--json").json
    assert both.items() >= {"engine": "amaranth", "compared": 60, "updates": alone["updates"],
                            "accuracy": alone["accuracy"]}.items()
    assert both["images_per_second"] == round(60 * 24e6 / both["cycles"], 1)
    assert pathlib.Path("alone.npz").read_bytes() == pathlib.Path("both.npz").read_bytes()
    said = ohmbit_(*options, "-o", "both.npz", "--engine", "amaranth").out
    assert "amaranth: PE 8, rows of the second crossbar " in said
    assert "amaranth: 60 images as the golden model learns them" in said
    assert Network.load("both.npz").shape.sizes == (6, 8, 3)


def test_hardware_goes_on_where_the_model_stopped(ohmbit_, few, monkeypatch):
    command = importlib.import_module("ohmbit.commands.learn")
    save = command.checkpoint.save

    def interrupted(*arguments):
        save(*arguments)
        raise KeyboardInterrupt

    options = ("learn", few, "--hidden", "8", "--epochs", "2", "--every", "25", "-o", "net.npz")
    monkeypatch.setattr(command.checkpoint, "save", interrupted)
    assert ohmbit_(*options).code == 130
    monkeypatch.setattr(command.checkpoint, "save", save)
    assert ohmbit_(*options, "--engine", "amaranth", "--json").json["compared"] == 35


class Wrong:
    """An engine that is right but for one thing."""

    name = "wrong"

    def __init__(self, plan, thing):
        self._thing, self._engine = thing, AmaranthEngine()
        self._engine.load(Trainer(plan))
        self.write = self._engine.write

    def infer(self, images):
        result = self._engine.infer(images)
        if self._thing == "scores":
            result.scores[1, 2] += 1
        return result

    def read(self):
        image = self._engine.read()
        if self._thing == "copy":
            image["copy"][3] ^= 1
        return image

    def predict(self, images, taken):
        return 7 if self._thing == "cycles" else sum(taken[0]) + 8


SPEC = SignUpdate(6, 4, 3, bits=4, bias=2)


@pytest.mark.parametrize("thing, message", [
    ("scores", r"image 2 has the scores \[.*\], not \[.*\]"),
    ("copy", "after 3 images row 3 of copy is 0x[0-9a-f]*, not 0x[0-9a-f]*"),
    ("cycles", "3 images took [0-9]* cycles, not 7")])
def test_any_difference_is_told(thing, message):
    plan = LearningPlan(LearningFolding(SPEC, pe=4))
    learner = Learner(SPEC)
    beside = Beside(Wrong(plan, thing), plan, catalog.find("icebreaker"), learner)
    images, labels = np.full((3, 6), 200), np.array([0, 1, 2])
    steps = list(learner.learn(images, labels))
    with pytest.raises(CheckFailed, match=f"^{message}$"):
        beside.learn(images, labels, steps, learner)


@pytest.mark.parametrize("options, message", [
    (["--engine", "abacus"], "--engine takes model, amaranth, verilator, verilator-rtl, netlist, "
                             "virtual, icarus, board, not 'abacus'"),
    (["--port", "/dev/x"], "--port is for boards: choose --engine board, or leave it out"),
    (["--engine", "amaranth", "--target-cycles", "9"],
     "hardware that learns 6-8-3 takes 44 cycles an image at least on icebreaker, not 9: ask for "
     "that, or for a larger board"),
    (["--engine", "amaranth", "--hidden", "4096", "--bits", "12"],
     "hardware that learns 6-4096-3 is too large for icebreaker"),
    (["--engine", "amaranth", "--board", "abacus"], "no board 'abacus'")])
def test_bad_options(ohmbit_, few, options, message):
    outcome = ohmbit_("learn", few, "--hidden", "8", *options)
    assert outcome.refusal.startswith(message)
    assert not pathlib.Path("few-learned.npz").exists()


@pytest.mark.parametrize("options, rate", [([], 3_000_000), (["--baud", "1500000"], 1_500_000)])
def test_a_board_is_talked_to_at_its_rate(ohmbit_, few, monkeypatch, options, rate):
    def opened(path, baud):
        raise InputError(f"{path} at {baud}")

    monkeypatch.setattr("ohmbit.trainers.Driver.open", opened)
    outcome = ohmbit_("learn", few, "--engine", "board", "--port", "/dev/x", *options)
    assert outcome.refusal == f"/dev/x at {rate}"


def fake_tools(monkeypatch, seen):
    """A build that takes no time and needs no tools."""
    def tools_run(board, top, *, build_dir, name, progress, **options):
        seen.append((board.name, *(f"{name}={value}" for name, value in options.items() if value)))
        seen.append(top(board))
        return pretended(board, build_dir, name)

    monkeypatch.setattr(trainer, "run_tools", tools_run)
    monkeypatch.setattr(trainer, "Trainer", lambda plan: plan)
    monkeypatch.setattr(trainer, "Top", lambda board, component: component)


def test_a_bitstream_that_learns(ohmbit_, monkeypatch):
    seen = []
    fake_tools(monkeypatch, seen)
    answer = ohmbit_("trainer", "digits", "--board", "icebreaker", "--clock", "30.1", "--seeds",
                     "4", "--margin", "100", "--filter", "256", "--json").json
    assert answer["bitstream"] == "build/digits-trainer-icebreaker/top.bin"
    assert answer["sizes"] == [64, 128, 10] and answer["clock_mhz"] == 30
    spec = SignUpdate(64, 128, 10, margin=100, filter=256)
    images = data.load("digits")
    active = round(images.x_train.mean() / 16 * 64 + 4)
    folding = fit(spec, catalog.find("icebreaker").resources, active=active)
    assert answer["cycles_per_update"] == folding.updated(active)
    assert answer["updates_per_second"] == round(30e6 / folding.updated(active), 1)
    assert seen == [("icebreaker", "seeds=4"), LearningPlan(folding)]
    assert (pathlib.Path(answer["bitstream"]).parent / "build.json").exists()

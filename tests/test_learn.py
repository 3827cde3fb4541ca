"""``ohmbit learn``."""

import importlib
import os
import pathlib

import numpy as np
import pytest

from model import compiled_learner
from model.compend import Compend
from model.dense import Dense
from model.network import Network
from model.scores import Scores


command = importlib.import_module("ohmbit.commands.learn")

SMALL = ("learn", "digits", "--hidden", "12", "--epochs", "2", "-o", "net.npz")


@pytest.mark.parametrize("forward, kinds", [
    ("integer", (Compend, Compend)), ("sign-first", (Dense, Compend)), ("sign", (Dense, Scores))])
def test_learn_writes_a_network_that_others_run(ohmbit_, forward, kinds):
    learned = ohmbit_("learn", "digits", "--hidden", "30", "--epochs", "8", "-o", "net.npz",
                      "--forward", forward, "--json").json
    network = Network.load("net.npz")
    assert tuple(map(type, network.all_layers)) == kinds
    assert network.dataset == "digits" and learned["sizes"] == [64, 30, 10]
    assert learned["learned"] == 8 * 1_437 and 0 < learned["updates"] < learned["learned"]
    judged = ohmbit_("eval", "net.npz", "--json").json
    assert judged["accuracy"] == learned["exact_accuracy"] > 0.75
    assert abs(learned["accuracy"] - learned["exact_accuracy"]) < 0.05
    compared = ohmbit_("simulate", "net.npz", "--images", "3", "--engine", "amaranth",
                       "--no-boundary", "--json").json
    assert compared["mismatches"] == 0


def test_going_on_gives_the_same_bits_as_never_stopping(ohmbit_, monkeypatch):
    assert ohmbit_(*SMALL, "--every", "100").code == 0
    expected = Network.load("net.npz")
    save, left = command.checkpoint.save, 17

    def interrupted(*arguments):
        nonlocal left
        save(*arguments)
        left -= 1
        if not left:
            raise KeyboardInterrupt

    monkeypatch.setattr(command.checkpoint, "save", interrupted)
    assert ohmbit_(*SMALL[:-1], "again.npz", "--every", "100").code == 130
    outcome = ohmbit_(*SMALL[:-1], "again.npz", "--every", "100")
    assert outcome.code == 0 and not pathlib.Path("again.learning.npz").exists()
    # One of the seventeen was the last of an epoch, of 37 images.
    assert "again.learning.npz: going on after 1,637 of 2,874 images" in outcome.out
    found = Network.load("again.npz")
    for one, other in zip(expected.all_layers, found.all_layers, strict=True):
        assert (one.weights == other.weights).all() and (one.bias == other.bias).all()


def test_machine_code_writes_the_same_file(ohmbit_, monkeypatch):
    kinds = [(True, "compiled by Numba")] * compiled_learner.can_compile() + [(False, "in NumPy")]
    for here, said in kinds:
        monkeypatch.setattr(compiled_learner, "can_compile", lambda here=here: here)
        monkeypatch.setattr(command, "can_compile", lambda here=here: here)
        outcome = ohmbit_(*SMALL[:-1], f"{here}.npz")
        assert outcome.out.splitlines()[0].endswith(f"; {said}")
    files = [path.read_bytes() for path in pathlib.Path().glob("*.npz")]
    assert len(files) == len(kinds) and len({*files}) == 1


def test_images_that_are_held_out(ohmbit_):
    found = ohmbit_(*SMALL, "--validation", "0.1", "--json").json
    assert (found["images"], found["learned"]) == (144, 2 * 1_293)
    assert "% of 144 held-out images right" in ohmbit_(*SMALL, "--validation", "0.1").out
    assert "% of 360 test images right" in ohmbit_(*SMALL).out


def test_other_options_do_not_go_on(ohmbit_, monkeypatch):
    def interrupted(*arguments):
        save(*arguments)
        raise KeyboardInterrupt

    save = command.checkpoint.save
    monkeypatch.setattr(command.checkpoint, "save", interrupted)
    assert ohmbit_(*SMALL).code == 130
    outcome = ohmbit_(*SMALL, "--seed", "5")
    assert outcome.code == 2
    assert "net.learning.npz is of other learning (seed 1, not 5)" in outcome.err


def accuracy(ohmbit_, *options):
    """Of test images, with eight bits drawn of each pixel: the mean of three seeds."""
    return np.mean([ohmbit_("learn", *options, "--seed", seed, "-o", "net.npz", "--json")
                    .json["accuracy"] for seed in ("1", "2", "3")])


def test_accuracy_of_few_epochs(ohmbit_):
    assert accuracy(ohmbit_, "digits", "--epochs", "20") > 0.93


@pytest.mark.nightly
@pytest.mark.parametrize("least, dataset, options", [
    (0.965, "digits", ["--epochs", "100"]), (0.957, "mnist", ["--hidden", "300", "--epochs", "1"])])
def test_accuracy(ohmbit_, least, dataset, options):
    if dataset == "mnist" and "OHMBIT_DATA" not in os.environ:
        pytest.skip("MNIST: set OHMBIT_DATA to a folder with mnist/")
    assert accuracy(ohmbit_, dataset, *options) >= least


@pytest.mark.parametrize("options, rates", [
    (["--epochs", "208"], "256, 128, 64, 32"), (["--epochs", "209"], "256, 64, 16, 4"),
    (["--epochs", "209", "--decay", "2"], "256, 128, 64, 32")])
def test_rates_fall_further_where_there_are_many_images(ohmbit_, monkeypatch, options, rates):
    def begin(spec, convergence):
        raise KeyboardInterrupt   # before anything is learned

    monkeypatch.setattr(command, "fastest", begin)
    outcome = ohmbit_("learn", "digits", "--hidden", "3", "-o", "net.npz", *options)
    assert f"rates {rates} of 256" in outcome.out


@pytest.mark.parametrize("forward, margin, filter_", [
    ("integer", 392, 128), ("sign-first", 392, 4), ("sign", 20, 4)])
def test_margin_and_filter_go_with_the_size(ohmbit_, forward, margin, filter_):
    outcome = ohmbit_("learn", "digits", "--epochs", "1", "--forward", forward)
    assert f"{forward}, margin {margin}, filter {filter_}, rates" in outcome.out


def test_epochs_that_are_told(ohmbit_):
    options = ("learn", "digits", "--hidden", "2", "--epochs", "21", "-o", "net.npz")
    told = [line for line in ohmbit_(*options).out.splitlines() if line.startswith("epoch")]
    assert [line.split(":")[0] for line in told] == [f"epoch {n}" for n in range(3, 22, 3)]
    assert "rate 32 of 256" in told[-1]


def test_rates_that_fall_by_themselves(ohmbit_):
    outcome = ohmbit_("learn", "digits", "--hidden", "12", "--epochs", "30", "--window", "500",
                      "--decay", "1.5", "-o", "net.npz", "-v")
    assert "rates 256, 171, 114, 76 of 256" in outcome.out
    rates = [int(line.split("rate ")[1].split()[0]) for line in outcome.out.splitlines()
             if line.startswith("epoch")]
    assert rates[0] == 256 and rates[-1] == 76 and (np.diff(rates) <= 0).all()


@pytest.mark.parametrize("hidden, message", [
    ("30,20", "30,20 are 2 layers, and the rule learns one, between two of weights"),
    ("0", "'0' is no number from 1 on"), ("many", "'many' is no number from 1 on")])
def test_one_hidden_layer_and_no_more(ohmbit_, hidden, message):
    assert ohmbit_("learn", "digits", "--hidden", hidden).refusal \
        == f"Invalid value for '--hidden': {message}: see `ohmbit learn --help`"


@pytest.mark.parametrize("options, message", [
    (["--hidden", "5000"], "options: Hidden must be between 1 and 4096, not 5000"),
    (["--bits", "3"], "options: Bits must be between 4 and 12, not 3"),
    (["--forward", "float"],
     "options: Forward must be one of integer, sign-first, sign, not 'float'"),
    (["--noise", "1"], "--noise takes a share from 0 to 1, which is not one, not 1"),
    (["--decay", "1"], "options: Decay must be above 1, and at most 256, not 1.0"),
    (["--validation", "1"],
     "--validation: Share held out must be between 0 and 1, and neither, not 1.0"),
    (["--window", "0"], "options: Window must be between 1 and 4294967295, not 0"),
    (["--filter", "12"], "options: Filter must be a power of two, not 12"),
    (["--margin", "-1"], "options: Margin must be at least 0, not -1")])
def test_bad_options(ohmbit_, options, message):
    outcome = ohmbit_("learn", "digits", "-o", "net.npz", *options)
    assert outcome.code == 2 and outcome.err.splitlines() == [f"ohmbit: {message}"]


def test_a_dataset_must_have_something_to_learn(ohmbit_):
    np.savez("few.npz", x_test=np.zeros((2, 3), int), y_test=np.array([0, 1]))
    outcome = ohmbit_("learn", "few.npz")
    assert outcome.code == 2
    assert "few.npz: it has no training images; add x_train and y_train" in outcome.err

"""What holds for every subcommand: how it ends, and what it says where."""

import errno
import importlib
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

import ohmbit
from model.errors import CheckFailed
from ohmbit.console import console



ROOT = pathlib.Path(__file__).parent.parent

# The package's own attribute of that name is the function.
train = importlib.import_module("ohmbit.commands.train")


# How it is called.

def test_version_and_help(ohmbit_):
    assert ohmbit_("--version").out == f"ohmbit {ohmbit.__version__}\n"
    listed = ohmbit_().out
    for name in ("demo", "train", "eval", "simulate", "sensitivity", "cost", "verilog", "build",
                 "flash", "run", "boards", "doctor", "bench", "import", "export"):
        assert f"\n  {name} " in listed
        assert ohmbit_(name, "--help").code == 0


@pytest.mark.parametrize("arguments", [
    ["nonsense"], ["eval"], ["eval", "net.npz", "--nonsense"], ["train", "digits", "--epochs", "0"],
    ["simulate", "net.npz", "--engine", "nonsense"], ["simulate", "net.npz", "--images", "few"],
    ["build", "net.npz"]])
def test_wrong_usage_is_one_line(ohmbit_, arguments):
    assert " --help`" in ohmbit_(*arguments).refusal


def test_module_runs_the_command():
    done = subprocess.run([sys.executable, "-m", "ohmbit", "--version"], cwd=ROOT, text=True,
                          capture_output=True, check=True)
    assert done.stdout == f"ohmbit {ohmbit.__version__}\n"


# What it says where.

def test_json_is_alone_on_standard_output(ohmbit_, network):
    outcome = ohmbit_("eval", network, "--json")
    assert outcome.code == 0 and outcome.json["images"] == 360
    assert outcome.out.count("\n") == 1
    assert "test images" in outcome.err
    plain = ohmbit_("eval", network)
    assert plain.err == "" and "test images" in plain.out


def test_json_is_there_when_it_fails_too(ohmbit_):
    outcome = ohmbit_("eval", "gone.npz", "--json")
    assert outcome.json == {"error": outcome.refusal}


def test_quiet_and_verbose(ohmbit_, network):
    arguments = ["simulate", network, "--engine", "amaranth", "--images", "1"]
    said = [len(ohmbit_(*arguments, *option).out.splitlines()) for option in ([], ["-q"], ["-v"])]
    assert said == [4, 1, 5]


def test_no_colour_and_no_progress_off_a_terminal(ohmbit_):
    assert "\x1b" not in ohmbit_("boards").out


def test_no_color(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    console.configure()
    assert console._errors.color_system is not None
    monkeypatch.setenv("NO_COLOR", "1")
    console.configure()
    assert console._errors.no_color


def test_narrow_output_does_not_break_lines(ohmbit_):
    assert len(ohmbit_("eval", "long" * 100 + ".npz").refusal) > 400


# How it ends.

@pytest.mark.parametrize("error, code, said", [
    (CheckFailed("3 mismatches\nin all"), 1, "3 mismatches in all"),
    (TimeoutError("1 of 2 scores"), 1, "no answer came: 1 of 2 scores"),
    (PermissionError(errno.EACCES, "Permission denied", "x"), 2, "Permission denied (x)"),
    (OSError(errno.ENOSPC, "No space left", "x.npz"), 2, "the disk is full (x.npz): nothing was "
     "written; free some space and try again"),
    (KeyboardInterrupt(), 130, "interrupted")])
def test_failures_are_one_line(ohmbit_, monkeypatch, error, code, said):
    def fail(*arguments, **options):
        raise error

    monkeypatch.setattr(train, "train_network", fail)
    outcome = ohmbit_("train", "digits", "-o", "new.npz")
    assert (outcome.code, outcome.line) == (code, said)
    assert os.listdir() == []


def test_mistakes_of_our_own_are_not_hidden(ohmbit_, monkeypatch):
    def fail(*arguments, **options):
        raise ZeroDivisionError

    monkeypatch.setattr(train, "train_network", fail)
    with pytest.raises(ZeroDivisionError):
        ohmbit_("train", "digits")


@pytest.mark.parametrize("error, code", [(OSError(errno.ENOSPC, "No space left"), 2),
                                         (KeyboardInterrupt(), 130)])
def test_nothing_is_left_half_written(ohmbit_, network, monkeypatch, error, code):
    def fail(file, **options):
        file.write(b"half of it")
        raise error

    before = network.read_bytes()
    monkeypatch.setattr(np, "savez_compressed", fail)
    outcome = ohmbit_("train", "digits", "-o", network, "--hidden", "2", "--epochs", "1")
    assert outcome.code == code and outcome.line
    assert network.read_bytes() == before and os.listdir() == ["net.npz"]


@pytest.mark.skipif(not pathlib.Path("/dev/full").exists(), reason="/dev/full is a Linux device")
def test_full_standard_output():
    with open("/dev/full", "w") as full:
        done = subprocess.run([sys.executable, "-m", "ohmbit", "boards"], cwd=ROOT, stdout=full,
                              stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("ohmbit: the disk is full") and done.stderr.count("\n") == 1


def test_a_reader_that_leaves_is_no_failure():
    process = subprocess.Popen([sys.executable, "-m", "ohmbit", "boards"], cwd=ROOT, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    assert process.stderr.read() == "" and process.wait() == 141
    process.stderr.close()

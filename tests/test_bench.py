"""The command that runs benchmarks of a checkout."""

import importlib
import json
import pathlib
import subprocess
import sys

import pytest

from model.errors import InputError


ROOT = pathlib.Path(__file__).parent.parent

# The package's own attribute of that name is the function.
bench = importlib.import_module("ohmbit.commands.bench")


def test_benchmarks_are_listed(ohmbit_):
    rows = {row["name"]: row["measures"] for row in ohmbit_("bench", "--json").json["benchmarks"]}
    assert {"accuracy", "boards", "engines", "mutants", "sim"} <= rows.keys()
    assert rows["mutants"] == "How many small changes to the gateware its tests notice."
    assert not {"mutation", "record", "trials"} & rows.keys()   # what they are made of
    shown = ohmbit_("bench").out
    assert all(name in shown and line in shown for name, line in rows.items())


def test_unknown_benchmark(ohmbit_):
    assert "no benchmark 'nonsense': there are accuracy, " in \
        ohmbit_("bench", "nonsense").refusal


def test_benchmarks_are_not_installed(ohmbit_, monkeypatch, tmp_path):
    monkeypatch.setattr(bench, "ROOT", tmp_path)
    for arguments in ([], ["sim"]):
        assert "benchmarks are not installed: run them in a checkout" in \
            ohmbit_("bench", *arguments).refusal
    with pytest.raises(InputError):
        bench.benchmarks(tmp_path / "bench")


def test_options_are_passed_on(ohmbit_, monkeypatch):
    calls = []

    def run(command, env):
        calls.append((command, env["PYTHONPATH"]))
        return subprocess.CompletedProcess(command, len(calls) - 1)

    monkeypatch.setattr(bench.subprocess, "run", run)
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    assert ohmbit_("bench", "sim", "net.npz", "--images", "7", "-x").code == 0
    assert ohmbit_("bench", "accuracy", "--json", "--seeds", "2").code == 1
    assert ohmbit_("bench", "accuracy").code == 2
    assert [command[1:] for command, _ in calls] == [
        ["-m", "bench.sim", "net.npz", "--images", "7", "-x"],
        ["-m", "bench.accuracy", "--seeds", "2", "--json"], ["-m", "bench.accuracy"]]
    assert {(command[0], path.split(":")[0]) for command, path in calls} \
        == {(sys.executable, str(ROOT))}


def test_a_benchmark_runs_wherever_one_is(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "ohmbit", "bench", "accuracy", "--dataset", "iris", "--hidden", "3",
         "--seeds", "1", "--epochs", "1", "--json"], cwd=tmp_path, capture_output=True, text=True,
        env={"PYTHONPATH": str(ROOT), "PATH": ""})
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["dataset"] == "iris"
    wrong = subprocess.run(
        [sys.executable, "-m", "ohmbit", "bench", "accuracy", "--seeds", "0"], cwd=tmp_path,
        capture_output=True, text=True, env={"PYTHONPATH": str(ROOT), "PATH": ""})
    assert wrong.returncode == 2 and wrong.stderr.endswith("--seeds must be at least 1\n")

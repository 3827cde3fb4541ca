"""The demo, whole and with tools missing."""

import importlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import platformdirs
import pytest

from ohmbit.engines import ENGINES
from sim import tools

from .commandline import call, random_network, without


ROOT = pathlib.Path(__file__).parent.parent

# The package's own attribute of that name is the function.
demo = importlib.import_module("ohmbit.commands.demo")

LACKING = [name for name in ("yosys", "nextpnr-ice40", "icepack", "verilator", "c++", "perl")
           if tools.find(name) is None]

needs_tools = pytest.mark.skipif(bool(LACKING), reason=f"{', '.join(LACKING)} not here: see "
                                                       "`ohmbit doctor`")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder that tools in a sandbox see, which temporary ones are not."""
    path = ROOT / "build" / f"test-{tmp_path.name}"
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    monkeypatch.chdir(path)
    yield path
    shutil.rmtree(path)


@pytest.mark.slow
@needs_tools
def test_demo(capsys, folder):
    outcome = call(capsys, "demo", "--json")
    answer = outcome.json
    assert outcome.code == 0
    assert answer["engine"] == "verilator"
    assert (answer["images"], answer["mismatches"]) == (360, 0)
    assert answer["accuracy"] >= 0.95 and answer["cycles_per_image"] <= 250
    assert answer["luts"] <= answer["luts_available"] and answer["fmax_mhz"] >= answer["clock_mhz"]
    assert answer["core_inferences_per_second"] == pytest.approx(
        answer["clock_mhz"] * 1e6 / answer["cycles_per_image"], abs=1)
    assert pathlib.Path(answer["bitstream"]).stat().st_size > 100_000


@pytest.mark.slow
@needs_tools
@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for one process")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM], ids=lambda how: how.name)
def test_interrupt_ends_everything(folder, how):
    process = subprocess.Popen([sys.executable, "-u", "-m", "ohmbit", "demo"], text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               env=os.environ | {
                                   "PYTHONPATH": str(ROOT),
                                   # Nothing has been built before, and yet all tools are compiled.
                                   "XDG_CACHE_HOME": str(folder / "cache"),
                                   "YOWASP_CACHE_DIR": os.environ.get(
                                       "YOWASP_CACHE_DIR", platformdirs.user_cache_dir("YoWASP"))})
    for line in process.stdout:
        if line.startswith("2."):
            break
    time.sleep(5)   # into synthesis
    process.send_signal(how)
    _, said = process.communicate(timeout=30)
    assert (process.returncode, said) == (130, "ohmbit: interrupted\n")
    assert not list(folder.rglob("top.bin")) and not list(folder.rglob(".build-*"))
    assert not list(folder.rglob(".synthesis-*"))


def test_demo_says_what_is_missing(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(demo, "train_network",
                        lambda *arguments, **options: random_network(64, 12, 10))
    monkeypatch.setitem(ENGINES, "amaranth", replace(ENGINES["amaranth"], images=1))
    without(monkeypatch, "c++", "nextpnr-ice40")
    outcome = call(capsys, "demo", "--json")
    answer = outcome.json
    assert outcome.code == 0
    assert (answer["images"], answer["mismatches"]) == (1, 0)
    assert answer["cycles_per_image"] > 0 and 0 <= answer["accuracy"] <= 1
    assert answer["luts"] is answer["fmax_mhz"] is answer["core_inferences_per_second"] is None
    assert "no bitstream: without nextpnr-ice40: pip install 'ohmbit[ice40]'" in outcome.err
    assert "pip install 'ohmbit[ice40]'" in outcome.err
    assert "a 7, and its scores:" in outcome.err


def test_demo_ends_as_its_build_ends(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(demo, "train_network",
                        lambda *arguments, **options: random_network(64, 12, 10))
    monkeypatch.setitem(ENGINES, "amaranth", replace(ENGINES["amaranth"], images=1))
    find = tools.find
    monkeypatch.setattr(tools, "find", lambda name: None if name == "c++" else find(name) or [name])
    monkeypatch.setattr(tools, "prepare", lambda *arguments: None)
    for code in (1, 2):
        text = f"import sys; print('ohmbit: so it is', file=sys.stderr); sys.exit({code})"
        monkeypatch.setattr(demo, "BUILD", [sys.executable, "-c", text])
        outcome = call(capsys, "demo")
        assert (outcome.code, outcome.line) == (code, "so it is")

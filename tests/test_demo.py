"""The whole demo, with the tools."""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import pytest

from sim import tools

from .commandline import call


ROOT = pathlib.Path(__file__).parent.parent

LACKING = [name for name in ("yosys", "nextpnr-ice40", "icepack", "verilator", "c++", "perl")
           if tools.find(name) is None]

pytestmark = [pytest.mark.slow, pytest.mark.skipif(
    bool(LACKING), reason=f"{', '.join(LACKING)} not here: see `ohmbit doctor`")]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder that tools in a sandbox see, which temporary ones are not."""
    path = ROOT / "build" / f"test-{tmp_path.name}"
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    monkeypatch.chdir(path)
    yield path
    shutil.rmtree(path)


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


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for one process")
def test_interrupt_ends_everything(folder):
    process = subprocess.Popen([sys.executable, "-u", "-m", "ohmbit", "demo"], text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               env=os.environ | {"PYTHONPATH": str(ROOT)})
    for line in process.stdout:
        if line.startswith("2."):
            break
    time.sleep(5)   # into synthesis
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert (process.returncode, said) == (130, "ohmbit: interrupted\n")
    assert not list(folder.rglob("top.bin")) and not list(folder.rglob(".build-*"))

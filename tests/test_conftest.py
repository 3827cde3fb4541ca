import pathlib
import re
import subprocess
import sys

import pytest

from .conftest import CHECKS, check_of


SKIPPING = """
import pytest
def test_passes(): pass
@pytest.mark.skip(reason="no tool")
def test_marked(): pass
def test_called(): pytest.skip("no board")
@pytest.mark.xfail(reason="known")
def test_known(): assert False
"""

SKIPPED_WHOLE = "import pytest; pytest.skip('no data', allow_module_level=True)"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Function that runs some tests under this folder's conftest; returns exit code and output."""
    def run(options, no_skip):
        monkeypatch.setenv("OHMBIT_NO_SKIP", "1" if no_skip else "")
        done = subprocess.run([sys.executable, "-m", "pytest", "-ra", *options, "."], text=True,
                              cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True)
        return done.returncode, done.stdout

    conftest = pathlib.Path(__file__).with_name("conftest.py").read_text()
    (tmp_path / "conftest.py").write_text(conftest)
    return run


@pytest.mark.parametrize("options", [[], ["-n", "1"]], ids=["alone", "xdist"])
def test_skipped_test_fails_by_name_when_told(run, tmp_path, options):
    (tmp_path / "test_some.py").write_text(SKIPPING)
    code, output = run(options, no_skip=False)
    assert code == 0 and "1 passed, 2 skipped, 1 xfailed" in output
    code, output = run(options, no_skip=True)
    assert code == 1 and "1 failed, 1 passed, 1 xfailed, 1 error" in output
    assert "test_some.py::test_marked may not be skipped here: Skipped: no tool" in output
    assert "test_some.py::test_called may not be skipped here: Skipped: no board" in output


@pytest.mark.parametrize("options", [[], ["-n", "1"]], ids=["alone", "xdist"])
def test_skipped_module_fails_by_name_when_told(run, tmp_path, options):
    (tmp_path / "test_whole.py").write_text(SKIPPED_WHOLE)
    _, output = run(options, no_skip=False)
    assert "1 skipped" in output
    code, output = run(options, no_skip=True)
    assert code not in (0, 5) and "test_whole.py may not be skipped here" in output


@pytest.mark.parametrize("options", [[], ["-n", "1"]], ids=["alone", "xdist"])
def test_time_of_each_check_is_said(run, tmp_path, options):
    (tmp_path / "test_some.py").write_text(SKIPPING)
    (tmp_path / "test_proofs.py").write_text("import time\ndef test_slow(): time.sleep(0.6)\n")
    _, output = run(options, no_skip=False)
    assert re.search(r"minutes by check =+\n"
                     r"proofs +0.0[1-9] min +1 passed +0 failed or skipped\n"
                     r"command and the rest +0.0\d min +1 passed +2 failed or skipped\n", output)
    assert re.search(r"^=+ 2 passed, 2 skipped, 1 xfailed in .*=$", output.splitlines()[-1])


@pytest.mark.parametrize("name, check", [
    ("test_dense", "components"), ("test_fold", "golden model"), ("test_proofs", "proofs"),
    ("test_command", "command and the rest")])
def test_checks_are_told_apart(name, check):
    assert check_of(f"tests/{name}.py") == check


def test_files_of_each_check_are_there():
    """Or else their time would be counted elsewhere."""
    tests = pathlib.Path(__file__).parent
    missing = [stem for stems in CHECKS.values() for stem in stems
               if not (tests / f"test_{stem}.py").exists()]
    assert not missing

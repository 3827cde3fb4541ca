# amaranth: UnusedElaboratable=no

import dataclasses
import re
import subprocess
import sys
from fractions import Fraction

import pytest
from amaranth.hdl import ClockDomain, Elaboratable, Fragment, Module, Signal
from amaranth.sim import Simulator
from amaranth_boards.icebreaker import ICEBreakerPlatform
from amaranth_boards.ulx3s import ULX3S_85F_Platform

from boards.catalog import BOARDS, find
from boards.clock import ECP5PLL, ICE40PLL, PLL
from boards.flash import flash
from model.errors import CheckFailed, InputError
from sim import tools


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
    board.platform().lookup("uart", 0)


def test_names():
    assert find("ulx3s_85f") is find("ULX3S-85F") is BOARDS["ulx3s-85f"]
    with pytest.raises(InputError, match=r"^board 'ulx3s' comes in several sizes: "
                                         r"ulx3s-25f, ulx3s-85f$"):
        find("ulx3s")
    with pytest.raises(InputError, match=r"^no board 'ulx4s': there are icebreaker, ulx3s-25f, "):
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
    assert board.clock() is None and board.divisor == 104
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
    with pytest.raises(ValueError, match=r"^Clock of tang-nano-9k must be its crystal's 27 MHz"):
        dataclasses.replace(BOARDS["tang-nano-9k"], clock_mhz=50)


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


class FakePLL(PLL):
    """A clock whose lock a test can give and take."""

    clk, lock = Signal(name="clk"), Signal(name="lock")

    @staticmethod
    def choices(crystal):
        yield {}, Fraction(2_000_000)

    def primitive(self, m, pin, clk, locked):
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
    assert said.read_text() == repr(["-b", "icebreaker", str(bitstream)])


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

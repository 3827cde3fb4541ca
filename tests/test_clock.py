# amaranth: UnusedElaboratable=no

import re
import subprocess
from fractions import Fraction

import pytest
from amaranth.hdl import ClockDomain, Elaboratable, Fragment, Module, Signal
from amaranth.sim import Simulator

from boards.catalog import BOARDS
from boards.clock import ECP5PLL, ICE40PLL, PLL, GowinPLL
from sim import tools


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


def test_gowin_oscillator_is_within_its_limits_whatever_the_output():
    for crystal in (4_000_000, 27_000_000, 50_000_000):
        for settings, hz in GowinPLL.choices(crystal):
            assert 400_000_000 <= hz * settings["ODIV_SEL"] <= 1_200_000_000
            assert 3_125_000 <= hz <= 600_000_000


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

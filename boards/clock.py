"""Clocks: PLL settings of each family, and a reset that lasts until everything is awake."""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any, ClassVar

from amaranth.hdl import (
    ClockDomain,
    ClockSignal,
    Const,
    Elaboratable,
    Instance,
    Module,
    ResetSignal,
    Signal,
)
from amaranth.lib import io
from amaranth.lib.cdc import ResetSynchronizer


__all__ = ["PLL", "ICE40PLL", "ECP5PLL", "GowinPLL"]


Choices = Iterator[tuple[dict[str, int], Fraction]]


class PLL(Elaboratable):
    """Drives the domain ``sync``, which is its parent's, from a board's crystal through a PLL.

    Reset is held until the PLL has locked, and 15 µs longer: block RAM of an iCE40 reads as zeros
    for some 3 µs after configuration, for reasons that were never published, and Amaranth's
    platform waits five times that as well. Should the PLL lose its lock, reset starts again.

    Parameters
    ----------
    crystal : :class:`int`
        Frequency in Hz that goes in.
    want : :class:`int`
        Frequency in Hz that should come out; :py:`hz` is the nearest that the PLL can make.
    """

    awake: ClassVar[Fraction] = Fraction(15, 1_000_000)   # seconds

    def __init__(self, crystal: int, want: int):
        self.crystal = crystal
        self.want = want
        self.settings, self.hz = self.solve(crystal, want)

    @classmethod
    def solve(cls, crystal: int, want: int) -> tuple[dict[str, int], Fraction]:
        """Settings whose output is nearest to :py:`want`, and that output."""
        # The first of equals: the slowest divider of the crystal is the last.
        settings, hz = min(cls.choices(crystal), key=lambda choice: abs(choice[1] - want))
        if abs(hz / want - 1) > Fraction(1, 20):
            raise ValueError(f"Clock must be one that the PLL can make, not {want / 1e6:g} MHz; "
                             f"the nearest is {float(hz) / 1e6:g} MHz")
        return settings, hz

    @staticmethod
    def choices(crystal: int) -> Choices:
        """All settings within the limits of the PLL, and what each of them puts out."""
        raise NotImplementedError

    def primitive(self, m: Module, platform: Any, pin: Any, clk: Signal, locked: Signal) -> None:
        """Add the family's own PLL, between the platform's clock pin and two signals."""
        raise NotImplementedError

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        clk, locked, ready = Signal(), Signal(), Signal()
        pin = platform.request(platform.default_clk, dir="-")
        self.primitive(m, platform, pin, clk, locked)

        m.domains.awake = ClockDomain(local=True)
        m.d.comb += ClockSignal("awake").eq(clk)
        m.submodules.locked = ResetSynchronizer(~locked, domain="awake")
        # Every flip-flop starts at its initial value; the count is what makes the wait.
        cycles = int(self.awake * self.hz) + 1
        count = Signal(range(cycles + 1))
        with m.If(count == cycles):
            m.d.awake += ready.eq(1)
        with m.Else():
            m.d.awake += count.eq(count + 1)

        m.d.comb += ClockSignal("sync").eq(clk)
        m.d.comb += ResetSignal("sync").eq(~ready)
        return m


# Pins that feed a PLL of an iCE40 directly, by the chip's size and package, from icebox's tables.
# A PLL takes the signal of such a pin from its pad, and that of any other from the fabric.
PADS = {
    "1K": {"CB81": "J3", "CB121": "L9", "CB132": "P7", "CM36": "F2", "CM49": "G3", "CM81": "H4",
           "CM121": "J5", "QN84": "A14", "SWG16TR": "D3", "TQ144": "49", "VQ100": "33"},
    "5K": {"SG48": "35", "UWG30": "B3"},
    "8K": {"BG121": "L5 B6", "CB132": "P7 A6", "CM81": "G4 C4", "CM121": "L5 B6",
           "CM225": "N7 D8", "CT256": "R9 F7"},
}


class ICE40PLL(PLL):
    """The PLL of an iCE40; the settings are those that ``icepll`` chooses."""

    @staticmethod
    def choices(crystal: int) -> Choices:
        for divr in range(16):
            phase = Fraction(crystal, divr + 1)
            if not 10_000_000 <= phase <= 133_000_000:
                continue
            limits = (17_000_000, 26_000_000, 44_000_000, 66_000_000, 101_000_000)
            filter_range = 1 + sum(phase >= limit for limit in limits)
            for divf in range(128):
                vco = phase * (divf + 1)
                if not 533_000_000 <= vco <= 1_066_000_000:
                    continue
                for divq in range(1, 7):
                    yield {"DIVR": divr, "DIVF": divf, "DIVQ": divq,
                           "FILTER_RANGE": filter_range}, vco / 2 ** divq

    @staticmethod
    def on_pad(platform: Any) -> bool:
        """Whether the platform's clock comes in at a PLL's own pad."""
        pads = PADS.get(platform.device[-2:], {}).get(platform.package, "").split()
        return platform.lookup(platform.default_clk).ios[0].names[0] in pads

    def primitive(self, m: Module, platform: Any, pin: Any, clk: Signal, locked: Signal) -> None:
        if self.on_pad(platform):
            kind, reference = "SB_PLL40_PAD", {"i_PACKAGEPIN": pin.io}
        else:
            # Not the platform's own buffer: that may be one for a global network, from where there
            # is no way to a PLL.
            crystal = Signal()
            m.submodules.pin = Instance("SB_IO",
                p_PIN_TYPE=Const(0b000001, 6),   # an input without a register
                io_PACKAGE_PIN=pin.io,
                o_D_IN_0=crystal)
            kind, reference = "SB_PLL40_CORE", {"i_REFERENCECLK": crystal}
        m.submodules.pll = Instance(kind,
            p_FEEDBACK_PATH="SIMPLE",
            **{f"p_{name}": value for name, value in self.settings.items()},
            **reference,
            i_RESETB=Const(1),
            i_BYPASS=Const(0),
            o_PLLOUTGLOBAL=clk,
            o_LOCK=locked)


class ECP5PLL(PLL):
    """The PLL of an ECP5, with its output fed back."""

    @staticmethod
    def choices(crystal: int) -> Choices:
        for clki in range(1, 129):
            phase = Fraction(crystal, clki)
            if not 3_125_000 <= phase <= 400_000_000:
                continue
            for clkfb in range(1, 81):
                out = phase * clkfb
                clkop = round(600_000_000 / out)   # to the middle of the oscillator's range
                if 1 <= clkop <= 128 and 400_000_000 <= out * clkop <= 800_000_000:
                    yield {"CLKI_DIV": clki, "CLKFB_DIV": clkfb, "CLKOP_DIV": clkop}, out

    def primitive(self, m: Module, platform: Any, pin: Any, clk: Signal, locked: Signal) -> None:
        m.submodules.pin = buffer = io.Buffer("i", pin)
        m.submodules.pll = Instance("EHXPLLL",
            a_FREQUENCY_PIN_CLKI=f"{self.crystal / 1e6:g}",
            a_FREQUENCY_PIN_CLKOP=f"{float(self.hz) / 1e6:g}",
            # Loop filter, as the vendor's tool sets it.
            a_ICP_CURRENT="12",
            a_LPF_RESISTOR="8",
            a_MFG_ENABLE_FILTEROPAMP="1",
            a_MFG_GMCREF_SEL="2",
            p_PLLRST_ENA="DISABLED",
            p_INTFB_WAKE="DISABLED",
            p_STDBY_ENABLE="DISABLED",
            p_DPHASE_SOURCE="DISABLED",
            p_FEEDBK_PATH="CLKOP",
            **{f"p_{name}": value for name, value in self.settings.items()},
            p_CLKOP_ENABLE="ENABLED",
            p_CLKOP_CPHASE=(self.settings["CLKOP_DIV"] - 1) // 2,
            p_CLKOP_FPHASE=0,
            i_CLKI=buffer.i,
            i_CLKFB=clk,
            i_RST=Const(0),
            i_STDBY=Const(0),
            i_PHASESEL0=Const(0),
            i_PHASESEL1=Const(0),
            i_PHASEDIR=Const(1),
            i_PHASESTEP=Const(1),
            i_PHASELOADREG=Const(1),
            i_PLLWAKESYNC=Const(0),
            i_ENCLKOP=Const(0),
            o_CLKOP=clk,
            o_LOCK=locked)


class GowinPLL(PLL):
    """The rPLL of a GW1N-9 or a GW1NR-9 of speed grade C6/I5, with its output fed back inside.

    The limits are those of Gowin's data sheet DS117, as Apicula's ``gowin_pll`` has them.
    """

    @staticmethod
    def choices(crystal: int) -> Choices:
        for idiv in range(1, 65):
            phase = Fraction(crystal, idiv)
            if not 3_000_000 <= phase <= 400_000_000:
                continue
            for fbdiv in range(1, 65):
                out = phase * fbdiv
                if not 3_125_000 <= out <= 600_000_000:
                    continue
                # The one nearest to the middle of the oscillator's range, 400 to 1,200 MHz; for
                # each output within the limits there is one.
                odiv = min((2, 4, 8, *range(16, 129, 16)),
                           key=lambda odiv: abs(out * odiv - 800_000_000))
                yield {"IDIV_SEL": idiv - 1, "FBDIV_SEL": fbdiv - 1, "ODIV_SEL": odiv}, out

    def primitive(self, m: Module, platform: Any, pin: Any, clk: Signal, locked: Signal) -> None:
        m.submodules.pin = buffer = io.Buffer("i", pin)
        m.submodules.pll = Instance("rPLL",
            p_DEVICE=platform.family,
            p_FCLKIN=f"{self.crystal / 1e6:g}",
            **{f"p_{name}": value for name, value in self.settings.items()},
            p_DYN_IDIV_SEL="false",
            p_DYN_FBDIV_SEL="false",
            p_DYN_ODIV_SEL="false",
            p_CLKFB_SEL="internal",
            p_CLKOUT_BYPASS="false",
            i_CLKIN=buffer.i,
            i_CLKFB=Const(0),
            i_RESET=Const(0),
            i_RESET_P=Const(0),
            i_FBDSEL=Const(0, 6),
            i_IDSEL=Const(0, 6),
            i_ODSEL=Const(0, 6),
            i_PSDA=Const(0, 4),
            i_DUTYDA=Const(0, 4),
            i_FDLY=Const(0, 4),
            o_CLKOUT=clk,
            o_LOCK=locked)

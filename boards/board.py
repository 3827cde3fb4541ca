"""What a board is, and what a family of FPGAs is."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from amaranth.build import ResourceError

from gateware.mapping import Resources

from . import clock


__all__ = ["Family", "Board"]


DEVIATION = Fraction(2, 100)   # of a rate; the host's end has as much again
CLOCKS = 4                     # fewest in a bit with which the receiver finds its middle


@dataclass(frozen=True, eq=False)
class Family:
    """FPGAs that one set of tools builds for.

    Parameters
    ----------
    name : :class:`str`
        What the rest of the project calls it.
    extra : :class:`str`
        Extra of the package that installs its tools.
    tools : tuple of :class:`str`
        Its tools, as :mod:`sim.tools` calls them, in the order in which a build runs them.
    chips : mapping of :class:`str` to pair of :class:`int`
        Look-up tables and block RAMs of each chip.
    sprams : mapping of :class:`str` to :class:`int`
        Memories of one port of each chip that has any, as :class:`gateware.spram.Spram` uses them.
    memory_bits, memory_width : :class:`int`
        Bits in a block RAM, and most bits it reads in a cycle.
    luts, memories : mapping of :class:`str` to :class:`int`
        How many look-up tables, and block RAMs, each cell of nextpnr's utilisation stands for.
    bitstream : :class:`str`
        Suffix of a bitstream's file.
    overrides : mapping
        Options for the tools, as Amaranth's platforms take them.
    chip : callable
        Chip of an Amaranth platform.
    pll : callable
        Elaboratable that makes the domain ``sync`` run at some frequency; None where only the
        crystal's own will do.
    translate : callable
        Turns a command line as Amaranth writes it into the one that the tool takes today.
    """

    name: str
    extra: str
    tools: tuple[str, ...]
    chips: Mapping[str, tuple[int, int]]
    memory_bits: int
    memory_width: int
    luts: Mapping[str, int]
    memories: Mapping[str, int]
    bitstream: str
    overrides: Mapping[str, str]
    chip: Callable[[Any], str]
    pll: type[clock.PLL] | None = None
    translate: Callable[[list[str]], list[str]] = field(default=lambda command: command)
    sprams: Mapping[str, int] = field(default_factory=dict)

    def resources(self, chip: str) -> Resources:
        luts, memories = self.chips[chip]
        return Resources(luts=luts, memory_blocks=memories, memory_block_bits=self.memory_bits,
                         memory_block_width=self.memory_width, family=self.name,
                         spram_blocks=self.sprams.get(chip, 0))


@dataclass(frozen=True, eq=False)
class Board:
    """A board that a network can be built for.

    Parameters
    ----------
    name : :class:`str`
        What a user calls it.
    family : :class:`Family`
    platform : callable
        Makes a fresh Amaranth platform, with a resource ``uart`` 0; each build takes one.
    clock_mhz : :class:`float`
        Frequency asked of the domain ``sync``; None takes the crystal's own. The PLL may have
        none nearer than :py:`clock_hz`.
    baud : :class:`int`
        Rate of the serial port: one that its bridge to USB makes as well as the clock does.
    uart : :class:`str`
        Where the serial port is, in words for whoever plugs it in.
    loaders : tuple of tuple of :class:`str`
        Command lines that program the board, less the bitstream, best first; each starts with
        the name of a tool in :mod:`sim.tools`.
    usb : tuple of pair of :class:`int`
        Vendor and product numbers under which its serial port may appear.
    """

    name: str
    family: Family = field(repr=False)
    platform: Callable[[], Any]
    clock_mhz: float | None = None
    baud: int = 1_000_000
    uart: str = "the platform's uart 0"
    loaders: tuple[tuple[str, ...], ...] = ()
    usb: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        if self.chip not in self.family.chips:
            raise ValueError(f"Chip of {self.name} must be one of "
                             f"{', '.join(self.family.chips)}, not {self.chip}")
        if self.baud < 1 or abs(self.divisor * self.baud / self.clock_hz - 1) > DEVIATION:
            raise ValueError(f"Baud rate must be a fraction of {float(self.clock_hz) / 1e6:g} MHz "
                             f"within 2 %, not {self.baud}")
        if self.divisor < CLOCKS:
            raise ValueError(f"Baud rate must be at most {int(self.clock_hz / CLOCKS)}, which is "
                             f"{CLOCKS} clocks a bit, not {self.baud}")

    @functools.cached_property
    def _described(self) -> Any:
        return self.platform()

    @property
    def chip(self) -> str:
        return self.family.chip(self._described)

    @property
    def resources(self) -> Resources:
        """What there is to build from, as :func:`gateware.fit.fit` takes it."""
        return self.family.resources(self.chip)

    @property
    def crystal_hz(self) -> int:
        return round(self._described.default_clk_frequency)

    @functools.cached_property
    def clock_hz(self) -> Fraction:
        """Frequency of the domain ``sync``, exactly."""
        if not self.has_pll:
            return Fraction(self.crystal_hz)
        assert self.clock_mhz is not None
        if self.pll is None:
            raise ValueError(f"Clock of {self.name} must be its oscillator's "
                             f"{self.crystal_hz / 1e6:g} MHz, not {self.clock_mhz:g} MHz")
        return self.pll.solve(self.crystal_hz, round(self.clock_mhz * 1e6))[1]

    @property
    def pll(self) -> type[clock.PLL] | None:
        """What can make other clocks: the family's PLL, where the oscillator is on a pin."""
        try:
            self._described.lookup(self._described.default_clk)
        except ResourceError:   # an oscillator in the chip, which the platform knows by its name
            return None
        return self.family.pll

    @property
    def has_pll(self) -> bool:
        return self.clock_mhz is not None and self.clock_mhz * 1e6 != self.crystal_hz

    @property
    def divisor(self) -> int:
        """Cycles in a bit on the serial port."""
        return round(self.clock_hz / self.baud)

    def clock(self) -> clock.PLL | None:
        """What makes the domain ``sync``; None leaves it to the Amaranth platform."""
        if not self.has_pll or self.clock_mhz is None or self.pll is None:
            return None
        return self.pll(self.crystal_hz, round(self.clock_mhz * 1e6))

    @property
    def get(self) -> str:
        """Command that installs the tools which build for this board."""
        return f"pip install 'ohmbit[{self.family.extra}]'"

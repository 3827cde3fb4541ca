"""An iCE40's bitstream turned back into a netlist, from its bits alone.

IceStorm's tools do the reading: iceunpack finds the bits of each tile, and icebox_vlog says what
they configure. They need the file of pins to tell which pad is called what, and nothing else.
"""

import hashlib
import pathlib
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import platformdirs

from model.errors import CheckFailed, InputError

from . import tools
from .cache import keep


__all__ = ["NEEDED", "Ram", "Pll", "Pins", "Netlist", "cache_folder", "read_back", "understand"]


NEEDED = ("iceunpack", "icebox_vlog")

Place = tuple[int, int]


@dataclass(frozen=True)
class Ram:
    """A block RAM of 256 rows of 16 bits.

    Parameters
    ----------
    contents : :class:`int`
        Bits at power-up, from the lowest of the first row on.
    read_mode, write_mode : :class:`int`
        How often the width is halved: 16, 8, 4 or 2 bits at an address.
    """

    contents: int
    read_mode: int
    write_mode: int


@dataclass(frozen=True)
class Pll:
    """Settings of a PLL, as the bits have them.

    Parameters
    ----------
    settings : mapping of :class:`str`
        Parameters of the cell, by name.
    """

    settings: Mapping[str, str]

    def output(self, crystal: Fraction) -> Fraction:
        """Frequency in Hz that it makes of another; :exc:`CheckFailed` where it cannot work."""
        path, select = self.settings["FEEDBACK_PATH"], self.settings["PLLOUT_SELECT"]
        if path != "SIMPLE" or select not in ("GENCLK", "GENCLK_HALF"):
            raise InputError(f"the bitstream's PLL has feedback {path} and output {select}, and "
                             "SIMPLE and GENCLK are all that can be simulated")
        divr, divf, divq = (int(self.settings[name].partition("b")[2], 2)
                            for name in ("DIVR", "DIVF", "DIVQ"))
        phase = crystal / (divr + 1)
        oscillator = phase * (divf + 1)
        for what, hz, low, high in (("phase detector", phase, 10, 133),
                                    ("oscillator", oscillator, 533, 1066)):
            if not low <= hz / 1_000_000 <= high:
                raise CheckFailed(f"the {what} of the bitstream's PLL would run at "
                                  f"{float(hz) / 1e6:g} MHz, and works from {low} to {high} MHz")
        return oscillator / 2 ** divq / (2 if select == "GENCLK_HALF" else 1)


@dataclass(frozen=True)
class Pins:
    """What a file of pins calls those that a serial line and a crystal are at.

    Parameters
    ----------
    rx, tx, clock : :class:`str`
    crystal : :class:`fractions.Fraction`
        Frequency of the clock in Hz.
    """

    rx: str
    tx: str
    clock: str
    crystal: Fraction

    @classmethod
    def parse(cls, text: str) -> "Pins":
        """From the lines ``set_io`` and ``set_frequency`` that Amaranth writes."""
        names = re.findall(r"^set_io\s+(\S+)", text, re.M)
        clocks = re.findall(r"^set_frequency\s+(\S+)\s+(\S+)", text, re.M)
        clocks = [(name, mhz) for name, mhz in clocks if name in names]
        found = {end: [name for name in names if re.fullmatch(rf"uart_0__{end}__io", name)]
                 for end in ("rx", "tx")}
        if len(clocks) != 1 or not found["rx"] or not found["tx"]:
            raise InputError("the file of pins must name uart_0__rx__io, uart_0__tx__io and one "
                             f"clock with its frequency, not {', '.join(names) or 'nothing'}")
        (clock, mhz), = clocks
        return cls(found["rx"][0], found["tx"][0], clock, Fraction(mhz) * 1_000_000)


@dataclass(frozen=True)
class Netlist:
    """What a bitstream makes of the chip.

    Parameters
    ----------
    verilog : :class:`str`
        Its module ``chip``. What block RAM holds and how the PLL is set is not in it but here, so
        that bitstreams which differ in nothing else share it.
    rams : dict of :class:`Ram`
        Each block RAM in use, by column and row of its lower tile.
    pins : :class:`Pins`
    hz : :class:`fractions.Fraction`
        Frequency of the clock that the PLL makes, or of the crystal if there is none.
    """

    verilog: str
    rams: dict[Place, Ram]
    pins: Pins
    hz: Fraction


def cache_folder() -> pathlib.Path:
    """Where netlists are kept unless somebody says otherwise."""
    return platformdirs.user_cache_path("ohmbit") / "readback"


def read_back(bitstream: pathlib.Path, pins: pathlib.Path, *, package: str = "",
              cache: pathlib.Path | None = None) -> Netlist:
    """The netlist of a bitstream; the tools run once for each content.

    Parameters
    ----------
    bitstream, pins : path
        The ``.bin`` and the ``.pcf`` that says which pin is called what.
    package : :class:`str`
        Package of the chip, as IceStorm calls it; its most usual one if empty.
    cache : path, or None
        Where netlists are kept; the user's cache folder if None.
    """
    cache = cache or cache_folder()
    try:
        data, text = bitstream.read_bytes(), pins.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{bitstream} and its pins {pins} cannot be read: {error}") from error
    unpack, explain = tools.require("iceunpack"), tools.require("icebox_vlog")
    key = hashlib.sha256(b"\0".join([data, text.encode(), package.encode(),
                                     str(tools.version("iceunpack")).encode()]))

    def make(folder: pathlib.Path) -> None:
        # The tools may live in a sandbox that knows this folder alone.
        (folder / "top.bin").write_bytes(data)
        (folder / "top.pcf").write_text(text)
        _run([*unpack, "top.bin", "top.asc"], folder, bitstream)
        options = ["-d", package] if package else []
        (folder / "chip.v").write_text(_run(
            [*explain, "-S", *options, "-p", "top.pcf", "top.asc"], folder, bitstream))

    kept = keep(cache / key.hexdigest()[:24], make)
    return understand((kept / "top.asc").read_text(), (kept / "chip.v").read_text(),
                      Pins.parse(text))


def understand(asc: str, verilog: str, pins: Pins) -> Netlist:
    """The netlist in what iceunpack and icebox_vlog wrote.

    Special blocks, of which icebox_vlog knows nothing, are refused, and so are PLLs with two
    outputs.
    """
    device, special = re.search(r"^\.device (\S+)", asc, re.M), set[str]()
    if device is not None and device[1] in ("5k", "u4k"):
        # In these columns other blocks stand where logic would, under the names of its wires.
        special = set(re.findall(r"^// \((0|25), \d+, 'lutff_\d+/", verilog, re.M))
    if special or "SB_WARMBOOT" in verilog or "SB_RAM40_4KN" in verilog:
        raise InputError("the bitstream uses more than logic, block RAM and a PLL, such as SPRAM "
                         "or DSP, which cannot be read back")
    plls = list(PLL.finditer(verilog))
    if "SB_PLL40_" in verilog and (len(plls) != 1 or plls[0]["kind"] not in ("PAD", "CORE")):
        raise InputError("the bitstream uses two PLLs, or one with two outputs, which cannot be "
                         "simulated")
    unused = set(re.findall(r"^// Warning: unmatched port '(\S+?) ?'", verilog, re.M))
    hz = pins.crystal
    for match in plls:
        hz = Pll(dict(re.findall(r"\.(\w+)\(\"?([^\")]*)", match["settings"]))).output(pins.crystal)
        if match["kind"] == "PAD":
            # The pad belongs to the PLL, and so icebox_vlog does not take it for a pin.
            unused.discard(pins.clock)
    for name, directions in ((pins.clock, "input"), (pins.rx, "input"), (pins.tx, "output|inout")):
        if name in unused or not re.search(rf"^module .*\b(?:{directions}) {name}\b", verilog,
                                           re.M):
            raise CheckFailed(f"the bitstream makes no {directions.partition('|')[0]} of the pin "
                              f"of {name}: is the file of pins that of this bitstream?")
    contents = {(int(x), int(y)): sum(int(line, 16) << 256 * n
                                      for n, line in enumerate(lines.split()))
                for x, y, lines in re.findall(r"^\.ram_data (\d+) (\d+)\n((?:[0-9a-f]+\n){16})",
                                              asc, re.M)}
    rams = {(int(ram["x"]), int(ram["y"])):
            Ram(contents.get((int(ram["x"]), int(ram["y"])), 0), int(ram["read"]),
                int(ram["write"])) for ram in RAM.finditer(verilog)}
    return Netlist(_plain(verilog, pins), rams, pins, hz)


PLL = re.compile(r"^SB_PLL40_(?P<kind>\w+) #\((?P<settings>.*?)\n\) (?P<name>\w+) \("
                 r"(?P<ports>.*?)\n\);$", re.M | re.S)

RAM = re.compile(r"^SB_RAM40_4K #\(\n  \.READ_MODE\((?P<read>\d)\),\n  \.WRITE_MODE\((?P<write>\d)"
                 r"\),?\n(?P<contents>(?:  \.INIT_.*\n)*)\) ram40_(?P<x>\d+)_(?P<y>\d+) \(", re.M)


def _plain(verilog: str, pins: Pins) -> str:
    """What icebox_vlog wrote, as Verilator takes it, less all that a :class:`Netlist` has."""
    def header(match: re.Match[str]) -> str:
        # Its ports are declared as wires again, which may only be done to those of old.
        ports = [port.split(" ", 1) for port in match[1].split(", ")]
        return f"module chip ({', '.join(name for _, name in ports)});\n" + "".join(
            f"{direction} {name};\n" for direction, name in ports)

    def pll(match: re.Match[str]) -> str:
        ports = match["ports"]
        if match["kind"] == "PAD":
            ports = re.sub(r"\.PACKAGEPIN\(\w+\)", f".REFERENCECLK({pins.clock})", ports)
        return f"SB_PLL40_CORE {match['name']} ({ports}\n);"

    def ram(match: re.Match[str]) -> str:
        return (f"SB_RAM40_4K #(\n  .READ_MODE({match['read']}),\n  .WRITE_MODE({match['write']})\n"
                f") ram40_{match['x']}_{match['y']} (")

    verilog = re.sub(r"^//.*\n|^\n", "", verilog, flags=re.M)
    verilog = re.sub(r"^module chip \((.*)\);$", header, verilog, flags=re.M)
    return RAM.sub(ram, PLL.sub(pll, verilog))


def _run(command: list[str], folder: pathlib.Path, bitstream: pathlib.Path) -> str:
    done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, errors="replace")
    if done.returncode:
        said = (done.stderr or done.stdout).strip().rpartition("\n")[2]
        raise InputError(f"{bitstream} cannot be read back by {pathlib.Path(command[0]).name}: "
                         f"{said or 'it said nothing'}")
    return done.stdout

"""A netlist that was read back from a bitstream in Verilator, down to its pins in each cycle."""

import ctypes
import pathlib
import re
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from model.errors import InputError

from . import tools, verilated
from .readback import Netlist
from .synthesis import FAMILIES


__all__ = ["ReadbackPins", "block_ram"]


HARNESS = pathlib.Path(__file__).with_name("readback.cc")
AROUND  = pathlib.Path(__file__).with_name("readback.v")

ASLEEP = Fraction(3, 1_000_000)   # seconds in which block RAM reads as zeros


class ReadbackPins:
    """A netlist with the pins of a serial line, as :class:`sim.pins.Pins` wants it.

    A cycle is one of the PLL's output, at the frequency that the bitstream's own settings make of
    the crystal's. Flip-flops start at 0, the PLL locks after 50 µs, and block RAM reads as zeros
    for the first 3 µs, as it does in an iCE40.

    Parameters
    ----------
    netlist : :class:`sim.readback.Netlist`
    cache : path, or None
        Where builds are kept; the user's cache folder if None. Netlists that differ in what block
        RAM holds, or in how the PLL is set, take the same one.
    """

    def __init__(self, netlist: Netlist, *, cache: pathlib.Path | None = None) -> None:
        self._handle: ctypes.c_void_p | None = None
        pins = netlist.pins
        around, models = AROUND.read_text(), block_ram()

        def write(folder: pathlib.Path) -> Sequence[str]:
            sources = {"around.v": around, "chip.v": netlist.verilog, "cells.v": models}
            for name, text in sources.items():
                (folder / name).write_text(text)
            return list(sources)

        places = sorted(netlist.rams)
        ports = "".join(f" _(ram40_{x}_{y})" for x, y in places)
        self._library = ctypes.CDLL(str(verilated.compile_library(
            write, HARNESS, content=[around, netlist.verilog, models],
            ports=f"#define RAMS(_){ports}\n",
            options=[*(f"-D{macro}" for macro in FAMILIES["ice40"].defines),
                     f"-DCLOCK={pins.clock}", f"-DRX={pins.rx}", f"-DTX={pins.tx}"],
            # It is compiled for some hundred images, and -O2 takes twice as long as they do.
            optimize="-O1",
            cache=cache or verilated.cache_folder())))
        self._library.readback_new.restype = ctypes.c_void_p
        contents = b"".join(netlist.rams[place].contents.to_bytes(512, "little")
                            for place in places)
        ratio = netlist.hz / pins.crystal
        self._handle = ctypes.c_void_p(self._library.readback_new(
            ctypes.c_int64(ratio.numerator), ctypes.c_int64(ratio.denominator), contents,
            ctypes.c_int64(int(ASLEEP * netlist.hz) + 1)))

    def __del__(self) -> None:
        if self._handle is not None:
            self._library.readback_free(self._handle)

    def run(self, rx: np.ndarray) -> np.ndarray:
        rx = np.ascontiguousarray(rx, dtype=np.uint8)
        tx = np.zeros_like(rx)
        self._library.readback_run(self._handle, rx.ctypes, tx.ctypes, ctypes.c_int64(len(rx)))
        return tx


def block_ram() -> str:
    """Yosys's model of block RAM, the one cell that netlists have and that Yosys describes.

    What it holds is within reach of a harness.
    """
    text = FAMILIES["ice40"].cells()["cells_sim.v"]
    macros = re.findall(r"^`(?:define|ifndef|else|endif).*\n", text[:text.index("\nmodule ")], re.M)
    module = re.search(r"^module SB_RAM40_4K \(.*?^endmodule\n", text, re.M | re.S)
    cells = "reg [15:0] memory [0:255]"
    if module is None or cells not in module[0]:
        raise InputError("Yosys's model of an iCE40's block RAM is not as it was: choose another "
                         f"Yosys ({tools.TOOLS['yosys'].get})")
    return "".join(macros) + module[0].replace(cells, f"{cells} /*verilator public_flat_rw*/")

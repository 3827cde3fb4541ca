"""Area and speed of popcounts by family of FPGAs, width and construction, all in one run.

``python -m bench.popcount [--widths 63,255] [--families ecp5] [--json]``

Two constructions take turns: ``tree`` is a balanced tree of Amaranth's ``+``, and ``packed`` is
what :class:`gateware.popcount.Popcount` makes of the family's cells. Each is measured without any
register but its last one, and then as a neuron has it: with registers between its adders, and its
counts added up over :data:`WORDS` words. What is measured stands between shift registers, so that
it needs few pins and paths begin and end at registers. Areas are nextpnr's, the shift registers
taken off: logic cells of iCE40, which hold a look-up table, a carry and a flip-flop, whatever of
them is used, and look-up tables of ECP5, where flip-flops stand beside and a CCU2C counts as two.
Speeds are those after routing, at the slowest corner.
"""

import argparse
import json
import pathlib
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from rich.console import Console
from rich.table import Table

from boards.report import Report
from gateware.carry_chain import load_or_add
from gateware.family import family as family_of
from gateware.popcount import Popcount
from model.errors import InputError
from sim import tools
from sim.synthesis import FAMILIES
from sim.verilog import to_rtlil


__all__ = ["measure", "main"]


WORDS  = 16    # whose counts a neuron adds up
WIDTHS = (63, 127, 255, 511, 1023)


@dataclass(frozen=True)
class Part:
    """An FPGA to place on: nextpnr's options, the cells to count, and adders between registers."""

    options: tuple[str, ...]
    cell: str
    holds_registers: bool
    levels: int


# The router is that of the builds for boards.
PARTS = {
    "ice40": Part(("--up5k", "--package", "sg48", "--pcf-allow-unconstrained", "--freq", "100",
                   "--router", "router2"),
                  "ICESTORM_LC", True, 1),
    "ecp5": Part(("--25k", "--package", "CABGA381", "--speed", "6", "--lpf-allow-unconstrained",
                  "--freq", "300"), "TRELLIS_COMB", False, 1),
}


def tree(bits: Any) -> Any:
    """Set bits, by a balanced tree of sums."""
    if len(bits) == 1:
        return bits
    half = len(bits) // 2
    return tree(bits[:half]) + tree(bits[half:])


class Tree(wiring.Component):
    """A popcount as plain as it can be, with a register behind it."""

    latency = 1

    def __init__(self, width: int) -> None:
        super().__init__({"en": In(1), "x": In(width), "w": In(width), "o": Out(range(width + 1))})

    def elaborate(self, platform: Any) -> Any:
        m = Module()
        with m.If(self.en):
            m.d.sync += self.o.eq(tree(self.x ^ self.w))
        return m


class Neuron(wiring.Component):
    """A popcount between shift registers, whose counts are added up if :py:`accumulated`."""

    def __init__(self, popcount: Any, accumulated: bool) -> None:
        self.popcount = popcount
        self.accumulated = accumulated
        self.width = len(popcount.x)
        self.total = Signal(range(WORDS * self.width + 1)) if accumulated else popcount.o
        super().__init__({"i": In(1), "o": Out(len(self.total))})

    @property
    def registers(self) -> int:
        """Flip-flops around what is measured."""
        return 2 * self.width + self.accumulated + len(self.total)

    def elaborate(self, platform: Any) -> Any:
        m = Module()
        m.submodules.popcount = popcount = self.popcount
        shift = Signal(2 * self.width + self.accumulated, reset_less=True)
        m.d.sync += shift.eq(Cat(self.i, shift))
        m.d.comb += [popcount.en.eq(1), popcount.x.eq(shift[0::2]), popcount.w.eq(shift[1::2])]
        if self.accumulated:
            m.d.sync += self.total.eq(load_or_add(
                m, self.total, popcount.o, shift[-1],
                "generic" if isinstance(popcount, Tree) else family_of(platform)))
        m.d.sync += self.o.eq(self.total)
        return m


def place(component: Any, family: str) -> Report:
    """What nextpnr says of a component, placed and routed."""
    part, synthesis = PARTS[family], FAMILIES[family]
    folder = pathlib.Path(tempfile.mkdtemp())
    try:
        (folder / "top.il").write_text(to_rtlil(component, "top", family=family))
        (folder / "top.ys").write_text(f"{synthesis.script('top')}\nwrite_json top.json\n")
        tools.run("yosys", "-q", "-l", "yosys.log", "-s", "top.ys", folder=folder,
                  log="yosys.log")
        tools.run(f"nextpnr-{family}", *part.options, "--json", "top.json", "--timing-allow-fail",
                  "--report", "report.json", "--quiet", folder=folder)
        return Report.read(folder / "report.json")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def neurons(width: int, part: Part) -> dict[str, tuple[Any, bool, int]]:
    """Popcounts by construction, whether their counts are added up, and the registers between."""
    return {
        "tree": (Tree(width), False, 0),
        "packed": (Popcount(width), False, 0),
        "tree, accumulated": (Tree(width), True, 0),
        "packed, accumulated": (Popcount(width, levels=part.levels), True, part.levels),
    }


def measure(widths: Sequence[int], families: Sequence[str]) -> list[dict[str, Any]]:
    """Areas and speeds, a row for each width, family and construction."""
    rows = []
    for family in families:
        part = PARTS[family]
        for width in widths:
            for name, (popcount, accumulated, levels) in neurons(width, part).items():
                neuron = Neuron(popcount, accumulated)
                report = place(neuron, family)
                cells = report.count({part.cell: 1}) - part.holds_registers * neuron.registers
                rows.append({
                    "family": family, "bits": width, "construction": name, "levels": levels,
                    "latency": popcount.latency, "cells": cells,
                    "cells_per_bit": round(cells / width, 3),
                    "mhz": round(min(fmax for fmax, _ in report.clocks.values()), 1)})
    return rows


def table(rows: Sequence[dict[str, Any]]) -> Table:
    table = Table("family", "bits", "construction", "cells", "cells/bit", "MHz", "latency",
                  title="XNOR-popcounts: logic cells of iCE40, look-up tables of ECP5")
    for row in rows:
        table.add_row(row["family"], str(row["bits"]), row["construction"], f"{row['cells']:,}",
                      f"{row['cells_per_bit']:.3f}", f"{row['mhz']:.1f}", str(row["latency"]))
    return table


def numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.popcount", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--widths", type=numbers, default=list(WIDTHS))
    parser.add_argument("--families", type=lambda text: text.split(","), default=list(PARTS))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    if min(options.widths) < 1:
        parser.error("--widths must be at least 1")
    if unknown := set(options.families) - set(PARTS):
        parser.error(f"--families must be of {', '.join(PARTS)}, not {min(unknown)}")
    try:
        rows = measure(options.widths, options.families)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps(rows))
    else:
        Console().print(table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())

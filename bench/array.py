"""Arrays that read as many weights in a cycle as an FPGA can, with popcounts and accumulators.

``python -m bench.array [NAME ...] [--json]``

Each is a :class:`gateware.accumulate.Accumulate` whose row of weights fills all memories of a kind:
weights, XNORs, popcounts, sums and what sends them on, less what only reading the weights back
takes. Inputs and a host's writes come from a shift register, so that it needs few pins. Areas are
nextpnr's, the shift register taken off, as :mod:`bench.popcount` counts them; speeds are those
after routing, at the slowest corner. The limit beside the bandwidth is what all memories of that
kind read in a cycle.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from rich.console import Console
from rich.table import Table

from gateware.accumulate import Accumulate
from gateware.folding import Folding
from model.errors import CheckFailed, InputError

from .popcount import PARTS, place


__all__ = ["measure", "main"]


@dataclass(frozen=True)
class Case:
    """An array: where it goes, what it is, and the bits that such memories read in a cycle."""

    part: str
    family: str
    folding: Folding
    readable: int


CASES = {
    "up5k-spram": Case("UP5K", "ice40", Folding(784, 300, (1,), 4, 16, "spram", levels=1), 4 * 16),
    "up5k-block": Case("UP5K", "ice40", Folding(480, 64, (1,), 8, 60, "block", levels=2), 30 * 16),
    "25f-wide": Case("25F", "ecp5", Folding(2_016, 64, (1,), 8, 252, "wide", levels=2), 56 * 36),
}


class Array(wiring.Component):
    """A layer's accumulators between few pins."""

    def __init__(self, folding: Folding) -> None:
        self.dut = Accumulate(folding)
        bus = self.dut.bus
        self.inputs = [Value.cast(self.dut.i.payload), bus.addr, bus.w_data, bus.w_en]
        super().__init__({"i": In(1), "o": Out(len(Value.cast(self.dut.o.payload))),
                          "valid": Out(1)})

    @property
    def registers(self) -> int:
        """Flip-flops around what is measured."""
        return sum(map(len, self.inputs))

    def elaborate(self, platform: Any) -> Any:
        m = Module()
        m.submodules.dut = dut = self.dut
        shift = Signal(self.registers, reset_less=True)
        m.d.sync += shift.eq(Cat(self.i, shift))
        m.d.comb += Cat(*self.inputs).eq(shift)
        m.d.comb += [dut.i.valid.eq(1), dut.o.ready.eq(1)]
        m.d.comb += [self.o.eq(Value.cast(dut.o.payload)), self.valid.eq(dut.o.valid)]
        return m


def measure(names: Sequence[str]) -> list[dict[str, Any]]:
    """What each array takes and how fast it is."""
    rows = []
    for name in names:
        case = CASES[name]
        part, array = PARTS[case.family], Array(case.folding)
        report = place(array, case.family)
        cells = report.count({part.cell: 1}) - part.holds_registers * array.registers
        bits = case.folding.pe * case.folding.simd
        rows.append({
            "array": name, "chip": case.part, "pe": case.folding.pe, "simd": case.folding.simd,
            "storage": case.folding.storage, "bits_read": bits, "bits_readable": case.readable,
            "bandwidth_used": round(bits / case.readable, 4), "cells": cells,
            "cells_per_bit": round(cells / bits, 3),
            "mhz": round(min(fmax for fmax, _ in report.clocks.values()), 1),
            "memories": sum(report.cells.get(kind, (0, 0))[0]
                            for kind in ("ICESTORM_RAM", "ICESTORM_SPRAM", "DP16KD"))})
    return rows


def table(rows: Sequence[dict[str, Any]]) -> Table:
    table = Table("array", "PE × SIMD", "storage", "bits a cycle", "of", "memories", "cells",
                  "cells/bit", "MHz")
    for row in rows:
        table.add_row(row["array"], f"{row['pe']} × {row['simd']}", row["storage"],
                      f"{row['bits_read']:,}", f"{row['bits_readable']:,}", str(row["memories"]),
                      f"{row['cells']:,}", f"{row['cells_per_bit']:.3f}", f"{row['mhz']:.1f}")
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.array", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", metavar="NAME", nargs="*", default=list(CASES),
                        help=f"of {', '.join(CASES)}; all, if none is named")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - set(CASES):
        parser.error(f"there is no array {min(unknown)}: there are {', '.join(CASES)}")
    try:
        rows = measure(options.names)
    except (InputError, CheckFailed) as error:
        print(error, file=sys.stderr)
        return 2 if isinstance(error, InputError) else 1
    if options.json:
        print(json.dumps(rows))
    else:
        Console(width=None if sys.stdout.isatty() else 120).print(table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())

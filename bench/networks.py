"""Networks on boards: cycles, how near they are to the memories' limit, area, and speed.

``python -m bench.networks [BOARD ...] [--no-place] [--large] [--folder DIR] [--json]``

784-300-10 and 784-256-256-256-10 with one bit a pixel, an image at a time and in batches, with the
fastest mapping that fits (:func:`gateware.fit.fit`). The bound is the number of cycles in which all
memories of the kind that holds the weights read each of them once, for all images of a batch; areas
and frequencies are those of the routed bitstream, host link and all, at the board's clock. Builds
are kept, as those of ``ohmbit build`` are. With ``--no-place`` nothing is built. On an ECP5-85F one
mapping is built, and with ``--large`` alone, since routing takes a quarter of an hour. What it
has room for would take hours, and only has its cycles and estimates here.
"""

import argparse
import json
import pathlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from boards import catalog
from boards.build import build
from boards.top import Top
from gateware.bounds import bounds
from gateware.compiler import compile
from gateware.cost import estimate
from gateware.fit import fit
from gateware.mapping import Mapping, uniform, widths
from model.encoder import Threshold
from model.errors import CheckFailed, InputError
from model.network import Shape
from ohmbit.console import console
from ohmbit.mappings import describe


__all__ = ["CASES", "measure", "main"]


EFFORT = 30_000   # look-up tables of the largest mapping

MNIST = Shape(Threshold(128), (784, 300, 10), 0, 16)
DEEP  = Shape(Threshold(128), (784, 256, 256, 256, 10), 0, 16)


@dataclass(frozen=True)
class Case:
    """A network on a board; with a mapping of its own, or the fastest that fits."""

    board: str
    shape: Shape
    batch: int = 1
    mapping: Mapping | None = None
    target: int | None = None   # cycles an image
    large: bool = False   # takes long to route
    placed: bool = True

    def choose(self) -> Mapping:
        if self.mapping is not None:
            return self.mapping
        resources = catalog.find(self.board).resources
        return fit(self.shape, resources, batch=self.batch, target=self.target,
                   effort=min(EFFORT, resources.luts))


CASES = (
    Case("icebreaker", MNIST),
    Case("icebreaker", MNIST, 8, uniform(MNIST, pe=(2, 1), simd=(32, 3), batch=8,
                                         storage=("spram", "block"))),
    Case("ulx3s-25f", MNIST, 1, uniform(MNIST, pe=(50, 1), simd=(35, 25), levels=2,
                                        storage=("wide", "block"))),
    Case("ulx3s-25f", MNIST, 2, uniform(MNIST, pe=(12, 1), simd=(72, 12), levels=2, batch=2)),
    Case("ulx3s-25f", DEEP, 2, target=182),
    Case("ulx3s-85f", MNIST, placed=False),
    Case("ulx3s-85f", DEEP, placed=False),
    Case("ulx3s-85f", MNIST, 1, uniform(MNIST, pe=(75, 2), simd=(35, 25), levels=2,
                                        storage=("wide", "block")), large=True),
)


def measure(case: Case, folder: pathlib.Path, *, place: bool) -> dict[str, Any]:
    """What a network takes on a board, and how fast it is there."""
    board, mapping = catalog.find(case.board), case.choose()
    cycles, bound = mapping.cycles_per_image, bounds(mapping, board.resources).weight_bandwidth
    guess = estimate(mapping, board.resources, **widths(case.shape))
    row: dict[str, Any] = {
        "board": board.name, "network": str(case.shape), "mapping": describe(mapping),
        "batch": mapping.batch, "cycles_per_image": cycles, "bound_cycles": round(bound, 2),
        "share_of_bound": round(bound / cycles, 4), "estimated_luts": guess.luts,
        "estimated_memories": guess.memory_blocks}
    if not place:
        return row
    name = f"{case.board}-{case.shape}-{mapping.batch}-{cycles:g}"
    try:
        done = build(board, lambda board: Top(board, compile(case.shape, mapping)),
                     build_dir=folder / name, name="network", progress=console.stage)
    except CheckFailed as error:
        return row | {"failed": str(error)}
    return row | {
        "luts": done.luts, "luts_available": done.luts_available, "memories": done.memories,
        "memories_available": done.memories_available, "fmax_mhz": round(done.fmax_mhz, 1),
        "clock_mhz": done.clock_mhz,
        "inferences_per_second": round(done.clock_mhz * 1e6 / cycles, 1)}


def table(rows: Sequence[dict[str, Any]]) -> Table:
    table = Table("board", "network", "at once", "cycles an image", "bound", "share", "LUTs",
                  "block RAMs", "reached", "clock", "images/s", box=box.MARKDOWN)
    for row in rows:
        placed = "luts" in row
        table.add_row(
            row["board"], row["network"], str(row["batch"]), f"{row['cycles_per_image']:,}",
            f"{row['bound_cycles']:,}", f"{row['share_of_bound']:.1%}",
            f"{row['luts']:,} of {row['luts_available']:,}" if placed
            else f"about {row['estimated_luts']:,}",
            f"{row['memories']} of {row['memories_available']}" if placed
            else f"about {row['estimated_memories']}",
            f"{row['fmax_mhz']:.1f} MHz" if placed else "",
            f"{row['clock_mhz']:g} MHz" if placed else "",
            f"{row['inferences_per_second']:,.0f}" if placed else "")
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.networks", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("boards", metavar="BOARD", nargs="*", help="all, if none is named")
    parser.add_argument("--no-place", action="store_true", help="build nothing")
    parser.add_argument("--large", action="store_true", help="build what takes longest, too")
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path("build/networks"))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    known = {case.board for case in CASES}
    if unknown := set(options.boards) - known:
        parser.error(f"no network is measured on {min(unknown)}: there are "
                     f"{', '.join(sorted(known))}")
    console.configure(json=True)   # stages go to standard error
    try:
        rows = [measure(case, options.folder,
                        place=case.placed and not options.no_place
                        and (options.large or not case.large))
                for case in CASES if not options.boards or case.board in options.boards]
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps(rows))
    else:
        Console(width=None if sys.stdout.isatty() else 200).print(table(rows))
        for row in rows:
            print(f"{row['board']}, {row['network']}: {row.get('failed') or row['mapping']}")
    return 1 if any("failed" in row for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())

"""What one network takes on each board, and how fast it is there; every bitstream is built.

``python -m bench.boards [BOARD ...] [--network net.npz] [--folder DIR] [--json]``

The network is the one that ``ohmbit train digits`` makes, if none is given. Builds are kept as
those of ``ohmbit build`` are: what was interrupted goes on, and nothing is built twice. A build
that went wrong ends the command with 1; a network that a chip cannot hold does not.
"""

import argparse
import json
import pathlib
import sys
from collections.abc import Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from boards import catalog
from boards.board import Board
from model import data
from model.errors import CheckFailed, InputError
from model.network import Network
from model.train import train
from ohmbit.commands.build import make
from ohmbit.console import console


__all__ = ["measure", "main"]


def digits(folder: pathlib.Path) -> pathlib.Path:
    """File of the 64-128-10 network that ``ohmbit train digits`` makes."""
    path = folder / "digits.npz"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        train(data.load("digits")).save(path)
    return path


def measure(network: pathlib.Path, board: Board, folder: pathlib.Path, **options: Any) \
        -> dict[str, Any]:
    """What ``ohmbit build`` answers for a board, told such options; or ``reason``, why it has no
    bitstream.

    ``failed`` says that the reason is no property of network and board, as it is where a chip is
    too small, but something that went wrong.
    """
    row = {"board": board.name, "chip": board.chip}
    try:
        return row | {"reason": None, "failed": False} | make(
            network, board, folder / board.name, **options)
    except InputError as error:
        return row | {"reason": str(error), "failed": " is too large for " not in str(error)}
    except CheckFailed as error:
        return row | {"reason": str(error), "failed": True}


def table(rows: Sequence[dict[str, Any]]) -> Table:
    table = Table("board", "chip", "LUTs", "block RAMs", "reached", "clock", "cycles an image",
                  "images/s", "through the port", "built in", box=box.MARKDOWN)
    for row in rows:
        if row["reason"] is not None:
            continue
        table.add_row(
            row["board"], row["chip"], f"{row['luts']:,} of {row['luts_available']:,}",
            f"{row['memories']} of {row['memories_available']}", f"{row['fmax_mhz']:.1f} MHz",
            f"{row['clock_mhz']:g} MHz", f"{row['cycles_per_image']:,}",
            f"{row['core_inferences_per_second']:,.0f}",
            f"{row['link_inferences_per_second']:,.0f}", f"{row['seconds']:.0f} s")
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.boards", description=__doc__)
    parser.add_argument("boards", metavar="BOARD", nargs="*", help="all, if none is named")
    parser.add_argument("--network", type=pathlib.Path, default=None)
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path("build/boards"))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    console.configure(json=True)   # stages go to standard error
    try:
        chosen = [catalog.find(name) for name in options.boards or catalog.BOARDS]
        network = options.network or digits(options.folder)
        Network.load(network)
        rows = [measure(network, board, options.folder) for board in chosen]
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps(rows))
    else:
        Console(width=None if sys.stdout.isatty() else 200).print(table(rows))
        for row in rows:
            if row["reason"] is not None:
                print(f"{row['board']}: {row['reason']}")
    return 1 if any(row["failed"] for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())

"""``ohmbit flash``: a bitstream onto a board."""

import pathlib
import time
from typing import Annotated

import typer

from boards import catalog
from boards.flash import flash as program

from ..console import console
from ..inputs import BoardName, Output, folder
from .build import built, make


__all__ = ["flash"]


def flash(
    what: Annotated[pathlib.Path, typer.Argument(
        metavar="NETWORK|BITSTREAM", help="Network file, which is built for the board unless it "
                                          "has been; or a bitstream.")],
    board: BoardName,
    output: Output = None,
) -> None:
    """Program a board."""
    chosen = catalog.find(board)
    start = time.perf_counter()
    bitstream = what
    if what.suffix == ".npz":
        target = folder(output, what, chosen)
        bitstream = built(what, chosen, target) or \
            pathlib.Path(make(what, chosen, target)["bitstream"])
    with console.progress(f"programming {chosen.name}"):
        loader = program(chosen, bitstream, progress=console.stage)
    seconds = time.perf_counter() - start
    console.show(f"{bitstream} is on {chosen.name}, by {loader}, {seconds:.1f} s")
    console.result(board=chosen.name, bitstream=bitstream, loader=loader,
                   seconds=round(seconds, 2))

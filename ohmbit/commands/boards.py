"""``ohmbit boards``: what can be built for."""

from rich import box
from rich.table import Table

from boards import catalog
from boards.board import Board
from sim import tools

from ..console import console


__all__ = ["boards"]


def boards() -> None:
    """List the boards, and which tools for them are here."""
    table = Table("board", "chip", "LUTs", "block RAMs", "clock", "serial port", "tools",
                  "programmed by", box=box.SIMPLE)
    rows = []
    for board in catalog.BOARDS.values():
        missing = [name for name in board.family.tools if tools.find(name) is None]
        loader = _loader(board)
        resources = board.resources
        rows.append({
            "board": board.name, "chip": board.chip, "family": board.family.name,
            "luts": resources.luts, "memories": resources.memory_blocks,
            "memory_bits": resources.memory_blocks * resources.memory_block_bits,
            "clock_mhz": float(board.clock_hz) / 1e6, "baud": board.baud,
            "uart": board.uart,
            "missing": missing, "loader": loader})
        table.add_row(board.name, board.chip, f"{resources.luts:,}",
                      f"{resources.memory_blocks} x {resources.memory_block_bits // 1024} Kib",
                      f"{float(board.clock_hz) / 1e6:g} MHz",
                      f"{board.baud:,} baud: {board.uart}",
                      "here" if not missing else board.get,
                      loader or f"none here: {' or '.join(name for name, *_ in board.loaders)}")
    console.show(table)
    console.result(boards=rows)


def _loader(board: Board) -> str | None:
    return next((name for name, *_ in board.loaders if tools.find(name)), None)

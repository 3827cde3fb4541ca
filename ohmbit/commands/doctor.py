"""``ohmbit doctor``: the programs that ohmbit runs, and packages that it can do without."""

import importlib.metadata
from typing import Annotated, Any

import typer
from rich import box
from rich.table import Table

from boards import catalog
from model.errors import InputError
from sim import tools

from ..console import console


__all__ = ["doctor"]


# What each is for, and the extra that brings it.
PACKAGES = {
    "qonnx": ("networks in QONNX files: import, export", "qonnx"),
    "onnx": ("reading and writing QONNX files", "qonnx"),
    "onnxruntime": ("executing QONNX graphs, to import and to compare", "qonnx"),
    "numba": ("a faster `ohmbit learn`", "numba"),
    "matplotlib": ("figures of benchmarks", "plot"),
}


def doctor(
    prepare: Annotated[str | None, typer.Option(
        metavar="NAME[,NAME…]", help="Start tools for the first time, which takes a minute and "
                                     "is long in silence; ice40, ecp5, gowin, verilator, or the "
                                     "name of a tool.")] = None,
) -> None:
    """Say which tools and packages are here, and how to get the others."""
    if prepare is not None:
        _prepare(prepare.split(","))
    table = Table("tool", "version", "what for", "how to get it", box=box.SIMPLE)
    rows = []
    for tool in tools.TOOLS.values():
        command = tools.find(tool.name)
        version = tools.version(tool.name) if command else None
        rows.append({"tool": tool.name, "here": command is not None, "version": version,
                     "command": command, "purpose": tool.purpose, "get": tool.get})
        table.add_row(tool.name, version or ("here" if command else "-"), tool.purpose,
                      "" if command else tool.get)
    packages = [_package(name) for name in PACKAGES]
    for row in packages:
        table.add_row(row["package"], row["version"] or "-", row["purpose"],
                      "" if row["here"] else row["get"])
    console.show(table)
    console.result(tools=rows, packages=packages)


def _package(name: str) -> dict[str, Any]:
    purpose, extra = PACKAGES[name]
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        version = None
    return {"package": name, "here": version is not None, "version": version, "purpose": purpose,
            "get": f"pip install 'ohmbit[{extra}]'"}


def _prepare(names: list[str]) -> None:
    sets = {board.family.name: board.family.tools for board in catalog.BOARDS.values()}
    sets |= {"verilator": ("yosys", "verilator")} | {name: (name,) for name in tools.TOOLS
                                                     if name != "verilator"}
    for name in names:
        if name not in sets:
            raise InputError(f"--prepare knows no {name!r}: there are {', '.join(sets)}")
    with console.progress("starting tools"):
        tools.prepare(dict.fromkeys(tool for name in names for tool in sets[name]), console.stage)

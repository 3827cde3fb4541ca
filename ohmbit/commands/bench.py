"""``ohmbit bench``: the benchmarks of a checkout."""

import ast
import os
import pathlib
import subprocess
import sys
from typing import Annotated, Any

import typer
from rich import box
from rich.table import Table

from model.errors import InputError

from ..console import console


__all__ = ["bench"]


ROOT = pathlib.Path(__file__).parent.parent.parent

Name = Annotated[str | None, typer.Argument(
    metavar="[NAME]", help="Benchmark to run; without one they are listed.", show_default=False)]


# Everything behind the name is for the benchmark.
SETTINGS: dict[str, Any] = {"allow_extra_args": True, "ignore_unknown_options": True}


def bench(context: typer.Context, name: Name = None) -> None:
    """Run a benchmark of a checkout; further options are passed on to it.

    `python -m bench.NAME --help` has its options.
    """
    known = benchmarks(ROOT / "bench")
    if name is None:
        table = Table("benchmark", "measures", box=box.SIMPLE)
        for each, line in known.items():
            table.add_row(each, line)
        console.show(table)
        console.result(benchmarks=[{"name": each, "measures": line}
                                   for each, line in known.items()])
        return
    if name not in known:
        raise InputError(f"no benchmark {name!r}: there are {', '.join(known)}")
    command = [sys.executable, "-m", f"bench.{name}", *context.args]
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    sys.stdout.flush()
    code = subprocess.run([*command, *(["--json"] if console.json else [])],
                          env=os.environ | {"PYTHONPATH": path}).returncode
    if code:
        # It has said why; with --json what it printed, if anything, is the answer.
        raise typer.Exit(code if code > 0 else 1)


def benchmarks(folder: pathlib.Path) -> dict[str, str]:
    """The first line of what each benchmark in a folder says of itself, by name."""
    found = {}
    for path in sorted(folder.glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if any(isinstance(node, ast.FunctionDef) and node.name == "main" for node in tree.body):
            found[path.stem] = (ast.get_docstring(tree) or "").partition("\n")[0]
    if not found:
        raise InputError("benchmarks are not installed: run them in a checkout of ohmbit's "
                         "repository")
    return found

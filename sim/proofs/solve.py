"""Runs of a design, all of them at once: Yosys writes them down as formulas, Boolector solves."""

import os
import pathlib
import re
import shlex
import subprocess
import warnings
from dataclasses import dataclass

from amaranth.back import rtlil

from model.errors import CheckFailed
from sim import tools

from .harness import Harness
from .trace import Trace


__all__ = ["Answer", "METHODS", "TOOLS", "solve"]


TOOLS = ("yosys", "yosys-smtbmc", "boolector")

METHODS = {
    "combinational": "one cycle from any state: the claims have no memory",
    "bounded": "all runs of that many cycles from power-up",
    "induction": "all runs: those of that many cycles from power-up, and that many cycles from "
                 "any state in which the claims hold are followed by one in which they hold",
}

SCRIPT = ("read_rtlil top.il; hierarchy -top top; proc; flatten; {blank} "
          "memory -nomap; {memory}; "
          "chformal -lower; opt -full; async2sync; dffunmap; opt_clean; delete s:0; "
          "write_smt2 -wires top.smt2")


@dataclass(frozen=True)
class Answer:
    """What became of the claims of a harness.

    Parameters
    ----------
    verdict : :class:`str`
        ``"proved"``; ``"refuted"`` by a run from power-up; ``"open"`` where only the step of an
        induction failed, and so nothing is known; ``"unreached"`` where the claims hold but what
        they are about does not happen in so few cycles.
    claim : :class:`str`
        That which does not hold, or is not reached.
    trace : :class:`sim.proofs.trace.Trace`, or None
        The run that shows it.
    """

    verdict: str
    claim: str = ""
    trace: Trace | None = None


def solve(harness: Harness, method: str, cycles: int, *, covers: bool = True) -> Answer:
    """Decide whether the claims of a harness hold, and whether its covers are reached.

    Parameters
    ----------
    harness : :class:`sim.proofs.harness.Harness`
        Not elaborated yet. Formulas, logs and traces go into its folder, which exists.
    method : :class:`str`
        One of :data:`METHODS`.
    cycles : :class:`int`
        Length of the runs, or of the steps of an induction.
    covers : :class:`bool`
        Whether to look for what is to be reached.
    """
    if method not in METHODS:
        raise ValueError(f"Method must be one of {', '.join(METHODS)}, not {method!r}")
    folder = harness.folder
    _formulas(harness)
    if not _holds(folder, "base", "-t", str(cycles)):
        trace = Trace(folder / "base.vcd")
        return Answer("refuted", _low(harness, trace), trace)
    if method == "induction" and not _holds(folder, "step", "-i", "-t", str(cycles)):
        trace = Trace(folder / "step.vcd")
        return Answer("open", _low(harness, trace), trace)
    if covers and harness.covers and not _holds(folder, "cover", "-c", "-t", str(cycles)):
        log = (folder / "cover.log").read_text()
        missed = re.findall(r"Unreached cover statement at [^\n]*", log)
        return Answer("unreached", f"{len(missed)} of: {', '.join(harness.covers)}")
    return Answer("proved")


def _low(harness: Harness, trace: Trace) -> str:
    """The claims that do not hold at the end of a trace."""
    failed = [text for n, text in enumerate(harness.claims) if trace.last(f"claim_{n}") == 0]
    return "; ".join(dict.fromkeys(failed)) or "an assertion that no claim made"


def _formulas(harness: Harness) -> None:
    folder = harness.folder
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")   # a top level without a platform is what it shall be
        text = rtlil.convert(harness, name="top", ports=harness.ports, emit_src=False)
    (folder / "top.il").write_text(text)
    script = SCRIPT.format(blank="" if harness.blank else "delete t:$meminit_v2;",
                           memory="memory_nordff" if harness.arrays else "memory_map")
    if harness.verilog:
        (folder / "more.v").write_text(harness.verilog)
        script = f"read_verilog -sv more.v; {script}"
    _run("yosys", folder, ["-q", "-l", "yosys.log", "-p", script], "yosys.log")


def _holds(folder: pathlib.Path, kind: str, *options: str) -> bool:
    (folder / f"{kind}.vcd").unlink(missing_ok=True)
    status = _run("yosys-smtbmc", folder,
                  ["-s", "boolector", "--noprogress", *options,
                   *(() if kind == "cover" else ("--dump-vcd", f"{kind}.vcd")), "top.smt2"],
                  f"{kind}.log", answers=(0, 1))
    log = (folder / f"{kind}.log").read_text()
    found = re.search(r"Status: (PASSED|FAILED)", log)
    if found is None or (status == 0) != (found[1] == "PASSED"):
        raise CheckFailed(f"yosys-smtbmc gave no answer: {folder / f'{kind}.log'}")
    return status == 0


def _run(name: str, folder: pathlib.Path, arguments: list[str], log: str,
         answers: tuple[int, ...] = (0,)) -> int:
    environment = os.environ | {"PYTHONWARNINGS": "ignore",
                                "PATH": f"{_solver(folder)}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run([*tools.require(name), *arguments], cwd=folder, env=environment,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace")
    (folder / log).write_text(done.stdout)
    if done.returncode not in answers:
        last = done.stdout.strip().rpartition("\n")[2]
        raise CheckFailed(f"{name} failed: {last} (log: {folder / log})")
    return done.returncode


def _solver(folder: pathlib.Path) -> pathlib.Path:
    """A folder in which the solver has the name by which yosys-smtbmc calls it."""
    place = (folder / "solver").resolve()
    place.mkdir(exist_ok=True)
    path = place / "boolector"
    if not path.exists():
        command = shlex.join(tools.require("boolector"))
        path.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        path.chmod(0o755)
    return place

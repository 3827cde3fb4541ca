"""Builds components for a simulator, and has cocotb run cases on them."""

import hashlib
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
from amaranth.hdl import (
    ClockDomain,
    ClockSignal,
    Const,
    DomainRenamer,
    Module,
    ResetSignal,
    Value,
)
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from model.errors import CheckFailed

from .. import tools
from ..cache import keep
from ..verilated import verilator_root
from ..verilog import to_rtlil, to_verilog
from .case import FOLDER, Answer, Case


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

    Each has a clock and a reset of its own, :py:`NAME__clk` and :py:`NAME__rst`, so that it stands
    still while another is at work.

    Parameters
    ----------
    components : dict of components
        What to put there; their ports are called :py:`NAME__PORT`.
    """

    def __init__(self, components: Mapping[str, Any]) -> None:
        self._components = dict(components)
        super().__init__({name: Out(wiring.Signature(
            {port: member.flow(value.shape(), init=value.init)
             for port, member, value in _ports(component)} | {"clk": In(1), "rst": In(1)}))
            for name, component in self._components.items()})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        for name, component in self._components.items():
            m.submodules[name] = DomainRenamer(name)(component)
            m.domains += ClockDomain(name)
            outer = getattr(self, name)
            m.d.comb += [ClockSignal(name).eq(outer.clk), ResetSignal(name).eq(outer.rst)]
            for port, member, value in _ports(component):
                held = getattr(outer, port)
                m.d.comb += held.eq(value) if member.flow is Out else value.eq(held)
        return m

    @property
    def inputs(self) -> dict[str, dict[str, int]]:
        """Inputs of each component, and the levels that they have as long as nobody cares."""
        return {name: {port: value.init for port, member, value in _ports(component)
                       if member.flow is In}
                for name, component in self._components.items()}


def _ports(component: Any) -> Iterator[tuple[str, Any, Any]]:
    """Ports by their Verilog names. A constant is none, such as a ready that is always high."""
    for path, member, value in component.signature.flatten(component):
        value = Value.cast(value)
        if not isinstance(value, Const):
            yield "__".join(map(str, path)), member, value


@dataclass(frozen=True)
class Build:
    """Components in a simulator, ready to run.

    Parameters
    ----------
    simulator : :class:`str`
        ``"icarus"`` or ``"verilator"``.
    folder : path
        Where it is kept.
    inputs : dict of dict of :class:`int`
        As :class:`SideBySide` has them.
    """

    simulator: str
    folder: pathlib.Path
    inputs: dict[str, dict[str, int]]

    def run(self, cases: Sequence[Case]) -> list[Answer]:
        """Carry out cases in one process, in their order; :exc:`CheckFailed` if any fails.

        The message says what was wrong with each that failed, and where the simulator's log is.
        """
        with _folder() as job:
            return self._run(job, cases)

    def _run(self, job: pathlib.Path, cases: Sequence[Case]) -> list[Answer]:
        from cocotb_tools.runner import get_runner

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
                            extra_env={FOLDER: str(job)})
            except (RuntimeError, SystemExit) as error:
                raise CheckFailed(f"{self.simulator} stopped: {_last(log)} (log: {log})") from error
        failures = _failures(results, cases)
        if failures:
            raise CheckFailed(f"{'; '.join(failures)} (log: {log})")
        return [Answer(**json.loads((job / f"answer-{number}.json").read_text()))
                for number in range(len(cases))]


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
    from cocotb_tools import config

    top = SideBySide(components)
    text = to_rtlil(top, TOP)
    versions = [f"{name} {tools.version(name)}" for name in NEEDED[simulator]]
    # What is built for Verilator looks for cocotb's libraries where they are now.
    parts = [text, simulator, str(config.libs_dir), pathlib.Path(__file__).read_text(), *versions]
    key = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]
    cache = cache or platformdirs.user_cache_path("ohmbit") / "cosim"
    folder = keep(cache / key, lambda folder: _compile(text, simulator, folder))
    return Build(simulator, folder, top.inputs)


def _compile(text: str, simulator: str, folder: pathlib.Path) -> None:
    """Have a simulator compile the Verilog of RTLIL in a folder."""
    from cocotb_tools.runner import get_runner

    source, log = folder / f"{TOP}.v", folder / "build.log"
    to_verilog(text, source)
    sources, options = [source], []
    if simulator == "verilator":
        # cocotb makes all there is accessible, which takes several times as long to compile.
        sources.insert(0, folder / "ports.vlt")
        sources[0].write_text(f'`verilator_config\npublic_flat_rw -module "{TOP}" -var "*"\n')
        options = ["-O3", "-Wno-fatal", "-Wno-lint", "-Wno-style", "--no-public-flat-rw"]
    with _environment(simulator):
        try:
            get_runner(simulator).build(
                sources=sources, hdl_toplevel=TOP, build_dir=folder, always=True,
                timescale=("1ns", "1ps"), build_args=options, log_file=log)
        except (RuntimeError, SystemExit) as error:
            # What could not be built is not kept, but why is.
            with _folder() as kept:
                log = pathlib.Path(shutil.copy(log, kept))
                raise CheckFailed(f"{simulator} failed: {_last(log)} (log: {log})") from error
    # What is run, and what it was made of; there is a hundred times as much in between.
    for path in folder.iterdir():
        if path.name not in (TOP, "sim.vvp", source.name, log.name):
            path.unlink()


@contextmanager
def _folder() -> Iterator[pathlib.Path]:
    """A temporary folder that stays if a check fails: then its logs are of use."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="ohmbit-cosim-"))
    stays = False
    try:
        yield folder
    except CheckFailed:
        stays = True
        raise
    finally:
        if not stays:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _environment(simulator: str) -> Iterator[None]:
    """What cocotb's runner, and what it starts, find programs and modules by."""
    folders = [str(pathlib.Path(tools.require(name)[0]).parent) for name in NEEDED[simulator]]
    more = {}
    if simulator == "verilator":
        more["MAKEFLAGS"] = "OPT_FAST=-O0 OPT_GLOBAL=-O0"    # cocotb is slower than any of it
        if (root := verilator_root()) is not None:
            folders.insert(0, str(root / "bin"))
            more["VERILATOR_ROOT"] = str(root)
            more["MAKEFLAGS"] += " CFG_CXXFLAGS_PCH_I=-include"    # empty in the wheel's makefile
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
    tests = list(ElementTree.parse(results).getroot().iter("testcase")) if results.exists() else []
    if len(tests) != len(cases):
        return [f"the simulator ended after {len(tests)} of {len(cases)} cases"]
    failures = []
    for case, test in zip(cases, tests, strict=True):
        failure = test.find("failure")
        failure = test.find("error") if failure is None else failure
        if failure is not None:
            failures.append(f"{case.component}: {failure.get('message', '').splitlines()[0]}")
    return failures

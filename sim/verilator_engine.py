"""Verilator as an engine: a C++ compiler, some seconds to build, and then millions of cycles."""

import ctypes
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from gateware import cost
from gateware.compiler import pixel_rows

from . import verilated
from .engine import Image, Result, Waveform, bus_reads, bus_writes, image_of, result_of
from .verilog import swap_popcounts, to_rtlil, to_verilog


__all__ = ["VerilatorEngine", "verilate"]


HARNESS = pathlib.Path(__file__).with_name("harness.cc")

Words = npt.NDArray[np.uint32]


def verilate(component: Any, harness: pathlib.Path, *, swap: bool, cache: pathlib.Path,
             ports: str = "", trace: bool = False) -> pathlib.Path:
    """Library of a component under a C++ harness, as :func:`sim.verilated.compile_library` has it.

    With :py:`swap`, its popcounts are replaced by ``$countones``.
    """
    text = to_rtlil(component, "top")

    def write(folder: pathlib.Path) -> Sequence[str]:
        path = folder / "top.v"
        to_verilog(text, path)
        if swap:
            path.write_text(swap_popcounts(path.read_text()))
        return [path.name]

    return verilated.compile_library(
        write, harness, content=[text, str(swap)], programs=["yosys"], ports=ports, trace=trace,
        cache=cache)


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
        self._cache = cache or verilated.cache_folder()
        self._library: ctypes.CDLL | None = None
        self._handle: int | None = None
        self._image: Image | None = None

    def library(self, accelerator: Any, ports: str, *, trace: bool) -> pathlib.Path:
        """The compiled accelerator; engines that run something else made of it say what."""
        return verilate(accelerator, HARNESS, swap=self._swap, cache=self._cache, ports=ports,
                        trace=trace)

    def load(self, accelerator: Any) -> None:
        self._accelerator = accelerator
        self._image = None
        self._open(trace=False)

    def _open(self, *, trace: bool) -> None:
        """Start the simulator, from power-up."""
        accelerator = self._accelerator
        self._probes = sum(hasattr(accelerator, f"probe_{n}")
                           for n in range(len(accelerator.mapping.layers)))
        ports = "".join(f" _({n})" for n in range(self._probes))
        path = self.library(accelerator, f"#define PROBES(_){ports}\n", trace=trace)
        self._close()
        self._library = library = ctypes.CDLL(str(path))
        for name in ("sim_i_bytes", "sim_o_bytes", "sim_probe_bytes", "sim_read", "sim_infer"):
            getattr(library, name).restype = ctypes.c_int64
        library.sim_new.restype = ctypes.c_void_p
        self._handle = library.sim_new()

    def _close(self) -> None:
        if self._library is not None and self._handle is not None:
            self._library.sim_free(ctypes.c_void_p(self._handle))
        self._handle = None

    def __del__(self) -> None:
        self._close()

    def _call(self, name: str, *arguments: Any) -> int:
        if self._library is None:
            raise RuntimeError("Engine must be loaded before it is used")
        converted = [ctypes.c_int64(value) if isinstance(value, int) else value.ctypes
                     if isinstance(value, np.ndarray) else value for value in arguments]
        return int(getattr(self._library, name)(ctypes.c_void_p(self._handle), *converted) or 0)

    def write(self, image: Image) -> None:
        self._image = image
        pairs = np.array(bus_writes(self._accelerator, image), dtype=np.uint32)
        addresses, words = (np.ascontiguousarray(column) for column in pairs.T)
        self._call("sim_write", addresses, words, len(words))

    def read(self) -> Image:
        addresses = np.array(bus_reads(self._accelerator), dtype=np.uint32)
        words: Words = np.zeros(len(addresses), dtype=np.uint32)
        if self._call("sim_read", addresses, words, len(words)) < len(words):
            raise TimeoutError("a read over the bus was never answered")
        return image_of(self._accelerator, words.tolist())

    def infer(self, images: npt.ArrayLike, *, waveform: Waveform | None = None) -> Result:
        if self._library is None:
            raise RuntimeError("Engine must be loaded before it is used")
        if waveform is not None:
            # What can record is slower, so it is another build.
            self._open(trace=True)
            if self._image is not None:
                self.write(self._image)
            self._call("sim_record", str(waveform.path).encode(), waveform.first, waveform.last)
        dut, library = self._accelerator, self._library
        images = np.asarray(images)
        classes = dut.shape.classes
        count = len(images) * classes
        limit = 2 * cost.timing(dut.mapping, len(images)).cycles + 100

        words = pixel_rows(images, dut.shape, dut.mapping)
        source = np.zeros((len(words), library.sim_i_bytes()), dtype=np.uint8)
        source[:, :words.shape[1]] = words
        out = np.zeros((count, library.sim_o_bytes()), dtype=np.uint8)
        stamps = np.zeros(count, dtype=np.int64)
        records = (_Probe * max(self._probes, 1))()
        seen: list[np.ndarray] = []
        times: list[np.ndarray] = []
        for n in range(self._probes):
            folding = dut.mapping.layers[n]
            per_image = folding.words if n < len(dut.mapping.layers) - 1 else classes
            # One more than there should be, so that an event too many is noticed.
            seen.append(np.zeros((len(images) * per_image + 1, library.sim_probe_bytes(n)),
                                 dtype=np.uint8))
            times.append(np.zeros(len(seen[n]), dtype=np.int64))
            records[n] = _Probe(seen[n].ctypes.data, times[n].ctypes.data, len(seen[n]), 0)

        got = self._call("sim_infer", source, len(words), out, stamps, count, records, limit)
        if got < count:
            raise TimeoutError(f"{got} of {count} scores after {limit} cycles")
        return result_of(dut, out, stamps, [
            (rows[:record.count], when[:record.count])
            for rows, when, record in zip(seen, times, records, strict=False)])


class _Probe(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("stamps", ctypes.c_void_p),
                ("capacity", ctypes.c_int64), ("count", ctypes.c_int64)]

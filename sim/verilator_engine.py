"""Verilator as an engine: a C++ compiler, some seconds to build, and then millions of cycles."""

import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from . import verilated
from .engine import Image, Result, Waveform, bus_reads, bus_writes, image_of
from .simulator import Simulator
from .verilog import swap_popcounts, to_rtlil, to_verilog


__all__ = ["VerilatorEngine", "verilate"]


HARNESS = pathlib.Path(__file__).with_name("harness.cc")


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
        self._simulator: Simulator | None = None
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
        probes = sum(hasattr(accelerator, f"probe_{n}")
                     for n in range(len(accelerator.plan.probed)))
        ports = "".join(f" _({n})" for n in range(probes))
        path = self.library(accelerator, f"#define PROBES(_){ports}\n", trace=trace)
        if self._simulator is not None:
            self._simulator.close()
        self._start = path, accelerator.plan, probes
        self._simulator = Simulator(*self._start)

    @property
    def simulator(self) -> Simulator:
        """The simulator that was started last."""
        if self._simulator is None:
            raise RuntimeError("Engine must be loaded before it is used")
        return self._simulator

    @property
    def start(self) -> tuple[pathlib.Path, Any, int]:
        """What to make another :class:`sim.simulator.Simulator` of, in another process perhaps."""
        assert self.simulator is not None
        return self._start

    @property
    def writes(self) -> npt.NDArray[np.uint32]:
        """What was written over the bus: addresses and words; none where nothing was."""
        pairs = [] if self._image is None else bus_writes(self._accelerator, self._image)
        return np.array(pairs, dtype=np.uint32).reshape(-1, 2)

    def write(self, image: Image) -> None:
        simulator = self.simulator
        self._image = image
        simulator.write(self.writes)

    def read(self) -> Image:
        addresses = np.array(bus_reads(self._accelerator), dtype=np.uint32)
        return image_of(self._accelerator, self.simulator.read(addresses))

    def infer(self, images: npt.ArrayLike, *, waveform: Waveform | None = None) -> Result:
        simulator = self.simulator
        if waveform is not None:
            # What can record is slower, so it is another build.
            self._open(trace=True)
            simulator = self.simulator
            simulator.write(self.writes)
            simulator.record(waveform.path, waveform.first, waveform.last)
        return simulator.infer(images)

"""Icarus Verilog as an engine, with cocotb at the ports: the emitted Verilog in its own words."""

import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from model.errors import InputError

from .cosim.case import Answer, Case, Step
from .cosim.runner import Build, build
from .engine import (
    Image,
    Result,
    Waveform,
    bus_reads,
    bus_writes,
    count_reads,
    image_of,
    result_of,
    words_of,
)


__all__ = ["IcarusEngine"]


NAME = "accelerator"


class IcarusEngine:
    """Runs an accelerator as the Verilog that is emitted for it, at some thousand cycles a second.

    Sees what passes between layers where the accelerator has probes. Each call is a process of its
    own, from power-up: :meth:`read` and :meth:`infer` first carry out the last :meth:`write` again,
    over the bus.

    Parameters
    ----------
    cache : path, or None
        Where builds are kept; the user's cache folder if None.
    """

    name = "icarus"

    def __init__(self, *, cache: pathlib.Path | None = None) -> None:
        self._cache = cache
        self._build: Build | None = None
        self._writes: list[tuple[int, int]] = []

    def load(self, accelerator: Any) -> None:
        self._accelerator = accelerator
        self._build = build({NAME: accelerator}, "icarus", cache=self._cache)
        self._writes = []

    def write(self, image: Image) -> None:
        self._writes = bus_writes(self._accelerator, image)

    def _run(self, *cases: Case) -> list[Answer]:
        """Carry out cases behind the last write."""
        if self._build is None:
            raise RuntimeError("Engine must be loaded before it is used")
        writes = [Step({"bus__w_en": 1, "bus__addr": address, "bus__w_data": word})
                  for address, word in self._writes]
        before = Case(NAME, steps=[*writes, Step({"bus__w_en": 0})], limit=len(writes) + 2)
        return self._build.run([before, *cases])[1:]

    def read(self) -> Image:
        answer, = self._run(_reads(bus_reads(self._accelerator)))
        return image_of(self._accelerator, _words(answer))

    def infer(self, images: npt.ArrayLike, *, waveform: Waveform | None = None) -> Result:
        if waveform is not None:
            raise InputError("the engine icarus records no waveforms: choose amaranth or verilator")
        dut = self._accelerator
        images = np.asarray(images)
        probes = [n for n in range(len(dut.plan.probed)) if hasattr(dut, f"probe_{n}")]
        answer, *counters = self._run(Case(
            NAME, feed={"i": words_of(dut, images)},
            drain={"o": len(images) * dut.plan.classes}, taps=[f"probe_{n}" for n in probes],
            reset=False, limit=dut.plan.limit(len(images))),
            *([_reads(count_reads(dut))] if dut.counters else []))
        counted = _words(counters[0]) if counters else []

        def stamps(stream: str) -> np.ndarray:
            return np.array(answer.when[stream]) - answer.when["i"][0] + 1

        return result_of(dut, answer.words["o"], stamps("o"), [
            (answer.words[f"probe_{n}"], stamps(f"probe_{n}")) for n in probes],
            ([0] * len(counted), counted))


def _reads(addresses: Sequence[int]) -> Case:
    """Reads of some addresses of the bus."""
    steps = []
    for address in addresses:
        steps += [Step({"bus__r_en": 1, "bus__addr": address}),
                  Step({"bus__r_en": 0}, until="bus__r_valid")]
    return Case(NAME, steps=steps, watch=["bus__r_data"], reset=False, limit=16 * len(steps))


def _words(answer: Answer) -> list[int]:
    """What was read; a word that is unknown is no word that was written."""
    return [-1 if word is None else word for word in answer.at_ends("bus__r_data")[1::2]]

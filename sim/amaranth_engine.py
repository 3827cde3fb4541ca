"""Amaranth's own simulator as an engine: nothing to install, and slow."""

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from amaranth.hdl import Value
from amaranth.sim import Simulator


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
from .waveform import Gate


__all__ = ["AmaranthEngine"]


class AmaranthEngine:
    """Runs an accelerator in :mod:`amaranth.sim`, at some thousand cycles a second.

    Sees what passes between layers where the accelerator has probes.
    """

    name = "amaranth"

    def load(self, accelerator: Any) -> None:
        self._accelerator = accelerator
        self._image: Image | None = None
        self._open()

    def _open(self) -> None:
        """Start the simulator, from power-up."""
        self._jobs: deque[Callable[[Any], Awaitable[None]]] = deque()
        self._simulator = Simulator(self._accelerator)
        self._simulator.add_clock(1e-6)
        self._simulator.add_testbench(self._host)

    async def _host(self, ctx: Any) -> None:
        """Carry out what is asked of the engine, one thing after another, for ever."""
        while True:
            if self._jobs:
                await self._jobs[0](ctx)
                self._jobs.popleft()
            else:
                await ctx.tick()

    def _run(self, job: Callable[[Any], Awaitable[None]]) -> None:
        self._jobs.append(job)
        while self._jobs:
            self._simulator.advance()

    def write(self, image: Image) -> None:
        self._image = image
        bus = self._accelerator.bus
        writes = bus_writes(self._accelerator, image)

        async def job(ctx: Any) -> None:
            ctx.set(bus.w_en, 1)
            for address, word in writes:
                ctx.set(bus.addr, address)
                ctx.set(bus.w_data, word)
                await ctx.tick()
            ctx.set(bus.w_en, 0)

        self._run(job)

    def read(self) -> Image:
        return image_of(self._accelerator, self._words(bus_reads(self._accelerator)))

    def _words(self, addresses: Sequence[int]) -> list[int]:
        bus = self._accelerator.bus
        words: list[int] = []

        async def job(ctx: Any) -> None:
            for address in addresses:
                ctx.set(bus.addr, address)
                ctx.set(bus.r_en, 1)
                await ctx.tick()
                ctx.set(bus.r_en, 0)
                word, = await ctx.tick().sample(bus.r_data).until(bus.r_valid)
                words.append(word)

        self._run(job)
        return words

    def infer(self, images: npt.ArrayLike, *, waveform: Waveform | None = None) -> Result:
        if waveform is None:
            return self._infer(images)
        self._open()
        with open(waveform.path, "w") as file, Gate(file) as gate, \
                self._simulator.write_vcd(gate):
            if self._image is not None:
                self.write(self._image)
            return self._infer(images, lambda cycle: setattr(
                gate, "open", waveform.first <= cycle <= waveform.last))

    def _infer(self, images: npt.ArrayLike,
               notice: Callable[[int], None] = lambda cycle: None) -> Result:
        """Classify images; :py:`notice` is told of each cycle as it begins."""
        dut = self._accelerator
        images = np.asarray(images)
        source = words_of(dut, images)
        count = len(images) * dut.plan.classes
        limit = dut.plan.limit(len(images))
        # Only the probes say what is inside, and only if the accelerator has them.
        probes = [getattr(dut, f"probe_{n}") for n in range(len(dut.plan.probed))
                  if hasattr(dut, f"probe_{n}")]
        out: list[int] = []
        stamps: list[int] = []
        seen: list[list[int]] = [[] for _ in probes]
        times: list[list[int]] = [[] for _ in probes]

        async def job(ctx: Any) -> None:
            signals = [dut.i.ready, dut.o.valid, Value.cast(dut.o.payload)]
            for probe in probes:
                signals += [probe.valid, Value.cast(probe.payload)]
            sent, first = 0, -1
            ctx.set(dut.o.ready, 1)
            for cycle in range(limit):
                if first >= 0:
                    notice(cycle - first + 1)
                ctx.set(dut.i.valid, sent < len(source))
                if sent < len(source):
                    ctx.set(Value.cast(dut.i.payload), source[sent])
                _, _, ready, valid, payload, *events = await ctx.tick().sample(*signals)
                if ready and sent < len(source):
                    first = cycle if first < 0 else first
                    sent += 1
                for n, (happened, word) in enumerate(zip(events[::2], events[1::2], strict=True)):
                    if happened:
                        seen[n].append(word)
                        times[n].append(cycle - first + 1)
                if valid:
                    out.append(payload)
                    stamps.append(cycle - first + 1)
                    if len(out) == count:
                        break
            ctx.set(dut.i.valid, 0)
            ctx.set(dut.o.ready, 0)

        before = self._words(count_reads(dut))
        self._run(job)
        if len(out) < count:
            raise TimeoutError(f"{len(out)} of {count} scores after {limit} cycles")
        return result_of(dut, out, stamps, list(zip(seen, times, strict=True)),
                         (before, self._words(count_reads(dut))))

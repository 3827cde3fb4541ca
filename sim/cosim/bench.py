"""What cocotb runs inside the simulator: the cases of a job, one test for each.

The job is a folder, named by an environment variable, with :py:`case-N.json` in it; each test that
passes leaves :py:`answer-N.json` there. See :class:`sim.cosim.runner.Build`.
"""

import json
import os
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge

from .case import FOLDER, Answer, Case, Step
from .stream import Monitor, Sink, Source, StreamError, level


__all__ = ["Script", "carry_out"]


PERIOD = 10   # ns
_job = pathlib.Path(os.environ[FOLDER]) if FOLDER in os.environ else None
_count = len(list(_job.glob("case-*.json"))) if _job else 0


class Script:
    """Goes through steps, and notes the levels of ports.

    Parameters
    ----------
    ports : callable
        Handle of a port of the component by name.
    steps : sequence of :class:`sim.cosim.case.Step`
    watch : sequence of :class:`str`
        Ports to note.
    """

    def __init__(self, ports: Callable[[str], Any], steps: Sequence[Step],
                 watch: Sequence[str]) -> None:
        self.ends: list[int] = []
        self.seen: dict[str, list[int | None]] = {name: [] for name in watch}
        self._ports = ports
        self._steps = steps
        self._watched = [(ports(name), noted) for name, noted in self.seen.items()]
        self._left = 0

    @property
    def done(self) -> bool:
        return len(self.ends) == len(self._steps)

    def start(self) -> None:
        """Go on to the next step, if there is one."""
        if self.done:
            return
        step = self._steps[len(self.ends)]
        for name, value in step.set.items():
            self._ports(name).value = value
        self._until = self._ports(step.until) if step.until else None
        self._left = step.times

    def edge(self, edge: int) -> None:
        for handle, noted in self._watched:
            noted.append(level(handle))
        if self.done or (self._until is not None and level(self._until) != 1):
            return
        self._left -= 1
        if self._left == 0:
            self.ends.append(edge)
            self.start()


async def carry_out(dut: Any, case: Case, inputs: Mapping[str, int]) -> Answer:
    """Run one case on the component that it names, of whose inputs a reset restores the levels."""

    def ports(name: str) -> Any:
        return getattr(dut, f"{case.component}__{name}", None)

    clock, reset = ports("clk"), ports("rst")
    tick = RisingEdge(clock)
    running = Clock(clock, PERIOD, unit="ns", impl="gpi")
    running.start(start_high=False)
    if case.reset:
        for name, value in inputs.items():
            ports(name).value = value
        reset.value = 1
        await tick
        await tick
    reset.value = 0

    script = Script(ports, case.steps, case.watch)
    sources = [Source(ports, name, words, case.stalls.get(name, [0]))
               for name, words in case.feed.items()]
    sinks = [Sink(ports, name, count, case.stalls.get(name, [0]))
             for name, count in case.drain.items()]
    taps = [Monitor(ports, name) for name in case.taps]
    streams = [*sources, *sinks, *taps]
    working: list[Script | Source | Sink] = [script, *sources, *sinks]
    for agent in working:
        agent.start()

    cycles = 0
    while working := [agent for agent in working if not agent.done]:
        if cycles == case.limit:
            counts = ", ".join(f"{stream.name} {len(stream.words)}" for stream in streams)
            raise TimeoutError(f"not over after {case.limit} cycles; words that passed: {counts}; "
                               f"steps: {len(script.ends)} of {len(case.steps)}")
        await tick
        script.edge(cycles)
        for stream in streams:
            stream.edge(cycles)
        cycles += 1
    for extra in range(case.linger):
        await tick
        script.edge(cycles + extra)
        for sink in sinks:
            sink.edge(cycles + extra)
            if sink.offered:
                raise StreamError(f"{sink.name} offers more than {case.drain[sink.name]} words")
    running.stop()
    return Answer({stream.name: stream.words for stream in streams},
                  {stream.name: stream.when for stream in streams}, script.ends, script.seen,
                  cycles)


@cocotb.parametrize(number=range(_count))
@cocotb.test()
async def run_case(dut: Any, number: int) -> None:
    """Run one case of the job, and leave its answer."""
    assert _job is not None
    case = Case.from_json((_job / f"case-{number}.json").read_text())
    inputs = json.loads((_job / "inputs.json").read_text())
    answer = await carry_out(dut, case, inputs[case.component])
    (_job / f"answer-{number}.json").write_text(json.dumps(vars(answer)))

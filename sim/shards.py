"""Simulation of many images in several processes, with the result that one of them would have."""

import contextlib
import math
import multiprocessing
import pathlib
import signal
from concurrent.futures import Executor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from gateware import cost
from gateware.mapping import Mapping
from gateware.plan import Plan
from model.errors import CheckFailed

from .engine import Result
from .simulator import Simulator
from .verilator_engine import VerilatorEngine


__all__ = ["infer", "shares"]


PIECES = 2           # for each process: whichever is slowed down gets fewer
LEAST  = 3_000_000   # cycles that are worth a process of their own


def infer(engine: VerilatorEngine, images: npt.ArrayLike, *, jobs: int,
          executor: Executor | None = None, least: int = LEAST) -> Result:
    """What :py:`engine.infer(images)` gives, from several processes that share the images.

    A share begins with some images of the one before it, as many as fill every buffer, and is laid
    over it where they end. So each figure is one that was seen, cycles included, and all are those
    of a single run. Few images are run in this process.

    Parameters
    ----------
    engine : :class:`sim.verilator_engine.VerilatorEngine`
        Loaded and written.
    images : array of :class:`int`, images × inputs
    jobs : :class:`int`
        Processes at once, at least 1.
    executor : :class:`concurrent.futures.Executor`, or None
        What runs the shares, each from the library that the engine was compiled into; a process
        pool if None.
    least : :class:`int`
        Cycles of the smallest share.
    """
    if jobs < 1:
        raise ValueError(f"Jobs must be at least 1, not {jobs!r}")
    images = np.asarray(images)
    path, plan, probes = engine.start
    lead, count = cost.settled(plan.mapping), shares(plan.mapping, len(images), jobs, least)
    if count == 1:
        return engine.infer(images)
    batch = plan.mapping.batch   # none is cut
    begins = [len(images) * n // count // batch * batch for n in range(count)]
    ends = [*begins[1:], len(images)]
    with contextlib.ExitStack() as stack:
        if executor is None:
            # A fork would copy whatever threads of this process are in the middle of.
            executor = stack.enter_context(ProcessPoolExecutor(
                min(jobs, count), mp_context=multiprocessing.get_context("spawn"),
                initializer=_leave_interrupts))
        futures = [executor.submit(run, path, plan, probes, engine.writes,
                                   images[max(0, begin - lead):end], lead if begin else 0)
                   for begin, end in zip(begins, ends, strict=True)]
        try:
            results = [future.result() for future in futures]
        except BrokenProcessPool as error:
            raise CheckFailed("a process that simulated a share of the images was ended, perhaps "
                              "for want of memory: ask for fewer of them") from error
        finally:
            for future in futures:
                future.cancel()
    return _join(results, lead)


def shares(mapping: Mapping, images: int, jobs: int, least: int = LEAST) -> int:
    """How many shares :func:`infer` makes of so many images; one if none are shared."""
    # What a share repeats of the one before shall be a small part of it.
    size = max(10 * cost.settled(mapping),
               math.ceil(least / cost.timing(mapping, 1).cycles_per_image))
    return max(1, min(PIECES * jobs, images // size)) if jobs > 1 else 1


def run(path: pathlib.Path, plan: Plan, probes: int, writes: npt.NDArray[np.uint32],
        images: np.ndarray, lead: int) -> Result:
    """One share, from power-up. What it counts is without the images that it begins with."""
    simulator = Simulator(path, plan, probes)
    simulator.write(writes)
    result = simulator.infer(images)
    if not result.counts or not lead:
        return result
    again = simulator.infer(images[:lead]).counts
    return replace(result, counts={name: counted - again[name]
                                   for name, counted in result.counts.items()})


def _leave_interrupts() -> None:
    """Ctrl-C reaches every process of a terminal, and the first one sees to the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _join(results: list[Result], lead: int) -> Result:
    """One result of several, each but the first less the images that it begins with."""
    kept, offsets = [results[0]], [0]
    for result in results[1:]:
        # The last image of the share before is the last of those that this one begins with.
        offsets.append(offsets[-1] + int(kept[-1].done[-1] - result.done[lead - 1]))
        kept.append(_without(result, lead))

    def join(arrays: list[np.ndarray]) -> np.ndarray:
        return np.concatenate(arrays)

    def later(arrays: list[np.ndarray]) -> np.ndarray:
        return join([array + offset for array, offset in zip(arrays, offsets, strict=True)])

    trace, when = results[0].trace, results[0].when
    return Result(
        scores=join([result.scores for result in kept]),
        best=join([result.best for result in kept]),
        cycles=kept[-1].cycles + offsets[-1],
        done=later([result.done for result in kept]),
        trace=trace and {name: join([(result.trace or {})[name] for result in kept])
                         for name in trace},
        when=when and {name: later([(result.when or {})[name] for result in kept])
                       for name in when},
        batch=results[0].batch,
        counts={name: np.sum([result.counts[name] for result in results], axis=0)
                for name in results[0].counts})


def _without(result: Result, lead: int) -> Result:
    """All but the first images."""
    def rest(arrays: dict[str, np.ndarray] | None) -> dict[str, np.ndarray] | None:
        return arrays and {name: array[lead:] for name, array in arrays.items()}

    return Result(result.scores[lead:], result.best[lead:], result.cycles, result.done[lead:],
                  rest(result.trace), rest(result.when), result.batch)

# amaranth: UnusedElaboratable=no
"""Carrying proofs out, with their controls."""

import os
import pathlib
import re
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass

from .harness import Harness
from .proof import Proof
from .solve import solve


__all__ = ["Check", "Outcome", "check", "prove"]


@dataclass(frozen=True)
class Check:
    """One case of a proof, or one control of it.

    Parameters
    ----------
    proof : :class:`str`
        Its name.
    what : :class:`str`
        The sizes, or what was changed.
    control : :class:`bool`
        Whether the design was made wrong.
    verdict : :class:`str`
        As :class:`sim.proofs.solve.Answer` has it.
    claim : :class:`str`
        That which does not hold.
    trace : :class:`str`
        The last cycles of a run that shows it, as a table.
    waveform : :class:`str`
        File with all of it.
    seconds : :class:`float`
        Processor time taken.
    """

    proof: str
    what: str
    control: bool
    verdict: str
    claim: str
    trace: str
    waveform: str
    seconds: float

    @property
    def good(self) -> bool:
        """Whether this is as it should be: a control must be refuted, by a run from power-up."""
        return self.verdict == ("refuted" if self.control else "proved")


@dataclass(frozen=True)
class Outcome:
    """What became of a proof: its checks, controls last."""

    proof: Proof
    checks: tuple[Check, ...]

    @property
    def good(self) -> bool:
        return all(check.good for check in self.checks)

    @property
    def seconds(self) -> float:
        return sum(check.seconds for check in self.checks)


def check(proof: Proof, number: int, control: bool, folder: pathlib.Path) -> Check:
    """Carry out one case of a proof, or one control; files go into a folder of their own."""
    start = sum(os.times()[:4])
    kind = "control" if control else "case"
    place = folder / re.sub(r"\W+", "-", proof.name) / f"{kind}-{number}"
    place.mkdir(parents=True, exist_ok=True)
    change = proof.controls[number] if control else None
    case = proof.cases[change.case if change else number]
    harness = Harness(place)
    with change.made() if change else nullcontext():
        proof.harness(harness, **case.sizes)
        if not harness.claims:
            raise ValueError(f"Proof {proof.name} must make a claim")
        # A change that only the step of an induction notices might be in states never reached.
        answer = solve(harness, "bounded" if change else proof.method,
                       change.cycles or case.cycles if change else case.cycles,
                       covers=change is None)
    trace = answer.trace
    return Check(proof.name, str(change or case), control, answer.verdict, answer.claim,
                 trace.table() if trace else "", str(trace.path) if trace else "",
                 sum(os.times()[:4]) - start)


def prove(proofs: Sequence[Proof], folder: pathlib.Path, *, executor: Executor | None = None,
          controls: bool = True, say: Callable[[Check], None] | None = None) -> list[Outcome]:
    """Carry proofs out, and their controls.

    Parameters
    ----------
    proofs : sequence of :class:`sim.proofs.proof.Proof`
        What to prove.
    folder : :class:`pathlib.Path`
        Where formulas, logs and waveforms are kept.
    executor : :class:`concurrent.futures.Executor`, or None
        What runs the checks, each in a process of its own or one after the other, but not in
        threads; a pool of as many processes as there are cores if None.
    controls : :class:`bool`
        Whether to carry the controls out too.
    say : callable, or None
        Given each check as it is done.
    """
    with ExitStack() as stack:
        if executor is None:
            executor = stack.enter_context(ProcessPoolExecutor(os.cpu_count()))
        jobs = {}
        for proof in proofs:
            for n in range(len(proof.cases)):
                jobs[executor.submit(check, proof, n, False, folder)] = proof.name, False, n
            for n in range(len(proof.controls) if controls else 0):
                jobs[executor.submit(check, proof, n, True, folder)] = proof.name, True, n
        done = {}
        for job in as_completed(jobs):
            done[jobs[job]] = job.result()
            if say:
                say(job.result())
    return [Outcome(proof, tuple(done[key] for key in sorted(done) if key[0] == proof.name))
            for proof in proofs]

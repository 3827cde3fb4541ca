"""Images learned per second: by hardware, by NumPy and by machine code, one and the same images.

``python -m bench.learning_speed [--dataset mnist] [--data DIR] [--images 10000] [--rounds 3]
[--json]``

NumPy and machine code (Numba's) take turns on the first images of a training set, as many as are
asked for, in their order; rates of convergence are gone through in the course of them. Time is what
the processor spent on it, on one thread, compiling left out; the best round of each counts. The
hardware's cycles are computed from the steps of these very images, at a clock that a bitstream of
it has met (``ohmbit trainer``): from the first word of the first image until the last one has been
learned, as :class:`gateware.learning_plan.LearningPlan` says. What a host needs to bring images is
left out.
"""

import argparse
import json
import math
import pathlib
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from gateware.learning_folding import LearningFolding
from gateware.learning_plan import LearningPlan
from model import data
from model.compiled_learner import CompiledLearner, can_compile
from model.convergence import Convergence
from model.errors import InputError
from model.learned import scaled, unit_of
from model.sign_update import Learner, SignUpdate, Step


__all__ = ["DESIGNS", "Design", "main", "measure"]


CLAIM = "3 orders of magnitude faster than a CPU (B. Li et al., ASP-DAC 2014)"
DECAY = 2


class Design(NamedTuple):
    """A network on a board, at which clock, and how it is laid out."""

    board: str
    mhz: float
    hidden: int
    layout: Mapping[str, Any]   # of a LearningFolding


DESIGNS = (
    Design("icebreaker", 24, 128, {"pe": 8, "rows": 1, "pixels": 1, "storage": "spram"}),
    Design("ulx3s-85f", 30, 300, {"pe": 150, "rows": 3, "pixels": 2}),
)


def cycles(folding: LearningFolding, steps: Sequence[Step]) -> float:
    """Of an image, on average, when images press."""
    taken = tuple(folding.cycles(step) for step in steps)
    return LearningPlan(folding).cycles(len(steps), taken=(taken,)) / len(steps)


def measure(dataset: data.Dataset, count: int, rounds: int) -> list[dict[str, Any]]:
    """What each of :data:`DESIGNS` comes to, as the table has it, on the first so many images."""
    images = scaled(dataset.x_train[:count], unit_of(dataset.x_train))
    labels = dataset.y_train[:count]
    convergence = Convergence.scheduled(DECAY, len(images))
    kinds = {"numpy": Learner} | ({"numba": CompiledLearner} if can_compile() else {})
    seconds: dict[tuple[str, int], float] = {}
    steps: dict[int, list[Step]] = {}
    hidden = sorted({design.hidden for design in DESIGNS})
    for n in range(rounds + 1):
        for name, kind in kinds.items():
            for neurons in hidden:
                learner = kind(SignUpdate(dataset.inputs, neurons, dataset.classes), convergence)
                part = len(images) if n else 1   # the first time it is compiled
                start = time.process_time()
                found = list(learner.learn(images[:part], labels[:part]))
                if n:
                    spent = time.process_time() - start
                    seconds[name, neurons] = min(spent, seconds.get((name, neurons), spent))
                    steps[neurons] = found
    rows = []
    for design in DESIGNS:
        spec = SignUpdate(dataset.inputs, design.hidden, dataset.classes)
        folding, each = LearningFolding(spec, **design.layout), steps[design.hidden]
        clock, mean = design.mhz * 1e6, cycles(folding, each)
        row = {"board": design.board, "hidden": design.hidden, **design.layout, "clock": clock,
               "learned": sum(step.learned for step in each) / len(each), "cycles": round(mean, 1),
               "hardware": round(clock / mean)}
        for name in ("numpy", "numba"):
            spent = seconds.get((name, design.hidden), math.inf)
            row[name] = round(len(images) / spent) or None
            row[f"times_{name}"] = round(clock / mean * spent / len(images), 2) if row[name] \
                else None
        rows.append(row)
    return rows


def table(rows: Sequence[Mapping[str, Any]], images: int, dataset: str) -> Table:
    table = Table("board", "hidden", "PE", "MHz", "learned", "cycles", "images/s", "NumPy",
                  "Numba", "× NumPy", "× Numba",
                  title=f"the first {images:,} images of {dataset}, on hardware and on a CPU")
    for row in rows:
        said = [f"{row[name]:,}" if row[name] else ""
                for name in ("numpy", "numba", "times_numpy", "times_numba")]
        table.add_row(row["board"], str(row["hidden"]), str(row["pe"]), f"{row['clock'] / 1e6:g}",
                      f"{row['learned']:.1%}", f"{row['cycles']:,}", f"{row['hardware']:,}", *said)
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.learning_speed",
                                     description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--dataset", default="mnist")
    parser.add_argument("--data", type=pathlib.Path, default=None)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    for name in ("images", "rounds"):
        if getattr(options, name) < 1:
            parser.error(f"--{name} must be at least 1")
    try:
        dataset = data.load(options.dataset, options.data)
        dataset.check_training()
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    images = min(options.images, len(dataset.x_train))
    rows = measure(dataset, images, options.rounds)
    if not can_compile():
        print("Numba is not here: it is left out (pip install 'ohmbit[numba]')", file=sys.stderr)
    if options.json:
        print(json.dumps({"dataset": dataset.name, "images": images, "claim": CLAIM,
                          "designs": rows}))
    else:
        console = Console()
        console.print(table(rows, images, dataset.name))
        console.print(f"The source's claim: {CLAIM}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())

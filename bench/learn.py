"""Accuracy of networks that learn by signs: the source's rule and this one, on the source's images.

``python -m bench.learn [--decays 1.2,1.5,1.8] [--noises 0,0.01,0.05,0.1] [--images 20000]
[--tests 5000] [--ways steep,flat,errors,ours] [--hidden 300] [--epochs 7] [--samples 8] [--seed 1]
[--rate 0.02] [--dead-zone 0.3] [--edge 0.1] [--start 0.05] [--span 150] [--dataset mnist]
[--validate] [--json]``

The source is B. Li et al., "Training itself" (ASP-DAC 2014): 784-300-10, 20,000 training and 5,000
test images of MNIST, here the first ones. Of its table the accuracies without noise are known here,
and that the best took 140,000 iterations; whatever else it has is a dash.

==========  ========================================================================================
``steep``   :mod:`model.sigmoid_update`: a hidden neuron learns where its sigmoid is steep; the rate
            is lowered each time a quarter of the training set has been seen.
``flat``    The same, where it is flat: the filter as the source's slides print it.
``errors``  As ``steep``, but the rate is lowered whenever a tenth of the training set brought no
            fewer than 98 % of the errors of the tenth before.
``ours``    :mod:`model.sign_update`: counters of 8 bits, no multiplier; the rate is lowered after
            34, 67 and 90 % of so many epochs, and so many bits are drawn of each test pixel.
==========  ========================================================================================

Noise is the standard deviation of each write, as a share of it; in ``ours`` the share of pulses
that do not reach the copy, in 256ths. With ``--validate`` accuracies are those of as many training
images behind the first ones, so that no parameter need be chosen by test images.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits

from model import data
from model.dataset import Dataset
from model.errors import InputError

from .learning_ways import WAYS, reduced, rule


__all__ = ["SOURCE", "main", "measure", "table"]


DECAYS = (1.2, 1.5, 1.8)
NOISES = (0.0, 0.01, 0.05, 0.1)
IMAGES, TESTS = 20_000, 5_000
SOURCE     = {(1.2, 0): 94.84, (1.5, 0): 94.30, (1.8, 0): 93.02}   # per cent, by decay and noise
ITERATIONS = {(1.2, 0): 140_000}


def measure(dataset: Dataset, *, decays: Sequence[float] = DECAYS,
            noises: Sequence[float] = NOISES, images: int = IMAGES, tests: int = TESTS,
            ways: Sequence[str] = WAYS, hidden: int = 300, epochs: int = 7, samples: int = 8,
            seed: int = 1, validate: bool = False,
            tell: Callable[[dict[str, Any]], object] | None = None,
            **parameters: float) -> list[dict[str, Any]]:
    """A row for each way, decay and noise; accuracies in per cent.

    Further parameters are those of :class:`model.sigmoid_update.SigmoidUpdate`. :py:`tell` is
    called with each row.
    """
    part = reduced(dataset, images, tests, validate)
    known = dataset.name == "mnist" and (images, tests, validate) == (IMAGES, TESTS, False)
    # All of them before any learns: what is refused is refused at once.
    rules = {(way, decay, noise): rule(way, part, hidden=hidden, decay=decay, noise=noise,
                                       epochs=epochs, samples=samples, seed=seed, **parameters)
             for way, decay, noise in product(ways, decays, noises)}
    rows = []
    with threadpool_limits(1, user_api="blas"):   # more of them wait for each other
        for (way, decay, noise), learns in rules.items():
            start = time.perf_counter()
            iterations, classes = learns()
            rows.append({
                "way": way, "decay": decay, "noise": noise,
                "accuracy": round(100 * float((classes == part.y_test).mean()), 2),
                "iterations": iterations, "source": SOURCE.get((decay, noise)) if known else None,
                "source_iterations": ITERATIONS.get((decay, noise)) if known else None,
                "seconds": round(time.perf_counter() - start, 1)})
            if tell is not None:
                tell(rows[-1])
    return rows


def table(rows: Sequence[dict[str, Any]]) -> Table:
    """Accuracies, each with its iterations; a row for each decay and noise."""
    ways = list(dict.fromkeys(row["way"] for row in rows))
    table = Table("decay", "noise", "source", "iterations",
                  *(name for way in ways for name in (way, "iterations")), box=box.MARKDOWN)
    cells: dict[tuple[float, float], dict[str, Any]] = {}
    for row in rows:
        cells.setdefault((row["decay"], row["noise"]), {})[row["way"]] = row
    for (decay, noise), found in cells.items():
        one = found[ways[0]]
        figures = [(one["source"], one["source_iterations"]),
                   *((found[way]["accuracy"], found[way]["iterations"]) for way in ways)]
        table.add_row(f"{decay:g}", f"{noise:g}", *(
            text for right, count in figures
            for text in ("–" if right is None else f"{right:.2f}",
                         "–" if count is None else f"{count:,}")))
    return table


def numbers(text: str) -> list[float]:
    return [float(part) for part in text.split(",")]


def told(row: dict[str, Any]) -> None:
    print(f"{row['way']}, decay {row['decay']:g}, noise {row['noise']:g}: {row['accuracy']:.2f} % "
          f"after {row['iterations']:,}, {row['seconds']:.1f} s", file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.learn", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="mnist")
    parser.add_argument("--decays", type=numbers, default=list(DECAYS))
    parser.add_argument("--noises", type=numbers, default=list(NOISES))
    parser.add_argument("--ways", type=lambda text: text.split(","), default=list(WAYS))
    for name, default in (("images", IMAGES), ("tests", TESTS), ("hidden", 300), ("epochs", 7),
                          ("samples", 8), ("seed", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    for name in ("rate", "dead-zone", "edge", "start", "span"):
        parser.add_argument(f"--{name}", type=float, default=argparse.SUPPRESS)
    parser.add_argument("--validate", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = vars(parser.parse_args(arguments))
    as_json, name = options.pop("json"), options.pop("dataset")
    start = time.perf_counter()
    try:
        rows = measure(data.load(name), tell=told, **options)
    except (InputError, TypeError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    if as_json:
        print(json.dumps(rows))
        return 0
    Console(width=None if sys.stdout.isatty() else 200).print(table(rows))
    print(f"{time.perf_counter() - start:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Accuracy of offline training: several seeds, their mean and standard deviation.

``python -m bench.accuracy [--dataset digits] [--hidden 128] [--seeds 5] [--json]``
"""

import argparse
import json
import multiprocessing
import os
import statistics
import sys
import time
from collections.abc import Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, as_completed
from typing import Any

from rich.console import Console
from rich.table import Table

from model.data import load
from model.dataset import Dataset
from model.errors import InputError
from model.train import train


__all__ = ["measure", "main"]


def run(dataset: Dataset, hidden: Sequence[int], seed: int, epochs: int | None) -> dict[str, Any]:
    """Train once and test on all test images."""
    start = time.perf_counter()
    network = train(dataset, hidden=hidden, epochs=epochs, seed=seed)
    seconds = time.perf_counter() - start
    accuracy = float((network(dataset.x_test) == dataset.y_test).mean())
    return {"seed": seed, "accuracy": accuracy, "seconds": round(seconds, 2)}


def measure(dataset: Dataset, hidden: Sequence[int], seeds: int, *, epochs: int | None = None,
            executor: Executor) -> dict[str, Any]:
    """Train with each of the seeds 0 … :py:`seeds` − 1, as independent calls on the executor."""
    futures: list[Future[dict[str, Any]]] = [
        executor.submit(run, dataset, tuple(hidden), seed, epochs) for seed in range(seeds)]
    runs = []
    for future in as_completed(futures):
        runs.append(future.result())
        print(f"seed {runs[-1]['seed']}: {runs[-1]['accuracy']:.2%}", file=sys.stderr)
    runs.sort(key=lambda run: run["seed"])
    figures = [run["accuracy"] for run in runs]
    return {"dataset": dataset.name,
            "shape": "-".join(map(str, (dataset.inputs, *hidden, dataset.classes))),
            "images": len(dataset.x_test), "mean": statistics.mean(figures),
            "std": statistics.stdev(figures) if seeds > 1 else None, "runs": runs}


def table(result: dict[str, Any]) -> Table:
    table = Table("seed", "accuracy", "seconds",
                  title=f"{result['dataset']} {result['shape']}, {result['images']} test images")
    for run in result["runs"]:
        table.add_row(str(run["seed"]), f"{run['accuracy']:.2%}", f"{run['seconds']:.1f}",
                      end_section=run is result["runs"][-1])
    table.add_row("mean", f"{result['mean']:.2%}", "")
    if result["std"] is not None:
        table.add_row("std", f"{result['std']:.2%}", "")
    return table


def sizes(text: str) -> tuple[int, ...]:
    """Sizes of hidden layers from ``128`` or ``256,128``."""
    return tuple(map(int, text.split(",")))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.accuracy", description=__doc__)
    parser.add_argument("--dataset", default="digits")
    parser.add_argument("--data", help="folder with datasets", default=None)
    parser.add_argument("--hidden", type=sizes, default=(128,), help="neurons, as in 256,128")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=None)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    if options.seeds < 1:
        parser.error("--seeds must be at least 1")
    try:
        dataset = load(options.dataset, options.data)
        # Forking would copy a process in the middle of whatever its BLAS threads are doing.
        with ProcessPoolExecutor(min(options.seeds, os.cpu_count() or 1),
                                 mp_context=multiprocessing.get_context("spawn")) as executor:
            result = measure(dataset, options.hidden, options.seeds, epochs=options.epochs,
                             executor=executor)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps(result))
    else:
        Console().print(table(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())

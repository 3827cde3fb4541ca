"""Accuracy of networks whose first layer sees bits drawn of pixels, by generator and samples.

``python -m bench.stochastic [--dataset fashion-mnist] [--hidden 300] [--samples 1,2,4,8,16,32]
[--generators …] [--epochs N] [--adapted] [--json]``

One network is trained on exact pixels (``BitSerial(8)``), and its first thresholds are carried
over: T samples of a pixel p add up to about T · (2p/256 − 1). With ``--adapted`` one is trained
besides for each generator and number of samples, on the very bits that it sees. All weights are ±1,
and every figure is that of the golden model on all test images.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from model import data
from model.dataset import Dataset
from model.encoder import BitSerial
from model.errors import InputError
from model.network import Network
from model.stochastic import GENERATORS, Stochastic
from model.train import train


__all__ = ["carried_over", "measure", "main"]


SAMPLES = (1, 2, 4, 8, 16, 32)


def carried_over(network: Network, encoder: Stochastic) -> Network:
    """A network that was trained on exact pixels, with bits drawn of them."""
    first, *others = network.layers
    signs = np.where(first.weights, 1, -1).sum(axis=1)
    wanted = encoder.samples * (2 * first.thresholds - 256 * signs)
    top = first.inputs * encoder.samples
    layer = replace(first, thresholds=(-(-wanted // 256)).clip(-top, top + 1),
                    gains=encoder.gains, bipolar=True)
    return Network(encoder, (layer, *others), network.scores)


def measure(dataset: Dataset, hidden: Sequence[int], samples: Sequence[int],
            generators: Sequence[str], *, epochs: int | None = None, adapted: bool = False) \
        -> list[dict[str, Any]]:
    """Accuracies in per cent: of exact pixels, and a row for each generator and training."""
    def accuracy(network: Network) -> float:
        return round(100 * float((network(dataset.x_test) == dataset.y_test).mean()), 2)

    exact = train(dataset, hidden=hidden, epochs=epochs, encoder=BitSerial(8))
    rows: list[dict[str, Any]] = [
        {"generator": "exact", "training": "exact", "accuracy": {"": accuracy(exact)}}]
    for generator in generators:
        encoders = {count: Stochastic(count, generator=generator) for count in samples}
        rows.append({"generator": generator, "training": "exact", "accuracy": {
            count: accuracy(carried_over(exact, encoder)) for count, encoder in encoders.items()}})
        if adapted:
            rows.append({"generator": generator, "training": "adapted", "accuracy": {
                count: accuracy(train(dataset, hidden=hidden, epochs=epochs, encoder=encoder))
                for count, encoder in encoders.items()}})
    return rows


def table(rows: Sequence[dict[str, Any]], samples: Sequence[int]) -> Table:
    table = Table("generator", "training", *(f"T = {count}" for count in samples),
                  box=box.MARKDOWN)
    exact, *drawn = rows
    table.add_row("exact pixels", "", *([f"{exact['accuracy']['']:.2f}"] * len(samples)))
    for row in drawn:
        table.add_row(row["generator"], row["training"],
                      *(f"{row['accuracy'][count]:.2f}" for count in samples))
    return table


def numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.stochastic", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="fashion-mnist")
    parser.add_argument("--hidden", type=numbers, default=[300])
    parser.add_argument("--samples", type=numbers, default=list(SAMPLES))
    parser.add_argument("--generators", type=lambda text: text.split(","),
                        default=list(GENERATORS))
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--adapted", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    try:
        for generator in options.generators:
            for count in options.samples:
                Stochastic(count, generator=generator)
        dataset = data.load(options.dataset)
        if dataset.bits != 8:
            raise InputError(f"pixels of {options.dataset} have {dataset.bits} bits: choose a "
                             "dataset with 8")
        rows = measure(dataset, options.hidden, options.samples, options.generators,
                       epochs=options.epochs, adapted=options.adapted)
    except (InputError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps(rows))
    else:
        Console(width=None if sys.stdout.isatty() else 120).print(table(rows, options.samples))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Accuracy of networks whose first layer sees bits drawn of pixels, by generator and samples.

``python -m bench.stochastic [--dataset fashion-mnist] [--hidden 300] [--samples 1,2,4,8,16,32]
[--generators …] [--combine layer|scores] [--epochs N] [--adapted] [--plots DIR] [--json]``

One network is trained on exact pixels (``BitSerial(8)``), and its first thresholds are carried
over: T samples of a pixel p add up to about T · (2p/256 − 1), or the network runs once for each of
them, and scores add up. With ``--adapted`` one is trained besides for each generator and number of
samples, on the very bits that it sees; and beside all of them one on pixels that are at least 128
or are not (``Threshold(128)``). All weights are ±1, and every figure is that of the golden model on
all test images.

``--plots`` writes accuracy against T, and against area × time of a first layer's neuron as
``bench.first_layer`` has it, to ``accuracy-samples`` and ``accuracy-area-time`` in that folder, as
PNG and SVG.
"""

import argparse
import json
import pathlib
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
from model.encoder import BitSerial, Threshold
from model.errors import InputError
from model.network import Network
from model.stochastic import COMBINE, GENERATORS, Stochastic
from model.train import train

from . import first_layer, plot


__all__ = ["carried_over", "measure", "main"]


SAMPLES = (1, 2, 4, 8, 16, 32)
LEVEL   = 128


def carried_over(network: Network, encoder: Stochastic) -> Network:
    """A network that was trained on exact pixels, with bits drawn of them."""
    first, *others = network.layers
    signs = np.where(first.weights, 1, -1).sum(axis=1)
    gains, runs = ((1,), encoder.samples) if encoder.apart else (encoder.gains, 1)
    wanted = sum(gains) * (2 * first.thresholds - 256 * signs)
    top = first.inputs * sum(gains)
    layer = replace(first, thresholds=(-(-wanted // 256)).clip(-top, top + 1), gains=gains,
                    bipolar=True)
    return Network(encoder, (layer, *others),
                   replace(network.scores, bias=runs * network.scores.bias))


def measure(dataset: Dataset, hidden: Sequence[int], samples: Sequence[int],
            generators: Sequence[str], *, combine: str = "layer", epochs: int | None = None,
            adapted: bool = False) -> list[dict[str, Any]]:
    """Accuracies in per cent: of exact pixels, and a row for each generator and training.

    Those of exact pixels, and with :py:`adapted` of pixels that reach a level, are by no number of
    samples but ``""``.
    """
    def accuracy(network: Network) -> float:
        return round(100 * float((network(dataset.x_test) == dataset.y_test).mean()), 2)

    exact = train(dataset, hidden=hidden, epochs=epochs, encoder=BitSerial(8))
    rows: list[dict[str, Any]] = [
        {"generator": "exact pixels", "training": "exact", "accuracy": {"": accuracy(exact)}}]
    for generator in generators:
        encoders = {count: Stochastic(count, generator=generator, combine=combine)
                    for count in samples}
        rows.append({"generator": generator, "training": "exact", "accuracy": {
            count: accuracy(carried_over(exact, encoder)) for count, encoder in encoders.items()}})
        if adapted:
            rows.append({"generator": generator, "training": "adapted", "accuracy": {
                count: accuracy(train(dataset, hidden=hidden, epochs=epochs, encoder=encoder))
                for count, encoder in encoders.items()}})
    if adapted:
        level = train(dataset, hidden=hidden, epochs=epochs, encoder=Threshold(LEVEL))
        rows.append({"generator": f"at least {LEVEL}", "training": "adapted",
                     "accuracy": {"": accuracy(level)}})
    return rows


def table(rows: Sequence[dict[str, Any]], samples: Sequence[int]) -> Table:
    table = Table("generator", "training", *(f"T = {count}" for count in samples),
                  box=box.MARKDOWN)
    for row in rows:
        found = row["accuracy"]
        table.add_row(row["generator"], row["training"],
                      *(f"{found.get(count, found.get('')):.2f}" for count in samples))
    return table


def plots(rows: Sequence[dict[str, Any]], samples: Sequence[int], folder: pathlib.Path) -> None:
    """Accuracy against samples, and against area × time."""
    generators = [name for name in GENERATORS if name in {row["generator"] for row in rows}]
    sizes = {(row["generator"], row["samples"]): row["area_time"]
             for row in first_layer.measure(samples=samples, generators=generators,
                                            sharing=(first_layer.SHARED,))}
    by_samples: dict[str, dict[float, float]] = {}
    by_size: dict[str, dict[float, float]] = {}
    for row in rows:
        found, name = row["accuracy"], f"{row['generator']}, {row['training']}"
        drawn = row["generator"] in generators
        by_samples[name] = {count: found.get(count, found.get("")) for count in samples}
        if drawn:
            by_size[name] = {sizes[row["generator"], count]: found[count] for count in samples}
    exact = rows[0]["accuracy"][""]
    by_size["exact pixels, fixed point"] = {1.0: exact}
    by_size["exact pixels, bit-serial"] = {sizes[None, None]: exact}
    plot.lines(folder / "accuracy-samples", by_samples, x="samples of a pixel, T",
               y="% of test images right", log=True)
    plot.lines(folder / "accuracy-area-time", by_size, y="% of test images right", log=True,
               x=f"area × time of a neuron, {first_layer.SHARED} of which share an encoder")


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
    parser.add_argument("--combine", default=COMBINE[0])
    parser.add_argument("--adapted", action="store_true")
    parser.add_argument("--plots", type=pathlib.Path, metavar="DIR")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    try:
        if options.plots is not None:
            plot.require()
        for generator in options.generators:
            for count in options.samples:
                Stochastic(count, generator=generator, combine=options.combine)
        dataset = data.load(options.dataset)
        if dataset.bits != 8:
            raise InputError(f"pixels of {options.dataset} have {dataset.bits} bits: choose a "
                             "dataset with 8")
        rows = measure(dataset, options.hidden, options.samples, options.generators,
                       combine=options.combine, epochs=options.epochs, adapted=options.adapted)
        if options.plots is not None:
            plots(rows, options.samples, options.plots)
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

"""Accuracy of techniques of binarization, beside the figures of the literature.

``python -m bench.techniques [--dataset mnist] [--hidden 512] [--epochs N] [--seed 0]
[--only NAME,…] [--folder DIR] [--json]``

=======================  ===========================================================================
``tanh``                 Real weights, tanh, exact pixels; nothing is binary.
``train-then-binarize``  The same network, its weights and activations replaced by their signs. Its
                         offsets are kept; means and standard deviations, by which sums are
                         normalised, are those of the signs on the training images, or those of the
                         real weights, divided by the mean absolute weight of the layer.
``binarize-and-train``   Weights and activations of ±1 in training as well, by the straight-through
                         estimator; exact pixels.
``deterministic-input``  The same, of pixels that are 1 bit: whether they reach 128.
``stochastic-input``     The same, of T bits drawn of each pixel, for which it is trained; added up
                         by the first layer, or by the scores of T runs of the network.
``bounded-weights``      Real weights, clipped to ±b in training, with signs for activations; and on
                         2^k levels between ±b, as k crossbars of ±1 hold them.
=======================  ===========================================================================

The source is Wan and Li, whose figures are for MNIST. With ``--folder`` accuracy against the bound
and against the number of planes, and histograms of weights, are drawn as PNG and SVG. Figures are
those of all test images; of binary weights they are the golden model's.
"""

import argparse
import json
import math
import pathlib
import sys
import textwrap
import time
from collections.abc import Callable, Sequence
from functools import cache, cached_property, partial
from itertools import product
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits

from model import data, real
from model.dataset import Dataset
from model.encoder import BitSerial, Encoder, Threshold
from model.errors import InputError
from model.levels import on_levels
from model.network import Network
from model.real import Real
from model.stochastic import COMBINE, Stochastic
from model.train import train

from . import plot
from .accuracy import sizes


__all__ = ["BOUNDS", "NAMES", "draw", "measure", "main"]


NAMES = ("tanh", "train-then-binarize", "binarize-and-train", "deterministic-input",
         "stochastic-input", "bounded-weights")

SAMPLES = (8, 64)
BOUNDS  = (1.0, 0.3, 0.1, 0.03, 0.01)
PLANES  = tuple(range(1, 9))
BINS    = 40       # of a histogram from one bound to the other
COLUMNS = 10       # of a table with these
SHOWN   = 10_000   # training images over which sums on levels are normalised

ANEW, KEPT = "sums normalised anew", "sums normalised as trained"
ADDS = {"layer": "the first layer", "scores": "the scores"}

Classifier = Callable[[np.ndarray], np.ndarray]

# Per cent, by dataset, technique and detail.
SOURCE = {"mnist": {
    ("tanh", ""): 97.7, ("train-then-binarize", ANEW): 80.7, ("train-then-binarize", KEPT): 80.7,
    ("binarize-and-train", ""): 97.4, ("deterministic-input", ""): 97.0,
    **{("stochastic-input", f"T = {samples}, added up by {adds}"): accuracy
       for samples, accuracy in ((8, 97.5), (64, 97.7)) for adds in ADDS.values()}}}

# In what its figures and ours are not of the same thing.
WHY = {
    "tanh": "sums are normalised over each batch here.",
    "train-then-binarize": "nothing is trained again, and so it depends on what sums of signs are "
                           "compared with; how the source does that is not known here.",
    "binarize-and-train": "one training, of one seed; two standard errors may be chance.",
    "deterministic-input": "one training, of one seed; two standard errors may be chance.",
    "stochastic-input": "what adds up the source's T bits is not known here; where it is the first "
                        "layer, many of them are as good as exact pixels, and no better."}


def drawn(samples: int, combine: str) -> Encoder:
    """The encoder of stochastic inputs."""
    return Stochastic(samples, generator="vdc-xor", combine=combine)


class _Measured:
    """Rows of what was measured so far."""

    def __init__(self, dataset: Dataset, **training: Any) -> None:
        self.dataset, self.training = dataset, training
        self.rows: list[dict[str, Any]] = []
        self.bounded: list[dict[str, Any]] = []

    def right(self, network: Classifier) -> float:
        """Per cent of all test images."""
        found = network(self.dataset.x_test)
        return round(100 * float((found == self.dataset.y_test).mean()), 2)

    def row(self, technique: str, detail: str, make: Callable[[], Classifier]) -> float:
        start = time.perf_counter()
        accuracy = self.right(make())
        seconds = round(time.perf_counter() - start, 1)
        print(f"{technique} {detail}: {accuracy:.2f} % in {seconds:.0f} s", file=sys.stderr)
        source = SOURCE.get(self.dataset.name, {}).get((technique, detail))
        self.rows.append({"technique": technique, "detail": detail, "accuracy": accuracy,
                          "source": source, "seconds": seconds})
        return accuracy

    @cached_property
    def tanh(self) -> Real:
        return real.train(self.dataset, encoder=BitSerial(8), **self.training)

    def signs(self, images: np.ndarray | None) -> Network:
        """Those of the network with tanh, its sums normalised over some images or as they were."""
        scales = [float(abs(weights).mean()) for weights in self.tanh.weights]
        return on_levels(self.tanh, scales, 1, images).network

    def binary(self, encoder: Encoder) -> Network:
        return train(self.dataset, encoder=encoder, **self.training)

    def bound(self, bound: float) -> None:
        """Clipped weights: as they are, where they are, and on levels."""
        @cache
        def network() -> Real:
            return real.train(self.dataset, encoder=BitSerial(8), activation="sign", bound=bound,
                              **self.training)

        accuracy = self.row("bounded-weights", f"b = {bound:g}", network)
        layers = network().weights
        weights = np.concatenate([each.ravel() for each in layers]) / bound
        counts, _ = np.histogram(weights, np.linspace(-1, 1, BINS + 1))
        self.bounded.append({
            "bound": bound, "accuracy": accuracy, "counts": counts.tolist(), "planes": {
                planes: self.right(on_levels(network(), [bound] * len(layers), planes,
                                             self.dataset.x_train[:SHOWN]))
                for planes in PLANES}})


def measure(dataset: Dataset, *, hidden: Sequence[int], epochs: int | None = None, seed: int = 0,
            only: Sequence[str] = NAMES) -> dict[str, Any]:
    """What ``--json`` prints: a row for each technique and detail, and for each bound.

    Accuracies are in per cent; a histogram counts weights in bins of one width, from one bound to
    the other. ``epochs`` as :func:`model.train.train` has them.
    """
    measured = _Measured(dataset, hidden=hidden, epochs=epochs, seed=seed)
    with threadpool_limits(1, user_api="blas"):
        if "tanh" in only:
            measured.row("tanh", "", lambda: measured.tanh)
        if "train-then-binarize" in only:
            measured.row("train-then-binarize", ANEW, lambda: measured.signs(dataset.x_train))
            measured.row("train-then-binarize", KEPT, lambda: measured.signs(None))
        if "binarize-and-train" in only:
            measured.row("binarize-and-train", "", lambda: measured.binary(BitSerial(8)))
        if "deterministic-input" in only:
            measured.row("deterministic-input", "", lambda: measured.binary(Threshold(128)))
        if "stochastic-input" in only:
            for samples, combine in product(SAMPLES, COMBINE):
                measured.row("stochastic-input", f"T = {samples}, added up by {ADDS[combine]}",
                             partial(measured.binary, drawn(samples, combine)))
        if "bounded-weights" in only:
            for bound in BOUNDS:
                measured.bound(bound)
    return {"dataset": dataset.name, "images": len(dataset.x_test), "epochs": epochs, "seed": seed,
            "shape": "-".join(map(str, (dataset.inputs, *hidden, dataset.classes))),
            "techniques": measured.rows, "bounded": measured.bounded}


def tables(result: dict[str, Any]) -> list[Table]:
    """Techniques; bounded weights by their planes; and where they are."""
    found = []
    if rows := [row for row in result["techniques"] if row["technique"] != "bounded-weights"]:
        table = Table("technique", "", "the source", "here", "standard error", box=box.MARKDOWN)
        for row in rows:
            source = "" if row["source"] is None else f"{row['source']:.1f}"
            accuracy = row["accuracy"]
            error = math.sqrt(accuracy * (100 - accuracy) / result["images"])
            table.add_row(row["technique"], row["detail"], source, f"{accuracy:.2f}",
                          f"{error:.2f}")
        found.append(table)
    if rows := result["bounded"]:
        levels = Table("bound", *(f"k = {planes}" for planes in PLANES), "real", box=box.MARKDOWN)
        edges = np.linspace(-1, 1, COLUMNS + 1)[:-1]
        shares = Table("bound", *(f"{edge:+.1f}b" for edge in edges), box=box.MARKDOWN)
        for row in rows:
            counts = np.reshape(row["counts"], (COLUMNS, -1)).sum(axis=1)
            levels.add_row(f"{row['bound']:g}", *(f"{each:.2f}" for each in row["planes"].values()),
                           f"{row['accuracy']:.2f}")
            shares.add_row(f"{row['bound']:g}", *(f"{each:.1%}" for each in counts / counts.sum()))
        found += [levels, shares]
    return found


def draw(result: dict[str, Any], folder: pathlib.Path) -> None:
    """Draw what was measured of bounded weights."""
    if not (rows := result["bounded"]):
        return
    title = f"{result['dataset']} {result['shape']}, real weights within ± b"
    accuracy = f"% of {result['images']:,} test images"
    plot.lines(folder / "bound", {"": {row["bound"]: row["accuracy"] for row in rows}},
               x="bound b", y=accuracy, title=title, log=True)
    plot.lines(folder / "planes", {f"b = {row['bound']:g}": row["planes"] for row in rows},
               x="binary planes k of a weight", y=accuracy, title=title)
    plot.bars(folder / "histogram", np.linspace(-1, 1, BINS + 1).tolist(),
              {f"b = {row['bound']:g}": row["counts"] for row in rows},
              x="weight / b", y="weights", title=title)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.techniques", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="mnist")
    parser.add_argument("--hidden", type=sizes, default=(512,), help="neurons, as in 256,128")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=lambda text: text.split(","), default=list(NAMES))
    parser.add_argument("--folder", type=pathlib.Path, help="where figures are drawn")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    try:
        if options.seed < 0:
            raise InputError(f"--seed must be at least 0, not {options.seed}")
        for name in options.only:
            if name not in NAMES:
                raise InputError(f"{name}: no such technique; choose {', '.join(NAMES)}")
        if options.folder is not None:
            plot.require()
        dataset = data.load(options.dataset)
        if dataset.bits != 8:
            raise InputError(f"pixels of {options.dataset} have {dataset.bits} bits: choose a "
                             "dataset with 8")
        result = measure(dataset, hidden=options.hidden, epochs=options.epochs, seed=options.seed,
                         only=options.only)
        if options.folder is not None:
            draw(result, options.folder)
    except (InputError, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps(result))
    else:
        console = Console(width=None if sys.stdout.isatty() else 120)
        for table in tables(result):
            console.print(table)
        if dataset.name in SOURCE:
            for technique, why in WHY.items():
                if technique in options.only:
                    print(textwrap.fill(f"{technique}: {why}", 100))
    return 0


if __name__ == "__main__":
    sys.exit(main())

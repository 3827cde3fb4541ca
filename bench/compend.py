"""What layers that stop once their answer is known save: planes, cycles, and what it costs.

``python -m bench.compend [--datasets mnist,fashion-mnist] [--activations relu,sign]
[--weight-bits 8,16] [--hidden 256,128] [--pe 1,4,8,16] [--simd 8] [--images 500] [--epochs N]
[--area] [--plots DIR] [--json]``

One network of real weights is trained for each dataset and activation, quantized to weights of so
many bits in all layers, and its hidden layers are :class:`model.compend.Compend`. Accuracies and
planes skipped are those of the golden model on all test images; speculation expects sums to lose
three eighths of what they can. Cycles are :class:`model.schedule.Schedule`'s, the mean of the first
``--images`` test images, as saved of those of a layer that detects nothing and leaves no word out:

===============  ===================================================================================
``zeros alone``  Words of zeros are left out; nothing is detected.
``lock-step``    PEs begin their next neurons together, once the slowest of them is done; exact
                 detection, as in all columns up to ``+ zeros``.
``grouped``      The same, neurons in the order of their mean planes on training images.
``own pace``     Each PE goes on by itself; neurons as trained.
``dealt``        The same, neurons dealt to PEs by :func:`model.deal.dealt` on training images.
``+ zeros``      The same, words of zeros left out.
``speculative``  At their own pace with speculation: as trained, dealt, and without words of zeros.
===============  ===================================================================================

With ``--area`` none of that is measured, but what detection takes of an FPGA, as
:func:`bench.compend_area.measure` has it, for weights of 8 bits on 4 and 8 PEs unless others are
given. ``--plots`` draws the cycles of each layer to ``compend-DATASET`` in that folder, as PNG and
SVG: those of the first number of bits, dealt to 8 PEs, or the last number of PEs that there is.
"""

import argparse
import json
import pathlib
import sys
from collections.abc import Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits

from model import data
from model.checks import check_range
from model.dataset import Dataset
from model.errors import CheckFailed, InputError
from model.quantize import quantize
from model.ranges import bounds
from model.real import train as train_real
from model.train import train

from . import compend_area, plot
from .compend_cycles import FACTOR, cycles, inside


__all__ = ["IDEAS", "main", "measure", "plots"]


ACTIVATIONS = ("relu", "sign")
DEALT = 1000   # training images by which neurons are dealt and grouped
DRAWN = 8      # PEs of the figures, if it is among those that were measured

# Columns, and the ways that they show.
IDEAS = {"zeros alone": "none zeros", "lock-step": "lock-step", "grouped": "lock-step grouped",
         "own pace": "exact", "dealt": "exact dealt", "+ zeros": "exact dealt zeros",
         "speculative": "speculative", "dealt ": "speculative dealt",
         "+ zeros ": "speculative dealt zeros"}
BARS = {"none": "none", "exact": "exact dealt", "speculative": "speculative dealt",
        "exact, words of zeros left out": "exact dealt zeros"}


def measure(dataset: Dataset, *, hidden: Sequence[int] = (256, 128),
            activations: Sequence[str] = ACTIVATIONS, weight_bits: Sequence[int] = (8, 16),
            pe: Sequence[int] = (1, 4, 8, 16), simd: int = 8, images: int = 500,
            epochs: int | None = None) -> dict[str, list[dict[str, Any]]]:
    """Rows of accuracies, of planes skipped, and of cycles, all but these in per cent."""
    check(dataset, hidden, activations, weight_bits, pe, simd, images)
    rows: dict[str, list[dict[str, Any]]] = {"accuracies": [], "planes": [], "cycles": []}

    def accuracy(classes: Any) -> float:
        return round(100 * float((classes(dataset.x_test) == dataset.y_test).mean()), 2)

    with threadpool_limits(1, user_api="blas"):   # more of them wait for each other
        binary = accuracy(train(dataset, hidden=hidden, epochs=epochs))
        for activation in activations:
            real = train_real(dataset, hidden=hidden, epochs=epochs, activation=activation,
                              bound=bounds(len(hidden)))
            for bits in weight_bits:
                what = {"dataset": dataset.name, "activation": activation, "weight_bits": bits}
                network = quantize(real, dataset, weight_bits=bits)
                networks = {"exact": network,
                            "speculative": network.detecting("speculative", FACTOR)}
                right = {name: accuracy(each) for name, each in networks.items()}
                rows["accuracies"].append(what | {
                    "real": accuracy(real), "quantized": right["exact"],
                    "speculative": right["speculative"],
                    "lost": round(right["exact"] - right["speculative"], 2), "binary": binary})
                skipped = {name: [round(100 - 100 * float(layer.run(x)[1].mean()) / bits, 2)
                                  for layer, x in inside(each, dataset.x_test)]
                           for name, each in networks.items()}
                for n, layer in enumerate(network.layers):
                    rows["planes"].append(what | {
                        "layer": n, "inputs": layer.inputs, "outputs": layer.outputs,
                        **{name: each[n] for name, each in skipped.items()}})
                for among in pe:
                    found = cycles(network, dataset.x_train[:DEALT], dataset.x_test[:images],
                                   among, simd)
                    rows["cycles"] += [what | {
                        "layer": n, "pe": among, "cycles": ways,
                        "saved": {way: round(100 - 100 * mean / ways["none"], 2)
                                  for way, mean in ways.items()}}
                        for n, ways in enumerate(found)]
    return rows


def check(dataset: Dataset, hidden: Sequence[int], activations: Sequence[str],
          weight_bits: Sequence[int], pe: Sequence[int], simd: int, images: int) -> None:
    """Refuse what would only be refused after minutes of training."""
    if not hidden:
        raise InputError("there must be a hidden layer: only those detect")
    for activation in activations:
        if activation not in ACTIVATIONS:
            raise InputError(f"activation must be {' or '.join(ACTIVATIONS)}, not {activation!r}")
    check_range("Hidden layers", min(hidden), 1)
    for bits in weight_bits:
        check_range("Bits of a weight", bits, 2, 16)
    for among in pe:
        check_range("PE", among, 1, min(hidden))
    check_range("SIMD", simd, 1, min([dataset.inputs, *hidden[:-1]]))
    check_range("Images", images, 1)


def accuracies_table(rows: Sequence[dict[str, Any]]) -> Table:
    table = Table("dataset", "activation", "weights", "real", "quantized", "speculative", "lost",
                  "all binary", box=box.MARKDOWN)
    for row in rows:
        table.add_row(*named(row), *(f"{row[key]:.2f}" for key in (
            "real", "quantized", "speculative", "lost", "binary")))
    return table


def planes_table(rows: Sequence[dict[str, Any]]) -> Table:
    table = Table("dataset", "activation", "weights", "layer", "planes skipped, exact",
                  "speculative", box=box.MARKDOWN)
    for row in rows:
        table.add_row(*named(row), f"{row['inputs']} × {row['outputs']}",
                      *(f"{row[key]:.1f} %" for key in ("exact", "speculative")))
    return table


def cycles_table(rows: Sequence[dict[str, Any]]) -> Table:
    table = Table("dataset", "activation", "weights", "layer", "PE", "cycles with none", *IDEAS,
                  box=box.MARKDOWN)
    for row in rows:
        table.add_row(*named(row), str(row["layer"]), str(row["pe"]),
                      f"{row['cycles']['none']:,}",
                      *(f"{row['saved'][way]:.1f} %" for way in IDEAS.values()))
    return table


def named(row: dict[str, Any]) -> tuple[str, str, str]:
    """The first three columns."""
    return pathlib.Path(row["dataset"]).stem, row["activation"], f"{row['weight_bits']} bits"


def plots(rows: Sequence[dict[str, Any]], folder: pathlib.Path) -> None:
    """Cycles of each layer as bars, a figure for each dataset."""
    among = {row["pe"] for row in rows}
    pe = DRAWN if DRAWN in among else rows[-1]["pe"]
    drawn = [row for row in rows if row["pe"] == pe
             and row["weight_bits"] == rows[0]["weight_bits"]]
    for dataset in dict.fromkeys(row["dataset"] for row in rows):
        layers = {f"{row['activation']}, layer {row['layer']}": row["saved"] for row in drawn
                  if row["dataset"] == dataset}
        name = pathlib.Path(dataset).stem
        plot.groups(folder / f"compend-{name}", list(layers),
                    {bar: [100 - saved[way] for saved in layers.values()]
                     for bar, way in BARS.items()},
                    y=f"% of the cycles without detection, PE {pe}",
                    title=f"{name}, weights of {rows[0]['weight_bits']} bits")


def names(text: str) -> list[str]:
    return text.split(",")


def numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.compend", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--datasets", type=names, default=["mnist", "fashion-mnist"])
    parser.add_argument("--activations", type=names, default=list(ACTIVATIONS))
    parser.add_argument("--weight-bits", type=numbers)
    parser.add_argument("--hidden", type=numbers, default=[256, 128])
    parser.add_argument("--pe", type=numbers)
    parser.add_argument("--simd", type=int, default=8)
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--area", action="store_true")
    parser.add_argument("--plots", type=pathlib.Path, metavar="DIR")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    given = {name: value for name in ("weight_bits", "pe")
             if (value := getattr(options, name)) is not None}
    given |= {"activations": options.activations, "simd": options.simd}
    try:
        if options.plots is not None:
            plot.require()
        if options.area:
            rows = {"areas": compend_area.measure(options.hidden[0], **given)}
        else:
            datasets = [data.load(name) for name in options.datasets]
            rows = {"accuracies": [], "planes": [], "cycles": []}
            for dataset in datasets:
                for name, more in measure(dataset, hidden=options.hidden, images=options.images,
                                          epochs=options.epochs, **given).items():
                    rows[name] += more
            if options.plots is not None:
                plots(rows["cycles"], options.plots)
    except (InputError, ValueError, CheckFailed) as error:
        print(error, file=sys.stderr)
        return 1 if isinstance(error, CheckFailed) else 2
    if options.json:
        print(json.dumps(rows))
        return 0
    console = Console(width=None if sys.stdout.isatty() else 200)
    tables = {"accuracies": accuracies_table, "planes": planes_table, "cycles": cycles_table,
              "areas": compend_area.table}
    for name, found in rows.items():
        console.print(tables[name](found))
    return 0


if __name__ == "__main__":
    sys.exit(main())

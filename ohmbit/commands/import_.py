"""``ohmbit import``: a network from a QONNX file."""

import pathlib
import time
from typing import Annotated, Any

import typer
from rich.table import Table

from model import data, qonnx
from model.agreement import Agreement, agreement
from model.dense import Dense
from model.errors import CheckFailed, InputError
from model.qonnx import Imported, Input

from ..console import console
from ..inputs import DataDir, blame, check_output


__all__ = ["import_"]


SHOWN = 10   # differences that are listed


def import_(
    graph: Annotated[pathlib.Path, typer.Argument(
        metavar="M.onnx", help="A sequential QONNX graph of dense layers, such as Brevitas "
                               "exports.")],
    output: Annotated[pathlib.Path | None, typer.Option(
        "--output", "-o", metavar="FILE", help="Network file to write.",
        show_default="M.npz")] = None,
    pixels: Annotated[str | None, typer.Option(
        "--input", metavar="bipolar:LEVEL|uint:BITS",
        help="What the graph takes for a pixel, where it does not quantize its input: 1 from LEVEL "
             "on and -1 below, or the pixel itself, of so many bits.")] = None,
    divide: Annotated[float | None, typer.Option(
        metavar="D", help="What pixels are divided by before the graph takes them.",
        show_default="255 where it quantizes them itself, else 1")] = None,
    dataset: Annotated[str, typer.Option(
        metavar="NAME", help="Dataset that the network is for, or FILE.npz.",
        show_default="what the graph says")] = "",
    verify: Annotated[str | None, typer.Option(
        metavar="IMAGES", help="Execute the graph with the qonnx package, for the test images of "
                               "this dataset or FILE.npz, and compare every number.")] = None,
    explain: Annotated[bool, typer.Option(
        "--explain", help="Say what became of each node.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Make a network of integers from a QONNX graph."""
    output = output or pathlib.Path(f"{graph.stem}.npz")
    check_output(output)
    names: tuple[str, ...] = ()
    if dataset:
        with blame(f"dataset {dataset}"):
            names = data.load(dataset, data_dir).class_names
    start = time.perf_counter()
    imported = qonnx.load(graph, _input(pixels, divide), dataset=dataset, class_names=names)
    network = imported.network
    console.stage(f"{graph}: {network.shape}, {network.encoder}")
    layers = _layers(imported)
    for row in layers:
        if row["undecided"]:
            console.stage(f"{row['undecided']:,} places of {row['layer']} are where float32 may "
                          "round either way: exact sums decide there")
    if explain:
        console.show(_table(layers))
    found = None if verify is None else _verified(imported, verify, data_dir)
    network.save(output)
    seconds = time.perf_counter() - start
    compared = "" if found is None else \
        f", equal to the graph in {found.sums + found.activations + found.classes:,} numbers of " \
        f"{found.images:,} images"
    console.show(f"{output}: {network.shape}{compared}, {seconds:.1f} s")
    console.result(network=output, dataset=network.dataset, sizes=network.shape.sizes,
                   layers=layers, seconds=round(seconds, 2), **_compared(found))


def _input(text: str | None, divisor: float | None) -> Input | None:
    if divisor is not None and not divisor > 0:
        raise InputError(f"--divide takes a number above 0, not {divisor:g}")
    if text is None:
        return None if divisor is None else Input(divisor=divisor)
    kind, _, value = text.partition(":")
    number = int(value) if value.isascii() and value.isdigit() else 0
    if kind == "bipolar" and 1 <= number <= 255:
        return Input(level=number, given=True)
    if kind == "uint" and 1 <= number <= 8:
        return Input(bits=number, divisor=divisor or 1.0, given=True)
    raise InputError("--input takes bipolar:LEVEL with a level from 1 to 255, or uint:BITS with 1 "
                     f"to 8 bits, not {text!r}")


def _verified(imported: Imported, name: str, data_dir: pathlib.Path | None) -> Agreement:
    with blame(f"dataset {name}"):
        images = data.load(name, data_dir)
    with blame(f"the graph and the images of {name} do not go together"):
        if images.inputs != imported.network.inputs:
            raise ValueError(f"the graph takes {imported.network.inputs} pixels, and an image has "
                             f"{images.inputs}")
        imported.network.encoder.check(images.x_test)
    console.stage(f"executing the graph for {len(images.x_test):,} images of {images.name}")
    with console.progress("qonnx"):
        found = agreement(imported, images.x_test)
    if found.ties:
        console.stage(f"{found.ties:,} images have two scores that are equal but for how float32 "
                      "rounds: the network takes the first class")
    if found.parts:
        for part in found.parts[:SHOWN]:
            console.show(part)
        console.result(**_compared(found))
        raise CheckFailed(f"{len(found.parts):,} numbers differ, of "
                          f"{found.sums + found.activations + found.classes:,}, the first in "
                          f"{found.parts[0]}: nothing was written")
    return found


def _compared(found: Agreement | None) -> dict[str, Any]:
    return {} if found is None else {
        "images": found.images, "sums": found.sums, "activations": found.activations,
        "classes": found.classes, "ties": found.ties, "mismatches": len(found.parts),
        "differences": [str(part) for part in found.parts[:SHOWN]]}


def _layers(imported: Imported) -> list[dict[str, Any]]:
    """What became of each product, and of what follows it."""
    rows = []
    shape = imported.network.shape
    for n, layer in enumerate(imported.network.all_layers):
        # A graph that ends with activations has one product less.
        step = imported.steps[n] if n < len(imported.steps) else None
        held = layer.thresholds if isinstance(layer, Dense) else None
        bits, (weight_bits, output_bits) = len(shape.planes_of(n)[0]), shape.few_of(n)
        rows.append({
            "layer": "scores" if held is None else f"layer{n}",
            "nodes": [step.name, *step.following] if step else _nodes(imported, n),
            "inputs": layer.inputs, "outputs": layer.outputs,
            "input_bits": bits, "weight_bits": weight_bits,
            "output_bits": None if held is None else output_bits,
            "thresholds": None if held is None else [int(held.min()), int(held.max())],
            "flipped": int(step.flipped.sum()) if step else 0,
            "undecided": step.undecided if step else 0,
            "operations": layer.inputs * layer.outputs * bits * weight_bits})
    return rows


def _nodes(imported: Imported, n: int) -> list[str]:
    """Nodes of a layer, where a graph that ohmbit has written names them so."""
    last = n == len(imported.network.layers)
    name = "scores" if last else f"layer{n}"
    return [imported.graph.name(node) for node in imported.graph.chain
            if node.output[0].split(".")[0] == name]


def _table(layers: list[dict[str, Any]]) -> Table:
    table = Table("layer", "nodes", "weights", box=None)
    for name in ("bits in", "weight bits", "bits out", "thresholds", "flipped", "undecided",
                 "bit operations"):
        table.add_column(name, justify="right")
    for row in layers:
        low, high = row["thresholds"] or ("", "")
        nodes = ", ".join(row["nodes"]) or "activations as they are"
        table.add_row(row["layer"], nodes, f"{row['inputs']} x {row['outputs']}",
                      str(row["input_bits"]), str(row["weight_bits"]),
                      str(row["output_bits"] or ""),
                      f"{low} … {high}" if row["thresholds"] else "",
                      *(f"{row[name]:,}" for name in ("flipped", "undecided", "operations")))
    return table

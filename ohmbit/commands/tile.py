"""``ohmbit tile``: a network over tiles of cells, and what their sensing costs in accuracy."""

import pathlib
import re
from typing import Annotated, Any

import numpy as np
import typer
from rich.table import Table

from model.errors import InputError
from model.network import Network
from model.sense import MOST_BITS, Sense
from model.tiling import Tiling
from model.tiling import tile as tile_network

from ..console import console
from ..inputs import DataDir, DatasetName, NetworkPath, check_output, dataset_for


__all__ = ["tile"]


CHUNK = 1000   # images that are classified at once, to bound memory


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d+)x(\d+)", text)
    size = tuple(int(part) for part in match.groups()) if match else (0, 0)
    if min(size) < 1:
        raise InputError(f"--size takes rows and columns of weights, such as 128x128, not {text!r}")
    return size[0], size[1]


def _sense(text: str) -> str | int:
    sense = int(text) if text.isdecimal() else text
    try:
        Sense(1, sense)
    except ValueError:
        raise InputError(f"--sense takes exact, sign, or 1 to {MOST_BITS} bits, not "
                         f"{text!r}") from None
    return sense


def _right(network: Network, x: np.ndarray, y: np.ndarray) -> int:
    return sum(int((network(x[n:n + CHUNK]) == y[n:n + CHUNK]).sum())
               for n in range(0, len(x), CHUNK))


def _layers(tiling: Tiling) -> list[dict[str, Any]]:
    """What each layer takes."""
    rows = []
    for n, grid in enumerate(tiling.grids):
        hidden = n < len(tiling.held)
        rows.append({
            "layer": f"layer{n}" if hidden else "scores",
            "inputs": grid.inputs, "outputs": grid.outputs,
            "grid": [grid.down, grid.across], "tiles": grid.count,
            "rows": grid.word_lines, "columns": grid.bit_lines, "cells": grid.cells,
            "used_cells": grid.used(biased=hidden),
            "used_share": grid.used(biased=hidden) / grid.cells,
            "thresholds": grid.outputs if hidden else 0,
            "saturated": int(tiling.held[n].saturated.sum()) if hidden else 0,
            "rounded": int(tiling.held[n].rounded.sum()) if hidden else 0,
        })
    return rows


def _table(layers: list[dict[str, Any]]) -> Table:
    table = Table("layer", "weights", "grid", box=None)
    for name in ("tiles", "rows", "columns", "cells used", "thresholds", "saturated", "rounded"):
        table.add_column(name, justify="right")
    for layer in layers:
        down, across = layer["grid"]
        table.add_row(
            layer["layer"], f"{layer['inputs']} x {layer['outputs']}", f"{down} x {across}",
            *(f"{layer[name]:,}" for name in ("tiles", "rows", "columns")),
            f"{layer['used_share']:.1%}",
            *(f"{layer[name]:,}" for name in ("thresholds", "saturated", "rounded")))
    return table


def tile(
    network: NetworkPath,
    size: Annotated[str, typer.Option(
        metavar="ROWSxCOLUMNS", help="Weights of a tile.")] = "128x128",
    bias: Annotated[int, typer.Option(
        min=0, metavar="ROWS", help="Further rows of a tile, whose cells hold thresholds; with "
                                    "none, thresholds are held beside the tiles.")] = 0,
    sense: Annotated[str, typer.Option(
        metavar="HOW", help="How a tile's column is sensed: exact, sign, or 1 to 8 "
                            "bits.")] = "exact",
    output: Annotated[pathlib.Path | None, typer.Option(
        "--output", "-o", metavar="FILE", help="Network file to write, whose layers are sensed "
                                               "so.")] = None,
    dataset: DatasetName = None,
    data_dir: DataDir = None,
) -> None:
    """Spread a network over tiles of cells: how many it takes, and how accurate it stays.

    All test images are classified with the golden model, exactly and as the tiles sense.
    """
    rows, columns = _size(size)
    how = _sense(sense)
    net = Network.load(network)
    source = dataset_for(net, network, dataset, data_dir)
    if output is not None:
        check_output(output)
    tiling = tile_network(net, rows=rows, columns=columns, bias_rows=bias, sense=how)
    layers = _layers(tiling)
    total = len(source.x_test)
    with console.progress("golden model"):
        exact, right = (_right(each, source.x_test, source.y_test)
                        for each in (tiling.exact, tiling.network))
    rows_said = f"{rows} x {columns} weights" + (f" and {bias} bias rows" if bias else "")
    console.show(f"{network}: {net.shape} on tiles of {rows_said}, sensed {_said(how)}")
    console.show(_table(layers))
    console.show(f"{total:,} test images of {source.name}: exact {exact / total:.2%} right, on "
                 f"these tiles {right / total:.2%} ({(right - exact) / total * 100:+.2f} points)")
    if output is not None:
        tiling.network.save(output)
        console.show(f"{output}: written")
    console.result(network=network, dataset=source.name, size=[rows, columns], bias_rows=bias,
                   sense=how, layers=layers, images=total, exact_accuracy=exact / total,
                   accuracy=right / total, output=output)


def _said(sense: str | int) -> str:
    if isinstance(sense, str):
        return {"exact": "exactly", "sign": "by sign"}[sense]
    return f"with {sense} bit{'s' if sense > 1 else ''}"

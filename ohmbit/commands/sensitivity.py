"""``ohmbit sensitivity``: what a comparison would notice, and what it would not."""

from typing import Annotated, Any

import numpy as np
import typer
from rich.table import Table

from model.errors import CheckFailed
from model.network import Network
from sim.sensitivity import Noticed, Sensitivity
from sim.sensitivity import sensitivity as follow
from sim.vectors import boundary as boundary_vectors

from ..console import console
from ..inputs import DataDir, DatasetName, NetworkPath, dataset_for, first


__all__ = ["sensitivity"]


MOST   = 1000   # images by default
ENOUGH = 0.99   # of weights and of thresholds, with boundary vectors

PARAMETERS = {"weights": "the other weight", "cells": "a wrong bit of weight memory",
              "thresholds": "threshold one less, one more", "bias": "bias one less, one more",
              "gain": "gain one less, one more"}


def _share(noticed: Noticed, where: str) -> str:
    # Rounded down, so that 100 % are all.
    return f"{int(noticed.share(where) * 1e4) / 100:.2f} %"


def _fields(found: Sensitivity) -> dict[str, Any]:
    """Of each parameter, how many changes there are and how many are noticed."""
    return {parameter: {"changes": kind.changes, "idle": kind.changes - kind.effective,
                        "probes": int(kind.probes.sum()), "pins": int(kind.pins.sum())}
            for parameter in PARAMETERS if (kind := found.of(parameter)).changes}


def _table(runs: dict[str, Sensitivity]) -> Table:
    table = Table("change", "where", "changes", box=None)
    for name in runs:
        table.add_column(f"{name}: probes", justify="right")
        table.add_column("pins", justify="right")
    for kind in next(iter(runs.values())).kinds:
        where, _, parameter = kind.partition(".")
        noticed = [run.kinds[kind] for run in runs.values()]
        idle = noticed[0].changes - noticed[0].effective
        table.add_row(PARAMETERS[parameter], where,
                      f"{noticed[0].changes:,}{f', {idle:,} idle' if idle else ''}",
                      *(_share(one, part) for one in noticed for part in ("probes", "pins")))
    return table


def sensitivity(
    network: NetworkPath,
    images: Annotated[int | None, typer.Option(
        min=1, metavar="N", help=f"Test images; by default all, at most {MOST:,}.")] = None,
    boundary: Annotated[bool, typer.Option(
        help="Whether to add images that bring neurons exactly to their thresholds.")] = True,
    seed: Annotated[int, typer.Option(help="Of these images.")] = 0,
    dataset: DatasetName = None,
    data_dir: DataDir = None,
) -> None:
    """Count the single mistakes in a network's parameters that a comparison would notice.

    Every weight is flipped, and every threshold, bias and gain moved by one, one at a time.
    """
    net = Network.load(network)
    source = dataset_for(net, network, dataset, data_dir)
    pixels, _ = first(source, min(MOST, len(source.x_test)) if images is None else images)
    console.stage(f"network: {network}, {net.shape}, {net.encoder}")
    with console.progress("following every change"):
        runs = {"test images": follow(net, pixels)}
        added = boundary_vectors(net, pixels, seed=seed) if boundary else pixels[:0]
        if boundary:
            runs["with boundary"] = follow(net, np.concatenate([pixels, added]))
    extra = f", and {len(added):,} boundary vectors" if boundary else ""
    console.show(f"{network}: {len(pixels):,} of {len(source.x_test):,} test images of "
                 f"{source.name}{extra}")
    console.show(_table(runs))
    console.stage("probes: sums and bits of each layer are compared. pins: scores and class alone. "
                  "idle: without effect on any image, and not counted.")
    found = runs["with boundary" if boundary else "test images"]
    console.result(network=network, dataset=source.name, images=len(pixels),
                   boundary=len(added) if boundary else None, **_fields(found),
                   test_images_alone=_fields(runs["test images"]))
    for parameter in ("weights", "thresholds"):
        noticed = found.of(parameter)
        if boundary and noticed.share("probes") < ENOUGH:
            missed = noticed.effective - int(noticed.probes.sum())
            raise CheckFailed(f"{missed:,} of {noticed.effective:,} changes of {parameter} go "
                              f"unnoticed on {found.images:,} images: add images, or try another "
                              "--seed")

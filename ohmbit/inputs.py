"""What users hand to the command, made into the objects that it stands for, or refused."""

import contextlib
import dataclasses
import os
import pathlib
from collections.abc import Iterator
from typing import Annotated, Any

import numpy as np
import typer

from boards import catalog
from boards.board import Board
from gateware import cost
from gateware.mapping import fit, uniform
from model import data
from model.data import Dataset
from model.errors import InputError
from model.network import Network


__all__ = ["NetworkPath", "BoardName", "Baud", "DataDir", "DatasetName", "Output", "Pe", "Simd",
           "Target", "TargetFps", "blame", "dataset_for", "first", "check_output", "choose_board",
           "choose_mapping", "require_fit", "folder", "describe"]


NetworkPath = Annotated[pathlib.Path, typer.Argument(
    metavar="NETWORK", help="Network file, as `ohmbit train` writes it.")]
BoardName   = Annotated[str, typer.Option(
    "--board", "-b", metavar="BOARD", help="One that `ohmbit boards` lists, or FILE.py:CLASS.")]
Baud        = Annotated[int | None, typer.Option(
    "--baud", min=1, metavar="N", help="Rate of the serial port, for `build` and `run` alike.",
    show_default="the board's")]
DatasetName = Annotated[str | None, typer.Option(
    metavar="NAME", help="Dataset, or FILE.npz; by default the one that the network is for.")]
DataDir     = Annotated[pathlib.Path | None, typer.Option(
    "--data", metavar="DIR", help="Where datasets are; before $OHMBIT_DATA and the user's cache.")]
Output      = Annotated[pathlib.Path | None, typer.Option(
    "--output", "-o", metavar="DIR", help="Where results go.", show_default="build/NETWORK-BOARD")]
Pe          = Annotated[int | None, typer.Option(
    "--pe", min=1, help="Neurons at once in every layer; with --simd.")]
Simd        = Annotated[int | None, typer.Option(
    "--simd", min=1, help="Inputs at once in every layer; with --pe.")]
Target      = Annotated[int | None, typer.Option(
    "--target-cycles", min=1, metavar="N", help="The smallest hardware that takes no more cycles "
                                                "an image, in place of the fastest.")]
TargetFps   = Annotated[int | None, typer.Option(
    "--target-fps", min=1, metavar="N", help="The same for so many images a second at the board's "
                                             "clock.")]


NAMED = 3   # boards that a refusal names; `ohmbit boards` lists the others


@contextlib.contextmanager
def blame(where: str) -> Iterator[None]:
    """Say of a :class:`ValueError` or a :class:`TypeError` that it came from the user's hand."""
    try:
        yield
    except (ValueError, TypeError) as error:
        raise InputError(f"{where}: {error}") from error


def dataset_for(network: Network, path: pathlib.Path, name: str | None = None,
                data_dir: pathlib.Path | None = None) -> Dataset:
    """The dataset that a network is for, or another, once its test images are known to fit."""
    name = name or network.dataset
    if not name:
        raise InputError(f"{path} does not say which dataset it is for: name one with --dataset")
    with blame(f"dataset {name}"):
        dataset = data.load(name, data_dir)
    with blame(f"{path} and the images of {name} do not go together"):
        if dataset.x_test.shape[1] != network.inputs:
            raise ValueError(f"the network takes {network.inputs} pixels, and an image has "
                             f"{dataset.x_test.shape[1]}")
        network.encoder.check(dataset.x_test)
    return dataset


def first(dataset: Dataset, images: int) -> tuple[np.ndarray, np.ndarray]:
    """That many test images, and their classes."""
    if images > len(dataset.x_test):
        raise InputError(f"{dataset.name} has {len(dataset.x_test)} test images, not {images}: "
                         "choose fewer with --images")
    return dataset.x_test[:images], dataset.y_test[:images]


def check_output(path: pathlib.Path) -> None:
    """:exc:`InputError` where no file can be written, before hours are spent on what goes there."""
    if path.is_dir():
        raise InputError(f"{path} is a folder: name a file in it")
    above = next(folder for folder in path.absolute().parents if folder.exists())
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise InputError(f"{path} cannot be written: choose another folder than {above}")


def choose_board(name: str, *, baud: int | None = None) -> Board:
    """The board of that name, with another rate of its serial port if one is given."""
    board = catalog.find(name)
    if baud is None:
        return board
    with blame(f"--baud for {board.name}"):
        return dataclasses.replace(board, baud=baud)


def choose_mapping(network: Network, path: pathlib.Path, board: Board, *, pe: int | None,
                   simd: int | None, target: int | None, fps: int | None = None) -> Any:
    """The parallelism asked for; or the fastest that fits a board.

    Parameters
    ----------
    target : :class:`int`, or None
        Cycles an image may take.
    fps : :class:`int`, or None
        Images a second, in place of them.
    """
    if (pe is None) != (simd is None):
        raise InputError("--pe and --simd go together: give both, or neither")
    if target is not None and fps is not None:
        raise InputError("--target-cycles and --target-fps say the same: give one of them")
    for option, value in (("--target-cycles", target), ("--target-fps", fps)):
        if pe is not None and value is not None:
            raise InputError(f"{option} chooses PE and SIMD itself: give either it or them")
    if fps is not None:
        target = int(board.clock_hz / fps)
    if pe is not None:
        return uniform(network.shape, pe=pe, simd=simd)
    mapping = fit(network.shape, board.resources, target=target)
    if target is not None and fps is not None and mapping.cycles_per_image > target:
        rate = int(board.clock_hz / mapping.cycles_per_image)
        raise InputError(f"{path} makes {rate:,} images a second at most on {board.name}, whose "
                         f"clock is {float(board.clock_hz) / 1e6:g} MHz, not {fps:,}: ask for "
                         "that, or for a faster board")
    if target is not None and mapping.cycles_per_image > target:
        raise InputError(f"{path} takes {mapping.cycles_per_image:,} cycles an image at least on "
                         f"{board.name}, not {target:,}: ask for that, or for a larger board")
    return mapping


def require_fit(network: Network, path: pathlib.Path, board: Board, mapping: Any,
                **wishes: int | None) -> None:
    """:exc:`InputError` where a network is too large for a board: of what, and where it fits.

    Parameters
    ----------
    wishes
        What :func:`choose_mapping` was asked for.
    """
    resources = board.resources
    need = cost.estimate(mapping, resources)
    excess = need.excess(resources)
    if not excess:
        return
    parts = {"luts": (need.luts, resources.luts, "LUTs"),
             "memory": (need.memory_blocks, resources.memory_blocks, "block RAMs")}
    short = " and ".join(f"about {parts[name][0]:,} of {parts[name][1]:,} {parts[name][2]} "
                         f"({by:,} too many)" for name, by in excess.items())
    fits: dict[str, bool] = {}   # by chip, of which several boards may have the same
    for other in catalog.BOARDS.values():
        if other.chip not in fits:
            fits[other.chip] = _fits(network, path, other, **wishes)
    larger = [other.name for other in catalog.BOARDS.values() if fits[other.chip]]
    if len(larger) > NAMED:
        larger = [*larger[:NAMED - 1], f"{len(larger) - NAMED + 1} others"]
    what = f"{' or '.join(larger)} would do" if larger else "no board here is large enough"
    free = dict.fromkeys(("pe", "simd", "target", "fps"))
    if any(wishes.values()) and _fits(network, path, board, **free):
        what = f"ask for less parallelism; or {what}"
    raise InputError(f"{path} ({network.shape}) is too large for {board.name}: it takes {short}; "
                     f"{what}")


def _fits(network: Network, path: pathlib.Path, board: Board, **wishes: int | None) -> bool:
    try:
        mapping = choose_mapping(network, path, board, **wishes)
    except InputError:
        return False
    return not cost.estimate(mapping, board.resources).excess(board.resources)


def folder(output: pathlib.Path | None, path: pathlib.Path, board: Board) -> pathlib.Path:
    """Where results for a network on a board go."""
    return output or pathlib.Path("build") / f"{path.stem}-{board.name}"


def describe(mapping: Any) -> str:
    """Parallelism of each layer in a few words."""
    sizes = ", ".join(f"{layer.pe} x {layer.simd}" for layer in mapping.layers)
    why = {"luts": "; LUTs ran out first", "memory": "; memory ran out first",
           "effort": "; faster takes longer to build, see --target-cycles"}
    return f"PE x SIMD {sizes}: {mapping.cycles_per_image:,} cycles an image" \
           f"{why.get(mapping.limit, '')}"

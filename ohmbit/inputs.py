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
from gateware.fit import fit
from gateware.mapping import uniform
from model import data
from model.data import Dataset
from model.errors import InputError
from model.network import Network


__all__ = ["NetworkPath", "BoardName", "Baud", "DataDir", "DatasetName", "Output", "Pe", "Simd",
           "Storage", "Target", "blame", "dataset_for", "first", "check_output", "choose_board",
           "choose_mapping", "require_fit", "folder", "describe"]


KINDS = ("block", "distributed", "spram", "wide")   # of memories that a host writes

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
Pe          = Annotated[str | None, typer.Option(
    "--pe", metavar="N[,N…]", help="Neurons at once, in every layer or in each; with --simd.")]
Simd        = Annotated[str | None, typer.Option(
    "--simd", metavar="N[,N…]", help="Inputs at once, in every layer or in each; with --pe.")]
Storage     = Annotated[str | None, typer.Option(
    "--storage", metavar="KIND[,KIND…]", show_default="block",
    help=f"Where weights are, in every layer or in each: {', '.join(KINDS)}; with --pe.")]
Target      = Annotated[int | None, typer.Option(
    "--target-cycles", min=1, metavar="N", help="The smallest hardware that takes no more cycles "
                                                "an image, in place of the fastest.")]


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


def _numbers(option: str, text: str, layers: int) -> int | tuple[int, ...]:
    """What an option says of every layer, or of each."""
    try:
        numbers = tuple(int(part) for part in text.split(","))
    except ValueError:
        numbers = (0,)
    if min(numbers) < 1:
        raise InputError(f"{option} takes numbers from 1 on, such as 4 or 4,1, not {text!r}")
    return _of_each(option, text, numbers, layers)


def _of_each(option: str, text: str, values: tuple[Any, ...], layers: int) -> Any:
    if len(values) not in (1, layers):
        raise InputError(f"{option} takes one value for all layers, or one for each of the "
                         f"{layers}, not {len(values)}: {text}")
    return values if len(values) > 1 else values[0]


def _explicit(network: Network, board: Board, pe: str, simd: str, storage: str | None) -> Any:
    layers = len(network.shape.sizes) - 1
    kinds = tuple((storage or KINDS[0]).split(","))
    for kind in kinds:
        if kind not in KINDS:
            raise InputError(f"--storage takes one of {', '.join(KINDS)}, or a list of them, "
                             f"not {storage!r}")
    mapping = uniform(network.shape, pe=_numbers("--pe", pe, layers),
                      simd=_numbers("--simd", simd, layers),
                      storage=_of_each("--storage", storage or "", kinds, layers))
    if "spram" in kinds and not board.resources.spram_blocks:
        raise InputError(f"--storage spram is for an iCE40 UP5K, and {board.name} has none: choose "
                         "another storage, or such a board, as icebreaker")
    if "wide" in kinds and board.family.name != "ecp5":
        raise InputError(f"--storage wide is for an ECP5, and {board.name} has none: choose block, "
                         "or such a board, as ulx3s-25f")
    return mapping


def choose_mapping(network: Network, path: pathlib.Path, board: Board, *, pe: str | None,
                   simd: str | None, storage: str | None, target: int | None) -> Any:
    """The parallelism asked for; or the fastest that fits a board."""
    if (pe is None) != (simd is None):
        raise InputError("--pe and --simd go together: give both, or neither")
    if storage is not None and pe is None:
        raise InputError("--storage goes with --pe and --simd: give them too, or leave it out")
    if pe is not None and target is not None:
        raise InputError("--target-cycles chooses PE and SIMD itself: give either it or them")
    if pe is not None and simd is not None:
        with blame("mapping"):
            return _explicit(network, board, pe, simd, storage)
    mapping = fit(network.shape, board.resources, target=target)
    if target is not None and mapping.cycles_per_image > target:
        raise InputError(f"{path} takes {mapping.cycles_per_image:,} cycles an image at least on "
                         f"{board.name}, not {target:,}: ask for that, or for a larger board")
    return mapping


def require_fit(network: Network, path: pathlib.Path, board: Board, mapping: Any,
                **wishes: Any) -> None:
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
             "memory": (need.memory_blocks, resources.memory_blocks, "block RAMs"),
             "spram": (need.spram_blocks, resources.spram_blocks, "SPRAMs")}
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
    if any(wishes.values()) and _fits(network, path, board, **dict.fromkeys(wishes)):
        what = f"ask for less parallelism; or {what}"
    raise InputError(f"{path} ({network.shape}) is too large for {board.name}: it takes {short}; "
                     f"{what}")


def _fits(network: Network, path: pathlib.Path, board: Board, **wishes: Any) -> bool:
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
    sizes = ", ".join(f"{layer.pe} x {layer.simd}"
                      + (f" in {layer.storage}" if layer.storage != KINDS[0] else "")
                      for layer in mapping.layers)
    why = {"luts": "; LUTs ran out first", "memory": "; memory ran out first",
           "effort": "; faster takes longer to build, see --target-cycles"}
    return f"PE x SIMD {sizes}: {mapping.cycles_per_image:,} cycles an image" \
           f"{why.get(mapping.limit, '')}"

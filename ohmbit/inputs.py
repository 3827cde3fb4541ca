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
from model import data
from model.data import Dataset
from model.errors import InputError
from model.network import Network


__all__ = ["NetworkPath", "BoardName", "Baud", "DataDir", "DatasetName", "Output", "Samples",
           "Detection", "TrainingSet", "blame", "dataset_for", "first", "check_output",
           "choose_board", "detecting", "drawing", "folder"]


NetworkPath = Annotated[pathlib.Path, typer.Argument(
    metavar="NETWORK", help="Network file, as `ohmbit train` writes it.")]
BoardName   = Annotated[str, typer.Option(
    "--board", "-b", metavar="BOARD", help="One that `ohmbit boards` lists, or FILE.py:CLASS.")]
Baud        = Annotated[int | None, typer.Option(
    "--baud", min=1, metavar="N", help="Rate of the serial port: to build with, and then to use.",
    show_default="the board's")]
DatasetName = Annotated[str | None, typer.Option(
    metavar="NAME", help="Dataset, or FILE.npz; by default the one that the network is for.")]
TrainingSet = Annotated[str, typer.Argument(
    metavar="DATASET", help="digits, iris, mnist, fashion-mnist, cifar10, or FILE.npz with "
                            "x_train, y_train, x_test, y_test.")]
DataDir     = Annotated[pathlib.Path | None, typer.Option(
    "--data", metavar="DIR", help="Where datasets are; before $OHMBIT_DATA and the user's cache.")]
Output      = Annotated[pathlib.Path | None, typer.Option(
    "--output", "-o", metavar="DIR", help="Where results go.", show_default="build/NETWORK-BOARD")]
Samples     = Annotated[int | None, typer.Option(
    "--samples", metavar="T", help="Bits to draw of each pixel, where the network draws any: as "
                                   "many as it was trained for, or fewer on the same hardware.",
    show_default="all")]


Detection   = Annotated[str | None, typer.Option(
    "--detection", metavar="none|exact|speculative[:F]", show_default="the network's, or exact",
    help="When neurons with weights of several bits may end early; F, 1 to 4, is what speculation "
         "counts on, in eighths of the most that is to come.")]


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


def drawing(whole: Any, samples: int | None) -> Any:
    """A network, or its mapping, while it draws so many samples; as it is with None."""
    if samples is None:
        return whole
    with blame("--samples"):
        return whole.drawing(samples)


def detecting(network: Network, detection: str | None) -> Network:
    """A network whose layers detect like that; as it is with None."""
    if detection is None:
        return network
    kind, colon, factor = detection.partition(":")
    if colon and (kind != "speculative" or not factor.isdecimal()):
        raise InputError("--detection takes none, exact, speculative or speculative:F with F from "
                         f"1 to 4, not {detection!r}")
    with blame("--detection"):
        return network.detecting(kind, int(factor) if colon else None)


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


def folder(output: pathlib.Path | None, path: pathlib.Path, board: Board) -> pathlib.Path:
    """Where results for a network on a board go."""
    return output or pathlib.Path("build") / f"{path.stem}-{board.name}"

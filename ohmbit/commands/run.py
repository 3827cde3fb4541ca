"""``ohmbit run``: classify on a board."""

import contextlib
import pathlib
import time
from collections.abc import Iterator
from typing import Annotated

import numpy as np
import typer

from boards.board import Board
from boards.driver import Driver
from boards.virtual import VirtualBoard
from gateware import compiler
from gateware.plan import Plan
from model.errors import CheckFailed, InputError
from model.network import Network
from sim import tools
from sim.compare import compare
from sim.wire import Wire

from .. import picture
from ..console import console
from ..engines import ENGINES
from ..inputs import (
    Baud,
    BoardName,
    DataDir,
    DatasetName,
    NetworkPath,
    Pe,
    Simd,
    Target,
    choose_board,
    choose_mapping,
    dataset_for,
    first,
)


__all__ = ["run"]


FEW = 100   # images take a millisecond or more each on a serial line

VIRTUAL = "virtual"   # in place of a port


def run(
    network: NetworkPath,
    board: BoardName,
    port: Annotated[str, typer.Option(
        metavar="PATH", help="Serial port of the board; or virtual, for one that is simulated.")],
    image: Annotated[pathlib.Path | None, typer.Option(
        metavar="FILE", help="A picture to classify, in place of test images.")] = None,
    images: Annotated[int | None, typer.Option(
        min=1, metavar="N", help="Test images; by default 100, or all if there are fewer.")] = None,
    pe: Pe = None,
    simd: Simd = None,
    target: Target = None,
    dataset: DatasetName = None,
    data_dir: DataDir = None,
    baud: Baud = None,
    noise: Annotated[float, typer.Option(
        min=0, max=1, metavar="RATE", help="Share of the bits on the line to a virtual board that "
                                           "are inverted.")] = 0.0,
) -> None:
    """Write a network to a board and classify there.

    The board must have been flashed with a network of the same shape, with the same PE and SIMD.
    """
    net = Network.load(network)
    chosen = choose_board(board, baud=baud)
    if noise and port != VIRTUAL:
        raise InputError(f"--noise is for virtual boards: leave it out, or choose --port {VIRTUAL}")
    source = dataset_for(net, network, dataset, data_dir)
    if image is not None:
        pixels, labels = picture.read(image, source), None
    else:
        pixels, labels = first(source, images or min(FEW, len(source.x_test)))
    mapping = choose_mapping(net, network, chosen, pe=pe, simd=simd, target=target)

    with _connect(port, chosen, Plan(net.shape, mapping), noise) as (driver, virtual), \
            console.progress(f"{chosen.name} on {port}"):
        driver.load(Plan(net.shape, mapping))
        console.stage(f"writing {network} to {chosen.name} on {port}")
        driver.write(compiler.image(net, mapping))
        console.stage(f"classifying {len(pixels):,} image{'s' if len(pixels) > 1 else ''}")
        start, before = time.perf_counter(), virtual.seconds if virtual else 0.0
        result = driver.infer(pixels)
        seconds = time.perf_counter() - start
        simulated = virtual.seconds - before if virtual else None
    comparison = compare(net, pixels, result)
    names = net.class_names or tuple(map(str, range(net.classes)))
    accuracy = None if labels is None else float((result.best == labels).mean())
    if len(pixels) == 1:
        _show(pixels[0].reshape(source.image_shape), int(source.x_test.max()), result.scores[0],
              names)
        console.show(f"it is {names[int(result.best[0])]}")
    right = "" if accuracy is None else f" {accuracy:.2%} right,"
    console.show(f"{len(pixels):,} images on {chosen.name}:{right} {comparison.total:,} mismatches "
                 f"in {comparison.seen}; {len(pixels) / (simulated or seconds):,.0f} images/s"
                 f"{' simulated' if virtual else ''}")
    console.result(board=chosen.name, port=port, images=len(pixels), accuracy=accuracy,
                   mismatches=comparison.total, classes=[int(best) for best in result.best],
                   cycles=result.cycles, seconds=round(seconds, 3),
                   **({} if simulated is None else {"simulated_seconds": round(simulated, 6)}))
    if comparison.total:
        raise CheckFailed(f"{comparison.total:,} mismatches; the first: {comparison.first}")


@contextlib.contextmanager
def _connect(port: str, board: Board, plan: Plan,
             noise: float) -> Iterator[tuple[Driver, VirtualBoard | None]]:
    """A driver, and the board where that is simulated."""
    if port != VIRTUAL:
        with Driver.open(port, board.baud) as driver:
            yield driver, None
        return
    for name in ENGINES[VIRTUAL].missing:
        tools.require(name)
    with console.progress(f"{board.name}: making it ready"):
        virtual = VirtualBoard(board, compiler.compile(plan.shape, plan.mapping),
                               wire=Wire(flip=noise))
    with virtual:
        where = f"{virtual.path}, a virtual {board.name}"
        with Driver(virtual.open(), where=where, baud=board.baud) as driver:
            yield driver, virtual


def _show(image: np.ndarray, top: int, scores: np.ndarray, names: tuple[str, ...]) -> None:
    if image.ndim == 2:
        console.show("\n".join(picture.draw(image, top, plain=console.plain)))
    console.show("\n".join(picture.bars(names, scores, plain=console.plain)))

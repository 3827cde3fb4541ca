"""``ohmbit run``: classify on a board."""

import contextlib
import dataclasses
import pathlib
import time
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import numpy as np
import typer

from boards.board import Board
from boards.driver import Driver
from boards.serial_port import find_port
from boards.virtual import VirtualBoard
from gateware import compiler
from gateware.plan import Plan
from model.errors import CheckFailed, InputError
from model.frame import MAX_ROUNDS, signature
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
    Detection,
    NetworkPath,
    Samples,
    blame,
    choose_board,
    dataset_for,
    detecting,
    drawing,
    first,
)
from ..mappings import Batch, Pe, Simd, Storage, Target, TargetFps, Wishes, choose_mapping


__all__ = ["run"]


FEW = 100   # images take a millisecond or more each on a serial line

AUTO    = "auto"      # in place of a port
VIRTUAL = "virtual"


def run(
    network: NetworkPath,
    board: BoardName,
    port: Annotated[str, typer.Option(
        metavar="PATH", help="Serial port of the board; auto finds it by its USB bridge, and "
                             "virtual simulates a board.")] = AUTO,
    image: Annotated[pathlib.Path | None, typer.Option(
        metavar="FILE", help="A picture to classify, in place of test images.")] = None,
    images: Annotated[int | None, typer.Option(
        min=1, metavar="N", help="Test images; by default 100, or all if there are fewer.")] = None,
    pe: Pe = None,
    simd: Simd = None,
    storage: Storage = None,
    batch: Batch = None,
    target: Target = None,
    fps: TargetFps = None,
    dataset: DatasetName = None,
    data_dir: DataDir = None,
    baud: Baud = None,
    samples: Samples = None,
    detection: Detection = None,
    repeat: Annotated[int, typer.Option(
        min=0, max=MAX_ROUNDS, metavar="R",
        help="Classify the first images R times more on the board itself, to see the rate that it "
             "has without its serial port.")] = 0,
    noise: Annotated[float, typer.Option(
        min=0, max=1, metavar="RATE", help="Share of the bits on the line to a virtual board that "
                                           "are inverted.")] = 0.0,
) -> None:
    """Write a network to a board and classify there.

    The board must have been flashed with a network of the same shape, with the same PE and SIMD.
    """
    built = Network.load(network)
    net = detecting(drawing(built, samples), detection)
    chosen = choose_board(board, baud=baud)
    if noise and port != VIRTUAL:
        raise InputError(f"--noise is for virtual boards: leave it out, or choose --port {VIRTUAL}")
    source = dataset_for(net, network, dataset, data_dir)
    if image is not None:
        pixels, labels = picture.read(image, source), None
    else:
        pixels, labels = first(source, images or min(FEW, len(source.x_test)))
    wishes = Wishes(pe, simd, storage, batch, target, fps)
    mapping = choose_mapping(built, network, chosen, wishes)
    mapping = drawing(mapping, samples)

    count = f"{len(pixels):,} image{'s' if len(pixels) > 1 else ''}"
    with blame("--detection"):
        plan, contents = Plan(net.shape, mapping), compiler.image(net, mapping)
    if port == AUTO:
        port = find_port(chosen)
    with console.progress(f"{chosen.name} on {port}") as advance, \
            _connect(port, chosen, plan, noise, advance) as (driver, virtual):
        driver.load(plan)
        if driver.holds(contents):
            console.stage(f"{chosen.name} on {port} holds {network}")
            driver.choose(contents)
        else:
            console.stage(f"writing {network} to {chosen.name} on {port}")
            driver.write(contents)
        console.stage(f"classifying {count}")
        driver.traffic.clear()
        start = time.perf_counter()
        result = driver.infer(pixels)
        seconds = time.perf_counter() - start
        traffic = dataclasses.replace(driver.traffic)
        core = _repeat(driver, net, pixels, repeat) if repeat else None
    comparison = compare(net, pixels, result, counted=compiler.counted(net, mapping, pixels))
    names = net.class_names or tuple(map(str, range(net.classes)))
    accuracy = None if labels is None else float((result.best == labels).mean())
    if len(pixels) == 1:
        _show(pixels[0].reshape(source.image_shape), int(source.x_test.max()), result.scores[0],
              names)
        console.show(f"it is {names[int(result.best[0])]}")
    right = "" if accuracy is None else f" {accuracy:.2%} right,"
    rate, share = len(pixels) / traffic.seconds, traffic.share(chosen.baud)
    console.show(f"{count} on {chosen.name}:{right} {comparison.total:,} mismatches "
                 f"in {comparison.seen}; {rate:,.0f} images/s{' simulated' if virtual else ''}, "
                 f"the line in use for {share:.1%} of the time")
    if core is not None:
        same = "that of the golden model" if core["equal"] else "not that of the golden model"
        console.show(f"{core['images']:,} images more on the board itself: {core['rate']:,.0f} "
                     f"images/s; their signature is {same}")
    console.result(board=chosen.name, port=port, images=len(pixels), accuracy=accuracy,
                   mismatches=comparison.total, classes=[int(best) for best in result.best],
                   cycles=result.cycles, seconds=round(seconds, 3),
                   line_seconds=round(traffic.seconds, 6), line_share=round(share, 4),
                   line_images_per_second=round(rate, 1), sent_again=traffic.again,
                   core_images_per_second=round(
                       len(pixels) * float(chosen.clock_hz) / result.cycles if core is None
                       else core["rate"], 1),
                   core_equal=None if core is None else core["equal"])
    if core is not None and not core["equal"]:
        raise CheckFailed("what the board answered on its own is not what the golden model says")
    if comparison.total:
        raise CheckFailed(f"{comparison.total:,} mismatches; the first: {comparison.first}")


def _repeat(driver: Driver, net: Network, pixels: np.ndarray, rounds: int) -> dict[str, Any]:
    """The rate of the accelerator alone, and whether it answers as the golden model does."""
    identity = driver.identify()
    batch = pixels[:identity.batch]
    repeated = driver.repeat(batch, rounds)
    images = len(batch) * rounds
    return {"images": images, "rate": images * identity.clock_hz / repeated.cycles,
            "equal": repeated.signature == signature(net.scores_of(batch), net(batch), rounds)}


@contextlib.contextmanager
def _connect(port: str, board: Board, plan: Plan, noise: float,
             progress: Callable[[int, int], None]) -> Iterator[tuple[Driver, VirtualBoard | None]]:
    """A driver, and the board where that is simulated."""
    if port != VIRTUAL:
        with Driver.open(port, board.baud, progress) as driver:
            yield driver, None
        return
    for name in ENGINES[VIRTUAL].missing:
        tools.require(name)
    with console.progress(f"{board.name}: making it ready"):
        virtual = VirtualBoard(board, compiler.compile(plan.shape, plan.mapping),
                               wire=Wire(flip=noise))
    with virtual:
        where = f"{virtual.path}, a virtual {board.name}"
        with Driver(virtual.open(), where=where, baud=board.baud, progress=progress) as driver:
            yield driver, virtual


def _show(image: np.ndarray, top: int, scores: np.ndarray, names: tuple[str, ...]) -> None:
    if image.ndim == 2:
        console.show("\n".join(picture.draw(image, top, plain=console.plain)))
    console.show("\n".join(picture.bars(names, scores, plain=console.plain)))

"""``ohmbit run``: classify on a board."""

import pathlib
import time
from typing import Annotated

import numpy as np
import typer

from boards import catalog
from boards.driver import Driver
from gateware import compiler
from gateware.plan import Plan
from model.errors import CheckFailed
from model.network import Network
from sim.compare import compare

from .. import picture
from ..console import console
from ..inputs import (
    BoardName,
    DataDir,
    DatasetName,
    NetworkPath,
    Pe,
    Simd,
    Target,
    choose_mapping,
    dataset_for,
    first,
)


__all__ = ["run"]


FEW = 100   # images take a millisecond or more each on a serial line


def run(
    network: NetworkPath,
    board: BoardName,
    port: Annotated[str, typer.Option(metavar="PATH", help="Serial port of the board.")],
    image: Annotated[pathlib.Path | None, typer.Option(
        metavar="FILE", help="A picture to classify, in place of test images.")] = None,
    images: Annotated[int | None, typer.Option(
        min=1, metavar="N", help="Test images; by default 100, or all if there are fewer.")] = None,
    pe: Pe = None,
    simd: Simd = None,
    target: Target = None,
    dataset: DatasetName = None,
    data_dir: DataDir = None,
) -> None:
    """Write a network to a board and classify there.

    The board must have been flashed with a network of the same shape, with the same PE and SIMD.
    """
    net = Network.load(network)
    chosen = catalog.find(board)
    source = dataset_for(net, network, dataset, data_dir)
    if image is not None:
        pixels, labels = picture.read(image, source), None
    else:
        pixels, labels = first(source, images or min(FEW, len(source.x_test)))
    mapping = choose_mapping(net, network, chosen, pe=pe, simd=simd, target=target)

    with Driver.open(port, chosen.baud) as driver, console.progress(f"{chosen.name} on {port}"):
        driver.load(Plan(net.shape, mapping))
        console.stage(f"writing {network} to {chosen.name} on {port}")
        driver.write(compiler.image(net, mapping))
        console.stage(f"classifying {len(pixels):,} image{'s' if len(pixels) > 1 else ''}")
        start = time.perf_counter()
        result = driver.infer(pixels)
        seconds = time.perf_counter() - start
    comparison = compare(net, pixels, result)
    names = net.class_names or tuple(map(str, range(net.classes)))
    accuracy = None if labels is None else float((result.best == labels).mean())
    if len(pixels) == 1:
        _show(pixels[0].reshape(source.image_shape), int(source.x_test.max()), result.scores[0],
              names)
        console.show(f"it is {names[int(result.best[0])]}")
    right = "" if accuracy is None else f" {accuracy:.2%} right,"
    console.show(f"{len(pixels):,} images on {chosen.name}:{right} {comparison.total:,} mismatches "
                 f"in {comparison.seen}; {len(pixels) / seconds:,.0f} images/s")
    console.result(board=chosen.name, port=port, images=len(pixels), accuracy=accuracy,
                   mismatches=comparison.total, classes=[int(best) for best in result.best],
                   cycles=result.cycles, seconds=round(seconds, 3))
    if comparison.total:
        raise CheckFailed(f"{comparison.total:,} mismatches; the first: {comparison.first}")


def _show(image: np.ndarray, top: int, scores: np.ndarray, names: tuple[str, ...]) -> None:
    if image.ndim == 2:
        console.show("\n".join(picture.draw(image, top, plain=console.plain)))
    console.show("\n".join(picture.bars(names, scores, plain=console.plain)))

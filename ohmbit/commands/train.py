"""``ohmbit train``: offline training."""

import pathlib
import time
from typing import Annotated

import typer

from model import data
from model.encoder import BitSerial, Encoder, Threshold
from model.errors import InputError
from model.train import train as train_network

from ..console import console
from ..inputs import DataDir, blame, check_output


__all__ = ["train"]


def train(
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="digits, iris, mnist, "
        "fashion-mnist, cifar10, or FILE.npz with x_train, y_train, x_test, y_test.")],
    output: Annotated[pathlib.Path | None, typer.Option(
        "--output", "-o", metavar="FILE", help="Network file to write.",
        show_default="DATASET.npz")] = None,
    hidden: Annotated[str, typer.Option(
        metavar="N[,N…]", help="Neurons of each hidden layer; 0 for no such layer.")] = "128",
    epochs: Annotated[int | None, typer.Option(
        min=1, help="Times to go through the training set.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Start of all that is random.")] = 0,
    encoder: Annotated[str, typer.Option(
        metavar="ENCODER", help="bitserial, or threshold:LEVEL.")] = "bitserial",
    data_dir: DataDir = None,
) -> None:
    """Train a network and write it to a file."""
    neurons = _hidden(hidden)
    with blame(f"dataset {dataset}"):
        images = data.load(dataset, data_dir)
    encode = _encoder(encoder, images.bits)
    output = output or pathlib.Path(f"{pathlib.Path(images.name).stem}.npz")
    check_output(output)
    sizes = "-".join(map(str, (images.x_train.shape[1], *neurons, len(images.class_names))))
    console.stage(f"training {sizes} on {len(images.x_train):,} images of {images.name}, {encode}")

    start = time.perf_counter()
    options = {} if epochs is None else {"epochs": epochs}
    with blame(f"dataset {dataset}"), console.progress("training") as advance:
        network = train_network(images, hidden=neurons, seed=seed, encoder=encode,
                                 progress=advance, **options)
    seconds = time.perf_counter() - start
    network.save(output)
    accuracy = float((network(images.x_test) == images.y_test).mean())
    console.show(f"{output}: {network.shape}, {accuracy:.2%} of {len(images.x_test):,} test images "
                 f"right, {seconds:.1f} s")
    console.result(network=output, dataset=images.name, sizes=network.shape.sizes,
                   accuracy=accuracy, images=len(images.x_test), seconds=round(seconds, 2))


def _hidden(text: str) -> tuple[int, ...]:
    try:
        neurons = tuple(int(part) for part in text.split(","))
    except ValueError:
        neurons = (-1,)
    if neurons == (0,):
        return ()
    if min(neurons) < 1:
        raise InputError(f"--hidden takes numbers of neurons, such as 128 or 300,100, not {text!r}")
    return neurons


def _encoder(text: str, bits: int) -> Encoder:
    kind, colon, level = text.partition(":")
    if kind == "bitserial" and not colon:
        return BitSerial(bits)
    if kind == "threshold" and level.isdecimal():
        with blame(f"--encoder {text}"):
            return Threshold(int(level), bits=bits)
    raise InputError(f"--encoder takes bitserial or threshold:LEVEL, not {text!r}")

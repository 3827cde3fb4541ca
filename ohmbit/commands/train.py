"""``ohmbit train``: offline training."""

import pathlib
import time
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from model import data
from model.encoder import BitSerial, Encoder, Threshold
from model.errors import InputError
from model.stochastic import BANK, COMBINE, GENERATORS, SEED, Stochastic
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
        "--encoder", "--input", metavar="ENCODER",
        help="bitserial, threshold:LEVEL, or stochastic.")] = "bitserial",
    samples: Annotated[int | None, typer.Option(
        metavar="T", help="Bits drawn of each pixel, with the stochastic encoder.",
        show_default="8")] = None,
    generator: Annotated[str | None, typer.Option(
        metavar="G", help=f"What draws them: {', '.join(GENERATORS)}.",
        show_default="vdc")] = None,
    combine: Annotated[str | None, typer.Option(
        metavar="|".join(COMBINE), help="Where they are added up: in the first layer, or the "
                                        "scores of one run of the network for each.",
        show_default="layer")] = None,
    lfsr_seed: Annotated[int | None, typer.Option(
        help="Seed of its LFSRs.", show_default=str(SEED))] = None,
    bank: Annotated[int | None, typer.Option(
        help="LFSRs of lfsr-bank.", show_default=str(BANK))] = None,
    data_dir: DataDir = None,
) -> None:
    """Train a network and write it to a file."""
    neurons = _hidden(hidden)
    with blame(f"dataset {dataset}"):
        images = data.load(dataset, data_dir)
    encode = _encoder(encoder, images.bits, {"samples": samples, "generator": generator,
                                             "combine": combine,
                                             "lfsr_seed": lfsr_seed, "bank": bank})
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


def _encoder(text: str, bits: int, drawn: Mapping[str, int | str | None]) -> Encoder:
    kind, colon, level = text.partition(":")
    given = {name: value for name, value in drawn.items() if value is not None}
    if kind == "stochastic" and not colon:
        with blame("--encoder stochastic"):
            options: dict[str, Any] = {"samples": 8} | given
            seed = {"seed": options.pop("lfsr_seed")} if "lfsr_seed" in options else {}
            return Stochastic(bits=bits, **options, **seed)
    if given:
        raise InputError(f"--{min(given).replace('_', '-')} is for --encoder stochastic, "
                         f"not {text}")
    if kind == "bitserial" and not colon:
        return BitSerial(bits)
    if kind == "threshold" and level.isdecimal():
        with blame(f"--encoder {text}"):
            return Threshold(int(level), bits=bits)
    raise InputError(f"--encoder takes bitserial, threshold:LEVEL or stochastic, not {text!r}")

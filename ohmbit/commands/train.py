"""``ohmbit train``: offline training."""

import pathlib
import time
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import numpy as np
import typer

from model import data
from model.deal import dealt
from model.encoder import BitSerial, Encoder, Threshold
from model.errors import InputError
from model.quantize import quantize
from model.ranges import bounds
from model.real import Real, train as train_real
from model.stochastic import BANK, COMBINE, GENERATORS, SEED, Stochastic
from model.train import train as train_network

from ..console import console
from ..inputs import DataDir, Detection, TrainingSet, blame, check_output, detecting


__all__ = ["train"]


ENOUGH = 1_000   # images by which neurons are dealt to PEs


def train(
    dataset: TrainingSet,
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
    weight_bits: Annotated[int | None, typer.Option(
        "--weight-bits", "--weights", metavar="B",
        help="Bits of a weight, 2 to 16: in the first layer, or with --activation relu in all.",
        show_default="binary weights in all layers")] = None,
    activation: Annotated[str, typer.Option(
        metavar="sign|relu", help="What hidden layers give.")] = "sign",
    activation_bits: Annotated[int | None, typer.Option(
        "--activation-bits", "--activations", metavar="A", help="Bits that a ReLU gives, 1 to 8.",
        show_default="8")] = None,
    acc_bits: Annotated[int | None, typer.Option(
        "--acc-bits", metavar="N", help="Bits of accumulators of hidden layers with such weights.",
        show_default="what sums need, or a little more")] = None,
    pe: Annotated[int, typer.Option(
        "--pe", min=1, metavar="N",
        help="PEs that neurons with weights of several bits are dealt to, so that all are done "
             "with an image at about one time; that serves N's divisors, too.")] = 16,
    detection: Detection = None,
    data_dir: DataDir = None,
) -> None:
    """Train a network and write it to a file."""
    neurons = _hidden(hidden)
    with blame(f"dataset {dataset}"):
        images = data.load(dataset, data_dir)
    encode = _encoder(encoder, images.bits, {"samples": samples, "generator": generator,
                                             "combine": combine,
                                             "lfsr_seed": lfsr_seed, "bank": bank})
    _check_bits(weight_bits, activation, activation_bits, encoder,
                {"--acc-bits": acc_bits, "--detection": detection})
    output = output or pathlib.Path(f"{pathlib.Path(images.name).stem}.npz")
    check_output(output)
    sizes = "-".join(map(str, (images.x_train.shape[1], *neurons, len(images.class_names))))
    console.stage(f"training {sizes} on {len(images.x_train):,} images of {images.name}, {encode}")

    start = time.perf_counter()
    options: dict[str, Any] = {"hidden": neurons, "seed": seed, "encoder": encode}
    options |= {} if epochs is None else {"epochs": epochs}
    real: Real | None = None
    with blame(f"dataset {dataset}"), console.progress("training") as advance:
        if weight_bits is None:
            network = train_network(images, progress=advance, **options)
        else:
            real = train_real(images, activation=activation, progress=advance,
                              bound=bounds(len(neurons)),
                              real_layers=None if activation == "relu" else 1, **options)
            with blame("--acc-bits" if acc_bits is not None else f"dataset {dataset}"):
                network = quantize(real, images, weight_bits=weight_bits, acc_bits=acc_bits,
                                   activation_bits=activation_bits or 8)
            network = detecting(dealt(network, _some(images.x_train), pe), detection)
    seconds = time.perf_counter() - start
    network.save(output)
    accuracy = _accuracy(network, images)
    note, before = "", {}
    if real is not None:
        before["real_accuracy"] = _accuracy(real, images)
        note = f" ({before['real_accuracy']:.2%} before quantization)"
    console.show(f"{output}: {network.shape}, {accuracy:.2%} of {len(images.x_test):,} test images "
                 f"right{note}, {seconds:.1f} s")
    console.result(network=output, dataset=images.name, sizes=network.shape.sizes,
                   accuracy=accuracy, images=len(images.x_test), seconds=round(seconds, 2),
                   **before)


def _some(images: np.ndarray) -> np.ndarray:
    """Training images enough to deal neurons by."""
    return images[np.random.default_rng(0).permutation(len(images))[:ENOUGH]]


def _accuracy(classes: Callable[[np.ndarray], np.ndarray], images: data.Dataset) -> float:
    """Share of the test images that are classified right."""
    return float((classes(images.x_test) == images.y_test).mean())


def _check_bits(weight_bits: int | None, activation: str, activation_bits: int | None,
                encoder: str, others: Mapping[str, object]) -> None:
    """Refuse what does not go together; :py:`others` are for weights of several bits, too."""
    if activation not in ("sign", "relu"):
        raise InputError(f"--activation takes sign or relu, not {activation!r}")
    if activation_bits is not None and activation != "relu":
        raise InputError(f"--activation-bits is for --activation relu, not {activation}")
    if activation_bits is not None and not 1 <= activation_bits <= 8:
        raise InputError(f"--activation-bits takes 1 to 8, not {activation_bits}")
    others = {f"--activation {activation}": activation != "sign" or None, **others}
    for option, value in others.items():
        if weight_bits is None and value is not None:
            raise InputError(f"{option} is for weights of several bits: add --weight-bits, such as "
                             "--weight-bits 8")
    if weight_bits is not None and not 2 <= weight_bits <= 16:
        raise InputError(f"--weight-bits takes 2 to 16, not {weight_bits}; leave it out for binary "
                         "weights")
    if weight_bits is not None and encoder != "bitserial":
        raise InputError("--weight-bits is for --encoder bitserial, as such weights take whole "
                         f"pixels, not {encoder}")


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

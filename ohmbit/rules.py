"""Which rule a user asks for to learn by, or which suits a dataset."""

import math
from dataclasses import dataclass, replace
from typing import Annotated

import typer

from model.convergence import ALWAYS
from model.dataset import Dataset
from model.errors import InputError
from model.learned import PIXEL, scaled, unit_of
from model.sign_update import FORWARDS, SignUpdate

from .inputs import blame


__all__ = ["Bits", "Filter", "Forward", "Hidden", "Margin", "Noise", "Seed", "Wanted"]


# What is won by less than the margin, and what is above the filter, are multiples of how far sums
# of so many counters lie from zero: these are for the MNIST images of 300 hidden neurons.
# Margins grow as the root of neurons do; hidden sums with active rows, as these are alike.
# Chosen on training images that were held out, as docs/learning.md says.
MARGIN = {"integer": 600, "sign-first": 600, "sign": 30}
FILTER = {"integer": 512, "sign-first": 16, "sign": 16}
HIDDEN, ACTIVE = 300, 107


def one_layer(text: object) -> int:
    """Hidden neurons, as an option has them."""
    layers = str(text).split(",")
    if len(layers) > 1:
        raise typer.BadParameter(f"{text} are {len(layers)} layers, and the rule learns one, "
                                 "between two of weights")
    if not layers[0].isascii() or not layers[0].isdigit() or int(layers[0]) < 1:
        raise typer.BadParameter(f"{text!r} is no number from 1 on")
    return int(layers[0])


Hidden  = Annotated[int, typer.Option(parser=one_layer, metavar="N",
                                      help="Hidden neurons, in one layer.")]
Seed    = Annotated[int, typer.Option(min=0, help="Start of all that is random.")]
Bits    = Annotated[int, typer.Option(help="Bits of a counter, 4 to 12.")]
Forward = Annotated[str, typer.Option(
    metavar="|".join(FORWARDS), help="What crossbars see of counters: themselves, or signs, in the "
                                     "first layer or in both.")]
Noise   = Annotated[float, typer.Option(help="Share of the pulses that do not reach the copy.")]
Margin  = Annotated[int | None, typer.Option(
    help="By which the right class has to win, or an image is learned.",
    show_default="by the number of hidden neurons")]
Filter  = Annotated[int | None, typer.Option(
    "--filter", help="How far from zero a hidden sum may be for its neuron to learn: a power of "
                     "two.",
    show_default="by the number of active inputs")]


@dataclass(frozen=True)
class Wanted:
    """What was asked for by the options of these names; None for what suits the images."""

    hidden: int
    bits: int
    forward: str
    noise: float
    margin: int | None
    filter: int | None
    seed: int = 1

    def rule(self, images: Dataset) -> SignUpdate:
        """The rule to learn a dataset by."""
        if not 0 <= self.noise < 1:
            raise InputError("--noise takes a share from 0 to 1, which is not one, "
                             f"not {self.noise:g}")
        with blame("options"):
            spec = SignUpdate(images.inputs, self.hidden, images.classes, seed=self.seed,
                              forward=self.forward)
        margin, filter_ = self.margin, self.filter
        if margin is None:
            margin = round(MARGIN[self.forward] * math.sqrt(self.hidden / HIDDEN))
        if filter_ is None:
            active = active_rows(images, spec)
            filter_ = 2 ** max(round(math.log2(FILTER[self.forward] * active / ACTIVE)), 0)
        with blame("options"):
            return replace(spec, bits=self.bits, margin=margin, filter=filter_,
                           noise=round(ALWAYS * self.noise))


def active_rows(images: Dataset, spec: SignUpdate) -> float:
    """How many rows an image drives, on average."""
    pixels = scaled(images.x_train, unit_of(images.x_train))
    return float(pixels.mean()) / 2 ** PIXEL * images.inputs + spec.bias

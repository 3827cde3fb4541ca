"""Area of a first layer's neuron, by how it takes pixels; and cycles, area × time, energy.

``python -m bench.first_layer [--lanes 64] [--inputs 784] [--samples 8] [--generators lfsr,vdc]
[--energy TABLE] [--folder DIR] [--json]``

Pixels of 8 bits meet binary weights, so many lanes in a cycle: as numbers that an adder tree adds
up (:class:`bench.fixed_point.FixedPoint`), as T bits that are drawn of each, and as their own eight
bits, which is exact too (both :class:`bench.neuron.Neuron`). What draws or chooses the bits of all
lanes, :mod:`gateware.encoder`, is there once for all neurons that share it: one, eight, or all 300
of a layer. Memories of weights, thresholds and pixels are left out alike, and so is the sequencer
of a layer.

:class:`bench.sizes.Size` says what is counted; flip-flops are among the transistors, and stand
beside as well. Drivers for those who share are not there. Area × time is transistors times cycles
an image, as a multiple of the neuron's that takes pixels as numbers: what takes T passes has to be
so much smaller to be worth it.

Energies are estimates, for a neuron and an image, of events that are counted and of the figures in
a table: ``bench/first_layer.toml``, or another file of that kind. Glitches are not counted.
"""

import argparse
import json
import pathlib
import sys
from collections.abc import Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from gateware.encoder import encoder
from gateware.folding import Folding
from model.encoder import BitSerial, Encoder
from model.errors import CheckFailed, InputError
from model.stochastic import BITS, Stochastic
from ohmbit import energy

from .fixed_point import FixedPoint
from .neuron import Neuron
from .sizes import Size, cache_folder, size


__all__ = ["AREA", "ENERGY", "GENERATORS", "LAYER", "POINTS", "SHARED", "SOURCE", "Figure",
           "measure", "mixes", "main"]


# What is claimed, for Fashion-MNIST: area and energy saved, and accuracy paid for the energy.
SOURCE = "T. Hirtzlin et al., IEEE Access, 2019 (arXiv:1906.00915)"
AREA, ENERGY, POINTS = 0.62, 2.1, 1.4

ENERGIES   = pathlib.Path(__file__).with_suffix(".toml")
GENERATORS = ("lfsr", "vdc", "vdc-xor")
SHARED     = 8      # neurons that the claim on area is measured with
LAYER      = 300    # neurons of a layer, which the one on energy is


class Figure(energy.Figure):
    """What so many events in a neuron or its share of an encoder take."""

    events = ("xnors", "addition_bits", "comparison_bits", "register_bits", "lfsr_bits",
              "selections")


def events(neuron: Neuron, spec: Encoder | None, own: Size, common: Size | None, sharing: int) \
        -> dict[str, float]:
    """Events in a neuron for an image, and its share of those in an encoder.

    A flip-flop counts in every cycle. Exclusive ors of masks are left out: words have one in common
    where lanes are a power of two.
    """
    lanes, words = neuron.folding.simd, neuron.words
    counts = dict.fromkeys(Figure.events, 0.0) | {
        "xnors": words * neuron.xnors, "addition_bits": words * neuron.adders + neuron.sum_bits,
        "comparison_bits": len(neuron.threshold),
        "register_bits": words * own.shared(common, sharing).flip_flops}
    if isinstance(spec, Stochastic):
        counts["comparison_bits"] += words * lanes * BITS / sharing
        # What is made of the state for a number each, and its next one.
        made = {"lfsr": lanes * BITS, "lfsr-rotate": 0, "lfsr-bank": spec.bank * BITS}
        if spec.generator in made:
            state = spec.numbers.lfsr.width
            counts["lfsr_bits"] = words * (made[spec.generator] + state) / sharing
    elif spec is not None:
        counts["selections"] = words * lanes * (BITS - 1) / sharing
    return counts


def measure(*, lanes: int = 64, inputs: int = 784, samples: Sequence[int] = (8,),
            generators: Sequence[str] = GENERATORS,
            sharing: Sequence[int] = (1, SHARED, LAYER), energies: str = str(ENERGIES),
            cache: pathlib.Path | None = None) -> list[dict[str, Any]]:
    """A row for each way to take pixels, and for how many neurons share its encoder.

    The first is that of pixels as numbers, and the last ones those of their own bits.

    Parameters
    ----------
    lanes, inputs : :class:`int`
        Pixels in a cycle, and in an image.
    samples, generators
        T, and what draws, as :class:`model.stochastic.Stochastic` has them; all of one with each of
        the other.
    sharing : sequence of :class:`int`
        Neurons that have an encoder in common.
    energies : :class:`str`
        TOML file of :class:`Figure`.
    cache : path, or None
        Folder that keeps netlists; the user's if None.

    Returns
    -------
    list of dict
        ``input`` (``"fixed point"``, ``"stochastic"`` or ``"bit-serial"``), ``generator`` and
        ``samples`` (None unless bits are drawn), ``exact``, ``sharing`` (None without an encoder);
        ``transistors``, ``flip_flops``, ``ice40_luts`` and ``ecp5_luts`` of a neuron and its share;
        ``cycles`` of an image; ``saved``, the share of the first row's transistors; ``area_time``,
        as a multiple of the first row's; ``picojoules``, an estimate, for an image.
    """
    check(lanes, inputs, sharing)
    figures = energy.load(energies, Figure)
    folder = cache or cache_folder()
    ways: list[tuple[str, Encoder | None]] = [("fixed point", None)]
    ways += [("stochastic", Stochastic(count, generator=generator))
             for count in samples for generator in generators]
    ways += [("bit-serial", BitSerial(BITS))]
    rows: list[dict[str, Any]] = []
    for name, spec in ways:
        neuron = FixedPoint(inputs=inputs, lanes=lanes, bits=BITS) if spec is None \
            else Neuron(Folding(inputs, 1, spec.gains, 1, lanes))
        own = size(neuron, folder)
        common = None if spec is None else size(encoder(spec, simd=lanes, inputs=inputs), folder)
        drawn = spec if isinstance(spec, Stochastic) else None
        for neurons in sharing if common else [None]:
            whole = own.shared(common, neurons or 1)
            counts = events(neuron, spec, own, common, neurons or 1)
            rows.append({
                "input": name, "generator": drawn and drawn.generator,
                "samples": drawn and drawn.samples, "exact": drawn is None, "sharing": neurons,
                **{key: round(value) for key, value in vars(whole).items()},
                "cycles": neuron.words,
                "picojoules": round(sum(counts[figure.event] * figure.picojoules / figure.per
                                        for figure in figures), 2)})
    base = rows[0]
    return [row | {
        "saved": round(1 - row["transistors"] / base["transistors"], 4),
        "area_time": round(row["transistors"] * row["cycles"]
                           / (base["transistors"] * base["cycles"]), 3)} for row in rows]


def check(lanes: int, inputs: int, sharing: Sequence[int]) -> None:
    """:exc:`InputError` where there is no such neuron."""
    if inputs < 1:
        raise InputError(f"inputs must be at least 1, not {inputs}")
    if not 1 <= lanes <= inputs:
        raise InputError(f"lanes must be between 1 and the {inputs} inputs, not {lanes}")
    if min(sharing) < 1:
        raise InputError(f"neurons that share must be at least 1, not {min(sharing)}")


def mixes(rows: Sequence[dict[str, Any]], *, lanes: int = 64, inputs: int = 784,
          cache: pathlib.Path | None = None) -> list[dict[str, Any]]:
    """How many binary neurons stand beside one of the first layer where all save :data:`AREA`.

    They have as many inputs, of one bit. A row for each of those of :func:`measure` that are drawn
    and save more than that: ``generator``, ``samples``, ``sharing``, ``binary_neurons``.
    """
    binary = size(Neuron(Folding(inputs, 1, (1,), 1, lanes)), cache or cache_folder()).transistors
    base = rows[0]["transistors"]
    return [{key: row[key] for key in ("generator", "samples", "sharing")} | {
        "binary_neurons": round((base * row["saved"] / AREA - base) / binary, 2)}
        for row in rows if row["samples"] and row["saved"] > AREA]


def table(rows: Sequence[dict[str, Any]]) -> Table:
    table = Table("input", "passes", "encoders", "transistors", "saved", "flip-flops",
                  "iCE40 LUTs", "ECP5 LUTs", "cycles", "area × time", "pJ (estimate)",
                  box=box.MARKDOWN)
    for row in rows:
        shared = {None: "none", 1: "one each"}.get(row["sharing"], f"one for {row['sharing']}")
        table.add_row(label(row), str(row["cycles"] // rows[0]["cycles"]), shared,
                      f"{row['transistors']:,}", f"{row['saved']:.1%}" if row["sharing"] else "",
                      f"{row['flip_flops']:,}", f"{row['ice40_luts']:,}", f"{row['ecp5_luts']:,}",
                      f"{row['cycles']:,}", f"{row['area_time']:.2f}", f"{row['picojoules']:.1f}")
    return table


def label(row: dict[str, Any]) -> str:
    """What a row is, in words."""
    drawn = row["generator"] and f"{row['input']}, {row['generator']}, T = {row['samples']}"
    return drawn or f"{row['input']}, exact"


def beside(rows: Sequence[dict[str, Any]], mixed: Sequence[dict[str, Any]]) -> list[str]:
    """What is claimed, and what the rows say of it."""
    chosen = [row for row in rows if row["sharing"] == SHARED]
    layer  = [row for row in rows if row["sharing"] == LAYER]
    fixed  = rows[0]["picojoules"]
    return [
        SOURCE,
        f"{AREA:.0%} less area; here with encoders for {SHARED} neurons, at so many times the area "
        "× time:", *(f"  {label(row)}: {row['saved']:.1%} at {row['area_time']:.2f}"
                     for row in chosen),
        f"{AREA:.0%} of a network where so many binary neurons are there for each of the first "
        "layer:", *(f"  {label(row)}: {mix['binary_neurons']:.2f}" for row in chosen
                    for mix in mixed if all(row[key] == mix[key] for key in (
                        "generator", "samples", "sharing"))),
        f"{ENERGY} times less energy for {POINTS} points of accuracy, which bench.stochastic has; "
        f"here, an estimate, with encoders for {LAYER}:", *(
            f"  {label(row)}: {fixed / row['picojoules']:.2f} times" for row in layer)]


def numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.first_layer", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lanes", type=int, default=64, help="pixels in a cycle")
    parser.add_argument("--inputs", type=int, default=784, help="pixels of an image")
    parser.add_argument("--samples", type=numbers, default=[8], help="T, or several: 1,2,4")
    parser.add_argument("--generators", type=lambda text: text.split(","),
                        default=list(GENERATORS))
    parser.add_argument("--energy", metavar="TABLE", default=str(ENERGIES),
                        help="energies of events, with their sources, as bench/first_layer.toml")
    parser.add_argument("--folder", type=pathlib.Path, default=None,
                        help="where netlists are kept; the user's cache folder if not given")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    size = {"lanes": options.lanes, "inputs": options.inputs, "cache": options.folder}
    try:
        rows = measure(**size, samples=options.samples, generators=options.generators,
                       energies=options.energy)
        mixed = mixes(rows, **size)
    except (InputError, ValueError, CheckFailed) as error:
        print(error, file=sys.stderr)
        return 1 if isinstance(error, CheckFailed) else 2
    if options.json:
        print(json.dumps({"rows": rows, "mixes": mixed, "source": {
            "name": SOURCE, "area": AREA, "energy": ENERGY, "points": POINTS}}))
    else:
        Console(width=None if sys.stdout.isatty() else 160).print(table(rows))
        print(*beside(rows, mixed), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

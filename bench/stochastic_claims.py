"""Claims on first layers that see bits drawn of pixels."""

from collections.abc import Iterable
from functools import cache
from typing import Any

from model import data

from . import first_layer, stochastic
from .claim import Claim, Finding


__all__ = ["CLAIMS"]


HIDDEN  = 300
SAMPLES = (1, 2, 4, 8, 16, 32)
NEAR    = 0.3   # points of accuracy within which two are the same


@cache
def areas(samples: tuple[int, ...]) -> list[dict[str, Any]]:
    """Rows of `bench.first_layer`."""
    return first_layer.measure(samples=samples)


@cache
def accuracies() -> list[dict[str, Any]]:
    """Rows of `bench.stochastic` for Fashion-MNIST, that of exact pixels first."""
    return stochastic.measure(data.load("fashion-mnist"), [HIDDEN], SAMPLES,
                              first_layer.GENERATORS)


def lost(generator: str, samples: int) -> float:
    """Points of accuracy that drawing so many samples costs; less than none if it gains."""
    exact, *drawn = accuracies()
    found, = (row["accuracy"][samples] for row in drawn if row["generator"] == generator)
    return round(float(exact["accuracy"][""] - found), 2)


def fewest(points: float) -> dict[str, int]:
    """By generator, the fewest samples that cost no more points; those that always do are out."""
    enough = {generator: [count for count in SAMPLES if lost(generator, count) <= points]
              for generator in first_layer.GENERATORS}
    return {generator: counts[0] for generator, counts in enough.items() if counts}


def chosen(rows: Iterable[dict[str, Any]], sharing: int, generator: str | None,
           samples: int | None) -> dict[str, Any]:
    """The one row; that of bit-serial planes has no generator."""
    row, = (row for row in rows if (row["sharing"], row["generator"], row["samples"])
            == (sharing, generator, samples))
    return row


def percent(share: float) -> str:
    return f"{share:.1%}".replace("%", " %")


def area() -> Finding:
    rows, shared = areas((8,)), first_layer.SHARED
    found = [chosen(rows, shared, generator, 8) for generator in first_layer.GENERATORS]
    planes = chosen(rows, shared, None, None)
    mix = [row["binary_neurons"] for row in first_layer.mixes(rows) if row["sharing"] == shared]
    held = min(row["saved"] for row in found) >= first_layer.AREA
    return Finding(
        ", ".join(f"{percent(row['saved'])} (`{row['generator']}`, area × time "
                  f"{row['area_time']:.2f})" for row in found)
        + f"; bit-serial planes, exact: {percent(planes['saved'])} (area × time "
          f"{planes['area_time']:.2f})",
        "held" if held else "not held",
        f"of the {rows[0]['transistors']:,} transistors of a first layer's neuron that adds up "
        f"numbers; T = 8, one encoder for {shared} neurons, in {planes['cycles']} cycles rather "
        f"than {rows[0]['cycles']}" + (
            f". Of a whole network it is {100 * first_layer.AREA:.0f} % with {min(mix):.1f} to "
            f"{max(mix):.1f} binary neurons for each of those" if mix else ""))


def energy() -> Finding:
    rows, points = areas(SAMPLES), first_layer.POINTS
    base = rows[0]["picojoules"]
    factors = {key: base / chosen(rows, first_layer.LAYER, *key)["picojoules"]
               for key in fewest(points).items()}
    planes = base / chosen(rows, first_layer.LAYER, None, None)["picojoules"]
    enough = [f"`{generator}` at T = {count}" for (generator, count), factor in factors.items()
              if factor >= first_layer.ENERGY]
    return Finding(
        "an estimate: divided by " + ", ".join(
            f"{factor:.2f} for {lost(*key):.2f} points (`{key[0]}`, T = {key[1]})"
            for key, factor in factors.items())
        + f"; by {planes:.2f} with bit-serial planes, exact",
        "held" if enough else "not held",
        f"reached by {', '.join(enough) or 'none'}: the fewest samples that cost at most {points} "
        f"points, as energy grows with T; one encoder for {first_layer.LAYER} neurons, without "
        "memories and glitches")


def area_time() -> Finding:
    rows, shared = areas(SAMPLES), first_layer.SHARED
    found = [chosen(rows, shared, *key) for key in fewest(NEAR).items()]
    planes = chosen(rows, shared, None, None)["area_time"]
    best = min([1.0, *(row["area_time"] for row in found)])
    under = [f"`{row['generator']}` {percent(1 - row['area_time'] / planes)}" for row in found
             if row["area_time"] < planes]
    half = chosen(rows, shared, "vdc", 4)["area_time"]
    return Finding(
        ", ".join(f"{row['area_time']:.2f} (`{row['generator']}`, T = {row['samples']})"
                  for row in found)
        + f"; bit-serial planes, exact: {planes:.2f}; numbers in parallel: 1",
        "held" if best < 1 else "not held",
        f"the fewest samples within {NEAR} points of exact pixels, one encoder for {shared} "
        f"neurons. {'An' if best < 1 else 'No'} advantage over numbers in parallel; less than "
        f"bit-serial planes: {', '.join(under) or 'none'}. With fewer samples accuracy is paid: "
        f"`vdc` at T = 4 takes {half:.2f} and costs {lost('vdc', 4):.2f} points")


def eight_samples() -> Finding:
    exact = accuracies()[0]["accuracy"][""]
    points = {generator: lost(generator, 8) for generator in first_layer.GENERATORS}
    near = [f"`{generator}`" for generator, each in points.items() if each <= NEAR]
    return Finding(
        f"exact {exact:.2f} %; T = 8: " + ", ".join(
            f"{exact - each:.2f} % (`{generator}`)" for generator, each in points.items()),
        "held" if points["vdc"] <= NEAR else "not held",
        f"within {NEAR} points of exact pixels: {', '.join(near) or 'none'}. Exact bit-serial "
        "planes take 8 passes as well")


def lfsr_samples() -> Finding:
    exact, counts = accuracies()[0]["accuracy"][""], fewest(NEAR)
    needed = {generator: counts.get(generator, 2 * SAMPLES[-1]) for generator in ("lfsr", "vdc")}
    return Finding(
        "; ".join(f"`{generator}`: T = {counts[generator]}, "
                  f"{exact - lost(generator, counts[generator]):.2f} %" if generator in counts
                  else f"`{generator}`: more than {SAMPLES[-1]}" for generator in needed)
        + f"; exact {exact:.2f} %",
        "held" if needed["lfsr"] >= 4 * needed["vdc"] else "not held",
        f"the fewest of {', '.join(map(str, SAMPLES))} within {NEAR} points of exact pixels")


def memory() -> Finding:
    return Finding(
        "", "not modelled",
        "nothing here models a magnetic cell, its sense amplifier, or what a read of it takes: "
        "areas and energies of first layers leave memories out, alike for all inputs")


HIRTZLIN = first_layer.SOURCE
ACCURACY = "ohmbit bench stochastic --generators " + ",".join(first_layer.GENERATORS)
LAYERS   = "ohmbit bench first_layer --samples " + ",".join(map(str, SAMPLES))

CLAIMS = (
    Claim("stochastic-area", HIRTZLIN,
          f"{100 * first_layer.AREA:.0f} % less area, on Fashion-MNIST", "ohmbit bench first_layer",
          area),
    Claim("stochastic-energy", HIRTZLIN,
          f"{first_layer.ENERGY} times less energy, for {first_layer.POINTS} points of accuracy on "
          "Fashion-MNIST", f"{LAYERS}; {ACCURACY}", energy),
    Claim("stochastic-area-time", "what less area suggests",
          "the same accuracy for less area × time as well", f"{LAYERS}; {ACCURACY}", area_time),
    Claim("eight-samples", "the default of `ohmbit train --samples`",
          "8 samples are enough for a stochastic first layer", ACCURACY, eight_samples),
    Claim("lfsr-samples", "docs/stochastic.md",
          "an LFSR needs four times the samples of van der Corput's sequence", ACCURACY,
          lfsr_samples),
    Claim("stochastic-memory", HIRTZLIN,
          "area and energy with weights in spin torque magnetoresistive memory", "", memory),
)

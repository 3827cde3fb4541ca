"""Claims on what binarization costs, and on how many planes a bounded weight needs."""

import math
from functools import cache, partial
from typing import Any

from model import data

from . import techniques
from .claim import Claim, Finding


__all__ = ["CLAIMS"]


DATASET = "mnist"
HIDDEN  = 512
ERRORS  = 2      # standard errors of a test set within which two accuracies are the same
FIRST   = ("tanh", "train-then-binarize", "binarize-and-train", "deterministic-input",
           "stochastic-input")


@cache
def measured(*names: str) -> dict[str, Any]:
    return techniques.measure(data.load(DATASET), hidden=(HIDDEN,), only=names)


def accuracy(technique: str, samples: int | None = None) -> Finding:
    """Whether some way of doing it comes as far as the source, or within what may be chance."""
    result = measured(*FIRST)
    rows = [row for row in result["techniques"] if row["technique"] == technique
            and (samples is None or row["detail"].startswith(f"T = {samples},"))]
    best = max(rows, key=lambda row: row["accuracy"])
    found, source = best["accuracy"], best["source"]
    error = math.sqrt(found * (100 - found) / result["images"])
    return Finding(
        ", ".join(f"{row['accuracy']:.2f} %" + (f" ({row['detail']})" if row["detail"] else "")
                  for row in rows),
        "held" if found >= source - ERRORS * error else "not held",
        f"{found - source:+.2f} points, of which {ERRORS} standard errors of "
        f"{result['images']:,} images are {ERRORS * error:.2f}; {result['shape']}. "
        + techniques.WHY[technique].capitalize())


def planes() -> Finding:
    """How few planes lose no more than what may be chance, for each bound."""
    result, enough = measured("bounded-weights"), []
    for row in result["bounded"]:
        error = math.sqrt(row["accuracy"] * (100 - row["accuracy"]) / result["images"])
        fewest = min((count for count, found in row["planes"].items()
                      if found >= row["accuracy"] - ERRORS * error), default=None)
        enough.append((row["bound"], row["accuracy"], fewest))
    best = max(found for _, found, _ in enough)
    few = [(bound, fewest) for bound, found, fewest in enough
           if fewest is not None and fewest <= 2 and best - found <= 0.5]
    return Finding(
        "; ".join(f"b = {bound:g}: {found:.2f} % with real weights, the same from "
                  f"{fewest or 'no'} planes on" for bound, found, fewest in enough),
        "held" if few else "not held",
        "held if two planes are enough with some bound that costs at most 0.5 points: "
        + (", ".join(f"b = {bound:g}" for bound, _ in few) or "none"))


SOURCE = "Wan and Li, table of techniques on MNIST"

CLAIMS = (
    *(Claim(f"technique-{name}", SOURCE, claim, f"ohmbit bench techniques --only {name}",
            partial(accuracy, name))
      for name, claim in (
          ("tanh", "97.7 % without binarization"),
          ("train-then-binarize", "80.7 % with weights and activations binarized after training"),
          ("binarize-and-train", "97.4 % with both binarized in training"),
          ("deterministic-input", "97.0 % with a threshold on pixels as well"))),
    *(Claim(f"technique-samples-{samples}", SOURCE,
            f"{source} % with {samples} bits drawn of each pixel",
            "ohmbit bench techniques --only stochastic-input",
            partial(accuracy, "stochastic-input", samples))
      for samples, source in ((8, 97.5), (64, 97.7))),
    Claim("bounded-weights", "Wan and Li",
          "weights that are clipped at a bound need few levels on an array",
          "ohmbit bench techniques --only bounded-weights", planes),
)

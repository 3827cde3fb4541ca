"""Claims on layers that stop once their answer is known."""

from functools import cache
from typing import Any

from model import data

from . import compend
from .claim import Claim, Finding


__all__ = ["CLAIMS"]


RUNTIME = 16.62   # per cent
PES     = (1, 8)
SHARE   = 0.9     # of what one PE saves that counts as the same


@cache
def measured() -> dict[str, list[dict[str, Any]]]:
    """Rows of `bench.compend` for Fashion-MNIST, ReLU and weights of 8 bits."""
    return compend.measure(data.load("fashion-mnist"), activations=["relu"], weight_bits=[8],
                           pe=PES)


def saved(pe: int) -> dict[str, float]:
    """Per cent of the first layer's cycles that are saved, by way."""
    row, = (row for row in measured()["cycles"] if (row["layer"], row["pe"]) == (0, pe))
    ways: dict[str, float] = row["saved"]
    return ways


def runtime() -> Finding:
    one, more = saved(PES[0]), saved(PES[1])
    planes, accuracy = measured()["planes"][0], measured()["accuracies"][0]
    return Finding(
        f"{one['exact']:.1f} % fewer cycles on one PE; on {PES[1]} PEs "
        f"{more['exact dealt']:.1f} %, with speculation {more['speculative dealt']:.1f} % "
        f"({-accuracy['lost']:+.2f} points of accuracy), with exact detection and words of zeros "
        f"left out {more['exact dealt zeros']:.1f} %",
        "held" if min(one["exact"], more["exact dealt"]) >= RUNTIME else "not held",
        f"held if exact detection alone saves as much on one PE and on {PES[1]}: first layer of "
        f"784-256-128-10, ReLU, weights of 8 bits, SIMD 8, Fashion-MNIST, of whose planes "
        f"{planes['exact']:.1f} % are skipped; neurons dealt to PEs. The source's network is "
        "another, of convolutions, and its runtime is that of all layers")


def lock_step() -> Finding:
    one, more = saved(PES[0])["exact"], saved(PES[1])
    return Finding(
        f"{more['lock-step']:.1f} % in lock-step, {more['lock-step grouped']:.1f} % with neurons "
        f"grouped by their mean planes; {more['exact']:.1f} % at their own pace, "
        f"{more['exact dealt']:.1f} % with neurons dealt to them; one PE: {one:.1f} %",
        "held" if more["lock-step grouped"] >= SHARE * one else "not held",
        f"held if {PES[1]} PEs in lock-step save {100 * SHARE:.0f} % of what one does: a group is "
        "done when its slowest neuron is, and of many neurons one nearly always needs every plane")


def energy() -> Finding:
    return Finding(
        "", "not modelled",
        "nothing here models what an operation or a read of a memory takes in such a layer: planes "
        "that are skipped are counted, and energy is not")


SOURCE  = "D. Lee, S. Kang, K. Choi, ComPEND, ICS 2018"
COMMAND = "ohmbit bench compend --datasets fashion-mnist --activations relu --weight-bits 8 " \
          "--pe " + ",".join(map(str, PES))

CLAIMS = (
    Claim("compend-runtime", SOURCE,
          f"{RUNTIME} % less runtime by exact early negative detection, on VGG-16", COMMAND,
          runtime),
    Claim("compend-lock-step", "what one sequencer for all PEs suggests",
          "PEs in lock-step save as much as one PE", COMMAND, lock_step),
    Claim("compend-energy", SOURCE, "23.5 % less energy, on VGG-16", "", energy),
)

"""Speed of each engine and of the golden model on one accelerator, side by side in one run.

``python -m bench.engines [--network net.npz] [--rounds 3] [--json]``
"""

import argparse
import json
import pathlib
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from boards import catalog
from gateware import compiler
from gateware.fit import fit
from model.dense import Dense
from model.encoder import BitSerial
from model.errors import InputError
from model.network import Network
from model.scores import Scores
from ohmbit.engines import ENGINES


__all__ = ["measure", "main"]


# Images a round, so that each takes about a second.
IMAGES = {"amaranth": 5, "verilator": 2000, "verilator-rtl": 1000, "golden model": 5000}


def sample() -> Network:
    """A 64-128-10 network with random weights, and thresholds near the middle of what occurs."""
    rng = np.random.default_rng(0)
    encoder = BitSerial(5)
    weights = rng.random((128, 64)) < 0.5
    # The mean of acc, for pixels that are evenly spread.
    middle = (2 * weights.sum(axis=1) - 64) * 31 // 2
    layer = Dense(weights, middle, gains=encoder.gains, bipolar=False)
    scores = Scores(rng.random((10, 128)) < 0.5, np.ones(10, dtype=np.int64),
                    rng.integers(-9, 10, 10))
    return Network(encoder, (layer,), scores)


def measure(network: Network, rounds: int, *, scale: float = 1.0) -> dict[str, Any]:
    """Cycles and images a second of everything that is here.

    All take their turn in each round, so that what slows a machine down slows all of them down;
    the best round of each counts.

    Parameters
    ----------
    network : :class:`model.network.Network`
    rounds : :class:`int`
    scale : :class:`float`
        On how many images of what is usual.
    """
    rng = np.random.default_rng(1)
    most = 2 ** network.encoder.bits
    counts = {name: max(1, round(scale * images)) for name, images in IMAGES.items()}
    images = rng.integers(0, most, (max(counts.values()), network.inputs))
    board = catalog.find("icebreaker")
    mapping = fit(network.shape, board.resources)
    chosen = {name: choice for name, choice in ENGINES.items() if name in IMAGES}
    skipped = sorted({tool for choice in chosen.values() for tool in choice.missing})
    runs: dict[str, Callable[[np.ndarray], int]] = {}
    for name, choice in chosen.items():
        if choice.missing:
            continue
        engine = choice.make(board)
        engine.load(compiler.compile(network.shape, mapping))
        engine.write(compiler.image(network, mapping))
        runs[name] = lambda images, engine=engine: engine.infer(images).cycles

    def golden(images: np.ndarray) -> int:
        network(images)
        return 0

    runs["golden model"] = golden
    best: dict[str, float] = {}
    cycles: dict[str, int] = {}
    for _ in range(rounds):
        for name, run in runs.items():
            start = time.perf_counter()
            cycles[name] = run(images[:counts[name]])
            seconds = time.perf_counter() - start
            best[name] = min(best.get(name, seconds), seconds)

    rows = []
    for name in runs:
        per_second = counts[name] / best[name]
        rows.append({"engine": name, "images": counts[name],
                     "cycles_per_second": round(cycles[name] / best[name]) or None,
                     "images_per_second": round(per_second, 2),
                     "ratio": round(per_second / (counts["amaranth"] / best["amaranth"]), 2)})
    return {"shape": str(network.shape), "cycles_per_image": mapping.cycles_per_image,
            "rounds": rounds, "skipped": skipped, "engines": rows}


def table(result: dict[str, Any]) -> Table:
    table = Table("engine", "cycles/s", "images/s", "images/s, as a ratio",
                  title=f"{result['shape']}, {result['cycles_per_image']} cycles an image")
    for row in result["engines"]:
        cycles = row["cycles_per_second"]
        table.add_row(row["engine"], f"{cycles:,}" if cycles else "",
                      f"{row['images_per_second']:,.1f}", f"{row['ratio']:,.1f}")
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.engines", description=__doc__)
    parser.add_argument("--network", type=pathlib.Path, default=None)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    if options.rounds < 1:
        parser.error("--rounds must be at least 1")
    try:
        network = sample() if options.network is None else Network.load(options.network)
        result = measure(network, options.rounds)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    for name in result["skipped"]:
        print(f"{name} is not here: what needs it is left out (see `ohmbit doctor`)",
              file=sys.stderr)
    if options.json:
        print(json.dumps(result))
    else:
        Console().print(table(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())

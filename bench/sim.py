"""Speed of simulation on one network: Verilator in one process and several, Amaranth, golden model.

``python -m bench.sim [NET.npz] [--board BOARD] [--pe 4,1 --simd 16,3] [--images N] [--jobs N]
[--rounds N] [--json]``

All run in turn in each round, and the best round of each counts: wall-clock time of the whole call,
the start of processes included and the compiler not. Where one process does it all, the least time
that the processor spent on it stands beside, which other work on the machine leaves alone. Layers
are probed, and what comes out is compared with the golden model. Amaranth's simulator gets an image
or a few.
"""

import argparse
import json
import os
import pathlib
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from boards import catalog
from gateware import compiler, cost
from gateware.folding import Folding
from gateware.fit import fit
from gateware.mapping import Mapping, sizes
from model import data
from model.errors import InputError
from model.network import Network
from ohmbit.engines import ENGINES
from sim import shards
from sim.compare import compare
from sim.engine import Result
from sim.verilator_engine import VerilatorEngine

from .engines import sample


__all__ = ["measure", "main"]


# Cycles of a round, unless it is said how many images; about a second of each.
CYCLES = {"verilator": 2_000_000, "verilator-rtl": 500_000, "amaranth": 4_000}
GOLDEN = 20_000   # images


def pixels(network: Network, count: int, folder: pathlib.Path | None) -> tuple[np.ndarray, str]:
    """So many images, and what they are: the dataset's from the first on, or random ones."""
    try:
        images = data.load(network.dataset, folder).x_test if network.dataset else None
    except InputError:
        images = None
    if images is None or images.shape[1] != network.inputs:
        rng = np.random.default_rng(1)
        return rng.integers(0, 2 ** network.encoder.bits, (count, network.inputs),
                            dtype=np.uint16), "random pixels"
    return images[np.arange(count) % len(images)], network.dataset


def measure(network: Network, mapping: Mapping, board: Any, *, rounds: int, jobs: int,
            images: int | None = None, folder: pathlib.Path | None = None) -> dict[str, Any]:
    """Cycles and images a second of everything that is here.

    Parameters
    ----------
    network : :class:`model.network.Network`
    mapping : :class:`gateware.mapping.Mapping`
    board : :class:`boards.board.Board`
    rounds, jobs : :class:`int`
    images : :class:`int`, or None
        For Verilator.
    folder : path, or None
        Where datasets are.
    """
    each = mapping.cycles_per_image
    counts = {name: max(1, cycles // each) for name, cycles in CYCLES.items()}
    # Enough for each process to get its share.
    counts["verilator"] = max(counts["verilator"], 20 * jobs * cost.settled(mapping))
    if images is not None:
        counts |= {"verilator": images, "verilator-rtl": images}
    batch, source = pixels(network, max(*counts.values(), GOLDEN), folder)
    runs: dict[tuple[str, int], tuple[int, Callable[[np.ndarray], Result | None]]] = {}
    skipped = sorted({tool for name in CYCLES for tool in ENGINES[name].missing})
    for name in CYCLES:
        if ENGINES[name].missing:
            continue
        engine = ENGINES[name].make(board)
        engine.load(compiler.compile(network.shape, mapping, probes=True))
        engine.write(compiler.image(network, mapping))
        runs[name, 1] = counts[name], engine.infer
        shared = shards.shares(mapping, counts[name], jobs, least=1)
        if isinstance(engine, VerilatorEngine) and name == "verilator" and shared > 1:
            runs[name, min(jobs, shared)] = counts[name], partial(
                shards.infer, engine, jobs=jobs, least=1)

    def golden(images: np.ndarray) -> None:
        network(images)

    runs["golden model", 1] = GOLDEN, golden
    best: dict[tuple[str, int], float] = {}
    processor: dict[tuple[str, int], float] = {}
    seen: dict[tuple[str, int], Result | None] = {}
    for _ in range(rounds):
        for key, (count, run) in runs.items():
            start, before = time.perf_counter(), time.process_time()
            seen[key] = run(batch[:count])
            seconds, mine = time.perf_counter() - start, time.process_time() - before
            best[key] = min(best.get(key, seconds), seconds)
            processor[key] = min(processor.get(key, mine), mine)
    rows = []
    for key, (count, _) in runs.items():
        result, rate = seen[key], count / best[key]
        rows.append({
            "engine": key[0], "processes": key[1], "images": count, "seconds": round(best[key], 6),
            "processor_seconds": round(processor[key], 6) if key[1] == 1 else None,
            "cycles": None if result is None else result.cycles,
            "cycles_per_second": None if result is None else round(result.cycles / best[key]),
            "images_per_second": round(rate, 2),
            "ratio": round(rate / (counts["amaranth"] / best["amaranth", 1]), 2),
            "mismatches": None if result is None else compare(network, batch[:count], result).total,
        })
    return {"shape": str(network.shape), "source": source,
            "mapping": [[layer.pe, layer.simd] for layer in mapping.layers],
            "cycles_per_image": each, "rounds": rounds, "processors": os.cpu_count(),
            "skipped": skipped, "engines": rows}


def table(result: dict[str, Any]) -> Table:
    parallel = ", ".join(f"{pe} x {simd}" for pe, simd in result["mapping"])
    table = Table("engine", "processes", "images", "seconds", "of processor", "cycles/s",
                  "images/s", "images/s, as a ratio", "mismatches",
                  title=f"{result['shape']}, PE x SIMD {parallel}, {result['cycles_per_image']:,} "
                        f"cycles an image, {result['source']}, {result['processors']} processors")
    for row in result["engines"]:
        numbers = ["" if row[name] is None else f"{row[name]:,.3f}" if "seconds" in name
                   else f"{row[name]:,}" for name in (
            "processes", "images", "seconds", "processor_seconds", "cycles_per_second",
            "images_per_second", "ratio", "mismatches")]
        table.add_row(row["engine"], *numbers)
    return table


def per_layer(text: str) -> tuple[int, ...]:
    """A number for each layer from ``4,1``."""
    return tuple(map(int, text.split(",")))


def choose(network: Network, board: Any, pe: Sequence[int] | None,
           simd: Sequence[int] | None) -> Mapping:
    """The mapping asked for, or the fastest that fits."""
    if pe is None and simd is None:
        return fit(network.shape, board.resources)
    layers = list(sizes(network.shape))
    if pe is None or simd is None or not len(pe) == len(simd) == len(layers):
        raise InputError(f"--pe and --simd go together, with {len(layers)} numbers each, one for "
                         "each layer")
    try:
        return Mapping(tuple(Folding(*layer, *fold) for layer, fold in zip(
            layers, zip(pe, simd, strict=True), strict=True)))
    except ValueError as error:
        raise InputError(f"mapping: {error}") from None


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.sim", description=__doc__)
    parser.add_argument("network", metavar="NET.npz", type=pathlib.Path, nargs="?", default=None)
    parser.add_argument("--board", default="icebreaker")
    parser.add_argument("--pe", type=per_layer, default=None, help="of each layer, as in 4,1")
    parser.add_argument("--simd", type=per_layer, default=None, help="of each layer, as in 16,3")
    parser.add_argument("--images", type=int, default=None, help="for Verilator")
    parser.add_argument("--jobs", type=int, default=2, help="processes that share images")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--data", type=pathlib.Path, default=None, help="folder with datasets")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    for name in ("images", "jobs", "rounds"):
        if getattr(options, name) is not None and getattr(options, name) < 1:
            parser.error(f"--{name} must be at least 1")
    try:
        network = sample() if options.network is None else Network.load(options.network)
        board = catalog.find(options.board)
        mapping = choose(network, board, options.pe, options.simd)
        result = measure(network, mapping, board, rounds=options.rounds, jobs=options.jobs,
                         images=options.images, folder=options.data)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    for name in result["skipped"]:
        print(f"{name} is not here: what needs it is left out (see `ohmbit doctor`)",
              file=sys.stderr)
    if options.json:
        print(json.dumps(result))
    else:
        Console(width=None if sys.stdout.isatty() else 160).print(table(result))
    return 1 if any(row["mismatches"] for row in result["engines"]) else 0


if __name__ == "__main__":
    sys.exit(main())

"""How near the estimated areas of accelerators and trainers come to those of synthesis.

``python -m bench.area [DESIGN ...] [--place] [--folder DIR] [--json]``

Each design is an accelerator, or a trainer, with its host link, without a board's pins and clock.
Yosys makes a netlist of it with the options of the boards' builds, and nextpnr packs that: logic
cells of iCE40, each of which holds a look-up table, a carry and a flip-flop, whichever of them is
used, and look-up tables of ECP5, of which a carry cell takes two. Estimates are those of
:func:`gateware.area.estimate` and :func:`gateware.learning_area.estimate`. With ``--place`` nextpnr
places and routes as well, and its counts are those after that. The command ends with 1 where an
estimate is more than a tenth off.
"""

import argparse
import hashlib
import json
import pathlib
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import platformdirs
from rich import box
from rich.console import Console
from rich.table import Table

from boards.ecp5 import ECP5
from boards.ice40 import ICE40
from gateware import area, learning_area
from gateware.accelerator import Accelerator
from gateware.fit import LEVELS, SERIAL_LEVELS
from gateware.folding import Folding
from gateware.learning_folding import LearningFolding
from gateware.learning_plan import LearningPlan
from gateware.mapping import Mapping, few, sampling, sizes, tiling, uniform
from gateware.plan import Plan
from gateware.system import System
from gateware.trainer import Trainer
from model.compend import Serial
from model.encoder import BitSerial, Encoder, Threshold
from model.errors import CheckFailed, InputError
from model.network import Shape
from model.sign_update import SignUpdate
from model.stochastic import Stochastic
from sim import tools
from sim.cache import keep
from sim.synthesis import FAMILIES
from sim.verilog import to_rtlil


__all__ = ["DESIGNS", "Design", "Learning", "measure", "packed", "main"]


MOST = 0.10   # that an estimate may be off


@dataclass(frozen=True)
class Design:
    """A network's shape, how it is mapped, and for which family of FPGAs."""

    name: str
    family: str
    shape: Shape
    mapping: Mapping

    @property
    def estimate(self) -> Any:
        return area.estimate(self.mapping, RESOURCES[self.family],
                             gain_bits=self.shape.gain_bits, score_bits=self.shape.score_bits)

    @property
    def component(self) -> Any:
        return Accelerator(Plan(self.shape, self.mapping))


@dataclass(frozen=True)
class Learning:
    """A rule, how it is laid out, and for which family of FPGAs."""

    name: str
    family: str
    folding: LearningFolding

    @property
    def estimate(self) -> Any:
        return learning_area.estimate(self.folding, RESOURCES[self.family])

    @property
    def component(self) -> Any:
        return Trainer(LearningPlan(self.folding))


@dataclass(frozen=True)
class Part:
    """nextpnr's options, and its cells that are counted."""

    options: tuple[str, ...]
    luts: str
    memories: str


PARTS = {
    "ice40": Part(("--up5k", "--package", "sg48", "--pcf-allow-unconstrained", "--freq", "12"),
                  "ICESTORM_LC", "ICESTORM_RAM"),
    "ecp5": Part(("--85k", "--package", "CABGA381", "--speed", "6", "--lpf-allow-unconstrained",
                  "--freq", "12"), "TRELLIS_COMB", "DP16KD"),
}
RESOURCES = {"ice40": ICE40.resources("iCE40UP5K"), "ecp5": ECP5.resources("LFE5U-85F")}


def design(name: str, family: str, encoder: Encoder, chain: tuple[int, ...],
           *parallel: tuple[int, int], gain_bits: int = 0, score_bits: int = 16,
           tiles: tuple[tuple[int | None, str | int], ...] = (), storage: str = "block",
           levels: int = 0, batch: int = 1, bits: tuple[tuple[int, int], ...] = ()) -> Design:
    """A design of PE and SIMD for each layer; :py:`storage` is that of the first, and
    :py:`bits` are :py:`few` of the shape.
    """
    shape = Shape(encoder, chain, gain_bits, score_bits, tiles, few=bits)
    layers = [Folding(*size, *fold, storage="block" if n else storage, levels=levels, batch=batch,
                      **sampling(shape, n), **tiling(shape, n), **few(shape, n))
              for n, (size, fold) in enumerate(zip(sizes(shape), parallel, strict=True))]
    return Design(name, family, shape, Mapping(tuple(layers)))


def serial(name: str, family: str, chain: tuple[int, ...], pe: tuple[int, ...],
           simd: tuple[int, ...], layers: tuple[Serial | None, ...], *,
           storage: str = "block") -> Design:
    """A design with weights of several bits, and 8-bit pixels; :py:`storage` is that of its first
    layer.
    """
    shape = Shape(BitSerial(8), chain, 0, 16 if layers[-1] is None else 32, serial=layers)
    return Design(name, family, shape, uniform(
        shape, pe=pe, simd=simd, storage=(storage, *["block"] * (len(pe) - 1)),
        levels=LEVELS.get(family, 0), serial_levels=SERIAL_LEVELS[family]))


def trainer(name: str, family: str, inputs: int, hidden: int, pe: int, rows: int, pixels: int,
            storage: str = "block", **rule: Any) -> Learning:
    """A design of ten classes that learns."""
    spec = SignUpdate(inputs, hidden, 10, **rule)
    return Learning(name, family, LearningFolding(spec, pe, rows, pixels, storage))


SIGNS  = Serial(8, 8, 1, 28, "sign", "exact")
RELU   = Serial(8, 8, 8, 28, "relu", "speculative")
LINEAR = Serial(8, 8, 26, 26, "linear", "none")
PLANES, LEVEL = BitSerial(5), Threshold(128)
DIGITS, MNIST, DEEP = (64, 128, 10), (784, 300, 10), (784, 256, 256, 256, 10)
DESIGNS: dict[str, Design | Learning] = {each.name: each for each in (
    design("tiny", "ice40", Threshold(8), (8, 4, 3), (1, 1), (1, 1)),
    design("digits-small", "ice40", PLANES, DIGITS, (4, 4), (1, 2)),
    design("digits", "ice40", PLANES, DIGITS, (12, 16), (1, 6)),
    design("digits-gain", "ice40", PLANES, DIGITS, (4, 8), (1, 4), gain_bits=16, score_bits=32),
    design("digits-levels", "ice40", PLANES, DIGITS, (16, 16), (2, 8), levels=2),
    design("mnist-spram", "ice40", LEVEL, MNIST, (2, 32), (1, 3), storage="spram"),
    design("mnist-spram-batch", "ice40", LEVEL, MNIST, (2, 32), (1, 3), storage="spram", batch=8),
    design("sensed", "ice40", LEVEL, (128, 64, 10), (4, 16), (1, 8), tiles=((64, 3), (64, 3))),
    design("digits-ecp5", "ecp5", PLANES, DIGITS, (12, 16), (1, 6)),
    design("digits-batch", "ecp5", PLANES, DIGITS, (8, 8), (1, 8), batch=2),
    design("mnist", "ecp5", LEVEL, MNIST, (8, 64), (1, 16)),
    design("mnist-wide", "ecp5", LEVEL, MNIST, (8, 252), (1, 64), storage="wide", levels=2),
    design("deep", "ecp5", LEVEL, DEEP, (8, 32), (4, 32), (4, 32), (1, 8)),
    design("drawn", "ice40", Stochastic(8), MNIST, (2, 32), (1, 3), storage="spram"),
    design("drawn-lfsr", "ice40", Stochastic(4, generator="lfsr"), (49, 64, 10), (4, 8), (1, 8)),
    design("drawn-bank", "ecp5", Stochastic(8, generator="lfsr-bank"), MNIST, (8, 64), (1, 16)),
    design("drawn-apart", "ice40", Stochastic(8, generator="vdc-xor", combine="scores"),
           (196, 64, 10), (4, 28), (1, 8)),
    design("drawn-apart-batch", "ecp5", Stochastic(8, generator="lfsr", combine="scores"),
           (196, 64, 10), (4, 28), (1, 8), batch=2),
    design("drawn-xor", "ecp5", Stochastic(8, generator="vdc-xor"), MNIST, (8, 64), (1, 16)),
    design("signs", "ecp5", PLANES, DIGITS, (8, 16), (1, 8), tiles=((32, "sign"), (None, "exact"))),
    design("few", "ice40", PLANES, (64, 64, 10), (4, 8), (1, 4), bits=((2, 2), (2, 1))),
    design("few-activations", "ice40", LEVEL, (196, 64, 32, 10), (4, 28), (2, 8), (1, 4),
           bits=((1, 3), (1, 2), (1, 1))),
    design("few-weights", "ice40", LEVEL, (64, 32, 32, 10), (4, 16), (4, 8), (1, 8),
           bits=((4, 1), (4, 4), (4, 1))),
    design("few-ecp5", "ecp5", LEVEL, (784, 64, 64, 10), (8, 49), (4, 16), (1, 8),
           bits=((2, 2), (2, 2), (2, 1)), levels=2),
    serial("several-bits", "ice40", (784, 128, 10), (4, 1), (14, 2), (SIGNS, None),
           storage="spram"),
    serial("several-bits-small", "ice40", (64, 32, 10), (2, 1), (8, 4), (RELU, LINEAR)),
    serial("several-bits-ecp5", "ecp5", (784, 256, 10), (8, 1), (8, 8), (SIGNS, None)),
    serial("several-bits-relu", "ecp5", (784, 256, 128, 10), (4, 2, 1), (16, 8, 8),
           (RELU, RELU, LINEAR)),
    trainer("trainer-digits", "ice40", 64, 128, 8, 1, 1, "spram"),
    trainer("trainer-mnist", "ice40", 784, 128, 8, 1, 1, "spram"),
    trainer("trainer-signs", "ice40", 64, 128, 8, 1, 1, "spram", forward="sign", filter=16),
    trainer("trainer-small", "ice40", 16, 16, 2, 1, 2, bits=5, noise=9),
    trainer("trainer-ecp5", "ecp5", 64, 128, 16, 2, 2),
    trainer("trainer-mnist-ecp5", "ecp5", 784, 300, 60, 4, 2),
)}


def packed(component: Any, family: str, cache: pathlib.Path, *, place: bool = False) \
        -> dict[str, int]:
    """Cells of each kind in a component, as nextpnr counts them, two for constants included.

    Parameters
    ----------
    cache : path
        Folder that keeps netlists.
    place : :class:`bool`
        Whether to place and route it, and not only to pack it.
    """
    text, script, router = to_rtlil(component, "top", family=family), \
        FAMILIES[family].script("top"), f"nextpnr-{family}"
    options = [*PARTS[family].options, *(() if place else ("--pack-only",))]
    versions = [str(tools.version(name)) for name in ("yosys", router)]

    def make(folder: pathlib.Path) -> None:
        (folder / "top.il").write_text(text)
        (folder / "top.ys").write_text(f"{script}\nwrite_json top.json\n")
        tools.run("yosys", "-q", "-l", "yosys.log", "-s", "top.ys", folder=folder,
                  log="yosys.log")
        tools.run(router, "--json", "top.json", "--timing-allow-fail", "--log", "nextpnr.log",
                  *options, folder=folder)

    key = hashlib.sha256("\0".join([text, script, *versions, *options]).encode()).hexdigest()[:24]
    log = (keep(cache / f"{key}-{family}", make) / "nextpnr.log").read_text()
    return {name: int(count)
            for name, count in re.findall(r"^Info:\s+(\w+):\s+(\d+)/", log, re.M)}


def measure(design: Design | Learning, cache: pathlib.Path, *, place: bool = False) \
        -> dict[str, Any]:
    """What a design takes, and what was estimated; parameters are those of :func:`packed`."""
    start, part = time.perf_counter(), PARTS[design.family]
    system = System(design.component, divisor=8, clock_hz=24_000_000)
    cells = packed(system, design.family, cache, place=place)
    need = design.estimate
    luts = cells[part.luts]
    return {"design": design.name, "family": design.family,
            "luts_estimated": need.luts, "luts": luts, "error": round(need.luts / luts - 1, 4),
            "memories_estimated": need.memory_blocks, "memories": cells[part.memories],
            "sprams_estimated": need.spram_blocks, "sprams": cells.get("ICESTORM_SPRAM", 0),
            "seconds": round(time.perf_counter() - start, 1)}


def table(rows: Sequence[dict[str, Any]]) -> Table:
    table = Table("design", "family", "LUTs estimated", "LUTs", "error", "memories estimated",
                  "memories", "SPRAMs estimated", "SPRAMs", "in", box=box.MARKDOWN)
    for row in rows:
        table.add_row(row["design"], row["family"], f"{row['luts_estimated']:,}",
                      f"{row['luts']:,}", f"{row['error']:+.1%}", str(row["memories_estimated"]),
                      str(row["memories"]), str(row["sprams_estimated"]), str(row["sprams"]),
                      f"{row['seconds']:.0f} s")
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.area", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("designs", metavar="DESIGN", nargs="*", help="all, if none is named")
    parser.add_argument("--place", action="store_true", help="place and route them as well")
    parser.add_argument("--folder", type=pathlib.Path, default=None,
                        help="where netlists are kept; the user's cache folder if not given")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    if unknown := set(options.designs) - set(DESIGNS):
        parser.error(f"DESIGN must be of {', '.join(DESIGNS)}, not {min(unknown)}")
    folder = options.folder or platformdirs.user_cache_path("ohmbit") / "area"
    try:
        rows = [measure(DESIGNS[name], folder, place=options.place)
                for name in options.designs or DESIGNS]
    except (InputError, CheckFailed) as error:
        print(error, file=sys.stderr)
        return 2 if isinstance(error, InputError) else 1
    if options.json:
        print(json.dumps(rows))
    else:
        Console(width=None if sys.stdout.isatty() else 160).print(table(rows))
    return 1 if any(abs(row["error"]) > MOST for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())

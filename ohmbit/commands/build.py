"""``ohmbit build``: a bitstream for a board."""

import hashlib
import json
import pathlib
import time
from typing import Annotated, Any

import typer

from boards.board import Board
from boards.build import Build, build as run_tools
from boards.speed import clocked
from boards.driver import images_per_second
from boards.top import Top
from gateware import compiler
from gateware.plan import Plan
from gateware.system import identity
from model.errors import InputError
from model.files import whole
from model.network import Network

from ..console import console
from ..inputs import Baud, BoardName, NetworkPath, Output, blame, choose_board, folder
from ..mappings import (
    NO_WISHES,
    Batch,
    Pe,
    Simd,
    Storage,
    Target,
    TargetFps,
    Wishes,
    choose_mapping,
    describe,
    require_fit,
)


__all__ = ["Clock", "Fresh", "Jobs", "Seeds", "build", "built", "clocked_board", "figures",
           "make", "reached"]


RECORD = "build.json"   # what the command answered, beside the bitstream
DESIGN = "top"


MAX = "max"   # in place of a clock: the fastest that place and route reaches


Clock = Annotated[str | None, typer.Option(
    metavar="MHZ|max", help="Clock in place of the board's own: the PLL's nearest, or the fastest "
                            "that the design meets.")]
Seeds = Annotated[int | None, typer.Option(
    min=1, metavar="N", help="Placements to make, of which the fastest is taken.",
    show_default="up to 3, until one meets its timing")]
Jobs  = Annotated[int | None, typer.Option(
    min=1, metavar="N", help="Placements at once.", show_default="as many as processors")]
Fresh = Annotated[bool, typer.Option(
    "--fresh", help="Run all tools, though they have run on the same before.")]


def build(network: NetworkPath, board: BoardName, output: Output = None, pe: Pe = None,
          simd: Simd = None, storage: Storage = None, batch: Batch = None, target: Target = None,
          fps: TargetFps = None, clock: Clock = None, seeds: Seeds = None, jobs: Jobs = None,
          fresh: Fresh = False, baud: Baud = None) -> None:
    """Build a bitstream with the network in its block RAM."""
    chosen = choose_board(board, baud=baud)
    fields = make(network, chosen, folder(output, network, chosen),
                  Wishes(pe, simd, storage, batch, target, fps), clock=clock, seeds=seeds,
                  jobs=jobs, fresh=fresh)
    console.show(reached(fields))
    console.show(f"{fields['cycles_per_image']:,} cycles an image: "
                 f"{fields['core_inferences_per_second']:,.0f} inferences/s; over the serial port "
                 f"{fields['link_inferences_per_second']:,.0f}; {fields['seconds']:.0f} s")
    console.result(**fields)


def make(path: pathlib.Path, board: Board, target_folder: pathlib.Path,
         wishes: Wishes = NO_WISHES, *,
         clock: str | None = None, seeds: int | None = None, jobs: int | None = None,
         fresh: bool = False) -> dict[str, Any]:
    """Build a bitstream; what the command answers, which also goes to a file beside it."""
    start = time.perf_counter()
    network = Network.load(path)
    board = clocked_board(board, clock)
    with blame("mapping"), console.progress("mapping"):
        mapping = choose_mapping(network, path, board, wishes)
    require_fit(network, path, board, mapping, wishes)
    console.stage(f"network: {path}, {network.shape}, {network.encoder}")
    console.stage(f"mapping: {describe(mapping)}")
    image = compiler.image(network, mapping)
    plan = Plan(network.shape, mapping)
    if not plan.fills:
        console.stage("SPRAM has no contents at power-up: `ohmbit run` writes the weights")

    def top(board: Board) -> Top:
        with blame(f"{path} on {board.name}"):
            return Top(board, compiler.compile(network.shape, mapping, image=image))

    with console.progress(f"building for {board.name}"):
        done = run_tools(board, top, build_dir=target_folder, name=DESIGN, seeds=seeds, jobs=jobs,
                         fastest=clock == MAX, fresh=fresh, progress=console.stage)
    board = done.board
    told = identity(plan, round(board.clock_hz))
    interval = mapping.cycles_per_image
    clock_hz = done.clock_mhz * 1e6
    fields = {
        **figures(done),
        "cycles_per_image": interval,
        "core_inferences_per_second": round(clock_hz / interval, 1),
        "link_inferences_per_second": round(images_per_second(told, plan.cycles, board.baud), 1),
        "seconds": round(time.perf_counter() - start, 1), "network_sha256": digest(path),
    }
    with whole(target_folder / RECORD) as partial:
        partial.write_text(json.dumps(fields, indent=1) + "\n")
    return fields


def figures(done: Build) -> dict[str, Any]:
    """What a build came to, whatever it is of."""
    return {
        "board": done.board.name, "luts": done.luts, "luts_available": done.luts_available,
        "memories": done.memories, "memories_available": done.memories_available,
        "fmax_mhz": done.fmax_mhz, "clock_mhz": done.clock_mhz, "baud": done.board.baud,
        "seed": done.seed, "seeds": done.seeds, "cached": done.cached,
        "bitstream": str(done.bitstream), "log": str(done.log),
        "bitstream_sha256": digest(done.bitstream),
    }


def reached(fields: dict[str, Any]) -> str:
    """The same in a line."""
    return (f"{fields['bitstream']}: {fields['luts']:,} of {fields['luts_available']:,} LUTs, "
            f"{fields['memories']} block RAMs, {fields['fmax_mhz']:g} MHz reached of "
            f"{fields['clock_mhz']:g}")


def clocked_board(board: Board, clock: str | None) -> Board:
    """The board with the clock that was asked for, or the nearest to it."""
    if clock is None or clock == MAX:
        return board
    try:
        mhz = float(clock)
    except ValueError as error:
        raise InputError(f"--clock takes MHz, or max, not {clock!r}") from error
    board = clocked(board, mhz)
    made = float(board.clock_hz) / 1e6
    console.stage(f"clock: {made:g} MHz" + ("" if f"{made:g}" == f"{mhz:g}" else
                                            f", the PLL's nearest to {mhz:g}"))
    return board


def built(path: pathlib.Path, board: Board, target_folder: pathlib.Path) -> pathlib.Path | None:
    """The bitstream of exactly this network file, if there is one."""
    try:
        fields = json.loads((target_folder / RECORD).read_text())
        bitstream = target_folder / pathlib.Path(fields["bitstream"]).name
        current = fields["board"] == board.name and fields["network_sha256"] == digest(path) \
            and fields["bitstream_sha256"] == digest(bitstream)
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return bitstream if current else None


def digest(path: pathlib.Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()

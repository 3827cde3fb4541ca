"""``ohmbit trainer``: a bitstream that learns."""

import json
import pathlib
import time
from typing import Annotated, Any

import typer

from boards.board import Board
from boards.build import build as run_tools
from boards.driver import images_per_second
from boards.top import Top
from gateware.learning_plan import LearningPlan
from gateware.system import identity
from gateware.trainer import Trainer
from model import data
from model.files import whole

from ..console import console
from ..inputs import Baud, BoardName, DataDir, TrainingSet, blame, choose_board
from ..mappings import Target
from ..rules import Bits, Filter, Forward, Hidden, Margin, Noise, Wanted, active_rows
from ..trainers import choose_folding, describe
from .build import (
    DESIGN,
    MAX,
    RECORD,
    Clock,
    Fresh,
    Jobs,
    Seeds,
    clocked_board,
    figures,
    reached,
)


__all__ = ["trainer"]


def trainer(
    dataset: TrainingSet,
    board: BoardName,
    output: Annotated[pathlib.Path | None, typer.Option(
        "--output", "-o", metavar="DIR", help="Where results go.",
        show_default="build/DATASET-trainer-BOARD")] = None,
    hidden: Hidden = 128,
    target: Target = None,
    bits: Bits = 8,
    forward: Forward = "integer",
    noise: Noise = 0,
    margin: Margin = None,
    filter_: Filter = None,
    clock: Clock = None,
    seeds: Seeds = None,
    jobs: Jobs = None,
    fresh: Fresh = False,
    baud: Baud = None,
    data_dir: DataDir = None,
) -> None:
    """Build a bitstream that learns a dataset, for `ohmbit learn --engine board`.

    What decides how it learns is built in, and so are options of these names for both commands.
    """
    start = time.perf_counter()
    with blame(f"dataset {dataset}"):
        images = data.load(dataset, data_dir)
    images.check_training()
    chosen = clocked_board(choose_board(board, baud=baud), clock)
    spec = Wanted(hidden, bits, forward, noise, margin, filter_).rule(images)
    plan = LearningPlan(choose_folding(spec, chosen, images, target))
    console.stage(f"{spec.inputs}-{spec.hidden}-{spec.classes}: {describe(plan.folding, images)}")
    folder = output or pathlib.Path("build") / \
        f"{pathlib.Path(images.name).stem}-trainer-{chosen.name}"

    def top(board: Board) -> Top:
        with blame(f"options, on {board.name}"):
            return Top(board, Trainer(plan))

    with console.progress(f"building for {chosen.name}"):
        done = run_tools(chosen, top, build_dir=folder, name=DESIGN, seeds=seeds, jobs=jobs,
                         fastest=clock == MAX, fresh=fresh, progress=console.stage)
    updated = plan.folding.updated(round(active_rows(images, spec)))
    told = identity(plan, round(done.board.clock_hz))
    fields: dict[str, Any] = {
        **figures(done), "dataset": images.name,
        "sizes": [spec.inputs, spec.hidden, spec.classes], "cycles_per_update": updated,
        "updates_per_second": round(done.clock_mhz * 1e6 / updated, 1),
        "link_images_per_second": round(
            images_per_second(told, plan.cycles, done.board.baud), 1),
        "seconds": round(time.perf_counter() - start, 1),
    }
    with whole(folder / RECORD) as partial:
        partial.write_text(json.dumps(fields, indent=1) + "\n")
    console.show(reached(fields))
    console.show(f"{updated:,} cycles for an image that is learned: "
                 f"{fields['updates_per_second']:,.0f} images/s; over the serial port at most "
                 f"{fields['link_images_per_second']:,.0f}; {fields['seconds']:.0f} s")
    console.result(**fields)

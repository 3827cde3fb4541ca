"""Hardware that learns beside the golden model, and is compared with it all the way."""

import contextlib
from collections.abc import Iterator
from typing import Annotated, Any

import numpy as np
import typer

from boards.board import Board
from boards.driver import Driver
from boards.serial_port import find_port
from gateware import learning_area
from gateware.learning_fit import fit
from gateware.learning_folding import LearningFolding
from gateware.learning_plan import LearningPlan
from gateware.trainer import Trainer
from model.dataset import Dataset
from model.errors import CheckFailed, InputError
from model.sign_update import Learner, SignUpdate, Step
from sim import tools
from sim.engine import Engine, Image

from .console import console
from .engines import ENGINES
from .inputs import blame
from .rules import active_rows


__all__ = ["AUTO", "BOARD", "MODEL", "Beside", "EngineName", "Port", "beside", "choose_folding",
           "describe"]


MODEL, BOARD, AUTO = "model", "board", "auto"
NAMES = (MODEL, *(name for name in ENGINES if name != "bitstream"), BOARD)

EngineName = Annotated[str, typer.Option(
    metavar="|".join(NAMES), help="What learns: the golden model, and beside it, compared in every "
                                  "bit, hardware in a simulator or on a board.")]
Port = Annotated[str, typer.Option(
    metavar="PATH", help="Serial port of a board that learns; auto finds it by its USB bridge.")]


class Beside:
    """An engine that learns what a golden model learns.

    Parameters
    ----------
    engine : :class:`sim.engine.Engine`
        It has loaded a :class:`gateware.trainer.Trainer`.
    plan : :class:`gateware.learning_plan.LearningPlan`
    board : :class:`boards.board.Board`
        That it is on, or is laid out for.
    learner : :class:`model.sign_update.Learner`
        Where both begin.
    clock_hz : :class:`int`, or None
        Clock of the hardware; the board's own if None.
    """

    def __init__(self, engine: Engine, plan: LearningPlan, board: Board, learner: Learner,
                 clock_hz: int | None = None) -> None:
        self.images = self.cycles = 0
        self._engine = engine
        self._plan = plan
        self._board = board
        self._clock_hz = float(board.clock_hz) if clock_hz is None else clock_hz
        engine.write(plan.folding.image(learner))

    def learn(self, images: np.ndarray, labels: np.ndarray, steps: list[Step],
              learner: Learner) -> None:
        """Learn some images too, which the model has learned already.

        :exc:`model.errors.CheckFailed` where scores or cycles differ, or from then on anything that
        a host can read.
        """
        result = self._engine.infer(np.column_stack([images, labels]))
        expected = np.array([step.scores for step in steps])
        wrong = (result.scores != expected).any(axis=1)
        if wrong.any():
            n = int(wrong.argmax())
            raise CheckFailed(f"image {self.images + n + 1:,} has the scores "
                              f"{result.scores[n].tolist()}, not {expected[n].tolist()}")
        taken = (tuple(self._plan.folding.cycles(step) for step in steps),)
        predict = getattr(self._engine, "predict", None) or \
            (lambda count, taken: self._plan.cycles(count, taken=taken))
        predicted = predict(len(images), taken)
        if result.cycles != predicted:
            raise CheckFailed(f"{len(images):,} images took {result.cycles:,} cycles, "
                              f"not {predicted:,}")
        self.images += len(images)
        self.cycles += result.cycles
        _same(self._engine.read(), self._plan.folding.image(learner), self.images)

    @property
    def rate(self) -> float:
        """Images learned in a second at its clock, without its serial port."""
        return self.images * self._clock_hz / self.cycles if self.cycles else 0.0

    @property
    def fields(self) -> dict[str, Any]:
        return {"engine": self._engine.name, "compared": self.images, "cycles": self.cycles,
                "images_per_second": round(self.rate, 1)}

    def __str__(self) -> str:
        return (f"{self._engine.name}: {self.images:,} images as the golden model learns them, in "
                f"every counter, LFSR and register; {self.cycles:,} cycles, as predicted: "
                f"{self.rate:,.0f} images/s at {self._board.name}'s "
                f"{self._clock_hz / 1e6:g} MHz")


def _same(found: Image, expected: Image, images: int) -> None:
    for name, rows in expected.items():
        for n, (row, right) in enumerate(zip(found[name], rows, strict=True)):
            if row != right:
                raise CheckFailed(f"after {images:,} images row {n} of {name} is {row:#x}, "
                                  f"not {right:#x}")


@contextlib.contextmanager
def beside(name: str, board: Board, port: str, spec: SignUpdate, images: Dataset,
           target: int | None, learner: Learner) -> Iterator[Beside | None]:
    """An engine that has loaded hardware for a rule; None where the model learns alone."""
    if name not in NAMES:
        raise InputError(f"--engine takes {', '.join(NAMES)}, not {name!r}")
    if port != AUTO and name != BOARD:
        raise InputError(f"--port is for boards: choose --engine {BOARD}, or leave it out")
    if name == MODEL:
        yield None
        return
    plan = LearningPlan(choose_folding(spec, board, images, target))
    console.stage(f"{name}: {describe(plan.folding, images)}")
    with contextlib.ExitStack() as stack:
        engine: Any
        clock_hz = None
        if name == BOARD:
            engine = stack.enter_context(
                Driver.open(find_port(board) if port == AUTO else port, board.baud))
            engine.load(plan)
            clock_hz = engine.identify().clock_hz   # it may have been built for another
        else:
            for tool in ENGINES[name].missing:
                tools.require(tool)
            engine = ENGINES[name].make(board)
            stack.callback(getattr(engine, "close", lambda: None))
            with console.progress(f"{name}: making it ready"):
                engine.load(Trainer(plan))
        yield Beside(engine, plan, board, learner, clock_hz)


def choose_folding(spec: SignUpdate, board: Board, images: Dataset,
                   target: int | None) -> LearningFolding:
    """The layout that a board has room for."""
    active = round(active_rows(images, spec))
    with blame("options"):
        folding = fit(spec, board.resources, target=target, active=active)
    need = learning_area.estimate(folding, board.resources)
    if excess := need.excess(board.resources):
        kinds = {"luts": "LUTs", "memory": "block RAMs", "spram": "SPRAMs"}
        short = " and ".join(f"about {by:,} {kinds[kind]} too many" for kind, by in excess.items())
        raise InputError(f"hardware that learns {spec.inputs}-{spec.hidden}-{spec.classes} is too "
                         f"large for {board.name}: it takes {short}; choose fewer hidden neurons, "
                         "fewer bits, or a larger board")
    each = max(folding.loads, folding.updated(active))
    if target is not None and each > target:
        raise InputError(f"hardware that learns {spec.inputs}-{spec.hidden}-{spec.classes} takes "
                         f"{each:,} cycles an image at least on {board.name}, not {target:,}: ask "
                         "for that, or for a larger board")
    return folding


def describe(folding: LearningFolding, images: Dataset) -> str:
    """A layout in a few words."""
    each = folding.updated(round(active_rows(images, folding.spec)))
    return (f"PE {folding.pe}, rows of the second crossbar {folding.rows}, pixels at once "
            f"{folding.pixels}, counters in {folding.storage}: about {each:,} cycles for an image "
            "that is learned")

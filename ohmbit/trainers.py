"""Hardware that learns beside the golden model, and is compared with it all the way."""

from typing import Any

import numpy as np

from gateware.learning_plan import LearningPlan
from model.errors import CheckFailed
from model.sign_update import Learner, Step
from sim.engine import Engine, Image


__all__ = ["Beside"]


class Beside:
    """An engine that learns what a golden model learns.

    Parameters
    ----------
    engine : :class:`sim.engine.Engine`
        It has loaded a :class:`gateware.trainer.Trainer`.
    plan : :class:`gateware.learning_plan.LearningPlan`
    learner : :class:`model.sign_update.Learner`
        Where both begin.

    Members
    -------
    images, cycles : :class:`int`
        What the engine has learned so far, and how long that took it.
    """

    def __init__(self, engine: Engine, plan: LearningPlan, learner: Learner) -> None:
        self.images = self.cycles = 0
        self._engine = engine
        self._plan = plan
        engine.write(plan.folding.image(learner))

    def learn(self, images: np.ndarray, labels: np.ndarray, steps: list[Step],
              learner: Learner) -> None:
        """Learn some images too; the model has learned them already.

        :exc:`model.errors.CheckFailed` where scores, cycles, or anything that a host can read
        differ from then on.
        """
        result = self._engine.infer(np.column_stack([images, labels]))
        expected = np.array([step.scores for step in steps])
        wrong = (result.scores != expected).any(axis=1)
        if wrong.any():
            n = int(wrong.argmax())
            raise CheckFailed(f"image {self.images + n + 1:,} has the scores "
                              f"{result.scores[n].tolist()}, not {expected[n].tolist()}")
        taken = (tuple(self._plan.folding.cycles(step) for step in steps),)
        predict = getattr(self._engine, "predict", self._plan_cycles)
        if result.cycles != predict(len(images), taken):
            raise CheckFailed(f"{len(images):,} images took {result.cycles:,} cycles, not "
                              f"{predict(len(images), taken):,}")
        self.images += len(images)
        self.cycles += result.cycles
        _same(self._engine.read(), self._plan.folding.image(learner), self.images)

    def _plan_cycles(self, images: int, taken: Any) -> int:
        return int(self._plan.cycles(images, taken=taken))


def _same(found: Image, expected: Image, images: int) -> None:
    for name, rows in expected.items():
        for n, (row, right) in enumerate(zip(found[name], rows, strict=True)):
            if row != right:
                raise CheckFailed(f"after {images:,} images row {n} of {name} is {row:#x}, "
                                  f"not {right:#x}")

"""Ways to learn by signs: with real weights, as their source has it, and with counters."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from model.checks import check_range
from model.convergence import ALWAYS, Convergence
from model.dataset import Dataset
from model.errors import InputError
from model.learned import scaled, unit_of
from model.sigmoid_update import SigmoidLearner, SigmoidUpdate
from model.sign_update import Learner, SignUpdate


__all__ = ["WAYS", "Counters", "Sigmoids", "reduced", "rule"]


WAYS    = ("steep", "flat", "errors", "ours")
FALLING = 0.98      # of the errors of a pass
MOST    = 600_000   # images, where errors go on falling


def reduced(dataset: Dataset, images: int, tests: int, validate: bool = False) -> Dataset:
    """So many of the first training images, and so many of the first test images.

    To validate, the training images that follow stand in for test images.
    """
    check_range("Images", images, 10)
    check_range("Tests", tests, 1)
    x, y, begin = (dataset.x_train, dataset.y_train, images) if validate \
        else (dataset.x_test, dataset.y_test, 0)
    if images > len(dataset.x_train) or begin + tests > len(x):
        raise InputError(f"{dataset.name} has {len(dataset.x_train):,} training and "
                         f"{len(dataset.x_test):,} test images: choose fewer --images or --tests")
    part = slice(begin, begin + tests)
    return replace(dataset, x_train=dataset.x_train[:images], y_train=dataset.y_train[:images],
                   x_test=x[part], y_test=y[part])


def orders(count: int, seed: int, most: int) -> Iterator[np.ndarray]:
    """Places of so many images, each epoch in an order of its own; :py:`most` in all."""
    for epoch, begin in enumerate(range(0, most, count)):
        yield np.random.default_rng([seed, epoch]).permutation(count)[:most - begin]


class Sigmoids:
    """A :class:`model.sigmoid_update.SigmoidUpdate` for a reduced dataset.

    Parameters
    ----------
    way : :class:`str`
        One of :data:`WAYS` but the last.
    parameters
        Those of the rule that are not given by the way.
    """

    def __init__(self, way: str, dataset: Dataset, **parameters: Any) -> None:
        count = len(dataset.x_train)
        control = {"window": count // 10, "falling": FALLING} if way == "errors" \
            else {"window": max(count // 4, 1), "falling": 0}
        self.spec = SigmoidUpdate(dataset.inputs, classes=dataset.classes,
                                  filter="flat" if way == "flat" else "steep",
                                  **control, **parameters)
        self.dataset = dataset

    def __call__(self) -> tuple[int, np.ndarray]:
        """Images that were learned, and the classes of test images then."""
        dataset, learner = self.dataset, SigmoidLearner(self.spec)
        top = np.float32(2 ** dataset.bits - 1)
        pixels = dataset.x_train / top
        for order in orders(len(pixels), self.spec.seed, MOST):
            for _ in learner.learn(pixels[order], dataset.y_train[order]):
                pass
            if learner.done:
                break
        return learner.samples, learner.outputs(dataset.x_test / top).argmax(axis=1)


class Counters:
    """A :class:`model.sign_update.SignUpdate` for a reduced dataset.

    Parameters
    ----------
    epochs : :class:`int`
        At the ends of parts of which the rate becomes less.
    samples : :class:`int`
        Bits that are drawn of a test pixel.
    noise : :class:`float`
        Share of the pulses that do not reach the copy; it is rounded to 256ths.
    """

    def __init__(self, dataset: Dataset, *, hidden: int, decay: float, noise: float, seed: int,
                 epochs: int, samples: int) -> None:
        check_range("Epochs", epochs, 1)
        check_range("Samples", samples, 1, ALWAYS)
        self.spec = SignUpdate(dataset.inputs, hidden, dataset.classes, seed=seed,
                               noise=round(ALWAYS * noise))
        self.count, self.samples = epochs * len(dataset.x_train), samples
        self.convergence = Convergence.scheduled(decay, self.count)
        self.dataset = dataset

    def __call__(self) -> tuple[int, np.ndarray]:
        """Images that were learned, and the classes of test images then."""
        dataset, learner = self.dataset, Learner(self.spec, self.convergence)
        unit = unit_of(dataset.x_train)
        pixels = scaled(dataset.x_train, unit)
        for order in orders(len(pixels), self.spec.seed, self.count):
            for _ in learner.learn(pixels[order], dataset.y_train[order]):
                pass
        scores = learner.scores(scaled(dataset.x_test, unit), self.samples)
        return learner.control.samples, scores.argmax(axis=1)


def rule(way: str, dataset: Dataset, *, epochs: int, samples: int, hidden: int, decay: float,
         noise: float, seed: int, **parameters: Any) -> Sigmoids | Counters:
    """What learns a reduced dataset; further parameters are for real weights alone."""
    if way not in WAYS:
        raise InputError(f"--ways takes {', '.join(WAYS)}, not {way!r}")
    common = {"hidden": hidden, "decay": decay, "noise": noise, "seed": seed}
    if way == "ours":
        return Counters(dataset, epochs=epochs, samples=samples, **common)
    return Sigmoids(way, dataset, **common | parameters)

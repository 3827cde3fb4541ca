"""``ohmbit learn``: training by the rule that the hardware has."""

import math
import pathlib
import time
from typing import Annotated, Any

import numpy as np
import typer

from model import checkpoint, data
from model.compiled_learner import can_compile, fastest
from model.convergence import ALWAYS, Convergence, rates
from model.dataset import Dataset
from model.learned import learned, scaled, unit_of
from model.sign_update import Learner

from ..console import console
from ..inputs import Baud, BoardName, DataDir, TrainingSet, blame, check_output, choose_board
from ..mappings import Target
from ..rules import Bits, Filter, Forward, Hidden, Margin, Noise, Seed, Wanted
from ..trainers import AUTO, MODEL, Beside, EngineName, Port, beside


__all__ = ["learn"]


LEVELS = 4

# Chosen on training images that were held out, as docs/learning.md says.
DECAY, LONG_DECAY, LONG = 2, 4, 300_000   # the second one from so many images on

TOLD = 10   # epochs, or with -v all of them


def learn(
    dataset: TrainingSet,
    output: Annotated[pathlib.Path | None, typer.Option(
        "--output", "-o", metavar="FILE", help="Network file to write.",
        show_default="DATASET-learned.npz")] = None,
    hidden: Hidden = 128,
    epochs: Annotated[int, typer.Option(min=1, help="Times to go through the training set.")] = 3,
    seed: Seed = 1,
    engine: EngineName = MODEL,
    board: BoardName = "icebreaker",
    port: Port = AUTO,
    baud: Baud = None,
    target: Target = None,
    bits: Bits = 8,
    forward: Forward = "integer",
    noise: Noise = 0,
    margin: Margin = None,
    filter_: Filter = None,
    decay: Annotated[float | None, typer.Option(
        help="Factor by which the convergence rate becomes less, three times in all.",
        show_default="2, and 4 from 300,000 images on, epochs times those of the set")] = None,
    window: Annotated[int | None, typer.Option(
        metavar="N", help="Lower it when N images bring no fewer errors than the N before.",
        show_default="after 34, 67 and 90 % of the images")] = None,
    samples: Annotated[int, typer.Option(
        min=1, max=256, metavar="T", help="Bits drawn of each pixel to tell the accuracy.")] = 8,
    validation: Annotated[float, typer.Option(
        metavar="SHARE", help="Share of the training images, the last ones, that is judged in "
                              "place of the test images and not learned.")] = 0,
    every: Annotated[int, typer.Option(
        min=1, metavar="N", help="Images between checkpoints.")] = 10_000,
    data_dir: DataDir = None,
) -> None:
    """Train a network as the hardware does, by signs of errors, and write it to a file.

    Interrupted, it goes on from its last checkpoint, beside the network, when told to do the same.
    """
    with blame(f"dataset {dataset}"):
        images = data.load(dataset, data_dir)
    images.check_training()
    if validation:
        with blame("--validation"):
            images = images.held_out(validation)
    output = output or pathlib.Path(f"{pathlib.Path(images.name).stem}-learned.npz")
    check_output(output)
    unit = unit_of(images.x_train)
    x_train, x_test = (scaled(x, unit) for x in (images.x_train, images.x_test))
    count = epochs * len(x_train)
    wanted = Wanted(hidden, bits, forward, noise, margin, filter_, seed)
    spec = wanted.rule(images)
    if decay is None:
        decay = DECAY if count < LONG else LONG_DECAY
    with blame("options"):
        convergence = Convergence.scheduled(decay, count) if window is None else \
            Convergence(rates(decay, LEVELS), window=window)
    console.stage(f"learning {images.inputs}-{hidden}-{images.classes} on {len(x_train):,} images "
                  f"of {images.name}: {bits} bits, {forward}, margin {spec.margin}, filter "
                  f"{spec.filter}, rates {', '.join(map(str, convergence.rates))} of {ALWAYS}; "
                  f"{'compiled by Numba' if can_compile() else 'in NumPy'}")

    learner = fastest(spec, convergence)
    kept = output.with_suffix(".learning.npz")
    about = {"dataset": images.name, "images": len(x_train), "unit": unit}
    if kept.exists():
        checkpoint.restore(kept, learner, about)
        console.stage(f"{kept}: going on after {learner.control.samples:,} of {count:,} images")
    start = time.perf_counter()
    chosen = choose_board(board, baud=baud)
    with beside(engine, chosen, port, spec, images, target, learner) as hardware:
        updates = _learn(learner, x_train, images, count, every, kept, about, hardware)
    seconds = time.perf_counter() - start

    network = learned(learner, dataset=images.name, class_names=images.class_names,
                      bits=images.bits, unit=unit)
    network.save(output)
    kept.unlink(missing_ok=True)
    right = (learner.scores(x_test, samples).argmax(axis=1) == images.y_test).mean()
    exact = (network(images.x_test) == images.y_test).mean()
    if hardware is not None:
        console.show(str(hardware))
    console.show(f"{output}: {network.shape}, {right:.2%} of {len(x_test):,} "
                 f"{'held-out' if validation else 'test'} images right, "
                 f"with {samples} bits drawn of each pixel; {exact:.2%} on pixels as they are, "
                 f"{seconds:.1f} s")
    console.result(network=output, dataset=images.name, sizes=network.shape.sizes, accuracy=right,
                   exact_accuracy=exact, images=len(x_test), learned=count, updates=updates,
                   seconds=round(seconds, 2), **({} if hardware is None else hardware.fields))


def _learn(learner: Learner, x_train: np.ndarray, images: Dataset, count: int, every: int,
           kept: pathlib.Path, about: dict[str, Any], hardware: Beside | None) -> int:
    """Learn what is left of so many images, in an order of their own in each epoch."""
    updates = right = seen = 0
    apart = math.ceil(count / len(x_train) / TOLD)   # epochs from one that is told to the next
    with console.progress("learning") as advance:
        while learner.control.samples < count:
            epoch, place = divmod(learner.control.samples, len(x_train))
            order = np.random.default_rng([learner.spec.seed, epoch]).permutation(len(x_train))
            part = order[place:place + every]
            steps = list(learner.learn(x_train[part], images.y_train[part]))
            if hardware is not None:
                hardware.learn(x_train[part], images.y_train[part], steps, learner)
            for step, label in zip(steps, images.y_train[part].tolist(), strict=True):
                updates += step.learned
                right += int(step.scores.argmax()) == label
                seen += 1
            checkpoint.save(kept, learner, about)
            advance(learner.control.samples, count)
            if place + len(part) == len(x_train):
                tell = console.detail if (epoch + 1) % apart else console.stage
                tell(f"epoch {epoch + 1}: {right / seen:.2%} right when they came, "
                     f"{updates:,} learned; rate {learner.control.rate} of {ALWAYS}")
                right = seen = 0
    return updates

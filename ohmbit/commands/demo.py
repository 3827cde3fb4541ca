"""``ohmbit demo``: the whole path on handwritten digits."""

import json
import os
import pathlib
import subprocess
import sys
import time
from typing import Annotated, Any

import numpy as np
import typer
from rich import box
from rich.table import Table

from boards import catalog
from gateware.fit import fit
from model import data
from model.encoder import BitSerial
from model.errors import CheckFailed, InputError
from model.train import train as train_network
from sim import tools

from .. import picture
from ..console import console
from ..engines import choose
from .simulate import check


__all__ = ["demo"]


BOARD   = "icebreaker"
HIDDEN  = (128,)
TARGET  = 250   # cycles an image; twice as fast fits as well, and takes twice as long to route
BUILD   = [sys.executable, "-P", "-m", "ohmbit", "build"]
FIGURES = ("luts", "luts_available", "memories", "fmax_mhz", "clock_mhz",
           "core_inferences_per_second", "link_inferences_per_second", "bitstream")


def demo(
    output: Annotated[pathlib.Path, typer.Option(
        "--output", "-o", metavar="DIR", help="Where results go.")] = pathlib.Path("build/demo"),
) -> None:
    """Show the whole path on handwritten digits."""
    start = time.perf_counter()
    board = catalog.find(BOARD)
    digits = data.load("digits")
    encoder = BitSerial(digits.bits)
    console.stage(f"1. training 64-128-10 on {len(digits.x_train):,} handwritten digits")
    with console.progress("training") as advance:
        network = train_network(digits, hidden=HIDDEN, encoder=encoder, progress=advance)
    path = output / "digits.npz"
    network.save(path)
    golden = float((network(digits.x_test) == digits.y_test).mean())
    console.stage(f"   golden model: {golden:.2%} of {len(digits.x_test)} test images right, "
                  f"{time.perf_counter() - start:.1f} s; {path}")

    # The two take a core each.
    with _Build(path, output / BOARD) as building:
        engine, count, why = choose(None, None, len(digits.x_test))
        mapping = fit(network.shape, board.resources, target=TARGET)
        console.stage(f"2. simulating the gateware in {engine.name}: {count} images ({why})")
        images, labels = digits.x_test[:count], digits.y_test[:count]
        simulation = check(network, mapping, engine, images, labels)
        console.stage(f"   {simulation}")
        simulation.hold()
        assert simulation.cycles_per_image is not None   # a simulator sees each image
        scores = network.scores_of(images[:1])[0]
        _show(images[0].reshape(digits.image_shape), int(digits.x_test.max()), scores,
              int(labels[0]), digits.class_names)
        if building.missing:
            console.stage(f"3. no bitstream: {building.missing}")
        else:
            console.stage(f"3. building a bitstream for {BOARD}, since the training ended")
        with console.progress("synthesis, place and route"):
            figures = building.result()

    seconds = round(time.perf_counter() - start, 1)
    _summary(golden, simulation.images, simulation.cycles_per_image, figures, seconds)
    console.result(accuracy=golden, images=simulation.images,
                   mismatches=simulation.comparison.total, engine=simulation.engine,
                   cycles_per_image=simulation.cycles_per_image,
                   **{name: figures.get(name) for name in FIGURES}, seconds=seconds)


def _show(image: np.ndarray, top: int, scores: np.ndarray, label: int,
          names: tuple[str, ...]) -> None:
    """A digit beside its scores."""
    left = picture.draw(image, top, plain=console.plain)
    right = picture.bars(names, scores, plain=console.plain)
    height = max(len(left), len(right))
    left  = left + [" " * len(left[0])] * (height - len(left))
    right = right + [""] * (height - len(right))
    console.show(f"   the first test image, a {names[label]}, and its scores:")
    for a, b in zip(left, right, strict=True):
        console.show(f"   {a}   {b}".rstrip())


def _summary(accuracy: float, images: int, cycles: float, figures: dict[str, Any],
             seconds: float) -> None:
    table = Table(show_header=False, box=box.SIMPLE)
    table.add_row("accuracy of the golden model", f"{accuracy:.2%}")
    table.add_row("images equal to it in every bit", f"{images} of {images}")
    table.add_row("cycles an image", f"{cycles:,}")
    if figures:
        table.add_row(f"{BOARD}: LUTs", f"{figures['luts']:,} of {figures['luts_available']:,}")
        table.add_row(f"{BOARD}: Fmax",
                      f"{figures['fmax_mhz']:g} MHz, run at {figures['clock_mhz']:g}")
        table.add_row(f"{BOARD}: inferences/s", f"{figures['core_inferences_per_second']:,.0f}")
        table.add_row("bitstream", figures["bitstream"])
    table.add_row("time of all this", f"{seconds:g} s")
    console.show(table)


class _Build:
    """:data:`BUILD` in a process of its own, which ends when the block does."""

    def __init__(self, network: pathlib.Path, folder: pathlib.Path) -> None:
        self.command = [*BUILD, str(network), "--board", BOARD, "--target-cycles", str(TARGET),
                        "--json", "-o", str(folder)]
        board = catalog.find(BOARD)
        missing = [name for name in board.family.tools if tools.find(name) is None]
        self.missing = f"without {', '.join(missing)}: {board.get}" if missing else ""

    def __enter__(self) -> "_Build":
        if not self.missing:
            # The packages are found where they were found for this process.
            root = str(pathlib.Path(__file__).resolve().parent.parent.parent)
            paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, text=True, errors="replace",
                env=os.environ | {"PYTHONPATH": os.pathsep.join(paths), "NO_COLOR": "1"})
        return self

    def __exit__(self, *_: object) -> None:
        if not self.missing and self.process.poll() is None:
            # It ends its own tools, and leaves nothing half-written.
            self.process.terminate()
            self.process.communicate()

    def result(self) -> dict[str, Any]:
        """What the command answered; nothing where its tools are missing."""
        if self.missing:
            return {}
        answer, said = self.process.communicate()
        if self.process.returncode == 0:
            return dict(json.loads(answer))
        message = (said.strip() or "no reason was given").splitlines()[-1].removeprefix("ohmbit: ")
        raise (InputError if self.process.returncode == 2 else CheckFailed)(message)

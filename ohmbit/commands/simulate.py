"""``ohmbit simulate``: the gateware against the golden model, bit for bit."""

import time
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import typer

from boards import catalog
from gateware import compiler, cost
from model.errors import CheckFailed
from model.network import Network
from sim.compare import Comparison, compare
from sim.engine import Engine

from ..console import console
from ..engines import choose
from ..inputs import (
    BoardName,
    DataDir,
    DatasetName,
    NetworkPath,
    Pe,
    Simd,
    Target,
    blame,
    choose_mapping,
    dataset_for,
    describe,
    first,
)


__all__ = ["simulate", "Simulation", "check"]


EngineName = Annotated[Literal["amaranth", "verilator", "verilator-rtl"] | None, typer.Option(
    help="What runs the gateware; by default verilator where a compiler is. verilator-rtl keeps "
         "the popcounts as they are shipped.")]
Images = Annotated[int | None, typer.Option(
    min=1, metavar="N", help="Test images; by default all, or 20 in Amaranth's simulator.")]


@dataclass(frozen=True)
class Simulation:
    """What an engine made of some images, held against model and prediction."""

    engine: str
    comparison: Comparison
    accuracy: float
    cycles: int
    cycles_per_image: int
    latency: int
    predicted_cycles: int
    seconds: float

    @property
    def fields(self) -> dict[str, Any]:
        return {
            "engine": self.engine, "images": self.comparison.images,
            "mismatches": self.comparison.total, "compared": self.comparison.mismatches,
            "accuracy": self.accuracy, "cycles": self.cycles,
            "cycles_per_image": self.cycles_per_image, "latency": self.latency,
            "predicted_cycles": self.predicted_cycles, "seconds": round(self.seconds, 2),
        }

    def __str__(self) -> str:
        comparison = self.comparison
        cycles = "as predicted" if self.cycles == self.predicted_cycles \
            else f"{self.predicted_cycles:,} predicted"
        return (f"{comparison.images:,} images in {self.engine}: {comparison.total:,} mismatches "
                f"in {comparison.seen}; {self.accuracy:.2%} right; {self.cycles:,} cycles, "
                f"{cycles}; {self.cycles_per_image:,} an image; {self.seconds:.1f} s")

    def hold(self) -> None:
        """:exc:`CheckFailed` unless all is as the model has it."""
        if self.comparison.total:
            raise CheckFailed(f"{self.comparison.total:,} mismatches in {self.comparison.images:,} "
                              f"images; the first: {self.comparison.first}")
        if self.cycles != self.predicted_cycles:
            raise CheckFailed(f"{self.cycles:,} cycles were taken and {self.predicted_cycles:,} "
                              "predicted")


def check(network: Network, mapping: Any, engine: Engine, images: np.ndarray,
          labels: np.ndarray) -> Simulation:
    """Run images through an engine, and compare everything that it sees."""
    start = time.perf_counter()
    with console.progress(f"{engine.name}: making it ready"):
        engine.load(compiler.compile(network.shape, mapping, probes=True))
    console.detail(f"{engine.name}: ready after {time.perf_counter() - start:.1f} s")
    with console.progress(f"{engine.name}: {len(images):,} images"):
        engine.write(compiler.image(network, mapping))
        result = engine.infer(images)
    return Simulation(
        engine=engine.name, comparison=compare(network, images, result),
        accuracy=float((result.best == labels).mean()), cycles=result.cycles,
        cycles_per_image=result.cycles_per_image, latency=result.latency,
        predicted_cycles=cost.timing(mapping, len(images)).cycles,
        seconds=time.perf_counter() - start)


def simulate(network: NetworkPath, images: Images = None, engine: EngineName = None,
             board: BoardName = "icebreaker", pe: Pe = None, simd: Simd = None,
             target: Target = None, dataset: DatasetName = None, data_dir: DataDir = None) -> None:
    """Compare the gateware with the golden model, bit for bit.

    Every layer of every image is compared, and cycles with their prediction.
    """
    net = Network.load(network)
    chosen = catalog.find(board)
    source = dataset_for(net, network, dataset, data_dir)
    runner, count, why = choose(engine, images, len(source.x_test))
    pixels, labels = first(source, count)
    with blame("mapping"):
        mapping = choose_mapping(net, network, chosen, pe=pe, simd=simd, target=target)
    console.stage(f"network: {network}, {net.shape}, {net.encoder}")
    console.stage(f"mapping: {describe(mapping)}")
    console.stage(f"engine: {runner.name}, {count:,} of {len(source.x_test):,} test images of "
                  f"{source.name}{f' ({why})' if why else ''}")
    simulation = check(net, mapping, runner, pixels, labels)
    console.show(simulation)
    console.result(**simulation.fields)
    simulation.hold()

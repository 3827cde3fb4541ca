"""``ohmbit simulate``: the gateware against the golden model, bit for bit."""

import contextlib
import os
import pathlib
import time
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import numpy as np
import typer

from boards import catalog
from boards.bitstream_engine import BitstreamEngine
from boards.driver_engine import DriverEngine
from boards.ebr import Contents
from boards.virtual_engine import VirtualEngine
from gateware import compiler, cost
from gateware.compend import COUNTS
from model.errors import CheckFailed, InputError
from model.files import whole
from model.network import Network
from sim import shards
from sim.compare import Comparison, compare
from sim.engine import Engine, Result, Waveform
from sim.netlist_engine import NetlistEngine
from sim.vectors import boundary as boundary_images
from sim.verilator_engine import VerilatorEngine

from ..console import console
from ..engines import ENGINES, choose
from ..inputs import (
    BoardName,
    DataDir,
    DatasetName,
    Detection,
    NetworkPath,
    Samples,
    blame,
    dataset_for,
    detecting,
    drawing,
    first,
)
from ..mappings import (
    Batch,
    Pe,
    Simd,
    Storage,
    Target,
    TargetFps,
    Wishes,
    choose_mapping,
    describe,
)


__all__ = ["simulate", "Simulation", "check"]


Names = Literal["amaranth", "verilator", "verilator-rtl", "icarus", "netlist", "bitstream",
                "virtual"]
EngineName = Annotated[Names | None, typer.Option(
    help="What runs the gateware; by default verilator where a compiler is. verilator-rtl keeps "
         "the popcounts as they are shipped.")]
Against = Annotated[Names | None, typer.Option(
    help="Another engine to compare with, in place of the golden model.")]
Images = Annotated[int | None, typer.Option(
    min=1, metavar="N", help="Test images; by default all, or fewer where the engine is slow.")]
Boundary = Annotated[bool, typer.Option(
    "--boundary/--no-boundary", help="Whether to add images that bring every hidden neuron to its "
                                     "threshold, and one below, where no test image does.")]
Vcd = Annotated[pathlib.Path | None, typer.Option(
    metavar="FILE", help="Where to put a waveform of the cycles around the first difference.")]
Jobs = Annotated[int | None, typer.Option(
    min=1, metavar="N", help="Processes that share the images, in Verilator; by default as many as "
                             "there are processors.")]

BEFORE, AFTER = 250, 50   # cycles that a waveform shows around a difference


@dataclass(frozen=True)
class Simulation:
    """What an engine made of some images, held against model and prediction.

    Parameters
    ----------
    boundary_images : :class:`int`
        How many of the images were added, behind those of the test set, which alone count for
        :py:`accuracy`.
    memories : :class:`boards.ebr.Contents`, or None
        What the memories held at power-up, where the engine sees that.
    counts : dict of dict of :class:`int`
        What layers whose weights have several bits counted, by the names of
        :data:`gateware.compend.COUNTS`.
    """

    engine: str
    comparison: Comparison
    boundary_images: int
    accuracy: float
    cycles: int
    cycles_per_image: int | float | None
    latency: int | None
    predicted_cycles: int
    seconds: float
    memories: Contents | None = None
    counts: dict[str, dict[str, int]] = field(default_factory=dict)

    @property
    def images(self) -> int:
        """Images of the test set."""
        return self.comparison.images - self.boundary_images

    @property
    def fields(self) -> dict[str, Any]:
        return {
            "engine": self.engine, "images": self.images,
            "boundary_images": self.boundary_images,
            "mismatches": self.comparison.total, "compared": self.comparison.mismatches,
            "accuracy": self.accuracy, "cycles": self.cycles,
            "cycles_per_image": self.cycles_per_image, "latency": self.latency,
            "predicted_cycles": self.predicted_cycles, "seconds": round(self.seconds, 2),
            **({} if self.memories is None else {"memories": self.memories.fields}),
            **({"counts": self.counts} if self.counts else {}),
        }

    def __str__(self) -> str:
        comparison = self.comparison
        cycles = "as predicted" if self.cycles == self.predicted_cycles \
            else f"{self.predicted_cycles:,} predicted"
        held = "" if self.memories is None else f"; {self.memories}"
        more = f" and {self.boundary_images:,} at thresholds" if self.boundary_images else ""
        each = "" if self.cycles_per_image is None else f"; {self.cycles_per_image:,} an image"
        return (f"{self.images:,} images{more} in {self.engine}: {comparison.total:,} mismatches "
                f"in {comparison.seen}; {self.accuracy:.2%} right; {self.cycles:,} cycles, "
                f"{cycles}{each}{held}; {self.seconds:.1f} s" + "".join(
                    f"\n{name}: {counts['cycles']:,} cycles, {counts['planes_run']:,} planes of "
                    f"weights run and {counts['planes_skipped']:,} skipped"
                    for name, counts in self.counts.items()))

    def hold(self) -> None:
        """:exc:`CheckFailed` unless all is as the model has it."""
        if self.memories is not None and self.memories.differences:
            raise CheckFailed(f"{len(self.memories.differences):,} bits of the memories differ at "
                              f"power-up; the first: {self.memories.differences[0]}")
        if self.comparison.total:
            raise CheckFailed(f"{self.comparison.total:,} mismatches in {self.comparison.images:,} "
                              f"images; the first: {self.comparison.first}")
        if self.cycles != self.predicted_cycles:
            raise CheckFailed(f"{self.cycles:,} cycles were taken and {self.predicted_cycles:,} "
                              "predicted")


def check(network: Network, mapping: Any, engine: Engine, images: np.ndarray,
          labels: np.ndarray, *, boundary: bool = True, against: Engine | None = None,
          vcd: pathlib.Path | None = None, jobs: int = 1) -> Simulation:
    """Run images through an engine, and compare everything that it sees.

    Parameters
    ----------
    boundary : :class:`bool`
        Whether to add what :func:`sim.vectors.boundary` finds, which it does for binary weights.
    against : :class:`sim.engine.Engine`, or None
        What to compare with; the golden model if None.
    vcd : path, or None
        Where a waveform goes if there is a difference.
    jobs : :class:`int`
        Processes that share the images, where the engine can.
    """
    start = time.perf_counter()
    added = boundary_images(network, images) if boundary and network.shape.binary \
        else images[:0]
    images = np.concatenate([images, added])
    counted = compiler.counted(network, mapping, images)
    expected = None if against is None else run(network, mapping, against, images, jobs)
    result = run(network, mapping, engine, images, jobs)
    try:
        comparison = compare(network, images, result, expected, counted)
    except ValueError as error:   # more or fewer values than there should be
        raise CheckFailed(f"{engine.name}: {error}") from error
    times = compiler.taken(counted)
    memories, predicted = None, cost.timing(mapping, len(images), times).cycles
    if isinstance(engine, BitstreamEngine):
        memories = engine.inspect(compiler.image(network, mapping))
    if isinstance(engine, DriverEngine):
        predicted = engine.predict(len(images), times)
    if vcd is not None and comparison.where is not None:
        cycle = result.cycles if comparison.where.cycle is None else comparison.where.cycle
        with whole(vcd) as partial, console.progress(f"{engine.name}: once more, for {vcd}"):
            engine.infer(images[:comparison.where.image + 1],
                         waveform=Waveform(partial, max(0, cycle - BEFORE), cycle + AFTER))
    return Simulation(
        engine=engine.name, comparison=comparison, boundary_images=len(added),
        accuracy=float((result.best[:len(labels)] == labels).mean()), cycles=result.cycles,
        cycles_per_image=result.cycles_per_image, latency=result.latency,
        predicted_cycles=predicted, memories=memories,
        counts={name.removesuffix(".counts"): dict(zip(COUNTS.members, counts.tolist(),
                                                       strict=True))
                for name, counts in result.counts.items()},
        seconds=time.perf_counter() - start)


def run(network: Network, mapping: Any, engine: Engine, images: np.ndarray,
        jobs: int = 1) -> Result:
    """What an engine, made ready and given its weights, sees of some images."""
    start = time.perf_counter()
    with blame("--detection"):
        contents = compiler.image(network, mapping)
    choice = ENGINES.get(engine.name)
    filled = choice is not None and choice.filled
    with console.progress(f"{engine.name}: making it ready"):
        engine.load(compiler.compile(network.shape, mapping, probes=choice is None or choice.probes,
                                     image=contents if filled else None))
    console.detail(f"{engine.name}: ready after {time.perf_counter() - start:.1f} s")
    if isinstance(engine, NetlistEngine):
        cells = ", ".join(f"{count:,} {cell}" for cell, count in engine.cells.items())
        console.detail(f"{engine.name}: {cells}")
    with console.progress(f"{engine.name}: {len(images):,} images"):
        if not filled:
            engine.write(contents)
        try:
            if isinstance(engine, VerilatorEngine):
                return shards.infer(engine, images, jobs=jobs)
            return engine.infer(images)
        except TimeoutError as error:
            raise CheckFailed(f"{engine.name} stands still: {error}") from error


def simulate(network: NetworkPath, images: Images = None, engine: EngineName = None,
             board: BoardName = "icebreaker", pe: Pe = None, simd: Simd = None,
             storage: Storage = None, batch: Batch = None, target: Target = None,
             fps: TargetFps = None, dataset: DatasetName = None,
             data_dir: DataDir = None, boundary: Boundary = True, against: Against = None,
             vcd: Vcd = None, jobs: Jobs = None, samples: Samples = None,
             detection: Detection = None) -> None:
    """Compare the gateware with the golden model, bit for bit.

    Every layer of every image is compared, and cycles with their prediction.
    """
    if vcd is not None and engine is not None and not ENGINES[engine].records:
        able = ", ".join(name for name, choice in ENGINES.items() if choice.records)
        raise InputError(f"{engine} records no waveforms: leave out --vcd, or choose one of {able}")
    shared = [name for name, choice in ENGINES.items() if choice.shares]
    if jobs is not None and engine is not None and engine not in shared:
        raise InputError(f"{engine} runs in one process: leave out --jobs, or choose one of "
                         f"{', '.join(shared)}")
    built = Network.load(network)
    net = detecting(drawing(built, samples), detection)
    chosen = catalog.find(board)
    source = dataset_for(net, network, dataset, data_dir)
    runner, count, why = choose(engine, images, len(source.x_test), chosen)
    other = None if against is None else choose(against, images, len(source.x_test), chosen)[0]
    pixels, labels = first(source, count)
    with blame("mapping"):
        mapping = choose_mapping(built, network, chosen,
                                 Wishes(pe, simd, storage, batch, target, fps))
    mapping = drawing(mapping, samples)
    if boundary and not net.shape.binary:
        console.detail("no images are added for thresholds, as some weights have several bits")
    console.stage(f"network: {network}, {net.shape}, {net.encoder}")
    console.stage(f"mapping: {describe(mapping)}")
    console.stage(f"engine: {runner.name}, {count:,} of {len(source.x_test):,} test images of "
                  f"{source.name}{f' ({why})' if why else ''}")
    with contextlib.ExitStack() as stack:
        for each in (runner, other):
            if isinstance(each, VirtualEngine):
                stack.enter_context(each)
        simulation = check(net, mapping, runner, pixels, labels, boundary=boundary, against=other,
                           vcd=vcd, jobs=jobs or os.cpu_count() or 1)
    console.show(simulation)
    console.result(**simulation.fields)
    simulation.hold()

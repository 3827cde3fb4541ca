"""``ohmbit verilog``: the accelerator for somebody else's design."""

import os
import pathlib
import re
import shutil
import tempfile
from typing import Annotated

import platformdirs
import numpy as np
import typer

from boards import catalog
from gateware import compiler, cost
from gateware.plan import Plan
from model.errors import InputError
from model.files import whole
from model.network import Network
from sim import tools
from sim.vectors import boundary
from sim.verilog import to_rtlil, to_verilog
from sim.verilog_bench import verilog_bench

from ..console import console
from ..inputs import (
    BoardName,
    DataDir,
    DatasetName,
    NetworkPath,
    Output,
    blame,
    dataset_for,
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
from ..ports import describe_ports


__all__ = ["verilog"]


IMAGES = 20   # in the test bench by default


def _bench_images(network: Network, path: pathlib.Path, count: int | None, name: str | None,
                  data_dir: pathlib.Path | None) -> tuple[np.ndarray, str]:
    """Images for the test bench, and what they are: random ones where there is no dataset."""
    try:
        dataset = dataset_for(network, path, name, data_dir)
    except InputError as error:
        if name or data_dir:
            raise
        console.detail(str(error))
        images = np.random.default_rng(0).integers(
            0, 2 ** network.encoder.bits, (count or IMAGES, network.inputs))
        why = f"{network.dataset} cannot be read" if network.dataset else "no dataset is named"
        source = f"{len(images):,} random images, as {why}"
    else:
        images, _ = first(dataset, count or min(IMAGES, len(dataset.x_test)))
        source = f"{len(images):,} test images of {dataset.name}"
    if not network.shape.binary:   # whose neurons no images are made for
        return images, source
    added = boundary(network, images)
    return np.concatenate([images, added]), \
        f"{source}; {len(added):,} that bring neurons to their thresholds"


def verilog(
    network: NetworkPath,
    output: Output = None,
    board: BoardName = "icebreaker",
    pe: Pe = None,
    simd: Simd = None,
    storage: Storage = None,
    batch: Batch = None,
    target: Target = None,
    fps: TargetFps = None,
    empty: Annotated[bool, typer.Option(
        "--empty", help="Leave the memories empty at power-up, as on a chip.")] = False,
    images: Annotated[int | None, typer.Option(
        min=1, metavar="N", help="Test images in the test bench.",
        show_default=str(IMAGES))] = None,
    dataset: DatasetName = None,
    data_dir: DataDir = None,
) -> None:
    """Write Verilog, memory contents, a test bench, and a page on them.

    PE and SIMD are chosen for a board, or by hand; no part of the Verilog is special to an FPGA.
    """
    net = Network.load(network)
    tools.require("yosys")
    with blame("mapping"):
        mapping = choose_mapping(net, network, catalog.find(board),
                                 Wishes(pe, simd, storage, batch, target, fps))
    target_folder = output or pathlib.Path("build") / f"{network.stem}-verilog"
    name = re.sub(r"\W", "_", network.stem, flags=re.ASCII)
    name = name if name[:1].isalpha() else f"net_{name}"
    console.stage(f"network: {network}, {net.shape}, {net.encoder}")
    console.stage(f"mapping: {describe(mapping)}")

    pixels, source = _bench_images(net, network, images, dataset, data_dir)
    console.stage(f"test bench: {source}")
    image = compiler.image(net, mapping)
    if not empty and not Plan(net.shape, mapping).fills:
        console.stage("SPRAM has no contents at power-up: all memories are left to the host")
        empty = True
    accelerator = compiler.compile(net.shape, mapping, image=None if empty else image)
    texts = {}
    for memory, region in accelerator.memories.items():
        digits = -(-region.width // 4)
        texts[f"{name}.{memory}.hex"] = "".join(f"{row:0{digits}x}\n" for row in image[memory])
    texts |= verilog_bench(name, accelerator, net, pixels, source=source, empty=empty)
    texts[f"{name}.md"] = describe_ports(
        name, network, accelerator, cost.timing(mapping, 1), empty=empty)

    tools.prepare(["yosys"], console.stage)
    # Yosys may live in a sandbox that knows neither this folder nor that for temporary files.
    cache = platformdirs.user_cache_path("ohmbit")
    cache.mkdir(parents=True, exist_ok=True)
    with console.progress("yosys"), tempfile.TemporaryDirectory(dir=cache) as work:
        emitted = pathlib.Path(work) / f"{name}.v"
        to_verilog(to_rtlil(accelerator, name), emitted)
        with whole(target_folder / emitted.name) as partial:
            shutil.copyfile(emitted, partial)
    for file, text in texts.items():
        with whole(target_folder / file) as partial:
            partial.write_text(text)
    files = [os.path.join(target_folder, file) for file in (f"{name}.v", *texts)]
    for file in files:
        console.show(file)
    console.result(files=files)

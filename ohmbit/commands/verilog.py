"""``ohmbit verilog``: the accelerator for somebody else's design."""

import os
import pathlib
import re
import shutil
import tempfile
from typing import Annotated

import platformdirs
import typer

from boards import catalog
from gateware import compiler, cost
from model.files import whole
from model.network import Network
from sim import tools
from sim.verilog import to_rtlil, to_verilog

from ..console import console
from ..inputs import (
    BoardName,
    NetworkPath,
    Output,
    Pe,
    Simd,
    Target,
    blame,
    choose_mapping,
    describe,
)
from ..ports import describe_ports


__all__ = ["verilog"]


def verilog(
    network: NetworkPath,
    output: Output = None,
    board: BoardName = "icebreaker",
    pe: Pe = None,
    simd: Simd = None,
    target: Target = None,
    empty: Annotated[bool, typer.Option(
        "--empty", help="Leave the memories empty at power-up, as on a chip.")] = False,
) -> None:
    """Write Verilog, memory contents, and a page on both.

    PE and SIMD are chosen for a board, or by hand; no part of the Verilog is special to an FPGA.
    """
    net = Network.load(network)
    tools.require("yosys")
    with blame("mapping"):
        mapping = choose_mapping(net, network, catalog.find(board), pe=pe, simd=simd, target=target)
    target_folder = output or pathlib.Path("build") / f"{network.stem}-verilog"
    name = re.sub(r"\W", "_", network.stem, flags=re.ASCII)
    name = name if name[:1].isalpha() else f"net_{name}"
    console.stage(f"network: {network}, {net.shape}, {net.encoder}")
    console.stage(f"mapping: {describe(mapping)}")

    image = compiler.image(net, mapping)
    accelerator = compiler.compile(net.shape, mapping, image=None if empty else image)
    texts = {}
    for memory, region in accelerator.memories.items():
        digits = -(-region.width // 4)
        texts[f"{name}.{memory}.hex"] = "".join(f"{row:0{digits}x}\n" for row in image[memory])
    texts[f"{name}.md"] = describe_ports(
        name, network, accelerator, cost.timing(mapping, 1), empty=empty)

    tools.prepare(["yosys"], console.stage)
    # Yosys may live in a sandbox that knows neither this folder nor that for temporary files.
    cache = platformdirs.user_cache_path("ohmbit")
    cache.mkdir(parents=True, exist_ok=True)
    with console.progress("yosys"), tempfile.TemporaryDirectory(dir=cache) as work:
        source = pathlib.Path(work) / f"{name}.v"
        to_verilog(to_rtlil(accelerator, name), source)
        with whole(target_folder / source.name) as partial:
            shutil.copyfile(source, partial)
    for file, text in texts.items():
        with whole(target_folder / file) as partial:
            partial.write_text(text)
    files = [os.path.join(target_folder, file) for file in (f"{name}.v", *texts)]
    for file in files:
        console.show(file)
    console.result(files=files)

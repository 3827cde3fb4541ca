"""``ohmbit export``: a network as a QONNX file."""

import pathlib
from typing import Annotated

import typer

from model import onnx_writer
from model.errors import InputError
from model.network import Network

from ..console import console
from ..inputs import Detection, NetworkPath, check_output, detecting


__all__ = ["export"]


def export(
    network: NetworkPath,
    output: Annotated[pathlib.Path | None, typer.Option(
        "--output", "-o", metavar="FILE", help="ONNX file to write.",
        show_default="NETWORK.onnx")] = None,
    detection: Detection = None,
) -> None:
    """Write a network as a QONNX graph that computes the same numbers."""
    output = output or pathlib.Path(f"{network.stem}.onnx")
    check_output(output)
    if output.exists() and output.samefile(network):
        raise InputError(f"{output} is the network: name another file with -o")
    net = detecting(Network.load(network), detection)
    console.stage(f"network: {network}, {net.shape}, {net.encoder}")
    try:
        nodes = onnx_writer.write(output, net)
    except InputError as error:
        raise InputError(f"{network}: {error}") from None
    size = output.stat().st_size
    console.show(f"{output}: {net.shape}, {nodes} nodes, {size:,} bytes")
    console.result(graph=output, network=network, dataset=net.dataset, sizes=net.shape.sizes,
                   nodes=nodes, bytes=size)

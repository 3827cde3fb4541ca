"""``ohmbit export``: a network as a QONNX file."""

import pathlib
from typing import Annotated, Any

import typer

from model import onnx_writer
from model.data import Dataset
from model.errors import CheckFailed, InputError
from model.network import Network
from model.onnx_compare import compare

from ..console import console
from ..inputs import (
    DataDir,
    Detection,
    NetworkPath,
    check_output,
    dataset_for,
    detecting,
)


__all__ = ["export"]


def export(
    network: NetworkPath,
    output: Annotated[pathlib.Path | None, typer.Option(
        "--output", "-o", metavar="FILE", help="ONNX file to write.",
        show_default="NETWORK.onnx")] = None,
    detection: Detection = None,
    verify: Annotated[str | None, typer.Option(
        metavar="IMAGES", help="Execute the graph with the qonnx package, for the test images of "
                               "this dataset or FILE.npz, and compare every number.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Write a network as a QONNX graph that computes the same numbers."""
    output = output or pathlib.Path(f"{network.stem}.onnx")
    check_output(output)
    if output.exists() and output.samefile(network):
        raise InputError(f"{output} is the network: name another file with -o")
    net = detecting(Network.load(network), detection)
    console.stage(f"network: {network}, {net.shape}, {net.encoder}")
    try:
        model = onnx_writer.build(net)
    except InputError as error:
        raise InputError(f"{network}: {error}") from None
    found = {} if verify is None else _verified(model, net, dataset_for(
        net, network, verify, data_dir))
    onnx_writer.write(output, model)
    nodes, size = len(model.graph.node), output.stat().st_size
    equal = f", equal to the network in {found['numbers']:,} numbers of {found['images']:,} " \
            "images" if found else ""
    console.show(f"{output}: {net.shape}, {nodes} nodes, {size:,} bytes{equal}")
    console.result(graph=output, network=network, dataset=net.dataset, sizes=net.shape.sizes,
                   nodes=nodes, bytes=size, **found)


def _verified(model: Any, network: Network, images: Dataset) -> dict[str, Any]:
    console.stage(f"executing the graph for {len(images.x_test):,} images of {images.name}")
    with console.progress("qonnx"):
        found = compare(model, network, images.x_test)
    figures = {"images": found.images, "numbers": found.numbers, "mismatches": found.mismatches}
    if found.mismatches:
        console.result(**figures)
        raise CheckFailed(f"{found.mismatches:,} numbers differ, of {found.numbers:,}, the first "
                          f"in {found.first}: nothing was written")
    return figures

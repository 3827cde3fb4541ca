"""``ohmbit cost``: what a network takes on a board, before anything is built."""

import dataclasses
from typing import Annotated, Any

import typer
from rich import box
from rich.table import Table

from gateware import cost as gateware_cost
from gateware.bounds import bounds
from gateware.events import events, total
from gateware.mapping import widths
from model.network import Network

from .. import energy as energies
from ..console import console
from ..inputs import BoardName, NetworkPath, Samples, blame, choose_board, drawing
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


__all__ = ["cost"]


Energy = Annotated[str | None, typer.Option(
    metavar="TABLE", help="Energies of events, for an estimate: a TOML file with a source beside "
                          f"each figure, or {' or '.join(energies.TABLES)}.")]


def cost(network: NetworkPath, board: BoardName = "icebreaker", pe: Pe = None, simd: Simd = None,
         storage: Storage = None, batch: Batch = None, target: Target = None,
         fps: TargetFps = None, energy: Energy = None, samples: Samples = None) -> None:
    """Say what a network takes on a board: cycles, hardware, events, and how near its limits it is.

    Cycles and events are exact; look-up tables and block RAMs are estimates.
    """
    built = Network.load(network)
    net = drawing(built, samples)
    chosen = choose_board(board)
    figures = None if energy is None else energies.load(energy)
    with blame("mapping"), console.progress("mapping"):
        mapping = choose_mapping(built, network, chosen,
                                 Wishes(pe, simd, storage, batch, target, fps))
    resources = chosen.resources
    need = gateware_cost.estimate(mapping, resources, **widths(net.shape))
    excess = need.excess(resources)
    mapping = drawing(mapping, samples)
    timing = gateware_cost.timing(mapping, 1)
    limits = bounds(mapping, resources)
    clock_hz = float(chosen.clock_hz)
    layers = events(mapping)
    answer = {
        "board": chosen.name, "cycles_per_image": timing.cycles_per_image,
        "latency": timing.latency, "clock_mhz": clock_hz / 1e6,
        "inferences_per_second": round(clock_hz / timing.cycles_per_image, 1),
        "luts": need.luts, "luts_available": resources.luts,
        "memories": need.memory_blocks, "memories_available": resources.memory_blocks,
        "fits": not excess, "search_ended_by": mapping.limit,
        "bounds": {
            "by": limits.by, "cycles": round(limits.cycles, 2),
            "weight_bandwidth": round(limits.weight_bandwidth, 2), "luts": round(limits.luts, 2),
            "weight_bits": limits.weight_bits, "memory_bits": limits.memory_bits,
            "weight_bandwidth_used": round(limits.weight_bandwidth / timing.cycles_per_image, 4),
            "share": round(limits.cycles / timing.cycles_per_image, 4)},
        "layers": [
            {"inputs": layer.inputs, "outputs": layer.outputs, "planes": layer.planes,
             "pe": layer.pe, "simd": layer.simd, "storage": layer.storage,
             "cycles": layer.interval, "events": dataclasses.asdict(counted)}
            for layer, counted in zip(mapping.layers, layers, strict=True)],
        "events": dataclasses.asdict(total(layers)),
        "weight_bits_to_write": total(events(mapping, 0, loads=1)).writes,
    }
    console.stage(f"network: {network}, {net.shape}, {net.encoder}")
    console.stage(f"mapping: {describe(mapping)}")
    console.show(f"{timing.cycles_per_image:,} cycles an image, {timing.latency:,} for one alone: "
                 f"{answer['inferences_per_second']:,} inferences/s at {clock_hz / 1e6:g} MHz on "
                 f"{chosen.name}")
    missing = "".join(f"; {by:,} {NAMES[name]} too many" for name, by in excess.items())
    console.show(f"about {need.luts:,} of {resources.luts:,} LUTs and {need.memory_blocks:,} of "
                 f"{resources.memory_blocks:,} block RAMs{missing}")
    console.show(_limits(limits, timing))
    console.show(_table(mapping, layers))
    if figures is not None:
        operations = 2 * limits.xnors
        found = energies.estimate(figures, total(layers), operations)
        answer["energy_estimate"] = {
            "table": energy, "picojoules": found.total, "by_event": found.picojoules,
            "operations": operations, "tops_per_watt": found.tops_per_watt,
            "without_figure": found.without,
            "figures": [dataclasses.asdict(figure) for figure in figures]}
        _show(found, figures)
    console.result(**answer)


NAMES = {"luts": "LUTs", "memory": "block RAMs", "spram": "SPRAMs"}


def _limits(limits: Any, timing: Any) -> str:
    cycles = timing.cycles_per_image
    bandwidth = (f"reading all {limits.weight_bits:,} weight bits takes "
                 f"{limits.weight_bandwidth:,.1f} cycles with all of their memories at work "
                 f"({limits.weight_bandwidth / cycles:.1%} of {cycles:,})")
    luts = f"sensing all cells {limits.luts:,.1f} with every LUT"
    if limits.by == "memory bits":
        return (f"bound by memory bits: {limits.weight_bits:,} of weights and "
                f"{limits.memory_bits:,} in their memories; {bandwidth}, {luts}")
    return f"bound by {limits.by}: {bandwidth}, {luts}"


def _table(mapping: Any, layers: Any) -> Table:
    """Events of an image, a column for each layer."""
    sums = dataclasses.asdict(total(layers))
    table = Table("an image", *(f"{layer.inputs}-{layer.outputs}" for layer in mapping.layers),
                  "all", box=box.SIMPLE)
    for column in table.columns[1:]:
        column.justify = "right"
    for name in energies.EVENTS:
        if sums[name]:
            table.add_row(name.replace("_", " "),
                          *(f"{getattr(layer, name):,}" for layer in layers), f"{sums[name]:,}")
    return table


def _show(found: energies.Estimate, figures: tuple[energies.Figure, ...]) -> None:
    table = Table("estimate", "nJ an image", "figure", "source", box=box.SIMPLE)
    table.columns[1].justify = "right"
    for name, picojoules in found.picojoules.items():
        mine = [figure for figure in figures if figure.event == name]
        table.add_row(name.replace("_", " "), f"{picojoules / 1e3:,.3f}",
                      "\n".join(f"{figure.picojoules:g} pJ" + (
                          f" for {figure.per:,}" if figure.per > 1 else "") for figure in mine),
                      "\n".join(figure.source for figure in mine))
    console.show(table)
    ratio = "" if found.tops_per_watt is None else \
        f"; {found.tops_per_watt:,.1f} TOPS/W, with two operations a weight and plane"
    without = f"; no figure for {', '.join(found.without).replace('_', ' ')}" \
        if found.without else ""
    console.show(f"estimate of the energy of an inference: {found.total / 1e3:,.3f} nJ{ratio}"
                 f"{without}")

"""What an iCE40's block RAM holds at power-up, read out of a bitstream, against a network's image.

The contents come from the bitstream alone. Where each memory went comes from the routed design that
nextpnr wrote beside it, and how Yosys cuts a memory into blocks is written down here. A block has
256 addresses of 16 bits, or 512 of 8, and so on, as its mode says. Rows beyond that number stand
beside the first ones, as if all were one wider row, and each block takes as many bits of that as it
has at an address, the lowest first. Within a block, cells are numbered from address 0 on, and of
each 16 the places are in the order of their numbers' bits reversed.
"""

import json
import pathlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gateware.bus import WORD
from gateware.control import is_choice
from gateware.serial_folding import SerialFolding
from model.errors import InputError
from sim.engine import Image
from sim.readback import Netlist


__all__ = ["Difference", "Contents", "Part", "Layout", "places", "cells_of", "meaning",
           "differences", "compare"]


ROOT = "design.system.accelerator"   # of the names in boards.top

Place = tuple[int, int]


@dataclass(frozen=True)
class Difference:
    """A bit that is not as the image has it.

    Parameters
    ----------
    memory : :class:`str`
    row, bit : :class:`int`
    got : :class:`int`
    means : :class:`str`
        What the bit is for, in words.
    place : pair of :class:`int`, or None
        Column and row of the block RAM it is in; None if it was read over the bus.
    """

    memory: str
    row: int
    bit: int
    got: int
    means: str
    place: Place | None = None

    def __str__(self) -> str:
        where = "" if self.place is None else f" (block RAM {self.place[0]}, {self.place[1]})"
        return (f"{self.memory}, row {self.row}, bit {self.bit}{where}: {self.got} instead of "
                f"{1 - self.got}; {self.means}")


@dataclass(frozen=True)
class Contents:
    """What was compared, and what differs.

    Parameters
    ----------
    bits : dict of :class:`int`
        Bits compared of each memory that is in block RAM.
    elsewhere : tuple of :class:`str`
        Memories that are not, which have to be read another way.
    differences : tuple of :class:`Difference`
    """

    bits: dict[str, int]
    elsewhere: tuple[str, ...]
    differences: tuple[Difference, ...]

    @property
    def fields(self) -> dict[str, Any]:
        """What it says in a command's answer."""
        return {"block_ram_bits": self.bits, "over_the_pins_only": list(self.elsewhere),
                "differences": len(self.differences)}

    def __str__(self) -> str:
        pins = f", {', '.join(self.elsewhere)} over the pins alone" if self.elsewhere else ""
        return (f"{sum(self.bits.values()):,} bits of block RAM read from the bitstream"
                f"{pins}: {len(self.differences):,} differ")


def places(path: pathlib.Path) -> dict[str, Place]:
    """Column and row of each block RAM by the name of its cell, from nextpnr's ``--write``."""
    try:
        cells = json.loads(path.read_text())["modules"]["top"]["cells"]
        bels = {name.removesuffix("_RAM"): cell["attributes"]["NEXTPNR_BEL"]
                for name, cell in cells.items() if cell["type"] == "ICESTORM_RAM"}
        found = {name: re.fullmatch(r"X(\d+)/Y(\d+)/ram", bel) for name, bel in bels.items()}
        return {name: (int(match[1]), int(match[2])) for name, match in found.items()
                if match is not None}
    except (OSError, ValueError, LookupError, AttributeError, TypeError) as error:
        raise InputError(f"{path} is no routed design that tells where block RAM is: "
                         f"{error}") from error


def cells_of(name: str, layers: int) -> str:
    """Name that synthesis gives to an accelerator's memory, less the number of its part."""
    if name == "scores.affine":
        return f"{ROOT}.scores.affine.cells"
    layer, _, kind = name.partition(".")
    number = int(layer.removeprefix("layer"))
    if serial := re.fullmatch(r"(weights|preloads)(\d+)|shifts", kind):
        lane = f"lane_{serial[2]}.{serial[1]}" if serial[2] else kind
        return f"{ROOT}.layer_{number}.{lane}.cells"
    component = "scores" if number == layers - 1 else f"layer_{number}"
    return f"{ROOT}.{component}." + (
        "thresholds.cells" if kind == "thresholds" else "accumulate.crossbar.weights.cells")


@dataclass(frozen=True)
class Part:
    """Blocks that up to 32 bits of a memory's rows are in.

    Parameters
    ----------
    width : :class:`int`
        How many bits.
    mode : :class:`int`
        In which all of them are read, as :class:`sim.readback.Ram` has it.
    blocks : tuple of pair of :class:`int`
        Their places.
    """

    width: int
    mode: int
    blocks: tuple[Place, ...]

    def count(self, depth: int) -> int:
        """How many blocks that many rows take."""
        return -(-self.width * -(-depth // (256 << self.mode)) // (16 >> self.mode))

    def locate(self, row: int, bit: int) -> tuple[Place, int]:
        """Block of a bit, and its place among the bits of that."""
        wide, deep = 16 >> self.mode, 256 << self.mode
        block, column = divmod(row // deep * self.width + bit, wide)
        cell = row % deep * wide + column
        return self.blocks[block], cell & ~15 | int(f"{cell & 15:04b}"[::-1], 2)


@dataclass(frozen=True)
class Layout:
    """Where the bits of a memory are.

    Parameters
    ----------
    width, depth : :class:`int`
        Bits in a row, and number of rows.
    parts : tuple of :class:`Part`
        The blocks of each 32 bits of a row.
    """

    width: int
    depth: int
    parts: tuple[Part, ...]

    @classmethod
    def find(cls, name: str, netlist: Netlist, where: Mapping[str, Place],
             accelerator: Any) -> "Layout | None":
        """Of an accelerator's memory; None where it is not in block RAM, or cut in another way."""
        if is_choice(name):   # which is a register
            return None
        region, cells = accelerator.memories[name], cells_of(name, len(accelerator.mapping.layers))
        parts = []
        for chunk in range(region.chunks):
            blocks = tuple(where[cell] for cell in _numbered(where, f"{cells}_{chunk}.0."))
            rams = [netlist.rams.get(place) for place in blocks]
            modes = {ram.read_mode if ram else None for ram in rams}
            if len(modes) != 1 or (mode := modes.pop()) is None:
                return None
            part = Part(min(WORD, region.width - WORD * chunk), mode, blocks)
            if len(blocks) != part.count(region.depth):
                return None
            parts.append(part)
        return cls(region.width, region.depth, tuple(parts))

    def locate(self, row: int, bit: int) -> tuple[Place, int]:
        """Block of a bit, and its place among the bits of that."""
        return self.parts[bit // WORD].locate(row, bit % WORD)

    def rows(self, netlist: Netlist) -> list[int]:
        """What the memory holds."""
        def held(row: int, bit: int) -> int:
            block, cell = self.locate(row, bit)
            return netlist.rams[block].contents >> cell & 1

        return [sum(held(row, bit) << bit for bit in range(self.width))
                for row in range(self.depth)]


def _numbered(names: Mapping[str, Place], prefix: str) -> list[str]:
    found = [name for name in names if name.startswith(prefix)
             and name[len(prefix):].isdecimal()]
    return sorted(found, key=lambda name: int(name[len(prefix):]))


def meaning(name: str, row: int, bit: int, accelerator: Any) -> str:
    """What a bit of an accelerator's memory is for."""
    shape, layers = accelerator.shape, accelerator.mapping.layers
    if name == "scores.affine":
        return f"{'bias' if bit < shape.score_bits else 'gain'} of class {row}"
    if name == "samples":
        return "number of samples"
    layer, _, memory = name.partition(".")
    number = int(layer.removeprefix("layer"))
    folding = layers[number]
    if isinstance(folding, SerialFolding):
        return _meaning(memory, row, bit, folding)
    if memory == "thresholds":
        word, turn = divmod(row, folding.turns)
        lane, step = divmod(bit // folding.threshold_bits, folding.steps)
        neuron, stair = word * folding.lanes + lane, turn * folding.steps + step
        if neuron >= folding.outputs or stair >= folding.stairs:
            return "fills up a row"
        which = f"threshold {stair}" if folding.output_bits > 1 else "threshold"
        return f"{which} of neuron {neuron}"
    rest, fold = divmod(row, folding.folds)
    group, plane = divmod(rest, folding.weight_bits)
    neuron = group * folding.pe + bit // folding.simd
    source = fold * folding.simd + bit % folding.simd
    if neuron >= folding.outputs or source >= folding.inputs:
        return "fills up a row"
    kind = "class" if number == len(layers) - 1 else "neuron"
    which = f"bit {folding.weight_bits - 1 - plane} of the weight" \
        if folding.weight_bits > 1 else "weight"
    return f"{which} of {kind} {neuron} for input {source}"


def _meaning(memory: str, row: int, bit: int, folding: SerialFolding) -> str:
    """What a bit is for in a layer of weights of several bits."""
    if memory == "detection":
        return "factor of speculation" if bit else "whether neurons end early"
    if memory == "shifts":
        neuron = row * folding.lanes + bit // folding.shift_bits
        return f"shift of neuron {neuron}" if neuron < folding.outputs else "fills up a row"
    pe = int(re.sub(r"\D", "", memory))
    if memory.startswith("preloads"):
        return f"bias of neuron {row * folding.pe + pe}"
    group, word = divmod(row, folding.weight_bits * folding.folds)
    plane, fold = divmod(word, folding.folds)
    source = fold * folding.simd + bit
    if fold == folding.folds - 1:
        source -= folding.empty
        if source < fold * folding.simd:
            return "fills up a row"
    if source >= folding.inputs:
        return "fills up a row"
    return (f"bit {folding.weight_bits - 1 - plane} of the weight of neuron "
            f"{group * folding.pe + pe} for input {source}")


def differences(name: str, rows: list[int], expected: list[int], accelerator: Any,
                layout: Layout | None = None) -> Iterator[Difference]:
    """Each bit in which the rows of a memory are not what they should be."""
    for row, (got, word) in enumerate(zip(rows, expected, strict=True)):
        for bit in range((got ^ word).bit_length()):
            if (got ^ word) >> bit & 1:
                yield Difference(name, row, bit, got >> bit & 1,
                                 meaning(name, row, bit, accelerator),
                                 None if layout is None else layout.locate(row, bit)[0])


def compare(netlist: Netlist, where: Mapping[str, Place], accelerator: Any,
            image: Image) -> Contents:
    """Every bit of an accelerator's memories that are in block RAM against an image.

    Parameters
    ----------
    netlist : :class:`sim.readback.Netlist`
        What a bitstream holds.
    where : mapping of :class:`str` to pair of :class:`int`
        As :func:`places` has it.
    accelerator : :class:`gateware.accelerator.Accelerator`
        Or its :class:`gateware.plan.Plan`.
    image : dict of list of :class:`int`
        As :func:`gateware.compiler.image` gives it.
    """
    bits: dict[str, int] = {}
    found: list[Difference] = []
    for name in accelerator.memories:
        layout = Layout.find(name, netlist, where, accelerator)
        if layout is not None:
            bits[name] = layout.width * layout.depth
            found += differences(name, layout.rows(netlist), image[name], accelerator, layout)
    elsewhere = tuple(name for name in accelerator.memories if name not in bits)
    return Contents(bits, elsewhere, tuple(found))

"""A test bench in Verilog that goes with an emitted accelerator, and checks itself."""

import math
import pathlib
from typing import Any

import numpy as np
from amaranth.hdl import Value

from gateware import compiler, cost
from gateware.control import LOADED, NETWORK, network_id
from model.network import Network
from model.scores import argmax

from .engine import words_of


__all__ = ["verilog_bench"]


TEMPLATE = pathlib.Path(__file__).with_suffix(".v")


def verilog_bench(name: str, accelerator: Any, network: Network, images: np.ndarray, *,
                  source: str, empty: bool) -> dict[str, str]:
    """Files of a test bench, by name: the bench, the words it sends, and the scores it expects.

    The bench compiles with the accelerator alone and runs in the folder that holds these files and
    those of the memories. It prints ``PASS``, or ``FAIL`` with the first difference, where it is
    and what was expected, and then ends with a status other than 0. It checks that the files of
    the memories are the ones given here; fills the memories where they are empty; reads them and
    the registers back; and holds the scores of all images to the golden model's, with waits on both
    sides, and once more at full speed, where it counts cycles.

    Parameters
    ----------
    name : :class:`str`
        The accelerator's module; files are ``NAME_tb.v``, ``NAME.images.hex`` and
        ``NAME.scores.hex``. The memories are in ``NAME.MEMORY.hex``, a row a line.
    accelerator : :class:`gateware.accelerator.Accelerator`
    network : :class:`model.network.Network`
        What is, or will be, in its memories.
    images : array of :class:`int`, images × inputs
    source : :class:`str`
        Where these come from, in a few words.
    empty : :class:`bool`
        Whether the memories of the accelerator are empty at power-up.
    """
    shape, mapping, memories = accelerator.shape, accelerator.mapping, accelerator.memories
    rows = compiler.image(network, mapping)
    pixels = words_of(accelerator, images)
    expected = _score_words(accelerator, network.scores_of(images))
    o_width = max(field.offset + field.width for _, field in accelerator.o.payload.shape())
    timing = cost.timing(mapping, len(images))
    times = compiler.taken(compiler.counted(network, mapping, images))
    interval = math.ceil(timing.cycles_per_image)
    settle = timing.latency + 2 * interval * mapping.batch
    words = sum(region.depth * region.chunks for region in memories.values())
    # On average each side waits for half an interval with each image, and two cycles at each word.
    limit = 1000 + 6 * words + 2 * settle + 2 * timing.cycles + 8 * len(images) * (
        2 * interval + 4 * (accelerator.words + shape.classes))
    fields = {
        "name": name, "source": source, "images": len(images), "words": accelerator.words,
        "classes": shape.classes, "i_width": len(Value.cast(accelerator.i.payload)),
        "o_width": o_width, "score_bits": shape.score_bits,
        "best_mask": (1 << o_width - 1 - shape.score_bits) - 1,
        "addr_width": accelerator.plan.addr_width,
        "cycles": cost.timing(mapping, len(images), times).cycles,
        "interval": interval, "settle": settle, "limit": limit,
        "declarations": "\n".join(
            f"  reg [{32 * region.chunks - 1}:0] {_identifier(memory)} [0:{region.depth - 1}];"
            for memory, region in memories.items()),
        "loads": "\n".join(f'    $readmemh("{name}.{memory}.hex", {_identifier(memory)});'
                           for memory in memories),
        "sums": "\n".join(_check_sum(name, memory, region, rows[memory])
                          for memory, region in memories.items()),
        "fill": _fill(accelerator, network_id(rows)) if empty else "",
        "read_back": "\n".join([*(_read_back(name, memory, region)
                                  for memory, region in memories.items()),
                                _registers(accelerator, network_id(rows))]),
    }
    text = TEMPLATE.read_text()
    for field, value in fields.items():
        text = text.replace(f"@{field}@", str(value))
    digits = -(-fields["i_width"] // 4), -(-o_width // 4)
    return {f"{name}_tb.v": text,
            f"{name}.images.hex": "".join(f"{word:0{digits[0]}x}\n" for word in pixels),
            f"{name}.scores.hex": "".join(f"{word:0{digits[1]}x}\n" for word in expected)}


def _score_words(accelerator: Any, scores: np.ndarray) -> list[int]:
    """What leaves for each class of each image, without a best class before the last."""
    layout = accelerator.o.payload.shape()
    score, best, last = (layout[field] for field in ("score", "best", "last"))
    words = []
    for values, winner in zip(scores.tolist(), argmax(scores).tolist(), strict=True):
        words += [value & (1 << score.width) - 1 for value in values]
        words[-1] |= winner << best.offset | 1 << last.offset
    return words


def _identifier(memory: str) -> str:
    return memory.replace(".", "_")


def _each_word(region: Any, *body: str) -> str:
    """A loop over all words of a memory, with :py:`row` and :py:`part`."""
    lines = "".join(f"        {line}\n" for line in body)
    return (f"    for (row = 0; row < {region.depth}; row = row + 1)\n"
            f"      for (part = 0; part < {region.chunks}; part = part + 1) begin\n"
            f"{lines}      end")


def _word(memory: str) -> str:
    return f"{_identifier(memory)}[row][32*part +: 32]"


def _address(region: Any) -> str:
    return f"{region.base} + {1 << region.chunk_bits} * row + part"


def _check_sum(name: str, memory: str, region: Any, rows: list[int]) -> str:
    """A sum that every single wrong bit changes, over the words of a file."""
    total = 0
    for row in rows:
        for part in range(region.chunks):
            total = (total << 1 | total >> 31) & 0xffffffff ^ row >> 32 * part & 0xffffffff
    loop = _each_word(region, f"sum = {{sum[30:0], sum[31]}} ^ {_word(memory)};")
    return (f"    sum = 0;\n{loop}\n    if (sum !== 32'h{total:08x})\n"
            f'      $fatal(1, "FAIL: {name}.{memory}.hex is another than this bench came with");')


def _fill(accelerator: Any, number: int) -> str:
    """Writes to all memories and both registers."""
    loops = "\n".join(
        f"    // {memory}\n{_each_word(region, write)}"
        for memory, region in accelerator.memories.items() if region.writable
        for write in [f"write_word({_address(region)}, {_word(memory)});"])
    control = accelerator.control_address
    return ("    if (loaded !== 0)\n"
            '      $fatal(1, "FAIL: cycle %0d: loaded is high with empty memories", cycle);\n'
            f"    write_word({control + LOADED}, 0);\n{loops}\n"
            f"    write_word({control + NETWORK}, 32'h{number:08x});\n"
            f"    write_word({control + LOADED}, 1);\n"
            "    repeat (2) @(posedge clk);")


def _registers(accelerator: Any, number: int) -> str:
    """What the registers say while the memories hold that network."""
    return "    // registers\n" + "\n".join(
        f"    read_word({accelerator.control_address + register});\n"
        f"    if (word !== 32'h{expected:08x})\n"
        f'      $fatal(1, "FAIL: register {name}: expected {expected:08x}, got %h, in cycle %0d", '
        "word, cycle);"
        for name, register, expected in (("loaded", LOADED, 1), ("network", NETWORK, number)))


def _read_back(name: str, memory: str, region: Any) -> str:
    message = (f"FAIL: {memory}, row %0d, bits %0d and up: expected %h as in {name}.{memory}.hex, "
               "got %h, in cycle %0d")
    loop = _each_word(
        region, f"read_word({_address(region)});", f"if (word !== {_word(memory)})",
        f'  $fatal(1, "{message}",', f"         row, 32*part, {_word(memory)}, word, cycle);")
    return f"    // {memory}\n{loop}"

"""The page that goes with emitted Verilog: ports, timing, memories, and how to instantiate it."""

import pathlib
from typing import Any

from amaranth.hdl import Shape
from amaranth.lib import wiring

from gateware.control import LOADED, NETWORK, network_id
from model.encoder import Lookup


__all__ = ["describe_ports"]


def _ports(accelerator: Any) -> list[tuple[str, str, int]]:
    """Name, direction and width of each port, as the Verilog has them."""
    ports = [("clk", "input", 1), ("rst", "input", 1)]
    for path, member, _ in accelerator.signature.flatten(accelerator):
        direction = "output" if member.flow is wiring.Out else "input"
        ports.append(("__".join(map(str, path)), direction, Shape.cast(member.shape).width))
    return ports


def describe_ports(name: str, network: pathlib.Path, accelerator: Any, timing: Any, *,
                   empty: bool) -> str:
    """Markdown about an accelerator that was written as Verilog."""
    shape, first = accelerator.shape, accelerator.mapping.layers[0]
    bits, ports = shape.built.encoder.bits, _ports(accelerator)
    result = accelerator.o.payload.shape()
    rows = "".join(f"| `{port}` | {direction} | {width} |\n" for port, direction, width in ports)
    fields = "".join(f"| `{key}` | {field.offset + field.width - 1}:{field.offset} |\n"
                     for key, field in result)
    regions = "".join(
        f"| `{memory}` | {region.base:#x} | {region.depth} | {region.width} | {region.chunks} | "
        f"{1 << region.chunk_bits} |\n" for memory, region in accelerator.memories.items())
    wires = "".join(f"    .{port}({port}){',' if n < len(ports) - 1 else ''}\n"
                    for n, (port, _, _) in enumerate(ports))
    layers = "".join(f"| {n} | {layer.inputs} | {layer.outputs} | {layer.pe} | {layer.simd} | "
                     f"{layer.interval} |\n" for n, layer in enumerate(accelerator.mapping.layers))
    state = "The memories are empty at power-up: `loaded` is low until a host has written them." \
        if empty else "The memories hold the network from configuration on: `loaded` is high " \
                      "after reset."
    fills = "writes all memories over the bus from the files, " if empty else ""
    marked = "" if accelerator.mapping.batch == 1 else f"""
Images are worked on {accelerator.mapping.batch} at a time. A set highest bit of `i__payload` marks
the last word of a run of images, so that what came is not left waiting for more; the next run is
taken once it has left.
"""
    samples = "" if "samples" not in accelerator.memories else (
        f"`samples` holds how many bits are drawn of each pixel: a power of two up to "
        f"{accelerator.plan.samples}; anything else that is written there is ignored.\n\n")
    early = "" if not accelerator.counters else (
        "`layerN.detection` says how neurons of layer N end early: bit 0 that they may, and the "
        "bits above, where there are any, the factor of speculation, 0 for none. Counters may be "
        "read, and are not written:\n\n| counters | address | hold |\n|---|---|---|\n" + "".join(
            f"| `layer{n}.counts` | {region.base:#x} | cycles, planes run, planes skipped: a word "
            "each, since reset |\n" for n, region in accelerator.counters.items()) + "\n")
    most = ", at most" if accelerator.counters else ""
    looked_up = "" if not isinstance(shape.encoder, Lookup) else (
        "A pixel goes in as the number that the network's table has for it, of 0 first:\n\n"
        f"{', '.join(map(str, shape.encoder.table))}\n\n")
    return f"""# {name}

The network in `{network.name}`, {shape}, as one Verilog module. It is yours, to use for whatever
you like. {state}

| | |
|---|---|
| latency, one image alone | {timing.latency} cycles{most} |
| initiation interval | {timing.cycles_per_image} cycles an image{most} |
| words of pixels an image | {accelerator.words} |

## Ports

| port | direction | width |
|---|---|---|
{rows}
`clk`: everything happens on its rising edge. `rst` is synchronous and active high; memories keep
their contents.

`i` and `o` are streams: a word is transferred in each cycle in which `valid` and `ready` are both
high. `valid` never waits for `ready`, and a payload that waits does not change. Any pattern of
waits gives the same words.

`i__payload` holds {first.pixels} pixels of {bits} bits, the first in the lowest bits; an image is
{accelerator.words} words, and zeros fill up its last.

{looked_up}`o` brings {shape.classes} words an image,
one for each class in order:

| `o__payload` | bits |
|---|---|
{fields}
`score` is signed. `last` is high with the last class, and with it `best` is the class of the
greatest score, the lowest of equals.
{marked}
| layer | inputs | outputs | PE | SIMD | cycles |
|---|---|---|---|---|---|
{layers}
## Memories

The bus has words of 32 bits at word addresses, and is used while no image is inside. One cycle of
`bus__w_en` writes `bus__w_data` to `bus__addr`. One cycle of `bus__r_en` reads; `bus__r_valid` is
high for one cycle when `bus__r_data` is there, and the next access waits for that.

| memory | base | rows | bits a row | words a row | addresses a row |
|---|---|---|---|---|---|
{regions}
`{name}.MEMORY.hex` holds one row a line, for `$readmemh`. Word k of a row, its bits 32k to 32k+31,
lies at base + row × addresses a row + k. Networks of the
same shape can be written in place of this one.

| register | address | holds |
|---|---|---|
| `loaded` | {accelerator.control_address + LOADED:#x} | bit 0: the weights are there |
| `network` | {accelerator.control_address + NETWORK:#x} | \
which network's: a number of the host's choice, {network_id(accelerator.image):#x} at power-up |

{samples}{early}Write 0 to `loaded` before the memories are changed and 1 after; its bit is the
port of that name. `rst` changes neither register.

## Test bench

```
iverilog -g2012 -o sim *.v && vvp sim
```

`{name}_tb.v` needs a simulator and the files here, and nothing else. It {fills}reads all memories
back, sends the images with waits on both sides and again at full speed, and compares all scores and
the number of cycles. It prints `PASS`; or `FAIL` with the first difference, and ends with a status
other than 0.

`{name}.images.hex` holds the words of pixels, {accelerator.words} lines an image, as `i__payload`
takes them. `{name}.scores.hex` holds what the model answers, {shape.classes} lines an image, as
`o__payload` brings it; `best` is 0 there but in the last.

## Instance

```verilog
{name} {name}_0 (
{wires});
```
"""

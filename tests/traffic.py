"""What passes through a component, in words."""

import re

import numpy as np
from amaranth.hdl import Value
from amaranth.sim import Simulator

from model.packing import pack
from sim.bench import feed


__all__ = ["beats", "offers", "ports", "idle_bits"]


def beats(folding, planes):
    """Words that a layer takes for vectors of bits, vectors × planes × inputs."""
    padded = np.zeros((*planes.shape[:2], folding.folds * folding.simd), dtype=bool)
    padded[:, :, :folding.inputs] = planes
    folds = padded.reshape(*planes.shape[:2], folding.folds, folding.simd)
    words = folds.transpose(0, 2, 1, 3)
    return [word for vector in words for _ in range(folding.groups)
            for word in pack(vector, folding.simd)]


def offers(dut, payloads, limit=1_000):
    """Whether a component offers a word without being asked to, as a stream has to."""
    offered = []

    async def producer(ctx):
        await feed(ctx, dut.i, payloads)

    async def watcher(ctx):
        for _ in range(limit):
            _, _, valid = await ctx.tick().sample(dut.o.valid)
            if valid:
                offered.append(True)
                return

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(producer, background=True)
    sim.add_testbench(watcher)
    sim.run()
    return bool(offered)


def ports(component):
    """Bits of each of a component's members, those of its streams and buses included."""
    return {"_".join(map(str, path)): len(Value.cast(value))
            for path, member, value in component.signature.flatten(component)}


def idle_bits(vcd):
    """Bits that kept their level through a simulation, by signal: the component's own alone.

    A register that is wider than it has to be has some of them.
    """
    names, seen, scope = {}, {}, []
    for line in vcd.read_text().splitlines():
        if found := re.match(r"\$scope module (\S+)", line):
            scope.append(found[1])
        elif line.startswith("$upscope"):
            scope.pop()
        elif found := re.match(r"\$var wire (\d+) (\S+) (\w+)", line):   # no cells of memories
            if scope[2:] == ["dut"] and found[3] not in ("clk", "rst"):
                names[found[2]] = found[3], int(found[1])
        elif (found := re.match(r"b?([01]+) ?(\S+)$", line)) and found[2] in names:
            ones, zeros = seen.get(found[2], (0, 0))
            value, mask = int(found[1], 2), (1 << names[found[2]][1]) - 1
            seen[found[2]] = ones | value, zeros | ~value & mask
    idle = {names[code]: ~(ones & zeros) for code, (ones, zeros) in seen.items()}
    return {name: bin(bits & (1 << width) - 1) for (name, width), bits in idle.items()
            if bits & (1 << width) - 1}

"""What passes through a component, in words."""

import re
from contextlib import nullcontext

import numpy as np
from amaranth.back import rtlil
from amaranth.hdl import Cat, Elaboratable, Module, Value
from amaranth.lib import stream
from amaranth.sim import Simulator

from model.packing import pack
from sim.bench import drain, feed


__all__ = ["WithSums", "beats", "in_turn", "offers", "transfers", "simulate", "write", "read",
           "loaded", "ports", "registers", "memories", "widths", "idle_bits"]


class WithSums(Elaboratable):
    """A component whose sums go with what it offers, above it in each word."""

    def __init__(self, dut):
        self._dut = dut
        self.i = dut.i
        self.o = stream.Signature(len(self.payload)).create()

    @property
    def payload(self):
        return Cat(Value.cast(self._dut.o.payload), Value.cast(self._dut.sums))

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = self._dut
        m.d.comb += self.o.valid.eq(dut.o.valid)
        m.d.comb += self.o.payload.eq(self.payload)
        m.d.comb += dut.o.ready.eq(self.o.ready)
        return m


def beats(folding, planes):
    """Words that a layer takes for vectors of bits, vectors × planes × inputs, in full batches.

    Where there are several passes, a plane is there for each.
    """
    padded = np.zeros((*planes.shape[:2], folding.folds * folding.simd), dtype=bool)
    padded[:, :, :folding.inputs] = planes
    folds = padded.reshape(-1, folding.batch, len(folding.passes), len(folding.gains),
                           folding.folds, folding.simd)
    words = folds.transpose(0, 2, 4, 3, 1, 5)
    return [word for batch in words for each in batch for _ in range(folding.times)
            for word in pack(each, folding.simd * folding.batch)]


def in_turn(values, folding):
    """Of the values of a layer, in the order in which they leave: vectors × neurons."""
    batches = np.reshape(values, (-1, folding.words, folding.batch, folding.lanes))
    return batches.swapaxes(1, 2).reshape(-1, folding.words * folding.lanes)


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

    simulate(dut, watcher, producer)
    return bool(offered)


def transfers(dut, i, o, count, o_count, o_stalls):
    """Cycles in which words are taken from a stream that always has one, and from another."""
    taken = [], []

    async def consumer(ctx):
        await drain(ctx, o, o_count, o_stalls)

    async def producer(ctx):
        await feed(ctx, i, [0] * count)

    async def watcher(ctx):
        now = 0
        while len(taken[0]) < count or len(taken[1]) < o_count:
            assert now < 10_000
            _, _, *streams = await ctx.tick().sample(i.valid & i.ready, o.valid & o.ready)
            for cycles, transferred in zip(taken, streams, strict=True):
                if transferred:
                    cycles.append(now)
            now += 1

    simulate(dut, watcher, producer, consumer)
    return taken


def simulate(top, testbench, *others, vcd=None):
    """Run a testbench to its end, others beside it, and record all of it if given a file.

    A component that is no module is put into one, as its :py:`dut`.
    """
    m = top
    if not isinstance(top, Module):
        m = Module()
        m.submodules.dut = top
    sim = Simulator(m)
    sim.add_clock(1e-6)
    for other in others:
        sim.add_testbench(other, background=True)
    sim.add_testbench(testbench)
    with sim.write_vcd(str(vcd)) if vcd else nullcontext():
        sim.run()


async def write(ctx, bus, address, word):
    """Write one word over a bus."""
    ctx.set(bus.addr, address)
    ctx.set(bus.w_data, word)
    ctx.set(bus.w_en, 1)
    await ctx.tick()
    ctx.set(bus.w_en, 0)


async def read(ctx, bus, address, *, cycles=1):
    """Read one word over the bus of a memory, which answers some cycles later."""
    ctx.set(bus.addr, address)
    ctx.set(bus.r_en, 1)
    for _ in range(cycles):
        await ctx.tick()
        ctx.set(bus.r_en, 0)
        cycles -= 1
        assert ctx.get(bus.r_valid) == (cycles == 0)
    return ctx.get(bus.r_data)


async def fill(ctx, bus, region, rows):
    """Write rows of a memory that is alone on a bus, a word a cycle."""
    for row, value in enumerate(rows):
        for chunk in range(region.chunks):
            await write(ctx, bus, region.address(row, chunk), value >> 32 * chunk & 0xffff_ffff)


async def held(ctx, bus, region):
    """All rows of a memory that is alone on a bus."""
    return [sum([await read(ctx, bus, region.address(row, chunk)) << 32 * chunk
                 for chunk in range(region.chunks)]) for row in range(region.depth)]


def loaded(dut, memories, payloads, count, *, top=None):
    """Words that leave a component after a host has filled its memories, and read them back.

    Memories are (bus, region, rows). :py:`top` is what it is in, if it is in anything.
    """
    words = [(bus, region.address(row, chunk), value >> 32 * chunk & 0xffff_ffff)
             for bus, region, rows in memories for row, value in enumerate(rows)
             for chunk in range(region.chunks)]
    out = []

    async def host(ctx):
        for bus, address, word in words:
            await write(ctx, bus, address, word)
        for bus, address, word in words:
            assert await read(ctx, bus, address) == word
        await feed(ctx, dut.i, payloads)

    async def consumer(ctx):
        out.extend(await drain(ctx, dut.o, count))

    sim = Simulator(dut if top is None else top)
    sim.add_clock(1e-6)
    sim.add_testbench(host)
    sim.add_testbench(consumer)
    sim.run_until(2_000e-6)
    assert len(out) == count
    return out


def ports(component):
    """Bits of each of a component's members, those of its streams and buses included."""
    return {"_".join(map(str, path)): len(Value.cast(value))
            for path, member, value in component.signature.flatten(component)}


def registers(component):
    """Bits of each register of a component's own, and what it starts from, by each of its names."""
    found = re.findall(r"attribute \\init \d+'([01]+)\n *wire width (\d+) .*\\(\w+)",
                       rtlil.convert(component).partition("\nend\n")[0])
    return {name: (int(bits), int(init, 2)) for init, bits, name in found}


def memories(component):
    """Width and depth of each memory in a component, by the names of what it is in."""
    found, module = {}, ""
    for line in rtlil.convert(component).splitlines():
        if line.startswith("module "):
            module = line.partition(".")[2]
        elif match := re.match(r"\s*memory width (\d+) size (\d+) \\(\w+)", line):
            found[f"{module}.{match[3]}".lstrip(".")] = int(match[1]), int(match[2])
    return found


def widths(vcd, name="dut"):
    """Bits that signals in a component have, by their name: in the VCD some share one."""
    found, scope = {}, []
    for line in vcd.read_text().splitlines():
        if match := re.match(r"\$scope module (\S+)", line):
            scope.append(match[1])
        elif line.startswith("$upscope"):
            scope.pop()
        elif match := re.match(r"\$var \S+ (\d+) \S+ (\w+)", line):
            if scope[2:] == name.split("."):
                found.setdefault(match[2], set()).add(int(match[1]))
    return found


def idle_bits(vcd, name="dut"):
    """Bits that kept their level through a simulation, by signal: a component's own alone.

    A register that is wider than it has to be has some of them.
    """
    names, seen, scope = {}, {}, []
    for line in vcd.read_text().splitlines():
        if found := re.match(r"\$scope module (\S+)", line):
            scope.append(found[1])
        elif line.startswith("$upscope"):
            scope.pop()
        elif found := re.match(r"\$var wire (\d+) (\S+) (\w+)", line):   # no cells of memories
            if scope[2:] == name.split(".") and found[3] not in ("clk", "rst"):
                names[found[2]] = found[3], int(found[1])
        elif (found := re.match(r"b?([01]+) ?(\S+)$", line)) and found[2] in names:
            ones, zeros = seen.get(found[2], (0, 0))
            value, mask = int(found[1], 2), (1 << names[found[2]][1]) - 1
            seen[found[2]] = ones | value, zeros | ~value & mask
    idle = {names[code]: ~(ones & zeros) for code, (ones, zeros) in seen.items()}
    return {name: bin(bits & (1 << width) - 1) for (name, width), bits in idle.items()
            if bits & (1 << width) - 1}

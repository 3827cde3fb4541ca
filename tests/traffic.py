"""What passes through a component, in words."""

import numpy as np
from amaranth.sim import Simulator

from model.packing import pack
from sim.bench import feed


__all__ = ["beats", "offers"]


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

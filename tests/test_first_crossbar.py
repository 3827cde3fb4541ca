# amaranth: UnusedElaboratable=no

from dataclasses import replace

import numpy as np
import pytest

from gateware.first_crossbar import FirstCrossbar
from gateware.learning_folding import LearningFolding
from model.packing import pack_fields
from model.sign_update import Learner, SignUpdate
from sim.bench import feed

from .test_sign_update import contents, stream
from .traffic import fill, ports, simulate


SPEC = SignUpdate(9, 8, 2, bits=5, bias=2, filter=16)
NAMES = ("first", "draws_bits", "draws_rows")


def bits(values):
    return int(pack_fields(np.asarray(values)[None], 1, len(values))[0])


@pytest.mark.parametrize("given_, layout", [
    ({}, {"pe": 4, "pixels": 2}), ({}, {"pe": 8, "pixels": 4}), ({}, {"pe": 1, "pixels": 1}),
    ({"forward": "sign", "filter": 2}, {"pe": 2, "pixels": 8}),
    ({"hidden": 6}, {"pe": 2, "pixels": 2}),
    ({"hidden": 6}, {"pe": 2, "pixels": 2, "storage": "spram"}),
    ({}, {"pe": 8, "pixels": 4, "storage": "spram"})])
def test_rows_are_added_up_and_get_pulses(given_, layout):
    """Forward and back, image after image, with rates and groups that change drawn at random."""
    spec = replace(SPEC, **given_)
    folding, learner = LearningFolding(spec, **layout), Learner(spec)
    start, rng = folding.image(learner), np.random.default_rng(4)
    spram = folding.storage == "spram"
    dut = FirstCrossbar(folding, image={name: start[name] for name in NAMES
                                         if not (spram and name == "first")})
    images = rng.integers(0, 256, (9, 9))
    pixels, each = [word for n, word in enumerate(stream(folding, images, [0] * 9))
                    if (n + 1) % (folding.entering + 1)], folding.pe

    async def producer(ctx):
        if spram:
            await fill(ctx, dut.first_bus, folding.regions["first"], start["first"])
        await feed(ctx, dut.i, pixels)

    async def until_done(ctx):
        count = 1
        while not ctx.get(dut.done):
            assert count < 1_000
            await ctx.tick()
            count += 1
        return count - 1

    async def tb(ctx):
        for image in images:
            while not ctx.get(dut.full):
                await ctx.tick()
            drawn = image > learner.draws["bits"].take(9)
            active = np.concatenate([np.flatnonzero(drawn), [9, 10]])
            sums, _ = learner.forward(active)
            ctx.set(dut.forward, 1)
            await ctx.tick()
            ctx.set(dut.forward, 0)
            cycles = 0
            for group in range(folding.groups):
                while not ctx.get(dut.sums_en):
                    await ctx.tick()
                    cycles += 1
                ours = sums[group * each:(group + 1) * each]
                assert ctx.get(dut.sums_group) == group
                assert ctx.get(dut.signs) == bits(ours >= 0)
                near = (ours >= -spec.filter) & (ours < spec.filter)
                assert ctx.get(dut.near) == bits(near)
                assert ctx.get(dut.done) == (group == folding.groups - 1)
                await ctx.tick()
                cycles += 1
            assert cycles == folding.groups * (len(active) + 1) + 2

            # Rates are what is drawn for one of the rows now and then, which is then masked.
            state = learner.draws["rows"].state
            drawn = max(int(rng.choice(learner.draws["rows"].take(len(active)))), 1)
            learner.draws["rows"].state = state
            rate, changed = int(rng.choice([256, drawn])), rng.random(folding.groups) < 0.6
            changed[rng.integers(folding.groups)] = True
            steps = np.where(np.repeat(changed, each), rng.integers(-1, 2, spec.hidden), 0)
            ctx.set(dut.update, 1)
            ctx.set(dut.rate, rate)
            ctx.set(dut.changed, bits(changed))
            await ctx.tick()
            ctx.set(dut.update, 0)
            rows = active if rate == 256 else \
                active[learner.draws["rows"].take(len(active)) < rate]
            learner.first[rows] = (learner.first[rows] + steps).clip(-spec.top, spec.top)
            cycles, asked = 1, 0
            while not ctx.get(dut.done):
                asked = ctx.get(dut.group)
                await ctx.tick()
                ours = steps[asked * each:(asked + 1) * each]
                ctx.set(dut.up, bits(ours > 0))
                ctx.set(dut.down, bits(ours < 0))
                cycles += 1
            assert cycles == len(active) - len(rows) + 2 \
                + len(rows) * changed.sum() * (2 if spram else 1)
            ctx.set(dut.end, 1)
            await ctx.tick()
            ctx.set(dut.end, 0)
        await ctx.tick().repeat(3)
        found = await contents(ctx, dut, {name: folding.regions[name] for name in NAMES})
        expected = folding.image(learner)
        assert found == {name: expected[name] for name in NAMES}

    simulate(dut, tb, producer)


def test_what_there_is():
    assert ports(FirstCrossbar(LearningFolding(SPEC, pe=4, pixels=2), image={})) == {
        "i_payload": 16, "i_valid": 1, "i_ready": 1, "full": 1, "end": 1, "forward": 1,
        "update": 1, "done": 1, "rate": 9, "sums_en": 1, "sums_group": 1, "signs": 4, "near": 4,
        "changed": 2, "group": 1, "up": 4, "down": 4,
        **{f"{name}_bus_{port}": width for name, addr in (
            ("first", 5), ("draws_bits", 0), ("draws_rows", 0)) for port, width in (
                ("addr", addr), ("w_en", 1), ("w_data", 32), ("r_en", 1), ("r_data", 32),
                ("r_valid", 1))}}

# amaranth: UnusedElaboratable=no

from dataclasses import replace

import numpy as np
import pytest

from gateware.learning_folding import LearningFolding
from gateware.second_crossbar import SecondCrossbar
from model.draws import Draws
from model.sign_update import Learner, SignUpdate

from .test_first_crossbar import bits
from .test_sign_update import contents
from .traffic import ports, registers, simulate


SPEC = SignUpdate(3, 8, 3, bits=5, bias=2)

# One of the first bytes that losses are told by: a pulse that meets it is not lost.
FAULT = int(Draws(SPEC.lfsrs["faults"]).take(9).max())


@pytest.mark.parametrize("given_, layout", [
    ({}, {"pe": 4, "rows": 2}), ({}, {"pe": 8, "rows": 1}), ({}, {"pe": 2, "rows": 2}),
    ({"bias": 5}, {"pe": 8, "rows": 8}), ({"noise": FAULT}, {"pe": 4, "rows": 4}),
    ({"forward": "sign"}, {"pe": 4, "rows": 2}), ({"forward": "sign-first"}, {"pe": 1}),
    ({"hidden": 6, "classes": 5}, {"pe": 2})])
def test_scores_errors_and_pulses_are_those_of_the_model(given_, layout):
    spec = replace(SPEC, **given_)
    folding, learner = LearningFolding(spec, **layout), Learner(spec)
    rng = np.random.default_rng(2)
    # Counters that lost some pulses, so that errors are seen to go through the copy.
    learner.copy[:] = rng.integers(-spec.top, spec.top + 1, learner.copy.shape)
    image = folding.image(learner)
    regions = {name: region for name, region in folding.regions.items()
               if name in ("second", "copy", "draws_pulses", "draws_faults")}
    dut = SecondCrossbar(folding, image={name: image[name] for name in regions})
    each = folding.pe

    async def runs(ctx, port, signs, near):
        """Groups that were asked for are there in the next cycle; cycles, and changes."""
        cycles, found = 0, np.zeros(spec.hidden, dtype=int)
        ctx.set(port, 1)
        while not cycles or not ctx.get(dut.done):
            group = min(ctx.get(dut.group), folding.groups - 1)
            await ctx.tick()
            ctx.set(port, 0)
            ctx.set(dut.signs, bits(signs[group * each:(group + 1) * each]))
            ctx.set(dut.near, bits(near[group * each:(group + 1) * each]))
            cycles += 1
            if ctx.get(dut.changes_en):
                for n in range(each):
                    found[ctx.get(dut.changes_group) * each + n] = \
                        (ctx.get(dut.up) >> n & 1) - (ctx.get(dut.down) >> n & 1)
        return cycles, found

    async def tb(ctx):
        for n, rate in enumerate((256, 150, 20, 256, 200, 90)):
            if n % 2:
                # It is what is drawn for one of the pulses, which is then not given.
                state = learner.draws["pulses"].state
                rate = max(int(learner.draws["pulses"].take(9)[n]), 1)
                learner.draws["pulses"].state = state
            signs, near = (rng.random(spec.hidden) < 0.5 for _ in range(2))
            label, rival = rng.permutation(spec.classes)[:2].tolist()
            ctx.set(dut.label, label)
            ctx.set(dut.rival, rival)
            ctx.set(dut.rate, rate)
            plus = np.ones(spec.hidden + spec.bias, dtype=np.int16)
            plus[:spec.hidden][~signs] = -1
            cycles, _ = await runs(ctx, dut.scoring, signs, near)
            assert cycles == folding.words + 3
            seen = learner.second.astype(int) if spec.forward != "sign" else \
                np.where(learner.second < 0, -1, 1)
            for _ in range(4):
                assert list(ctx.get(dut.scores)) == (plus @ seen).tolist()
                await ctx.tick()

            copy = learner.copy.astype(int) if spec.forward != "sign" else \
                np.where(learner.copy < 0, -1, 1)
            errors = np.sign(copy[:spec.hidden, label] - copy[:spec.hidden, rival]) * near
            cycles, changes = await runs(ctx, dut.learning, signs, near)
            assert cycles == folding.words + 3 and changes.tolist() == errors.tolist()
            learner.pulse_second(label, rival, plus, rate)
        expected = folding.image(learner)
        assert await contents(ctx, dut, regions) == {name: expected[name] for name in regions}

    simulate(dut, tb)


@pytest.mark.parametrize("noise", [0, 1])
def test_what_there_is(noise):
    faults = {"draws_faults": 0} if noise else {}
    folding = LearningFolding(replace(SPEC, noise=noise), pe=4, rows=2)
    assert ports(SecondCrossbar(folding, image={})) == {
        "scoring": 1, "learning": 1, "done": 1, "group": 1, "signs": 4, "near": 4, "label": 2,
        "rival": 2, "rate": 9, "scores": 27, "changes_en": 1, "changes_group": 1, "up": 4,
        "down": 4, **{f"{name}_bus_{port}": width for name, addr in (
            {"second": 3, "copy": 3, "draws_pulses": 0} | faults).items() for port, width in (
                ("addr", addr), ("w_en", 1), ("w_data", 32), ("r_en", 1), ("r_data", 32),
                ("r_valid", 1))}}
    four = ports(SecondCrossbar(LearningFolding(replace(SPEC, classes=4), pe=4), image={}))
    assert four["label"] == four["rival"] == 2


@pytest.mark.parametrize("pe, rows, part, group", [
    (8, 1, 3, None), (8, 2, 2, None), (8, 8, None, None), (4, 1, 2, 1), (2, 2, None, 2)])
def test_registers_hold_what_they_may_be_and_no_more(pe, rows, part, group):
    dut = SecondCrossbar(LearningFolding(SPEC, pe=pe, rows=rows), image={})
    found = registers(dut)
    widths = {"part": part, "group": group, "word": ((8 + SPEC.bias - 1) // rows).bit_length()}
    for name, width in widths.items():
        assert found.get(name, (None,))[0] == width, name

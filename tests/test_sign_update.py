# amaranth: UnusedElaboratable=no

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, strategies as st

import gateware.sign_update
from gateware.learning_folding import LearningFolding
from model.convergence import Convergence
from model.lfsr import Lfsr
from model.packing import pack_fields
from model.sign_update import FORWARDS, Learner, SignUpdate
from sim.bench import feed

from .traffic import fill, held, ports, simulate


class Plain:
    """The rule in plain numbers, one counter after another."""

    def __init__(self, learner):
        self.spec, self.control = learner.spec, learner.control.spec
        self.first, self.second = learner.first.tolist(), learner.second.tolist()
        self.copy = learner.copy.tolist()
        self.states = {name: lfsr.seed for name, lfsr in self.spec.lfsrs.items()}
        self.samples = self.level = 0

    def drawn(self, name):
        state = self.states[name]
        self.states[name] = Lfsr(32).after(1, state)
        return state & 255

    def seen(self, counter, signs):
        return counter if not signs else 1 if counter >= 0 else -1

    def pulse(self, row, place, step):
        row[place] = max(-self.spec.top, min(self.spec.top, row[place] + step))

    def step(self, pixels, label):
        spec = self.spec
        active = [n for n, pixel in enumerate(pixels) if pixel > self.drawn("bits")]
        active += range(spec.inputs, spec.inputs + spec.bias)
        sums = [sum(self.seen(self.first[row][j], spec.forward != "integer") for row in active)
                for j in range(spec.hidden)]
        signs = [1 if each >= 0 else -1 for each in sums] + [1] * spec.bias
        scores = [sum(sign * self.seen(row[k], spec.forward == "sign")
                      for sign, row in zip(signs, self.second, strict=True))
                  for k in range(spec.classes)]
        if label >= spec.classes:
            return scores
        rate = self.control.rates[self.level]
        self.samples += 1
        if self.samples in self.control.until:
            self.level += 1
        rival = max((k for k in range(spec.classes) if k != label), key=lambda k: (scores[k], -k))
        if scores[label] - scores[rival] >= spec.margin:
            return scores
        changes = []
        for row, each in zip(self.copy, sums, strict=False):
            right, wrong = (self.seen(row[k], spec.forward == "sign") for k in (label, rival))
            changes.append((right > wrong) - (right < wrong) if -spec.filter <= each < spec.filter
                           else 0)
        for row, copied, sign in zip(self.second, self.copy, signs, strict=True):
            for k, step in ((label, sign), (rival, -sign)):
                given = rate == 256 or self.drawn("pulses") < rate
                lost = spec.noise and self.drawn("faults") < spec.noise
                if given:
                    self.pulse(row, k, step)
                if given and not lost:
                    self.pulse(copied, k, step)
        for row in active if any(changes) else ():
            if rate == 256 or self.drawn("rows") < rate:
                for j, change in enumerate(changes):
                    self.pulse(self.first[row], j, change)
        return scores


specs = st.builds(
    SignUpdate, inputs=st.integers(1, 9), hidden=st.integers(1, 7), classes=st.integers(2, 4),
    bits=st.integers(4, 6), bias=st.integers(0, 3), margin=st.integers(0, 60),
    filter=st.sampled_from([1, 2, 4, 8, 16, 32]), forward=st.sampled_from(FORWARDS),
    noise=st.sampled_from([0, 90]), seed=st.integers(0, 9))


@given(spec=specs, data=st.data())
def test_each_image_does_what_the_rule_says(spec, data):
    rates = data.draw(st.sampled_from([(256,), (256, 100), (180, 256, 30)]))
    learner = Learner(spec, Convergence(rates, tuple(7 * (n + 1) for n in range(len(rates) - 1))))
    plain = Plain(learner)
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    images = rng.integers(0, 256, (20, spec.inputs), dtype=np.uint8)
    labels = rng.integers(0, spec.classes + 1, 20)
    for step, pixels, label in zip(learner.learn(images, labels), images.tolist(),
                                   labels.tolist(), strict=True):
        assert step.scores.tolist() == plain.step(pixels, label)
        assert learner.first.tolist() == plain.first
        assert learner.second.tolist() == plain.second
        assert learner.copy.tolist() == plain.copy
        assert {name: draws.state for name, draws in learner.draws.items()} == plain.states
        assert learner.control.level == plain.level


def learner(**given_):
    return Learner(SignUpdate(6, 5, 3, **{"bits": 4, "margin": 40} | given_))


def test_the_copy_differs_only_where_pulses_were_lost():
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (300, 6)), rng.integers(0, 3, 300)
    whole, lossy = learner(), learner(noise=128)
    for _ in whole.learn(images, labels):
        assert (whole.copy == whole.second).all()
    assert any((lossy.copy != lossy.second).any() for _ in lossy.learn(images, labels))
    # Nothing is drawn for what cannot be lost.
    assert whole.draws["faults"].state == whole.spec.lfsrs["faults"].seed


def test_what_is_won_by_the_margin_changes_nothing():
    found = learner(margin=0)
    found.second[:] = [[7, -7, -7]] * 9
    found.first[:] = 7
    before = [counters.copy() for counters in (found.first, found.second, found.copy)]
    step = found.step(np.full(6, 255), 0)
    assert not step.learned and step.written == 0 and step.changes.size == 0
    assert step.scores.tolist() == [63, -63, -63]
    for counters, old in zip((found.first, found.second, found.copy), before, strict=True):
        assert (counters == old).all()
    assert {name for name, draws in found.draws.items()
            if draws.state != found.spec.lfsrs[name].seed} == {"bits"}


def test_a_margin_that_is_met_exactly_is_enough():
    for margin, learned in ((126, False), (127, True)):
        found = learner(margin=margin)
        found.second[:], found.first[:] = [[7, -7, -7]] * 9, 7
        assert found.step(np.full(6, 255), 0).learned == learned


@pytest.mark.parametrize("counter, bias, learns", [
    (7, 3, True), (7, 4, False), (8, 2, False), (9, 1, True), (9, 2, False), (-8, 2, True),
    (-8, 3, False), (-9, 1, True), (-5, 7, False), (-16, 0, False), (16, 0, False)])
def test_neurons_far_from_zero_do_not_learn(counter, bias, learns):
    """Six rows of inputs and some of the bias, and a filter of 64."""
    found = learner(filter=64, bits=6, bias=bias)
    found.first[:], found.second[:] = counter, 0
    found.copy[:] = [[1, 0, 0]] * (5 + bias)
    step = found.step(np.full(6, 255), 0)
    # A pixel of 255 is drawn as 1, but for one byte in 256, and none of these six is that.
    assert step.active == 6 + bias and (step.changes == learns).all()


def test_counters_start_at_random_and_within_their_range():
    for bits, first, second in ((4, 7, 7), (5, 15, 8), (8, 16, 8), (12, 16, 8)):
        found = Learner(SignUpdate(40, 30, 10, bits=bits))
        assert (abs(found.first).max(), abs(found.second).max()) == (first, second)
        assert abs(found.first.mean()) < 1.5
    assert (Learner(SignUpdate(4, 3, 2, seed=1)).first
            != Learner(SignUpdate(4, 3, 2, seed=2)).first).any()


def test_draws_are_evenly_apart_on_one_cycle():
    lfsrs = SignUpdate(4, 3, 2, seed=3).lfsrs
    assert list(lfsrs) == ["bits", "rows", "pulses", "faults"]
    start = Lfsr(32).after(3 * 1_000_003)
    assert [each.seed for each in lfsrs.values()] \
        == [Lfsr(32).after(n * ((2 ** 32 - 1) // 4), start) for n in range(4)]


GOOD = SignUpdate(4, 3, 2)


@pytest.mark.parametrize("name, value, message", [
    ("inputs", 0, "Inputs must be between 1 and 4096, not 0"),
    ("hidden", 4_097, "Hidden must be between 1 and 4096, not 4097"),
    ("classes", 1, "Classes must be between 2 and 256, not 1"),
    ("bits", 3, "Bits must be between 4 and 12, not 3"),
    ("bits", 13, "Bits must be between 4 and 12, not 13"),
    ("bias", -1, "Bias must be between 0 and 64, not -1"),
    ("margin", -1, "Margin must be at least 0, not -1"),
    ("filter", 0, "Filter must be at least 1, not 0"),
    ("filter", 12, "Filter must be a power of two, not 12"),
    ("noise", 256, "Noise must be between 0 and 255, not 256"),
    ("seed", -1, "Seed must be at least 0, not -1"),
    ("forward", "float", "Forward must be one of integer, sign-first, sign, not 'float'")])
def test_bad_rules(name, value, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        replace(GOOD, **{name: value})
    if name != "forward":
        with pytest.raises(TypeError, match="must be an integer, not 1.5$"):
            replace(GOOD, **{name: 1.5})


def stream(folding, images, labels):
    """Words of images and labels."""
    pixels, words = folding.pixels, []
    for image, label in zip(images, labels, strict=True):
        padded = np.zeros((1, folding.entering * pixels), dtype=int)
        padded[0, :folding.spec.inputs] = image
        words += [*pack_fields(padded, 8, pixels), label]
    return words


async def contents(ctx, dut, regions):
    """All that a host can read."""
    return {name: await held(ctx, getattr(dut, f"{name}_bus"), region)
            for name, region in regions.items()}


async def write_all(ctx, dut, folding, image):
    for name, region in folding.regions.items():
        await fill(ctx, getattr(dut, f"{name}_bus"), region, image[name])


def learns(learner, folding, images, labels, *, i_stalls=(0,), o_stalls=(0,), written=False):
    """Have hardware learn images, and compare all there is after each of them.

    What is in its memories at power-up, or what a host writes, is what the learner has come to.
    """
    start, spec = folding.image(learner), folding.spec
    empty = written or folding.storage == "spram"
    dut = gateware.sign_update.SignUpdate(folding, image={} if empty else start)
    words, each, left = stream(folding, images, labels), folding.entering + 1, 0

    async def producer(ctx):
        nonlocal left
        for n in range(len(images)):
            while not left:
                await ctx.tick()
            await feed(ctx, dut.i, words[n * each:(n + 1) * each], i_stalls)
            left -= 1

    async def tb(ctx):
        nonlocal left
        await ctx.tick().repeat(4)
        if empty:
            await write_all(ctx, dut, folding, start)
        for image, label in zip(images, labels, strict=True):
            step = learner.step(image, label)
            left += 1
            for k in range(spec.classes):
                ctx.set(dut.o.ready, 0)
                await ctx.tick().repeat(1 + o_stalls[k % len(o_stalls)])
                ctx.set(dut.o.ready, 1)
                payload = await ctx.tick().sample(dut.o.payload).until(dut.o.valid)
                assert payload[0].score == step.scores[k]
                assert payload[0].last == (k == spec.classes - 1)
            assert payload[0].best == step.scores.argmax()
            ctx.set(dut.o.ready, 0)
            await ctx.tick().until(dut.idle)
            await ctx.tick().repeat(12)   # the rate is the next one's
            found = await contents(ctx, dut, folding.regions)
            for name, rows in folding.image(learner).items():
                assert found[name] == rows, name

    simulate(dut, tb, producer)


SPEC = SignUpdate(9, 8, 3, bits=4, bias=2, margin=30, filter=16)


@pytest.mark.parametrize("given_, layout, written", [
    ({}, {"pe": 4, "rows": 2, "pixels": 2}, False), ({}, {"pe": 8, "rows": 1, "pixels": 4}, True),
    ({"bits": 7, "margin": 200, "filter": 64}, {"pe": 2, "rows": 2, "pixels": 1}, True),
    ({"noise": 90}, {"pe": 2, "rows": 1, "pixels": 1}, False),
    ({"noise": 90, "bias": 5}, {"pe": 4, "rows": 4, "pixels": 2, "storage": "spram"}, True),
    ({"forward": "sign", "margin": 6, "filter": 4}, {"pe": 8, "rows": 4, "pixels": 4}, False),
    ({"forward": "sign", "margin": 9}, {"pe": 1, "rows": 1, "pixels": 8}, True),
    ({"forward": "sign-first", "filter": 2}, {"pe": 4, "rows": 4, "storage": "spram"}, True),
    ({"inputs": 1, "hidden": 1, "classes": 2, "bias": 1}, {"pe": 1, "pixels": 4}, False),
    ({"inputs": 5, "hidden": 6, "classes": 5}, {"pe": 2, "rows": 2, "pixels": 1}, False)])
def test_gateware_matches_model(given_, layout, written):
    spec = replace(SPEC, **given_)
    rng = np.random.default_rng(len(str(given_)))
    found = Learner(spec, Convergence((256, 120, 60), (4, 9)))
    images = rng.integers(0, 256, (14, spec.inputs)) * (rng.random((14, spec.inputs)) < 0.7)
    labels = rng.integers(0, spec.classes, 14).tolist()
    labels[5] = 200   # no class
    i_stalls, o_stalls = (rng.integers(0, 3, count).tolist() for count in (7, 5))
    learns(found, LearningFolding(spec, **layout), images, labels, i_stalls=i_stalls,
           o_stalls=o_stalls, written=written)
    # All three rates were in use, and some of the images were learned.
    assert found.control.rate == 60
    assert (found.first != Learner(spec).first).any() and (found.copy != Learner(spec).copy).any()


def test_rates_by_themselves():
    rng = np.random.default_rng(3)
    found = Learner(SPEC, Convergence((256, 30), window=3))
    images, labels = rng.integers(0, 256, (9, 9)), rng.integers(0, 3, 9).tolist()
    learns(found, LearningFolding(SPEC, pe=4), images, labels)
    assert found.control.rate == 30


@pytest.mark.parametrize("given_, layout, learned", [
    ({"margin": 9}, {"pe": 4, "rows": 2, "pixels": 2}, {False, True}),
    ({"margin": 1}, {"pe": 2, "rows": 1, "pixels": 4}, {False, True}),
    ({"margin": 9_999}, {"pe": 8, "rows": 8, "pixels": 4}, {True}),
    ({"filter": 1, "margin": 9}, {"pe": 2, "rows": 2, "pixels": 8}, {False, True}),
    ({"margin": 9_999}, {"pe": 4, "rows": 2, "pixels": 8, "storage": "spram"}, {True})])
@pytest.mark.parametrize("rate", [256, 100])
def test_cycles_are_those_that_are_predicted(given_, layout, learned, rate):
    """From the last score of an image to that of the next one, when images press."""
    spec = replace(SPEC, **given_)
    folding, learner = LearningFolding(spec, **layout), Learner(spec, Convergence((rate,)))
    rng = np.random.default_rng(1)
    images, labels = rng.integers(0, 256, (12, 9)), rng.integers(0, 3, 12).tolist()
    start, seen = folding.image(learner), []
    empty = folding.storage == "spram"
    dut = gateware.sign_update.SignUpdate(folding, image={} if empty else start)

    async def producer(ctx):
        if empty:
            await write_all(ctx, dut, folding, start)
        await feed(ctx, dut.i, stream(folding, images, labels))

    async def tb(ctx):
        ctx.set(dut.o.ready, 1)
        cycle = 0
        async for _, _, valid, last in ctx.tick().sample(dut.o.valid, dut.o.payload.last):
            cycle += 1
            if valid and last:
                seen.append(cycle)
            if len(seen) == 12:
                return

    simulate(dut, tb, producer)
    steps = list(learner.learn(images, labels))
    cycles = [folding.cycles(step) for step in steps]
    assert {step.learned for step in steps} == learned
    assert np.diff(seen).tolist() == cycles[1:]


def test_what_there_is():
    folding = LearningFolding(SPEC, pe=4, rows=2, pixels=2)
    found = {name: width for name, width in ports(gateware.sign_update.SignUpdate(folding)).items()
             if "_bus_" not in name}
    assert found == {"i_payload": 16, "i_valid": 1, "i_ready": 1, "o_payload": 11, "o_valid": 1,
                     "o_ready": 1, "idle": 1}

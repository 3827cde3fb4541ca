from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, strategies as st

from model.convergence import Convergence
from model.lfsr import Lfsr
from model.sign_update import FORWARDS, Learner, SignUpdate


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
        rate = self.control.rates[self.level]
        self.samples += 1
        if self.samples in self.control.until:
            self.level += 1
        active = [n for n, pixel in enumerate(pixels) if pixel > self.drawn("bits")]
        active += range(spec.inputs, spec.inputs + spec.bias)
        sums = [sum(self.seen(self.first[row][j], spec.forward != "integer") for row in active)
                for j in range(spec.hidden)]
        signs = [1 if each >= 0 else -1 for each in sums] + [1] * spec.bias
        scores = [sum(sign * self.seen(row[k], spec.forward == "sign")
                      for sign, row in zip(signs, self.second, strict=True))
                  for k in range(spec.classes)]
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
    labels = rng.integers(0, spec.classes, 20)
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

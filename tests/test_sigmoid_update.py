"""Learning with real weights, against loops that follow the rule a weight at a time."""

import math

import numpy as np
import pytest

from model.sigmoid_update import FILTERS, SigmoidLearner, SigmoidUpdate


SPEC = {"inputs": 12, "hidden": 7, "classes": 3, "rate": 0.05, "window": 10, "dead_zone": 0.3}


def images(count=60, seed=0):
    """Images of three classes, each with a third of its pixels lit."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, count)
    lit = np.arange(12) // 4 == labels[:, None]
    return (lit * rng.uniform(0.5, 1, lit.shape)).astype(np.float32), labels


def expected(learner, pixels, label):
    """First, second and δ after an image, by the rule and by nothing else, without noise."""
    spec = learner.spec
    first, second = learner.first.astype(float), learner.second.astype(float)
    copy = learner.copy.astype(float)

    def sigmoid(total):
        return 1 / (1 + math.exp(-total))

    hidden = [sigmoid(sum(pixels[i] * first[i, j] for i in range(spec.inputs)))
              for j in range(spec.hidden)]
    outputs = [sigmoid(sum(hidden[j] * second[j, k] for j in range(spec.hidden)))
               for k in range(spec.classes)]
    errors = [(k == label) - output for k, output in enumerate(outputs)]
    errors = [0 if abs(error) < spec.dead_zone else error for error in errors]
    changes = []
    for j in range(spec.hidden):
        steep = spec.edge < hidden[j] < 1 - spec.edge
        passes = {"steep": steep, "flat": not steep, "none": True}[spec.filter]
        changes.append(passes * np.sign(sum(copy[j, k] * errors[k]
                                            for k in range(spec.classes))))
    if any(errors):
        for j in range(spec.hidden):
            for k in range(spec.classes):
                second[j, k] += learner.rate * np.sign(errors[k]) * hidden[j]
            for i in range(spec.inputs):
                first[i, j] += learner.rate * changes[j] * pixels[i]
    return outputs, first, second, changes if any(errors) else []


@pytest.mark.parametrize("filter", FILTERS)
@pytest.mark.parametrize("dead_zone", [0, 0.3, 0.6])
def test_the_rule(filter, dead_zone):
    learner = SigmoidLearner(SigmoidUpdate(
        **SPEC | {"dead_zone": dead_zone}, filter=filter, edge=0.3, start=1, falling=0))
    learned, passed = [], 0
    for pixels, label in zip(*images(), strict=True):
        outputs, first, second, changes = expected(learner, pixels, label)
        step = learner.step(pixels, label)
        assert step.outputs == pytest.approx(outputs, abs=1e-5)
        assert step.learned == bool(len(changes)) and step.changes.tolist() == list(changes)
        assert learner.first == pytest.approx(first, abs=1e-5)
        assert learner.second == pytest.approx(second, abs=1e-5)
        assert (learner.copy == learner.second).all()   # without noise they are one
        learned.append(step.learned)
        passed += np.count_nonzero(step.changes)
    assert any(learned) and passed
    if dead_zone != 0.3:
        assert all(learned) == (dead_zone == 0)


def test_changes_go_down_the_gradient():
    """Signs of what is not filtered out are those of the derivative of the squared error."""
    learner = SigmoidLearner(SigmoidUpdate(**SPEC | {"dead_zone": 0}, edge=0, start=0.5))
    pixels, label = images(1)[0][0], int(images(1)[1][0])

    def loss(first, second):
        hidden = 1 / (1 + np.exp(-pixels.astype(float) @ first))
        outputs = 1 / (1 + np.exp(-hidden @ second))
        return ((np.eye(3)[label] - outputs) ** 2).sum()

    before = learner.first.astype(float), learner.second.astype(float)
    learner.step(pixels, label)
    moved = learner.second - before[1]
    for j, k in np.ndindex(7, 3):
        bent = before[1].copy()
        bent[j, k] += 1e-4
        assert np.sign(moved[j, k]) == -np.sign(loss(before[0], bent) - loss(*before))
    assert loss(learner.first.astype(float), learner.second.astype(float)) < loss(*before)


def test_filters_are_opposites():
    pixels, labels = images()
    steps = {name: SigmoidLearner(SigmoidUpdate(**SPEC, filter=name, edge=0.3, start=1)).step(
        pixels[0], labels[0]).changes for name in FILTERS}
    assert (steps["steep"] + steps["flat"] == steps["none"]).all()
    assert steps["steep"].any() and steps["flat"].any()


def test_what_is_dark_or_good_enough_changes_nothing():
    learner = SigmoidLearner(SigmoidUpdate(**SPEC))
    pixels, labels = images(1)
    dark = pixels[0] == 0
    first = learner.first.copy()
    assert learner.step(pixels[0], labels[0]).learned
    changed = (learner.first != first).any(axis=1)
    assert (changed == ~dark).all()
    first, second = learner.first.copy(), learner.second.copy()
    # Outputs are near a half to begin with, less than this from both.
    learner.spec = SigmoidUpdate(**SPEC | {"dead_zone": 1})
    assert not learner.step(pixels[0], labels[0]).learned
    assert (learner.first == first).all() and (learner.second == second).all()


def test_it_learns_until_it_is_over():
    spec = SigmoidUpdate(**SPEC | {"window": 200}, decay=2, span=8, falling=0)
    learner = SigmoidLearner(spec)
    pixels, labels = images(1_000)
    steps = list(learner.learn(pixels, labels))
    # Four passes: at the rate, and at a half, a quarter and an eighth of it.
    assert len(steps) == learner.samples == 800 and learner.done
    assert not list(learner.learn(pixels, labels))
    again, truth = images(200, seed=1)
    assert (learner.outputs(again).argmax(axis=1) == truth).mean() > 0.9
    assert learner.samples == 800


def test_a_pass_with_no_fewer_errors_lowers_the_rate():
    learner = SigmoidLearner(SigmoidUpdate(**SPEC | {"dead_zone": 1}, decay=2, falling=0.8))
    pixels, _ = images(1)
    guess = int(learner.step(pixels[0], 0).outputs.argmax())   # nothing changes it
    learner = SigmoidLearner(learner.spec)
    found = []
    for wrong in (9, 10, 8, 7, 0, 0):
        for n in range(10):
            learner.step(pixels[0], (guess + (n < wrong)) % 3)
        found.append(learner.spec.rate / learner.rate)
    # 10 and 8 are at least 0.8 times as many as before, and so is 7; none is of 7, but not of none.
    assert found == [1, 2, 4, 8, 8, 16]


def test_noise_spoils_each_write_by_a_share():
    spec = SPEC | {"inputs": 400, "dead_zone": 0}
    pixels = np.ones(400, dtype=np.float32)
    exact = SigmoidLearner(SigmoidUpdate(**spec, edge=0))
    noisy = SigmoidLearner(SigmoidUpdate(**spec, edge=0, noise=0.1))
    first, copy = exact.first.copy(), exact.copy.copy()
    assert (noisy.first == first).all()
    exact.step(pixels, 0)
    noisy.step(pixels, 0)
    shares = (noisy.first - first) / (exact.first - first) - 1
    assert abs(shares.mean()) < 0.01 and abs(shares.std() - 0.1) < 0.01
    assert abs(np.corrcoef(shares[:200].ravel(), shares[200:].ravel())[0, 1]) < 0.1
    # The copy is spoilt otherwise than what it is a copy of.
    assert (noisy.copy != noisy.second).all()
    assert (noisy.copy - copy) / (exact.copy - copy) == pytest.approx(1, abs=0.5)


@pytest.mark.parametrize("noise", [0, 0.05])
def test_seeds(noise):
    pixels, labels = images()
    learners = [SigmoidLearner(SigmoidUpdate(**SPEC, noise=noise, seed=seed))
                for seed in (1, 1, 2)]
    for learner in learners:
        list(learner.learn(pixels, labels))
    first, same, other = (learner.first for learner in learners)
    assert (first == same).all() and (learners[0].copy == learners[1].copy).all()
    assert (first != other).any()
    assert first.dtype == learners[0].second.dtype == learners[0].copy.dtype == np.float32


def test_large_sums_overflow_nowhere():
    learner = SigmoidLearner(SigmoidUpdate(**SPEC, start=10))
    learner.first *= 100
    outputs = learner.outputs(images()[0])
    assert np.isfinite(outputs).all() and (outputs >= 0).all() and (outputs <= 1).all()


@pytest.mark.parametrize("given, error, message", [
    ({"hidden": 0}, ValueError, "Hidden must be at least 1, not 0"),
    ({"classes": 1}, ValueError, "Classes must be at least 2, not 1"),
    ({"inputs": 1.5}, TypeError, "Inputs must be an integer, not 1.5"),
    ({"window": 0}, ValueError, "Window must be at least 1, not 0"),
    ({"seed": -1}, ValueError, "Seed must be at least 0, not -1"),
    ({"rate": 0}, ValueError, "Rate must be above 0, not 0"),
    ({"rate": 2}, ValueError, "Rate must be between 0 and 1, not 2"),
    ({"rate": "1"}, TypeError, "Rate must be a number, not '1'"),
    ({"decay": 1}, ValueError, "Decay must be above 1, not 1"),
    ({"decay": 0.5}, ValueError, "Decay must be between 1 and 256, not 0.5"),
    ({"falling": 1.1}, ValueError, "Falling must be between 0 and 1, not 1.1"),
    ({"span": 0.5}, ValueError, "Span must be at least 1 and finite, not 0.5"),
    ({"dead_zone": -0.1}, ValueError, "Dead zone must be between 0 and 1, not -0.1"),
    ({"edge": 0.6}, ValueError, "Edge must be between 0 and 0.5, not 0.6"),
    ({"noise": math.nan}, ValueError, "Noise must be between 0 and 1, not nan"),
    ({"start": -1}, ValueError, "Start must be between 0 and 10, not -1"),
    ({"filter": "printed"}, ValueError, "Filter must be one of steep, flat, none, not 'printed'"),
])
def test_what_a_rule_cannot_be(given, error, message):
    with pytest.raises(error, match=f"^{message}$"):
        SigmoidUpdate(**SPEC | given)

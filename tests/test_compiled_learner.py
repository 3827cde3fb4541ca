"""Machine code learns the bits that NumPy learns."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from model import checkpoint, compiled_learner
from model.compiled_learner import CompiledLearner, fastest
from model.convergence import Convergence
from model.sign_update import FORWARDS, Learner, SignUpdate


needs_numba = pytest.mark.skipif(not compiled_learner.can_compile(),
                                 reason="no Numba: pip install 'ohmbit[numba]'")


@pytest.fixture(params=[pytest.param("compiled", marks=needs_numba), "interpreted"])
def loop(request, monkeypatch):
    """The loop as machine code, and as Python runs it, which needs no Numba."""
    if request.param == "interpreted":
        monkeypatch.setattr(compiled_learner, "_compiled", lambda: compiled_learner._learn)


specs = st.builds(
    SignUpdate, inputs=st.integers(1, 40), hidden=st.integers(1, 20), classes=st.integers(2, 6),
    bits=st.integers(4, 12), bias=st.integers(0, 5), margin=st.sampled_from([0, 3, 40, 300, 2**70]),
    filter=st.sampled_from([1, 4, 16, 64, 2 ** 80]), forward=st.sampled_from(FORWARDS),
    noise=st.sampled_from([0, 1, 90, 255]), seed=st.integers(0, 9))

convergences = st.sampled_from([
    Convergence(), Convergence((100,)), Convergence((256, 100), (9,)),
    Convergence((180, 256, 1), (5, 21)), Convergence((256, 128, 64), window=1),
    Convergence((256, 90, 30, 10), window=6)])


def equal(one, other):
    """All that images have changed."""
    found = other.state()
    return all((value == found[name]).all() and value.dtype == found[name].dtype
               for name, value in one.state().items()) and one.control == other.control


def same(one, other):
    """Two steps."""
    assert one[1:4] == other[1:4] and list(map(type, one)) == list(map(type, other))
    for name in ("scores", "changes"):
        left, right = getattr(one, name), getattr(other, name)
        assert left.dtype == right.dtype and left.tolist() == right.tolist()


def images_of(spec, count, seed=0):
    """Images of which half the pixels are dark, and labels of which some are no class's."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (count, spec.inputs)) * (rng.random((count, spec.inputs)) < 0.5)
    return images.astype(np.uint8), rng.integers(0, spec.classes + 1, count)


@needs_numba
@given(spec=specs, convergence=convergences, seed=st.integers(0, 99))
def test_equal_after_each_image(spec, convergence, seed):
    plain, fast = Learner(spec, convergence), CompiledLearner(spec, convergence)
    for image, label in zip(*images_of(spec, 30, seed), strict=True):
        step, = fast.learn([image], [label])
        same(plain.step(image, label), step)
        assert equal(plain, fast)


RULES = [{}, {"noise": 90, "bits": 5}, {"forward": "sign-first", "filter": 8},
         {"forward": "sign", "margin": 8, "filter": 4, "bits": 4}, {"bias": 0, "margin": 60}]


@pytest.mark.parametrize("given_", RULES)
def test_many_images_at_once(loop, given_, monkeypatch):
    monkeypatch.setattr(compiled_learner, "AHEAD", 32)
    spec = SignUpdate(30, 16, 4, **{"margin": 90, "filter": 64} | given_)
    convergence = Convergence((256, 120, 40), (40, 90))
    plain, fast = Learner(spec, convergence), CompiledLearner(spec, convergence)
    images, labels = images_of(spec, 120)
    steps = list(plain.learn(images, labels))
    for one, other in zip(steps, fast.learn(images.astype(np.int64), labels), strict=True):
        same(one, other)
    assert equal(plain, fast)
    assert {step.learned for step in steps} == {True, False} and plain.control.level == 2


def test_pixels_beyond_a_byte_are_always_seen(loop):
    plain, fast = (kind(SignUpdate(3, 2, 2)) for kind in (Learner, CompiledLearner))
    images = [[256, 70_000, -5]] * 40
    for one, other in zip(plain.learn(images, [0, 1] * 20), fast.learn(images, [0, 1] * 20),
                          strict=True):
        same(one, other)
        assert one.active == 6


@pytest.mark.parametrize("forward", FORWARDS)
def test_either_goes_on_where_the_other_stopped(loop, forward, tmp_path):
    spec = SignUpdate(20, 10, 3, forward=forward, margin=50, filter=32, noise=40)
    convergence = Convergence((256, 150, 70), window=12)
    whole, path = Learner(spec, convergence), tmp_path / "kept.npz"
    images, labels = images_of(spec, 90)
    list(whole.learn(images, labels))
    kinds = [CompiledLearner, Learner]
    for order in (kinds, kinds[::-1]):
        found = order[0](spec, convergence)
        for n in range(0, 90, 15):
            list(found.learn(images[n:n + 15], labels[n:n + 15]))
            checkpoint.save(path, found, {})
            found = order[n // 15 % 2](spec, convergence)
            checkpoint.restore(path, found, {})
        assert equal(whole, found)
        # In memory, too: a step of NumPy's goes on from what the loop left.
        fast = CompiledLearner(spec, convergence)
        list(fast.learn(images[:50], labels[:50]))
        for image, label in zip(images[50:], labels[50:], strict=True):
            fast.step(image, label)
        assert equal(whole, fast)


def test_nothing_to_learn(loop):
    assert not list(CompiledLearner(SignUpdate(3, 2, 2)).learn(np.empty((0, 3)), []))


@pytest.mark.parametrize("images, labels, message", [
    (np.zeros((2, 4)), [0, 1], r"Images must be 2 of 3 pixels, as there are labels, not \(2, 4\)"),
    (np.zeros((2, 3)), [0], r"Images must be 1 of 3 pixels, as there are labels, not \(2, 3\)"),
    (np.zeros((2, 3)), [0, -1], "Labels must be at least 0, not -1")])
def test_bad_images(images, labels, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        list(CompiledLearner(SignUpdate(3, 2, 2)).learn(images, labels))


def test_the_fastest_that_is_here(monkeypatch):
    for here, kind in ((True, CompiledLearner), (False, Learner)):
        monkeypatch.setattr(compiled_learner, "can_compile", lambda here=here: here)
        assert type(fastest(SignUpdate(3, 2, 2))) is kind

import numpy as np
import pytest

from model.convergence import Convergence
from model.learned import learned
from model.network import Network
from model.sign_update import FORWARDS, Learner, SignUpdate


@pytest.mark.parametrize("forward", FORWARDS)
@pytest.mark.parametrize("bias", [0, 3])
def test_scores_are_those_of_what_is_expected_of_drawn_bits(forward, bias, tmp_path):
    spec = SignUpdate(7, 6, 3, bits=6, bias=bias, margin=50, filter=64, forward=forward)
    learner = Learner(spec, Convergence((200,)))
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (400, 7)), rng.integers(0, 3, 400)
    for _ in learner.learn(images, labels):
        pass
    network = learned(learner, dataset="some", class_names=("a", "b", "c"))
    assert (network.dataset, network.class_names) == ("some", ("a", "b", "c"))

    signs = forward != "integer", forward == "sign"
    first, second = (np.where(counters < 0, -1, 1) if sign else counters.astype(int)
                     for counters, sign in zip((learner.first, learner.second), signs,
                                               strict=True))
    # All bytes are equally likely, and each makes a pixel 1 that is greater.
    sums = images @ first[:7] + 256 * first[7:].sum(axis=0)
    scores = np.where(sums < 0, -1, 1) @ second[:6] + second[6:].sum(axis=0)
    assert (network.trace(images)["scores"] == scores).all()
    assert (network(images) == scores.argmax(axis=1)).all()

    network.save(tmp_path / "net.npz")
    assert (Network.load(tmp_path / "net.npz")(images) == network(images)).all()


def test_a_bias_may_be_more_than_all_pixels_together():
    learner = Learner(SignUpdate(1, 2, 2, bias=8, forward="sign-first"))
    for sign in (-1, 1):
        learner.first[:] = sign
        layer = learned(learner).layers[0]
        for bit in 0, 1:
            assert (layer(np.full((1, 8, 1), bit, dtype=bool)) == (sign > 0)).all()

"""What lies between engines and accelerators."""

import pytest

from gateware.mapping import uniform
from gateware.plan import Plan
from model.errors import CheckFailed
from sim.engine import decode_probe, stamps_of_output, stamps_of_probe

from .commandline import random_network


@pytest.fixture(scope="module")
def plan():
    network = random_network(16, 9, 4)
    return Plan(network.shape, uniform(network.shape, pe=6, simd=16))


def test_probe_of_a_layer(plan):
    """Nine neurons, two a cycle in two groups of six, whose last three lanes are nobody's."""
    folding = plan.mapping.layers[0]
    width = folding.top.bit_length()
    assert (folding.lanes, folding.words) == (2, 6)
    words = [n | (n + 1) << width | 2 << 2 * width for n in range(0, 24, 2)]
    trace = decode_probe(plan, 0, words)
    assert trace["layer0.sums"].tolist() == [list(range(9)), list(range(12, 21))]
    assert trace["layer0.bits"].tolist() == [[n % 2 == 1 for n in range(9)]] * 2
    when = stamps_of_probe(plan, 0, range(100, 112))
    assert when["layer0.sums"].tolist() == [[100 + n // 2 for n in range(9)],
                                            [106 + n // 2 for n in range(9)]]
    assert when["layer0.bits"].tolist() == when["layer0.sums"].tolist()


def test_probe_of_the_scores(plan):
    assert decode_probe(plan, 1, range(8))["scores.sums"].tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert stamps_of_probe(plan, 1, range(8))["scores.sums"].tolist() \
        == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert {name: values.tolist() for name, values in stamps_of_output(plan, range(8)).items()} \
        == {"scores": [[0, 1, 2, 3], [4, 5, 6, 7]], "class": [[3], [7]]}


@pytest.mark.parametrize("n, words, message", [
    (0, 13, "^layer0 put out 13 words, which is no whole number of images of 6$"),
    (1, 7, "^scores put out 7 words, which is no whole number of images of 4$")])
def test_words_too_many_or_too_few(plan, n, words, message):
    with pytest.raises(CheckFailed, match=message):
        decode_probe(plan, n, [0] * words)

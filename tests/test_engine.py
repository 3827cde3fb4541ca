"""What lies between engines and accelerators."""

import numpy as np
import pytest
from amaranth.hdl import Fragment

from gateware.compiler import compile, image
from gateware.control import network_id
from gateware.mapping import uniform
from gateware.plan import Plan
from model.errors import CheckFailed
from sim.engine import (
    Result,
    bus_reads,
    bus_writes,
    decode_probe,
    image_of,
    stamps_of_output,
    stamps_of_probe,
)

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


def test_an_image_on_its_way_over_the_bus(plan):
    contents = image(random_network(16, 9, 4), plan.mapping)
    first, *rows, network, last = bus_writes(plan, contents)
    control = plan.control_address
    assert (first, network, last) == ((control, 0), (control + 1, network_id(contents)),
                                      (control, 1))
    assert [address for address, _ in rows] == bus_reads(plan)
    assert image_of(plan, [word for _, word in rows]) == contents


def test_an_image_that_does_not_fit_is_refused(plan):
    contents = image(random_network(16, 9, 4), plan.mapping)
    contents["layer0.thresholds"].append(0)
    with pytest.raises(ValueError, match=r"^layer0.thresholds must have 6 rows, not 7$"):
        bus_writes(plan, contents)


def test_weights_in_logic_are_not_sent():
    network, other = random_network(16, 9, 4), random_network(16, 9, 4, seed=1)
    mapping = uniform(network.shape, pe=6, simd=16, storage="logic")
    contents = image(network, mapping)
    accelerator = compile(network.shape, mapping, image=contents)
    Fragment.get(accelerator, None)     # to have it used
    _, *rows, network_number, _ = bus_writes(accelerator, contents)
    assert rows and network_number[1] == network_id(contents)
    baked = accelerator.memories["layer0.weights"]
    assert not {address for address, _ in rows} & {
        baked.address(row, chunk) for row in range(baked.depth) for chunk in range(baked.chunks)}
    with pytest.raises(ValueError, match=r"^layer0.weights is in logic and must be what the acc"):
        bus_writes(accelerator, image(other, mapping))


@pytest.mark.parametrize("done, latency, cycles_per_image", [
    ([7], 7, 7), ([7, 9], 7, 2), ([7, 9, 12], 7, 3), ([9, 9], None, None),
    ([9, 9, 15], None, None),    # the last came alone, and the others together
])
def test_cycles_of_an_image_are_known_where_it_goes_by_itself(done, latency, cycles_per_image):
    count = len(done)
    result = Result(np.zeros((count, 2)), np.zeros(count), done[-1], np.array(done))
    assert (result.latency, result.cycles_per_image) == (latency, cycles_per_image)

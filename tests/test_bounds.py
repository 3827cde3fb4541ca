import pytest

from gateware.bounds import Bounds, bounds
from gateware.mapping import Resources, uniform
from model.encoder import BitSerial, Threshold
from model.network import Shape


ICE40 = Resources(5_280, 30, 4_096, 16, "ice40")
ECP5  = Resources(24_288, 56, 18_432, 36, "ecp5")


def mapping(encoder, *sizes):
    return uniform(Shape(encoder, sizes, 0, 16), pe=3, simd=7)


def test_bounds_are_the_networks_own():
    found = bounds(mapping(Threshold(128), 784, 300, 10), ECP5)
    assert found == Bounds(weight_bits=784 * 300 + 300 * 10, readable_bits=56 * 36,
                           xnors=784 * 300 + 300 * 10, xnors_at_once=8_995,
                           memory_bits=56 * 18_432)
    # 238,200 bits, of which 2,016 can be read in a cycle, and 8,995 cells at once.
    assert found.weight_bandwidth == pytest.approx(118.15, abs=0.01)
    assert found.luts == pytest.approx(26.48, abs=0.01)
    assert (found.cycles, found.by) == (found.weight_bandwidth, "weight bandwidth")


def test_planes_are_sensed_and_not_read_again():
    found = bounds(mapping(BitSerial(8), 784, 300, 10), ECP5)
    assert found.weight_bits == 238_200 and found.xnors == 8 * 784 * 300 + 300 * 10
    assert (found.cycles, found.by) == (found.luts, "LUTs")
    assert found.luts == pytest.approx(209.5, abs=0.1)


def test_weights_may_not_fit():
    found = bounds(mapping(Threshold(128), 784, 300, 10), ICE40)
    assert found.memory_bits == 122_880 and found.by == "memory bits"


@pytest.mark.parametrize("weights, memory, at_once, by", [
    (100, 100, 10, "weight bandwidth"), (101, 100, 100, "memory bits"), (100, 100, 9, "LUTs")])
def test_what_bounds(weights, memory, at_once, by):
    found = Bounds(weight_bits=weights, readable_bits=10, xnors=weights, xnors_at_once=at_once,
                   memory_bits=memory)
    assert found.by == by
    assert found.cycles == max(weights / 10, weights / at_once)



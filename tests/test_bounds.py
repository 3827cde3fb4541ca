import pytest

from gateware.area import popcount_luts
from gateware.bounds import Bounds, bounds
from gateware.mapping import Resources, uniform
from model.compend import Serial
from model.encoder import BitSerial, Threshold
from model.network import Shape
from model.stochastic import Stochastic


ICE40 = Resources(5_280, 30, 4_096, 16, "ice40")
UP5K  = Resources(5_280, 30, 4_096, 16, "ice40", spram_blocks=4)
ECP5  = Resources(24_288, 56, 18_432, 36, "ecp5")


EACH = popcount_luts(255, "ecp5") / 255


def mapping(encoder, *sizes, **options):
    return uniform(Shape(encoder, sizes, 0, 16), pe=3, simd=7, **options)


def test_bounds_are_the_networks_own():
    found = bounds(mapping(Threshold(128), 784, 300, 10), ECP5)
    assert (found.weight_bits, found.xnors) == (238_200, 238_200)
    assert (found.memory_bits, found.fits) == (56 * 18_432, True)
    # 238,200 bits, of which 2,016 can be read in a cycle, and 1.6 look-up tables for each.
    assert found.weight_bandwidth == 238_200 / 2_016
    assert found.luts == pytest.approx(238_200 * EACH / 24_288)
    assert (found.cycles, found.by) == (found.weight_bandwidth, "weight bandwidth")


def test_planes_are_sensed_and_not_read_again():
    found = bounds(mapping(BitSerial(8), 784, 300, 10), ECP5)
    assert found.weight_bits == 238_200 and found.xnors == 8 * 784 * 300 + 300 * 10
    assert (found.cycles, found.by) == (found.luts, "LUTs")
    assert found.luts > found.weight_bandwidth
    assert found.luts == pytest.approx(found.xnors * EACH / 24_288)


def test_each_pass_reads_all_weights_again():
    shape = Shape(Stochastic(8, combine="scores"), (784, 300, 10), 0, 16)
    apart = bounds(uniform(shape, pe=3, simd=7), ECP5)
    once = bounds(mapping(Threshold(128), 784, 300, 10), ECP5)
    assert (apart.weight_bits, apart.xnors) == (once.weight_bits, 8 * once.xnors)
    assert apart.weight_bandwidth == 8 * once.weight_bandwidth
    together = bounds(mapping(Stochastic(8), 784, 300, 10), ECP5)
    assert together.weight_bandwidth == once.weight_bandwidth
    assert together.xnors == 8 * 784 * 300 + 300 * 10


def test_images_share_what_is_read():
    found = bounds(mapping(Threshold(128), 784, 300, 10, batch=4), ECP5)
    assert found.weight_bandwidth == 238_200 / 2_016 / 4
    assert found.luts == pytest.approx(238_200 * EACH / 24_288)


def test_weights_are_read_from_where_they_are():
    network = Threshold(128), 784, 300, 10
    found = bounds(mapping(*network, storage=("spram", "block")), UP5K)
    assert found.weight_bandwidth == 784 * 300 / 64
    assert found.memory_bits == 30 * 4_096 + 4 * 16 * 16_384 and found.fits
    # The slower of both.
    found = bounds(mapping(*network, storage=("block", "spram")), UP5K)
    assert found.weight_bandwidth == 784 * 300 / 480 and not found.fits
    found = bounds(mapping(*network, storage="spram"), UP5K)
    assert found.weight_bandwidth == 238_200 / 64 and found.memory_bits == 4 * 16 * 16_384
    found = bounds(mapping(*network, storage="spram"), ICE40)
    assert found.weight_bandwidth == float("inf") and found.by == "memory bits"


def test_weights_may_not_fit():
    found = bounds(mapping(Threshold(128), 784, 300, 10), ICE40)
    assert found.memory_bits == 122_880 and found.by == "memory bits"
    assert bounds(mapping(Threshold(128), 4_096, 30), ICE40).fits    # to the last bit
    assert not bounds(mapping(Threshold(128), 4_097, 30), ICE40).fits


@pytest.mark.parametrize("bandwidth, luts, fits, by", [
    (10.0, 10.0, True, "weight bandwidth"), (10.0, 9.0, False, "memory bits"),
    (10.0, 10.5, True, "LUTs")])
def test_what_bounds(bandwidth, luts, fits, by):
    found = Bounds(weight_bits=100, xnors=100, weight_bandwidth=bandwidth, luts=luts,
                   memory_bits=100, fits=fits)
    assert found.by == by
    assert found.cycles == max(bandwidth, luts)


def test_bits_of_weights_meet_bits_of_activations():
    shape = Shape(BitSerial(8), (784, 128, 10), 0, 16,
                  serial=(Serial(6, 8, 1, 28, "sign", "exact"), None))
    found = bounds(uniform(shape, pe=4, simd=16, storage=("spram", "block")), UP5K)
    assert found.weight_bits == 784 * 128 * 6 + 1_280
    assert found.xnors == 784 * 128 * 6 * 8 + 1_280
    assert found.weight_bandwidth == 784 * 128 * 6 / 64 and found.fits


def test_each_bit_of_a_weight_is_read_and_meets_each_of_an_activation():
    shape = Shape(BitSerial(8), (784, 128, 10), 0, 16, few=((4, 2), (3, 1)))
    found = bounds(uniform(shape, pe=4, simd=16), UP5K)
    assert found.weight_bits == 784 * 128 * 4 + 1_280 * 3
    assert found.xnors == 784 * 128 * 4 * 8 + 1_280 * 3 * 2

import pytest

from model.compend import Serial
from model.encoder import BitSerial, Threshold
from model.shape import Shape
from model.stochastic import Stochastic


SIGNS = Serial(4, 5, 1, 20, "sign", "exact")
RELU  = Serial(8, 1, 3, 20, "relu", "speculative")


def test_few_bits_of_each_layer():
    shape = Shape(BitSerial(3), (64, 32, 16, 10), 0, 16, few=((1, 3), (4, 1), (2, 1)))
    assert [shape.few_of(n) for n in range(3)] == [(1, 3), (4, 1), (2, 1)]
    assert [shape.planes_of(n) for n in range(3)] \
        == [((4, 2, 1), False), ((4, 2, 1), False), ((1,), True)]
    assert not shape.binary and Shape(BitSerial(3), (4, 2), 0, 16).binary
    assert not Shape(BitSerial(5), (4, 2), 0, 16, serial=(SIGNS,)).binary
    assert Shape(BitSerial(3), (4, 2), 0, 16).few_of(0) == (1, 1)


@pytest.mark.parametrize("encoder, serial, planes", [
    (BitSerial(3), (), [((4, 2, 1), False), ((1,), True), ((1,), True)]),
    (Threshold(9), (), [((1,), True)] * 3),
    # Numbers pass as planes of their own, and signs as bits that stand for one or the other.
    (BitSerial(5), (SIGNS, RELU, None),
     [((16, 8, 4, 2, 1), False), ((1,), True), ((4, 2, 1), False)]),
    (Stochastic(4), (), [((1, 1, 1, 1), True), ((1,), True), ((1,), True)]),
    # One pass for each plane that is kept apart.
    (Stochastic(4, combine="scores"), (), [((1,), True)] * 3)])
def test_planes_that_come_to_each_layer(encoder, serial, planes):
    shape = Shape(encoder, (64, 32, 16, 10), 0, 16, serial=serial)
    assert [shape.planes_of(n) for n in range(3)] == planes
    assert [shape.serial_of(n) for n in range(3)] == list(serial or (None,) * 3)
    assert str(shape) == "64-32-16-10"

"""A line that does harm, and the receiver behind it."""

import random

import pytest

from sim.wire import BITS, Harm, Listener, Way, Wire, frame_of


BYTES = random.Random(0).randbytes(1_000)


def arrive(wire, data=BYTES, name="there"):
    """What a host makes of bytes that come without a gap; and what was done to them."""
    way, listener = Way(wire, name), Listener()
    frames = way(map(frame_of, data))
    heard = b"".join(listener(frame) for frame, _ in frames) + listener((1 << BITS) - 1)
    assert not listener.busy
    return heard, way.harm, [late for _, late in frames]


def test_a_good_line_changes_nothing():
    assert arrive(Wire()) == (BYTES, Harm(passed=1_000), [0] * 1_000)


def test_bits_are_flipped_as_often_as_said():
    heard, harm, _ = arrive(Wire(flip=0.004))
    assert 20 < harm.flipped < 70 and harm.passed == 1_000
    # One flip damages one byte, or the few until a start bit is one again.
    assert heard != BYTES and abs(len(heard) - len(BYTES)) < 60
    lost = sum(a != b for a, b in zip(heard, BYTES, strict=False))
    assert lost >= 10


@pytest.mark.parametrize("bit", range(BITS))
def test_one_flip_wherever_it_is(bit):
    """Of a byte among others: start, data and stop."""
    listener = Listener()
    frames = [frame_of(0x55), frame_of(0x0F) ^ 1 << bit, frame_of(0x33)]
    heard = b"".join(listener(frame) for frame in frames) + listener((1 << BITS) - 1)
    if bit == 0:
        # A start bit is missed: what looks like one is the fifth bit of the data, and so on.
        assert heard[0] == 0x55 and heard != bytes([0x55, 0x0F, 0x33])
    elif bit == BITS - 1:
        assert heard == bytes([0x55, 0x33])
    else:
        assert heard == bytes([0x55, 0x0F ^ 1 << bit - 1, 0x33])


def test_bytes_are_dropped_and_doubled():
    heard, harm, _ = arrive(Wire(drop=0.04, double=0.08))
    assert len(heard) == 1_000 - harm.dropped + harm.doubled
    assert 15 < harm.dropped < 70 and 40 < harm.doubled < 130 and not harm.flipped
    assert arrive(Wire(drop=1))[0] == b"" and arrive(Wire(double=1), b"ab")[0] == b"aabb"


def test_bytes_are_late():
    heard, harm, late = arrive(Wire(delay=3))
    assert heard == BYTES and harm.delayed == 1_000
    assert max(late) <= 3 and min(late) >= 0 and 1.3 < sum(late) / 1_000 < 1.7


def test_the_same_seed_does_the_same_harm():
    wire = Wire(flip=0.01, drop=0.01, double=0.01, delay=2)
    assert arrive(wire) == arrive(wire)
    assert arrive(wire)[0] != arrive(wire, name="back")[0]
    assert arrive(wire)[0] != arrive(Wire(flip=0.01, drop=0.01, double=0.01, seed=1))[0]


def test_bits_may_come_in_any_pieces():
    listener, random_ = Listener(), random.Random(1)
    stream = "".join(f"{frame_of(byte):010b}"[::-1] + "1" * random_.randrange(3) for byte in BYTES)
    heard, at = b"", 0
    while at < len(stream):
        piece = stream[at:at + random_.randrange(1, 25)]
        at += len(piece)
        heard += listener(int(piece[::-1], 2), len(piece))
    assert heard == BYTES


@pytest.mark.parametrize("wrong, message", [
    ({"flip": 1.5}, "Wire's flip must be a probability, not 1.5"),
    ({"drop": -0.1}, "Wire's drop must be a probability, not -0.1"),
    ({"delay": -1}, "Wire's delay must be 0 bit times or more, not -1"),
    ({"drift": 0.5}, "Wire's drift must be less than half a bit, not 0.5")])
def test_what_no_line_does(wrong, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        Wire(**wrong)

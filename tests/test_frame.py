import dataclasses
import zlib

import numpy as np
import pytest
from cobs import cobs
from hypothesis import given, strategies as st

from model import frame
from model.frame import Error, Frame, FrameError, Identity, Opcode, Run, Split


octets = st.integers(0, 255)
frames = st.builds(Frame, octets, octets, st.binary(max_size=frame.MAX_PAYLOAD))
words  = st.lists(st.integers(0, 0xFFFF_FFFF), min_size=1, max_size=frame.MAX_WORDS)


@given(sent=frames)
def test_frames_survive_the_line(sent):
    line = sent.encode()
    assert line.count(0) == 1 and line.endswith(frame.DELIMITER)
    assert Frame.decode(line[:-1]) == sent


def test_bytes_of_a_frame():
    # Written out for those who write a driver of their own; docs/link.md shows the same bytes.
    assert Frame(Opcode.IDENTIFY, 7).encode().hex(" ") == "03 01 07 05 e2 25 c2 b1 00"
    raw = Frame(Opcode.WRITE, 8, frame.write(0x12, [0xA1B2C3D4])).raw
    assert raw[:-4].hex(" ") == "02 08 08 12 00 00 00 d4 c3 b2 a1"
    assert raw[-4:] == zlib.crc32(raw[:-4]).to_bytes(4, "little")


@given(sent=frames, data=st.data())
def test_a_changed_bit_is_noticed(sent, data):
    line = bytearray(sent.encode()[:-1])
    bit = data.draw(st.integers(0, 8 * len(line) - 1))
    line[bit // 8] ^= 1 << bit % 8
    with pytest.raises(FrameError):
        Frame.decode(bytes(line))


@given(sent=frames, data=st.data())
def test_a_frame_cut_short_is_noticed(sent, data):
    line = sent.encode()[:-1]
    with pytest.raises(FrameError):
        Frame.decode(line[:data.draw(st.integers(0, len(line) - 1))])


def test_a_length_that_lies_is_noticed():
    body = bytes([1, 2, 3]) + b"four"
    raw = body + zlib.crc32(body).to_bytes(4, "little")
    with pytest.raises(FrameError, match=r"^The payload must be 3 bytes, not 4$"):
        Frame.decode(cobs.encode(raw))


@given(sent=st.lists(frames, max_size=5), data=st.data())
def test_lines_are_split_wherever_they_are_cut(sent, data):
    line = b"".join(data.draw(st.sampled_from([b"", b"\0"])) + one.encode() for one in sent)
    split, heard = Split(), []
    while line:
        size = data.draw(st.integers(1, len(line)))
        heard += split(line[:size])
        line = line[size:]
    assert [Frame.decode(one) for one in heard] == sent


@given(address=st.integers(0, 0xFFFF_FFFF), words=words)
def test_payloads_of_a_full_load_fit(address, words):
    payload = frame.write(address, words)
    assert len(payload) <= frame.MAX_PAYLOAD
    assert frame.unpack_words(payload[frame.HEAD:]) == words


def test_payloads_of_images():
    assert frame.infer(0x12_3456, b"ab", run=True).hex(" ") == "56 34 12 01 61 62"
    assert frame.infer(7, b"c", run=True, scores=True).hex(" ") == "07 00 00 03 63"
    assert frame.infer(7, run=False).hex(" ") == "07 00 00 00"
    assert len(frame.infer(0, bytes(frame.MAX_BYTES), run=True)) == frame.MAX_PAYLOAD
    assert frame.repeat(0x1234).hex(" ") == "34 12 00 00"


def test_images_are_packed_without_gaps():
    pixels = np.array([[1, 2, 3, 31], [0, 16, 0, 0]])
    packed = [1 | 2 << 5 | 3 << 10 | 31 << 15, 16 << 5]
    assert frame.pack_images(pixels, 5) == [word.to_bytes(3, "little") for word in packed]
    assert frame.pack_images(pixels % 2, 1) == [b"\x0d", b"\0"]


layers = st.builds(frame.Layer, *[st.integers(0, 0xFFFF)] * 4, octets)
identities = st.builds(
    Identity, hash=st.binary(min_size=8, max_size=8), clock_hz=st.integers(0, 2 ** 32 - 1),
    control=st.integers(0, 2 ** 31 - 1), inputs=st.integers(1, 2 ** 24), bits=st.integers(1, 16),
    classes=st.integers(1, 0xFFFF), score_bits=st.integers(1, 32), batch=st.integers(1, 0xFFFF),
    layers=st.lists(layers, max_size=Identity.MAX_LAYERS).map(tuple), loaded=st.booleans())


@given(identity=identities, more=st.binary(max_size=9))
def test_identities_survive_and_may_grow(identity, more):
    assert len(identity.pack()) <= frame.MAX_PAYLOAD
    assert Identity.unpack(identity.pack() + more) == identity
    with pytest.raises(FrameError, match=r"^An identity must be 29 bytes or more, with those of"):
        Identity.unpack(identity.pack()[:-1])


def test_an_identity_tells_of_as_many_layers_as_there_is_room_for():
    identity = Identity(bytes(8), 1, 1, 1, 1, 1, 1, 1, (frame.Layer(1, 2, 3, 4, 5),) * 30)
    assert len(Identity.unpack(identity.pack()).layers) == Identity.MAX_LAYERS == 23
    with pytest.raises(FrameError, match=r"^The link must speak version 2, not 1$"):
        Identity.unpack(b"\1" + identity.pack()[1:])


SMALL = Identity(bytes(8), 1, 0, inputs=64, bits=5, classes=10, score_bits=12, batch=16)


@given(data=st.data(), score_bits=st.integers(1, 32), classes=st.integers(1, 300),
       scores=st.booleans(), cycles=st.integers(0, 0xFFFF_FFFF))
def test_results_survive(data, score_bits, classes, scores, cycles):
    told = dataclasses.replace(SMALL, score_bits=score_bits, classes=classes)
    most = 1 << score_bits - 1
    count = data.draw(st.integers(0, min(3, told.most_images(scores=scores))))
    rng = np.random.default_rng(data.draw(octets))
    rows = rng.integers(-most, most, (count, classes)).tolist() if scores else None
    run = Run(cycles, tuple(rng.integers(0, classes, count).tolist()),
              tuple(map(tuple, rows)) if rows is not None else None)
    assert len(run.pack(told)) <= frame.MAX_PAYLOAD
    assert Run.unpack(run.pack(told), told, scores=scores) == run


def test_sizes_that_follow():
    assert (SMALL.image_bytes, SMALL.buffer_bytes, SMALL.score_bytes) == (40, 640, 2)
    assert (SMALL.result_bytes(scores=True), SMALL.result_bytes(scores=False)) == (22, 2)
    assert (SMALL.most_images(scores=True), SMALL.most_images(scores=False)) == (10, 16)
    with pytest.raises(FrameError, match=r"^A result must be 4 bytes, and 22 for each image, not "):
        Run.unpack(bytes(25), SMALL, scores=True)
    assert frame.Repeated.unpack(frame.Repeated(7, 8).pack()) == frame.Repeated(7, 8)
    with pytest.raises(FrameError, match=r"^A repetition's result must be 8 bytes, not 7$"):
        frame.Repeated.unpack(bytes(7))


@given(seed=octets, rounds=st.integers(0, 40))
def test_a_signature_is_that_of_all_rounds_one_after_another(seed, rounds):
    rng = np.random.default_rng(seed)
    scores, best = rng.integers(-999, 999, (3, 4)), rng.integers(0, 4, 3)
    found = frame.signature(scores, best, rounds)
    assert found == frame.signature(np.tile(scores, (rounds, 1)), np.tile(best, rounds))


def test_a_signature_written_out():
    # The class of the only image is 16 bits up; x^31 times x is the polynomial without x^32.
    assert frame.signature(np.array([[3, -1]]), np.array([1])) == 0xFFFF_FFFF ^ 0x1_0000 ^ 6
    one = np.array([[1] + [0] * 32])
    assert frame.signature(one, np.array([0])) == 0x04C1_1DB7


@given(data=st.data(), rounds=st.sampled_from([1, 2, 3, 32, 64, 0xFFFF]))
def test_a_wrong_score_class_or_order_changes_the_signature(data, rounds):
    rng = np.random.default_rng(data.draw(octets))
    scores, best = rng.integers(-999, 999, (8, 4)), np.arange(8) % 4
    right = frame.signature(scores, best, rounds)
    at = data.draw(st.integers(0, 31))
    wrong = scores.copy()
    wrong.flat[at] ^= 1 << data.draw(st.integers(0, 9))
    assert frame.signature(wrong, best, rounds) != right
    other = best.copy()
    other[at // 4] ^= 1
    assert frame.signature(scores, other, rounds) != right
    assert frame.signature(scores[::-1], best[::-1], rounds) != right


def test_answers():
    sent = Frame(Opcode.READ, 9, frame.read(3, 1))
    assert sent.answer(b"abcd") == Frame(0x83, 9, b"abcd")
    assert sent.error(Error.ADDRESS) == Frame(0xFF, 9, bytes([5]))
    assert all(error.meaning for error in Error)


@pytest.mark.parametrize(("arguments", "message"), [
    ((256, 0), r"^The opcode of a frame must be a byte, not 256$"),
    ((0, -1), r"^The sequence of a frame must be a byte, not -1$"),
    ((0, 0, bytes(241)), r"^The payload of a frame must be at most 240 bytes, not 241$"),
])
def test_what_does_not_fit_a_frame_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Frame(*arguments)

import zlib

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
    assert frame.unpack_words(payload[frame.ADDRESS:]) == words
    assert len(frame.infer(frame.RUN - 1, words, run=True)) <= frame.MAX_PAYLOAD


@given(best=st.integers(0, 0xFFFF), cycles=st.integers(0, 0xFFFF_FFFF),
       scores=st.lists(st.integers(-2 ** 31, 2 ** 31 - 1), max_size=frame.MAX_SCORES))
def test_results_survive(best, cycles, scores):
    run = Run(best, cycles, tuple(scores))
    assert len(run.pack()) <= frame.MAX_PAYLOAD
    assert Run.unpack(run.pack()) == run


@given(identity=st.builds(Identity, hash=st.binary(min_size=8, max_size=8),
                          clock_hz=st.integers(0, 2 ** 32 - 1), words=st.integers(0, 2 ** 16 - 1),
                          simd=st.integers(0, 2 ** 16 - 1), bits=octets,
                          classes=st.integers(0, 2 ** 16 - 1), loaded=st.booleans()),
       more=st.binary(max_size=9))
def test_identities_survive_and_may_grow(identity, more):
    assert Identity.unpack(identity.pack() + more) == identity
    with pytest.raises(FrameError, match=r"^An identity must be 21 bytes or more, not 20$"):
        Identity.unpack(identity.pack()[:-1])


def test_answers():
    sent = Frame(Opcode.READ, 9, frame.read(3, 1))
    assert sent.answer(b"abcd") == Frame(0x83, 9, b"abcd")
    assert sent.error(Error.ADDRESS) == Frame(0xFF, 9, bytes([5]))
    assert all(error.meaning for error in Error)


@pytest.mark.parametrize(("arguments", "message"), [
    ((256, 0), r"^The opcode of a frame must be a byte, not 256$"),
    ((0, -1), r"^The sequence of a frame must be a byte, not -1$"),
    ((0, 0, bytes(65)), r"^The payload of a frame must be at most 64 bytes, not 65$"),
])
def test_what_does_not_fit_a_frame_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Frame(*arguments)

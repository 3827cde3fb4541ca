# amaranth: UnusedElaboratable=no

import bisect

import numpy as np
import pytest
from cobs import cobs

from boards.careful import pieces
from boards.driver import Driver
from boards.job import Job
from model import frame
from model.errors import CheckFailed
from model.frame import Frame, Opcode

from .model_port import ModelPort, expected, loaded
from .standin import CONTROL, LinkModel, StandIn


LONG = 60    # bytes of a frame that a bad line damages


def commands(model):
    """Some of each kind, each after what it needs; and how long its answer is."""
    identity, size = model.identity, model.identity.image_bytes
    rng = np.random.default_rng(4)
    yield Opcode.IDENTIFY, b"", len(identity.pack())
    for count in (1, 3, 4, 5, 14):
        yield Opcode.WRITE, frame.write(0, rng.integers(0, 1 << 32, count).tolist()), 0
        yield Opcode.READ, frame.read(1, count), 4 * count
    yield Opcode.WRITE, frame.write(CONTROL, [1]), 0
    yield Opcode.READ, frame.read(frame.COUNTERS, 1), 4
    for count, scores in ((1, True), (6, False), (3, True)):
        data = rng.bytes(count * size)
        length = 4 + count * identity.result_bytes(scores=scores)
        yield Opcode.INFER, frame.infer(0, data, run=True, scores=scores), length
        yield Opcode.INFER, frame.infer(0, data[:20], run=False), 0
        yield Opcode.INFER, frame.infer(20, data[20:], run=True, scores=scores), length
        yield Opcode.INFER, frame.infer(0, run=True, scores=scores), length
    yield Opcode.REPEAT, frame.repeat(3), 8
    for count in (0, 1, 16, 17, 240):
        yield Opcode.ECHO, rng.bytes(count), count
    yield Opcode.RESET, b"", 0


def test_pieces_do_what_the_whole_does():
    standin = StandIn(words=9, simd=8)
    whole, parts = LinkModel(standin), LinkModel(standin)
    for opcode, payload, size in commands(whole):
        wanted = whole.carry_out(Frame(opcode, 0, payload))
        whole.last = None
        answers = b""
        for kind, piece, length in pieces(opcode, payload, size):
            sent = Frame(kind, 0, piece)
            assert len(sent.encode()) <= 30
            answer = parts.carry_out(sent)
            parts.last = None
            assert (answer.opcode, len(answer.payload)) == (kind | frame.ANSWER, length)
            answers += answer.payload
        assert (wanted.opcode, wanted.payload) == (opcode | frame.ANSWER, answers)
        assert (whole.memory, whole.scores, whole.images) == (
            parts.memory, parts.scores, parts.images)


def damaging(when):
    """A line on which some frames arrive with one wrong bit, by what they are and their place."""
    count = 0

    def harm(data):
        nonlocal count
        lines = data.split(b"\0")
        for n, line in enumerate(lines[:-1]):
            count += bool(line)
            if line and when(line, count):
                lines[n] = bytes([line[0], *line[1:-1], line[-1] ^ (3 if line[-1] != 3 else 1)])
        return b"\0".join(lines)

    return harm


def exercise(driver, standin, model):
    cells = {"cells": list(range(1, CONTROL + 1))}
    driver.write(cells)
    assert model.memory[:CONTROL + 1] == [*cells["cells"], 1]
    assert driver.read() == cells
    images = np.random.default_rng(1).integers(0, 16, (5, standin.inputs))
    scores, best = expected(standin, images)
    result = driver.infer(images)
    assert (result.scores == scores).all() and (result.best == best).all()
    assert driver.repeat(images[:1], 9).signature == frame.signature(scores[:1], best[:1], 9)
    assert driver.echo(bytes(range(240))) == bytes(range(240))


@pytest.mark.parametrize("ways", [["there"], ["back"], ["there", "back"]], ids="+".join)
@pytest.mark.parametrize("every", [0, 2, 3])
def test_long_frames_never_arrive(ways, every):
    """And one in two or three of the others does not, either."""
    bad = False
    harms = {way: damaging(lambda line, count: bad and (
        len(line) > LONG or (every and count % every == 0))) for way in ways}
    standin = StandIn(words=200)   # an image takes two commands
    driver, model = loaded(standin, **harms)
    bad = True
    exercise(driver, standin, model)
    assert driver.traffic.again


def test_a_part_of_an_image_is_not_done_twice():
    """Answers are lost, of which each second one."""
    standin, done = StandIn(words=200), []
    driver, model = loaded(standin)
    driver.write({"cells": [0] * CONTROL})
    carry_out = model.carry_out

    def watched(sent):
        answer = carry_out(sent)
        if sent.opcode == Opcode.INFER and answer.opcode == Opcode.INFER | frame.ANSWER:
            done.append(sent.payload)
        return answer

    model.carry_out = watched
    driver._line.port.there = damaging(lambda line, count: len(line) > LONG)
    driver._line.port.back = damaging(lambda line, count: count % 2)
    images = np.random.default_rng(2).integers(0, 16, (1, standin.inputs))
    assert (driver.infer(images).scores == expected(standin, images)[0]).all()
    parts = [payload for payload in done if len(payload) > frame.HEAD]
    assert len(parts) == len(set(parts)) == -(-model.identity.image_bytes // 16)


def test_frames_are_long_again_when_the_line_is_better():
    standin = StandIn(words=200)
    driver, model = loaded(standin)
    driver.write({"cells": [0] * CONTROL})
    lengths, bad = [], 40

    def harm(data):
        nonlocal bad
        lengths.extend(len(line) for line in data.split(b"\0") if line)
        bad -= 1
        return damaging(lambda line, count: bad > 0 and len(line) > LONG)(data)

    driver._line.port.there = harm
    images = np.random.default_rng(3).integers(0, 16, (20, standin.inputs))
    assert (driver.infer(images).scores == expected(standin, images)[0]).all()
    long = [length > LONG for length in lengths]
    assert long.count(False) > 20 and all(long[-20:])


def test_a_number_of_long_ago_is_not_taken_for_done():
    """The last command that was carried out had the number that comes next, by chance."""
    standin, seen = StandIn(words=200), []
    driver, model = loaded(standin)

    def harm(data):
        out = []
        for line in data.split(b"\0")[:-1]:
            if line and len(line) <= LONG:
                sent = Frame.decode(line)
                if not seen:
                    model.last = sent.sequence
                if sent.opcode == Opcode.WRITE and Opcode.WRITE not in seen:
                    line = b"\1" * len(line)      # its first try does not arrive
                seen.append(sent.opcode)
            elif line:
                line = b"\1" * 9
            out.append(line)
        return b"\0".join([*out, b""])

    driver._line.port.there = harm
    driver._line.ask([Job([(Opcode.WRITE, frame.write(0, list(range(1, 15))))], [0])])
    assert model.memory[:14] == list(range(1, 15)) and seen.count(Opcode.WRITE) == 5


class OneByOne(ModelPort):
    """A port at which answers arrive one at a time."""

    @property
    def in_waiting(self):
        return self.waiting.find(0) + 1


@pytest.mark.parametrize("bad", [False, True], ids=["long frames", "short frames"])
def test_answers_that_come_twice(bad):
    """The second time, as if they were to what is asked next."""
    standin = StandIn(words=200)
    port = OneByOne(LinkModel(standin))
    driver = Driver(port)
    driver.load(standin)
    if bad:
        port.there = damaging(lambda line, count: len(line) > LONG)
    port.back = lambda data: data + data
    exercise(driver, standin, port.model)


def test_an_image_that_is_forgotten_is_sent_again():
    standin = StandIn(words=200)
    driver, model = loaded(standin)
    driver.write({"cells": [0] * CONTROL})
    count = 0

    def harm(data):
        nonlocal count
        for line in data.split(b"\0"):
            if line and cobs.decode(line)[0] == Opcode.INFER:
                count += 1
                if count == 30:
                    model.images = b""
        return damaging(lambda line, count: len(line) > LONG)(data)

    driver._line.port.there = harm
    images = np.random.default_rng(2).integers(0, 16, (1, standin.inputs))
    assert (driver.infer(images).scores == expected(standin, images)[0]).all()
    assert count >= 30 + model.identity.image_bytes // 16


def test_a_line_that_goes_dead_is_given_up():
    standin = StandIn()
    driver, _ = loaded(standin)
    driver._line.port.there = damaging(lambda line, count: len(line) > LONG or count > 10)
    with pytest.raises(CheckFailed, match=": frames arrive damaged: is the cable sound, and the"):
        driver.write({"cells": [0] * CONTROL})
    driver._line.port.there = damaging(lambda line, count: len(line) > LONG)
    driver._line.port.back = lambda line: b""
    with pytest.raises(CheckFailed, match=": the answer stayed away: is the cable sound, and the"):
        driver.write({"cells": [0] * CONTROL})


class SlowPort(ModelPort):
    """A port whose line takes its time, and a link that takes the cycles it says.

    Its time-outs are those of the line's time, as :class:`boards.virtual.VirtualPort` has them.
    """

    def __init__(self, model, baud, timeout):
        super().__init__(model)
        self.baud, self.timeout = baud, timeout
        self.seconds = self.there_until = self.back_until = 0.0
        self.when, self.longest, self.part = [], 0.0, b""

    def write(self, data):
        byte_time = 10 / self.baud
        for byte in data:
            self.there_until = max(self.there_until, self.seconds) + byte_time
            self.part += bytes([byte])
            if byte or len(self.part) == 1:
                self.part = self.part * bool(byte)
                continue
            answer, self.part = self.model(self.part[:-1]), b""
            if answer is None:
                continue
            if answer.opcode == Opcode.REPEAT | frame.ANSWER:
                cycles = int.from_bytes(answer.payload[:4], "little")
                self.there_until += cycles / self.model.identity.clock_hz
            line = answer.encode()
            for value in self.back(line) if self.back else line:
                self.back_until = max(self.back_until, self.there_until) + byte_time
                self.waiting.append(value)
                self.when.append(self.back_until)
        return len(data)

    @property
    def in_waiting(self):
        return bisect.bisect_right(self.when, self.seconds)

    def read(self, size=1):
        if not self.when or self.when[0] > self.seconds + self.timeout:
            self.seconds += self.timeout
            return b""
        before, self.seconds = self.seconds, max(self.seconds, self.when[0])
        self.longest = max(self.longest, self.seconds - before)
        count = min(size, max(1, self.in_waiting))
        del self.when[:count]
        return super().read(count)


@pytest.mark.parametrize("baud", [1_000_000, 9_600, 300])
def test_time_outs_suit_the_rate(baud):
    """An answer may be 0.1 s late, and be 8 s under way."""
    standin = StandIn(words=200)
    port = SlowPort(LinkModel(standin), baud, 0.1)
    driver = Driver(port, baud=baud)
    driver.load(standin)
    exercise(driver, standin, port.model)
    assert driver.traffic.again == 0
    assert (port.longest > 0.25) == (baud < 1_000_000)
    # Nor does it wait for ever when there is nothing to wait for.
    port.model, before = lambda part: None, port.seconds
    with pytest.raises(CheckFailed, match=": the answer stayed away: "):
        driver.echo(b"")
    assert 0.8 < port.seconds - before < 8 * (0.1 + 25 * 10 / baud)


def test_what_a_slow_line_holds_is_over_before_short_frames_begin():
    """Minutes of it, in which answers are far apart: none of them is too late."""
    standin = StandIn(words=200, classes=50)
    port = SlowPort(LinkModel(standin), 300, 0.1)
    driver = Driver(port, baud=300)
    driver.load(standin)
    asked = []
    carry_out = port.model.carry_out
    port.model.carry_out = lambda sent: asked.append((sent.opcode, sent.payload)) or carry_out(sent)
    port.back = damaging(lambda line, count: len(line) > LONG)
    read, *writes = driver._line.ask([
        Job([(Opcode.READ, frame.read(frame.RESULTS, 50))], [200]),
        *(Job([(Opcode.WRITE, frame.write(0, [n] * 14))], [0]) for n in range(1_800))])
    assert read.answers == [bytes(200)] and all(job.answers == [b""] for job in writes)
    assert asked.count((Opcode.ECHO, b"")) == 1
    assert asked.count((Opcode.READ, frame.read(frame.RESULTS, 4))) == 1


def test_time_outs_suit_what_takes_long_on_the_board():
    standin = StandIn(words=200)
    port = SlowPort(LinkModel(standin), 1_000_000, 0.1)
    driver = Driver(port, baud=1_000_000)
    driver.load(standin)
    driver.write({"cells": [0] * CONTROL})
    images = np.zeros((1, standin.inputs), dtype=np.int64)
    repeated = driver.repeat(images, 60_000)
    assert driver.traffic.again == 0
    assert port.longest == pytest.approx(repeated.cycles / 12_000_000, rel=0.01) and \
        port.longest > 1
    assert port.timeout == 0.1

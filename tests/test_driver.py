# amaranth: UnusedElaboratable=no

import random

import numpy as np
import pytest
import serial
from hypothesis import given, settings, strategies as st

from boards.driver import Driver
from boards.job import Job
from boards.line import Traffic
from gateware import cost
from gateware.compiler import compile, image
from gateware.control import network_id
from gateware.mapping import uniform
from gateware.system import System
from model import frame
from model.dense import Dense
from model.encoder import BitSerial, Threshold
from model.errors import CheckFailed, InputError
from model.frame import Counter, Frame, Opcode
from model.network import Network
from model.scores import Scores
from sim.pins import AmaranthPins, SimulatedPort

from .model_port import ModelPort, expected, loaded
from .standin import CONTROL, LinkModel, StandIn


DIVISOR = 5


@pytest.mark.parametrize("sizes", [
    {}, {"words": 3, "simd": 15, "bits": 5, "classes": 40}, {"words": 60, "simd": 40, "bits": 8},
    {"words": 2, "simd": 9, "classes": 90},
    {"words": 98, "simd": 8, "encoder": Threshold(3, bits=5)},
], ids=str)
def test_driver_is_an_engine(sizes):
    standin = StandIn(**sizes)
    driver, model = loaded(standin)
    rng = np.random.default_rng(1)
    cells = {"cells": [int(word) for word in rng.integers(0, 2 ** 32, CONTROL)]}
    driver.write(cells)
    assert model.memory == [*cells["cells"], 1, network_id(cells)]
    assert driver.read() == cells
    images = rng.integers(0, 2 ** standin.encoder.bits, (23, standin.inputs))
    result = driver.infer(images)
    scores, best = expected(standin, images)
    assert result.scores.dtype == np.int64
    assert (result.scores == scores).all() and (result.best == best).all()
    assert result.cycles == standin.cycles(23)
    assert driver.infer(images[:0]).scores.shape == (0, standin.classes)


@settings(max_examples=60)
@given(seed=st.integers(0, 2 ** 32 - 1), rate=st.sampled_from([0.0005, 0.003, 0.03]))
def test_a_noisy_line_costs_time_or_is_given_up_but_changes_nothing(seed, rate):
    noise = random.Random(seed)
    noisy = False

    def harm(line):
        if not noisy:
            return line
        kept = bytes(byte ^ (1 << noise.randrange(8) if noise.random() < rate else 0)
                     for byte in line if noise.random() >= rate / 4)
        return kept + bytes([noise.randrange(256)] if noise.random() < rate else [])

    standin = StandIn(words=60, simd=4, bits=8, classes=20)
    driver, model = loaded(standin, there=harm, back=harm)
    cells = {"cells": list(range(1, CONTROL + 1))}
    images = np.random.default_rng(seed).integers(0, 256, (2, standin.inputs))
    noisy = True
    try:
        driver.write(cells)
        assert model.memory == [*cells["cells"], 1, network_id(cells)]
        assert driver.read() == cells
        result = driver.infer(images)
    except CheckFailed as error:
        assert rate > 0.001 and "baud" in str(error)
        return
    scores, best = expected(standin, images)
    assert (result.scores == scores).all() and (result.best == best).all()


@pytest.mark.parametrize("way", ["there", "back"])
@pytest.mark.parametrize("which", range(11))
def test_every_frame_may_be_lost_once(way, which):
    count = 0

    def harm(line):
        nonlocal count
        parts = line.split(b"\0")
        for n, part in enumerate(parts[:-1]):
            if part:
                if count == which:
                    parts[n] = b""
                count += 1
        return b"\0".join(parts)

    standin = StandIn(words=200)    # an image takes two commands
    driver, model = loaded(standin, **{way: harm})
    driver.write({"cells": [5] * CONTROL})
    assert model.memory[:-1] == [5] * CONTROL + [1]
    images = np.arange(3 * standin.inputs).reshape(3, -1) % 16
    assert (driver.infer(images).scores == expected(standin, images)[0]).all()
    assert count > which


def test_what_else_a_link_does():
    standin = StandIn()
    driver, model = loaded(standin)
    cells = {"cells": list(range(CONTROL))}
    assert not driver.holds(cells)
    driver.write(cells)
    assert driver.holds(cells) and not driver.holds({"cells": [1] * CONTROL})
    assert driver.echo(b"any\0thing") == b"any\0thing"
    images = np.random.default_rng(3).integers(0, 16, (9, standin.inputs))
    scores, best = expected(standin, images)
    driver.infer(images)
    counters = driver.counters()
    assert counters[Counter.IMAGES] == 9 and counters[Counter.REFUSED] == 0
    repeated = driver.repeat(images, 1_000)
    assert repeated.signature == frame.signature(scores, best, 1_000)
    assert repeated.cycles == standin.cycles(9_000)
    with pytest.raises(InputError, match=r": a batch must be 1 to 51 images, not 52$"):
        driver.repeat(np.tile(images, (6, 1))[:52], 1)
    driver.reset()
    assert driver.counters()[Counter.IMAGES] == 0 and driver.holds(cells)


def test_traffic_is_counted():
    standin = StandIn()
    driver, model = loaded(standin)
    driver._line.traffic = Traffic()
    driver.echo(bytes(range(100)))
    assert (driver.traffic.sent, driver.traffic.received, driver.traffic.again) == (109, 109, 0)
    assert Traffic(100_000, 50, 0, 1.0).share(1_000_000) == 1.0
    assert Traffic(50, 25_000, 0, 1.0).share(1_000_000) == 0.25


def test_progress_is_told():
    standin = StandIn(words=200)
    told = []
    driver, _ = loaded(standin)
    driver._progress = lambda *now: told.append(now)
    driver.write({"cells": [0] * CONTROL})
    driver.infer(np.zeros((5, standin.inputs), dtype=np.int64))
    assert told[-1] == (5, 5) and all(total == 5 for _, total in told)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


class PacedPort(ModelPort):
    """A port that takes its time, and whose link has room for one frame besides the one it is on.

    Time is counted in bytes on the line.
    """

    def __init__(self, model, cycles_per_byte):
        super().__init__(model)
        self.per_byte = cycles_per_byte
        self.now = self.free = 0     # bytes that came, and when the link has answered all so far
        self.lost, self.part = [], b""
        self.when = []               # each byte that waits has been answered

    def read(self, size=1):
        data = super().read(size)
        if data:
            self.now = max(self.now, self.when[len(data) - 1])
            del self.when[:len(data)]
        return data

    def write(self, data):
        for byte in data:
            self.now += 1
            self.part += bytes([byte])
            if byte:
                continue
            if len(self.part) > 1:
                if self.free > self.now:
                    self.lost.append(self.now)
                answer = self.model(self.part[:-1]).encode()
                cycles = 5 * len(self.part) + 4 * len(answer)
                begin = max(self.free, self.now) + cycles / self.per_byte
                self.free = begin + len(answer)
                self.waiting += answer
                self.when += [begin + n + 1 for n in range(len(answer))]
            self.part = b""
        return len(data)


@pytest.mark.parametrize("sizes", [{}, {"words": 3, "simd": 15, "bits": 5, "classes": 40},
                                   {"words": 1, "simd": 1, "classes": 90}], ids=str)
def test_the_link_never_has_more_to_do_than_it_has_room_for(sizes):
    standin = StandIn(**sizes)
    port = PacedPort(LinkModel(standin), 120)
    driver = Driver(port, baud=1_000_000)      # of 12 MHz
    driver.load(standin)
    driver.write({"cells": [3] * CONTROL})
    driver.read()
    driver.infer(np.zeros((200, standin.inputs), dtype=np.int64))
    assert not port.lost
    assert driver.traffic.again == 0


def test_numbers_under_way_are_all_different():
    standin = StandIn(words=1, simd=1)
    driver, _ = loaded(standin)
    driver.write({"cells": [3] * CONTROL})
    line = driver._line
    jobs = [Job([(Opcode.ECHO, bytes([n & 0xFF]))], [1]) for n in range(1_000)]
    most = 0

    def watch(done):
        nonlocal most
        most = max(most, len(line._air))
        assert len(set(line._air)) == len(line._air)

    assert [job.answers for job in line.ask(jobs, watch)] == [[bytes([n & 0xFF])]
                                                              for n in range(1_000)]
    assert most <= 200


def test_an_answer_with_a_damaged_number_is_not_taken_for_another():
    standin = StandIn()
    driver, model = loaded(standin)
    driver.write({"cells": [3] * CONTROL})
    first = True

    def harm(line):
        nonlocal first
        if not first:
            return line
        first = False
        answer = Frame.decode(line[:-1])
        return Frame(answer.opcode, answer.sequence ^ 0x80, b"wrong").encode()

    driver._line.port.back = harm
    assert driver.echo(b"right") == b"right"
    assert driver.traffic.again


def test_nothing_answers():
    driver = Driver(ModelPort(None), where="/dev/ttyUSB1 at 115200 baud")
    with pytest.raises(InputError, match=r"^Nothing answers on /dev/ttyUSB1 at 115200 baud: is "):
        driver.identify()


def test_half_an_answer():
    standin = StandIn()
    port = ModelPort(LinkModel(standin), back=lambda line: line[:9])
    with pytest.raises(CheckFailed, match=r"^COM3: the answer broke off after \d+ bytes: is the c"):
        Driver(port, where="COM3").load(standin)


def test_another_baud_rate():
    standin = StandIn()
    port = ModelPort(LinkModel(standin), back=lambda line: b"\xfe\x80\xe0\0\x81\0")
    with pytest.raises(CheckFailed, match=r"^COM3: frames arrive damaged: is the cable sound, and"):
        Driver(port, where="COM3").load(standin)


def test_an_answer_that_stays_away_later():
    driver, _ = loaded(StandIn())
    driver._line.port.back = lambda line: b""
    with pytest.raises(CheckFailed, match=r": the answer stayed away: is the cable sound"):
        driver.identify()


def test_another_bitstream():
    standin = StandIn()
    driver, _ = loaded(standin)
    standin.hash = b"\x01\x02\x03\x04\x05\x06\x07\x08"
    with pytest.raises(InputError, match=r"^/dev/ttyUSB1 at 115200 baud: the bitstream is of "
                                         r"accelerator 7374616e642d696e, not 0102030405060708: "):
        driver.load(standin)


def test_an_older_bitstream(monkeypatch):
    standin = StandIn()
    monkeypatch.setattr(frame, "VERSION", frame.VERSION + 1)
    with pytest.raises(InputError, match=r"^.*: The link must speak version 3, not 2: build the "):
        loaded(standin)


def test_no_weights():
    driver, _ = loaded(StandIn())
    with pytest.raises(InputError, match=r": the accelerator has no weights: write an image first"):
        driver.infer(np.zeros((1, 14), dtype=np.int64))


def test_a_refusal():
    driver, _ = loaded(StandIn())
    with pytest.raises(CheckFailed, match=r": READ was refused: nothing lies at the address$"):
        driver._words([(16, 1)])


def test_a_port_that_is_pulled_out():
    driver, _ = loaded(StandIn())

    def pulled(line):
        raise serial.SerialException("device disconnected")

    driver._line.port.there = pulled
    with pytest.raises(InputError, match=r" has gone: is the board still connected\?$"):
        driver.identify()


def test_driver_closes_its_port():
    port = ModelPort(None)
    with Driver(port):
        assert not port.closed
    assert port.closed


# The whole of it, pin by pin.

def network():
    rng = np.random.default_rng(7)
    encoder = BitSerial(3)
    first = Dense(rng.random((6, 20)) < 0.5, rng.integers(-9, 9, 6), gains=encoder.gains,
                  bipolar=False)
    return Network(encoder, (first,), Scores(rng.random((3, 6)) < 0.5, np.array([3, -2, 1]),
                                             np.array([1, 0, -4]), gains=(1,), bipolar=True))


def test_a_system_by_its_pins():
    net = network()
    mapping = uniform(net.shape, pe=2, simd=4)
    accelerator = compile(net.shape, mapping)
    system = System(accelerator, divisor=DIVISOR, clock_hz=12_000_000)
    port = SimulatedPort(AmaranthPins(system), DIVISOR)
    driver = Driver(port, baud=12_000_000 // DIVISOR)
    # Noise on the line before anybody listens.
    port.write(b"\x55\x01\xfe")
    driver.load(accelerator)
    assert driver.identify() == system.identity
    images = np.random.default_rng(8).integers(0, 8, (3, 20))
    with pytest.raises(InputError, match="no weights"):
        driver.infer(images)
    contents = image(net, mapping)
    driver.write(contents)
    assert driver.read() == contents
    assert driver.identify().loaded
    result = driver.infer(images)
    assert (result.scores == net.scores_of(images)).all()
    assert (result.best == net(images)).all()
    assert result.cycles == cost.timing(mapping, 3).cycles


def test_a_port_a_little_off():
    standin = StandIn()
    system = System(standin, divisor=20, clock_hz=12_000_000)
    port = SimulatedPort(AmaranthPins(system), 20 * 1.02)
    assert Driver(port).identify() == system.identity
    assert port.in_waiting == 0


def test_a_silent_port_gives_up():
    standin = StandIn()
    system = System(standin, divisor=DIVISOR, clock_hz=12_000_000)
    port = SimulatedPort(AmaranthPins(system), DIVISOR, patience=200)
    assert port.read(1) == b"" and 200 <= port.cycles < 300
    port.timeout = 0
    assert port.read(1) == b"" and port.cycles < 300

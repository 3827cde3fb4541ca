# amaranth: UnusedElaboratable=no

import errno
import pathlib
import random

import numpy as np
import pytest
import serial
from hypothesis import given, settings, strategies as st

from boards.driver import Driver, open_port
from gateware import cost
from gateware.compiler import compile, image
from gateware.mapping import uniform
from gateware.system import System
from model import frame
from model.dense import Dense
from model.encoder import BitSerial
from model.errors import CheckFailed, InputError
from model.frame import Identity, Opcode
from model.network import Network
from model.scores import Scores
from sim.pins import AmaranthPins, SimulatedPort

from .standin import CONTROL, LinkModel, StandIn


DIVISOR = 5


def identity_of(standin):
    folding = standin.mapping.layers[0]
    return Identity(standin.hash, 12_000_000, standin.words, folding.simd,
                    standin.shape.encoder.bits, standin.classes)


class ModelPort:
    """A serial port with a model of a link behind it, and a line that may do harm on the way."""

    def __init__(self, model, *, there=None, back=None):
        self.model, self.there, self.back = model, there, back
        self.timeout = None
        self.line, self.waiting = b"", bytearray()
        self.closed = False

    @property
    def in_waiting(self):
        return len(self.waiting)

    def write(self, data):
        *parts, self.line = (self.line + (self.there(data) if self.there else data)).split(b"\0")
        for part in parts:
            if self.model is not None and (answer := self.model(part)) is not None:
                line = answer.encode()
                self.waiting += self.back(line) if self.back else line
        return len(data)

    def read(self, size=1):
        data = bytes(self.waiting[:size])
        del self.waiting[:size]
        return data

    def reset_input_buffer(self):
        self.waiting.clear()

    def close(self):
        self.closed = True


def loaded(standin, **harm):
    """A driver of a stand-in, and the model behind it."""
    model = LinkModel(identity_of(standin))
    driver = Driver(ModelPort(model, **harm), where="/dev/ttyUSB1 at 115200 baud")
    driver.load(standin)
    return driver, model


def expected(standin, images):
    totals = images.sum(axis=1)
    return (np.arange(1, standin.classes + 1) * (totals[:, None] - 20), totals % standin.classes)


@pytest.mark.parametrize("sizes", [{}, {"words": 3, "simd": 15, "bits": 5, "classes": 40},
                                   {"words": 60, "simd": 40, "bits": 8}], ids=str)
def test_driver_is_an_engine(sizes):
    standin = StandIn(**sizes)
    driver, model = loaded(standin)
    rng = np.random.default_rng(1)
    cells = {"cells": [int(word) for word in rng.integers(0, 2 ** 32, CONTROL)]}
    driver.write(cells)
    assert model.memory == [*cells["cells"], 1]
    assert driver.read() == cells
    folding = standin.mapping.layers[0]
    images = rng.integers(0, 2 ** standin.shape.encoder.bits, (4, folding.inputs))
    result = driver.infer(images)
    scores, best = expected(standin, images)
    assert result.scores.dtype == np.int64
    assert (result.scores == scores).all() and (result.best == best).all()
    assert result.latency == result.cycles_per_image == result.cycles // 4
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
    images = np.random.default_rng(seed).integers(0, 256, (2, standin.mapping.layers[0].inputs))
    noisy = True
    try:
        driver.write(cells)
        assert model.memory == [*cells["cells"], 1]
        assert driver.read() == cells
        result = driver.infer(images)
    except CheckFailed as error:
        assert rate > 0.001 and "baud" in str(error)
        return
    scores, best = expected(standin, images)
    assert (result.scores == scores).all() and (result.best == best).all()


@pytest.mark.parametrize("way", ["there", "back"])
@pytest.mark.parametrize("which", range(7))
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

    standin = StandIn(words=40)
    driver, model = loaded(standin, **{way: harm})
    driver.write({"cells": [5] * CONTROL})
    assert model.memory == [5] * CONTROL + [1]
    images = np.full((1, standin.mapping.layers[0].inputs), 3)
    assert (driver.infer(images).scores == expected(standin, images)[0]).all()
    assert count > which


def test_nothing_answers():
    driver = Driver(ModelPort(None), where="/dev/ttyUSB1 at 115200 baud")
    with pytest.raises(InputError, match=r"^Nothing answers on /dev/ttyUSB1 at 115200 baud: is "):
        driver.identify()


def test_half_an_answer():
    standin = StandIn()
    port = ModelPort(LinkModel(identity_of(standin)), back=lambda line: line[:9])
    with pytest.raises(CheckFailed, match=r"^COM3: the answer broke off after \d+ bytes: is the c"):
        Driver(port, where="COM3").load(standin)


def test_another_baud_rate():
    standin = StandIn()
    port = ModelPort(LinkModel(identity_of(standin)), back=lambda line: b"\xfe\x80\xe0\0\x81\0")
    with pytest.raises(CheckFailed, match=r"^COM3: frames arrive damaged: is the cable sound, and"):
        Driver(port, where="COM3").load(standin)


def test_an_answer_that_stays_away_later():
    driver, _ = loaded(StandIn())
    driver._port.back = lambda line: b""
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
    monkeypatch.setattr(frame, "VERSION", frame.VERSION + 1)
    with pytest.raises(InputError, match=r"speaks version 1 of the host link, not 2: build and"):
        loaded(StandIn())


def test_no_weights():
    driver, _ = loaded(StandIn())
    with pytest.raises(InputError, match=r": the accelerator has no weights: write an image first"):
        driver.infer(np.zeros((1, 14), dtype=np.int64))


def test_a_refusal():
    driver, _ = loaded(StandIn())
    with pytest.raises(CheckFailed, match=r": READ was refused: nothing lies at the address$"):
        driver._ask([(Opcode.READ, frame.read(16, 1))])


def test_a_port_that_is_pulled_out():
    driver, _ = loaded(StandIn())

    def pulled(line):
        raise serial.SerialException("device disconnected")

    driver._port.there = pulled
    with pytest.raises(InputError, match=r" has gone: is the board still connected\?$"):
        driver.identify()


def test_no_such_port(monkeypatch):
    missing = "/dev/ttyThatIsNotThere"
    assert not pathlib.Path(missing).exists()
    with pytest.raises(InputError, match=rf"^{missing} is no serial port; there are: "):
        Driver.open(missing, 115200)


@pytest.mark.parametrize(("number", "message"), [
    (errno.EACCES, r"^P may not be opened: add yourself to the group .*dialout.* udev rule$"),
    (errno.EBUSY, r"^P is in use by another program: close that first$"),
])
def test_ports_that_do_not_open(monkeypatch, number, message):
    def refuse(*args, **options):
        raise serial.SerialException(number, "could not open port")

    monkeypatch.setattr(serial, "Serial", refuse)
    with pytest.raises(InputError, match=message):
        open_port("P", 9600)


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
    driver = Driver(port)
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
    assert result.latency == cost.timing(mapping, 1).latency


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

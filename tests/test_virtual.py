"""A virtual board's port and its time, without a simulator."""

import errno
import os
import threading
import time

import pytest
import serial
from amaranth.hdl import Fragment

from boards import catalog, virtual
from boards.serial_port import open_port
from boards.virtual import VirtualBoard
from model.errors import InputError
from sim.wire import Wire

from .patience import within
from .slow_line import EchoLine
from .standin import StandIn


BOARD = catalog.find("icebreaker")
HZ = float(BOARD.clock_hz)
DATA = bytes(range(256)) * 2
PATIENCE = 60   # seconds of a test that may hang


@pytest.fixture
def lines(monkeypatch):
    """The simulated lines of the boards that a test makes."""
    made = []

    def make(component, bit, *, cache):
        Fragment.get(component, None)
        made.append(EchoLine(bit))
        return made[-1]

    monkeypatch.setattr(virtual, "VerilatorLine", make)
    monkeypatch.setattr(virtual, "LINGER", 0.02)
    before = threading.active_count()
    with within(PATIENCE):
        yield made
    assert threading.active_count() == before, "a board was left running"


def until(what):
    """Wait for something that a thread brings about."""
    end = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < end
        time.sleep(0.001)


def test_bytes_pass_over_pyserial_both_ways(lines):
    with VirtualBoard(BOARD, StandIn()) as board:
        port = board.open()
        assert isinstance(port._port, serial.Serial) and port._port.port == board.path
        assert port.write(DATA) == len(DATA)
        assert port.read(len(DATA)) == DATA
        # The board's rate is what it takes, not what a host says.
        assert len(DATA) * 10 / BOARD.baud < board.seconds < 2 * len(DATA) * 10 / BOARD.baud
        port.write(b"ab")
        until(lambda: port.in_waiting == 2)
        port.reset_input_buffer()
        port.write(b"c")
        assert port.read(1) == b"c" and port.in_waiting == 0
        port.close()


def test_any_program_may_open_the_port_at_any_rate(lines):
    with VirtualBoard(BOARD, StandIn()) as board:
        file = os.open(board.path, os.O_RDWR | os.O_NOCTTY)
        os.write(file, b"\x03\x11\r\n\0\x7f")   # which terminals mean something by
        heard = b""
        while len(heard) < 6:
            heard += os.read(file, 100)
        assert heard == b"\x03\x11\r\n\0\x7f"
        os.close(file)
        with serial.Serial(board.path, 9600, timeout=PATIENCE) as port:
            port.write(DATA)
            assert port.read(len(DATA)) == DATA
        port = board.open()
        with pytest.raises(InputError, match="is in use by another program"):
            board.open()
        # One program after another: bytes of the first are no reason to wait for less.
        port.write(b"x")
        assert port.read(1) == b"x"
        port.close()


def test_a_slow_machine_makes_no_time_out(lines):
    """An answer 200 µs after the question, simulated in 0.2 s, and no 1 ms of patience."""
    with VirtualBoard(BOARD, StandIn()) as board:
        line, = lines
        line.after, line.slice_ = 5_000, 0.03
        port = board.open(timeout=0.001)
        start = time.monotonic()
        port.write(b"q")
        assert port.read(1) == b"q"
        assert time.monotonic() - start > 0.1 and board.seconds < 0.0004
        # What the host has written waits at its own end, and the clock with it.
        board.expect(1)
        threading.Timer(0.2, port._port.write, [b"r"]).start()
        assert port.read(1) == b"r"
        port.close()


@pytest.mark.parametrize("timeout", [0.001, 0.7])
def test_a_silence_is_as_long_as_it_should_be(lines, timeout):
    with VirtualBoard(BOARD, StandIn()) as board:
        port = board.open(timeout=timeout)
        before, start = board.seconds, time.monotonic()
        assert port.read(1) == b""
        assert timeout <= board.seconds - before < timeout + 0.0001
        # Where nothing would happen, nothing is simulated.
        assert time.monotonic() - start < PATIENCE and lines[0].calls < 20
        # Bytes that pass are no silence.
        before, lines[0].after = board.seconds, 5_000
        port.write(b"ab")
        assert port.read(3) == b"ab"
        assert timeout + 5_000 / HZ < board.seconds - before < timeout + 7_000 / HZ
        port.close()


def test_reads_that_do_not_wait(lines):
    with VirtualBoard(BOARD, StandIn()) as board:
        until(lambda: board.idle)
        port = board.open(timeout=0)
        assert port.read(5) == b"" and board.seconds == 0
        lines[0].gate.clear()
        port.write(b"abc")
        until(lambda: lines[0].waiting)
        assert port.read(5) == b""
        lines[0].gate.set()
        until(lambda: port.in_waiting == 3)
        assert port.read(5) == b"abc"
        port.timeout = None
        lines[0].after = int(2 * virtual.LINGER * HZ)   # an answer long after the question
        threading.Timer(0.05, port.write, [b"later"]).start()
        assert port.read(5) == b"later"
        port.close()


def test_a_board_that_idles_takes_no_time(lines):
    with VirtualBoard(BOARD, StandIn()) as board:
        line, = lines
        until(lambda: board.idle)
        calls, seconds = line.calls, board.seconds
        time.sleep(0.05)
        assert (line.calls, board.seconds) == (calls, seconds)
        # One that never comes to rest is left alone as well, after a while.
        line.stuck = True
        port = board.open(timeout=0.01)
        assert port.read(1) == b""
        until(lambda: board.idle)
        calls = line.calls
        time.sleep(0.05)
        assert line.calls == calls and board.seconds >= virtual.LINGER
        port.close()


def test_a_host_that_does_not_listen_loses_nothing(lines, monkeypatch):
    monkeypatch.setattr(virtual, "SLICE", 2_000)
    with VirtualBoard(BOARD, StandIn()) as board:
        port = board.open()
        sent = DATA * 60
        writer = threading.Thread(target=port.write, args=[sent])
        writer.start()
        writer.join()
        until(lambda: lines[0].still and board._outgoing)
        assert b"".join(port.read(len(sent) // 10) for _ in range(10)) == sent
        port.close()


def test_the_cable_is_pulled_out(lines):
    with VirtualBoard(BOARD, StandIn()) as board:
        port, failed = board.open(timeout=None), []

        def listen():
            with pytest.raises(serial.SerialException) as raised:
                port.read(1)
            failed.append(raised)

        waits = threading.Thread(target=listen)
        waits.start()
        lines[0].lit = 1
        board.unplug()
        waits.join(PATIENCE)
        assert failed
        with pytest.raises(OSError) as raised:
            port.write(b"x")
        assert isinstance(raised.value, serial.SerialException) or raised.value.errno == errno.EIO
        with pytest.raises(serial.SerialException):
            port.read(1)
        with pytest.raises(InputError, match="^the virtual icebreaker is not connected: plug it"):
            board.path   # noqa: B018
        board.unplug()
        board.plug()
        board.plug()
        assert board.lit
        port.close()
        port = board.open()
        port.write(DATA)
        assert port.read(len(DATA)) == DATA
        # Bytes on their way are lost with it, those included that the adapter has in hand.
        until(lambda: board.idle)
        lines[0].gate.clear()
        port.write(DATA)
        until(lambda: lines[0].waiting)
        threading.Timer(0.05, lines[0].gate.set).start()
        board.unplug()
        board.plug()
        port.close()
        port = board.open(timeout=0.01)
        assert len(port.read(len(DATA))) < virtual.AHEAD // 2
        port.close()


def test_closing(lines):
    board = VirtualBoard(BOARD, StandIn())
    path, port = board.path, board.open(timeout=None)
    closing = threading.Timer(0.05, board.close)
    closing.start()
    with pytest.raises(serial.SerialException):
        port.read(1)
    port.close()
    # The second to close does not wait for the first.
    board.close()
    closing.join()
    board.unplug()
    with pytest.raises(RuntimeError, match="must not be closed"):
        board.plug()
    with pytest.raises(InputError, match=f"^{path} is no serial port"):
        open_port(path, 9600)


def test_a_simulator_that_fails_says_so(lines):
    board = VirtualBoard(BOARD, StandIn())
    port = board.open(timeout=None)
    lines[0].breaks = True
    port.write(b"x")
    with pytest.raises(RuntimeError, match="The virtual icebreaker has failed") as raised:
        port.read(1)
    assert isinstance(raised.value.__cause__, ArithmeticError)
    port.close()
    with pytest.raises(RuntimeError, match="has failed"):
        board.close()


def test_harm_is_done_and_counted(lines):
    wire = Wire(flip=0.002, drop=0.01, double=0.01, delay=3, seed=5)
    heard = []
    for _ in range(2):
        with VirtualBoard(BOARD, StandIn(), wire=wire) as board:
            port = board.open(timeout=0.01)
            port.write(DATA)
            heard.append(port.read(2 * len(DATA)))
            there, back = board.harm["there"], board.harm["back"]
            port.close()
        assert there.passed == len(DATA)
        assert back.passed == len(DATA) - there.dropped + there.doubled
        for harm in (there, back):
            assert min(harm.flipped, harm.dropped, harm.doubled) > 0
            assert harm.delayed == harm.passed - harm.dropped + harm.doubled
    assert heard[0] == heard[1] != DATA

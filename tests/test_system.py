# amaranth: UnusedElaboratable=no

import dataclasses

import numpy as np
import pytest

from gateware.compiler import compile, image
from gateware.folding import Folding
from gateware.mapping import Mapping
from gateware.plan import Plan
from gateware.system import System, identity
from model import frame
from model.encoder import Threshold
from model.frame import Error, Frame, Identity, Layer, Opcode, Run
from model.network import Network
from model.scores import Scores
from sim.pins import AmaranthPins, Listener, levels

from .standin import CONTROL, StandIn
from .traffic import ports


DIVISOR = 5
IDENTITY = Identity(b"stand-in", 12_000_000, CONTROL, inputs=14, bits=4, classes=3, score_bits=20,
                    batch=51, layers=(Layer(14, 3, 1, 3, 4),))


class Line:
    """The two pins of a system, and the frames that pass over them."""

    def __init__(self, system):
        self.pins = AmaranthPins(system)
        self.listener = Listener(DIVISOR)

    def __call__(self, rx):
        """What comes back, to the end of an answer, for these levels."""
        heard = self.listener(self.pins.run(np.asarray(rx, dtype=np.uint8)))
        for _ in range(20):
            if heard.endswith(b"\0"):
                break
            heard += self.listener(self.pins.run(np.ones(200, dtype=np.uint8)))
        return Frame.decode(heard[:-1])

    def ask(self, opcode, sequence, payload=b""):
        return self(levels(Frame(opcode, sequence, payload).encode(), DIVISOR))


@pytest.fixture
def line():
    return Line(System(StandIn(), divisor=DIVISOR, clock_hz=12_000_000))


def test_a_host_loads_weights_and_has_an_image_classified(line):
    answer = line.ask(Opcode.IDENTIFY, 1)
    assert Identity.unpack(answer.payload) == IDENTITY
    assert line.ask(Opcode.INFER, 2, frame.infer(0, run=True)).payload == bytes([Error.WEIGHTS])
    line.ask(Opcode.WRITE, 3, frame.write(CONTROL, [1]))
    assert Identity.unpack(line.ask(Opcode.IDENTIFY, 4).payload).loaded
    assert frame.unpack_words(line.ask(Opcode.READ, 5, frame.read(CONTROL, 1)).payload) == [1]
    pixels = np.arange(14)[None] % 16
    packed, = frame.pack_images(pixels, 4)
    answer = line.ask(Opcode.INFER, 6, frame.infer(0, packed, run=True, scores=True)).payload
    total = int(pixels.sum())
    run = Run.unpack(answer, IDENTITY, scores=True)
    assert run == Run(8, (total % 3,), (tuple((c + 1) * (total - 20) for c in range(3)),))


def test_of_a_thresholded_pixel_one_bit_is_sent():
    system = System(StandIn(encoder=Threshold(3, bits=5)), divisor=DIVISOR, clock_hz=12_000_000)
    line = Line(system)
    told = system.identity
    assert (told.bits, told.image_bytes) == (1, 2)
    line.ask(Opcode.WRITE, 1, frame.write(CONTROL, [1]))
    packed, = frame.pack_images(Threshold(3, bits=5).sent(np.arange(14)[None]), 1)
    answer = line.ask(Opcode.INFER, 2, frame.infer(0, packed, run=True)).payload
    assert Run.unpack(answer, told, scores=False).best == (11 * 31 % 3,)


@pytest.mark.parametrize("batch", [1, 2])
def test_images_of_a_batch_that_is_not_full_are_answered(batch):
    rng = np.random.default_rng(0)
    network = Network(Threshold(1, bits=1), (), Scores(
        rng.random((3, 6)) < 0.5, np.ones(3, dtype=int), np.zeros(3, dtype=int)))
    mapping = Mapping((Folding(6, 3, (1,), 1, 3, batch=batch),))
    line = Line(System(compile(network.shape, mapping, image=image(network, mapping)),
                       divisor=DIVISOR, clock_hz=12_000_000))
    images = rng.integers(0, 2, (3, 6))
    for n, each in enumerate(frame.pack_images(images, 1)):
        answer = line.ask(Opcode.INFER, n, frame.infer(n, each, run=n == 2))
    told = identity(Plan(network.shape, mapping), 12_000_000)
    assert Run.unpack(answer.payload, told, scores=False).best == tuple(network(images))


def test_reset_reaches_the_accelerator_and_the_class_is_shown():
    system = System(StandIn(), divisor=DIVISOR, clock_hz=12_000_000)
    line = Line(system)
    seen = []

    async def look(ctx):
        while True:
            _, _, *shown = await ctx.tick().sample(system.best, system.any_best, system.loaded)
            seen.append(tuple(shown))

    line.pins.watch(look)
    packed, = frame.pack_images(np.full((1, 14), 4), 4)
    line.ask(Opcode.WRITE, 1, frame.write(CONTROL, [1]))
    assert seen[-1] == (0, 0, 1)
    line.ask(Opcode.INFER, 2, frame.infer(0, packed, run=True))
    assert seen[-1] == (56 % 3, 1, 1)
    line.ask(Opcode.RESET, 3)
    assert seen[-1][1:] == (0, 0)    # the stand-in keeps nothing


def test_a_byte_whose_stop_bit_is_low_damages_its_frame(line):
    bits = levels(Frame(Opcode.READ, 7, frame.read(3, 1)).encode(), DIVISOR).reshape(-1, DIVISOR)
    # The stop bit of the fourth byte is low, and then the line is high again for as long.
    broken = np.concatenate([bits[:39], 0 * bits[39:40], bits[39:]])
    assert line(broken.reshape(-1)) == Frame(0xFF, 7, bytes([Error.DAMAGED]))
    # So does one that comes before it, all of which is there.
    noise = levels(b"\x55", DIVISOR)
    noise[-DIVISOR:] = 0
    whole = levels(Frame(Opcode.READ, 6, frame.read(3, 1)).encode(), DIVISOR)
    assert line([*noise, *[1] * DIVISOR, *whole]) == Frame(0xFF, 6, bytes([Error.DAMAGED]))
    assert line.ask(Opcode.IDENTIFY, 8).sequence == 8


@pytest.mark.parametrize("sizes, batch", [
    ({"words": 128}, 2), ({"words": 300}, 1), ({"words": 2, "classes": 128}, 2),
    ({"words": 2, "classes": 300}, 1)])
def test_as_many_images_as_memories_hold(sizes, batch):
    assert identity(StandIn(**sizes), 10 ** 7).batch == batch


@pytest.mark.parametrize("words, batch, expected", [(60, 3, 3), (60, 5, 4), (60, 4, 4), (30, 3, 6)])
def test_buffers_hold_whole_batches(words, batch, expected):
    standin = StandIn(words=words)
    standin.batch = batch
    assert identity(standin, 10 ** 7).batch == expected


def test_what_a_system_is_made_of():
    standin = StandIn()
    system = System(standin, divisor=9, clock_hz=10 ** 7)
    assert system.accelerator is standin and system.divisor == 9
    assert system.identity == dataclasses.replace(IDENTITY, clock_hz=10 ** 7)
    assert ports(system) == {"rx": 1, "tx": 1, "best": 2, "any_best": 1, "loaded": 1}
    assert (system.rx.init, system.tx.init) == (1, 1)
    # Both lines are high while nothing is said.
    assert AmaranthPins(system).run(np.ones(30, dtype=np.uint8)).all()

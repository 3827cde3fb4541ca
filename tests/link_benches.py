# amaranth: UnusedElaboratable=no

"""A bench for each component of the host link, and for the whole system at its pins.

What has to come out follows from :mod:`model.frame` and the library that stuffs bytes.
"""

import numpy as np
from cobs import cobs

import gateware.cobs
from gateware import uart
from gateware.collector import Collector
from gateware.compiler import compile, image, pixel_words
from gateware.cost import timing
from gateware.folding import Folding
from gateware.frames import Frames
from gateware.image_buffer import ImageBuffer
from gateware.link import Link
from gateware.mapping import Mapping
from gateware.scores import layout
from gateware.system import System
from model import frame
from model.frame import Error, Frame, Opcode, Run, Split
from model.scores import argmax
from sim.cosim.case import Case, Step
from sim.pins import Listener, levels

from .benches import Bench, Script
from .commandline import random_network
from .standin import LinkModel, unstuff
from .test_link import LOADED, NARROW, WRITE, dump, part, sealed


__all__ = ["LINK"]


DIVISOR = 4


def receiver(rng, damaged):
    data = rng.bytes(9)
    line = [1, 1, *levels(data, DIVISOR)]
    if damaged:
        # The stop bit of one more byte is low; that byte is lost, and the next is not.
        line += [*levels(b"\0", DIVISOR)[:-DIVISOR], *[0] * 2 * DIVISOR, *[1] * 2 * DIVISOR,
                 *levels(b"\x55", DIVISOR)]
        data += b"\x55"

    def check(answer):
        assert bytes(answer.words["o"]) == data
        assert sum(answer.seen["error"]) == damaged

    return Bench(uart.Receiver(divisor=DIVISOR), Case(
        "", steps=[Step({"rx": int(level)}) for level in line], drain={"o": len(data)},
        watch=["error"]), check)


def transmitter(rng):
    data = rng.bytes(9)

    def check(answer):
        assert Listener(DIVISOR)(np.array(answer.seen["tx"])) == data

    # The last byte is still on its way when it has been taken.
    return Bench(uart.Transmitter(divisor=DIVISOR), Case(
        "", feed={"i": [*data]}, watch=["tx"], linger=11 * DIVISOR), check)


def bodies(rng):
    """Frames before stuffing, with and without zeros."""
    return [b"", b"\0", b"\0\0\7", bytes(rng.integers(1, 256, 254).tolist()), rng.bytes(255),
            bytes(rng.integers(0, 3, 40).tolist())]


def decoder(rng):
    lines = [*map(cobs.encode, bodies(rng)), b"\x05\x01", b"\x02\x01"]
    end, broken = (1 << gateware.cobs.item[name].offset for name in ("end", "broken"))
    expected = []
    for raw, damaged in map(unstuff, lines):
        expected += [*raw, end | (broken if damaged else 0)]

    def check(answer):
        # What a byte is that belongs to no frame, and whether an unfinished frame is broken, is
        # nobody's business.
        assert [word & (end | broken) if word & end else word & 0xff
                for word in answer.words["o"]] == expected

    return Bench(gateware.cobs.Decoder(), Case(
        "", feed={"i": [*b"".join(line + b"\0" for line in lines)]},
        drain={"o": len(expected)}), check, speeds=("waiting",))


def encoder(rng):
    data = [body[:253] for body in bodies(rng)]
    steps = []
    for body in data:
        steps += [Step({"start": 1}), Step({"start": 0})]
        for byte in [*body, 0]:
            steps += [Step({"i__valid": 1, "i__payload": byte}),
                      Step({"i__valid": 0}, times=int(rng.integers(1, 3)))]

    def check(answer):
        memory, stuffed = {}, []
        seen = zip(*(answer.seen[port] for port in ("w__en", "w__addr", "w__data", "start",
                                                    "length")), strict=True)
        for edge, (en, address, byte, start, _) in enumerate(seen):
            if start:
                stuffed.append((edge, {}))
                memory = stuffed[-1][1]
            if en:
                memory[address] = byte
        for n, (body, (_, memory)) in enumerate(zip(data, stuffed, strict=True)):
            following = stuffed[n + 1][0] if n + 1 < len(stuffed) else -1
            length = answer.seen["length"][following] - 1
            assert bytes(memory[at] for at in range(length)) == cobs.encode(body)

    return Bench(gateware.cobs.Encoder(size=253), Case(
        "", steps=steps, watch=["w__en", "w__addr", "w__data", "start", "length"]), check)


class Pages:
    """What a collector has written by each edge, and which frames it held."""

    WATCH = ("w__en", "w__addr", "w__data", "page", "count", "damaged")

    def __init__(self, answer, page_size):
        self._seen = {port: answer.seen[port] for port in self.WATCH}
        self._page_size = page_size

    def frame(self, edge):
        """The frame that is there at an edge: its bytes as far as written, count, damage."""
        memory = {}
        for en, address, byte in zip(*(self._seen[port][:edge] for port in self.WATCH[:3]),
                                     strict=True):
            if en:
                memory[address] = byte
        page, count, damaged = (self._seen[port][edge] for port in self.WATCH[3:])
        return bytes(memory[page * self._page_size + at] for at in range(min(count, 40))), \
            count, damaged


def collector(rng, lost):
    """Frames of 3 to 40 bytes, some too short and some too long; a byte may be lost in each."""
    bodies = [rng.bytes(size) for size in (3, 2, 40, 0, 41, 55, 17)]
    kept = [body for body in bodies if len(body) >= 3]
    steps = []
    if lost:
        for body in bodies:
            line = [*cobs.encode(body), 0]
            for n, byte in enumerate(line):
                steps += [Step({"i__valid": 1, "i__payload": byte}, until="i__ready")]
                if n == len(line) - 2:
                    steps += [Step({"i__valid": 0, "lost": 1}), Step({"lost": 0})]
            steps.append(Step({"i__valid": 0}))
            if len(body) >= 3:
                steps += [Step(until="held"), Step({"release": 1}), Step({"release": 0})]
    else:
        for _ in kept:
            steps += [Step(until="held"), Step({}, times=int(rng.integers(1, 90))),
                      Step({"release": 1}), Step({"release": 0})]
    ends = [n for n, step in enumerate(steps) if step.until == "held"]
    feed = [] if lost else [*b"".join(cobs.encode(body) + b"\0" for body in bodies)]

    def check(answer):
        pages = Pages(answer, 64)
        for body, step in zip(kept, ends, strict=True):
            assert pages.frame(answer.ends[step]) == (body[:40], min(len(body), 41), int(lost))

    return Bench(Collector(least=3, most=40), Case(
        "", feed={} if lost else {"i": feed}, steps=steps, watch=[*Pages.WATCH]), check)


def frames(rng):
    """Frames and damaged ones; each is read, and answered with what was read."""
    script, line, answers = Script(), b"", []
    constant = b"\x01\x02constant"
    sent = [Frame(2, 7, rng.bytes(64)), Frame(1, 8), Frame(4, 9, bytes(5)), Frame(3, 10, b"abc")]

    def say(body, after=None):
        script.step({"restart": 1})
        script.step({"restart": 0})
        for n, byte in enumerate(body):
            script.step({"answer__valid": 1, "answer__payload": byte}, until="answer__ready")
            if n % 3 == 0:
                script.step({"answer__valid": 0}, times=n % 5 + 1)
        script.step({"answer__valid": 0, "close": 1})
        script.step({"close": 0})
        answers.append(cobs.encode(Frame(body[0], body[1], bytes(body[3:])).raw) + b"\0")

    for each in sent:
        line += each.encode()
        script.step(until="open", now={"fault": 0, "opcode": each.opcode, "length":
                                       len(each.payload), "sequence": each.sequence})
        for byte in each.payload:
            script.step(until="fresh", now={"byte": byte})
            script.step({"next": 1})
            script.step({"next": 0})
        say([each.opcode | 0x80, each.sequence, len(each.payload), *each.payload])
    for raw, fault in ((sent[0].raw[:-1] + b"?", Error.DAMAGED), (bytes(80), Error.LENGTH)):
        line += cobs.encode(raw) + b"\0" + b"\x02\x01\0"    # and a frame too short to be answered
        script.step(until="open", now={"fault": fault, "sequence": raw[1]})
        say([0xff, raw[1], 1, fault])
    # The constant takes the place of the frame.
    line += sent[1].encode()
    script.step({"recite": 1}, until="open")
    script.step({"restart": 1})
    script.step({"restart": 0})
    for byte in constant:
        script.step(until="fresh", now={"byte": byte})
        script.step({"next": 1})
        script.step({"next": 0})
    say([0x81, 8, 0])

    def check(answer):
        script.check(answer)
        assert bytes(answer.words["o"]) == b"".join(answers)

    return Bench(Frames(constant=constant), Case(
        "", feed={"i": [*line]}, drain={"o": len(b"".join(answers))}, steps=script.steps,
        watch=["fault", "opcode", "length", "sequence", "byte"]), check, speeds=("waiting",))


def image_buffer(rng, width):
    """Three words of pixels and four scores; wide pixels take several words of the bus."""
    component = ImageBuffer(pixels=width, words=3, result=layout(4, 20), classes=4)
    chunks, script = -(-width // 32), Script()
    words = [int.from_bytes(rng.bytes(12), "little") & (1 << width) - 1 for _ in range(3)]
    scores = rng.integers(-2 ** 19, 2 ** 19, 4).tolist()
    for n, word in enumerate(words):
        for chunk in range(chunks):
            script.write(n * chunks + chunk, word >> 32 * chunk & 0xffff_ffff)
    script.step({"start": 1})
    script.step({"start": 0}, until="done", after={"best": 2})
    for n, score in enumerate(scores):
        script.read(component.scores + n, score & 0xffff_ffff)
    results = [score & 0xfffff | 2 << 20 | (n == 3) << 22 for n, score in enumerate(scores)]

    def check(answer):
        script.check(answer)
        assert answer.words["o"] == words
        assert answer.seen["cycles"][-1] == answer.when["i"][-1] - answer.when["o"][0] + 1

    # Scores come after the pixels, as they do where these are needed for those.
    return Bench(component, Case(
        "", feed={"i": results}, drain={"o": 3}, steps=script.steps,
        stalls={"i": [80, 0, 3], "o": [2, 0]},
        watch=["best", "cycles", "bus__r_data", "bus__r_valid"]), check, speeds=("full",))


def whole_link():
    """Commands, sound and damaged, to a link before a stand-in for an accelerator."""
    identity = NARROW.identity
    pixels = [0x9ABC_DEF1 + n for n in range(identity.buffer_words)]
    parts = [part(Opcode.IDENTIFY, 1), part(Opcode.INFER, 2, frame.infer(0, pixels, run=True)),
             LOADED, part(Opcode.WRITE, 3, frame.write(3, range(12))), sealed(WRITE[:-1]),
             (cobs.encode(WRITE + b"crc!"), False), (b"\1", False),
             part(Opcode.INFER, 4, frame.infer(0, pixels, run=True)),
             part(Opcode.INFER, 4, frame.infer(0, pixels, run=True)), *dump(NARROW)]
    model, expected = LinkModel(identity), b""
    for data, _ in parts:
        answer = model(data)
        expected += b"" if answer is None else answer.encode()

    def check(answer):
        assert bytes(answer.words["o"]) == expected

    return Bench(NARROW, Case(
        "", feed={"i": [byte for data, _ in parts for byte in [*data, 0]]},
        drain={"o": len(expected)}, limit=40_000), check, speeds=("waiting",))


def system(rng):
    """A small network at two pins: identified, asked for an image, written, and read back."""
    network = random_network(6, 4, 3, bits=3)
    mapping = Mapping((Folding(6, 4, (4, 2, 1), 2, 4), Folding(4, 3, (1,), 1, 2)))
    contents = image(network, mapping)
    component = System(compile(network.shape, mapping, image=contents), divisor=DIVISOR,
                       clock_hz=12_000_000)
    address = component.accelerator.memories["layer0.weights"].base
    row = contents["layer0.weights"][0]
    pixels = rng.integers(0, 8, (1, 6))
    words = pixel_words(pixels, network.shape, mapping)
    scores = network.trace(pixels)["scores"]
    identity = component.identity.pack()
    exchange = [
        (Frame(Opcode.IDENTIFY, 1), identity[:1] + b"\1" + identity[2:]),
        (Frame(Opcode.INFER, 2, frame.infer(0, words, run=True)),
         Run(int(argmax(scores)[0]), timing(mapping, 1).cycles, tuple(scores[0].tolist())).pack()),
        (Frame(Opcode.WRITE, 3, frame.write(address, [row ^ 0xff])), b""),
        (Frame(Opcode.READ, 4, frame.read(address, 1)), frame.pack_words([row ^ 0xff])),
    ]
    steps, expected = [], []
    for command, payload in exchange:
        line, answer = command.encode(), command.answer(payload)
        steps += [Step({"rx": int(level)}) for level in levels(line, DIVISOR)]
        # What the link says it takes at most, and the answer's way over the line.
        pause = 7 * len(line) + (10 * DIVISOR + 5) * len(answer.encode()) + 40
        steps.append(Step({"rx": 1}, times=pause + timing(mapping, 1).cycles))
        expected.append(answer)

    def check(answer):
        heard = Listener(DIVISOR)(np.array(answer.seen["tx"]))
        assert [Frame.decode(line) for line in Split()(heard)] == expected

    return Bench(component, Case("", steps=steps, watch=["tx"], limit=20_000), check)


# Of what, and how it is made.
LINK = {
    "receiver": (uart.Receiver, lambda rng: receiver(rng, damaged=False)),
    "receiver_damaged": (uart.Receiver, lambda rng: receiver(rng, damaged=True)),
    "transmitter": (uart.Transmitter, transmitter),
    "cobs_decoder": (gateware.cobs.Decoder, decoder),
    "cobs_encoder": (gateware.cobs.Encoder, encoder),
    "collector": (Collector, lambda rng: collector(rng, lost=False)),
    "collector_lost": (Collector, lambda rng: collector(rng, lost=True)),
    "frames": (Frames, frames),
    "image_buffer": (ImageBuffer, lambda rng: image_buffer(rng, 21)),
    "image_buffer_wide": (ImageBuffer, lambda rng: image_buffer(rng, 75)),
    "link": (Link, lambda rng: whole_link()),
    "system": (System, system),
}

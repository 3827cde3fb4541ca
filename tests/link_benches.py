# amaranth: UnusedElaboratable=no

"""A bench for each component that moves the host link's bytes and frames.

What has to come out follows from :mod:`model.frame` and the library that stuffs bytes. See
:mod:`tests.system_benches` for what carries commands out.
"""

import numpy as np
from cobs import cobs

import gateware.cobs
from gateware import uart
from gateware.collector import Collector
from gateware.frames import Frames
from model import frame
from model.frame import Error, Frame
from sim.cosim.case import Case, Step
from sim.pins import Listener, levels

from .benches import Bench, Script
from .standin import unstuff


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
    sent = [Frame(2, 7, rng.bytes(frame.MAX_PAYLOAD)), Frame(1, 8), Frame(4, 9, bytes(5)),
            Frame(3, 10, b"abc")]

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
    for raw, fault in ((sent[0].raw[:-1] + b"?", Error.DAMAGED),
                       (bytes(frame.MAX_FRAME + 1), Error.LENGTH)):
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
}

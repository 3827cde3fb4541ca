# amaranth: UnusedElaboratable=no

"""A bench for each component that carries a host's commands out, and for the system at its pins.

What has to come out follows from :mod:`model.frame`, and from the model of a link in
:mod:`tests.standin`.
"""

from dataclasses import replace

import numpy as np
from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from cobs import cobs

import gateware.cost
from gateware.access import Access
from gateware.compiler import compile, image
from gateware.control import network_id
from gateware.counters import Counters
from gateware.folding import Folding
from gateware.image_buffer import ImageBuffer
from gateware.link import Link
from gateware.mapping import Mapping
from gateware.result_bytes import ResultBytes
from gateware.results import Results
from gateware.scores import layout
from gateware.system import System
from model import frame
from model.frame import Frame, Identity, Opcode, Repeated, Run, Split
from model.scores import argmax
from sim.cosim.case import Case, Step
from sim.pins import Listener, levels

from .benches import Bench, Script
from .commandline import random_network
from .link_bed import LOADED, NARROW, WRITE, answers, dump, image_of, part, sealed


__all__ = ["SYSTEM"]


DIVISOR = 4


def image_buffer(rng, width):
    """Some bytes that are cleared, two images sent twice, and another one behind them."""
    words, images = 3, 3
    image_bytes = -(-(words * width - 2) // 8)
    component = ImageBuffer(width=width, words=words, image_bytes=image_bytes, batch=images)
    data = [rng.bytes(image_bytes) for _ in range(images)]
    mask = (1 << width) - 1
    leave = [int.from_bytes(image, "little") >> n * width & mask
             for image in data for n in range(words)]
    script, came = Script(), 0

    def put(line):
        nonlocal came
        for byte in line:
            came += 1
            script.step({"i__valid": 1, "i__payload": byte}, until="i__ready", after={
                "filled": came, "images": came // image_bytes, "whole": came % image_bytes == 0})
            if came % 3 == 0:
                script.step({"i__valid": 0, "i__payload": 255})
        script.step({"i__valid": 0}, until="i__ready")

    def send(rounds, count):
        script.step({}, times=2)
        script.step({"start": 1, "rounds": rounds})
        script.step({"start": 0, "rounds": 0}, times=20 * count)

    put(bytes(image_bytes + 1))
    script.step({"clear": 1}, after={"filled": 0, "images": 0, "whole": 1})
    script.step({"clear": 0})
    came = 0
    put(data[0] + data[1])
    send(2, 4 * words)
    put(data[2])
    send(1, 3 * words)
    expected = leave[:2 * words] * 2 + leave

    def check(answer):
        script.check(answer)
        assert answer.words["o"] == expected

    return Bench(component, Case(
        "", drain={"o": len(expected)}, steps=script.steps, watch=["filled", "images", "whole"]),
        check)


def results(rng):
    """Three rounds of two images, and then four of another; the scores are read each time."""
    classes, bits = 3, 20
    form = layout(classes, bits)
    component, script = Results(result=form, classes=classes, batch=2), Script()
    feed, begins, dones, counted = [], [], [], 0
    for images, rounds in ((2, 3), (1, 4)):
        scores = rng.integers(-2 ** (bits - 1), 2 ** (bits - 1), (images, classes))
        best = rng.integers(0, classes, images)
        # Which class is best counts with the last score alone.
        words = [form.const({"score": score, "last": n == classes - 1,
                             "best": number if n == classes - 1 else 3}).as_bits()
                 for row, number in zip(scores.tolist(), best.tolist(), strict=True)
                 for n, score in enumerate(row)]
        feed += words * rounds
        counted += images * rounds
        script.step({"images": images, "rounds": rounds, "start": 1})
        begins.append(len(script.steps))
        script.step({"start": 0, "rounds": 0, "begin": 1}, times=1)
        script.step({"begin": 0}, times=2)
        script.step({"begin": 1}, times=2)
        dones.append(len(script.steps))
        script.step({"begin": 0}, until="done", after={
            "done": 0, "best": int(best[-1]), "digest": frame.signature(scores, best, rounds)})
        script.step({"begin": 1})    # is of nothing any more
        for at, score in enumerate(scores.reshape(-1).tolist()):
            script.step({"addr": at, "begin": 0}, after={"score": score & 0xFFFF_FFFF} | (
                {"best_there": int(best[at // classes])} if at % classes == classes - 1 else {}))

    def check(answer):
        script.check(answer)
        assert sum(answer.seen["counted"]) == counted and sum(answer.seen["done"]) == len(dones)
        ends = answer.ends
        for begin, done in zip(begins, dones, strict=True):
            assert {answer.seen["cycles"][edge] for edge in (ends[done] + 1, ends[done] + 3)} \
                == {ends[done] - ends[begin] + 1}

    return Bench(component, Case(
        "", feed={"i": feed}, steps=script.steps,
        watch=["counted", "done", "cycles", "digest", "best", "score", "best_there"]), check)


def access(rng):
    """Words written and read at two places, refused, and not answered."""
    script, feed, drain = Script(), [], []
    words, taken = rng.integers(0, 1 << 32, 5).tolist(), {"start": 0, "first": 0, "count": 0}

    def begin(first, count, *, write):
        script.step({"start": 1, "first": first, "count": count, "write": write})

    begin(3, len(words), write=1)
    for at, word in enumerate(words, 3):
        script.step(taken, until="bus__w_en",
                    now={"bus__addr": at, "bus__w_data": word, "place": 0})
        feed.extend(frame.pack_words([word]))
    script.step(until="done", now={"refused": 0})
    for place, first in ((0, 3), (2, 27)):
        begin(place << 30 | first, len(words), write=0)
        for at, word in enumerate(words, first):
            script.step(taken, until="bus__r_en", now={"bus__addr": at, "place": place})
            script.step({"bus__r_data": word ^ 1}, times=at - first + 1)
            script.step({"bus__r_valid": 1, "bus__r_data": word}, now={"bus__addr": at})
            script.step({"bus__r_valid": 0, "bus__r_data": 0})
            drain.extend(frame.pack_words([word]))
        script.step(until="done", now={"refused": 0})
    for first, count in ((14, 3), (1 << 5, 1), (2 << 30, 1)):
        script.step({"start": 1, "first": first, "count": count, "write": 1})
        script.step({"start": 0}, now={"refused": 1, "bus__w_en": 0})
    begin(4, 2, write=0)
    script.step(taken, until="bus__r_en")
    script.step(times=255, now={"refused": 0})
    script.step(now={"refused": 1, "done": 0}, after={"refused": 0})

    def check(answer):
        script.check(answer)
        assert answer.words["o"] == drain

    return Bench(Access(addr_width=5, writable=4), Case(
        "", feed={"i": feed}, drain={"o": len(drain)}, steps=script.steps,
        watch=["done", "refused", "place", "bus__addr", "bus__w_en", "bus__w_data"]), check)


class Told(wiring.Component):
    """Bytes of results that lie in a memory."""

    def __init__(self, identity, scores, best):
        self._identity, self._scores, self._best = identity, scores, best
        super().__init__({
            "start": In(1), "repeated": In(1), "shown": In(1), "images": In(2), "cycles": In(32),
            "digest": In(32), "o": Out(stream.Signature(8)), "done": Out(1)})

    def elaborate(self, platform):
        m = Module()
        told = self._identity
        m.submodules.dut = dut = ResultBytes(
            classes=told.classes, batch=told.batch, score_bytes=told.score_bytes,
            best=range(told.classes))
        scores = [score for row in self._scores for score in row]
        # A class is only there with the last score of its image.
        places = [number if n == told.classes - 1 else told.classes - 1 - number
                  for number in self._best for n in range(told.classes)]
        m.d.sync += [dut.score.eq(Array(map(C, scores))[dut.addr]),
                     dut.best.eq(Array(places)[dut.addr])]
        for name in ("start", "repeated", "shown", "images", "cycles", "digest"):
            m.d.comb += getattr(dut, name).eq(getattr(self, name))
        m.d.comb += self.done.eq(dut.done)
        wiring.connect(m, dut.o, wiring.flipped(self.o))
        return m


def result_bytes(rng):
    """Images with scores and without, and a repetition."""
    identity = Identity(hash=bytes(8), clock_hz=1, control=0, inputs=1, bits=1, classes=3,
                        score_bits=20, batch=2)
    scores = rng.integers(-2 ** 19, 2 ** 19, (2, 3)).tolist()
    best, cycles, digest = [2, 0], 0x1234_5678, 0x9ABC_DEF0
    script, expected = Script(), b""
    for images, shown, repeated in ((2, 1, 0), (2, 0, 0), (1, 1, 0), (2, 1, 1)):
        expected += Repeated(cycles, digest).pack() if repeated else Run(
            cycles, tuple(best[:images]),
            tuple(map(tuple, scores[:images])) if shown else None).pack(identity)
        script.step({"start": 1, "shown": shown, "repeated": repeated, "images": images,
                     "cycles": cycles, "digest": digest})
        script.step({"start": 0}, until="done", after={"done": 0})

    def check(answer):
        script.check(answer)
        assert bytes(answer.words["o"]) == expected

    return Bench(Told(identity, scores, best), Case(
        "", drain={"o": len(expected)}, steps=script.steps, watch=["done"]), check)


def counters(rng):
    """Everything that happens, at random."""
    script, expected = Script(), [0, 0, 0, 0]
    for n in range(40):
        happens = [int(bit) for bit in rng.integers(0, 2, 3)]
        clear, number = n == 20, n % 4
        expected = [0] * 4 if clear else [
            *(count + bit for count, bit in zip(expected, happens, strict=False)), 0]
        script.step({"image": happens[0], "command": happens[1], "refused": happens[2],
                     "clear": int(clear), "number": number}, after={"count": expected[number]})
        script.step({"image": 0, "command": 0, "refused": 0, "clear": 0})
    return script.bench(Counters())


def whole_link():
    """Commands, sound and damaged, to a link before a stand-in for an accelerator."""
    images = b"".join(image_of(NARROW, n) for n in range(NARROW.identity.batch))
    infer, again = frame.infer(0, images, run=True, scores=True), frame.infer(0, run=True)
    parts = [part(Opcode.IDENTIFY, 1), part(Opcode.INFER, 2, infer), LOADED,
             part(Opcode.WRITE, 3, frame.write(3, range(11))), sealed(WRITE[:-1]),
             (cobs.encode(WRITE + b"crc!"), False), (b"\1", False),
             part(Opcode.INFER, 4, infer), part(Opcode.INFER, 4, infer),
             part(Opcode.INFER, 5, again), part(Opcode.REPEAT, 6, frame.repeat(5)),
             part(Opcode.INFER, 7, frame.infer(1, images[:1], run=False)),
             part(Opcode.ECHO, 8, b"\0echo"), *dump(NARROW), part(Opcode.RESET, 9),
             part(Opcode.INFER, 10, again), *dump(NARROW)]
    expected = b"".join(answer.encode() for answer in answers(NARROW, parts))

    def check(answer):
        assert bytes(answer.words["o"]) == expected

    return Bench(NARROW, Case(
        "", feed={"i": [byte for data, _ in parts for byte in [*data, 0]]},
        drain={"o": len(expected)}, limit=60_000), check, speeds=("waiting",))


def system(rng, batch):
    """A small network at two pins, which does all that it can be asked to do."""
    network = random_network(6, 4, 3, bits=3)
    mapping = Mapping((Folding(6, 4, (4, 2, 1), 2, 4, batch=batch),
                       Folding(4, 3, (1,), 1, 2, batch=batch)))
    contents = image(network, mapping)
    component = System(compile(network.shape, mapping, image=contents), divisor=DIVISOR,
                       clock_hz=12_000_000)
    accelerator, identity = component.accelerator, component.identity
    address = accelerator.memories["layer0.weights"].base
    row = contents["layer0.weights"][0]
    pixels = rng.integers(0, 8, (3, 6))
    packed = b"".join(frame.pack_images(network.encoder.sent(pixels), identity.bits))
    scores = network.trace(pixels)["scores"]
    best = argmax(scores)

    def cycles(images, rounds=1):
        return gateware.cost.cycles(mapping, images, rounds)

    run = Run(cycles(3), tuple(best.tolist()), tuple(map(tuple, scores.tolist())))
    repeated = Repeated(cycles(3, 5), frame.signature(scores, best, 5))
    registers = [1, network_id(contents)]
    counters = [18, 8, 0]
    exchange = [
        (Opcode.IDENTIFY, b"", replace(identity, loaded=True).pack(), 0),
        (Opcode.INFER, frame.infer(0, packed[:4], run=False), b"", 0),
        (Opcode.INFER, frame.infer(4, packed[4:], run=True, scores=True), run.pack(identity),
         cycles(3)),
        (Opcode.REPEAT, frame.repeat(5), repeated.pack(), cycles(3, 5)),
        (Opcode.READ, frame.read(accelerator.control_address, 2), frame.pack_words(registers), 0),
        (Opcode.WRITE, frame.write(address, [row ^ 0xff]), b"", 0),
        (Opcode.READ, frame.read(address, 1), frame.pack_words([row ^ 0xff]), 0),
        (Opcode.ECHO, b"\0e", b"\0e", 0),
        (Opcode.READ, frame.read(frame.COUNTERS, 3), frame.pack_words(counters), 0),
        (Opcode.RESET, b"", b"", 0),
        # The weights outlast that, and what was counted and the images do not.
        (Opcode.READ, frame.read(frame.COUNTERS, 3), bytes(12), 0),
        (Opcode.READ, frame.read(accelerator.control_address, 2), frame.pack_words(registers), 0),
        (Opcode.WRITE, frame.write(address, [row]), b"", 0),
        (Opcode.INFER, frame.infer(0, packed, run=True, scores=True), run.pack(identity),
         cycles(3)),
    ]
    steps, expected = [], []
    for number, (opcode, payload, result, taken) in enumerate(exchange, 1):
        command = Frame(opcode, number, payload)
        line, answer = command.encode(), command.answer(result)
        steps += [Step({"rx": int(level)}) for level in levels(line, DIVISOR)]
        # What the link says it takes at most, and the answer's way over the line.
        pause = 16 * len(line) + (10 * DIVISOR + 7) * len(answer.encode()) + 60
        steps.append(Step({"rx": 1}, times=pause + taken + 3 * scores.size * (taken > 0)))
        expected.append(answer)

    def check(answer):
        heard = Listener(DIVISOR)(np.array(answer.seen["tx"]))
        assert [Frame.decode(line) for line in Split()(heard)] == expected
        # After each answer; reset forgets the class.
        edges = [end for step, end in zip(steps, answer.ends, strict=True) if step.times > 1]
        shown = [answer.seen["any_best"][edge] for edge in edges]
        assert shown == [0] * 2 + [1] * 7 + [0] * 4 + [1]
        assert {answer.seen["best"][edge] for edge, there in zip(edges, shown, strict=True)
                if there} == {int(best[-1])}
        assert set(answer.seen["loaded"]) == {1}

    return Bench(component, Case(
        "", steps=steps, watch=["tx", "best", "any_best", "loaded"], limit=60_000), check)


# Of what, and how it is made.
SYSTEM = {
    "image_buffer": (ImageBuffer, lambda rng: image_buffer(rng, 12)),
    "image_buffer_wide": (ImageBuffer, lambda rng: image_buffer(rng, 75)),
    "results": (Results, results),
    "access": (Access, access),
    "result_bytes": (ResultBytes, result_bytes),
    "counters": (Counters, counters),
    "link": (Link, lambda rng: whole_link()),
    "system": (System, lambda rng: system(rng, 1)),
    "system_batches": (System, lambda rng: system(rng, 2)),
}

# amaranth: UnusedElaboratable=no

"""A bench for each component of the datapath, to be run on emitted Verilog.

What has to come out is the golden model's. See :mod:`tests.link_benches` and
:mod:`tests.system_benches` for the host link's.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In

import gateware.accumulate
import gateware.crossbar
import gateware.dense
import gateware.encoder
import gateware.scores
import gateware.sense
import model.crossbar
from gateware import bus
from gateware.accelerator import Accelerator
from gateware.compiler import (
    affine_rows,
    compile,
    image,
    threshold_rows,
    weight_rows,
)
from gateware.control import LOADED, NETWORK, Control
from gateware.folding import Folding
from gateware.mapping import Mapping
from gateware.memories import Store
from gateware.pixels import pixel_words
from gateware.popcount import Popcount
from gateware.regroup import Regroup
from gateware.replay import Replay
from model.accumulate import Accumulate
from model.dense import Dense
from model.encoder import BitSerial, Threshold
from model.packing import pack, pack_fields, unpack_fields
from model.scores import Scores, argmax
from model.sense import Sense
from sim.cosim.case import Answer, Case, Step
from sim.engine import decode_output, decode_probe

from .commandline import random_network
from .traffic import beats, in_turn


__all__ = ["Bench", "Script", "DATAPATH"]


VECTORS = 4
WORD = 0xFFFF_FFFF


@dataclass(frozen=True)
class Bench:
    """A component, what is done with it, and what must come of that.

    Parameters
    ----------
    component : component
    case : :class:`sim.cosim.case.Case`
    check : callable
        Fails where the answer is wrong.
    speeds : tuple of :class:`str`
        How to run it: ``"full"`` is at full speed, with ``"waiting"`` streams wait on both sides,
        and with ``"pressed"`` words go in faster than they are taken.
    """

    component: Any
    case: Case
    check: Callable[[Answer], None]
    speeds: tuple[str, ...] = ("full", "waiting", "pressed")

    def cases(self, name, rng):
        """The case for a component of that name, once for each speed; waits are drawn at random."""
        case, streams = replace(self.case, component=name), [*self.case.feed, *self.case.drain]
        speeds = {"full": {}, "waiting": dict.fromkeys(streams, [0, 0, 0, 1, 2, 7]),
                  "pressed": dict.fromkeys(case.drain, [0, 0, 5, 16])}
        # Each once: a case without streams has one speed, and one that takes no words two.
        chosen = {str(speeds[speed]): speeds[speed] for speed in self.speeds}.values()
        return [replace(case, stalls=case.stalls | {
            stream: rng.choice(waits, 23).tolist() for stream, waits in speed.items()})
            for speed in chosen]


class Script:
    """Steps, and what is to be seen in them."""

    def __init__(self):
        self.steps = []
        self._expected = []

    def step(self, levels=None, *, until="", times=1, now=None, after=None):
        """One step; levels expected at the edge that ends it, and at the one after that."""
        for later, expected in enumerate((now or {}, after or {})):
            self._expected += [(len(self.steps), later, *item) for item in expected.items()]
        self.steps.append(Step(levels or {}, until, times))

    def write(self, address, word):
        self.step({"bus__addr": address, "bus__w_data": word, "bus__w_en": 1})
        self.step({"bus__w_en": 0})

    def read(self, address, word):
        self.step({"bus__addr": address, "bus__r_en": 1})
        self.step({"bus__r_en": 0}, until="bus__r_valid", now={"bus__r_data": word},
                  after={"bus__r_valid": 0})

    def no_answer(self, address):
        self.step({"bus__addr": address, "bus__r_en": 1})
        for _ in range(6):
            self.step({"bus__r_en": 0}, now={"bus__r_valid": 0})

    def check(self, answer):
        for step, later, port, expected in self._expected:
            seen = answer.seen[port][answer.ends[step] + later]
            assert seen == expected, \
                f"step {step}, {port}: {seen} instead of {expected} {self.steps[step]}"

    def bench(self, component):
        watch = dict.fromkeys(port for _, _, port, _ in self._expected)
        return Bench(component, Case("", steps=self.steps, watch=list(watch)), self.check)


def streams(component, words, expected, **levels):
    """A component with the streams :py:`i` and :py:`o`, and other inputs that stay as they are."""
    def check(answer):
        assert answer.words["o"] == expected

    steps = [Step(levels)] if levels else []
    return Bench(component, Case("", steps=steps, feed={"i": words}, drain={"o": len(expected)}),
                 check)


def popcount(rng, width, levels=0):
    component, script = Popcount(width, levels=levels), Script()
    pairs = [tuple(pack(rng.random(width) < 0.5, width)[0] for _ in range(2)) for _ in range(12)]
    counts = [{}] * (component.latency - 1)
    for x, w in [*pairs, (0, 0), (0, (1 << width) - 1), *[(0, 0)] * component.latency]:
        counts.append({"o": (x ^ w).bit_count()})
        count = counts.pop(0)
        script.step({"en": 1, "x": x, "w": w}, after=count)
        script.step({"en": 0, "x": ~x & (1 << width) - 1}, after=count)
    return script.bench(component)


def crossbar(rng, simd, pe, rows, levels=0):
    weights, x = rng.random((rows, pe, simd)) < 0.5, rng.random((9, simd)) < 0.5
    order = rng.integers(0, rows, 9)
    component = gateware.crossbar.Crossbar(simd=simd, pe=pe, rows=rows,
                                           init=pack(weights, simd * pe), levels=levels)
    script, width = Script(), simd.bit_length()
    for n in range(9 + component.latency):
        # What is on the inputs while the pipeline stands still must not matter.
        for _ in range(rng.integers(0, 3)):
            script.step({"en": 0, "row": int(rng.integers(rows)), "x": 0})
        seen = n - component.latency
        expected = {} if seen < 0 else {"o": pack_fields(
            model.crossbar.Crossbar(weights[order[seen]]).counts(x[seen]), width, pe)[0]}
        n = min(n, 8)
        script.step({"en": 1, "row": int(order[n]), "x": pack(x[n], simd)[0]}, now=expected)
    return script.bench(component)


def sense(rng, planes, words, edge):
    converter = {"rows": 4 * words - 1, "edge": edge, "sense": 2}
    script = Script()
    for driven in (converter["rows"], converter["rows"], edge):
        cells = rng.random((planes, driven)) < 0.5
        sums, count = Sense(driven, 2)(cells.sum(axis=1)), -(-driven // 4)
        for word, plane in np.ndindex(count, planes):
            last = word == count - 1
            script.step({"en": 0, "i": int(rng.integers(5)), "first": int(rng.integers(2))})
            script.step({"en": 1, "first": int(word == 0), "last": int(last and driven == edge),
                         "i": int(cells[plane, 4 * word:4 * word + 4].sum())},
                        after={"o": int(sums[plane])} if last else {})
    return script.bench(gateware.sense.Sense(simd=4, planes=planes, words=words, **converter))


def control(loaded):
    network, script = 0x89AB_CDEF, Script()
    script.read(LOADED, loaded)
    for word in (0, 1, WORD - 1, WORD):
        script.step({"bus__addr": LOADED, "bus__w_data": word ^ 1})
        script.step({"bus__w_data": word, "bus__w_en": 1}, after={"loaded": word & 1})
        script.step({"bus__w_en": 0, "bus__w_data": ~word & WORD})
        script.read(NETWORK, network)
        script.read(LOADED, word & 1)
        network = word ^ 0x5555_5554
        script.step({"bus__addr": NETWORK, "bus__w_data": network, "bus__w_en": 1},
                    after={"loaded": word & 1})
        script.step({"bus__w_en": 0})
        script.read(NETWORK, network)
        script.read(LOADED, word & 1)
    return script.bench(Control(loaded=loaded, network=0x89AB_CDEF))


class Memories(wiring.Component):
    """A decoder before some memories."""

    def __init__(self, sizes):
        self.regions, addr_width = bus.place({f"memory{n}": bus.Region(*size)
                                              for n, size in enumerate(sizes)})
        super().__init__({"bus": In(bus.Signature(addr_width))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.decoder = decoder = bus.Decoder(self.regions, len(self.bus.addr))
        wiring.connect(m, wiring.flipped(self.bus), decoder.bus)
        for name, region in self.regions.items():
            m.submodules[name] = memory = Store(width=region.width, depth=region.depth)
            decoder.add(name, memory.bus)
        return m


def decoder(rng):
    component, script = Memories([(70, 3), (1, 1), (32, 5)]), Script()
    words = {region.address(row, chunk): int(rng.integers(1 << min(region.width - 32 * chunk, 32)))
             for region in component.regions.values() for row in range(region.depth)
             for chunk in range(region.chunks)}
    for address, word in words.items():
        script.write(address, word)
    for address, word in words.items():
        script.read(address, word)
    ends = [region.base + (1 << region.addr_width) for region in component.regions.values()]
    script.no_answer(max(ends))
    return script.bench(component)


def encoder(rng, spec, simd):
    levels = rng.permutation(2 ** spec.bits)    # each of them
    pixels = np.resize(levels, (-(-len(levels) // simd), simd))
    component = gateware.encoder.encoder(spec, simd=simd, inputs=simd)
    return streams(component, pack_fields(pixels, spec.bits, simd),
                   pack(spec(pixels), simd))


def replay(words, times):
    vectors = [[7 * n + k + 1 & 0xff for k in range(words)] for n in range(5)]
    return streams(Replay(width=8, words=words, times=times), sum(vectors, []),
                   [word for vector in vectors for _ in range(times) for word in vector])


def regroup(rng, i_width, o_width, size):
    i_words, o_words = -(-size // i_width) + 1, -(-size // o_width)
    padded = np.zeros((VECTORS, max(i_words * i_width, o_words * o_width)), dtype=bool)
    padded[:, :size] = rng.random((VECTORS, size)) < 0.5
    component = Regroup(i_width=i_width, o_width=o_width, i_words=i_words, o_words=o_words)
    return streams(component, pack(padded[:, :i_words * i_width], i_width),
                   pack(padded[:, :o_words * o_width], o_width))


def layer(rng, gains, bipolar, inputs=13, outputs=7):
    """Weights, and vectors of planes."""
    return (Accumulate(rng.random((outputs, inputs)) < 0.5, gains=gains, bipolar=bipolar),
            rng.random((VECTORS, len(gains), inputs)) < 0.5)


def accumulate(rng, gains, pe, simd, batch=1, **tiles):
    golden, planes = layer(rng, gains, bipolar=False)
    golden = replace(golden, **tiles)
    folding = Folding(golden.inputs, golden.outputs, gains, pe, simd, batch=batch, **tiles)

    def check(answer):
        sums = unpack_fields(answer.words["o"], folding.top.bit_length(), folding.lanes)
        assert (in_turn(sums, folding)[:, :golden.outputs] == golden.sums(planes)).all()

    component = gateware.accumulate.Accumulate(folding, init=weight_rows(golden.weights, folding))
    return Bench(component, Case(
        "", feed={"i": beats(folding, planes)}, drain={"o": VECTORS * folding.words}), check)


def dense(rng, gains, pe, simd, few=(1, 1)):
    golden, planes = layer(rng, gains, bipolar=len(gains) == 1)
    bits, half = few[0], 1 << few[0] - 1
    if bits > 1:
        golden = replace(golden, weights=rng.integers(-half, half, golden.weights.shape),
                         weight_bits=bits)
    # About half of the neurons fire: a threshold is what the neuron has for one of the vectors.
    levels = np.sort(golden.acc(planes)[rng.integers(VECTORS, size=(1 << few[1]) - 1)], axis=0).T
    golden = Dense(golden.weights, levels if few[1] > 1 else levels[:, 0], gains=gains,
                   bipolar=golden.bipolar, weight_bits=bits)
    folding = Folding(golden.inputs, golden.outputs, gains, pe, simd, weight_bits=bits,
                      output_bits=few[1])

    def check(answer):
        fired = unpack_fields(answer.words["o"], few[1], folding.lanes).reshape(VECTORS, -1)
        assert (fired[:, :golden.outputs] == golden(planes)).all()
        assert not fired[:, golden.outputs:].any()
        words = [answer.seen["sums"][edge] for edge in answer.when["o"]]
        sums = unpack_fields(words, folding.top.bit_length(), folding.lanes).reshape(VECTORS, -1)
        assert (sums[:, :golden.outputs] == golden.sums(planes)).all()

    component = gateware.dense.Dense(folding, weights=weight_rows(golden.cells, folding),
                                     thresholds=threshold_rows(golden, folding))
    return Bench(component, Case(
        "", feed={"i": beats(folding, planes)}, drain={"o": VECTORS * folding.words},
        watch=["sums"]), check)


def scores(rng, gain, pe, simd):
    golden, planes = layer(rng, (1,), bipolar=True, outputs=5)
    golden = Scores(golden.weights, rng.integers(1, gain + 1, 5), rng.integers(-9, 10, 5))
    folding = Folding(golden.inputs, golden.outputs, (1,), pe, simd)
    component = gateware.scores.Scores(
        folding, bipolar=True, gain_bits=golden.gain_bits, score_bits=golden.score_bits,
        weights=weight_rows(golden.weights, folding), affine=affine_rows(golden))

    def check(answer):
        fields = [component.o.payload.shape().from_bits(word) for word in answer.words["o"]]
        seen = np.array([field.score for field in fields]).reshape(VECTORS, -1)
        assert (seen == golden(planes)).all()
        assert [field.last for field in fields] == [0, 0, 0, 0, 1] * VECTORS
        assert ([field.best for field in fields[4::5]] == argmax(golden(planes))).all()
        sums = [answer.seen["sums"][edge] for edge in answer.when["o"]]
        assert (np.array(sums).reshape(VECTORS, -1) == golden.sums(planes)).all()

    return Bench(component, Case(
        "", feed={"i": beats(folding, planes)}, drain={"o": VECTORS * 5}, watch=["sums"]), check)


def accelerator(rng, batch=1):
    network = random_network(12, 7, 5, 3, bits=3)
    mapping = Mapping((Folding(12, 7, (4, 2, 1), 3, 5, batch=batch),
                       Folding(7, 5, (1,), 2, 3, batch=batch),
                       Folding(5, 3, (1,), 2 if batch == 1 else 1, 2, batch=batch)))
    component = compile(network.shape, mapping, image=image(network, mapping), probes=True)
    images = rng.integers(0, 8, (VECTORS, 12))

    def check(answer):
        expected = network.trace(images)
        seen, best = decode_output(component, answer.words["o"])
        assert (seen == expected["scores"]).all()
        assert (best == argmax(expected["scores"])).all()
        for n, (each, folding) in enumerate(zip(network.all_layers, mapping.layers, strict=True)):
            name = f"layer{n}" if n < 2 else "scores"
            places = VECTORS if n == 2 else -(-VECTORS // batch) * batch
            assert len(answer.words[f"probe_{n}"]) == places * (folding.words if n < 2 else 3)
            trace = {key: rows[:VECTORS] for key, rows in
                     decode_probe(component, n, answer.words[f"probe_{n}"]).items()}
            assert (each.acc_of(trace[f"{name}.sums"]) == expected[f"{name}.acc"]).all()
            if n < 2:
                assert (trace[f"{name}.bits"] == expected[f"{name}.bits"]).all()

    return Bench(component, Case(
        "", feed={"i": pixel_words(images, network.shape, mapping)}, drain={"o": VECTORS * 3},
        taps=["probe_0", "probe_1", "probe_2"]), check)


# Of what, and how it is made. Neither PE nor SIMD divides most layers.
DATAPATH = {
    "popcount_1": (Popcount, lambda rng: popcount(rng, 1)),
    "popcount_13": (Popcount, lambda rng: popcount(rng, 13)),
    "popcount_70": (Popcount, lambda rng: popcount(rng, 70)),
    "popcount_levels": (Popcount, lambda rng: popcount(rng, 70, levels=2)),
    "crossbar": (gateware.crossbar.Crossbar, lambda rng: crossbar(rng, 11, 3, 5)),
    "crossbar_levels": (gateware.crossbar.Crossbar,
                        lambda rng: crossbar(rng, 17, 2, 3, levels=1)),
    "sense": (gateware.sense.Sense, lambda rng: sense(rng, 3, 3, 6)),
    "sense_word": (gateware.sense.Sense, lambda rng: sense(rng, 1, 1, 2)),
    "control_loaded": (Control, lambda rng: control(loaded=True)),
    "control_empty": (Control, lambda rng: control(loaded=False)),
    "decoder": (bus.Decoder, decoder),
    "bit_serial": (gateware.encoder.BitSerial, lambda rng: encoder(rng, BitSerial(5), 3)),
    "threshold": (gateware.encoder.Threshold, lambda rng: encoder(rng, Threshold(3, bits=3), 4)),
    "replay": (Replay, lambda rng: replay(5, 3)),
    "replay_one": (Replay, lambda rng: replay(1, 1)),
    "regroup_wider": (Regroup, lambda rng: regroup(rng, 4, 6, 22)),
    "regroup_narrower": (Regroup, lambda rng: regroup(rng, 9, 3, 25)),
    "accumulate_serial": (gateware.accumulate.Accumulate,
                          lambda rng: accumulate(rng, (4, 2, 1), 3, 5)),
    "accumulate_planes": (gateware.accumulate.Accumulate,
                          lambda rng: accumulate(rng, (1, 1, 1), 7, 13)),
    "accumulate_sensed": (gateware.accumulate.Accumulate,
                          lambda rng: accumulate(rng, (4, 2, 1), 3, 2, tile_rows=6, sense=2)),
    "dense_serial": (gateware.dense.Dense, lambda rng: dense(rng, (4, 2, 1), 4, 6)),
    "dense_bipolar": (gateware.dense.Dense, lambda rng: dense(rng, (1,), 3, 5)),
    "dense_few": (gateware.dense.Dense, lambda rng: dense(rng, (2, 1), 3, 5, few=(3, 2))),
    "dense_numbers": (gateware.dense.Dense, lambda rng: dense(rng, (1,), 2, 13, few=(1, 2))),
    "scores_gain": (gateware.scores.Scores, lambda rng: scores(rng, 99, 2, 5)),
    "scores_plain": (gateware.scores.Scores, lambda rng: scores(rng, 1, 1, 13)),
    "accumulate_batches": (gateware.accumulate.Accumulate,
                           lambda rng: accumulate(rng, (1,), 4, 3, batch=2)),
    "accelerator": (Accelerator, accelerator),
    "accelerator_batches": (Accelerator, lambda rng: accelerator(rng, 3)),
}

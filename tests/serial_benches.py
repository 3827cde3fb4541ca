# amaranth: UnusedElaboratable=no

"""A bench for what takes weights plane by plane; see :mod:`tests.benches`."""

import numpy as np

import gateware.compend
from gateware.best import Best
from gateware.counts import Counts
from gateware.detection import Detection
from gateware.lane import Lane
from gateware.ring import Ring
from gateware.serial_folding import SerialFolding
from gateware.total import Total, stages
from model.compend import Compend
from model.packing import pack_fields

from .benches import Script, streams


__all__ = ["SERIAL"]


def layer(rng, outputs, inputs, activation, detection="exact"):
    weights = rng.integers(-31, 33, (outputs, inputs))
    shifts = {"shifts": rng.integers(3, 8, outputs)} if activation == "relu" else {}
    return Compend(weights, -3 * weights.sum(axis=1), weight_bits=6, input_bits=4,
                   activation=activation, detection=detection, **shifts)


def images(rng, count, inputs):
    """Half of whose words are zeros."""
    return rng.integers(0, 16, (count, inputs)) * np.repeat(rng.random((count, inputs)) < 0.5, 3,
                                                            axis=1)[:, :inputs]


def compend(rng, activation, detection, pe, simd):
    spec, x = layer(rng, 7, 13, activation, detection), images(rng, 5, 13)
    folding = SerialFolding.of(spec, pe=pe, simd=simd)
    padded = np.zeros((5, folding.entering * folding.pixels), dtype=int)
    padded[:, :13] = x
    results = np.zeros((5, folding.groups * pe), dtype=int)
    results[:, :7] = spec(x)
    levels = {"detect": 1} if detection != "none" else {}
    levels |= {"factor": spec.factor} if detection == "speculative" else {}
    return streams(gateware.compend.Compend(folding, image=folding.image(spec)),
                   pack_fields(padded, spec.input_bits, folding.pixels),
                   pack_fields(results, spec.output_bits, folding.lanes), **levels)


def lane(rng, detection):
    """A word an image, which goes by in every cycle."""
    spec, x = layer(rng, 9, 5, "relu", detection), rng.integers(1, 16, (1, 5))
    folding, script = SerialFolding.of(spec, pe=2, simd=5), Script()
    image = folding.image(spec)
    results, run = (each[0, 1::2] for each in spec.run(x))
    sums = (spec.acc(x) + spec.preload - spec.bias)[0, 1::2]
    late, start, done = folding.wasted, 0, {}
    for result, planes, total in zip(results.tolist(), run.tolist(), sums.tolist(), strict=True):
        done[start + planes - 1 + late] = result, total
        start += min(planes + late, spec.weight_bits)
    script.step({"start": 1, "rounds": 1, "index": 0, "word": pack_fields(x, 4, 5)[0],
                 **({"detect": 1} if detection != "none" else {})}, now={"busy": 0})
    for cycle in range(start + late + 1):
        now = {"busy": int(cycle < start), "done": int(cycle in done)}
        if cycle in done:
            result, total = done[cycle]
            now |= {"fires": int(result > 0)}
            if result or detection == "none":
                now |= {"sum": total & (1 << spec.acc_bits) - 1}
        script.step({"start": 0}, now=now)
    return script.bench(Lane(folding, 1, weights=image["weights1"], preloads=image["preloads1"]))


def ring():
    script = Script()
    for image in ([1 | 2 << 3, 0, 3], [0, 0, 0], [7 << 3, 5, 0]):
        kept = [n for n, word in enumerate(image) if word] or [2]   # one has to stay
        for word in image:
            script.step({"room": 0, "end": 0, "i__valid": 1, "i__payload": word},
                        now={"i__ready": 1, "start": 0})
        about = {"rounds": len(kept), "total": sum((word & 7) + (word >> 3) for word in image)}
        script.step({"room": 1, "i__valid": 0}, now={"start": 0})
        script.step(now={"start": 1} | about)
        for n in range(7):
            index = kept[n % len(kept)]
            script.step({"end": int(n == 6)}, now={"start": 0, "index": index,
                                                   "word": image[index]} | about)
    return script.bench(Ring(simd=2, bits=3, words=3))


def ring_of_few(rng):
    """Activations one by one, which the last word has two of."""
    script = Script()
    for image in ([1, 0, 2, 0, 0, 0, 3, 1], [0] * 8):
        words = [image[:3], image[3:6], [0, *image[6:]]]
        kept = [n for n, word in enumerate(words) if any(word)] or [2]
        for pixel in image:
            script.step({"room": 0, "end": 0, "i__valid": 1, "i__payload": pixel},
                        now={"i__ready": 1, "start": 0})
        about = {"rounds": len(kept), "total": -(-sum(image) // 4)}
        script.step({"room": 1, "i__valid": 0}, now={"start": 0})
        script.step(now={"start": 1} | about)
        for n in range(5):
            index = kept[n % len(kept)]
            word = sum(each << 3 * place for place, each in enumerate(words[index]))
            script.step({"end": int(n == 4)}, now={"start": 0, "index": index, "word": word}
                        | about)
    return script.bench(Ring(simd=3, bits=3, words=3, pixels=1, entering=8, grain=2))


def total(rng, count, levels):
    script, late = Script(), stages(count, levels)
    numbers = [*rng.integers(0, 8, (9, count)), *np.zeros((late, count), dtype=int)]
    for n, each in enumerate(numbers):
        now = {"o": int(numbers[n - late].sum())} if n >= late else {}
        script.step({"i": pack_fields(each, 3, count)[0]}, now=now)
    return script.bench(Total(count=count, bits=3, levels=levels))


def detection():
    script = Script()
    script.step({}, now={"detect": 1, "factor": 3})
    for value, held in ((0, 0), (9, 9), (11, 9), (1 << 31, 9), (5, 5), (10, 5), (1, 1)):
        script.step({"bus__w_en": 1, "bus__w_data": value},
                    after={"detect": held & 1, "factor": held >> 1})
        script.step({"bus__w_en": 0, "bus__w_data": 2, "bus__r_en": 1},
                    after={"bus__r_valid": 1, "bus__r_data": held})
        script.step({"bus__r_en": 0}, after={"bus__r_valid": 0})
    return script.bench(Detection(speculative=True, init=7))


def counts(rng):
    script, values = Script(), rng.integers(0, 1 << 32, 3).tolist()
    for n in (0, 2, 1):
        script.step({"i": sum(value << 32 * place for place, value in enumerate(values)),
                     "bus__addr": n, "bus__r_en": 1, "bus__w_en": n & 1},
                    after={"bus__r_valid": 1, "bus__r_data": values[n]})
        script.step({"bus__r_en": 0}, after={"bus__r_valid": 0})
    return script.bench(Counts())


def best(rng):
    scores = rng.integers(-9, 9, (12, 7))
    out = [int(image[n]) & 31 | int(np.argmax(image[:n + 1])) << 5 | (n == 4) << 8
           for image in scores for n in range(5)]
    return streams(Best(classes=5, words=7, score_bits=5), (scores & 31).ravel().tolist(), out)


# Of what, and how it is made.
SERIAL = {
    "compend_relu": (gateware.compend.Compend, lambda rng: compend(rng, "relu", "exact", 3, 2)),
    "compend_all_planes": (gateware.compend.Compend,
                           lambda rng: compend(rng, "relu", "none", 4, 5)),
    "compend_sign": (gateware.compend.Compend, lambda rng: compend(rng, "sign", "exact", 4, 3)),
    "compend_speculative": (gateware.compend.Compend,
                            lambda rng: compend(rng, "sign", "speculative", 2, 5)),
    "best": (Best, lambda rng: best(rng)),
    "counts": (Counts, lambda rng: counts(rng)),
    "detection": (Detection, lambda rng: detection()),
    "lane": (Lane, lambda rng: lane(rng, "exact")),
    "lane_all_planes": (Lane, lambda rng: lane(rng, "none")),
    "ring": (Ring, lambda rng: ring()),
    "ring_of_few": (Ring, lambda rng: ring_of_few(rng)),
    "total": (Total, lambda rng: total(rng, 5, 1)),
}

"""Hypothesis strategies for layers, networks and the traffic through them."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gateware.folding import Folding, divides
from gateware.mapping import Mapping, sampling, sizes
from gateware.serial_folding import SerialFolding
from model.accumulate import Accumulate
from model.compend import ACTIVATIONS, DETECTIONS, Compend
from model.dense import Dense
from model.encoder import BitSerial, Lookup, Threshold
from model.network import Network
from model.planes import planes_after
from model.scores import Scores
from model.stochastic import COMBINE, GENERATORS, Numbers, Stochastic


__all__ = ["stalls", "bits", "drawing", "apart", "encoders", "lookups", "senses", "tiles",
           "accumulates", "few_bits", "few_bit_denses", "denses", "scoreses", "compends",
           "activations", "serial_foldings", "samples_of", "foldings", "networks",
           "serial_networks", "few_networks", "mappings"]


# Runs of full speed make back-pressure meet a full pipeline; long waits make it last.
stalls = st.lists(st.sampled_from([0, 0, 0, 1, 2, 7]), min_size=1, max_size=5)

drawing = st.sampled_from([1, 2, 4]).flatmap(lambda most: st.builds(
    Stochastic, st.sampled_from([1, 2, 4][:most.bit_length()]), most=st.just(most),
    generator=st.sampled_from(GENERATORS), seed=st.integers(1, 65_535),
    bank=st.integers(1, 5), combine=st.sampled_from(COMBINE)))

# One run of the network for each sample, of which there are several.
apart = st.builds(Stochastic, st.sampled_from([2, 4]), most=st.sampled_from([4, 8]),
                  generator=st.sampled_from(GENERATORS), combine=st.just("scores"))

encoders = st.one_of(
    st.integers(1, 5).map(BitSerial),
    st.integers(1, 4).flatmap(lambda bits: st.integers(1, 2 ** bits - 1).map(
        lambda level: Threshold(level, bits=bits))),
    drawing)


lookups = st.integers(1, 4).flatmap(lambda bits: st.lists(
    st.integers(0, 9), min_size=2 ** bits, max_size=2 ** bits).filter(any).map(
        lambda table: Lookup(tuple(table), bits=bits)))


def bits(*shape):
    # Drawing a seed, rather than each bit, keeps large arrays random: what Hypothesis likes to
    # draw is mostly zeros, and most neurons would be constant.
    return st.integers(0, 2 ** 32 - 1).map(
        lambda seed: np.random.default_rng(seed).random(shape) < 0.5)


senses = st.one_of(st.just("exact"), st.just("sign"), st.integers(1, 8), st.integers(1, 3))


def tiles(inputs):
    """How a layer is spread over tiles: every other one exact and in one piece."""
    rows = st.one_of(st.none(), st.integers(1, inputs + 2))
    return st.one_of(st.just({}), st.fixed_dictionaries({"tile_rows": rows, "sense": senses}))


@st.composite
def accumulates(draw, max_inputs=24, max_outputs=6, exact=False):
    encoder = draw(encoders)
    inputs  = draw(st.integers(1, max_inputs))
    outputs = draw(st.integers(1, max_outputs))
    way     = {} if exact else draw(tiles(inputs))
    return Accumulate(draw(bits(outputs, inputs)), gains=encoder.gains, bipolar=encoder.bipolar,
                      **way)


def _near(draw, layer):
    """Thresholds that about half of all inputs reach; now and then one out of reach."""
    spread = 1 + int(np.sqrt(layer.inputs)) * layer.gains[0]
    return draw(hnp.arrays(np.int64, layer.outputs, elements=st.one_of(
        st.integers(-spread, spread), st.sampled_from([-layer.top, layer.top, layer.top + 1])
    ))).clip(-layer.top, layer.top + 1)


@st.composite
def few_bits(draw, max_inputs=24, max_outputs=6):
    """Layers with weights of several bits in crossbars."""
    layer = draw(accumulates(max_inputs, max_outputs, exact=True))
    bits = draw(st.integers(2, 8))
    half = 1 << bits - 1
    weights = hnp.arrays(np.int64, layer.weights.shape, elements=st.one_of(
        st.integers(-half, half - 1), st.sampled_from([-half, -1, 0, half - 1])))
    return replace(layer, weights=draw(weights), weight_bits=bits)


def _stairs(draw, layer, bits):
    """Thresholds of numbers, near those that half of all inputs reach."""
    spread = 1 + int(np.sqrt(layer.inputs)) * layer.gains[0] << layer.weight_bits - 1
    most = layer.most
    values = draw(hnp.arrays(np.int64, (layer.outputs, 2 ** bits - 1), elements=st.one_of(
        st.integers(-spread, spread), st.sampled_from([-most, most, most + 1]))))
    return np.sort(values.clip(-most, most + 1), axis=1)


@st.composite
def few_bit_denses(draw, max_inputs=24, max_outputs=6):
    """Layers with several bits of a weight, or of an activation, or of both."""
    layer = draw(st.one_of(few_bits(max_inputs, max_outputs), accumulates(max_inputs, max_outputs)))
    bits = draw(st.integers(1 if layer.weight_bits > 1 else 2, 4))
    thresholds = _stairs(draw, layer, bits)
    return Dense(layer.weights, thresholds[:, 0] if bits == 1 else thresholds, gains=layer.gains,
                 bipolar=layer.bipolar, tile_rows=layer.tile_rows, sense=layer.sense,
                 weight_bits=layer.weight_bits)


@st.composite
def denses(draw, max_inputs=24, max_outputs=6):
    layer = draw(accumulates(max_inputs, max_outputs))
    return Dense(layer.weights, _near(draw, layer), gains=layer.gains, bipolar=layer.bipolar,
                 tile_rows=layer.tile_rows, sense=layer.sense)


@st.composite
def scoreses(draw, max_inputs=24, max_classes=6):
    return _scores(draw, draw(st.one_of(accumulates(max_inputs, max_classes),
                                        few_bits(max_inputs // 2, max_classes))))


def _scores(draw, layer):
    gain = draw(st.one_of(st.just(np.ones(layer.outputs, dtype=np.int64)),
                          hnp.arrays(np.int64, layer.outputs, elements=st.integers(-99, 99))))
    bias = draw(hnp.arrays(np.int64, layer.outputs, elements=st.integers(-20, 20)))
    return Scores(layer.weights, gain, bias, gains=layer.gains, bipolar=layer.bipolar,
                  tile_rows=layer.tile_rows, sense=layer.sense, weight_bits=layer.weight_bits)


@st.composite
def compends(draw, max_inputs=16, max_outputs=8, detections=DETECTIONS, size=None, input_bits=None,
             activations=ACTIVATIONS, max_bits=8):
    """Layers of multi-bit weights, whose answers images of :func:`activations` know both ways."""
    inputs, outputs = size or (draw(st.integers(1, max_inputs)), draw(st.integers(1, max_outputs)))
    sizes = {"weight_bits": draw(st.integers(2, max_bits)),
             "input_bits": input_bits or draw(st.integers(1, 8)),
             "activation": draw(st.sampled_from(activations)),
             "detection": draw(st.sampled_from(detections)), "factor": draw(st.integers(1, 4))}
    half, top = 1 << sizes["weight_bits"] - 1, inputs * (2 ** sizes["input_bits"] - 1)
    rng = np.random.default_rng(draw(st.integers(0, 2 ** 32 - 1)))
    weights = rng.integers(1 - half, half + 1, (outputs, inputs))
    spread = 1 + half * top // (2 * int(np.sqrt(inputs)) + 1)
    bias = rng.integers(-spread, spread + 1, outputs) - weights.sum(axis=1) * top // (4 * inputs)
    if sizes["activation"] == "relu":
        sizes["output_bits"] = draw(st.integers(1, 8))
        sizes["shifts"] = rng.integers(0, min(12, (half * top).bit_length() + 1), outputs)
    return Compend(weights, bias.clip(-half * top, half * top), **sizes)


def activations(layer, count):
    """So many vectors, half of whose elements are zeros, in runs."""
    def vectors(seed):
        rng = np.random.default_rng(seed)
        runs = np.repeat(rng.random((count, layer.inputs)) < 0.5, 3, axis=1)[:, :layer.inputs]
        return rng.integers(0, 2 ** layer.input_bits, runs.shape) * runs

    return st.integers(0, 2 ** 32 - 1).map(vectors)


@st.composite
def serial_foldings(draw, layer, **given):
    return SerialFolding.of(layer, **{
        "pe": draw(st.integers(1, layer.outputs)), "simd": draw(st.integers(1, layer.inputs)),
        "levels": draw(st.integers(0, 2)), "skip_zeros": draw(st.booleans())} | given)


def _simds(layer, batch, unit, planes):
    """Multiples of a unit that tiles and a batch allow, where there are so many planes at least."""
    return [simd for simd in range(unit, layer.inputs + 1, unit)
            if -(-layer.inputs // simd) * planes >= batch
            and divides(simd, layer.inputs, layer.tile_rows, layer.sense)]


def samples_of(folding):
    """The folding that hardware is made for, and its inputs, by name, while it does this."""
    most = folding.samples
    return folding.drawing(most), {"samples": len(folding.gains) * len(folding.passes)} \
        if folding.sampled or sum(folding.passes) > 1 else {}


@st.composite
def foldings(draw, layer, final=False, batch=1, unit=1, **sampled):
    """By default planes that weigh the same are drawn of pixels, and there may be fewer of them."""
    if not sampled and sum(layer.gains) > 1 and len(set(layer.gains)) == 1:
        sampled = {"numbers": Numbers("vdc")}
    gains  = (1,) if sum(sampled.get("passes", ())) > 1 else layer.gains
    planes = (1 if sampled.get("numbers") else len(gains)) * layer.weight_bits
    simd   = draw(st.sampled_from(_simds(layer, batch, unit, planes)))
    beats  = -(-layer.inputs // simd) * planes // batch
    pe     = draw(st.integers(1, min(layer.outputs, beats) if final else layer.outputs))
    return Folding(layer.inputs, layer.outputs, gains, pe, simd,
                   levels=draw(st.integers(0, 2)), batch=batch,
                   tile_rows=layer.tile_rows, sense=layer.sense, weight_bits=layer.weight_bits,
                   output_bits=getattr(layer, "output_bits", 1), **sampled)


@st.composite
def networks(draw, max_size=16, max_layers=2, exact=False, encoder=encoders, min_layers=0):
    encoder = draw(encoder)
    chain   = draw(st.lists(st.integers(1, max_size), min_size=min_layers + 2,
                            max_size=max_layers + 2))
    apart = encoder.apart and len(chain) > 2
    layers, gains, bipolar = [], (1,) if apart else encoder.gains, encoder.bipolar
    exact = exact or draw(st.booleans())
    ways = [{} if exact else draw(tiles(inputs)) for inputs in chain[:-1]]
    for inputs, outputs, way in zip(chain[:-2], chain[1:-1], ways[:-1], strict=True):
        layer = Accumulate(draw(bits(outputs, inputs)), gains=gains, bipolar=bipolar)
        layers.append(Dense(layer.weights, _near(draw, layer), gains=gains, bipolar=bipolar, **way))
        gains, bipolar = (1,), True
    last = Accumulate(draw(bits(chain[-1], chain[-2])), gains=encoder.gains if apart else gains,
                      bipolar=bipolar, **ways[-1])
    return Network(encoder, tuple(layers), _scores(draw, last))


@st.composite
def serial_networks(draw, max_size=8, max_layers=3):
    """Networks of which some layers, at least one, have weights of several bits."""
    chain = draw(st.lists(st.integers(1, max_size), min_size=2, max_size=max_layers + 1))
    last = len(chain) - 2
    serial = [draw(st.booleans()) for _ in range(last + 1)]
    serial[draw(st.integers(0, last))] = True
    encoder = BitSerial(draw(st.integers(1, 8))) if serial[0] else \
        draw(encoders.filter(lambda encoder: not encoder.apart))
    layers = []
    for n, size in enumerate(pairwise(chain)):
        before = layers[-1] if layers else None
        if serial[n]:
            bits_ = encoder.bits if n == 0 else getattr(before, "output_bits", 1)
            layers.append(draw(compends(size=size, input_bits=bits_, max_bits=5,
                                        activations=["linear"] if n == last else
                                        ["relu", "sign"])))
            continue
        gains, bipolar = planes_after(encoder, before)
        layer = Accumulate(draw(bits(*size[::-1])), gains=gains, bipolar=bipolar)
        layers.append(_scores(draw, layer) if n == last else
                      Dense(layer.weights, _near(draw, layer), gains=gains, bipolar=bipolar))
    return Network(encoder, tuple(layers[:-1]), layers[-1])


@st.composite
def few_networks(draw, max_size=10, max_layers=3):
    """Networks of crossbars with several bits of weights or activations, in some layer or other."""
    encoder = draw(st.one_of(lookups, encoders.filter(lambda encoder: not encoder.apart)))
    chain = draw(st.lists(st.integers(1, max_size), min_size=2, max_size=max_layers + 2))
    layers = []
    for n, (inputs, outputs) in enumerate(pairwise(chain)):
        gains, bipolar = planes_after(encoder, layers[-1] if layers else None)
        bits_, half = draw(st.sampled_from([(1, 1), (2, 2), (3, 4), (4, 8)]))
        weights = draw(bits(outputs, inputs) if bits_ == 1 else hnp.arrays(
            np.int64, (outputs, inputs), elements=st.integers(-half, half - 1)))
        layer = Accumulate(weights, gains=gains, bipolar=bipolar, weight_bits=bits_)
        if n == len(chain) - 2:
            layers.append(_scores(draw, layer))
            break
        thresholds = _stairs(draw, layer, draw(st.sampled_from([1, 1, 2, 3, 4])))
        layers.append(Dense(layer.weights, thresholds if thresholds.shape[1] > 1 else
                            thresholds[:, 0], gains=gains, bipolar=bipolar, weight_bits=bits_))
    return Network(encoder, tuple(layers[:-1]), layers[-1])


@st.composite
def mappings(draw, network, storages=("block", "wide"), batches=(1,)):
    count, wide = len(network.all_layers), list(sizes(network.shape))
    ways = [sampling(network.shape, n) for n in range(count)]
    planes = [(1 if way.get("numbers") else len(gains)) * network.shape.few_of(n)[0]
              for n, (way, (_, _, gains)) in enumerate(zip(ways, wide, strict=True))]
    most = min(layer.inputs * each for layer, each in zip(network.all_layers, planes, strict=True))
    batch, layers = min(draw(st.sampled_from(batches)), most), []
    batch = 1 if network.shape.few else batch
    for n, layer in enumerate(network.all_layers):
        if isinstance(layer, Compend):
            # Scores leave one at a time.
            simd = draw(st.integers(1, layer.inputs))
            pes = layer.outputs if n < count - 1 else min(layer.outputs, -(-layer.inputs // simd))
            layers.append(draw(serial_foldings(layer, simd=simd, pe=draw(st.integers(1, pes)))))
            continue
        unit = layers[-1].lanes if n and batch > 1 else 1
        if not _simds(layer, batch, unit, planes[n]):
            layers[-1], unit = replace(layers[-1], pe=1), 1
        layers.append(draw(foldings(layer, final=n == count - 1, batch=batch, unit=unit,
                                    **ways[n])))
    assert [(f.inputs, f.outputs, getattr(f, "gains", gains)) for f, (_, _, gains)
            in zip(layers, wide, strict=True)] == wide
    return Mapping(tuple(replace(layer, storage=draw(st.sampled_from(storages)))
                         for layer in layers))

# amaranth: UnusedElaboratable=no

from dataclasses import replace

import gateware.accelerator
import numpy as np
import pytest
from amaranth.hdl import Fragment
from hypothesis import given, settings, strategies as st

from gateware import cost
from gateware.accelerator import Accelerator
from gateware.batches import Batches
from gateware.compiler import compile, counted, image, taken
from gateware.control import LOADED, NETWORK, network_id
from gateware.folding import Folding
from gateware.mapping import Mapping, uniform
from gateware.mapping import sizes as layer_sizes
from gateware.pixels import pixel_words
from gateware.plan import Plan
from model.dense import Dense
from model.encoder import BitSerial, Threshold
from model.network import Network, Shape
from model.scores import Scores
from sim import bench
from sim.amaranth_engine import AmaranthEngine
from sim.compare import compare
from sim.engine import decode_output

from . import strategies
from .traffic import memories, ports


def images_for(data, network, count):
    seed = data.draw(st.integers(0, 2 ** 32 - 1))
    return np.random.default_rng(seed).integers(0, 2 ** network.encoder.bits,
                                                (count, network.inputs))


@pytest.mark.parametrize("encoder", [BitSerial(2), Threshold(2, bits=2)])
def test_a_small_network(encoder):
    """What the tests below ask of many networks, of one that takes no time."""
    rng = np.random.default_rng(2)
    layer = Dense(rng.random((4, 5)) < 0.5, np.array([-1, 0, 1, 3]), gains=encoder.gains,
                  bipolar=encoder.bipolar)
    scores = Scores(rng.random((3, 4)) < 0.5, np.ones(3, dtype=int), np.array([1, 0, -1]))
    network = Network(encoder, (layer,), scores)
    mapping = uniform(network.shape, pe=2, simd=2)
    contents = image(network, mapping)
    images = rng.integers(0, 4, (3, 5))
    for made, written in ((contents, {}), (None, contents)):
        engine = AmaranthEngine()
        engine.load(compile(network.shape, mapping, image=made, probes=True))
        if written:
            engine.write(written)
        assert engine.read() == contents
        result = engine.infer(images)
        compared = compare(network, images, result)
        assert compared.total == 0, compared.first
        assert result.cycles == cost.timing(mapping, 3).cycles


@settings(max_examples=30)
@given(data=st.data(), network=strategies.networks())
def test_every_layer_matches_model_in_predicted_cycles(data, network):
    mapping = data.draw(strategies.mappings(network))
    images = images_for(data, network, 4)
    engine = AmaranthEngine()
    engine.load(compile(network.shape, mapping, image=image(network, mapping), probes=True))
    result = engine.infer(images)
    compared = compare(network, images, result)
    assert compared.total == 0, compared.first
    assert len(compared.mismatches) == 2 * len(network.layers) + 3
    timing = cost.timing(mapping, len(images))
    assert (result.cycles, result.latency) == (timing.cycles, timing.latency)


@settings(max_examples=15)
@given(data=st.data(), network=strategies.serial_networks(), count=st.integers(1, 5))
def test_weights_of_several_bits_match_model_and_its_counts_in_predicted_cycles(data, network,
                                                                               count):
    mapping = data.draw(strategies.mappings(network))
    images = images_for(data, network, count)
    engine = AmaranthEngine()
    engine.load(compile(network.shape, mapping, image=image(network, mapping), probes=True))
    assert engine.read() == image(network, mapping)
    for run in images, images[::-1]:
        result = engine.infer(run)
        expected = counted(network, mapping, run)
        compared = compare(network, run, result, counted=expected)
        assert compared.total == 0, compared.first
        assert set(compared.mismatches) == {*network.trace(run), "class", *(
            f"layer{n}.counts" for n, each in enumerate(network.shape.serial) if each)}
        times = taken(expected)
        assert result.cycles == cost.timing(mapping, count, times).cycles \
            <= cost.timing(mapping, count).cycles


@settings(max_examples=25)
@given(data=st.data(), network=strategies.few_networks(), count=st.integers(1, 5))
def test_few_bits_match_model_in_predicted_cycles(data, network, count):
    mapping = data.draw(strategies.mappings(network))
    images = images_for(data, network, count)
    engine = AmaranthEngine()
    engine.load(compile(network.shape, mapping, image=image(network, mapping), probes=True))
    assert engine.read() == image(network, mapping)
    for run in images, images[::-1]:
        result = engine.infer(run)
        compared = compare(network, run, result)
        assert compared.total == 0, compared.first
        assert set(compared.mismatches) == {*network.trace(run), "class"}
        assert result.cycles == cost.timing(mapping, count).cycles


@settings(max_examples=20)
@given(data=st.data(), network=strategies.networks(max_size=12), count=st.integers(1, 9))
def test_batches_match_model_in_predicted_cycles(data, network, count):
    mapping = data.draw(strategies.mappings(network, batches=(2, 3, 4, 8)))
    images = images_for(data, network, count)
    engine = AmaranthEngine()
    engine.load(compile(network.shape, mapping, image=image(network, mapping), probes=True))
    # Again, behind a batch that may not have been full.
    for run in images, images[::-1]:
        result = engine.infer(run)
        compared = compare(network, run, result)
        assert compared.total == 0, compared.first
        timing = cost.timing(mapping, count)
        assert result.cycles == timing.cycles
        assert result.batch == mapping.batch
    assert len(compared.mismatches) == 2 * len(network.layers) + 3


@settings(max_examples=20)
@given(data=st.data(), network=strategies.networks(max_size=9, encoder=strategies.apart,
                                                   min_layers=1), count=st.integers(1, 5))
def test_samples_kept_apart_match_model_in_predicted_cycles(data, network, count):
    mapping = data.draw(strategies.mappings(network, batches=(1, 2, 3)))
    images = images_for(data, network, count)
    engine = AmaranthEngine()
    engine.load(compile(network.shape, mapping, image=image(network, mapping), probes=True))
    result = engine.infer(images)
    compared = compare(network, images, result)
    assert compared.total == 0, compared.first
    assert result.trace["layer0.bits"].shape[:2] == (count, network.encoder.samples)
    assert result.cycles == cost.timing(mapping, count).cycles


@settings(max_examples=6)
@given(data=st.data(), network=strategies.networks(max_size=8))
def test_cycles_of_one_more_batch_are_predicted(data, network):
    mapping = data.draw(strategies.mappings(network, batches=(2, 3)))
    count = 20 * mapping.batch
    engine = AmaranthEngine()
    engine.load(compile(network.shape, mapping, image=image(network, mapping)))
    result = engine.infer(images_for(data, network, count + 1))
    assert result.cycles == cost.timing(mapping, count + 1).cycles
    each = cost.timing(mapping, 1).cycles_per_image
    assert result.cycles_per_image == mapping.cycles_per_image == each
    for images in (count, 200 * mapping.batch + 1):
        assert cost.timing(mapping, images + mapping.batch).cycles \
            == cost.timing(mapping, images).cycles + each * mapping.batch


@settings(max_examples=10)
@given(data=st.data(), network=strategies.networks())
def test_cycles_of_one_more_image_are_predicted(data, network):
    mapping = data.draw(strategies.mappings(network))
    images = images_for(data, network, 24)
    engine = AmaranthEngine()
    engine.load(compile(network.shape, mapping, image=image(network, mapping)))
    result = engine.infer(images)
    assert result.trace is None
    timing = cost.timing(mapping, 24)
    assert result.cycles == timing.cycles
    assert result.cycles_per_image == timing.cycles_per_image
    # What is predicted by going on at the same pace is what follows from going on step by step.
    assert cost.timing(mapping, 200).cycles \
        == cost.timing(mapping, 199).cycles + timing.cycles_per_image


# Here a layer waits in the middle of a vector, because the words after it are cut into more pieces
# than it has cycles between them.
@pytest.mark.parametrize("encoder, sizes, parallel", [
    (Threshold(1, bits=1), (16, 16, 19, 6), ((4, 15), (15, 2), (3, 7))),
    (Threshold(1, bits=1), (16, 19, 5, 7, 11), ((10, 2), (2, 3), (1, 3), (2, 6))),
    (Threshold(1, bits=1), (16, 11, 8, 13, 8), ((5, 10), (4, 1), (10, 1), (3, 5))),
    (BitSerial(3), (7, 19, 4, 2), ((14, 2), (1, 3), (2, 1))),
])
def test_waits_between_layers_are_predicted(encoder, sizes, parallel):
    shape = Shape(encoder, sizes, 0, 16)
    mapping = Mapping(tuple(Folding(*size, *fold) for size, fold in zip(
        layer_sizes(shape), parallel, strict=True)))
    for count in (1, 2, 3, 6):
        engine = AmaranthEngine()
        engine.load(compile(shape, mapping))
        result = engine.infer(np.zeros((count, sizes[0]), dtype=int))
        assert result.cycles == cost.timing(mapping, count).cycles


def test_pace_is_that_of_the_slowest_and_of_those_that_wait_for_it():
    """Found by Hypothesis: 14 cycles for the layer, 16 for its words, and 20 for both."""
    shape = Shape(Threshold(1, bits=1), (11, 7, 10, 12), 0, 16)
    mapping = Mapping(tuple(Folding(*size, *fold) for size, fold in zip(
        layer_sizes(shape), ((1, 10), (8, 1), (2, 9)), strict=True)))
    assert cost.pace(*mapping.layers[1:]) == 22
    engine = AmaranthEngine()
    engine.load(compile(shape, mapping))
    result = engine.infer(np.zeros((12, 11), dtype=int))
    assert result.cycles_per_image == mapping.cycles_per_image == 20


@settings(max_examples=25)
@given(data=st.data(), network=strategies.networks(), i_stalls=strategies.stalls,
       o_stalls=strategies.stalls)
def test_stalls_change_nothing(data, network, i_stalls, o_stalls):
    mapping = data.draw(strategies.mappings(network, batches=(1, 1, 2, 3)))
    images = images_for(data, network, 5)
    dut = compile(network.shape, mapping, image=image(network, mapping))
    # Two runs: where images go in batches, the second waits for what is left of the first.
    words = pixel_words(images[:2], network.shape, mapping) \
        + pixel_words(images[2:], network.shape, mapping)
    words = bench.run(dut, words, 5 * network.classes, i_stalls=i_stalls, o_stalls=o_stalls,
                      limit=80_000)
    scores, best = decode_output(dut, words)
    assert (scores == network.scores_of(images)).all()
    assert (best == network(images)).all()


def wait_in_line(network, mapping, count):
    """Some images, whose scores are asked for once no more are taken."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 2 ** network.encoder.bits, (count, network.inputs))
    dut = compile(network.shape, mapping, image=image(network, mapping))
    words = bench.run(dut, pixel_words(images, network.shape, mapping), count * network.classes,
                      o_stalls=[600, *[0] * count * network.classes], limit=80_000)
    scores, _ = decode_output(dut, words)
    assert (scores == network.scores_of(images)).all()


@pytest.mark.parametrize("count", [15, 17, 18, 19, 21, 23, 25])
def test_more_batches_wait_where_a_pipeline_is_longer_than_they_are(count):
    """Up to ten of two images each, which take two cycles, and their sums nine."""
    scores = Scores(np.random.default_rng(0).random((1, 64)) < 0.5, np.ones(1, dtype=int),
                    np.zeros(1, dtype=int), gains=(2, 1), bipolar=False)
    network = Network(BitSerial(2), (), scores)
    mapping = Mapping((Folding(64, 1, (2, 1), 1, 64, levels=1, batch=2),))
    wait_in_line(network, mapping, count)


@settings(max_examples=8)
@given(data=st.data(), network=strategies.networks(max_size=6), short=st.integers(0, 1))
def test_batches_wait_in_line(data, network, short):
    mapping = data.draw(strategies.mappings(network, batches=(2, 3)))
    most = sum(layer.held for layer in mapping.layers) + 2
    wait_in_line(network, mapping, (most + data.draw(st.integers(-3, 2))) * mapping.batch - short)


def test_as_many_batches_are_counted_as_there_can_be(monkeypatch):
    told = []
    monkeypatch.setattr(gateware.accelerator, "Batches",
                        lambda **sizes: told.append(sizes) or Batches(**sizes))
    for sizes, parallel in (((64, 1), ((1, 64),)), ((64, 5, 2), ((1, 64), (1, 1)))):
        shape = Shape(BitSerial(2), sizes, 0, 16)
        mapping = Mapping(tuple(Folding(*size, *fold, levels=1, batch=2) for size, fold in zip(
            layer_sizes(shape), parallel, strict=True)))
        Fragment.get(compile(shape, mapping), None)
    # Two of them in the last buffer.
    assert told == [{"batch": 2, "most": 9 + 2}, {"batch": 2, "most": 4 + 3 + 2}]


@settings(max_examples=10)
@given(data=st.data())
def test_networks_of_one_shape_take_turns(data):
    first = data.draw(strategies.networks(max_size=8))
    seed = data.draw(st.integers(0, 2 ** 32 - 1))
    rng = np.random.default_rng(seed)
    second = replace(first, layers=tuple(
        replace(layer, weights=rng.random(layer.weights.shape) < 0.5) for layer in first.layers),
        scores=replace(first.scores, weights=rng.random(first.scores.weights.shape) < 0.5))
    mapping = data.draw(strategies.mappings(first))
    images = images_for(data, first, 2)
    engine = AmaranthEngine()
    engine.load(compile(first.shape, mapping, probes=True))
    for network in (first, second, first):
        engine.write(image(network, mapping))
        assert engine.read() == image(network, mapping)
        compared = compare(network, images, engine.infer(images))
        assert compared.total == 0, compared.first


@settings(max_examples=10)
@given(data=st.data(), network=strategies.networks(max_size=8))
def test_weights_in_logic_stay(data, network):
    mapping = data.draw(strategies.mappings(network))
    mapping = Mapping((replace(mapping.layers[0], storage="logic"), *mapping.layers[1:]))
    images = images_for(data, network, 2)
    contents = image(network, mapping)
    engine = AmaranthEngine()
    engine.load(compile(network.shape, mapping, image=contents, probes=True))
    other = contents | {"layer0.weights": [~row & (1 << mapping.layers[0].weights.width) - 1
                                           for row in contents["layer0.weights"]]}
    with pytest.raises(ValueError, match="^layer0.weights is in logic and must be what the "):
        engine.write(other)
    for _ in range(2):
        compared = compare(network, images, engine.infer(images))
        assert compared.total == 0, compared.first
        assert engine.read() == contents
        engine.write(contents)


@settings(max_examples=10)
@given(data=st.data(), network=strategies.networks(max_size=8))
def test_weights_in_spram_are_written_by_the_host(data, network):
    mapping = data.draw(strategies.mappings(network, ("spram", "block")))
    images, contents = images_for(data, network, 2), image(network, mapping)
    in_spram = any(folding.storage == "spram" for folding in mapping.layers)
    for made in (None, contents):
        engine = AmaranthEngine()
        dut = compile(network.shape, mapping, image=made, probes=True)
        assert dut.plan.fills != in_spram
        engine.load(dut)
        if made and in_spram:
            # What can be there at power-up is, and the rest is nothing yet.
            assert engine.read() == {name: [0] * len(rows) if dut.plan.empty(name) else rows
                                     for name, rows in contents.items()}
        engine.write(contents)
        assert engine.read() == contents
        result = engine.infer(images)
        compared = compare(network, images, result)
        assert compared.total == 0, compared.first
        assert result.cycles == cost.timing(mapping, 2).cycles


@pytest.mark.parametrize("encoder", [BitSerial(3), Threshold(1, bits=3)])
def test_members_are_as_wide_as_they_have_to_be(encoder):
    shape = Shape(encoder, (9, 8, 5), 0, 16)
    plan = Plan(shape, uniform(shape, pe=2, simd=4))
    dut = Accelerator(plan)
    bus = {"bus_w_en": 1, "bus_w_data": 32, "bus_r_en": 1, "bus_r_data": 32, "bus_r_valid": 1}
    assert ports(dut) == {
        "i_payload": 4 * 3, "i_valid": 1, "i_ready": 1, "o_payload": 16 + 3 + 1, "o_valid": 1,
        "o_ready": 1, "loaded": 1, "bus_addr": plan.addr_width, **bus}
    sums = (9 * sum(encoder.gains)).bit_length()
    probes = ports(Accelerator(plan, probes=True)).items() - ports(dut).items()
    lanes = plan.mapping.layers[0].lanes
    assert dict(probes) == {"probe_0_valid": 1, "probe_0_payload": lanes * (sums + 1),
                            "probe_1_valid": 1, "probe_1_payload": 4}
    assert (dut.plan, dut.shape, dut.mapping, dut.image) == (plan, shape, plan.mapping, None)
    assert (dut.words, dut.memories, dut.control_address, dut.hash) \
        == (plan.words, plan.memories, plan.control_address, plan.hash)


@pytest.mark.parametrize("encoder, first, sums", [
    (BitSerial(3), 12, 7), (Threshold(1, bits=3), 4, 4)])
def test_memories_are_as_large_as_they_have_to_be(encoder, first, sums):
    shape = Shape(encoder, (9, 8, 5), 0, 16)
    # The first buffer holds pixels or bits, whichever is less.
    assert memories(Accelerator(Plan(shape, uniform(shape, pe=2, simd=4)))) == {
        "replay_0.banks": (first, 4 + 3), "replay_1.banks": (4, 2 + 2),
        "layer_0.accumulate.crossbar.weights.cells_0": (8, 12),
        "layer_0.thresholds.cells_0": (sums, 8),
        "scores.accumulate.crossbar.weights.cells_0": (8, 6), "scores.affine.cells_0": (16, 5)}


def test_weights_are_announced():
    shape = Shape(BitSerial(1), (2, 2), 0, 16)
    mapping = uniform(shape, pe=1, simd=1)
    dut = compile(shape, mapping)
    contents = {name: [0] * region.depth for name, region in dut.memories.items()}
    told = []

    async def look(ctx):
        await ctx.tick()
        seen = [ctx.get(dut.loaded)]
        for register in (LOADED, NETWORK):
            ctx.set(dut.bus.addr, dut.control_address + register)
            ctx.set(dut.bus.r_en, 1)
            await ctx.tick()
            ctx.set(dut.bus.r_en, 0)
            word, = await ctx.tick().sample(dut.bus.r_data).until(dut.bus.r_valid)
            seen.append(word)
        told.append(tuple(seen))

    engine = AmaranthEngine()
    engine.load(dut)
    engine._run(look)
    engine.write(contents)
    engine._run(look)
    # Weights that an accelerator is built with are there from power-up.
    dut = compile(shape, mapping, image=contents)
    engine.load(dut)
    engine._run(look)
    assert told == [(0, 0, 0), (1, 1, network_id(contents)), (1, 1, network_id(contents))]

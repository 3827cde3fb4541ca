# amaranth: UnusedElaboratable=no

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, strategies as st

from gateware.lane import Lane
from gateware.memories import latency
from gateware.serial_folding import SerialFolding
from model.compend import Compend

from . import strategies
from .traffic import ports, read, registers, simulate, write


def share(layer, pe, of):
    """The neurons of a PE, as a layer."""
    shifts = layer.shifts[pe::of] if layer.activation == "relu" else None
    return replace(layer, weights=layer.weights[pe::of], bias=layer.bias[pe::of], shifts=shifts)


def went(layer, folding, pe, x):
    """What a lane answers for each image, and for how long each kept it busy."""
    image, late = folding.image(layer), latency(folding.storage)
    dut = Lane(folding, pe, weights=image[f"weights{pe}"], preloads=image[f"preloads{pe}"])
    padded = np.zeros((len(x), folding.folds * folding.simd), dtype=int)
    padded[:, :layer.inputs] = x
    words = padded.reshape(len(x), folding.folds, folding.simd)
    words[:, -1] = np.roll(words[:, -1], folding.empty, axis=1)
    results, busy, begun = [], [], []

    async def tb(ctx):
        limits = (limit >> layer.grain for limit in layer.limits(x))
        for image, low, high in zip(words, *limits, strict=True):
            order = [n for n, word in enumerate(image) if word.any() or not folding.skip_zeros]
            order = order or [0]
            for name, value in (("rounds", len(order)), ("detect", 1), ("low", low),
                                ("high", high)):
                if hasattr(dut, name):
                    ctx.set(getattr(dut, name), int(value))
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            idle = cycle = 0
            busy.append(0)
            begun.append(0)
            while idle <= folding.wasted:
                assert cycle < 10_000
                ctx.set(dut.index, order[cycle % len(order)])
                if cycle >= late:
                    ctx.set(dut.word, [int(a) for a in image[order[(cycle - late) % len(order)]]])
                _, _, works, starts, done, fires, sum_ = await ctx.tick().sample(
                    dut.busy, dut.begun, dut.done, dut.fires, dut.sum)
                cycle += 1
                idle = 0 if works else idle + 1
                busy[-1] += works
                begun[-1] += starts
                if done:
                    results.append((fires, sum_))

    simulate(dut, tb)
    return np.reshape(results, (len(x), -1, 2)), busy, begun


@given(data=st.data(), layer=strategies.compends())
def test_each_neuron_in_turn_for_as_long_as_it_takes(data, layer):
    folding = data.draw(strategies.serial_foldings(
        layer, storage=data.draw(st.sampled_from(["block", "wide"]))))
    pe = data.draw(st.integers(0, folding.pe - 1))
    x = data.draw(strategies.activations(layer, 3))
    results, busy, begun = went(layer, folding, pe, x)
    own = share(layer, pe, folding.pe)
    expected, run = own.run(x)
    fires, sums = results[..., 0], results[..., 1]
    if layer.activation == "relu":
        found = fires * ((sums >> own.shifts) + 1).clip(max=2 ** layer.output_bits - 1)
        assert (found == expected).all()
    else:
        assert ((fires if layer.activation == "sign" else sums) == expected).all()
    assert begun == run.sum(axis=1).tolist()
    alone = replace(folding.schedule, pe=1, least=1, overhead=0).counts(own, x)
    assert busy == alone.cycles.tolist()


@pytest.mark.parametrize("detection", ["none", "exact", "speculative"])
@pytest.mark.parametrize("activation", ["relu", "sign"])
def test_there_are_ports_for_what_is_built(detection, activation):
    layer = Compend(np.ones((4, 6), int), np.zeros(4, int), input_bits=2, activation=activation,
                    detection=detection)
    found = ports(Lane(SerialFolding.of(layer, pe=2, simd=3), 1))
    top = 6 * 3
    expected = {"start": 1, "rounds": 2, "index": 1, "word": 6, "busy": 1, "begun": 1, "done": 1,
                "fires": 1, "sum": layer.acc_bits}
    if detection != "none":
        expected["detect"] = 1
        if activation == "sign":
            expected["high"] = top.bit_length()
    if detection == "speculative":
        expected["low"] = top.bit_length()
    assert {name: bits for name, bits in found.items() if "_bus_" not in name} == expected


@pytest.mark.parametrize("inputs, simd, input_bits", [
    (3, 1, 1), (4, 1, 1), (7, 1, 1), (5, 3, 3), (9, 2, 8)])
def test_limits_and_words_are_as_wide_as_they_may_be_great(inputs, simd, input_bits):
    layer = Compend(np.ones((2, inputs), int), np.zeros(2, int), input_bits=input_bits,
                    activation="sign", detection="speculative")
    folding = SerialFolding.of(layer, pe=1, simd=simd)
    found = ports(Lane(folding, 0))
    top = inputs * (2 ** input_bits - 1)
    assert found["low"] == found["high"] == min(top.bit_length(), 8)
    assert found["rounds"] == folding.folds.bit_length()
    assert found["index"] == (folding.folds - 1).bit_length()


@pytest.mark.parametrize("outputs, inputs, weight_bits, levels", [
    (4, 8, 8, 0), (5, 8, 8, 1), (2, 9, 3, 0), (3, 11, 4, 0), (1, 1, 2, 0), (8, 5, 5, 2)])
def test_registers_hold_what_they_may_be_and_no_more(outputs, inputs, weight_bits, levels):
    layer = Compend(np.ones((outputs, inputs), int), np.zeros(outputs, int),
                    weight_bits=weight_bits)
    simd = 1 if levels == 0 else 4
    folding = SerialFolding.of(layer, pe=1, simd=simd, levels=levels)
    found, rows = registers(Lane(folding, 0)), folding.weights(0).depth
    flags = 6 + folding.tag_bits
    expected = {"base": (rows - 1).bit_length(), "after": (rows - 1).bit_length(),
                "left": (folding.folds - 1).bit_length(), "plane": (weight_bits - 1).bit_length(),
                "more": (outputs - 1).bit_length(), "neuron": (outputs - 1).bit_length(),
                "tag": folding.tag_bits, "begins": 1, "first": 1, "over": 1, "sums": flags,
                "flags_0": flags, "rest": weight_bits - 1, "sum": layer.acc_bits}
    assert {name: found[name] for name in expected if name in found} \
        == {name: (bits, 0) for name, bits in expected.items() if bits}


@pytest.mark.parametrize("weight_bits, simd, levels, storage", [
    (2, 2, 1, "block"), (2, 8, 1, "block"), (3, 4, 1, "wide"), (2, 3, 0, "wide")])
@pytest.mark.parametrize("activation", ["relu", "sign"])
def test_neurons_that_are_on_their_way_together_do_not_end_one_another(weight_bits, simd, levels,
                                                                       storage, activation):
    """Sums that go as far as the accumulator does, in words that are a whole round each."""
    rng, half = np.random.default_rng(0), 1 << weight_bits - 1
    weights = rng.integers(1 - half, half + 1, (60, simd))
    weights[::7], weights[3::7] = half, 1 - half
    bias = -weights.sum(axis=1) * rng.integers(0, 8, 60)
    shifts = {"shifts": rng.integers(0, 2, 60)} if activation == "relu" else {}
    layer = Compend(weights, bias, weight_bits=weight_bits, input_bits=3, activation=activation,
                    **shifts)
    layer = replace(layer, acc_bits=layer.least_acc_bits)
    folding = SerialFolding.of(layer, pe=1, simd=simd, levels=levels, storage=storage)
    x = rng.integers(0, 8, (6, simd))
    x[1], x[2] = 7, 0
    results, busy, begun = went(layer, folding, 0, x)
    expected, run = layer.run(x)
    assert ((results[..., 0] if activation == "sign" else results[..., 0] * (
        (results[..., 1] >> layer.shifts) + 1).clip(max=255)) == expected).all()
    assert begun == run.sum(axis=1).tolist()
    assert busy == replace(folding.schedule, overhead=0).counts(layer, x).cycles.tolist()


def test_a_host_reads_what_it_wrote():
    layer = Compend(np.ones((5, 9), int), np.zeros(5, int))
    folding = SerialFolding.of(layer, pe=2, simd=4)
    dut = Lane(folding, 1)

    async def tb(ctx):
        for bus, region in ((dut.weights_bus, folding.weights(1)),
                            (dut.preloads_bus, folding.preloads(1))):
            words = {region.address(row, 0): row * 5 + 3 & (1 << region.width) - 1
                     for row in range(region.depth)}
            for address, word in words.items():
                await write(ctx, bus, address, word)
            for address, word in words.items():
                assert await read(ctx, bus, address) == word

    simulate(dut, tb)

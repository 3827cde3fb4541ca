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
from .traffic import ports, simulate


def share(layer, pe, of):
    """The neurons of a PE, as a layer."""
    shifts = None if layer.activation == "sign" else layer.shifts[pe::of]
    return replace(layer, weights=layer.weights[pe::of], bias=layer.bias[pe::of], shifts=shifts)


def went(layer, folding, pe, x):
    """What a lane answers for each image, and for how long each kept it busy."""
    image, late = folding.image(layer), latency(folding.storage)
    dut = Lane(folding, pe, weights=image[f"weights{pe}"], preloads=image[f"preloads{pe}"])
    padded = np.zeros((len(x), folding.folds * folding.simd), dtype=int)
    padded[:, :layer.inputs] = x
    words = padded.reshape(len(x), folding.folds, folding.simd)
    results, busy, begun = [], [], []

    async def tb(ctx):
        for image, low, high in zip(words, *layer.limits(x), strict=True):
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
        assert (fires == expected).all()
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

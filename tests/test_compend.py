# amaranth: UnusedElaboratable=no

from dataclasses import replace

import numpy as np
import pytest
from amaranth.hdl import Module, Value
from hypothesis import assume, given, settings, strategies as st

import gateware.compend
from gateware.serial_folding import SerialFolding
from model.compend import Compend
from model.packing import pack_fields, unpack_fields
from sim.bench import drain, feed

from .strategies import activations, compends, serial_foldings, stalls
from .traffic import loaded, memories, offers, ports, registers, simulate


def plain(layer, x):
    """Results in whole numbers, neuron by neuron."""
    results = np.empty((len(x), layer.outputs), dtype=int)
    for n, o in np.ndindex(results.shape):
        acc = sum(int(w) * int(a) for w, a in zip(layer.weights[o], x[n], strict=True))
        acc += int(layer.bias[o])
        if layer.activation == "relu":
            acc = min(max(acc, 0) // 2 ** int(layer.shifts[o]), 2 ** layer.output_bits - 1)
        results[n, o] = acc >= 0 if layer.activation == "sign" else acc
    return results


@given(data=st.data(), layer=compends(detections=("none", "exact")))
def test_results_are_those_of_plain_arithmetic(data, layer):
    x = data.draw(activations(layer, 6))
    assert (layer(x) == plain(layer, x)).all()
    assert (layer.acc(x) == x @ layer.weights.T + layer.bias).all()


@given(layer=compends())
def test_planes_are_inverted_twos_complement(layer):
    places = -(1 << np.arange(layer.weight_bits))[::-1]
    places[0] *= -1
    assert (np.tensordot(places, layer.planes, axes=1) == layer.weights).all()
    inverted = layer.planes.astype(int)
    twos = np.array([np.binary_repr(-w, layer.weight_bits) for w in layer.weights.ravel()])
    assert ["".join(map(str, bits)) for bits in inverted.reshape(layer.weight_bits, -1).T] \
        == twos.tolist()


@given(data=st.data(), layer=compends())
def test_sums_fall_after_the_first_plane_and_stay_within_their_bits(data, layer):
    x = data.draw(activations(layer, 6))
    _, sums = zip(*layer.running(x), strict=True)
    assert all((after <= before).all() for before, after in zip(sums, sums[1:], strict=False))
    assert (sums[-1] == layer.acc(x) + layer.preload - layer.bias).all()
    for extreme in (0 * x, 0 * x + 2 ** layer.input_bits - 1, x):
        for _, found in layer.running(extreme):
            assert (abs(found + 0.5) < 2 ** (layer.least_acc_bits - 1)).all()
    assert layer.least_acc_bits <= layer.most_acc_bits == layer.acc_bits


@given(data=st.data(), layer=compends())
def test_planes_run_until_the_answer_is_known(data, layer):
    x = data.draw(activations(layer, 4))
    results, run = layer.run(x)
    total = -(-x.sum(axis=1) // 2 ** layer.grain)
    for n, o in np.ndindex(run.shape):
        acc, known = int(layer.preload[o]), None
        unit = 2 ** layer.grain
        low = total[n] * layer.factor // 8 * unit if layer.detection == "speculative" else 0
        for plane, bits in enumerate(layer.planes[:, o]):
            left = layer.weight_bits - 1 - plane
            acc += (-1 if plane else 1) * int(x[n] @ bits) * 2 ** left
            if layer.detection == "none" or not left:
                continue   # as it is where sums are asked for
            if acc < low * 2 ** left:
                known = 0
            elif layer.activation == "sign" and acc >= (total[n] * unit - low) * 2 ** left:
                known = 1
            if known is not None:
                break
        assert run[n, o] == plane + 1
        if known is not None:
            assert results[n, o] == known


def test_early_detection_saves_planes():
    weights = np.array([[-7, -3], [7, 8], [-1, 1]])
    found = {}
    for activation in ("relu", "sign"):
        layer = Compend(weights, np.array([0, 2, -1]), weight_bits=4, activation=activation)
        found[activation] = layer.run(np.array([200, 100]))
    assert found["relu"][0].tolist() == [0, 255, 0]
    assert found["sign"][0].tolist() == [0, 1, 0]
    # The first one's sum is 0 before its second plane, which is nothing for a ReLU, and the sign of
    # which is still to come. The second one's is 2402, and the others can take away 7 x 300.
    assert found["relu"][1].tolist() == [1, 4, 4]
    assert found["sign"][1].tolist() == [2, 1, 4]


def test_speculation_gives_up_what_is_small():
    x = np.array([15, 1])
    exact = Compend(np.array([[0, 1]]), np.array([0]), weight_bits=4)
    assert [found.tolist() for found in exact.run(x)] == [[1], [4]]
    # 7 after the first plane, where half of what may be taken away is 7 x 8.
    given_up = Compend(exact.weights, exact.bias, weight_bits=4, detection="speculative", factor=4)
    assert [found.tolist() for found in given_up.run(x)] == [[0], [1]]
    # 3/8 of 16 is 6; sums of 56, 52 and 50 are not below 6 x 8, 6 x 4 and 6 x 2.
    waiting = Compend(exact.weights, np.array([49]), weight_bits=4, detection="speculative")
    assert [found.tolist() for found in waiting.run(x)] == [[50], [4]]


def layer(**changed):
    return Compend(**{"weights": np.array([[1, -1], [3, 4]]), "bias": np.array([0, -5]),
                      "weight_bits": 3, **changed})


@pytest.mark.parametrize("changed, message", [
    ({"weights": np.array([[5, 0], [0, 0]])},
     "Weights of 3 bits must be between -3 and 4, not 0 to 5"),
    ({"weights": np.array([[-4, 0], [0, 0]])},
     "Weights of 3 bits must be between -3 and 4, not -4 to 0"),
    ({"weights": np.array([1, 2])}, "Weights must be outputs x inputs, not of shape (2,)"),
    ({"weights": np.zeros((0, 2), int)}, "Weights must be outputs x inputs, not of shape (0, 2)"),
    ({"bias": np.array([2041, 0])}, "Biases must be between -2040 and 2040, not 0 to 2041"),
    ({"bias": np.array([0])}, "Biases must be one per output (2), not (1,)"),
    ({"shifts": np.array([0, -1])}, "Shifts must be between 0 and 11, not -1 to 0"),
    ({"shifts": np.array([0, 12])}, "Shifts must be between 0 and 11, not 0 to 12"),
    ({"shifts": np.array([0])}, "Shifts must be one per output (2), not (1,)"),
    ({"shifts": np.array([0, 0]), "activation": "sign"},
     "Shifts must be None for sign"),
    ({"activation": "tanh"}, "Activation must be one of relu, sign, linear, not 'tanh'"),
    ({"detection": "late"}, "Detection must be one of none, exact, speculative, not 'late'"),
    ({"weight_bits": 1}, "Bits of a weight must be between 2 and 16, not 1"),
    ({"weight_bits": 17}, "Bits of a weight must be between 2 and 16, not 17"),
    ({"input_bits": 9}, "Bits of an activation must be between 1 and 8, not 9"),
    ({"output_bits": 0}, "Bits of a result must be between 1 and 8, not 0"),
    ({"factor": 5}, "Factor in eighths must be between 1 and 4, not 5"),
    ({"acc_bits": 11}, "Bits of an accumulator must be between 12 and 64, not 11"),
])
def test_values_that_make_no_sense(changed, message):
    with pytest.raises(ValueError) as error:
        layer(**changed)
    assert str(error.value) == message


@pytest.mark.parametrize("changed, message", [
    ({"weights": np.ones((2, 2))}, "Weights must be integers, not float64"),
    ({"bias": np.zeros(2)}, "Biases must be integers, not float64"),
    ({"weight_bits": 3.0}, "Bits of a weight must be an integer, not 3.0"),
    ({"input_bits": True}, "Bits of an activation must be an integer, not True"),
])
def test_kinds_that_make_no_sense(changed, message):
    with pytest.raises(TypeError) as error:
        layer(**changed)
    assert str(error.value) == message


def test_activations_that_make_no_sense():
    with pytest.raises(ValueError, match="^Activations must be between 0 and 255, not -1 to 3$"):
        layer()(np.array([-1, 3]))
    with pytest.raises(ValueError, match="^Activations must be between 0 and 255, not 0 to 256$"):
        layer()(np.array([[0, 256]]))
    with pytest.raises(ValueError, match=r"^Activations must be 2, not of shape \(1, 3\)$"):
        layer()(np.zeros((1, 3), int))
    with pytest.raises(TypeError, match="^Activations must be integers, not float64$"):
        layer()(np.zeros(2))
    assert layer()(np.zeros((0, 2), int)).shape == (0, 2)


def test_bits_of_accumulators():
    assert layer().acc_bits == 14
    assert layer(acc_bits=12).acc_bits == 12
    assert layer(weights=np.array([[0, 0], [0, 1]]), bias=np.array([0, 3])).least_acc_bits == 11


def beats(folding, x):
    """Words of the images that a component takes."""
    padded = np.zeros((len(x), folding.entering * folding.pixels), dtype=int)
    padded[:, :folding.inputs] = x
    return pack_fields(padded, folding.input_bits, folding.pixels)


def run_with(layer, detect=1, factor=None):
    """What a host sets so that a layer is run as it is."""
    if layer.detection == "none":
        return {}
    factor = layer.factor if factor is None else factor
    return {"detect": detect} | ({"factor": factor} if layer.detection == "speculative" else {})


def watched(dut, folding, x, i_stalls=(0,), o_stalls=(0,), inputs=None):
    """Results for images, what was counted after them, and when words came and went."""
    out, taken = [], ([], [])
    total = len(x) * folding.words

    async def producer(ctx):
        await feed(ctx, dut.i, beats(folding, x), i_stalls)

    async def consumer(ctx):
        out.extend(await drain(ctx, dut.o, total, o_stalls))

    async def watcher(ctx):
        now = held = 0
        while len(taken[1]) < total:
            assert now < 100_000
            _, _, *moved, valid, payload = await ctx.tick().sample(
                dut.i.valid & dut.i.ready, dut.o.valid & dut.o.ready, dut.o.valid,
                Value.cast(dut.o.payload))
            assert not held or (valid, payload) == held, "withdrawn"
            held = (1, payload) if valid and not moved[1] else 0
            for each, cycles in zip(moved, taken, strict=True):
                if each:
                    cycles.append(now)
            now += 1
        counts = ctx.get(dut.counts)
        taken[1].append((counts.cycles, counts.planes_run, counts.planes_skipped))

    m = Module()
    m.submodules.dut = dut
    m.d.comb += [getattr(dut, name).eq(value) for name, value in (inputs or {}).items()]
    simulate(m, watcher, producer, consumer)
    results = unpack_fields(out, folding.output_bits, folding.lanes).reshape(len(x), -1)
    if folding.activation == "linear":
        results -= results >> folding.output_bits - 1 << folding.output_bits
    # Neurons that only fill up the last group give nothing.
    assert not results[:, folding.outputs:].any()
    return results[:, :folding.outputs], taken[1].pop(), taken


@given(data=st.data(), layer=compends(), i_stalls=stalls, o_stalls=stalls)
def test_gateware_gives_each_result_and_counts_each_plane_and_cycle(data, layer, i_stalls,
                                                                    o_stalls):
    if data.draw(st.booleans()):
        layer = replace(layer, acc_bits=layer.least_acc_bits)
    folding = data.draw(serial_foldings(
        layer, storage=data.draw(st.sampled_from(["block", "block", "wide", "logic"]))))
    x = data.draw(activations(layer, 4))
    dut = gateware.compend.Compend(folding, image=folding.image(layer))
    results, counts, _ = watched(dut, folding, x, i_stalls, o_stalls, run_with(layer))
    assert (results == layer(x)).all()
    expected = folding.schedule.counts(layer, x)
    assert counts == (expected.cycles.sum(), expected.planes_run.sum(),
                      expected.planes_skipped.sum())


@settings(max_examples=8)
@given(data=st.data(), layer=compends(detections=("exact", "speculative")))
def test_detection_is_chosen_at_run_time(data, layer):
    assume(layer.activation != "linear")
    folding = data.draw(serial_foldings(layer))
    x = data.draw(activations(layer, 3))
    factor = data.draw(st.integers(0, 4))
    ways = [(replace(layer, detection="none"), {"detect": 0}),
            (replace(layer, detection="exact"), {"detect": 1, "factor": 0}),
            (replace(layer, factor=factor or 1, detection="speculative" if factor else "exact"),
             {"detect": 1, "factor": factor})]
    for other, inputs in ways[:2 if layer.detection == "exact" else 3]:
        dut = gateware.compend.Compend(folding, image=folding.image(layer))
        if layer.detection == "exact":
            inputs.pop("factor", None)
        results, counts, _ = watched(dut, folding, x, inputs=inputs)
        assert (results == other(x)).all()
        assert counts[0] == folding.schedule.counts(other, x).cycles.sum()


@pytest.mark.parametrize("activation, pe, simd, levels", [
    ("relu", 1, 1, 0), ("relu", 4, 3, 1), ("relu", 3, 8, 0), ("sign", 5, 2, 2), ("sign", 8, 6, 0),
    ("linear", 4, 3, 0)])
def test_one_image_follows_another_as_soon_as_the_schedule_says(activation, pe, simd, levels):
    layer = random_layer(8, 12, activation)
    folding = SerialFolding.of(layer, pe=pe, simd=simd, levels=levels)
    x = np.random.default_rng(1).integers(0, 16, (5, 12))
    dut = gateware.compend.Compend(folding, image=folding.image(layer))
    results, _, (came, left) = watched(dut, folding, x, inputs=run_with(layer))
    assert (results == layer(x)).all()
    cycles = folding.schedule.counts(layer, x).cycles
    # The first word leaves two cycles after the last lane is done, the others behind it.
    first = folding.entering + cycles.cumsum() + 2
    assert left == [int(n) + k for n in first for k in range(folding.words)]
    # An image comes while the one before is worked on.
    assert came[:2 * folding.entering] == list(range(2 * folding.entering))


@pytest.mark.parametrize("outputs, inputs, pe, simd", [
    (8, 12, 4, 3), (8, 8, 4, 2), (12, 9, 3, 3), (6, 7, 6, 7), (4, 4, 1, 1), (7, 8, 7, 1)])
@pytest.mark.parametrize("activation", ["relu", "sign", "linear"])
def test_registers_hold_what_they_may_be_and_no_more(outputs, inputs, pe, simd, activation):
    layer = random_layer(outputs, inputs, activation, detection="speculative")
    folding = SerialFolding.of(layer, pe=pe, simd=simd)
    dut = gateware.compend.Compend(folding)
    group, part, place = ((n - 1).bit_length() for n in (folding.groups, folding.least,
                                                         folding.words))
    widths = {"cycles": (folding.most_cycles - 1).bit_length(),
              "run": (folding.outputs * folding.weight_bits).bit_length(),
              "begun": pe.bit_length(), "full": 2, "bank": 1, "turn": 1,
              "group": group, "part": part, "place": place, "idle": folding.wasted + 1,
              "low": folding.limit.bit_length() if layer.detection == "speculative" else 0}
    # Of no bits at all are those that could only be 0.
    assert {name: found for name, found in registers(dut).items() if name in widths} \
        == {name: (width, 0) for name, width in widths.items() if width}
    found = memories(dut)
    kept = {"relu": 1 + layer.acc_bits, "sign": 1, "linear": layer.acc_bits}[activation]
    assert all(found[f"results_{n}"] == (kept, 2 << group) for n in range(pe))


def random_layer(outputs, inputs, activation, seed=0, **given_):
    rng = np.random.default_rng(seed)
    weights = rng.integers(-31, 33, (outputs, inputs))
    shifts = {"shifts": rng.integers(3, 8, outputs)} if activation == "relu" else {}
    return Compend(weights, -3 * weights.sum(axis=1), weight_bits=6, input_bits=4,
                   activation=activation, **shifts, **given_)


@pytest.mark.parametrize("storage", ["block", "spram"])
@pytest.mark.parametrize("activation", ["relu", "sign"])
def test_weights_biases_and_shifts_come_over_their_buses(activation, storage):
    layer = random_layer(5, 9, activation)
    folding = SerialFolding.of(layer, pe=2, simd=4, storage=storage)
    x = np.random.default_rng(1).integers(0, 16, (4, 9))
    dut = gateware.compend.Compend(folding)
    regions = {f"weights{pe}": folding.weights(pe) for pe in range(2)} \
        | {f"preloads{pe}": folding.preloads(pe) for pe in range(2)} | {"shifts": folding.shifts}
    memories = [(getattr(dut, f"{name}_bus"), regions[name], rows)
                for name, rows in folding.image(layer).items() if name != "detection"]
    m = Module()
    m.submodules.dut = dut
    m.d.comb += dut.detect.eq(1)
    words = loaded(dut, memories, beats(folding, x), 4 * folding.words, top=m)
    results = unpack_fields(words, folding.output_bits, folding.lanes).reshape(4, -1)
    assert (results[:, :5] == layer(x)).all()


def test_results_are_offered_unasked():
    layer = random_layer(3, 4, "relu")
    folding = SerialFolding.of(layer, pe=1, simd=2)
    assert offers(gateware.compend.Compend(folding, image=folding.image(layer)),
                  [0] * folding.entering)


@pytest.mark.parametrize("detection", ["none", "exact", "speculative"])
@pytest.mark.parametrize("activation", ["relu", "sign"])
def test_there_are_ports_for_what_is_built(detection, activation):
    layer = random_layer(6, 9, activation, detection=detection, output_bits=5)
    folding = SerialFolding.of(layer, pe=2, simd=4)
    found = ports(gateware.compend.Compend(folding))
    lanes = folding.lanes * (1 if activation == "sign" else 5)
    expected = {"i_payload": 4 * folding.pixels, "i_valid": 1, "i_ready": 1,
                "o_payload": lanes, "o_valid": 1, "o_ready": 1, "counts": 96}
    expected |= {"detect": 1} if detection != "none" else {}
    expected |= {"factor": 3} if detection == "speculative" else {}
    assert {name: bits for name, bits in found.items() if "_bus_" not in name} == expected
    assert {name.partition("_bus_")[0] for name in found if "_bus_" in name} \
        == {"weights0", "weights1", "preloads0", "preloads1"} \
        | ({"shifts"} if activation == "relu" else set())

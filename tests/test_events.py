# amaranth: UnusedElaboratable=no

"""Events as they are counted, against a simulation in which each signal that tells is watched."""

from dataclasses import astuple, replace

import numpy as np
import pytest
from amaranth.hdl import Value
from amaranth.sim import Simulator
from hypothesis import given, settings, strategies as st

from gateware.compiler import compile, image
from gateware.events import Events, events, total
from gateware.folding import Folding
from gateware.mapping import Mapping
from gateware.pixels import pixel_words
from gateware.serial_folding import SerialFolding
from model.compend import Compend
from sim import bench
from sim.engine import bus_writes

from . import strategies


class Watch:
    """How many bits of what passed, by the signals that say when."""

    def __init__(self, simulator):
        # The names of everything inside are nowhere else.
        self.signals = {(*info.name[1:], name): signal
                        for info in simulator._design.fragments.values()
                        for signal, name in info.signal_names.items()}
        self.seen = []

    def cells(self, *path, kind):
        """Signals :py:`kind` of all numbered parts of a component."""
        return [signal for name, signal in self.signals.items()
                if name[:len(path)] == path and name[-1].rstrip("0123456789") == kind]

    def parts(self, *path, part, kind):
        return [signal for name, signal in self.signals.items() if name[:len(path)] == path
                and name[-2].rstrip("0123456789") == part and name[-1] == kind]

    def when(self, condition):
        """A list that is one longer for each cycle in which something holds."""
        self.seen.append((condition, happened := []))
        return happened

    def transfers(self, *path, stream):
        ready, valid = (self.signals[*path, f"{stream}__{end}"] for end in ("ready", "valid"))
        return self.when(ready & valid)

    async def run(self, ctx):
        while True:
            _, _, *holds = await ctx.tick().sample(*(condition for condition, _ in self.seen))
            for (_, happened), value in zip(self.seen, holds, strict=True):
                if value:
                    happened.append(value)


def simulated(network, mapping, images, loads, i_stalls, o_stalls):
    dut = compile(network.shape, mapping, image=image(network, mapping))
    simulator = Simulator(dut)
    watch = Watch(simulator)
    signals = watch.signals
    layers = []
    for n in range(len(mapping.layers)):
        last = n == len(mapping.layers) - 1
        inside = ("scores" if last else f"layer_{n}", "accumulate")
        plane = signals.get((*inside, "plane"), 0)
        taken = signals[*inside, "i__valid"] & signals[*inside, "i__ready"]
        stage = mapping.layers[n].latency - 3 - mapping.layers[n].serial   # that of the counts
        sensed = signals[*inside, "advance"] & Value.cast(signals[*inside, f"sensed_{stage}"])[0]
        weights = (*inside, "crossbar", "weights")
        fetched = watch.parts(*weights, part="cells_", kind="r_port__data")
        counted = watch.parts(*inside, "crossbar", part="popcount_", kind="x")
        # Without that of the bit line which neurons share.
        parts, accs = (watch.cells(*inside, kind=kind)[:mapping.layers[n].pe * mapping.batch]
                       for kind in ("part_", "acc_"))
        following = "regroup" if mapping.batch == 1 else "replay"
        out = (*inside, "o") if last else (f"{following}_{n + 1}", "i")
        tally = ("scores", "tally") if last and ("scores", "tally", "taken") in signals else None
        layers.append({
            "tally": (watch.when(signals[*tally, "taken"]), [len(signals[*tally, "o__payload"])])
            if tally else ([], []),
            "rows": (watch.when(taken & (plane == 0)), sum(map(len, fetched))),
            "beats": (watch.when(taken), sum(map(len, counted)), len(counted)),
            "parts": (watch.when(sensed), list(map(len, parts))),
            "accs": (watch.when(signals[*inside, "add"]), list(map(len, accs))),
            "hops": [(watch.transfers(*path, stream=stream),
                      len(signals[*path, f"{stream}__payload"]))
                     for *path, stream in ((f"replay_{n}", "i"), (f"replay_{n}", "o"), out)],
            "compared": (watch.transfers(*inside, stream="o"),
                         mapping.layers[n].lanes * mapping.layers[n].steps),
            "scores": watch.when(dut.o.valid & dut.o.ready) if last else None,
            "writes": [(watch.when(en), len(data)) for en, data in zip(
                watch.parts(*weights, part="cells_", kind="w_port__en"),
                watch.parts(*weights, part="cells_", kind="w_port__data"), strict=True)],
        })

    async def job(ctx):
        for _ in range(loads):
            for address, word in bus_writes(dut, image(network, mapping)):
                ctx.set(dut.bus.addr, address)
                ctx.set(dut.bus.w_data, word)
                ctx.set(dut.bus.w_en, 1)
                await ctx.tick()
            ctx.set(dut.bus.w_en, 0)
        await bench.feed(ctx, dut.i, pixel_words(images, network.shape, mapping), i_stalls)

    async def take(ctx):
        await bench.drain(ctx, dut.o, len(images) * network.classes, o_stalls)
        ctx.set(dut.o.ready, 1)
        # What fills up the last group of classes comes after the last of them.
        await ctx.tick().repeat(mapping.layers[-1].words + 8)

    simulator.add_clock(1e-6)
    simulator.add_testbench(take)
    simulator.add_testbench(job)
    simulator.add_testbench(watch.run, background=True)
    simulator.run()
    return [found(layer) for layer in layers]


def found(layer):
    (rows, row), (beats, cells, columns) = layer["rows"], layer["beats"]
    registers = [(len(happened), widths)
                 for happened, widths in (layer["parts"], layer["accs"], layer["tally"])]
    compared, at_once = layer["compared"]
    return Events(
        weight_bits=len(rows) * row, xnors=len(beats) * cells, counts=len(beats) * columns,
        additions=sum(times * len(widths) for times, widths in registers),
        addition_bits=sum(times * sum(widths) for times, widths in registers),
        comparisons=len(compared) * at_once if layer["scores"] is None else len(layer["scores"]),
        hops=sum(len(happened) * bits for happened, bits in layer["hops"]),
        writes=sum(len(happened) * bits for happened, bits in layer["writes"]))


@settings(max_examples=15)
@given(data=st.data(), network=st.one_of(strategies.networks(max_size=9, exact=True),
                                         strategies.few_networks(max_size=7)),
       count=st.integers(1, 3), loads=st.integers(0, 1), i_stalls=strategies.stalls,
       o_stalls=strategies.stalls)
def test_events_are_those_of_a_simulation(data, network, count, loads, i_stalls, o_stalls):
    mapping = data.draw(strategies.mappings(network, ("block",), (1, 1, 2, 3)))
    pixels = st.integers(0, 2 ** network.encoder.bits - 1)
    images = data.draw(st.lists(
        st.lists(pixels, min_size=network.inputs, max_size=network.inputs),
        min_size=count, max_size=count))
    assert list(events(mapping, count, loads=loads)) \
        == simulated(network, mapping, images, loads, i_stalls, o_stalls)


@settings(max_examples=8)
@given(data=st.data(), network=strategies.networks(
    max_size=7, exact=True, encoder=strategies.apart, min_layers=1), count=st.integers(1, 3))
def test_events_of_samples_kept_apart(data, network, count):
    mapping = data.draw(strategies.mappings(network, ("block",), (1, 2)))
    images = np.random.default_rng(count).integers(0, 256, (count, network.inputs)).tolist()
    assert list(events(mapping, count)) == simulated(network, mapping, images, 0, [0], [0])


MAPPING = Mapping((Folding(64, 128, (16, 8, 4, 2, 1), 16, 4), Folding(128, 10, (1,), 4, 9)))


def test_events_of_a_network():
    # 128 rows of 64 weights, five planes of each; then 45 of 36, two neurons of which are filler.
    assert events(MAPPING) == (
        Events(weight_bits=8_192, xnors=40_960, counts=10_240, additions=10_240 + 2_048,
               addition_bits=10_240 * 7 + 2_048 * 11, comparisons=128,
               hops=64 * 5 + 640 * 4 + 128, writes=0),
        Events(weight_bits=45 * 36, xnors=45 * 36, counts=45 * 4, additions=45 * 4,
               addition_bits=45 * 4 * 8, comparisons=10, hops=135 + 45 * 9 + 12 * 8, writes=0))
    once, thrice = events(MAPPING, 1), events(MAPPING, 3)
    assert [astuple(layer) for layer in thrice] \
        == [tuple(3 * value for value in astuple(layer)) for layer in once]


def test_images_of_a_batch_share_what_is_read():
    batched = Mapping(tuple(replace(layer, pe=2, batch=3) for layer in MAPPING.layers))
    alone = Mapping(tuple(replace(layer, batch=1) for layer in batched.layers))
    for images, batches in ((1, 1), (3, 1), (4, 2)):
        for one, many in zip(events(alone), events(batched, images), strict=True):
            assert many.weight_bits == batches * one.weight_bits
            assert many.xnors == 3 * batches * one.xnors


def test_weights_are_written_where_that_can_be():
    first, second = events(MAPPING, 0, loads=2)
    assert first == Events(*7 * [0], writes=2 * 8_192)
    assert second == Events(*7 * [0], writes=2 * 45 * 36)
    fixed = Mapping((Folding(64, 10, (1,), 2, 4, "logic"),))
    assert events(fixed, loads=1)[0].writes == 0


def test_layers_alike_differ_in_the_last():
    folding = Folding(6, 6, (1,), 2, 3)
    first, second = events(Mapping((folding, folding)))
    assert (first.hops, second.hops) == (6 + 18 + 6, 6 + 18 + 6 * 3)


def test_total_adds_layers():
    first, second = events(MAPPING)
    assert astuple(total((first, second))) \
        == tuple(a + b for a, b in zip(astuple(first), astuple(second), strict=True))
    assert total(()) == Events(*8 * [0])


@pytest.mark.parametrize("arguments, error, message", [
    ({"images": -1}, ValueError, "Images must not be negative, not -1"),
    ({"images": 1.0}, TypeError, "Images must be an integer, not 1.0"),
    ({"loads": -1}, ValueError, "Loads must not be negative, not -1"),
    ({"loads": None}, TypeError, "Loads must be an integer, not None")])
def test_wrong_numbers_are_refused(arguments, error, message):
    with pytest.raises(error, match=f"^{message}$"):
        events(MAPPING, **arguments)


def test_layers_of_several_bits_do_no_more_than_is_counted():
    layer = Compend(np.ones((7, 10), int), np.zeros(7, int), weight_bits=4, input_bits=3,
                    output_bits=2, detection="none")
    folding = SerialFolding.of(layer, pe=2, simd=4, skip_zeros=False)
    last = Compend(np.ones((5, 7), int), np.zeros(5, int), weight_bits=4, input_bits=2,
                   activation="linear")
    mapping = Mapping((folding, SerialFolding.of(last, pe=1, simd=4)))
    counts = folding.schedule.counts(layer, np.ones((3, 10), int))
    rows = int(counts.planes_run.sum()) * folding.folds   # of weights that were read
    assert rows == 3 * 7 * 4 * 3
    first, scores = events(mapping, 3, loads=2)
    assert first == Events(
        weight_bits=rows * 4, xnors=rows * 4 * 3, counts=rows, additions=rows,
        addition_bits=rows * layer.acc_bits, comparisons=0,
        # In, round for each of 4 groups' planes, and out as 8 neurons.
        hops=3 * (3 * 12 * (1 + 4 * 4) + 8 * 2), writes=2 * 7 * 4 * 3 * 4)
    assert scores.comparisons == 3 * 5 and scores.xnors == 3 * 5 * 4 * 2 * 4 * 2
    assert events(Mapping((replace(folding, storage="logic"), mapping.layers[1])), 0,
                  loads=1)[0].writes == 0

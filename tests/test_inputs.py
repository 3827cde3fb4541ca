"""What the command refuses: each with exit code 2 and one line."""

import os
import re
import pickle
import zipfile

import numpy as np
import pytest

from boards import catalog

from .commandline import drawing_network, random_network, without


def rewrite(path, **changes):
    """Change arrays of a network file; None takes one out."""
    with np.load(path) as file:
        arrays = dict(file)
    arrays |= {name.replace("_", "."): array for name, array in changes.items()}
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})


@pytest.mark.parametrize("command", [
    "eval", "simulate", "sensitivity", "verilog", "build -b icebreaker", "flash -b icebreaker",
    "run -b icebreaker --port gone"])
def test_missing_network(ohmbit_, command):
    assert ohmbit_(*command.split(), "gone.npz").refusal.startswith("gone.npz: no such file")
    assert os.listdir() == []


def damaged(kind, path):
    if kind == "truncated":
        path.write_bytes(path.read_bytes()[:-100])
    elif kind == "text":
        path.write_text("not a network")
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "foreign arrays":
        np.savez(path, x=np.zeros(3))
    elif kind == "foreign archive":
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("readme.txt", "hello")
    elif kind == "pickle":
        path.write_bytes(pickle.dumps({"weights": [1, 2]}))
    elif kind == "pickles inside":
        rewrite(path, scores_gain=np.array([{"a": 1}], dtype=object))


@pytest.mark.parametrize("kind", ["truncated", "text", "empty", "foreign arrays", "foreign archive",
                                  "pickle", "pickles inside"])
def test_damaged_network(ohmbit_, network, kind):
    damaged(kind, network)
    refusal = ohmbit_("eval", network).refusal
    assert refusal.startswith("net.npz: not a network")
    assert kind != "pickles inside" or "pickled objects, which are never loaded" in refusal


@pytest.mark.parametrize("changes, said", [
    ({"layer1_weights": np.zeros((10, 2), dtype="<u8")}, "weights of 10 x 12 cells"),
    ({"layer1_weights": None}, "layer1.weights"),
    ({"layer0_thresholds": np.zeros(12)}, "Thresholds must be integers, not float64"),
    ({"layer0_thresholds": np.full(12, 10_000)}, "Thresholds must be between -1984 and 1985"),
    ({"layer0_thresholds": np.zeros(11, dtype=int)}, "Thresholds must be one per output (12)"),
])
def test_network_that_cannot_be(ohmbit_, network, changes, said):
    rewrite(network, **changes)
    refusal = ohmbit_("simulate", network).refusal
    assert refusal.startswith("net.npz: ") and said in refusal


@pytest.mark.parametrize("images, said", [
    (np.zeros((5, 8, 7), dtype=np.uint8), "takes 64 pixels, and an image has 56"),
    (np.full((5, 8, 8), 200, dtype=np.uint8), "Pixels must be between 0 and 31, not 200 to 200"),
    (np.zeros((5, 8, 8)), "must be integers, not float64"),
])
def test_images_that_do_not_go_with_the_network(ohmbit_, network, images, said):
    np.savez("images.npz", x_test=images, y_test=np.zeros(len(images), dtype=int))
    for command in ("eval", "simulate"):
        refusal = ohmbit_(command, network, "--dataset", "images.npz").refusal
        assert "images.npz" in refusal and said in refusal


def test_dataset_that_is_not_there(ohmbit_, network):
    assert "nonsense: no such dataset" in ohmbit_("train", "nonsense").refusal
    assert "gone.npz: no such file" in ohmbit_("train", "gone.npz").refusal
    assert "gone.npz: no such file" in ohmbit_("eval", network, "--dataset", "gone.npz").refusal
    random_network(64, 12, 10, dataset="").save(network)
    assert "name one with --dataset" in ohmbit_("eval", network).refusal


def test_more_images_than_there_are(ohmbit_, network):
    assert "digits has 360 test images, not 361" in \
        ohmbit_("simulate", network, "--images", "361").refusal


@pytest.mark.parametrize("board, said", [
    ("nonsense", "there are icebreaker"), ("ulx3s", "several sizes: ulx3s-12f, ulx3s-25f, "),
    ("gone.py:Mine", "no board file")])
def test_unknown_board(ohmbit_, network, board, said):
    for command in ("build", "simulate", "verilog", "flash"):
        assert said in ohmbit_(command, network, "--board", board).refusal


def test_network_too_large_for_a_board(ohmbit_):
    random_network(784, 1600, 10, bits=1).save("large.npz")
    refusal = ohmbit_("build", "large.npz", "-b", "icebreaker").refusal
    assert refusal.startswith("large.npz (784-1600-10) is too large for icebreaker: it takes about")
    assert " of 30 block RAMs (" in refusal and " too many); ulx3s-45f or ulx3s-85f or " in refusal
    assert os.listdir() == ["large.npz"]


def test_mapping_too_large_for_a_board(ohmbit_, network):
    refusal = ohmbit_("build", network, "-b", "icebreaker", "--pe", "12", "--simd", "64").refusal
    assert " of 30 block RAMs (" in refusal
    assert re.search(r"ask for less parallelism, such as PE x SIMD \d+ x \d+, 1 x \d+; or "
                     "ulx3s-12f or ulx3s-25f or 10 others would do", refusal)


def test_mapping_that_takes_more_sprams_than_there_are(ohmbit_, network):
    options = ["--pe", "4,2", "--simd", "16,6", "--storage", "spram"]
    refusal = ohmbit_("build", network, "-b", "icebreaker", *options).refusal
    assert "it takes about 5 of 4 SPRAMs (1 too many); ask for less parallelism, such as" in refusal


def test_network_too_large_for_every_board(ohmbit_, monkeypatch):
    random_network(784, 1600, 10, bits=1).save("large.npz")
    monkeypatch.setattr(catalog, "BOARDS", {"icebreaker": catalog.find("icebreaker")})
    assert "no board here is large enough" in \
        ohmbit_("build", "large.npz", "-b", "icebreaker").refusal


@pytest.mark.parametrize("options, said", [
    (["--pe", "4"], "--pe and --simd go together"),
    (["--simd", "4"], "--pe and --simd go together"),
    (["--pe", "4", "--simd", "4", "--target-cycles", "9"], "either it or them"),
    (["--pe", "4,1,1", "--simd", "4"], "--pe takes one value for all layers, or one for each of "
                                       "the 2, not 3: 4,1,1"),
    (["--pe", "4,x", "--simd", "4"], "--pe takes numbers from 1 on, such as 4 or 4,1, not '4,x'"),
    (["--pe", "4", "--simd", "0"], "--simd takes numbers from 1 on, such as 4 or 4,1, not '0'"),
    (["--pe", "13,1", "--simd", "4"], "mapping: PE must be between 1 and 12, not 13"),
    (["--pe", "1,4", "--simd", "4"], "mapping: PE of the last layer must be at most 3 with SIMD 4, "
                                     "not 4"),
    (["--storage", "spram"], "--storage goes with --pe and --simd"),
    (["--pe", "4", "--simd", "4", "--storage", "tape"],
     "--storage takes one of block, distributed, spram, wide, or a list of them, not 'tape'"),
    (["--pe", "4", "--simd", "4", "--storage", "spram,block,block"],
     "--storage takes one value for all layers, or one for each of the 2, not 3: spram,block,bl"),
    (["--pe", "4,1", "--simd", "17,3", "--storage", "spram,block"],
     "mapping: Rows in SPRAM must be at most 64 bits, which 4 blocks read in a cycle, not 68"),
    (["--pe", "4", "--simd", "4", "--storage", "wide"],
     "--storage wide is for an ECP5, and icebreaker has none: choose block, or such a board"),
    (["--pe", "4", "--simd", "4", "--storage", "spram", "-b", "ulx3s-25f"],
     "--storage spram is for an iCE40 UP5K, and ulx3s-25f has none: choose another storage"),
    (["--engine", "amaranth", "--jobs", "2"], "amaranth runs in one process: leave out --jobs, or "
                                              "choose one of verilator, verilator-rtl, netlist"),
    (["--target-cycles", "5"], "cycles an image at least on icebreaker, not 5")])
def test_mapping_that_cannot_be(ohmbit_, network, options, said):
    assert said in ohmbit_("simulate", network, *options).refusal


@pytest.mark.parametrize("options, said", [
    (["--hidden", "many"], "--hidden takes numbers of neurons"), (["--hidden", "9,0"], "--hidden"),
    (["--encoder", "threshold"], "bitserial, threshold:LEVEL or stochastic"),
    (["--encoder", "threshold:99"], "Level must be between 1 and 31, not 99"),
    (["--input", "stochastic"], "Bits of a pixel must be 8 where bits are drawn, not 5: scale"),
    (["--samples", "4"], "--samples is for --encoder stochastic, not bitserial"),
    (["--encoder", "threshold:9", "--lfsr-seed", "4"], "--lfsr-seed is for --encoder stochastic"),
    (["--weights", "17"], "--weight-bits takes 2 to 16, not 17; leave it out for binary weights"),
    (["--weight-bits", "1"], "--weight-bits takes 2 to 16, not 1; leave it out for binary weights"),
    (["--weights", "8", "--encoder", "threshold:9"],
     "--weight-bits is for --encoder bitserial, as such weights take whole pixels, not threshold"),
    (["--activation", "relu"], "--activation relu is for weights of several bits: add "),
    (["--activation", "tanh"], "--activation takes sign or relu, not 'tanh'"),
    (["--activations", "4"], "--activation-bits is for --activation relu, not sign"),
    (["--weights", "8", "--activations", "4"], "--activation-bits is for --activation relu, not"),
    (["--weights", "8", "--activation", "relu", "--activations", "9"],
     "--activation-bits takes 1 to 8, not 9")])
def test_training_that_cannot_be(ohmbit_, options, said):
    assert said in ohmbit_("train", "digits", *options).refusal


def test_weights_of_several_bits_do_not_take_drawn_bits(ohmbit_, tmp_path):
    images = np.full((4, 6), 255)
    np.savez(tmp_path / "mine.npz", x_train=images, y_train=[0, 1, 0, 1], x_test=images,
             y_test=[0, 1, 0, 1])
    outcome = ohmbit_("train", "mine.npz", "--input", "stochastic", "--weight-bits", "8")
    assert outcome.refusal.startswith("--weight-bits is for --encoder bitserial")


@pytest.mark.parametrize("options, said", [
    (["--samples", "0"], "Samples must be a power of two from 1 to 256, not 0"),
    (["--samples", "6"], "Samples must be a power of two from 1 to 256, not 6"),
    (["--generator", "dice"], "Generator must be one of lfsr, lfsr-rotate, lfsr-bank, vdc, "),
    (["--lfsr-seed", "0"], "Seed of an LFSR must be between 1 and 65535, not 0"),
    (["--combine", "votes"], "Samples are combined by layer or scores, not 'votes'"),
    (["--bank", "300"], "LFSRs of a bank must be between 1 and 256, not 300")])
def test_what_cannot_draw_bits(ohmbit_, tmp_path, options, said):
    images = np.full((4, 6), 255)
    np.savez(tmp_path / "mine.npz", x_train=images, y_train=[0, 1, 0, 1], x_test=images,
             y_test=[0, 1, 0, 1])
    outcome = ohmbit_("train", str(tmp_path / "mine.npz"), "--encoder", "stochastic", *options)
    assert outcome.refusal.startswith("--encoder stochastic: ") and said in outcome.refusal


@pytest.mark.parametrize("command", [["simulate"], ["eval"], ["cost"],
                                     ["run", "--board", "icebreaker", "--port", "x"]])
@pytest.mark.parametrize("samples, said", [
    ("8", "Samples must be at most 4, for which this is built, not 8"),
    ("3", "Samples must be a power of two from 1 to 256, not 3"),
    ("0", "Samples must be a power of two from 1 to 256, not 0")])
def test_samples_that_cannot_be_drawn(ohmbit_, network, command, samples, said):
    drawing_network(64, 4, 3, samples=4).save("drawn.npz")
    name, *options = command
    assert ohmbit_(name, "drawn.npz", *options, "--samples", samples).refusal \
        == f"--samples: {said}"
    assert ohmbit_(name, network, *options, "--samples", "1").refusal \
        == "--samples: Samples can be chosen where bits are drawn of pixels, not for BitSerial"


@pytest.mark.parametrize("output, said", [(".", ". is a folder"),
                                          ("net.npz/new.npz", "choose another folder than ")])
def test_output_that_cannot_be_written(ohmbit_, network, output, said):
    assert said in ohmbit_("train", "digits", "-o", output).refusal


def test_dataset_without_training_images(ohmbit_):
    np.savez("images.npz", x_test=np.zeros((5, 4), dtype=np.uint8), y_test=np.arange(5))
    assert "no training images" in ohmbit_("train", "images.npz").refusal


@pytest.mark.parametrize("tool, command", [
    ("yosys", "verilog"), ("yosys", "build -b icebreaker"),
    ("nextpnr-ice40", "build -b icebreaker"), ("verilator", "simulate --engine verilator")])
def test_missing_tool(ohmbit_, network, monkeypatch, tool, command):
    without(monkeypatch, tool)
    refusal = ohmbit_(*command.split(), network).refusal
    assert refusal.startswith(f"{tool} is not here, and is needed for ")
    assert "pip install 'ohmbit[" in refusal


def test_no_compiler(ohmbit_, network, monkeypatch):
    without(monkeypatch, "c++")
    assert "choose the slow simulator: --engine amaranth" in \
        ohmbit_("simulate", network, "--engine", "verilator").refusal


@pytest.mark.parametrize("engine", ["icarus", "bitstream"])
def test_engine_that_records_no_waveforms(ohmbit_, network, engine):
    assert ohmbit_("simulate", network, "--engine", engine, "--vcd", "wave.vcd").refusal == \
        f"{engine} records no waveforms: leave out --vcd, or choose one of amaranth, verilator, " \
        "verilator-rtl, netlist"

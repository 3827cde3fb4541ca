"""The test bench that goes with emitted Verilog: what it passes, and what it does not."""

import os
import pathlib
import re
import shutil
import subprocess

import numpy as np
import pytest

from gateware import compiler
from gateware.mapping import uniform
from model.compend import Compend
from model.dense import Dense
from model.encoder import BitSerial, Threshold
from model.network import Network
from model.scores import Scores
from sim import tools
from sim.vectors import boundary
from sim.verilog import to_rtlil, to_verilog
from sim.verilog_bench import verilog_bench

from .commandline import random_network


pytestmark = pytest.mark.skipif(
    any(tools.find(name) is None for name in ("iverilog", "vvp", "yosys")),
    reason="Icarus Verilog and Yosys: apt install iverilog, pip install 'ohmbit[verilog]'")

# Yosys may live in a sandbox that knows nothing outside of here.
BUILD = pathlib.Path(__file__).parent.parent / "build" / "test-verilog-bench"


def simulate(folder):
    """What the bench says and ends with, run as its first lines say."""
    subprocess.run("iverilog -g2012 -o sim *.v", shell=True, cwd=folder, check=True)
    done = subprocess.run(["vvp", "sim"], cwd=folder, capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout + done.stderr


def emit(network, folder, *, empty=False, pe=3, simd=5, images=6, batch=1):
    """All that `ohmbit verilog` writes for a network, but for the page."""
    mapping = uniform(network.shape, pe=pe, simd=simd, batch=batch)
    image = compiler.image(network, mapping)
    accelerator = compiler.compile(network.shape, mapping, image=None if empty else image)
    work = BUILD / f"{folder.name}-{os.getpid()}"
    work.mkdir(parents=True, exist_ok=True)
    to_verilog(to_rtlil(accelerator, "net"), work / "net.v")
    folder.mkdir(exist_ok=True)
    shutil.move(work / "net.v", folder / "net.v")
    shutil.rmtree(work)
    pixels = np.random.default_rng(0).integers(
        0, 2 ** network.encoder.bits, (images, network.inputs))
    if not network.shape.serial:
        pixels = np.concatenate([pixels, boundary(network, pixels)])
    files = verilog_bench("net", accelerator, network, pixels, source="random", empty=empty)
    files |= {f"net.{name}.hex": "".join(f"{row:x}\n" for row in rows)
              for name, rows in image.items()}
    for name, text in files.items():
        (folder / name).write_text(text)


def on_thresholds(network, level):
    """The network on one bit of each pixel, and with a multiplier."""
    rng = np.random.default_rng(0)
    first, *others = network.layers
    first = Dense(first.weights, rng.integers(-3, 4, first.outputs))
    scores = Scores(network.scores.weights, rng.integers(-900, 900, network.classes),
                    network.scores.bias)
    return Network(Threshold(level, bits=5), (first, *others), scores)


@pytest.fixture(scope="module", params=[False, True], ids=["full", "empty"])
def emitted(request, tmp_path_factory):
    """A folder with a network, once for all tests, and whether its memories are empty."""
    folder = tmp_path_factory.mktemp("emitted") / ("empty" if request.param else "full")
    network = random_network(17, 11, 7, 4) if not request.param else \
        on_thresholds(random_network(17, 11, 4), level=9)
    emit(network, folder, empty=request.param)
    return folder, request.param


@pytest.fixture
def folder(emitted, tmp_path):
    """A copy of these files, to change."""
    shutil.copytree(emitted[0], tmp_path / "out")
    return tmp_path / "out"


def change(path, pattern, replacement, count=1):
    text, changes = re.subn(pattern, replacement, path.read_text(), count=count, flags=re.M)
    assert changes, pattern
    path.write_text(text)


def test_passes(folder):
    code, said = simulate(folder)
    assert code == 0 and said.startswith("PASS: ") and said.count("\n") == 1
    # The other way that people would type.
    subprocess.run("iverilog -g2012 *.v", shell=True, cwd=folder, check=True)
    assert subprocess.run(["./a.out"], cwd=folder, capture_output=True).returncode == 0


@pytest.mark.parametrize("empty", [False, True])
def test_passes_where_neurons_end_early(tmp_path, empty):
    rng = np.random.default_rng(0)
    relu = Compend(rng.integers(-7, 9, (9, 17)), rng.integers(-90, 90, 9), weight_bits=4,
                   input_bits=5, output_bits=3, shifts=np.full(9, 4), detection="speculative")
    last = Compend(rng.integers(-7, 9, (5, 9)), np.zeros(5, int), weight_bits=4, input_bits=3,
                   activation="linear")
    emit(Network(BitSerial(5), (relu,), last), tmp_path / "out", empty=empty, images=9)
    code, said = simulate(tmp_path / "out")
    assert code == 0 and said.startswith("PASS: 9 images with stalls and at full speed, ")
    # One cycle more or fewer than predicted is told of.
    path = tmp_path / "out" / "net_tb.v"
    cycles = re.search(r", (\d+) cycles; ", said)[1]
    change(path, rf"\b{cycles}\b", str(int(cycles) + 1), count=0)
    code, said = simulate(tmp_path / "out")
    assert code != 0 and "FAIL" in said


@pytest.mark.parametrize("memory", ["layer0.weights", "layer0.thresholds", "scores.affine"])
def test_a_wrong_bit_in_a_file(folder, memory):
    path = folder / f"net.{memory}.hex"
    rows = path.read_text().split()
    rows[1] = f"{int(rows[1], 16) ^ 4:x}"
    path.write_text("\n".join(rows))
    code, said = simulate(folder)
    assert code != 0 and f"FAIL: net.{memory}.hex is another" in said and "PASS" not in said


def flip_in_memory(path, module, row):
    """Flip a bit in the first memory of a module."""
    text = path.read_text()
    start = text.index(f"module \\{module} ")
    place = re.compile(rf"cells_0\[{row}\] = (\d+)'[hd](\w+);")
    match = place.search(text, start)
    base = 16 if "'h" in match[0] else 10
    path.write_text(text[:match.start()] + f"cells_0[{row}] = {match[1]}'d"
                    f"{int(match[2], base) ^ 2};" + text[match.end():])


def test_a_wrong_bit_in_the_accelerator(folder, emitted):
    flip_in_memory(folder / "net.v", "net.layer_0.accumulate.crossbar.weights", 2)
    code, said = simulate(folder)
    if emitted[1]:   # written over
        assert code == 0
    else:
        assert code != 0
        assert "FAIL: layer0.weights, row 2, bits 0 and up: expected " in said


@pytest.mark.parametrize("flip, said", [
    (1 << 2, r"FAIL: image 3, score of class 0: expected -?\d+, got -?\d+, in cycle \d+"),
    (None, r"FAIL: image 3, class 0: expected last = 1, got 0, in cycle \d+")])
def test_a_wrong_score(folder, flip, said):
    path = folder / "net.scores.hex"
    words = path.read_text().split()
    width = 4 * len(words[0])
    top = int(words[3], 16).bit_length() - 1   # of the last word of an image: `last`
    assert top < width
    words[12] = f"{int(words[12], 16) ^ (flip or 1 << top):x}"
    path.write_text("\n".join(words))
    code, answer = simulate(folder)
    assert code != 0 and re.search(said, answer), answer


def test_a_wrong_class(folder):
    path = folder / "net.scores.hex"
    words = path.read_text().split()
    top = int(words[3], 16).bit_length() - 1
    words[7] = f"{int(words[7], 16) ^ 1 << top - 1:x}"
    path.write_text("\n".join(words))
    code, said = simulate(folder)
    assert code != 0 and re.search(r"FAIL: image 1, best class: expected \d, got \d", said), said


@pytest.mark.parametrize("name", ["images", "scores"])
def test_a_file_cut_short(folder, name):
    path = folder / f"net.{name}.hex"
    path.write_text("\n".join(path.read_text().split()[:-1]))
    code, said = simulate(folder)
    assert code != 0 and "FAIL" in said


@pytest.mark.parametrize("emitted", [False], ids=["full"], indirect=True)
@pytest.mark.parametrize("pattern, replacement", [
    (r"^(module \\net\.layer_0\.accumulate\.crossbar\.popcount_0 (?:.*\n)*?.* )\+( .*;)$",
     r"\1-\2"),
    (r"^(module \\net\.layer_0 (?:.*\n)*?.* )>=( .*;)$", r"\1>\2"),
    (r"^(module \\net\.scores (?:.*\n)*?.* )>( .*;)$", r"\1<\2")])
def test_another_operator(folder, pattern, replacement):
    change(folder / "net.v", pattern, replacement)
    code, said = simulate(folder)
    assert code != 0 and "FAIL: image " in said


FAULTS = {
    "payload": ("assign o__payload = inner_payload ^ (o__valid & ~o__ready & count[2]);",
                "FAIL: cycle \\d+: a score was offered, and changed or withdrawn"),
    "withdrawn": ("reg gone = 0; always @(posedge clk) gone <= o__valid & ~o__ready; "
                  "assign o__valid = inner_valid & ~gone; "
                  "assign inner_o_ready = o__ready & ~gone;",
                  "FAIL: cycle \\d+: a score was offered, and changed or withdrawn"),
    "unknown": ("assign i__ready = count == 30 ? 1'bx : inner_ready;",
                "FAIL: cycle \\d+: i__ready, o__valid, bus__r_valid, loaded are x"),
    "late": ("reg late = 0; always @(posedge clk) late <= inner_valid & ~(o__valid & o__ready); "
             "assign o__valid = inner_valid & late; assign inner_o_ready = o__ready & o__valid;",
             "at full speed: expected \\d+ cycles, got \\d+"),
    "stuck": ("assign i__ready = inner_ready & count < 300; "
              "assign inner_i_valid = i__valid & count < 300;",
              "FAIL: \\d+ of \\d+ words taken and \\d+ of \\d+ scores given after \\d+ cycles"),
    "more": ("reg [15:0] given = 0; "
             "always @(posedge clk) given <= given + (inner_valid & o__ready); "
             "assign o__valid = inner_valid | given == LINES;",
             "a score more than there should be"),
    "loaded": ("assign loaded = 0;", "FAIL: cycle \\d+: loaded is low"),
    "register": ("assign bus__r_data = inner_r_data ^ (bus__addr == NETWORK - 1);",
                 "FAIL: register loaded: expected 00000001, got 00000000, in cycle"),
    "network": ("assign bus__r_data = inner_r_data ^ (bus__addr == NETWORK) << 31;",
                "FAIL: register network: expected [0-9a-f]{8}, got [0-9a-f]{8}, in cycle"),
}


@pytest.mark.parametrize("emitted", [True], ids=["empty"], indirect=True)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_at_the_ports(folder, fault):
    """A module around the accelerator, with its name and its ports, does one thing wrong."""
    text = (folder / "net.v").read_text()
    start = text.index("module net(")
    header = text[start:text.index("endmodule", start)]
    ports = re.search(r"^module net\((.*?)\);$", header, re.M)[1].split(", ")
    kinds = {name: (kind, width) for kind, width, name in re.findall(
        r"^  (input|output) (\[\d+:0\] |)(\w+);$", header, re.M)}
    wires = {"o__payload": "inner_payload", "o__valid": "inner_valid", "i__ready": "inner_ready",
             "loaded": "inner_loaded", "bus__r_data": "inner_r_data", "i__valid": "inner_i_valid",
             "o__ready": "inner_o_ready"}
    wrong, said = FAULTS[fault]
    lines = (folder / "net.scores.hex").read_text().count("\n")
    network = re.search(r"write_word\((\d+), 32'h", (folder / "net_tb.v").read_text())[1]
    wrong = wrong.replace("LINES", str(lines)).replace("NETWORK", network)
    declared = "".join(f"{kind} {width}{port};\n" for port, (kind, width) in kinds.items())
    joined = ", ".join(f".{port}({wires.get(port, port)})" for port in ports)
    ways = [(port, wire) if kinds[port][0] == "output" else (wire, port)
            for port, wire in wires.items()]
    right = "".join(f"assign {to} = {source};\n" for to, source in ways
                    if f"assign {to} =" not in wrong)
    (folder / "net.v").write_text(text.replace("module net(", "module net_inner(") + f"""
module net({", ".join(ports)});
{declared}wire {kinds["o__payload"][1]}inner_payload;
wire [31:0] inner_r_data;
wire inner_valid, inner_ready, inner_loaded, inner_i_valid, inner_o_ready;
reg [15:0] count = 0;
always @(posedge clk) count <= count + 1;
{right}{wrong}
net_inner inner({joined});
endmodule
""")
    code, answer = simulate(folder)
    assert code != 0 and re.search(said, answer), answer


def test_random_images_where_there_is_no_dataset(ohmbit_):
    random_network(20, 4, 3, dataset="").save("net.npz")
    options = ["--pe", "2", "--simd", "3", "--images", "3", "-o", "out"]
    outcome = ohmbit_("verilog", "net.npz", *options)
    assert "test bench: 3 random images, as no dataset is named; " in outcome.out
    assert outcome.code == 0
    code, said = simulate(pathlib.Path("out"))
    assert code == 0 and said.startswith("PASS: ")


def test_spram_is_left_to_the_host(ohmbit_):
    random_network(20, 4, 3, dataset="").save("net.npz")
    options = ["--pe", "2", "--simd", "9", "--storage", "spram,block", "-o", "out"]
    outcome = ohmbit_("verilog", "net.npz", *options)
    assert "SPRAM has no contents at power-up: all memories are left to the host" in outcome.out
    code, said = simulate(pathlib.Path("out"))
    assert code == 0 and said.startswith("PASS: ")


def test_a_dataset_that_is_asked_for_must_be_there(ohmbit_, network):
    assert "no such dataset" in ohmbit_("verilog", network, "--dataset", "nonsense").refusal
    assert os.listdir() == ["net.npz"]


@pytest.mark.slow
@pytest.mark.parametrize("encoder, sizes, pe, simd, empty, batch", [
    ("bitserial", (64, 32, 16, 10), 7, 11, True, 1),
    ("threshold", (64, 32, 16, 10), 7, 11, False, 1), ("bitserial", (30, 10), 4, 30, False, 1),
    ("bitserial", (5, 3, 1), 1, 1, True, 1), ("threshold", (9, 40, 3), 40, 2, True, 1),
    # Images at once: more than come, and fewer.
    ("threshold", (24, 9, 3), 1, 2, True, 5), ("bitserial", (9, 6, 3), 1, 2, False, 2)])
def test_other_sizes(tmp_path, encoder, sizes, pe, simd, empty, batch):
    network = random_network(*sizes)
    if encoder == "threshold":
        network = on_thresholds(network, level=16)
    emit(network, tmp_path / "out", empty=empty, pe=pe, simd=simd, batch=batch)
    code, said = simulate(tmp_path / "out")
    assert code == 0 and said.startswith("PASS: "), said

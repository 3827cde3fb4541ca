"""Verilog that was written, and the page that describes it."""

import pathlib
import re

import pytest

from gateware import compiler
from gateware.control import network_id
from gateware.mapping import uniform
from gateware.plan import Plan
from model.network import Network
from sim import tools

from .commandline import call, drawing_network, few_network, random_network


@pytest.mark.skipif(tools.find("yosys") is None,
                    reason="yosys writes Verilog: pip install 'ohmbit[verilog]'")
@pytest.mark.parametrize("empty", [False, True])
def test_verilog(capsys, tmp_path, monkeypatch, empty):
    monkeypatch.chdir(tmp_path)
    random_network(64, 12, 10).save(network := pathlib.Path("9 lives.npz"))
    options = ["--pe", "3", "--simd", "5", *["--empty"] * empty]
    files = call(capsys, "verilog", network, "-o", "out", "--json", *options).json["files"]
    assert sorted(files) == sorted(map(str, pathlib.Path("out").iterdir()))
    text = pathlib.Path("out/net_9_lives.v").read_text()
    page = pathlib.Path("out/net_9_lives.md").read_text()
    header = re.search(r"^module net_9_lives\((.*?)\);$", text, re.M)[1]
    ports = set(re.findall(r"^\| `(\w+)` \| (?:input|output) \|", page, re.M))
    assert ports == set(header.split(", "))
    for direction, width, port in re.findall(r"^  (input|output) (?:\[(\d+):0\] )?(\w+);$",
                                             text[:text.index("endmodule")], re.M):
        assert f"| `{port}` | {direction} | {int(width or 0) + 1} |" in page
    image = compiler.image(net := Network.load(network), mapping := uniform(
        net.shape, pe=3, simd=5))
    for name, rows in image.items():
        lines = pathlib.Path(f"out/net_9_lives.{name}.hex").read_text().split()
        assert [int(line, 16) for line in lines] == rows and f"| `{name}` |" in page
    assert f"| {mapping.cycles_per_image} cycles an image |" in page
    assert ("empty at power-up" in page) == empty
    # Both registers lie behind the memories.
    control = Plan(net.shape, mapping).control_address
    number = 0 if empty else network_id(image)
    assert f"| `loaded` | {control:#x} | bit 0" in page
    assert re.search(rf"^\| `network` \| {control + 1:#x} \| .*, {number:#x} at power-up \|$", page,
                     re.M)


@pytest.mark.skipif(tools.find("yosys") is None,
                    reason="yosys writes Verilog: pip install 'ohmbit[verilog]'")
def test_the_page_says_how_many_samples_there_are(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    drawing_network(64, 4, 3, samples=4).save(drawn := pathlib.Path("drawn.npz"))
    random_network(64, 4, 3).save(exact := pathlib.Path("exact.npz"))
    few_network(64, 4, 3).save(few := pathlib.Path("few.npz"))
    for network in (drawn, exact, few):
        call(capsys, "verilog", network, "-o", network.stem, "--images", "1")
    said = "`samples` holds how many bits are drawn of each pixel: a power of two up to 4; "
    assert said in pathlib.Path("drawn/drawn.md").read_text()
    assert pathlib.Path("drawn/drawn.samples.hex").read_text() == "4\n"
    page = pathlib.Path("exact/exact.md").read_text()
    assert "samples" not in page and "table" not in page
    page = pathlib.Path("few/few.md").read_text()
    table = ", ".join(map(str, Network.load(few).encoder.table))
    assert f"the number that the network's table has for it, of 0 first:\n\n{table}\n" in page
    assert " pixels of 2 bits" in page

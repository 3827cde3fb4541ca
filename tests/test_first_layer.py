# amaranth: UnusedElaboratable=no

"""What a first layer takes by kind of input, as `bench.first_layer` measures it."""

import json
import pathlib

import pytest
from amaranth import Fragment, Instance, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bench import first_layer, sizes
from bench.first_layer import (
    AREA,
    ENERGIES,
    LAYER,
    SHARED,
    Figure,
    events,
    main,
    measure,
    mixes,
    table,
)
from bench.fixed_point import FixedPoint
from bench.neuron import Neuron
from bench.sizes import Size, size
from gateware.folding import Folding
from model.encoder import BitSerial
from model.errors import CheckFailed
from model.stochastic import Stochastic
from ohmbit import energy
from sim import tools


needs_yosys = pytest.mark.skipif(tools.find("yosys") is None,
                                 reason="Yosys: pip install 'ohmbit[verilog]'")

SMALL = ["--lanes", "4", "--inputs", "10", "--samples", "2", "--generators", "vdc"]


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("netlists")


@pytest.fixture(scope="module")
def small(cache):
    return measure(lanes=4, inputs=10, samples=[2], generators=["vdc"], cache=cache)


@pytest.fixture
def binary(monkeypatch, cache):
    """Transistors of a neuron of one plane, which need not be counted."""
    count = first_layer.size

    def of(component, folder):
        if not isinstance(component, Neuron) or component.folding.planes > 1:
            return count(component, folder)
        Fragment.get(component, None)   # which would be missed
        return Size(300, 0, 0, 0)

    monkeypatch.setattr(first_layer, "size", of)
    return 300


class Parts(wiring.Component):
    """A NAND, a flip-flop, and what there is besides."""

    def __init__(self, *others):
        self.others = others
        super().__init__({"a": In(1), "b": In(1), "nand": Out(1), "q": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.nand.eq(~(self.a & self.b))
        held = Signal(reset_less=True)
        m.d.sync += held.eq(self.a)
        m.d.comb += self.q.eq(held)
        m.submodules += self.others
        return m


@needs_yosys
def test_cells_are_counted(cache):
    assert size(Parts(), cache) == Size(4 + 16, 1, 1, 1)
    with pytest.raises(CheckFailed, match=r"^yosys failed: ERROR: Module `\\MYSTERY' referenced"):
        size(Parts(Instance("MYSTERY", o_a=Signal())), cache)


def test_cells_that_are_not_known_are_not_left_out(monkeypatch, tmp_path):
    (tmp_path / "cells.txt").write_text("        1   $_TBUF_\n       4   $_NAND_\n\n"
                                        "   Estimated number of transistors:       16+\n")
    monkeypatch.setattr(sizes, "keep", lambda folder, make: tmp_path)
    with pytest.raises(CheckFailed, match=r"count all transistors: \$_TBUF_ \$_NAND_ .* 16\+$"):
        size(Parts(), tmp_path)


def test_a_share_is_a_part_of_what_is_shared():
    own, common = Size(100, 10, 20, 30), Size(80, 8, 4, 2)
    assert own.shared(common, 8) == Size(110, 11, 20.5, 30.25)
    assert own.shared(common, 1) == Size(180, 18, 24, 32)
    assert own.shared(None, 8) == own


@needs_yosys
def test_rows_say_what_they_are(small):
    assert [(row["input"], row["generator"], row["samples"], row["exact"], row["cycles"])
            for row in small] == [("fixed point", None, None, True, 3),
                                  *[("stochastic", "vdc", 2, False, 6)] * 3,
                                  *[("bit-serial", None, None, True, 24)] * 3]
    assert [row["sharing"] for row in small] == [None, 1, 8, 300, 1, 8, 300]
    base = small[0]
    assert (base["saved"], base["area_time"]) == (0, 1)
    for row in small[1:]:
        ratio = row["transistors"] / base["transistors"]
        assert row["saved"] == pytest.approx(1 - ratio, abs=1e-4)
        assert row["area_time"] == pytest.approx(ratio * row["cycles"] / 3, abs=1e-3)
    for one, eight, layer in (small[1:4], small[4:]):
        for key in ("transistors", "ice40_luts", "ecp5_luts"):
            encoder = 8 / 7 * (one[key] - eight[key])
            assert encoder > 3
            assert layer[key] == pytest.approx(one[key] - 299 / 300 * encoder, abs=1.6)
        assert one["picojoules"] > eight["picojoules"] > layer["picojoules"] > 0


@needs_yosys
def test_what_four_lanes_take(small):
    """Four pixels of 8 bits take their inversions, two sums of 9 bits and one of 10, and more."""
    base, drawn, planes = (small[n] for n in (0, 3, 6))
    # 10 bits of a word's total and 12 of the sum; 3 and 5 of counts; 3, 10 and 12 of planes.
    assert [row["flip_flops"] for row in (base, drawn, planes)] == [22, 8, 25]
    assert 25 * 36 + 32 * 12 < base["transistors"] < 4_000
    assert drawn["transistors"] < planes["transistors"] < base["transistors"]


@needs_yosys
def test_mixes_save_what_is_claimed(small, cache, binary):
    found = mixes(small, lanes=4, inputs=10, cache=cache)
    by_sharing = {row["sharing"]: row for row in small if row["samples"]}
    assert {mix["sharing"] for mix in found} \
        == {sharing for sharing, row in by_sharing.items() if row["saved"] > AREA} != set()
    base = small[0]["transistors"]
    for mix in found:
        first, others = by_sharing[mix["sharing"]]["transistors"], mix["binary_neurons"] * binary
        assert (first + others) / (base + others) == pytest.approx(1 - AREA, abs=1e-3)
        assert (mix["generator"], mix["samples"]) == ("vdc", 2)


@needs_yosys
def test_what_is_printed(small, cache, binary, capsys):
    arguments = [*SMALL, "--folder", str(cache)]
    assert main([*arguments, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["rows"] == small
    assert answer["mixes"] == mixes(small, lanes=4, inputs=10, cache=cache)
    assert answer["source"]["area"] == 0.62 and "Hirtzlin" in answer["source"]["name"]
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert said.count("bit-serial, exact") == 3 + 2   # beside what was claimed, too
    for row in small[1:]:
        assert f"| {row['transistors']:,} " in said and f"{row['saved']:.1%}" in said
        assert f"| {row['area_time']:.2f} " in said
    ratio = small[0]["picojoules"] / small[3]["picojoules"]
    assert f"stochastic, vdc, T = 2: {ratio:.2f} times" in said


@pytest.mark.parametrize("options, said", [
    (["--lanes", "0"], "lanes must be between 1 and the 784 inputs, not 0"),
    (["--lanes", "785"], "lanes must be between 1 and the 784 inputs, not 785"),
    (["--inputs", "0"], "inputs must be at least 1, not 0"),
    (["--samples", "3"], "Samples must be a power of two from 1 to 256, not 3"),
    (["--samples", "8,0"], "Samples must be a power of two from 1 to 256, not 0"),
    (["--generators", "dice"], "Generator must be one of lfsr, "),
    (["--energy", "gone.toml"], "gone.toml: no such file")])
def test_what_cannot_be_measured(options, said, capsys):
    assert main(options) == 2
    out, err = capsys.readouterr()
    assert not out and err.startswith(said) and err.count("\n") == 1


def test_neurons_share_with_one_at_least():
    with pytest.raises(Exception, match="^neurons that share must be at least 1, not 0$"):
        measure(sharing=(8, 0))


# Energies.

OWN, COMMON = Size(0, 20, 0, 0), Size(0, 3, 0, 0)


def test_events_of_numbers():
    neuron = FixedPoint(inputs=784, lanes=64)
    assert events(neuron, None, Size(0, 32, 0, 0), None, 1) == {
        "xnors": 13 * 512, "addition_bits": 13 * (561 + 18), "comparison_bits": 18,
        "register_bits": 13 * 32, "lfsr_bits": 0, "selections": 0}


@pytest.mark.parametrize("spec, own", [
    (Stochastic(8), {}), (Stochastic(8, generator="vdc-xor"), {}),
    (Stochastic(8, generator="lfsr"), {"lfsr_bits": 104 * (512 + 16) / 10}),
    (Stochastic(8, generator="lfsr-rotate"), {"lfsr_bits": 104 * 16 / 10}),
    (Stochastic(8, generator="lfsr-bank", bank=5), {"lfsr_bits": 104 * (40 + 16) / 10})])
def test_events_of_bits_that_are_drawn(spec, own):
    neuron = Neuron(Folding(784, 1, spec.gains, 1, 64))
    assert events(neuron, spec, OWN, COMMON, 10) == {
        "xnors": 104 * 64, "addition_bits": 104 * (63 + 13),
        "comparison_bits": 13 + 104 * 512 / 10, "register_bits": 104 * 20.3, "lfsr_bits": 0,
        "selections": 0} | own


def test_events_of_planes():
    spec = BitSerial(8)
    neuron = Neuron(Folding(784, 1, spec.gains, 1, 64))
    assert events(neuron, spec, OWN, COMMON, 10) == {
        "xnors": 104 * 64, "addition_bits": 104 * (63 + 14) + 13 * 18, "comparison_bits": 18,
        "register_bits": 104 * 20.3, "lfsr_bits": 0, "selections": 104 * 64 * 7 / 10}


def test_figures_have_sources():
    figures = energy.load(str(ENERGIES), Figure)
    assert {figure.event for figure in figures} == set(Figure.events)
    assert all("Horowitz" in figure.source for figure in figures)


@needs_yosys
def test_energy_is_what_its_events_add_up_to(tmp_path, small, cache):
    path = tmp_path / "table.toml"
    path.write_text("".join(f'[[figure]]\nevent = "{event}"\npicojoules = 1\nper = {per}\n'
                            'source = "a book"\n' for event, per in (
                                ("xnors", 1), ("comparison_bits", 2), ("xnors", 4))))
    rows = measure(lanes=4, inputs=10, samples=[2], generators=["vdc"], cache=cache,
                   energies=str(path))
    assert rows[0]["picojoules"] == 3 * 32 * 1.25 + 12 / 2
    assert rows[2]["picojoules"] == 6 * 4 * 1.25 + (5 + 6 * 32 / 8) / 2
    assert [row["transistors"] for row in rows] == [row["transistors"] for row in small]


# All of it.

@needs_yosys
@pytest.mark.slow
def test_first_layer_of_bits_takes_a_fifth_of_the_area(cache, tmp_path):
    rows = measure(cache=cache)
    base, *others = rows
    shared = {row["generator"] or row["input"]: row for row in others
              if row["sharing"] == SHARED}
    assert list(shared) == ["lfsr", "vdc", "vdc-xor", "bit-serial"]
    for row in shared.values():
        assert row["saved"] >= 0.8
        assert row["cycles"] == 8 * base["cycles"]
        assert row["area_time"] > 1   # what is saved is paid for in time
    assert shared["bit-serial"]["exact"] and not shared["lfsr"]["exact"]
    assert shared["bit-serial"]["transistors"] < 1.05 * shared["lfsr"]["transistors"]

    # It is what the page has, as printed.
    page = (pathlib.Path(__file__).parent.parent / "docs" / "stochastic.md").read_text()
    for cells in zip(*(column.cells for column in table(rows).columns), strict=True):
        assert f"| {' | '.join(cells)} |\n" in page

    # The ratio that is claimed hardly hangs on what was not published.
    path = tmp_path / "table.toml"
    text = ENERGIES.read_text()
    path.write_text(text.replace("per = 18", "per = 9").replace("per = 16", "per = 8"))
    assert path.read_text() != text
    changed = measure(cache=cache, energies=str(path))
    for n, row in enumerate(rows):
        if row["sharing"] == LAYER:
            assert changed[0]["picojoules"] / changed[n]["picojoules"] \
                == pytest.approx(base["picojoules"] / row["picojoules"], rel=0.15)

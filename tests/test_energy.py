"""Tables of energies, and the command that says what a network takes."""

import pathlib
import re

import pytest

from boards import catalog
from gateware import cost
from gateware.bounds import bounds
from gateware.events import Events, events, total
from gateware.fit import fit
from gateware.mapping import uniform
from model.errors import InputError
from model.network import Network
from ohmbit import energy
from ohmbit.energy import EVENTS, Figure, estimate, load

from .commandline import random_network


GOOD = 'event = "xnors"\npicojoules = 3\nsource = "a book"\n'


def table(tmp_path, *figures, text=""):
    path = tmp_path / "table.toml"
    path.write_text(text + "".join(f"[[figure]]\n{figure}" for figure in figures))
    return str(path)


# Tables.

@pytest.mark.parametrize("name", energy.TABLES)
def test_tables_that_come_along_have_sources(name):
    figures = load(name)
    assert figures and all(len(figure.source) > 20 for figure in figures)
    assert {figure.event for figure in figures} >= {"xnors", "hops"}


def test_a_table_is_what_it_says(tmp_path):
    more = 'event = "hops"\npicojoules = 0.5\nper = 32\nsource = "another"\n'
    assert load(table(tmp_path, GOOD, more)) \
        == (Figure("xnors", 3, "a book"), Figure("hops", 0.5, "another", 32))
    assert load(table(tmp_path, text="figure = []\n")) == ()


@pytest.mark.parametrize("figure, said", [
    ('event = "xnors"\npicojoules = 3\n', "figure 2 has no source: every figure needs one"),
    (GOOD.replace("a book", " "), "figure 2: Source must say where the figure is from, not ' '"),
    (GOOD.replace('"a book"', "7"), "figure 2: Source must say where the figure is from, not 7"),
    (GOOD.replace("event", "events"), "figure 2: 'events' means nothing; there are event, pico"),
    (GOOD.replace("xnors", "xnor"), "figure 2: Event must be one of weight_bits, xnors, counts, "),
    (GOOD.replace('"xnors"', "[]"), "figure 2: Event must be one of"),
    (GOOD.replace("3", '"3"'), "figure 2: Picojoules must be a number, not '3'"),
    (GOOD.replace("3", "true"), "figure 2: Picojoules must be a number, not True"),
    (GOOD.replace("3", "-0.1"), "figure 2: Picojoules must be 0 or more, not -0.1"),
    (GOOD.replace("3", "inf"), "figure 2: Picojoules must be 0 or more, not inf"),
    (GOOD.replace("3", "nan"), "figure 2: Picojoules must be 0 or more, not nan"),
    (GOOD + "per = 0\n", "figure 2: Per must be at least 1, not 0"),
    (GOOD + "per = 1.5\n", "figure 2: Per must be an integer, not 1.5"),
    (GOOD + "per = true\n", "figure 2: Per must be an integer, not True"),
    (GOOD + "[other]\n", "has a [[figure]] for each and nothing else"),
    ("event = \n", "not a TOML file: "),
])
def test_a_figure_that_cannot_be(tmp_path, figure, said):
    path = table(tmp_path, GOOD, figure)
    with pytest.raises(InputError) as caught:
        load(path)
    assert str(caught.value).startswith(path) and said in str(caught.value)


@pytest.mark.parametrize("text", ["", "figure = 3", "figure = [3]", "[figure]\nevent = 'xnors'"])
def test_a_table_without_figures(tmp_path, text):
    with pytest.raises(InputError, match="has a .*figure.* for each and nothing else"):
        load(table(tmp_path, text=text))


def test_events_of_another_kind(tmp_path):
    class Other(Figure):
        events = "sparks",

    path = table(tmp_path, GOOD.replace("xnors", "sparks"))
    assert load(path, Other) == (Other("sparks", 3, "a book"),)
    with pytest.raises(InputError, match="Event must be one of weight_bits, .*, not 'sparks'$"):
        load(path)
    with pytest.raises(InputError, match="Event must be one of sparks, not 'xnors'$"):
        load(table(tmp_path, GOOD), Other)


def test_files_that_are_no_tables(tmp_path):
    with pytest.raises(InputError, match="^gone.toml: no such file; name a .* of asic, rram$"):
        load("gone.toml")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not a TOML file"):
        load(str(tmp_path / "binary"))


# Estimates.

def test_an_estimate_adds_up_by_event():
    counted = Events(*range(10, 90, 10))   # 10 weight bits, 20 XNORs, …, 80 writes
    figures = Figure("hops", 3, "a"), Figure("xnors", 2, "b", 16), Figure("hops", 1, "c", 2)
    found = estimate(figures, counted, 1_000)
    assert found.picojoules == {"xnors": 2.5, "hops": 70 * 3.5}
    assert list(found.picojoules) == ["xnors", "hops"]
    assert found.total == 247.5 and found.tops_per_watt == 1_000 / 247.5
    assert found.without == ("weight_bits", "counts", "additions", "addition_bits", "comparisons",
                             "writes")


def test_what_did_not_happen_needs_no_figure():
    found = estimate((), Events(*[0] * 7, 1), 10)
    assert found.without == ("writes",) and found.total == 0 and found.tops_per_watt is None


# The command.

def test_cost_is_what_the_parts_of_it_say(ohmbit_, network):
    outcome = ohmbit_("cost", network, "--board", "ulx3s-25f", "--json")
    net, board = Network.load(network), catalog.find("ulx3s-25f")
    mapping = fit(net.shape, board.resources)
    timing, need = cost.timing(mapping, 1), cost.estimate(mapping, board.resources)
    limits, answer = bounds(mapping, board.resources), outcome.json
    assert outcome.code == 0
    assert answer["board"] == "ulx3s-25f" and answer["fits"] is True
    assert (answer["cycles_per_image"], answer["latency"]) \
        == (timing.cycles_per_image, timing.latency)
    assert answer["inferences_per_second"] \
        == round(float(board.clock_hz) / timing.cycles_per_image, 1)
    assert (answer["luts"], answer["memories"]) == (need.luts, need.memory_blocks)
    assert (answer["luts_available"], answer["memories_available"]) == (24_288, 56)
    assert answer["bounds"]["by"] == limits.by
    assert answer["bounds"]["share"] == round(limits.cycles / timing.cycles_per_image, 4)
    assert [layer["cycles"] for layer in answer["layers"]] \
        == [layer.interval for layer in mapping.layers]
    assert [layer["events"] for layer in answer["layers"]] \
        == [vars(layer) for layer in events(mapping)]
    assert answer["events"] == vars(total(events(mapping)))
    assert answer["weight_bits_to_write"] == total(events(mapping, 0, loads=1)).writes > 0
    assert "energy_estimate" not in answer
    assert f"{timing.cycles_per_image:,} cycles an image, {timing.latency:,} for one" in outcome.err
    assert f"bound by {limits.by}: reading all 888 weight bits takes" in outcome.err


def test_cost_estimates_energy(ohmbit_, network, tmp_path):
    figures = table(tmp_path, GOOD, 'event = "hops"\npicojoules = 1\nper = 4\nsource = "web"\n')
    outcome = ohmbit_("cost", network, "--pe", "2", "--simd", "4", "--energy", figures, "--json")
    found = outcome.json["energy_estimate"]
    counted = total(events(uniform(Network.load(network).shape, pe=2, simd=4)))
    operations = 2 * (5 * 64 * 12 + 12 * 10)
    assert found["by_event"] == {"xnors": 3 * counted.xnors, "hops": counted.hops / 4}
    assert found["picojoules"] == 3 * counted.xnors + counted.hops / 4
    assert found["operations"] == operations
    assert found["tops_per_watt"] == operations / found["picojoules"]
    assert found["without_figure"] \
        == [name for name in EVENTS if name not in ("xnors", "hops", "writes")]
    assert [figure["source"] for figure in found["figures"]] == ["a book", "web"]
    assert "estimate of the energy of an inference: " in outcome.err
    assert "a book" in outcome.err and "1 pJ for 4" in outcome.err
    assert "no figure for weight bits, counts, additions, addition bits, comparisons" in outcome.err


def test_the_page_on_the_command_has_all_that_it_answers(ohmbit_, network):
    page = (pathlib.Path(__file__).parent.parent / "docs" / "command.md").read_text()
    section = page.partition("\n## cost\n")[2].partition("\n## ")[0]
    answer = ohmbit_("cost", network, "--energy", "asic", "--json").json

    def names(value):
        if isinstance(value, dict):
            yield from value
        for each in value.values() if isinstance(value, dict) else value:
            if isinstance(each, (dict, list)) and each is not answer["energy_estimate"]["figures"]:
                yield from names(each)

    assert set(names(answer)) <= set(re.findall(r"`(\w+)`", section))
    assert set(EVENTS) <= set(names(answer))


def test_cost_of_what_does_not_fit(ohmbit_, tmp_path):
    random_network(784, 1400, 10, bits=1).save("large.npz")
    outcome = ohmbit_("cost", "large.npz", "--json")
    answer = outcome.json
    assert outcome.code == 0 and answer["fits"] is False
    assert answer["bounds"]["by"] == "memory bits"
    assert "block RAMs too many" in outcome.err
    assert "bound by memory bits: 1,111,600 of weights and " in outcome.err


@pytest.mark.parametrize("options, said", [
    (["--energy", "gone.toml"], "gone.toml: no such file"),
    (["--board", "nonsense"], "no board 'nonsense'"),
    (["--pe", "4"], "--pe and --simd go together"),
    (["--target-fps", "9", "--target-cycles", "9"], "say the same: give one of them"),
    (["--target-fps", "9", "--pe", "2", "--simd", "2"], "--target-fps chooses PE and SIMD itself"),
    (["--target-fps", "9000000"], "images a second at most on icebreaker, whose clock is 24 MHz, "
                                  "not 9,000,000: ask for that"),
    (["--target-fps", "99000000"], "images a second at most on icebreaker")])
def test_cost_that_cannot_be(ohmbit_, network, options, said):
    assert said in ohmbit_("cost", network, *options).refusal


@pytest.mark.parametrize("command", ["cost", "simulate", "build", "run", "verilog"])
def test_wishes_are_the_same_everywhere(ohmbit_, network, command):
    board = ["-b", "icebreaker"]
    assert "say the same: give one of them" in ohmbit_(
        command, network, *board, "--target-fps", "9", "--target-cycles", "9").refusal


def test_a_rate_is_a_number_of_cycles(ohmbit_, network):
    clock = float(catalog.find("icebreaker").clock_hz)
    by_rate, by_cycles = (ohmbit_("cost", network, *option, "--json").json for option in (
        ["--target-fps", "30001"], ["--target-cycles", str(int(clock / 30_001))]))
    assert by_rate == by_cycles and by_rate["inferences_per_second"] >= 30_001

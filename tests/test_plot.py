import re
import sys

import matplotlib
import pytest
from PIL import Image

from bench import plot
from model.errors import InputError


SERIES = {"vdc": {1: 79.85, 2: 84.82, 64: 86.9}, "lfsr": {64: 86.6, 1: 78.87, 2: 83.09}}


def lines(path, series=SERIES, **options):
    return plot.lines(path, series, x="samples T", y="%", title="accuracy", **options)


def bars(path, heights=(3, 1, 0, 2), **options):
    return plot.bars(path, [-1, -0.5, 0, 0.5, 1], {"b = 1": heights, "b = 2": [1, 1, 1, 1]},
                     x="weight", y="weights", title="where they are", **options)


def groups(path, heights=(100.0, 100.0), **options):
    return plot.groups(path, ["layer 0", "layer 1"], {"none": heights, "exact": [63.0, 71.0]},
                       y="% of cycles", title="cycles", **options)


def contents(paths):
    return [path.read_bytes() for path in paths]


@pytest.mark.parametrize("draw", [lines, bars, groups])
def test_the_same_figures_are_the_same_bytes(tmp_path, monkeypatch, draw):
    first = draw(tmp_path / "new" / "one")
    assert [path.name for path in first] == ["one.png", "one.svg"]
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["one.png", "one.svg"]
    monkeypatch.setitem(matplotlib.rcParams, "font.size", 20)    # of a user's own file
    assert contents(draw(tmp_path / "two.5")) == contents(first)
    assert (tmp_path / "two.5.png").exists()
    assert matplotlib.rcParams["font.size"] == 20
    with Image.open(first[0]) as image:
        assert image.size[0] == 960
    svg = first[1].read_text()
    assert svg.startswith("<?xml") and "<dc:date>" not in svg and "Matplotlib v" not in svg


def test_what_is_drawn_depends_on_what_is_given(tmp_path):
    moved = {**SERIES, "lfsr": {**SERIES["lfsr"], 2: 83.4}}
    drawn = [lines(tmp_path / "1"), lines(tmp_path / "2", moved), lines(tmp_path / "3", log=True),
             bars(tmp_path / "4"), bars(tmp_path / "5", (3, 1, 1, 2)),
             groups(tmp_path / "6"), groups(tmp_path / "7", (100.0, 90.0))]
    for suffix in (0, 1):
        assert len({paths[suffix].read_bytes() for paths in drawn}) == len(drawn)


def test_lines_of_one_kind_have_one_colour(tmp_path):
    svg = plot.lines(tmp_path / "kinds", {f"{kind}, {way}": {1: 1.0, 2: float(n)}
                                          for n, (kind, way) in enumerate([
        ("vdc", "exact"), ("vdc", "adapted"), ("lfsr", "exact")])}, x="x", y="y")[1].read_text()
    styles = re.findall(r'<path d="[^"]*" clip-path="[^"]*" style="([^"]*)"', svg)
    styles = [style for style in styles if "#b0b0b0" not in style]   # that of the grid
    colours = [re.search("stroke: (#[0-9a-f]+)", style)[1] for style in styles]
    dashed = ["stroke-dasharray" in style for style in styles]
    assert colours[0] == colours[1] != colours[2] and dashed == [False, True, False]


@pytest.mark.parametrize("count, beside", [(5, False), (6, True)])
def test_names_of_many_lines_go_beside_them(tmp_path, count, beside):
    svg = plot.lines(tmp_path / "many", {f"line {n}": {1: 1.0, 2: float(n)} for n in range(count)},
                     x="x", y="y")[1].read_text()
    right = float(re.search(r'id="patch_2">\n *<path d="M \S+ \S+ \nL (\S+)', svg)[1])
    legend = float(re.search(r'id="legend_1">.*?<path d="M (\S+)', svg, re.S)[1])
    assert (legend > right) == beside


def test_axes_name_what_was_measured_while_that_is_little(tmp_path):
    def labels(points, log):
        path = plot.lines(tmp_path / "axes", {"one": dict.fromkeys(points, 1.0)}, x="x", y="y",
                          log=log)[1]
        # A label's comment, and with it the axis that it belongs to.
        axis, _, _ = path.read_text().partition('id="matplotlib.axis_2"')
        return re.findall(r"<!-- ([\d.]+) -->", axis)

    assert labels([1, 3, 10], log=True) == ["1", "3", "10"]
    assert labels([0.3 + n / 10 for n in range(20)], log=True) == ["0.25", "0.5", "1", "2", "4"]
    assert labels([0.5, 2.5], log=False) == ["0.5", "2.5"]
    assert len(labels(range(40), log=False)) < 12


def test_heights_and_edges_must_agree(tmp_path):
    with pytest.raises(ValueError):
        bars(tmp_path / "wrong", (1, 2, 3))
    for heights in ([1.0], [1.0, 2.0, 3.0]):
        with pytest.raises(ValueError, match=f"^Heights must be 2, not {len(heights)}$"):
            groups(tmp_path / "wrong", heights)
    assert not list(tmp_path.iterdir())


def test_without_matplotlib(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for act in (plot.require, lambda: lines(tmp_path / "one"), lambda: bars(tmp_path / "two"),
                lambda: groups(tmp_path / "three")):
        with pytest.raises(InputError, match=r"^figures are drawn by matplotlib, which is not "
                                             r"installed: pip install 'ohmbit\[plot\]'$"):
            act()
    assert not list(tmp_path.iterdir())

"""Figures of what benchmarks measure, as PNG and SVG, the same bytes for the same figures."""

import math
import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import cycle
from typing import Any

from model.errors import InputError
from model.files import whole


__all__ = ["bars", "groups", "lines", "require"]


SIZE    = 6.4, 4.0   # inches
PANEL   = 1.1        # inches that a panel of bars is high
DOTS    = 150        # an inch of a PNG
MARKERS = "os^Dv<>P*X"
DASHES  = "-", "--", ":"
BESIDE  = 6          # lines from which on their names do not go among them
TICKS   = 12
ROOM    = 0.8        # that a group of bars takes of the way to the next

# Without a date and without the library's version in it.
METADATA: dict[str, dict[str, str | None]] = {
    "png": {"Software": None}, "svg": {"Date": None, "Creator": None}}


def require() -> None:
    """An :class:`InputError` unless matplotlib is there, before anything is measured in vain."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise InputError("figures are drawn by matplotlib, which is not installed: "
                         "pip install 'ohmbit[plot]'") from None


@contextmanager
def _figure(path: str | os.PathLike[str], height: float) -> Iterator[Any]:
    """A figure to draw on, written as PNG and SVG when the block ends well."""
    require()
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context():
        matplotlib.rcdefaults()     # whatever a user's own file says
        matplotlib.rcParams["svg.hashsalt"] = "ohmbit"
        figure = Figure(figsize=(SIZE[0], height), layout="constrained")
        yield figure
        for suffix, metadata in METADATA.items():
            with whole(f"{os.fspath(path)}.{suffix}") as partial:
                figure.savefig(partial, format=suffix, dpi=DOTS, metadata=metadata)


def lines(path: str | os.PathLike[str], series: Mapping[str, Mapping[float, float]], *, x: str,
          y: str, title: str = "", log: bool = False) -> list[pathlib.Path]:
    """Draw lines of y against x.

    Parameters
    ----------
    path
        Where to, without a suffix; folders are made as needed.
    series : mapping from :class:`str` to mappings from x to y
        One line for each label; a legend names them if there are several. Lines whose labels are
        the same up to a comma have one colour, and are told apart by what follows.
    x, y : :class:`str`
        What the axes show, and in which unit.
    title : :class:`str`
    log : :class:`bool`
        Whether the x axis is logarithmic; all x are then greater than 0.

    Returns
    -------
    The files: PNG, then SVG.
    """
    with _figure(path, SIZE[1]) as figure:
        axes = figure.add_subplot(title=title, xlabel=x, ylabel=y)
        colours: dict[str, str] = {}
        dashes: dict[str, str] = {}
        for (label, points), marker in zip(series.items(), cycle(MARKERS), strict=False):
            first, _, rest = label.partition(", ")
            xs = sorted(points)
            axes.plot(xs, [points[at] for at in xs], marker=marker, label=label,
                      color=colours.setdefault(first, f"C{len(colours)}"),
                      linestyle=dashes.setdefault(rest, DASHES[len(dashes) % len(DASHES)]))
        if log:
            axes.set_xscale("log")
        # What was measured, rather than powers of ten, or of two where that would be too much.
        ticks = sorted({at for points in series.values() for at in points})
        if log and len(ticks) > TICKS:
            ends = math.floor(math.log2(ticks[0])), math.ceil(math.log2(ticks[-1]))
            ticks = [2.0 ** power for power in range(ends[0], ends[1] + 1)]
        if len(ticks) <= TICKS:
            axes.set_xticks(ticks, labels=[f"{tick:g}" for tick in ticks])
            axes.minorticks_off()
        axes.grid(alpha=0.3)
        if len(series) >= BESIDE:
            figure.legend(loc="outside right upper", fontsize="small")
        elif len(series) > 1:
            axes.legend()
    return _files(path)


def bars(path: str | os.PathLike[str], edges: Sequence[float],
         series: Mapping[str, Sequence[float]], *, x: str, y: str, title: str = "") \
        -> list[pathlib.Path]:
    """Draw bars from edge to edge, which are a histogram if their heights are counts.

    Parameters
    ----------
    path, x, y, title
        As :func:`lines` has them.
    edges : sequence of :class:`float`
        Where bars begin and end, from left to right.
    series : mapping from :class:`str` to heights, one fewer than edges
        A panel for each label, one below the other.

    Returns
    -------
    The files: PNG, then SVG.
    """
    with _figure(path, SIZE[1] / 2 + PANEL * len(series)) as figure:
        figure.suptitle(title)
        figure.supylabel(y)
        panels = figure.subplots(len(series), sharex=True, squeeze=False)[:, 0]
        for axes, (label, heights) in zip(panels, series.items(), strict=True):
            axes.stairs(heights, edges, fill=True)
            axes.set_title(label, loc="right", fontsize="small")
            axes.margins(x=0)
        panels[-1].set_xlabel(x)
    return _files(path)


def groups(path: str | os.PathLike[str], names: Sequence[str],
           series: Mapping[str, Sequence[float]], *, y: str, title: str = "") \
        -> list[pathlib.Path]:
    """Draw bars side by side in groups.

    Parameters
    ----------
    path, y, title
        As :func:`lines` has them.
    names : sequence of :class:`str`
        Of the groups, from left to right.
    series : mapping from :class:`str` to heights, as many as groups
        A bar of one colour in each group; a legend names them.

    Returns
    -------
    The files: PNG, then SVG.
    """
    with _figure(path, SIZE[1]) as figure:
        axes = figure.add_subplot(title=title, ylabel=y)
        width = ROOM / len(series)
        for n, (label, heights) in enumerate(series.items()):
            left = (n - (len(series) - 1) / 2) * width
            if len(heights) != len(names):
                raise ValueError(f"Heights must be {len(names)}, not {len(heights)}")
            axes.bar([at + left for at in range(len(names))], heights, width, label=label)
        axes.set_xticks(range(len(names)), labels=names)
        axes.grid(alpha=0.3, axis="y")
        axes.set_axisbelow(True)
        figure.legend(loc="outside lower center", fontsize="small", ncols=len(series))
    return _files(path)


def _files(path: str | os.PathLike[str]) -> list[pathlib.Path]:
    return [pathlib.Path(f"{os.fspath(path)}.{suffix}") for suffix in METADATA]

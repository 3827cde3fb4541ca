# amaranth: UnusedElaboratable=no
"""Layers compute what their twins compute, for all weights, thresholds and inputs of small sizes.

What a twin answers is tabulated: a neuron of few inputs has few weights, thresholds and inputs,
and the golden model is asked about all of them. Memory rows come from the compiler, which is asked
where it puts each weight.
"""

from itertools import product
from typing import Any

import numpy as np
from amaranth.hdl import Cat, Const, Mux, Signal, Value

import model.accumulate
import model.dense
from gateware.bus import WORD, Region
from gateware.compiler import threshold_rows, weight_rows
from gateware.folding import Folding

from .environment import accept, collect, feed, holds, in_range, offer, progress
from .harness import Harness


__all__ = ["Layer", "run", "rules", "twin_bits", "twin_sums", "write"]


def twin_sums(inputs: int, gains: tuple[int, ...], weight_bits: int = 1, **tiles: Any) -> Any:
    """Sums of a neuron, as the golden model has them: by weights, then by planes of inputs.

    Weights of several bits are numbered by their cells, those of the first plane lowest.
    """
    every = np.array(list(product((False, True), repeat=inputs)))[:, ::-1]   # by number
    planes = np.array(list(product(every, repeat=len(gains))))[:, ::-1]      # first plane lowest
    weights = every
    if weight_bits > 1:
        cells = np.array(list(product(every, repeat=weight_bits)))[:, ::-1]
        places = 1 << np.arange(weight_bits)[::-1]
        weights = places @ cells - (1 << weight_bits - 1)
    return model.accumulate.Accumulate(
        weights, gains=gains, weight_bits=weight_bits, **tiles).sums(planes).T


def twin_bits(inputs: int, gains: tuple[int, ...], bipolar: bool) -> tuple[Any, Any]:
    """Of one neuron, by weights and threshold: what its memory holds, and by inputs: its bits.

    Thresholds are those that the golden model allows, the least of them numbered 0.
    """
    every = np.array(list(product((False, True), repeat=inputs)))[:, ::-1]
    planes = np.array(list(product(every, repeat=len(gains))))[:, ::-1]
    top = inputs * sum(gains)
    rows = np.zeros((len(every), 2 * top + 2), dtype=np.int64)
    bits = np.zeros((len(every), 2 * top + 2, len(planes)), dtype=bool)
    for weights, threshold in np.ndindex(rows.shape):
        layer = model.dense.Dense(every[weights:weights + 1], np.array([threshold - top]),
                                  gains=gains, bipolar=bipolar)
        rows[weights, threshold], = threshold_rows(layer, Folding(inputs, 1, gains, 1, inputs))
        bits[weights, threshold] = layer(planes)[:, 0]
    return rows, bits


class Layer:
    """Weights and vectors that may be any, and what stands for them in memory and on a stream.

    Parameters
    ----------
    h : :class:`sim.proofs.harness.Harness`
        Where they are.
    folding : :class:`gateware.folding.Folding`
        Size and parallelism.
    vectors : :class:`int`
        How many vectors come.
    name : :class:`str`
        What counterexamples call the weights.
    """

    def __init__(self, h: Harness, folding: Folding, vectors: int, *,
                 name: str = "weights") -> None:
        self.folding = folding
        self.weights = [h.constant(folding.inputs * folding.weight_bits, f"{name}_{n}")
                        for n in range(folding.outputs)]
        self.vectors = [h.constant(folding.inputs * folding.planes, f"vector_{n}")
                        for n in range(vectors)]

    @property
    def rows(self) -> list[Any]:
        """Rows of the memory of weights, with each weight where the compiler puts it."""
        folding = self.folding
        none = np.zeros((folding.weight_bits, folding.outputs, folding.inputs), dtype=bool)
        rows = [list(Const(row, folding.weights.width)) for row in weight_rows(none, folding)]
        for plane, neuron, place in np.ndindex(none.shape):
            one = none.copy()
            one[plane, neuron, place] = True
            for n, (row, without) in enumerate(zip(weight_rows(one, folding),
                                                   weight_rows(none, folding), strict=True)):
                if row != without:
                    rows[n][(row ^ without).bit_length() - 1] = \
                        self.weights[neuron][plane * folding.inputs + place]
        return [Cat(*row) for row in rows]

    @property
    def words(self) -> list[Any]:
        """Words of all vectors, as a layer takes them."""
        folding = self.folding
        words = []
        for vector in self.vectors:
            planes = [Cat(vector.word_select(p, folding.inputs), Const(0, folding.simd))
                      for p in range(folding.planes)]
            words += [plane[fold * folding.simd:(fold + 1) * folding.simd]
                      for _ in range(folding.times) for fold in range(folding.folds)
                      for plane in planes]
        return words


def write(h: Harness, bus: Any, rows: list[Any], *, name: str) -> Any:
    """Write these rows, a word in each cycle, from power-up on. Returns: all are written."""
    region = Region(len(Value.cast(rows[0])), len(rows))
    words = [(region.address(n, chunk), Value.cast(row)[WORD * chunk:WORD * chunk + WORD])
             for n, row in enumerate(rows) for chunk in range(region.chunks)]
    written = Signal(range(len(words) + 1), name=f"{name}_written")
    done = Signal(name=f"{name}_done")
    h.m.d.comb += done.eq(written == len(words))
    for n, (address, word) in enumerate(words):
        with h.m.If(written == n):
            h.m.d.comb += [bus.addr.eq(address), bus.w_data.eq(word)]
    h.m.d.comb += bus.w_en.eq(~done)
    h.m.d.sync += written.eq(Mux(done, written, written + 1))
    return done


def run(h: Harness, layer: Layer, dut: Any, expected: list[Any], *, ready: Any,
        fields: Any = None) -> None:
    """Feed a layer's words and collect what it gives."""
    fed = feed(h, dut.i, layer.words, when=ready)
    out = collect(h, dut.o, expected, fields=fields)
    holds(h, dut.o)
    progress(h, (dut.i.valid & dut.i.ready) | (dut.o.valid & dut.o.ready),
             ready & (dut.i.valid | (fed == len(layer.words))) & dut.o.ready
             & (out != len(expected)), 6)


def rules(h: Harness, folding: Folding, dut: Any, accumulate: str = "") -> Any:
    """Claim what keeps a layer's pipeline in step, whatever is in its memories; unbounded.

    Parameters
    ----------
    accumulate : :class:`str`
        Where in the component :class:`gateware.accumulate.Accumulate` is, with a dot behind.

    Returns
    -------
    taken : value
        A word goes into the component in this cycle.
    given : value
        A word of sums leaves the accumulator.
    due : value
        How many of those the words that were taken have yet to become.
    """
    inside = h.inside(dut)
    # Memories hold whatever they hold. A memory that could not be written would be none to Yosys.
    h.blank = False
    for bus in (getattr(dut, name) for name in dut.signature.members if name.endswith("bus")):
        for name in ("addr", "w_en", "w_data", "r_en"):
            h.drive(getattr(bus, name))
        h.assume(~bus.w_en & ~bus.r_en)
    taken = offer(h, dut.i)
    accept(h, dut.o)
    holds(h, dut.o)
    in_range(h, dut)
    stages = ["sensed_0", "sensed_1", *(["weighed"] if folding.serial else [])]
    flags = [inside[accumulate + name] for name in stages]
    valid, plane_last, fold_last = ([flag[n] for flag in map(Value.cast, flags)] for n in range(3))
    plane, fold, row, left = (inside[accumulate + name]
                              for name in ("plane", "fold", "row", "left"))
    advance, full, begin = (inside[accumulate + name] for name in ("advance", "full", "begin"))
    given = (left != 0) & advance

    # Words that went in, and words that were added up, since their group began.
    entered, added = (Signal(range(max(folding.beats, 2)), name=name)
                      for name in ("entered", "added"))

    h.signals["entered"] = entered

    def following(place: Any) -> Any:
        return Mux(place == folding.beats - 1, 0, place + 1)

    h.m.d.sync += entered.eq(Mux(taken, following(entered), entered))
    h.m.d.sync += added.eq(Mux(advance & valid[-1], following(added), added))
    h.claim("counters are those of the words taken",
            (plane < folding.planes) & (fold < folding.folds) & (row < folding.rows)
            & (fold * folding.planes + plane == entered))
    place = added
    for n in reversed(range(len(stages))):
        here = Signal.like(added, name=f"place_{n}")
        h.signals[f"place_{n}"] = here
        h.m.d.comb += here.eq(place)
        h.claim(f"{stages[n]}: what travels beside a word says where in its group it is",
                ~valid[n] | ((plane_last[n] == (here % folding.planes == folding.planes - 1))
                             & (fold_last[n] == (here // folding.planes == folding.folds - 1))))
        place = Mux(valid[n], following(here), here)
    h.claim("no word is lost or doubled in the pipeline", place == entered)

    # Sums that are complete are handed over in the next cycle, in which a word of the next group
    # may be added up.
    h.claim("a group begins with its first word",
            begin == (added < (folding.planes if folding.serial else 1)))
    h.claim("as many words are added up as a group has", added < folding.beats)
    h.claim("a group's sums have left before the next are handed over",
            ((left == 0) | (left + added <= folding.drain + 1))
            & (~full | ((left <= 1) & (added == 0))))
    pending = sum((valid[n] & plane_last[n] & fold_last[n] for n in range(len(stages))),
                  start=Value.cast(full))
    due = Signal(range((len(stages) + 3) * folding.drain + 1), name="due")
    h.m.d.sync += due.eq(due + Mux(taken & (entered == folding.beats - 1), folding.drain, 0)
                         - given)
    h.claim("as many words of sums are due as groups are inside, and lanes of the last one",
            due == left + pending * folding.drain)
    h.cover("sums of a second group leave", h.count(given, folding.drain + 1, name="given")
            == folding.drain + 1)
    return taken, given, due

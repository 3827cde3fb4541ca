# amaranth: UnusedElaboratable=no
"""Neurons that end early give what they would have given, in as many cycles or fewer."""

from typing import Any

import numpy as np
from amaranth.hdl import Array, Const, Mux, Signal, Value

import gateware.lane
from gateware.memories import latency
from gateware.serial_folding import SerialFolding
from model.compend import Compend

from .change import Change
from .harness import Harness
from .proof import Proof, case


__all__ = ["PROOFS"]


def exact(h: Harness, *, inputs: int, neurons: int, weight_bits: int, input_bits: int,
          activation: str, **given: Any) -> None:
    """Two lanes side by side; of one of them, neurons may end early."""
    layer = Compend(np.zeros((neurons, inputs), int), np.zeros(neurons, int),
                    weight_bits=weight_bits, input_bits=input_bits, activation=activation)
    folding = SerialFolding.of(layer, pe=1, **given)
    early, late = lanes = [h.add(gateware.lane.Lane(folding, 0)) for _ in range(2)]

    # Any words of an image, with whichever rows of weights, go round and round.
    first, began = ~h.past(Const(1, 1)), h.past(Const(1, 1))
    words = [h.constant(folding.simd * input_bits, f"word_{n}") for n in range(folding.folds)]
    indices = [h.constant(range(folding.folds), f"index_{n}") for n in range(folding.folds)]
    rounds = h.constant(range(folding.folds + 1), "rounds")
    h.assume((rounds != 0) & (rounds <= folding.folds))
    for index in indices:
        h.assume(index < folding.folds)
    place = Signal(range(folding.folds), name="place")
    with h.m.If(began):
        h.m.d.sync += place.eq(Mux(place + 1 == rounds, 0, place + 1))
    word = Array(words)[place]
    for _ in range(latency(folding.storage)):
        word = h.past(word)
    total = sum(Mux(n < rounds, sum(Value.cast(each).word_select(k, input_bits)
                                    for k in range(folding.simd)), 0)
                for n, each in enumerate(words))
    for lane, detect in zip(lanes, (1, 0), strict=True):
        h.m.d.comb += [lane.start.eq(first), lane.rounds.eq(rounds), lane.detect.eq(detect),
                       lane.index.eq(Array(indices)[place]), Value.cast(lane.word).eq(word)]
        if activation == "sign":
            h.m.d.comb += lane.high.eq(total)

    # Memories hold whatever they hold, both the same. One that could not be written would be none.
    h.blank = False
    for kind, rows in (("weights", folding.weights(0).depth), ("preloads", neurons)):
        for lane in lanes:
            bus = getattr(lane, f"{kind}_bus")
            for signal in (bus.addr, bus.w_en, bus.w_data, bus.r_en):
                h.drive(signal)
            h.assume(~bus.w_en & ~bus.r_en)
        for n in range(rows):
            one, other = (h.row(lane, f"{kind}.cells_0", n) for lane in lanes)
            h.assume(~first | (one == other))
            if kind == "preloads":
                least = -layer.top - (1 << layer.top.bit_length() if activation == "relu" else 0)
                h.assume(~first | ((one.as_signed() >= least) & (one.as_signed() <= layer.top)))

    # The fast one's results are kept until the slow one has them too.
    fires = Signal(neurons, name="fires")
    sums = [Signal.like(early.sum, name=f"sum_{n}") for n in range(neurons)]
    ahead, behind = (h.count(lane.done, neurons, name=name)
                     for lane, name in zip(lanes, ("ahead", "behind"), strict=True))
    for n in range(neurons):
        with h.m.If(early.done & (ahead == n)):
            h.m.d.sync += [fires[n].eq(early.fires), sums[n].eq(early.sum)]
        now = (ahead == n) & early.done
        due = late.done & (behind == n)
        h.claim("no neuron takes longer", ~due | (ahead > n) | now)
        fired = Mux(now, early.fires, fires[n])
        h.claim("a neuron that ends early fires as it would have", ~due | (fired == late.fires))
        if activation == "relu":
            h.claim("with the same sum",
                    ~due | ~fired | (Mux(now, early.sum, sums[n]) == late.sum))
    h.claim("no more neurons are done than there are",
            ~((ahead == neurons) & early.done) & ~((behind == neurons) & late.done))
    h.cover("all neurons are done, of as long an image as there is, the last one sooner",
            late.done & (behind == neurons - 1) & (ahead == neurons) & (rounds == folding.folds))


PROOFS = (
    Proof(
        "compend.exact",
        "A neuron that ends early fires if and only if it fires with all its planes, and with "
        "the same sum; and none takes longer for it.",
        "sums begin with what biases and shifts make of them; one image comes", "bounded", exact,
        (case(24, inputs=3, neurons=2, weight_bits=3, input_bits=2, activation="sign", simd=1),
         case(12, inputs=3, neurons=1, weight_bits=4, input_bits=3, activation="sign", simd=2),
         case(18, inputs=2, neurons=2, weight_bits=3, input_bits=2, activation="relu", simd=1),
         case(14, inputs=2, neurons=3, weight_bits=2, input_bits=2, activation="relu", simd=2,
              levels=1),
         case(15, inputs=3, neurons=1, weight_bits=4, input_bits=3, activation="relu", simd=1),
         case(18, inputs=2, neurons=2, weight_bits=3, input_bits=2, activation="sign", simd=1,
              detection="speculative")),
        (Change("gateware.lane", "self.sum[-1] & (~sums.rises | sums.ends) & self.detect",
                "self.sum[-1] & self.detect"),
         Change("gateware.lane", "kept >= self.high", "kept >= self.high - 1", case=1),
         Change("gateware.lane", "counts.eq(sums.valid & (sums.first | ~over))",
                "counts.eq(sums.valid)", case=2),
         Change("gateware.lane", "(stop & (sums.tag == tag))", "stop", case=3),
         Change("gateware.lane", "falls = ~comes.rises", "falls = comes.rises", case=4),
         Change("gateware.lane", "kept < self.low", "kept <= self.low", case=5)),
    ),
)

# amaranth: UnusedElaboratable=no
"""Encoders make of each word of pixels the planes of bits that their twins make of it."""

from math import gcd
from typing import Any

import numpy as np
from amaranth.hdl import Mux, Signal, Value

import gateware.encoder
import model.encoder
from model.stochastic import FRESH, Stochastic, bits_of

from .change import Change
from .environment import accept, holds, offer
from .harness import Harness
from .proof import Proof, case
from .table import Table


__all__ = ["PROOFS"]


def planes(h: Harness, *, spec: Any, simd: int) -> None:
    """Each word in becomes one word out for each plane, and each bit is the twin's."""
    dut = h.add(gateware.encoder.encoder(spec, simd=simd, inputs=simd))
    taken, given = offer(h, dut.i), accept(h, dut.o)
    holds(h, dut.o)
    pixels = np.arange(2 ** spec.bits)
    twin = Table(spec(pixels[:, None])[:, :, 0])    # pixel, plane
    plane = h.name("plane", Value.cast(0))
    if spec.planes > 1:
        # How many planes of this word have left: what the component counts, it counts right.
        count = h.inside(dut)["plane"]
        plane = h.count(given & ~taken, spec.planes, name="planes_left")
        h.m.d.sync += plane.eq(Value.cast(plane + given)[:len(plane)])
        with h.m.If(taken):
            h.m.d.sync += plane.eq(0)
        h.claim("the plane is the number of words that left since the last word was taken",
                count == plane)
    h.claim("a word is offered whenever there are pixels", dut.o.valid == dut.i.valid)
    h.claim("pixels are taken with the last of their planes",
            taken == (given & (plane == spec.planes - 1)))
    for n in range(simd):
        h.claim(f"pixel {n} is what the twin makes of it",
                ~dut.o.valid | (dut.o.payload[n] == twin[dut.i.payload[n], plane]))
    h.cover("a word is taken", taken)


def drawn(h: Harness, *, spec: Stochastic, simd: int, inputs: int,
          times: int | None = None) -> None:
    """Each word in becomes a word out for each sample, drawn by the twin's own numbers; or where
    samples are kept apart one of them, in its turn.
    """
    dut = h.add(gateware.encoder.encoder(spec, simd=simd, inputs=inputs, times=times))
    if spec.most > 1:
        h.m.d.comb += dut.samples.eq(spec.samples)
    taken, given = offer(h, dut.i), accept(h, dut.o)
    holds(h, dut.o)
    inside, words = h.inside(dut), -(-inputs // simd)
    sample, word, time = (
        Signal(range(max(count, 2)), name=f"{name}_next")
        for name, count in (("sample", spec.samples), ("word", words), ("time", times or 1)))
    last, end, again = sample == spec.samples - 1, word == words - 1, time == (times or 1) - 1
    turns = given if times is None else given & end & again
    h.m.d.sync += sample.eq(Mux(turns, Mux(last, 0, sample + 1), sample))
    h.m.d.sync += word.eq(Mux(taken, Mux(end, 0, word + 1), word))
    h.m.d.sync += time.eq(Mux(taken & end, Mux(again, 0, time + 1), time))
    h.claim("samples and words are counted as they leave and come",
            (sample < spec.samples) & (word < words) & (inside["sample"] == sample)
            & (inside["word"] == word))
    if times is None:
        h.claim("pixels are taken with the last of their samples", taken == (given & last))
    else:
        h.claim("pixels are taken with their sample", taken == given)
        h.claim("vectors are counted as they come", (time < times) & (inside["time"] == time))
    h.claim("a word is offered whenever there are pixels", dut.o.valid == dut.i.valid)

    # What is in registers follows from how many words and samples there were.
    lfsr, each = spec.numbers.lfsr, np.arange(words)
    if spec.generator == "lfsr":
        steps = each[:, None] * simd + inputs * np.arange(spec.samples)
        states = lfsr.states(steps).astype(np.int64)
        h.claim("the state of a word's first pixel", inside["state"] == Table(states)[word, sample])
        h.claim("the same in the first sample, or for the first word",
                inside["first.o"] == (Table(states[:, 0])[word] if times is None
                                      else Table(states[0])[sample]))
    elif spec.generator == "vdc-xor":
        h.claim("the index of a word's first pixel",
                inside["first"] == Table(each * simd % 2 ** bits_of(inputs))[word])
    elif spec.generator != "vdc":
        steps = FRESH * np.arange(spec.samples)
        h.claim("the state is that of the sample",
                inside["lfsr.o"] == Table(lfsr.states(steps).astype(np.int64))[sample])
        period = spec.numbers.period
        phases = min(period // gcd(period, simd), words)
        if phases > 1:
            h.claim("pixels take turns", inside["phase"] == Table(each % phases)[word])

    numbers = np.zeros((words * simd, spec.samples), dtype=np.int64)
    numbers[:inputs] = spec.numbers(inputs, spec.samples).T
    for n in range(simd):
        # What no pixel is meets a pixel of 0 and is not looked at.
        twin = Table(numbers[n::simd])
        there = Table((each * simd + n < inputs).astype(np.int64))[word]
        h.claim(f"pixel {n} is compared with its own number",
                ~dut.o.valid | (there == 0)
                | (dut.o.payload[n] == (dut.i.payload[n] > twin[word, sample])))
    h.cover("a vector is taken", taken & end)


PROOFS = (
    Proof(
        "encoder.stochastic",
        "Each word of pixels leaves once for each sample, each pixel compared with the number that "
        "the twin has for it and for the sample, however many vectors came before; and is taken "
        "with the last.",
        "the source keeps what it offers", "induction", drawn,
        tuple(case(words * samples + 2, spec=Stochastic(samples, generator=generator, bank=3),
                   simd=simd, inputs=inputs)
              for generator, samples, simd, inputs, words in (
                  ("lfsr", 4, 2, 5, 3), ("lfsr", 1, 3, 7, 3), ("lfsr-rotate", 4, 3, 8, 3),
                  ("lfsr-bank", 4, 2, 7, 4), ("vdc", 8, 2, 3, 2), ("vdc-xor", 4, 3, 10, 4),
                  ("vdc-xor", 2, 4, 14, 4))),
        (Change("gateware.stochastic", "leap(lfsr, state, near)",
                "leap(lfsr, state, near + 1)", case=0),
         Change("gateware.stochastic", "self.i.payload[place] > number",
                "self.i.payload[place] >= number", case=2),
         Change("gateware.stochastic", "(t * step + n) % period", "n % period", case=3),
         Change("gateware.stochastic", "[:self._spec.bits][::-1]", "[:self._spec.bits]", case=4),
         Change("gateware.stochastic", "first.eq(first + self._simd)", "first.eq(first + 1)",
                case=5)),
    ),
    Proof(
        "encoder.apart",
        "Where samples are kept apart, and fewer are drawn than there could be, each word of "
        "pixels leaves once, compared with the numbers that the twin has for them and for the "
        "sample, which is the next one after each vector came as often as it does for one.",
        "the source keeps what it offers", "induction", drawn,
        tuple(case(words * times * samples + 2, spec=Stochastic(
                       samples, generator=generator, bank=3, most=2 * samples), simd=simd,
                   inputs=inputs, times=times)
              for generator, samples, simd, inputs, words, times in (
                  ("lfsr", 4, 2, 5, 3, 2), ("lfsr", 1, 3, 7, 3, 2), ("lfsr-rotate", 2, 3, 8, 3, 3),
                  ("lfsr-bank", 4, 2, 7, 4, 1), ("vdc", 8, 2, 3, 2, 2), ("vdc-xor", 2, 3, 10, 4, 3),
                  ("vdc-xor", 4, 4, 3, 1, 2))),
        (Change("gateware.stochastic", "m.d.sync += state.eq(first.o)",
                "m.d.sync += state.eq(lfsr.seed)", case=0),
         Change("gateware.stochastic", "(time == self._times - 1)", "1", case=2),
         Change("gateware.stochastic", "sample + 1 == self.samples",
                "sample == self._spec.most - 1", case=4),
         Change("gateware.stochastic", "turn.next_sample & self._last(turn.sample)",
                "turn.next_sample & (turn.sample == self._spec.most - 1)", case=5)),
    ),
    Proof(
        "encoder.bit-serial",
        "Each word of pixels leaves once for each plane, most significant first, with the bits "
        "that the twin gives, and is taken with its last plane.",
        "the source keeps what it offers", "induction", planes,
        tuple(case(bits + 1, spec=model.encoder.BitSerial(bits), simd=simd)
              for bits, simd in ((1, 2), (2, 1), (3, 2), (5, 3), (8, 1))),
        (Change("gateware.encoder", "self._spec.bits - 1 - p", "p", case=1),
         Change("gateware.encoder", "m.d.comb += self.i.ready.eq(self.o.ready & last)",
                "m.d.comb += self.i.ready.eq(self.o.ready)", case=1),
         Change("gateware.encoder", "with m.If(self.o.valid & self.o.ready):",
                "with m.If(self.o.valid):", case=2)),
    ),
    Proof(
        "encoder.threshold",
        "Each word of pixels leaves once, in the cycle in which it is taken, with the bits that "
        "the twin gives, at every level there is for so few bits.",
        "the source keeps what it offers", "induction", planes,
        (*(case(2, spec=model.encoder.Threshold(bits=bits, level=level), simd=2)
           for bits in (1, 2, 3) for level in range(1, 2 ** bits)),
         case(2, spec=model.encoder.Threshold(bits=8, level=128), simd=1)),
        (Change("gateware.encoder", "[n] >= self._spec.level", "[n] > self._spec.level", case=2),
         Change("gateware.encoder", "self.i.ready.eq(self.o.ready)\n        for",
                "self.i.ready.eq(1)\n        for")),
    ),
)

# amaranth: UnusedElaboratable=no
"""Serial layers compute what their twins compute, whether neurons may end early or not."""

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
from amaranth.hdl import Cat, Const, Signal

import gateware.compend
from gateware.serial_folding import SerialFolding
from model.compend import Compend

from .change import Change
from .environment import collect, feed, holds, progress
from .harness import Harness
from .layers import write
from .proof import Proof, case
from .table import Table


__all__ = ["PROOFS"]


SHAPES: tuple[dict[str, Any], ...] = tuple(
    {"inputs": inputs, "outputs": outputs, "weight_bits": weight_bits, "input_bits": input_bits}
    | ({"activation": "relu", "output_bits": output_bits} if output_bits
       else {"activation": "sign"})
    for inputs, outputs, weight_bits, input_bits, output_bits in (
        (2, 2, 2, 1, 0), (3, 3, 2, 1, 0), (2, 2, 3, 1, 2), (3, 2, 2, 1, 1), (2, 2, 2, 2, 0),
        (2, 3, 2, 1, 0), (1, 2, 2, 1, 1), (2, 1, 4, 1, 0)))


def every(layer: Compend, times: int) -> Compend:
    """A neuron of so many times the inputs for each bias and each shift; no weight but 0."""
    shifts = (0,) if layer.shifts is None else range(layer.top.bit_length() + 1)
    top = times * layer.top
    biases, chosen = np.array(list(product(range(-top, top + 1), shifts))).T
    return replace(layer, weights=np.zeros((len(biases), times * layer.inputs), int), bias=biases,
                   shifts=None if layer.shifts is None else chosen, acc_bits=None)


def twin_results(layer: Compend) -> tuple[Any, Any, Any]:
    """Of a neuron, as the golden model has them: products, sums at first, and results.

    Products are by weights and activations; sums by bias and shift, as its memory holds them; and
    results by both together, and shift. A weight is numbered by the bits of its planes. The least
    bias is numbered 0, and products are as much more than they are.
    """
    half = 1 << layer.weight_bits - 1
    weights = [-n if n < half else 2 * half - n for n in range(2 * half)]
    rows = np.array(list(product(weights, repeat=layer.inputs)))[:, ::-1]
    one = replace(layer, weights=rows, bias=np.zeros(len(rows), int), shifts=None)
    x = np.array(list(product(range(1 << layer.input_bits), repeat=layer.inputs)))[:, ::-1]
    first = every(layer, 1)
    sums = SerialFolding.of(first, pe=1, simd=1).image(first)["preloads0"]
    # Together they are biases of a layer of twice as many inputs, which weigh nothing.
    results = every(layer, 2)(np.zeros(2 * layer.inputs, int))
    return (one.acc(x).T + layer.top, np.reshape(sums, (2 * layer.top + 1, -1)),
            results.reshape(4 * layer.top + 1, -1))


def values(h: Harness, *, inputs: int, outputs: int, weight_bits: int, input_bits: int,
           activation: str, images: int = 1, output_bits: int = 1, **given: Any) -> None:
    """Results, word by word of lanes; neurons that only fill up the last one are 0."""
    layer = Compend(np.zeros((outputs, inputs), int), np.zeros(outputs, int),
                    weight_bits=weight_bits, input_bits=input_bits, activation=activation,
                    output_bits=output_bits, detection="none")
    folding = SerialFolding.of(layer, **{"detection": "exact"} | given)
    dut = h.add(gateware.compend.Compend(folding))
    products, sums, results = map(Table, twin_results(layer))
    plain = {name: rows for name, rows in folding.image(layer).items() if name != "detection"}
    widths = {"weights": folding.simd, "preloads": folding.acc_bits,
              "shifts": folding.shifts.width}
    rows = {name: [list(Const(row, widths[name.rstrip("0123456789")])) for row in each]
            for name, each in plain.items()}

    def put(kind: str, value: Any, **changed: Any) -> None:
        """It stands where another layer's memories differ."""
        image = folding.image(replace(layer, **changed))
        for name, without_it in plain.items():
            for n, (row, without) in enumerate(zip(image[name], without_it, strict=True)):
                differs = row ^ without
                if differs and name.startswith(kind):
                    low = (differs & -differs).bit_length() - 1
                    rows[name][n][low:low + len(value)] = value

    # What the twin answers is looked up once; the solver would do so in every cycle.
    first = ~h.past(Const(1, 1))
    x = [h.constant(inputs * input_bits, f"x_{n}") for n in range(images)]
    answers: list[list[Any]] = [[] for _ in x]
    for neuron in range(outputs):
        weights = h.constant(inputs * weight_bits, f"weights_{neuron}")
        bias = h.constant(range(2 * layer.top + 1), f"bias_{neuron}")
        h.assume(bias <= 2 * layer.top)
        one = np.arange(outputs) == neuron
        shift: Any = Const(0, 0)
        if layer.shifts is not None:
            shift = h.constant(range(layer.top.bit_length() + 1), f"shift_{neuron}")
            h.assume(shift <= layer.top.bit_length())
            put("shifts", shift, shifts=one.astype(int))
        put("preloads", sums[bias, shift][:folding.acc_bits], bias=one.astype(int))
        for place, bit in np.ndindex(inputs, weight_bits):
            changed = np.zeros((outputs, inputs), int)
            changed[neuron, place] = 1 << bit if bit == weight_bits - 1 else -1 << bit
            put("weights", weights[place * weight_bits + bit], weights=changed)
        for n, (each, answer) in enumerate(zip(x, answers, strict=True)):
            # The solver sees that sums are equal more easily where both are of the same terms.
            acc = h.name(f"acc_{n}_{neuron}", bias + layer.top + sum(
                (each.word_select(place, input_bits)
                 & weights[place * weight_bits + bit].replicate(input_bits))
                * (1 << bit if bit == weight_bits - 1 else -1 << bit)
                for bit in range(weight_bits) for place in range(inputs)))
            h.claim("products are those of the twin",
                    ~first | (acc == products[weights, each] + bias))
            result = results[acc.as_unsigned(), shift]
            kept = Signal(output_bits, name=f"result_{n}_{neuron}")
            with h.m.If(first):
                h.m.d.sync += kept.eq(result)
            answer.append(kept)

    # Where speculation is built, its factor stays at 0.
    if folding.detection != "none":
        h.m.d.comb += dut.detect.eq(h.constant(1, "detect"))
    fill = folding.words * folding.lanes - outputs
    expected = [Cat(*answer[n:n + folding.lanes])
                for answer in ([*each, *[Const(0, output_bits)] * fill] for each in answers)
                for n in range(0, len(answer), folding.lanes)]
    width = folding.pixels * input_bits
    words = [Cat(each, Const(0, width))[n * width:(n + 1) * width]
             for each in x for n in range(folding.entering)]
    ready = Cat(*(write(h, getattr(dut, f"{name}_bus"), [Cat(*row) for row in each], name=name)
                  for name, each in rows.items())).all()
    fed = feed(h, dut.i, words, when=ready)
    out = collect(h, dut.o, expected)
    holds(h, dut.o)
    progress(h, (dut.i.valid & dut.i.ready) | (dut.o.valid & dut.o.ready),
             ready & (dut.i.valid | (fed == len(words))) & dut.o.ready & (out != len(expected)),
             folding.groups * weight_bits * folding.folds + folding.overhead + 4)


PROOFS = (
    Proof(
        "compend.values",
        "The results that leave are those of the twin, for all weights, biases and shifts, written "
        "over the bus, and all activations, whether neurons may end early or not.",
        "so many images come once everything is written; no speculation", "bounded", values,
        tuple(case(cycles, **shape, **given) for cycles, shape, given in (
            (22, SHAPES[0], {"pe": 2, "simd": 1}),
            (26, SHAPES[1], {"pe": 2, "simd": 2}),
            (25, SHAPES[2], {"pe": 1, "simd": 2}),
            (26, SHAPES[3], {"pe": 2, "simd": 1}),
            (22, SHAPES[4], {"pe": 1, "simd": 2, "storage": "spram"}),
            (27, SHAPES[5], {"pe": 1, "simd": 2, "levels": 1}),
            (29, SHAPES[6], {"pe": 1, "simd": 1, "images": 2}),
            (25, SHAPES[7], {"pe": 1, "simd": 1, "skip_zeros": False,
                             "detection": "speculative"}))),
        (Change("gateware.lane", "self.sum[-1] & (~sums.rises | sums.ends) & self.detect",
                "self.sum[-1] & self.detect"),
         Change("gateware.lane", "kept >= self.high", "kept >= 0"),
         Change("gateware.ring", "eq(added + sum_.o >> self._grain)", "eq(added >> self._grain)",
                case=1),
         Change("gateware.serial_folding", "padded[:, pe::self.pe].swapaxes(0, 1)",
                "padded[:, pe::self.pe]", case=2),
         Change("gateware.compend", "Mux(shifted > top, top, shifted)", "shifted", case=2),
         Change("gateware.ring", "rounds[seen.bank].eq(kept + keep)",
                "rounds[seen.bank].eq(kept)", case=3),
         Change("gateware.compend", "w_port.addr.eq(Cat(row, bank))",
                "w_port.addr.eq(Cat(row, turn))", case=6)),
    ),
)

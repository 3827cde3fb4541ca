"""Look-up tables of a layer that stops once its answer is known, by what it detects."""

import pathlib
from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
from rich import box
from rich.table import Table

from gateware import spram
from gateware.compend import Compend as Unit
from gateware.serial_folding import SerialFolding
from model.compend import DETECTIONS, Compend

from .area import PARTS, packed
from .sizes import cache_folder


__all__ = ["measure", "table"]


INPUTS  = 784
STORAGE = {"ecp5": "block", "ice40": "spram"}


def measure(outputs: int = 256, *, activations: Sequence[str] = ("relu", "sign"),
            weight_bits: Sequence[int] = (8,), pe: Sequence[int] = (4, 8), simd: int = 8,
            inputs: int = INPUTS, cache: pathlib.Path | None = None) -> list[dict[str, Any]]:
    """A row for each family, activation, number of bits and of PEs.

    That is of a :class:`gateware.compend.Compend` for 8-bit pixels, without the accelerator around
    it: synthesized and packed for ECP5, with its weights in block RAM, and for iCE40, in SPRAM,
    whose rows may limit its neurons. Look-up tables are counted as ``bench.area`` counts them, on
    iCE40 logic cells; accumulators are as :func:`model.quantize.quantize` makes them.

    Parameters
    ----------
    outputs, inputs : :class:`int`
        Size of the layer.
    cache : path, or None
        Folder that keeps netlists; the user's if None.

    Returns
    -------
    list of dict
        ``family``, ``activation``, ``weight_bits``, ``outputs``, ``pe``; ``luts`` by detection; and
        ``over``, per cent more than with none.
    """
    rows = []
    for family, activation, bits, among in product(STORAGE, activations, weight_bits, pe):
        most = outputs
        if STORAGE[family] == "spram":
            most = min(outputs, among * (spram.DEPTH // (bits * -(-inputs // simd))))
        layer = Compend(np.zeros((most, inputs), int), np.zeros(most, int), weight_bits=bits,
                        activation=activation)
        luts = {detection: packed(
            Unit(SerialFolding.of(layer, pe=among, simd=simd, detection=detection,
                                  storage=STORAGE[family])), family, cache or cache_folder())
                [PARTS[family].luts] for detection in DETECTIONS}
        rows.append({"family": family, "activation": activation, "weight_bits": bits,
                     "outputs": most, "pe": among, "luts": luts,
                     "over": {detection: round(100 * count / luts["none"] - 100, 2)
                              for detection, count in luts.items()}})
    return rows


def table(rows: Sequence[dict[str, Any]]) -> Table:
    table = Table("family", "activation", "weights", "neurons", "PE",
                  *(f"LUTs, {detection}" for detection in DETECTIONS), "exact over none",
                  "speculative over none", box=box.MARKDOWN)
    for row in rows:
        table.add_row(row["family"], row["activation"], f"{row['weight_bits']} bits",
                      str(row["outputs"]), str(row["pe"]),
                      *(f"{row['luts'][detection]:,}" for detection in DETECTIONS),
                      *(f"{row['over'][detection]:+.1f} %" for detection in DETECTIONS[1:]))
    return table

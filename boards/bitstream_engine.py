"""A board's bitstream as an engine: read back from its bits, and run at its pins."""

import pathlib
from typing import Any

import numpy as np
import platformdirs

from model.errors import CheckFailed, InputError
from sim import readback, verilated
from sim.engine import Image
from sim.pins import SimulatedPort
from sim.readback_pins import ReadbackPins

from . import catalog, ebr
from .board import Board
from .driver import Driver
from .driver_engine import DriverEngine
from .kept import keep
from .project import Project
from .top import Top


__all__ = ["NEEDED", "BitstreamEngine"]


NEEDED = ("yosys", "nextpnr-ice40", "icepack", *readback.NEEDED, *verilated.NEEDED)

AWAKE = 1e-3   # seconds after which a host would begin


class BitstreamEngine(DriverEngine):
    """Runs what a bitstream for an iCE40 makes of the chip, over its serial line.

    The netlist is read from the bits, so that synthesis, placement, routing and packing are held to
    the golden model as well; delays are not simulated, as nextpnr has judged them. Besides what a
    board shows, :meth:`inspect` compares the contents of block RAM in the bits themselves.

    A bitstream is built for the accelerator as ``ohmbit build`` would, and kept under a hash of all
    that went into it, as is each further step.

    Parameters
    ----------
    board : :class:`boards.board.Board`
    bitstream : path, or None
        One that is there already, beside the ``.pcf`` and, for the contents of block RAM, the
        ``.routed.json`` that a build leaves; None builds one.
    cache : path, or None
        Folder that keeps what is built; the user's cache folder if None.
    """

    name = "bitstream"

    def __init__(self, board: Board, *, bitstream: pathlib.Path | None = None,
                 cache: pathlib.Path | None = None) -> None:
        if board.family.name != "ice40":
            able = [other.name for other in catalog.BOARDS.values() if other.family.name == "ice40"]
            raise InputError(f"{board.name} has no bitstream that can be read back: choose a board "
                             f"with an iCE40 (--board {', '.join(able)})")
        super().__init__()
        self._board = board
        self._given = bitstream
        self._cache = cache or platformdirs.user_cache_path("ohmbit")

    def load(self, accelerator: Any) -> None:
        """Build, read back and compile; a bitstream that was given needs no more than a plan."""
        if accelerator.plan.in_spram:
            raise InputError("weights in SPRAM cannot be read back, as nothing says what its bits "
                             "in a bitstream mean: choose another engine, as netlist or virtual, "
                             "or --storage block")
        self._accelerator = accelerator
        self.bitstream = bitstream = self._given or self._build(accelerator)
        self.netlist = netlist = readback.read_back(
            bitstream, bitstream.with_suffix(".pcf"), cache=self._cache / "readback",
            package=self._board.platform().package.lower())
        pins = ReadbackPins(netlist, cache=self._cache / "verilator")
        pins.run(np.ones(int(netlist.hz * AWAKE), dtype=np.uint8))
        patience = 20_000 + 2 * accelerator.cycles(1)
        self._driver = driver = Driver(
            SimulatedPort(pins, float(netlist.hz / self._board.baud), patience=patience),
            where=f"the pins of {bitstream} at {float(netlist.hz) / 1e6:g} MHz, where "
                  f"{self._board.name} has {float(self._board.clock_hz) / 1e6:g}",
            baud=self._board.baud)
        try:
            driver.identify()
        except InputError as error:
            raise CheckFailed(str(error)) from error
        driver.load(accelerator)

    def _build(self, accelerator: Any) -> pathlib.Path:
        def top(board: Board) -> Top:
            return Top(board, accelerator)

        return keep(Project(self._board, top, cache=self._cache)).bitstream

    def inspect(self, image: Image) -> ebr.Contents:
        """Compare all memories at power-up with an image.

        Those in block RAM are compared as the bitstream has them, and all of them as they are
        read over the pins, which is to be done before the first :meth:`write`.
        """
        accelerator, routed = self._accelerator, self.bitstream.with_suffix(".routed.json")
        where = ebr.places(routed) if self._given is None or routed.exists() else {}
        contents = ebr.compare(self.netlist, where, accelerator, image)
        read = self.read()
        seen = {(one.memory, one.row, one.bit) for one in contents.differences}
        more = [one for name, rows in read.items()
                for one in ebr.differences(name, rows, image[name], accelerator)
                if (one.memory, one.row, one.bit) not in seen]
        return ebr.Contents(contents.bits, contents.elsewhere, (*contents.differences, *more))

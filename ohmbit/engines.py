"""Which engine runs an accelerator, by name or by what is here."""

from collections.abc import Callable
from dataclasses import dataclass

from boards import bitstream_engine, catalog
from boards.bitstream_engine import BitstreamEngine
from boards.board import Board
from boards.virtual_engine import VirtualEngine
from model.errors import InputError
from sim import tools
from sim.amaranth_engine import AmaranthEngine
from sim.cosim import runner
from sim.engine import Engine
from sim.icarus_engine import IcarusEngine
from sim.netlist_engine import NetlistEngine
from sim.synthesis import FAMILIES
from sim.verilator_engine import VerilatorEngine


__all__ = ["Choice", "ENGINES", "choose"]


FEW = 20   # images, where each takes the better part of a second


@dataclass(frozen=True)
class Choice:
    """An engine that the command offers.

    Parameters
    ----------
    make : callable
        The engine, for a board.
    needs : tuple of :class:`str`
        Tools without which it does not run, as :mod:`sim.tools` names them.
    images : :class:`int`, or None
        Test images unless asked for more or fewer; all if None.
    filled : :class:`bool`
        Whether the accelerator it loads has its weights from power-up.
    probes : :class:`bool`
        Whether it sees what passes between layers, through an accelerator's probes.
    records : :class:`bool`
        Whether it records waveforms.
    shares : :class:`bool`
        Whether several processes can share the images.
    """

    make: Callable[[Board], Engine]
    needs: tuple[str, ...] = ()
    images: int | None = FEW
    filled: bool = False
    probes: bool = True
    records: bool = True
    shares: bool = False

    @property
    def missing(self) -> list[str]:
        """What it needs and is not here."""
        return [name for name in self.needs if tools.find(name) is None]


VERILATOR = ("verilator", "c++", "perl", "yosys")


def _netlist(board: Board) -> Engine:
    if board.family.name not in FAMILIES:
        able = [each.name for each in catalog.BOARDS.values() if each.family.name in FAMILIES]
        raise InputError(f"no netlist of {board.name} can be simulated here, as nothing says what "
                         f"its cells do; choose another board: {', '.join(able)}")
    return NetlistEngine(board.family.name)


ENGINES = {
    "amaranth": Choice(lambda board: AmaranthEngine()),
    "verilator": Choice(lambda board: VerilatorEngine(), VERILATOR, None, shares=True),
    "verilator-rtl": Choice(lambda board: VerilatorEngine(swap=False), VERILATOR, None,
                            shares=True),
    "netlist": Choice(_netlist, VERILATOR, 100, shares=True),
    "bitstream": Choice(BitstreamEngine, bitstream_engine.NEEDED, filled=True, probes=False,
                        records=False),
    "virtual": Choice(VirtualEngine, VERILATOR, probes=False, records=False),
    "icarus": Choice(lambda board: IcarusEngine(), runner.NEEDED["icarus"], records=False),
}


def choose(name: str | None, images: int | None, available: int,
           board: Board | None = None) -> tuple[Engine, int, str]:
    """An engine, a number of images, and why, each as asked for or else by what is here."""
    why = ""
    if name is None:
        lacking = ENGINES["verilator"].missing
        name = "amaranth" if lacking else "verilator"
        why = f"slow, as {', '.join(lacking)} {'is' if len(lacking) == 1 else 'are'} not here" \
            if lacking else "fast, as a compiler is here"
    choice = ENGINES[name]
    _require(choice.missing)
    if images is None:
        images = available if choice.images is None else min(choice.images, available)
    return choice.make(board or catalog.find("icebreaker")), images, why


def _require(lacking: list[str]) -> None:
    """:exc:`InputError` where something is lacking, before any work is done in vain."""
    for name in lacking:
        if name in ("c++", "perl"):
            raise InputError(f"{name} is not here, and is needed for fast simulation "
                             f"({tools.TOOLS[name].get}); without it choose the slow simulator: "
                             "--engine amaranth")
        tools.require(name)

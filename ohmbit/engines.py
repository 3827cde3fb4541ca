"""Which engine runs an accelerator, by name or by what is here."""

from collections.abc import Callable

from model.errors import InputError
from sim import tools
from sim.amaranth_engine import AmaranthEngine
from sim.engine import Engine
from sim.verilator_engine import VerilatorEngine


__all__ = ["ENGINES", "missing", "choose"]


ENGINES: dict[str, Callable[[], Engine]] = {
    "amaranth": AmaranthEngine,
    "verilator": VerilatorEngine,
    "verilator-rtl": lambda: VerilatorEngine(swap=False),
}

FEW = 20   # images, where each takes the better part of a second


def missing() -> list[str]:
    """Tools of fast simulation that are not here."""
    return [name for name in ("verilator", "c++", "perl", "yosys") if tools.find(name) is None]


def choose(name: str | None, images: int | None, available: int) -> tuple[Engine, int, str]:
    """An engine, a number of images, and why, each as asked for or else by what is here."""
    lacking = missing()
    why = ""
    if name is None:
        name = "amaranth" if lacking else "verilator"
        why = f"slow, as {', '.join(lacking)} {'is' if len(lacking) == 1 else 'are'} not here" \
            if lacking else "fast, as a compiler is here"
    if name != "amaranth":
        _require(lacking)
    if images is None:
        images = min(FEW, available) if name == "amaranth" else available
    return ENGINES[name](), images, why


def _require(lacking: list[str]) -> None:
    """:exc:`InputError` where something is lacking, before any work is done in vain."""
    for name in lacking:
        if name in ("c++", "perl"):
            raise InputError(f"{name} is not here, and is needed for fast simulation "
                             f"({tools.TOOLS[name].get}); without it choose the slow simulator: "
                             "--engine amaranth")
        tools.require(name)

"""Which parallelism, memory and batch a user asks for, made into a mapping, or refused."""

import pathlib
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from boards import catalog
from boards.board import Board
from gateware import cost
from gateware.fit import LEVELS, SERIAL_LEVELS, fit
from gateware.mapping import uniform, widths
from model.errors import InputError
from model.network import Network

from .inputs import blame


__all__ = ["Pe", "Simd", "Storage", "Batch", "Target", "TargetFps", "Wishes", "NO_WISHES",
           "choose_mapping", "require_fit", "describe"]


KINDS = ("block", "distributed", "spram", "wide")   # of memories that a host writes
AUTO  = "auto"

Pe        = Annotated[str | None, typer.Option(
    "--pe", metavar="N[,N…]", help="Neurons at once, in every layer or in each; with --simd.")]
Simd      = Annotated[str | None, typer.Option(
    "--simd", metavar="N[,N…]", help="Inputs at once, in every layer or in each; with --pe.")]
Storage   = Annotated[str | None, typer.Option(
    "--storage", metavar="KIND[,KIND…]", show_default="block",
    help=f"Where weights are, in every layer or in each: {', '.join(KINDS)}; with --pe.")]
Batch     = Annotated[str | None, typer.Option(
    "--batch", metavar="N|auto", show_default="1",
    help="Images that share each weight that is read: more images a second, and each waits longer; "
         "auto is the fastest.")]
Target    = Annotated[int | None, typer.Option(
    "--target-cycles", min=1, metavar="N", help="The smallest hardware that takes no more cycles "
                                                "an image, in place of the fastest.")]
TargetFps = Annotated[int | None, typer.Option(
    "--target-fps", min=1, metavar="N", help="The same for so many images a second at the board's "
                                             "clock.")]


NAMED = 3   # boards that a refusal names; `ohmbit boards` lists the others


@dataclass(frozen=True)
class Wishes:
    """What was asked for by the options of these names; None where it was not."""

    pe: str | None = None
    simd: str | None = None
    storage: str | None = None
    batch: str | None = None
    target: int | None = None
    fps: int | None = None

    def check(self) -> None:
        """:exc:`InputError` where wishes exclude one another."""
        if (self.pe is None) != (self.simd is None):
            raise InputError("--pe and --simd go together: give both, or neither")
        if self.storage is not None and self.pe is None:
            raise InputError("--storage goes with --pe and --simd: give them too, or leave it out")
        if self.target is not None and self.fps is not None:
            raise InputError("--target-cycles and --target-fps say the same: give one of them")
        for option, value in (("--target-cycles", self.target), ("--target-fps", self.fps)):
            if self.pe is not None and value is not None:
                raise InputError(f"{option} chooses PE and SIMD itself: give either it or them")
        if self.pe is not None and self.batch == AUTO:
            raise InputError("--batch auto chooses PE and SIMD itself: give either it or them")

    @property
    def images(self) -> int | None:
        """Images in a batch; None for whichever is fastest."""
        if self.batch == AUTO:
            return None
        text = self.batch or "1"
        if not text.isascii() or not text.isdigit() or int(text) < 1:
            raise InputError(f"--batch takes a number from 1 on, or {AUTO}, not {text!r}")
        return int(text)


NO_WISHES = Wishes()


def _numbers(option: str, text: str, layers: int) -> int | tuple[int, ...]:
    """What an option says of every layer, or of each."""
    try:
        numbers = tuple(int(part) for part in text.split(","))
    except ValueError:
        numbers = (0,)
    if min(numbers) < 1:
        raise InputError(f"{option} takes numbers from 1 on, such as 4 or 4,1, not {text!r}")
    return _of_each(option, text, numbers, layers)


def _of_each(option: str, text: str, values: tuple[Any, ...], layers: int) -> Any:
    if len(values) not in (1, layers):
        raise InputError(f"{option} takes one value for all layers, or one for each of the "
                         f"{layers}, not {len(values)}: {text}")
    return values if len(values) > 1 else values[0]


def _explicit(network: Network, board: Board, wishes: Wishes, pe: str, simd: str) -> Any:
    layers = len(network.shape.sizes) - 1
    kinds = tuple((wishes.storage or KINDS[0]).split(","))
    for kind in kinds:
        if kind not in KINDS:
            raise InputError(f"--storage takes one of {', '.join(KINDS)}, or a list of them, "
                             f"not {wishes.storage!r}")
    mapping = uniform(network.shape, pe=_numbers("--pe", pe, layers),
                      simd=_numbers("--simd", simd, layers),
                      storage=_of_each("--storage", wishes.storage or "", kinds, layers),
                      levels=LEVELS.get(board.resources.family, 0),
                      serial_levels=SERIAL_LEVELS.get(board.resources.family, 0),
                      batch=wishes.images)
    if "spram" in kinds and not board.resources.spram_blocks:
        raise InputError(f"--storage spram is for an iCE40 UP5K, and {board.name} has none: choose "
                         "another storage, or such a board, as icebreaker")
    if "wide" in kinds and board.family.name != "ecp5":
        raise InputError(f"--storage wide is for an ECP5, and {board.name} has none: choose block, "
                         "or such a board, as ulx3s-25f")
    return mapping


def choose_mapping(network: Network, path: pathlib.Path, board: Board,
                   wishes: Wishes = NO_WISHES) -> Any:
    """The parallelism asked for; or the fastest that fits a board."""
    wishes.check()
    if wishes.pe is not None and wishes.simd is not None:
        with blame("mapping"):
            return _explicit(network, board, wishes, wishes.pe, wishes.simd)
    target = wishes.target if wishes.fps is None else int(board.clock_hz / wishes.fps)
    with blame("mapping"):
        mapping = fit(network.shape, board.resources, target=target, batch=wishes.images)
    each = mapping.cycles_per_image
    if target is None or each <= target:
        return mapping
    if wishes.fps is not None:
        rate = int(board.clock_hz / each)
        raise InputError(f"{path} makes {rate:,} images a second at most on {board.name}, whose "
                         f"clock is {float(board.clock_hz) / 1e6:g} MHz, not {wishes.fps:,}: ask "
                         "for that, or for a faster board")
    raise InputError(f"{path} takes {each:,} cycles an image at least on {board.name}, not "
                     f"{target:,}: ask for that, or for a larger board")


def require_fit(network: Network, path: pathlib.Path, board: Board, mapping: Any,
                wishes: Wishes = NO_WISHES) -> None:
    """:exc:`InputError` where a network is too large for a board: of what, and where it fits.

    Parameters
    ----------
    wishes : :class:`Wishes`
        What :func:`choose_mapping` was asked for.
    """
    resources = board.resources
    need = cost.estimate(mapping, resources, **widths(network.shape))
    excess = need.excess(resources)
    if not excess:
        return
    parts = {"luts": (need.luts, resources.luts, "LUTs"),
             "memory": (need.memory_blocks, resources.memory_blocks, "block RAMs"),
             "spram": (need.spram_blocks, resources.spram_blocks, "SPRAMs")}
    short = " and ".join(f"about {parts[name][0]:,} of {parts[name][1]:,} {parts[name][2]} "
                         f"({by:,} too many)" for name, by in excess.items())
    fits: dict[str, bool] = {}   # by chip, of which several boards may have the same
    for other in catalog.BOARDS.values():
        if other.chip not in fits:
            fits[other.chip] = _fits(network, path, other, wishes)
    larger = [other.name for other in catalog.BOARDS.values() if fits[other.chip]]
    if len(larger) > NAMED:
        larger = [*larger[:NAMED - 1], f"{len(larger) - NAMED + 1} others"]
    what = f"{' or '.join(larger)} would do" if larger else "no board here is large enough"
    if wishes != NO_WISHES and _fits(network, path, board, NO_WISHES):
        less = _sizes(choose_mapping(network, path, board))
        what = f"ask for less parallelism, such as PE x SIMD {less}; or {what}"
    raise InputError(f"{path} ({network.shape}) is too large for {board.name}: it takes {short}; "
                     f"{what}")


def _fits(network: Network, path: pathlib.Path, board: Board, wishes: Wishes) -> bool:
    try:
        mapping = choose_mapping(network, path, board, wishes)
    except InputError:
        return False
    need = cost.estimate(mapping, board.resources, **widths(network.shape))
    return not need.excess(board.resources)


def _sizes(mapping: Any) -> str:
    return ", ".join(f"{layer.pe} x {layer.simd}" +
                     ("" if layer.storage == "block" else f" in {layer.storage}")
                     for layer in mapping.layers)


def describe(mapping: Any) -> str:
    """Parallelism of each layer in a few words."""
    many = "" if mapping.batch == 1 else f", {mapping.batch} images at once"
    why = {"luts": "; LUTs ran out first", "memory": "; memory ran out first",
           "spram": "; SPRAM ran out first",
           "effort": "; faster takes longer to build, see --target-cycles"}
    return f"PE x SIMD {_sizes(mapping)}{many}: {mapping.cycles_per_image:,} cycles an image" \
           f"{why.get(mapping.limit, '')}"

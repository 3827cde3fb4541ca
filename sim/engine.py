"""What can run an accelerator, and what it answers."""

import pathlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from gateware.bus import WORD
from gateware.control import LOADED, NETWORK, network_id
from gateware.serial_folding import SerialFolding
from model.errors import CheckFailed
from model.packing import fields, rows_of


__all__ = ["Engine", "Result", "Waveform", "Image"]


Image = dict[str, list[int]]   # memory rows, by name; see gateware.compiler.image
Words = Sequence[int] | npt.NDArray[np.uint8]   # which may be rows of bytes, lowest first


@dataclass(frozen=True, eq=False)
class Result:
    """What an engine saw of some images.

    Parameters
    ----------
    scores : array of :class:`int`, images × classes
    best : array of :class:`int`, images
        The class that the hardware itself chose.
    cycles : :class:`int`
        From the first input word accepted to the last output accepted.
    done : array of :class:`int`, images
        The same, to the last output of each image.
    trace : dict of arrays, or None
        What passed between layers, as far as the engine sees it: :py:`layerN.sums`,
        :py:`layerN.bits` or :py:`layerN.values`, and :py:`scores.sums`, each images × outputs;
        where samples of an image are kept apart, those of hidden layers are images × samples ×
        outputs. Sums are weighted agreements, as :meth:`model.accumulate.Accumulate.sums` has them.
    when : dict of arrays of :class:`int`, or None
        The cycle in which each of these values and each score passed, by the same names, counted
        as :py:`done` is.
    batch : :class:`int`
        Images that the accelerator works on at once.
    counts : dict of arrays of :class:`int`
        What the accelerator itself counted of these images, for each layer whose weights have
        several bits: :py:`layerN.counts`, by the names of :data:`gateware.compend.COUNTS`.
    """

    scores: np.ndarray
    best: np.ndarray
    cycles: int
    done: np.ndarray
    trace: dict[str, np.ndarray] | None = field(default=None, repr=False)
    when: dict[str, np.ndarray] | None = field(default=None, repr=False)
    batch: int = 1
    counts: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def latency(self) -> int | None:
        """Cycles that the first image took; None where images come and go together."""
        return None if self._together else int(self.done[0])

    @property
    def cycles_per_image(self) -> int | float | None:
        """Cycles that each image of the last full batch added; None where that cannot be told."""
        full = len(self.done) // self.batch
        if self._together or full < 2:
            return self.latency if self.batch == 1 else None
        added = int(self.done[full * self.batch - 1] - self.done[(full - 1) * self.batch - 1])
        return added / self.batch if added % self.batch else added // self.batch

    @property
    def _together(self) -> bool:
        return bool((np.diff(self.done) == 0).any())


@dataclass(frozen=True)
class Waveform:
    """A VCD file to be, and the cycles that it shall show, counted as in :class:`Result`."""

    path: pathlib.Path
    first: int
    last: int


class Engine(Protocol):
    """Anything that runs an accelerator: simulators, netlists, boards."""

    name: str

    def load(self, accelerator: Any) -> None:
        """Make ready to run a :class:`gateware.accelerator.Accelerator`."""

    def write(self, image: Image) -> None:
        """Put weights and thresholds where they belong."""

    def read(self) -> Image:
        """Read them back."""

    def infer(self, images: npt.ArrayLike, *, waveform: Waveform | None = None) -> Result:
        """Classify images, images × inputs.

        With :py:`waveform`, from power-up and the last :py:`write`, and recorded; an engine that
        cannot do that raises :exc:`model.errors.InputError`.
        """


def words_of(accelerator: Any, images: np.ndarray) -> list[int]:
    """Images as the words that an accelerator takes."""
    return [int.from_bytes(row.tobytes(), "little") for row in accelerator.plan.rows_of(images)]


def bus_writes(accelerator: Any, image: Image) -> list[tuple[int, int]]:
    """Addresses and words that put an image where it belongs, in the order to write them.

    The accelerator is told that it has no weights first, and that it has them last, so that a
    transfer cut short leaves none that look whole. An image that wants other weights in logic than
    the accelerator was built with is refused.
    """
    writes = [(accelerator.control_address + LOADED, 0)]
    baked = getattr(accelerator, "image", None) or {}
    for name, region in accelerator.memories.items():
        rows = image[name]
        if len(rows) != region.depth:
            raise ValueError(f"{name} must have {region.depth} rows, not {len(rows)}")
        if not region.writable:
            if rows != baked.get(name):
                raise ValueError(f"{name} is in logic and must be what the accelerator was built "
                                 "with: build it again")
            continue
        for row, word in enumerate(rows):
            for chunk in range(region.chunks):
                writes.append((region.address(row, chunk), word >> 32 * chunk & 0xffffffff))
    return [*writes, (accelerator.control_address + NETWORK, network_id(image)),
            (accelerator.control_address + LOADED, 1)]


def bus_reads(accelerator: Any) -> list[int]:
    """Addresses of the whole image, in the order in which :func:`image_of` takes the words."""
    return [region.address(row, chunk) for region in accelerator.memories.values()
            for row in range(region.depth) for chunk in range(region.chunks)]


def count_reads(accelerator: Any) -> list[int]:
    """Addresses of all counters, in the order in which :func:`counts_of` takes the words."""
    return [region.address(row, 0) for region in accelerator.counters.values()
            for row in range(region.depth)]


def counts_of(accelerator: Any, before: Sequence[int], after: Sequence[int]) \
        -> dict[str, np.ndarray]:
    """What was counted between two times that the counters were read."""
    added = iter((np.array(after, dtype=np.int64) - np.array(before)) % (1 << WORD))
    return {f"layer{n}.counts": np.array([next(added) for _ in range(region.depth)])
            for n, region in accelerator.counters.items()}


def image_of(accelerator: Any, words: Sequence[int]) -> Image:
    """The image whose words were read from :func:`bus_reads`."""
    image, source = {}, iter(words)
    for name, region in accelerator.memories.items():
        image[name] = [sum(next(source) << 32 * chunk for chunk in range(region.chunks))
                       for _ in range(region.depth)]
    return image


def _rows(words: Words, width: int) -> np.ndarray:
    return words if isinstance(words, np.ndarray) else rows_of(words, width)


def decode_output(accelerator: Any, words: Words) -> tuple[np.ndarray, np.ndarray]:
    """Scores and classes from the words that left an accelerator."""
    bits, classes = accelerator.plan.score_bits, accelerator.plan.classes
    best_bits = max(classes - 1, 0).bit_length()
    rows = _rows(words, bits + best_bits + 1)   # which is the last of its image, a bit says
    values = fields(rows, bits, 1).reshape(-1, classes)
    scores = np.where(values >> bits - 1, values - (1 << bits), values)
    return scores, fields(rows[classes - 1::classes], best_bits, 1, above=bits)[:, 0]


def result_of(accelerator: Any, words: Words, stamps: npt.ArrayLike,
              probes: Sequence[tuple[Words, npt.ArrayLike]],
              counters: tuple[Sequence[int], Sequence[int]]) -> Result:
    """What an engine saw, from the words that left an accelerator and the cycle of each.

    Parameters
    ----------
    words : sequence of :class:`int`, or rows of bytes, lowest first
        Of the output.
    stamps : sequence of :class:`int`
        The cycle of each.
    probes : sequence of pairs of such
        Of each layer's probe; empty if the accelerator has none.
    counters : pair of sequences of :class:`int`
        Words at :func:`count_reads`, before the images came and once they had left.
    """
    scores, best = decode_output(accelerator, words)
    trace: dict[str, np.ndarray] = {}
    when = stamps_of_output(accelerator, stamps)
    places = _places(accelerator, len(best))
    for n, (events, times) in enumerate(probes):
        hidden = n < len(accelerator.mapping.layers) - 1
        passes = len(accelerator.mapping.layers[n].passes) if hidden else 1
        for known, values in ((trace, decode_probe(accelerator, n, events)),
                              (when, stamps_of_probe(accelerator, n, times))):
            for name, rows in values.items():
                if len(rows) == places * passes:
                    if hidden and accelerator.shape.apart:
                        rows = _by_image(rows, accelerator.mapping.batch, passes)
                    # The last batch may have had places that no image took.
                    rows = rows[:len(best)]
                known[name] = rows
    done = when["class"][:, 0]
    return Result(scores, best, int(done[-1]), done, trace if probes else None, when,
                  accelerator.plan.batch, counts_of(accelerator, *counters))


def stamps_of_output(accelerator: Any, stamps: npt.ArrayLike) -> dict[str, np.ndarray]:
    """For :py:`Result.when`, from the cycle of each word that left an accelerator."""
    scores = np.asarray(stamps).reshape(-1, accelerator.plan.classes)
    return {"scores": scores, "class": scores[:, -1:]}


def stamps_of_probe(accelerator: Any, n: int, stamps: npt.ArrayLike) -> dict[str, np.ndarray]:
    """For :py:`Result.when`, from the cycle of each word that a layer's probe saw."""
    folding = accelerator.mapping.layers[n]
    if isinstance(folding, SerialFolding):
        lanes = np.repeat(np.asarray(stamps).reshape(-1, folding.words), folding.lanes, axis=1)
        return {f"layer{n}.{folding.results}": lanes[:, :folding.outputs]}
    if n == len(accelerator.mapping.layers) - 1:
        return {"scores.sums": np.asarray(stamps).reshape(-1, folding.outputs)}
    words = _in_turn(np.asarray(stamps), folding)
    lanes = np.repeat(words.reshape(-1, folding.words), folding.lanes, axis=1)
    return dict.fromkeys((f"layer{n}.sums", f"layer{n}.{folding.results}"),
                         lanes[:, :folding.outputs])


def decode_probe(accelerator: Any, n: int, words: Words) -> dict[str, np.ndarray]:
    """What a layer's probe saw, without the neurons that only fill up the last group."""
    folding = accelerator.mapping.layers[n]
    scores = n == len(accelerator.mapping.layers) - 1
    per_image = folding.outputs if scores else folding.words * folding.lanes
    name = "scores" if scores else f"layer{n}"
    each = per_image // folding.lanes * (1 if scores else folding.batch)
    if len(words) % each:
        what = "images" if scores or folding.batch == 1 else "batches"
        raise CheckFailed(f"{name} put out {len(words):,} words, which is no whole number of "
                          f"{what} of {each}")
    if isinstance(folding, SerialFolding):
        rows = _rows(words, folding.output_bits * folding.lanes)
        values = fields(rows, folding.output_bits, folding.lanes).reshape(-1, per_image)
        return {f"layer{n}.{folding.results}": values[:, :folding.outputs].astype(
            bool if folding.results == "bits" else int)}
    width = (folding.total if scores else folding.top).bit_length()
    rows = _rows(words, (width + (0 if scores else folding.output_bits)) * folding.lanes)
    sums = fields(rows, width, folding.lanes)
    if scores:
        return {f"{name}.sums": sums.reshape(-1, per_image)[:, :folding.outputs]}
    fired = fields(rows, folding.output_bits, folding.lanes, above=width * folding.lanes).astype(
        bool if folding.results == "bits" else int)
    sums, fired = (_in_turn(values, folding).reshape(-1, per_image) for values in (sums, fired))
    return {f"{name}.sums": sums[:, :folding.outputs],
            f"{name}.{folding.results}": fired[:, :folding.outputs]}


def _in_turn(words: np.ndarray, folding: Any) -> np.ndarray:
    """Words of a hidden layer, image by image; they leave for all images of a batch by turns."""
    batches = words.reshape(-1, folding.words, folding.batch, *words.shape[1:])
    return batches.swapaxes(1, 2).reshape(words.shape)


def _by_image(rows: np.ndarray, batch: int, passes: int) -> np.ndarray:
    """Rows of pass after pass of each batch, as images × passes × outputs."""
    split = rows.reshape(-1, passes, batch, rows.shape[1])
    return split.swapaxes(1, 2).reshape(-1, passes, rows.shape[1])


def _places(accelerator: Any, images: int) -> int:
    """Places for images in as many batches as these take."""
    batch = accelerator.plan.batch
    return -(-images // batch) * batch

"""PE, SIMD, memory and batch for each layer, from what an FPGA has."""

import bisect
from dataclasses import replace
from functools import lru_cache

from . import area, cost, memories
from .bus import WORD
from .folding import Folding, divides
from .mapping import Mapping, few, sampling, sizes, tiling, widths
from .serial_folding import SerialFolding


__all__ = ["BATCHES", "DEEPEST", "EFFORT", "LEVELS", "ROOM", "SERIAL_LEVELS", "fit"]


BATCHES = (1, 2, 4, 8, 16)   # images at once that are worth a try
EFFORT  = 6_000              # look-up tables

# Registers between the adders of popcounts, which an ECP5 has beside the adders anyway.
LEVELS = {"ecp5": 2}
# And between those of sums of activations, which are many bits wide.
SERIAL_LEVELS = {"ecp5": 1, "ice40": 2}
DEEPEST = 16_384   # rows of weights; more would have to be chosen from several blocks in a cycle
ROOM = 0.95   # of the look-up tables, which estimates of several bits may reach


def fit(shape, resources, *, target=None, effort=EFFORT, batch=1):
    """The fastest mapping that fits :py:`resources`; or the smallest within :py:`target` cycles.

    Layers share the FPGA so that all are about as fast: for each number of cycles that some layer
    can take, every layer gets the smallest parallelism and memory that are fast enough. One step
    faster than what is returned does not fit; several steps faster might, in rare cases. Where even
    the smallest mapping does not fit, that one is returned, and its estimate says what is missing.

    Weights go into block RAM, or SPRAM where that is cheaper; on an ECP5 whose block RAM runs out,
    into block RAM at its full width.

    Parameters
    ----------
    shape : :class:`model.network.Shape`
    resources : :class:`gateware.mapping.Resources`
    target : :class:`int`, or None
        Cycles an image may take.
    effort : :class:`int`
        Look-up tables to stop at even where there are more, because place and route then takes
        minutes to hours. Where the smallest mapping takes more, as many as that takes.
    batch : :class:`int`, or None
        Images that share each row of weights. With None, whichever of :data:`BATCHES` is fastest;
        with a target, the least that is fast enough.
    """
    if batch is not None:
        return _fit(shape, resources, target, effort, batch)
    best = None
    for images in BATCHES:
        try:
            found = _fit(shape, resources, target, effort, images)
        except ValueError:   # some layer has too few cycles for so many
            break
        fits = not cost.estimate(found, resources, **widths(shape)).excess(resources)
        each = max(layer.interval for layer in found.layers) / images
        if target is not None and fits and each <= target:
            return found
        if best is None or (fits, -each) > best[0]:
            best = (fits, -each), found
    return best[1]


def _fit(shape, resources, target, effort, batch):
    """As :func:`fit`, with a batch of that size."""
    found = _search(shape, resources, target, effort, batch, ("block", "spram"))
    if resources.family != "ecp5" or found.limit not in ("memory", "target"):
        return found
    need = cost.estimate(found, resources, **widths(shape))
    if found.limit == "target" and not need.excess(resources):
        return found
    return _search(shape, resources, target, effort, batch, ("block", "wide"))


def _search(shape, resources, target, effort, batch, storages):
    final = len(shape.sizes) - 2
    if batch > 1 and shape.serial:
        raise ValueError("Batch must be 1 where weights have several bits")
    choices = []
    for n, (inputs, outputs, gains) in enumerate(sizes(shape)):
        classes, serial = 0 if n else shape.classes, shape.serial_of(n)
        choices.append(
            _foldings(inputs, outputs, gains, classes, n == final, resources, batch, storages,
                      **sampling(shape, n), **few(shape, n), **tiling(shape, n))
            if serial is None else
            _serial_foldings(inputs, outputs, serial, classes, n == final, resources, storages))
    if not all(choices):
        raise ValueError(f"Batch must be smaller than {batch} for layers as small as these")
    least = max(min(folding.interval for folding, _ in layer) for layer in choices)
    candidates = sorted({folding.interval for layer in choices for folding, _ in layer})
    candidates = [cycles for cycles in candidates if cycles >= least]
    if target is not None:
        candidates = [max((cycles for cycles in candidates if cycles <= target * batch),
                          default=candidates[0])]
        effort = resources.luts
    smallest_of_all = _slowest(choices, candidates[-1], WEIGHINGS[-1])
    if smallest_of_all is not None:
        effort = max(effort, cost.estimate(smallest_of_all, resources, **widths(shape)).luts)
    room = int((1 if shape.binary else ROOM) * resources.luts)
    bound = replace(resources, luts=min(room, effort))

    def smallest(cycles):
        """The first of the mappings that fits, or of all; and by how much it does not."""
        found = None
        for weigh in WEIGHINGS:
            mapping = _slowest(choices, cycles, weigh)
            if mapping is None:
                return None, {"words": None}
            excess = cost.estimate(mapping, bound, **widths(shape)).excess(bound)
            if not excess:
                return mapping, excess
            found = found or (mapping, excess)
        return found

    # What fits at some speed fits at lower ones, but for few: halving finds where that ends, in a
    # hundredth of the time.
    fastest = bisect.bisect_left(candidates, True, hi=len(candidates) - 1,
                                 key=lambda cycles: not smallest(cycles)[1])
    limit = "target" if target is not None else "layers"
    if fastest > 0:
        limit = next(iter(smallest(candidates[fastest - 1])[1]), limit)
        limit = "layers" if limit == "words" else limit
        if limit == "luts" and effort < room:
            limit = "effort"
    found, _ = smallest(candidates[fastest])
    if found is None:
        raise ValueError(f"Batch must be smaller than {batch}: the words of one layer are no part "
                         "of those of the next")
    return Mapping(found.layers, limit)


# How large a parallelism is, by the shares of memory and of look-up tables that it takes: whichever
# is scarcer weighs more; or one of them alone, where that is what there is too little of.
WEIGHINGS = (lambda memory, luts: memory + luts, lambda memory, luts: (memory, luts),
             lambda memory, luts: (luts, memory))


def _slowest(choices, cycles, weigh):
    """The smallest mapping of which no part takes more cycles; None where words do not fit."""
    layers = []
    for choice in choices:
        fast = [(folding, sizes) for folding, sizes in choice if folding.interval <= cycles]
        if layers:
            before = layers[-1]
            if before.batch > 1:
                fast = [(folding, sizes) for folding, sizes in fast
                        if folding.simd % before.lanes == 0]
            fast = [(folding, sizes) for folding, sizes in fast
                    if cost.pace(before, folding) <= cycles] or fast
        if not fast:
            return None
        layers.append(min(fast, key=lambda option: weigh(*option[1]))[0])
    return Mapping(tuple(layers))


@lru_cache(maxsize=64)
def _foldings(inputs, outputs, gains, classes, final, resources, batch, storages, numbers=None,
              passes=(1,), weight_bits=1, output_bits=1, **tiles):
    """Parallelisms worth looking at, each with the shares of memory and look-up tables it takes.

    The host's link counts with the first layer, whose words of pixels it keeps, beside scores of
    so many classes; other layers have none.
    """
    found = []
    simds = sorted({-(-inputs // folds) for folds in range(1, inputs + 1)})
    if not all(divides(simd, inputs, **tiles) for simd in simds):
        # Tiles are smaller than the layer here, and so are words.
        simds = [simd for simd in range(1, inputs) if divides(simd, inputs, **tiles)]
    pes = sorted({-(-outputs // groups) for groups in range(1, outputs + 1)})
    levels = LEVELS.get(resources.family, 0)
    for simd in simds:
        if -(-inputs // simd) * weight_bits * (1 if numbers else len(gains)) < batch:
            continue
        for pe in pes:
            for storage in storages:
                rows = -(-outputs // pe) * -(-inputs // simd) * weight_bits
                if not _possible(storage, pe * simd, rows, resources):
                    continue
                folding = Folding(inputs, outputs, gains, pe, simd, storage, levels=levels,
                                  batch=batch, numbers=numbers, passes=passes,
                                  weight_bits=weight_bits, output_bits=output_bits, **tiles)
                if final and folding.lanes != 1:
                    continue
                found.append((folding, _shares(folding, classes, resources)))
    return found


@lru_cache(maxsize=64)
def _serial_foldings(inputs, outputs, serial, classes, final, resources, storages):
    """As :func:`_foldings`, for weights of several bits."""
    found = []
    levels = SERIAL_LEVELS.get(resources.family, 0)
    for simd in sorted({-(-inputs // folds) for folds in range(1, inputs + 1)}):
        for pe in sorted({-(-outputs // groups) for groups in range(1, outputs + 1)}):
            for storage in storages:
                rows = -(-outputs // pe) * -(-inputs // simd) * serial.weight_bits
                if rows > DEEPEST or not _possible(storage, simd, rows, resources):
                    continue
                folding = SerialFolding(inputs, outputs, **vars(serial), pe=pe, simd=simd,
                                        storage=storage, levels=levels)
                if final and folding.lanes != 1:
                    continue
                found.append((folding, _shares(folding, classes, resources)))
    return found


def _shares(folding, classes, resources):
    """Shares of memory and of look-up tables that a layer takes, with the host's link if first."""
    blocks, luts = cost.layer(folding, resources)
    if classes:
        kept, more = area.link(folding, classes, WORD, resources)
        blocks, luts = blocks + kept, luts + more
    memory = blocks / resources.memory_blocks
    if folding.storage == "spram":
        memory += cost.spram_blocks(folding) / resources.spram_blocks
    return memory, luts / resources.luts


def _possible(storage, width, rows, resources):
    """Whether an FPGA has such memory."""
    if storage == "spram" and not resources.spram_blocks:
        return False
    try:
        memories.check(storage, width, rows)
    except ValueError:
        return False
    return True

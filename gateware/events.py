"""What happens in an accelerator for some images, counted: bits read, cells sensed, bits moved."""

from dataclasses import dataclass, fields

from .serial_folding import SerialFolding


__all__ = ["Events", "events", "total"]


@dataclass(frozen=True)
class Events:
    """Events of one layer, or of several.

    Cells that only fill up a row or a group count like any others, since they are there and work,
    and so do the places of a batch that no image takes. Not counted are thresholds, gains and
    biases, of which a neuron has one each, pixels on their way to the first buffer, the converters
    of tiles that sense, whose counts are added up as if they were exact, the bit line of clear
    cells that weights of several bits share, and cycles of waiting.
    Where neurons may end early these are the most that there can be, as if none did, and as if no
    word were left out.

    Parameters
    ----------
    weight_bits : :class:`int`
        Bits of weights fetched: a row for each word of inputs of each group of neurons. It stays
        for all planes of the word, and serves all images of a batch.
    xnors : :class:`int`
        Cells sensed: PE × SIMD in each beat, for each image of a batch.
    counts : :class:`int`
        Counts of the cells of a column that agree: PE in each beat, of SIMD cells each, for each
        image of a batch.
    additions, addition_bits : :class:`int`
        Additions of counts to what is kept of a neuron, and bits of the registers that they are
        made in; in the last layer of several passes, of their sums to one another as well. Adders
        within a count are part of the count.
    comparisons : :class:`int`
        Sums compared with a threshold; in the last layer, scores with the best one so far.
    hops : :class:`int`
        Bits of activations moved from component to component: into the layer's buffer, from there
        into the crossbar, once for each group, and on from the accumulators: bits after a
        comparison, or the sums of the last layer.
    writes : :class:`int`
        Bits of weights written by a host.
    """

    weight_bits: int
    xnors: int
    counts: int
    additions: int
    addition_bits: int
    comparisons: int
    hops: int
    writes: int


def events(mapping, images=1, *, loads=0):
    """:class:`Events` of each layer, exactly, as a simulation has them.

    Parameters
    ----------
    mapping : :class:`gateware.mapping.Mapping`
    images : :class:`int`
        Images that are classified.
    loads : :class:`int`
        How often a host writes all weights before.
    """
    for name, value in (("Images", images), ("Loads", loads)):
        if not isinstance(value, int):
            raise TypeError(f"{name} must be an integer, not {value!r}")
        if value < 0:
            raise ValueError(f"{name} must not be negative, not {value!r}")
    last = len(mapping.layers) - 1
    return tuple(_layer(folding, before, images, loads, n == last) for n, (folding, before)
                 in enumerate(zip(mapping.layers, (None, *mapping.layers), strict=False)))


def _serial(folding, images, loads, last):
    """Events of a layer of weights of several bits, of which a cell is a bit of a weight."""
    words = images * folding.outputs * folding.weight_bits * folding.folds
    loaded = sum(region.width * region.depth for name, region in folding.regions.items()
                 if name.startswith("weights") and region.writable)
    return Events(
        weight_bits=words * folding.simd,
        xnors=words * folding.simd * folding.input_bits,
        counts=words,
        additions=words,
        addition_bits=words * folding.acc_bits,
        comparisons=images * folding.outputs if last else 0,
        hops=images * folding.folds * folding.simd * folding.input_bits
        * (1 + folding.groups * folding.weight_bits)
        + images * folding.words * folding.lanes * folding.output_bits,
        writes=loads * loaded)


def _layer(folding, before, images, loads, last):
    if isinstance(folding, SerialFolding):
        return _serial(folding, images, loads, last)
    row = folding.pe * folding.simd
    batches, passes = -(-images // folding.batch), len(folding.passes)
    taken = batches * folding.batch     # places for images
    places = taken * passes             # for what passes by
    beats = taken * folding.interval    # of a vector
    sum_bits = folding.top.bit_length()
    additions, addition_bits = beats * folding.pe, beats * folding.pe * sum_bits
    if folding.serial:
        # Planes are added up within a word, and words one by one.
        part_bits = (folding.simd * sum(folding.gains)).bit_length()
        words = places * folding.rows * folding.pe
        additions     += words
        addition_bits  = beats * folding.pe * part_bits + words * sum_bits
    if last and sum(folding.passes) > 1:
        additions     += places * folding.words
        addition_bits += places * folding.words * folding.total.bit_length()
    # Into the buffer go words, or where images go in batches what left the layer before.
    if before is None or folding.batch == 1:
        moved = (images if before is None else places) * folding.folds * folding.pixel_bits \
            * folding.simd
    else:
        moved = places * before.words * before.lanes
    moved += places * folding.rows * folding.pixel_bits * folding.simd \
        + places * folding.words * folding.lanes * (sum_bits if last else folding.output_bits)
    return Events(
        weight_bits=batches * passes * folding.rows * row,
        xnors=beats * row,
        counts=beats * folding.pe,
        additions=additions,
        addition_bits=addition_bits,
        comparisons=images * folding.outputs if last
        else places * folding.words * folding.lanes * folding.turns * folding.steps,
        hops=moved,
        writes=loads * folding.rows * row if folding.weights.writable else 0)


def total(layers):
    """Events of several layers together."""
    return Events(*(sum(getattr(each, field.name) for each in layers)
                    for field in fields(Events)))

"""How a layer's work is laid out over its hardware, in space and in time."""

from dataclasses import dataclass, replace
from functools import cached_property

from amaranth.utils import bits_for

from model.accumulate import WEIGHT_BITS
from model.checks import check_range
from model.dense import OUTPUT_BITS
from model.sense import Sense
from model.stochastic import BITS, Numbers

from .adder_tree import stages
from .bus import Region
from .memories import check, latency


__all__ = ["Folding", "divides"]


def divides(simd, inputs, tile_rows=None, sense="exact"):
    """Whether words of :py:`simd` inputs end where tiles do, or need not, as counts are exact."""
    rows = min(tile_rows or inputs, inputs)
    return rows == inputs or rows % simd == 0 or Sense(rows, sense).exact


@dataclass(frozen=True)
class Folding:
    """A layer of :py:`outputs` × :py:`inputs` weights on :py:`pe` × :py:`simd` XNORs.

    Neurons are taken in :py:`groups` of :py:`pe`. For each group, and for each bit of its weights,
    all inputs pass by in :py:`folds` words of :py:`simd`, and each word stays for as many cycles as
    it has :py:`planes`: so many :py:`beats` make a group. Neither number has to divide the layer;
    the cells that fill it up hold 1 and meet inputs of 0, which never agree.

    A neuron's sum stays for as many :py:`turns` as it takes to compare it with all its thresholds,
    :py:`steps` of them at a time. How many neurons leave at once, and how many thresholds they meet
    at once, are such that there are as few comparisons in a cycle as never make the next group
    wait.

    Parameters
    ----------
    inputs, outputs : :class:`int`
        Size of the layer.
    gains : tuple of :class:`int`
        Weight of each plane, as :class:`model.accumulate.Accumulate` has it. Where planes are drawn
        of pixels, hardware is made for as many as would weigh 1 each.
    pe : :class:`int`
        Neurons worked on in one cycle, at most :py:`outputs`.
    simd : :class:`int`
        Inputs worked on in one cycle, at most :py:`inputs`.
    storage : :class:`str`
        Where the weights are: one of :data:`gateware.memories.STORAGE`. SPRAM has at most 64 bits
        in a row and 16,384 rows, and wide block RAM 2,048 rows.
    levels : :class:`int`
        Adders between registers, as :class:`gateware.popcount.Popcount` has it.
    batch : :class:`int`
        Vectors that are worked on at once and share each row of weights; at most :py:`beats`, so
        that they leave while the next group is worked on.
    tile_rows : :class:`int`, or None
        Inputs that a tile takes, as :class:`model.accumulate.Accumulate` has it. Where tiles are
        not exact, a multiple of :py:`simd` if less than :py:`inputs`.
    sense : :class:`str` or :class:`int`
        How a tile senses, as :class:`model.sense.Sense` has it.
    numbers : :class:`model.stochastic.Numbers`, or None
        By which planes are drawn of pixels, where they are; what the layer computes of them does
        not depend on it.
    passes : tuple of :class:`int`
        Weight of each pass that an image makes through all layers, with one plane of it; what the
        last layer makes of them is added up. All are the same power of two, and hardware is made
        for as many as would weigh 1 each.
    weight_bits, output_bits : :class:`int`
        Bits of a weight and of an activation, as :class:`model.dense.Dense` has them.
    """

    inputs: int
    outputs: int
    gains: tuple[int, ...]
    pe: int
    simd: int
    storage: str = "block"
    levels: int = 0
    batch: int = 1
    tile_rows: int | None = None
    sense: str | int = "exact"
    numbers: Numbers | None = None
    passes: tuple[int, ...] = (1,)
    weight_bits: int = 1
    output_bits: int = 1

    def __post_init__(self):
        check_range("Bits of a weight", self.weight_bits, 1, WEIGHT_BITS)
        check_range("Bits of an activation", self.output_bits, 1, OUTPUT_BITS)
        for name, limit in (("pe", self.outputs), ("simd", self.inputs)):
            value = getattr(self, name)
            if not isinstance(value, int):
                raise TypeError(f"{name.upper()} must be an integer, not {value!r}")
            if not 1 <= value <= limit:
                raise ValueError(f"{name.upper()} must be between 1 and {limit}, not {value!r}")
        check(self.storage, self.pe * self.simd, self.rows)
        if not isinstance(self.levels, int):
            raise TypeError(f"Levels must be an integer, not {self.levels!r}")
        if self.levels < 0:
            raise ValueError(f"Levels must be at least 0, not {self.levels!r}")
        if not isinstance(self.batch, int):
            raise TypeError(f"Batch must be an integer, not {self.batch!r}")
        if not 1 <= self.batch <= self.least_beats:
            raise ValueError(f"Batch must be between 1 and the {self.least_beats} cycles that a "
                             f"group of neurons takes, not {self.batch!r}: choose a smaller SIMD, "
                             "or batch")
        Sense(self.inputs if self.tile_rows is None else self.tile_rows, self.sense)
        if not divides(self.simd, self.inputs, self.tile_rows, self.sense):
            raise ValueError(f"SIMD must divide the {self.tile_rows} rows of a tile, "
                             f"not {self.simd}")
        if self.weight_bits > 1 and self.sensing:
            raise ValueError("Tiles must sense every count as what it is where weights have "
                             f"{self.weight_bits} bits")
        if self.batch > 1 and self.few:
            raise ValueError("Batch must be 1 where weights or activations have several bits")

    @property
    def few(self):
        """Whether a weight or an activation has several bits."""
        return self.weight_bits > 1 or self.output_bits > 1

    @property
    def planes(self):
        return len(self.gains)

    @property
    def serial(self):
        """Whether a plane weighs half as much as the one before it, rather than the same."""
        return self.gains[0] > self.gains[-1]

    @property
    def samples(self):
        """Samples that hardware is made for, of which it may draw fewer; 1 where none are drawn."""
        return (1 if self.numbers is None else sum(self.gains)) * sum(self.passes)

    @property
    def sampled(self):
        """Whether there may be fewer planes in a word than hardware is made for."""
        return self.numbers is not None and sum(self.gains) > 1

    def drawing(self, samples):
        """The same hardware while it draws so many samples."""
        if self.samples == 1:
            return self
        each = (self.samples // samples,) * samples
        return replace(self, passes=each) if sum(self.passes) > 1 else replace(self, gains=each)

    @property
    def pixel_bits(self):
        """Bits of an input that its buffer holds."""
        if self.numbers is not None and self.samples > 1:
            return BITS
        return self.planes if self.serial else 1

    @property
    def folds(self):
        return -(-self.inputs // self.simd)

    @property
    def pixels(self):
        """Inputs that come at once."""
        return self.simd

    @property
    def entering(self):
        """Words that come for a vector."""
        return self.folds

    @property
    def tile_inputs(self):
        """Inputs of each tile but the last."""
        return min(self.tile_rows or self.inputs, self.inputs)

    @property
    def tile_folds(self):
        """Words of each tile but the last."""
        return -(-self.tile_inputs // self.simd)

    @property
    def edge_inputs(self):
        """Inputs of the last tile."""
        return (self.inputs - 1) % self.tile_inputs + 1

    @property
    def sensing(self):
        """Whether tiles give anything but their counts."""
        return not Sense(self.tile_inputs, self.sense).exact

    @property
    def tiles(self):
        """What hardware depends on: inputs of a tile and how it senses; None where it is exact."""
        return (self.tile_inputs, self.sense) if self.sensing else None

    @property
    def groups(self):
        return -(-self.outputs // self.pe)

    @property
    def times(self):
        """How often a vector passes by."""
        return self.groups * self.weight_bits

    @property
    def rows(self):
        """Rows of weights, :py:`pe` × :py:`simd` bits each."""
        return self.times * self.folds

    @property
    def beats(self):
        """Cycles that a group takes."""
        return self.folds * self.planes * self.weight_bits

    @property
    def least_beats(self):
        """Cycles that a group takes at least, with as few planes as can be drawn."""
        return self.folds * self.weight_bits if self.numbers is not None else self.beats

    @property
    def interval(self):
        """Cycles that a batch takes, in all of its passes."""
        return self.groups * self.beats * len(self.passes)

    @property
    def latency(self):
        """Cycles from a group's last word to its first sums."""
        return (latency(self.storage) + stages(self.simd, self.levels) + self.sensing + self.serial
                + 2)

    @cached_property
    def _leaving(self):
        """Neurons that leave at once, and thresholds that each meets at once."""
        ways = []
        for lanes in range(1, self.pe + 1):
            turns = min(self.least_beats // (self.pe // lanes * self.batch), self.stairs)
            if turns and self.pe % lanes == 0:
                steps = -(-self.stairs // turns)
                ways.append((lanes * steps, lanes, steps))
        return min(ways)[1:]

    @property
    def stairs(self):
        """Thresholds of a neuron."""
        return (1 << self.output_bits) - 1

    @property
    def lanes(self):
        """Neurons that leave at once."""
        return self._leaving[0]

    @property
    def steps(self):
        """Thresholds that each of them meets in a cycle."""
        return self._leaving[1]

    @property
    def turns(self):
        """Cycles that it takes to meet all."""
        return -(-self.stairs // self.steps)

    @property
    def drain(self):
        """Cycles in which a group's neurons leave, of all vectors of a batch."""
        return self.pe // self.lanes * self.batch * self.turns

    @property
    def results(self):
        """What a probe calls activations."""
        return "bits" if self.output_bits == 1 else "values"

    @property
    def held(self):
        """Batches that a layer can hold at once, however long what follows it waits.

        Two of them are in the banks of the buffer before it. Of others the last word was read from
        there, and the last sums have not left; these are as far apart as batches follow.
        """
        return 2 + -(-(self.latency + self.drain + 1) // (self.groups * self.least_beats))

    @property
    def words(self):
        """Words of :py:`lanes` neurons that leave for each vector."""
        return self.groups * (self.pe // self.lanes)

    @property
    def top(self):
        """The greatest sum of a pass, as :class:`model.accumulate.Accumulate` has it."""
        return self.inputs * sum(self.gains) << (self.weight_bits if self.weight_bits > 1 else 0)

    @property
    def total(self):
        """The greatest sum of all passes."""
        return self.top * sum(self.passes)

    @property
    def threshold_bits(self):
        """Width of a threshold, of which the greatest is out of reach."""
        return bits_for(self.top + 1)

    @property
    def regions(self):
        """Size of each memory, by name."""
        return {"weights": self.weights, "thresholds": self.thresholds}

    @property
    def weights(self):
        """Size of the memory of weights."""
        return Region(self.pe * self.simd, self.rows, writable=self.storage != "logic")

    @property
    def thresholds(self):
        """Size of the memory of thresholds."""
        return Region(self.lanes * self.steps * self.threshold_bits, self.words * self.turns)

"""All that is fixed about a trainer, short of its logic."""

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cached_property

import numpy as np

from model.encoder import BitSerial
from model.frame import Layer

from . import bus
from .control import REGISTERS
from .learning_folding import LearningFolding
from .planned import Placed


__all__ = ["LearningPlan"]


BYTES = BitSerial(8)


@dataclass(frozen=True)
class LearningPlan(Placed):
    """What a host has to know of a :class:`gateware.trainer.Trainer` to talk to it.

    To a host it is as :class:`gateware.plan.Plan`: an image, of bytes, has its label as a last
    pixel, behind those zeros that fill up its last word.

    Parameters
    ----------
    folding : :class:`gateware.learning_folding.LearningFolding`
        The rule, and how it is laid out.
    """

    folding: LearningFolding

    @property
    def words(self):
        """Words of an image and its label."""
        return self.folding.entering + 1

    @property
    def inputs(self):
        """Bytes of an image and its label, as they are sent."""
        return self.folding.entering * self.folding.pixels + 1

    @property
    def sent_bits(self):
        return BYTES.bits

    @property
    def pixels(self):
        """Pixels that come in one cycle."""
        return self.folding.pixels

    @property
    def classes(self):
        return self.folding.spec.classes

    @property
    def score_bits(self):
        return self.folding.score_bits

    @property
    def batch(self):
        """Images that are worked on at once."""
        return 1

    @property
    def learns(self):
        """Whether images come with labels, from which it learns."""
        return True

    @property
    def probed(self):
        """Layers that can have a probe."""
        return ()

    @property
    def in_spram(self):
        """Whether anything is in SPRAM."""
        return self.folding.storage == "spram"

    @property
    def told(self):
        """Layers as hosts are told of them, each a :class:`model.frame.Layer`."""
        spec, folding = self.folding.spec, self.folding
        return (Layer(spec.inputs, spec.hidden, folding.pe, 1, 8),
                Layer(spec.hidden, spec.classes, spec.classes, folding.rows, 1))

    @cached_property
    def _placed(self):
        return bus.place(self.folding.regions | {"control": bus.Region(bus.WORD, REGISTERS)})

    @property
    def memories(self):
        """The same, of that which an image of memories fills."""
        return {name: region for name, region in self.regions.items() if name != "control"}

    @property
    def counters(self):
        """None: what is counted is in the memory of convergence."""
        return {}

    def empty(self, name):
        """Whether a memory has no contents at power-up, whatever there is to give it."""
        return name == "first" and self.in_spram

    @property
    def fills(self):
        """Whether all memories can have their contents from power-up."""
        return not self.in_spram

    @property
    def hash(self):
        """Eight bytes that tell one hardware from another: all of it but the seed."""
        folding = asdict(self.folding)
        del folding["spec"]["seed"]
        return hashlib.sha256(json.dumps(["learns", folding]).encode()).digest()[:8]

    def sent(self, images):
        """Images with their labels, images × (inputs + 1), as they are sent."""
        images, inputs = BYTES.check(images), self.folding.spec.inputs
        if images.shape[1:] != (inputs + 1,):
            raise ValueError(f"Images must be {inputs} pixels and a label, not "
                             f"{' × '.join(map(str, images.shape[1:]))} numbers")
        sent = np.zeros((len(images), self.inputs), dtype=np.uint8)
        sent[:, :inputs], sent[:, -1] = images[:, :-1], images[:, -1]
        return sent

    def rows_of(self, images):
        """The same as they come in, a word in each row of bytes."""
        sent = self.sent(images)
        rows = np.zeros((len(sent), self.words * self.pixels), dtype=np.uint8)
        rows[:, :self.inputs] = sent
        return rows.reshape(len(sent) * self.words, self.pixels)

    def limit(self, images):
        """Cycles after which something must be wrong, if so many images are still inside."""
        return 2 * self.cycles(images) + 100

    def cycles(self, images, rounds=1, taken=None):
        """Cycles from the first word in to the last score out, if nobody waits.

        :py:`taken` is what each image took, round after round, as
        :meth:`gateware.learning_folding.LearningFolding.cycles` says of it, alone in a tuple.
        Without it this is the most that there can be.
        """
        loads, count = self.folding.loads, images * rounds
        if taken is None:
            most = self.folding.most
            return loads + most + (count - 1) * max(loads, most) if count else 0
        before = free = ready = 0   # when the last two are done with, and when this one is there
        for time in taken[0]:
            ready = max(ready, before) + loads
            before, free = free, max(free, ready) + time
        return free

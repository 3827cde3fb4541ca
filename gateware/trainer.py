"""Hardware that learns, as a host sees it."""

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from . import bus
from .control import Control, network_id
from .planned import Planned
from .scores import layout
from .sign_update import SignUpdate


__all__ = ["Trainer"]


class Trainer(Planned, wiring.Component):
    """A :class:`gateware.sign_update.SignUpdate` with all its memories on one bus.

    Stands where a :class:`gateware.accelerator.Accelerator` does: behind a host link, on a board,
    in a simulator. To classify images is to learn them here, each from the label behind it; a label
    that no class has is none. With the last score of an image it has been learned.

    Parameters
    ----------
    plan : :class:`gateware.learning_plan.LearningPlan`
        The rule, how it is laid out, and addresses.
    image : dict of list of :class:`int`, or None
        Memory contents at power-up, as :meth:`gateware.learning_folding.LearningFolding.image` has
        them. Counters in SPRAM have none: a host has to write them.

    Members
    -------
    i : :py:`In(stream.Signature(data.ArrayLayout(8, plan.pixels)))`
        Images: words of pixels, zeros filling up the last one, then a word with the label lowest.
    o : :py:`Out(stream.Signature(layout(plan.classes, plan.score_bits)))`
        A word for each class, in order; :py:`best` holds with the last.
    bus : :py:`In(bus.Signature(plan.addr_width))`
        The host's access to all memories, while no image is inside; and, at
        :py:`plan.control_address`, to the registers of :mod:`gateware.control`.
    loaded : :py:`Out(1)`
        Whether the counters are there; from power-up where there was an image and no SPRAM.
    """

    def __init__(self, plan, *, image=None):
        self._plan = plan
        self._image = image
        super().__init__({
            "i": In(stream.Signature(data.ArrayLayout(8, plan.pixels))),
            "o": Out(stream.Signature(layout(plan.classes, plan.score_bits))),
            "bus": In(bus.Signature(plan.addr_width)),
            "loaded": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        plan, image = self._plan, self._image
        m.submodules.decoder = decoder = bus.Decoder(plan.regions, plan.addr_width)
        wiring.connect(m, wiring.flipped(self.bus), decoder.bus)
        m.submodules.learner = learner = SignUpdate(plan.folding, image={
            name: rows for name, rows in (image or {}).items() if not plan.empty(name)})
        for name in plan.memories:
            decoder.add(name, getattr(learner, f"{name}_bus"))
        wiring.connect(m, wiring.flipped(self.i), learner.i)
        wiring.connect(m, learner.o, wiring.flipped(self.o))
        m.submodules.control = control = Control(loaded=image is not None and plan.fills,
                                                 network=network_id(image))
        decoder.add("control", control.bus)
        m.d.comb += self.loaded.eq(control.loaded)
        return m

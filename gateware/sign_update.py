"""Training on chip: two layers of counters, learned by the signs of their errors alone."""

from amaranth import *
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from . import bus
from .convergence import Convergence
from .first_crossbar import FirstCrossbar
from .judge import LABEL, Judge
from .scores import layout
from .second_crossbar import SecondCrossbar


__all__ = ["SignUpdate"]


class SignUpdate(wiring.Component):
    """Learns images that come with their labels, by the rule of the golden model.

    Does what :class:`model.sign_update.Learner` does, one image after another, while the next one
    comes; :class:`model.sign_update.SignUpdate` has the rule. Of each image the scores leave, as
    they were before it was learned, and the last of them once it has been. An image with a label
    that no class has is classified, and nothing is learned. :meth:`folding.cycles` says how long
    each takes.

    Parameters
    ----------
    folding : :class:`gateware.learning_folding.LearningFolding`
        The rule, and how it is laid out.
    image : dict of list of :class:`int`, or None
        Rows at power-up, by name, as :meth:`folding.image` has them; none for a memory that is not
        in it.

    Members
    -------
    i : :py:`In(stream.Signature(data.ArrayLayout(8, folding.pixels)))`
        Images: :py:`folding.entering` words of pixels, zeros filling up the last one, then a word
        with the label lowest.
    o : :py:`Out(stream.Signature(layout(classes, folding.score_bits)))`
        The scores of each.
    idle : :py:`Out(1)`
        Whether no image is worked on. A host accesses memories then, and while none comes.
    first_bus, second_bus, copy_bus, convergence_bus, draws_…_bus : :py:`In(bus.Signature(…))`
        The host's access to each that :py:`folding.regions` names.
    """

    def __init__(self, folding, *, image=None):
        self._folding = folding
        self._image = image or {}
        super().__init__({
            "i": In(stream.Signature(data.ArrayLayout(8, folding.pixels))),
            "o": Out(stream.Signature(layout(folding.spec.classes, folding.score_bits))),
            "idle": Out(1),
            **{f"{name}_bus": In(bus.Signature(region.addr_width))
               for name, region in folding.regions.items()},
        })

    def elaborate(self, platform):
        m = Module()
        folding, spec = self._folding, self._folding.spec
        parts = {"first": ("first", "draws_bits", "draws_rows"),
                 "second": ("second", "copy", "draws_pulses", "draws_faults")}
        images = {part: {name: self._image[name] for name in names if name in self._image}
                  for part, names in parts.items()}
        m.submodules.first = first = FirstCrossbar(folding, image=images["first"])
        m.submodules.second = second = SecondCrossbar(folding, image=images["second"])
        m.submodules.judge = judge = Judge(
            classes=spec.classes, score_bits=folding.score_bits, margin=spec.margin)
        m.submodules.convergence = convergence = Convergence(init=self._image.get("convergence"))
        for part, names in (first, parts["first"]), (second, parts["second"]):
            for name in folding.regions:   # in this order, so that all builds are alike
                if name not in names:
                    continue
                wiring.connect(m, wiring.flipped(getattr(self, f"{name}_bus")),
                               getattr(part, f"{name}_bus"))
        wiring.connect(m, wiring.flipped(self.convergence_bus), convergence.bus)
        wiring.connect(m, judge.o, wiring.flipped(self.o))
        m.d.comb += judge.release.eq(first.end)

        # Words of pixels, then a label.
        labels = Signal(data.ArrayLayout(LABEL, 2))
        there  = Signal(2)   # labels
        bank, turn = Signal(), Signal()
        word  = Signal(range(folding.entering + 1))
        ours  = word == folding.entering
        m.d.comb += [first.i.payload.eq(self.i.payload), first.i.valid.eq(self.i.valid & ~ours),
                     self.i.ready.eq(Mux(ours, ~there.bit_select(bank, 1), first.i.ready))]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += word.eq(word + 1)
            with m.If(ours):
                m.d.sync += [word.eq(0), bank.eq(~bank), labels[bank].eq(self.i.payload[0]),
                             there.bit_select(bank, 1).eq(1)]
        label = labels[turn]
        m.d.comb += [judge.label.eq(label),
                     judge.scores.eq(second.scores), second.label.eq(label),
                     second.rival.eq(judge.rival)]

        self._hidden(m, first, second)
        changed = self._changes(m, first, second)
        rate = Signal.like(convergence.rate)   # of this image
        m.d.comb += [first.rate.eq(rate), second.rate.eq(rate)]
        ready = first.full & there.bit_select(turn, 1) & ~judge.busy
        with m.FSM():
            with m.State("WAIT"):
                m.d.comb += self.idle.eq(~ready & convergence.idle)
                with m.If(ready):
                    m.d.comb += first.forward.eq(1)
                    m.next = "FORWARD"
            with m.State("FORWARD"):
                with m.If(first.done):
                    m.d.comb += second.scoring.eq(1)
                    m.next = "SCORES"
            with m.State("SCORES"):
                with m.If(second.done):
                    m.d.comb += judge.start.eq(1)
                    m.next = "JUDGE"
            with m.State("JUDGE"):
                # What the image before had to say is long in the rate.
                m.d.sync += rate.eq(convergence.rate)
                with m.If(judge.done):
                    m.d.comb += [convergence.sample.eq(judge.known),
                                 convergence.error.eq(judge.wrong),
                                 second.learning.eq(judge.learns)]
                    m.next = "END"
                    with m.If(judge.learns):
                        m.next = "ERRORS"
            with m.State("ERRORS"):
                with m.If(second.done):
                    m.next = "END"
                    with m.If(changed.any()):
                        m.d.comb += first.update.eq(1)
                        m.next = "UPDATE"
            with m.State("UPDATE"):
                with m.If(first.done):
                    m.next = "END"
            with m.State("END"):
                m.d.comb += first.end.eq(1)
                m.d.sync += [there.bit_select(turn, 1).eq(0), turn.eq(~turn)]
                m.next = "WAIT"
        return m

    def _hidden(self, m, first, second):
        """Keep signs of hidden sums; of a single group they are where they have been added up."""
        if self._folding.groups == 1:
            m.d.comb += [second.signs.eq(first.signs), second.near.eq(first.near)]
            return
        _keep(m, "hidden", self._folding.groups, (first.signs, first.near), first.sums_en,
              first.sums_group, second.group, (second.signs, second.near))

    def _changes(self, m, first, second):
        """Keep changes of hidden neurons, and tell which groups have any."""
        changed = Signal(self._folding.groups)
        with m.If(second.learning):
            m.d.sync += changed.eq(0)
        with m.If(second.changes_en):
            m.d.sync += changed.bit_select(second.changes_group, 1).eq(
                (second.up | second.down).any())
        m.d.comb += first.changed.eq(changed)
        if self._folding.groups == 1:
            with m.If(second.changes_en):
                m.d.sync += [first.up.eq(second.up), first.down.eq(second.down)]
        else:
            _keep(m, "changes", self._folding.groups, (second.up, second.down), second.changes_en,
                  second.changes_group, first.group, (first.up, first.down))
        return changed


def _keep(m, name, depth, come, w_en, w_addr, r_addr, leave):
    """Memory of words that are there in the cycle after they are asked for."""
    m.submodules[name] = cells = memory.Memory(shape=len(Cat(come)), depth=depth, init=[])
    w_port, r_port = cells.write_port(), cells.read_port()
    m.d.comb += [w_port.en.eq(w_en), w_port.addr.eq(w_addr), w_port.data.eq(Cat(come)),
                 r_port.addr.eq(r_addr), Cat(leave).eq(r_port.data)]

"""What a component that stands behind a host link says of itself."""

__all__ = ["Planned", "Placed"]


class Placed:
    """A plan whose memories have places: in :py:`_placed`, as :func:`gateware.bus.place` says.

    One of them is called ``"control"``.
    """

    @property
    def plan(self):
        """Itself: what will do with a component's plan takes either."""
        return self

    @property
    def regions(self):
        """Where everything lies on the bus: a :class:`gateware.bus.Region` for each name."""
        return self._placed[0]

    @property
    def addr_width(self):
        return self._placed[1]

    @property
    def control_address(self):
        """Address of the registers of :mod:`gateware.control`."""
        return self.regions["control"].base


class Planned:
    """A component that says what its plan does, for hosts and simulators.

    It has streams :py:`i` and :py:`o`, a :py:`bus`, and :py:`loaded`; a plan in :py:`_plan`, as
    :class:`gateware.plan.Plan` is one; and in :py:`_image` what its memories hold at power-up.
    """

    @property
    def plan(self):
        return self._plan

    @property
    def image(self):
        """Memory contents at power-up, or None."""
        return self._image

    @property
    def words(self):
        """Words of an image."""
        return self._plan.words

    @property
    def memories(self):
        """Where each memory lies on the bus: a :class:`gateware.bus.Region` for each name."""
        return self._plan.memories

    @property
    def control_address(self):
        return self._plan.control_address

    @property
    def counters(self):
        """Where counters of layers lie, by the number of the layer."""
        return self._plan.counters

    @property
    def hash(self):
        """Eight bytes that tell one hardware from another."""
        return self._plan.hash

    def cycles(self, images, rounds=1, taken=None):
        """Cycles that some images take, as :meth:`gateware.plan.Plan.cycles` has it."""
        return self._plan.cycles(images, rounds, taken)

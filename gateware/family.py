"""For which family of FPGAs a design is elaborated."""

__all__ = ["FAMILIES", "Target", "family"]


FAMILIES = ("generic", "ice40", "ecp5")   # whose own cells some component makes use of


class Target:
    """What stands in for a platform where a family is all there is to know.

    Parameters
    ----------
    name : :class:`str`
        One of :data:`FAMILIES`.
    """

    def __init__(self, name):
        if name not in FAMILIES:
            raise ValueError(f"Family must be one of {', '.join(FAMILIES)}, not {name!r}")
        self.family = name


def family(platform):
    """The one of :data:`FAMILIES` that a platform belongs to.

    It is ``"generic"`` without a platform, as in simulators and in emitted Verilog, and for
    families whose cells are described by plain logic.
    """
    name = str(getattr(platform, "family", "")).lower()
    return name if name in FAMILIES else "generic"

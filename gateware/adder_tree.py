"""Which small additions count the set bits of a word."""

from dataclasses import dataclass


__all__ = ["Adder", "adder_tree", "stages"]


@dataclass(frozen=True, eq=False)
class Adder:
    """Adds up two numbers and a carry, each of them a bit of the word or what another adder gives.

    Parameters
    ----------
    a, b : :class:`int` or :class:`Adder`
        A bit by its place, or the sum of an adder; :py:`a` is not of fewer bits than :py:`b`.
    carry : :class:`int`, or None
        A bit by its place.
    level : :class:`int`
        How many adders follow one another up to and with this one.
    """

    a: "Adder | int"
    b: "Adder | int"
    carry: int | None
    level: int


def split(width):
    """Of how many bits each the numbers are that the last adder over :py:`width` bits adds up.

    The first is the largest that is one level less deep and has no gap: 2ᵏ − 1 bits. What both
    leave over is the carry, and only an adder of two bits has none.
    """
    if width == 2:
        return 1, 1
    first = min((1 << width.bit_length() - 1) - 1, width - 2)
    return first, width - 1 - first


def stages(width, levels):
    """Registers on the way through a tree: one after every :py:`levels` levels of adders.

    The last one is behind the tree, and with :py:`levels` = 0 it is the only one.
    """
    return max(1, -(-(width.bit_length() - 1) // levels)) if levels else 1


def adder_tree(width):
    """Adders that count :py:`width` bits, level by level; the last level has one, whose sum it is.

    The tree has as few levels as adders with a carry allow, ``width.bit_length() - 1``, and of all
    such trees one whose adders, with a cell for each bit of a sum, have the fewest cells: a carry
    costs nothing, and 2ᵏ − 1 bits fill every number up.

    Returns
    -------
    list of list of :class:`Adder`
        Every adder, and with them every bit of the word, once; none for a word of one bit.
    """
    levels = [[] for _ in range(width.bit_length() - 1)]

    def number(first, width):
        if width == 1:
            return first
        a, b = split(width)
        carry = first + a + b if a + b < width else None
        adder = Adder(number(first, a), number(first + a, b), carry, width.bit_length() - 1)
        levels[adder.level - 1].append(adder)
        return adder

    number(0, width)
    return levels

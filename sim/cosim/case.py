"""What to do with a component in a simulator, and what came of it, as one process tells another."""

import json
from dataclasses import dataclass, field


__all__ = ["FOLDER", "Step", "Case", "Answer"]


FOLDER = "OHMBIT_COSIM"   # environment variable that names the folder with cases and answers


@dataclass(frozen=True)
class Step:
    """Levels of ports that are not streams, and how long they last.

    Parameters
    ----------
    set : dict of :class:`int`
        Levels to put on inputs, by name. They stay until a later step changes them.
    until : :class:`str`
        Output that has to be high at the edge that ends the step; if empty, any edge does.
    times : :class:`int`
        Number of such edges.
    """

    set: dict[str, int] = field(default_factory=dict)
    until: str = ""
    times: int = 1


@dataclass(frozen=True)
class Case:
    """One run of a component. Ports have their Verilog names, such as :py:`bus__addr`.

    Streams and steps go on side by side. The case ends when all words have passed and all steps
    are over; a number of cycles later still nothing more may be offered.

    Parameters
    ----------
    component : :class:`str`
        Name of the component.
    feed : dict of list of :class:`int`
        Payloads for each stream that goes in.
    drain : dict of :class:`int`
        How many payloads to take from each stream that comes out.
    stalls : dict of list of :class:`int`
        Cycles to wait before each payload of a stream, repeated; none where a stream is not named.
    taps : list of :class:`str`
        Outputs :py:`valid` and :py:`payload` that wait for nobody.
    steps : list of :class:`Step`
    watch : list of :class:`str`
        Ports whose level is noted at every edge.
    reset : :class:`bool`
        Whether to reset the component first, rather than go on after the case before.
    linger : :class:`int`
        Cycles in which nothing more may be offered.
    limit : :class:`int`
        Cycles after which the case has failed.
    """

    component: str
    feed: dict[str, list[int]] = field(default_factory=dict)
    drain: dict[str, int] = field(default_factory=dict)
    stalls: dict[str, list[int]] = field(default_factory=dict)
    taps: list[str] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    watch: list[str] = field(default_factory=list)
    reset: bool = True
    linger: int = 8
    limit: int = 10_000

    def to_json(self) -> str:
        return json.dumps(vars(self) | {"steps": [vars(step) for step in self.steps]})

    @classmethod
    def from_json(cls, text: str) -> "Case":
        fields = json.loads(text)
        return cls(**fields | {"steps": [Step(**step) for step in fields["steps"]]})


@dataclass(frozen=True)
class Answer:
    """What was seen in a case. Edges of the clock are counted from 0.

    Parameters
    ----------
    words : dict of list of :class:`int`
        Payloads that passed, for each stream and tap.
    when : dict of list of :class:`int`
        The edge at which each of them did.
    ends : list of :class:`int`
        The edge that ended each step.
    seen : dict of list
        Level of each watched port at every edge; None where a bit of it was neither 0 nor 1.
    cycles : :class:`int`
        Edges until all words had passed and all steps were over.
    """

    words: dict[str, list[int]]
    when: dict[str, list[int]]
    ends: list[int]
    seen: dict[str, list[int | None]]
    cycles: int

    def at_ends(self, port: str, later: int = 0) -> list[int | None]:
        """Level of a watched port at the edge that ended each step, or some edges later."""
        return [self.seen[port][end + later] for end in self.ends]

"""A design made wrong in one place, for as long as it takes to elaborate it."""

import contextlib
import importlib
import inspect
import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass


__all__ = ["Change"]


@dataclass(frozen=True)
class Change:
    """One place of a module's source that reads otherwise.

    Parameters
    ----------
    module : :class:`str`
        Name of the module.
    old, new : :class:`str`
        What it says, exactly once, and what it shall say.
    case : :class:`int`
        Which case of a proof has to notice.
    cycles : :class:`int`, or None
        Length of the runs in which it is looked for; as long as those of the proof if None.
    """

    module: str
    old: str
    new: str
    case: int = 0
    cycles: int | None = None

    def __str__(self) -> str:
        old, new = (" ".join(text.split()) for text in (self.old, self.new))
        return f"{self.module}: {old} → {new or '(nothing)'}"

    @contextlib.contextmanager
    def made(self) -> Iterator[None]:
        """Has every loaded module use the changed one's classes and functions in the meantime.

        Not for threads: what is changed is changed for the whole process.
        """
        original = importlib.import_module(self.module)
        source = inspect.getsource(original)
        if source.count(self.old) != 1:
            raise ValueError(f"{self.module} must say {self.old!r} once, "
                             f"not {source.count(self.old)} times")
        changed = types.ModuleType(original.__name__)
        changed.__package__ = original.__package__
        changed.__file__ = original.__file__
        exec(compile(source.replace(self.old, self.new), str(original.__file__), "exec"),
             vars(changed))

        own = {id(value): name for name, value in vars(original).items()
               if getattr(value, "__module__", None) == original.__name__}
        replaced = []
        for user in list(sys.modules.values()):
            package = getattr(user, "__name__", "").partition(".")[0]
            if package not in {"model", "gateware", "sim"} or user is original:
                continue
            for name, value in list(vars(user).items()):
                if value is original:
                    replaced.append((user, name, value))
                    setattr(user, name, changed)
                elif id(value) in own:
                    replaced.append((user, name, value))
                    setattr(user, name, getattr(changed, own[id(value)]))
        try:
            yield
        finally:
            for user, name, value in replaced:
                setattr(user, name, value)

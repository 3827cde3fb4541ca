"""How far learning has come, in a file."""

import json
import os
import pathlib
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from .errors import InputError
from .files import whole
from .sign_update import Learner


__all__ = ["restore", "save"]


FORMAT = 1


def save(path: str | os.PathLike[str], learner: Learner, about: Mapping[str, Any]) -> None:
    """Write all that images have changed to an ``.npz`` file, whole or not at all.

    Parameters
    ----------
    about : mapping
        What else tells one run of learning from another; JSON.
    """
    with whole(path) as partial, open(partial, "wb") as file:
        np.savez(file, allow_pickle=False, ohmbit=np.array(_header(learner, about)),
                 **learner.state())


def restore(path: pathlib.Path, learner: Learner, about: Mapping[str, Any]) -> None:
    """Go on from what :func:`save` wrote of the same run.

    :exc:`model.errors.InputError` where the file is of another, or damaged.
    """
    try:
        with open(path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
            state = {name: file[name] for name in file.files}
        header = str(state.pop("ohmbit"))
        found = json.loads(header)
    except OSError as error:
        if error.errno is not None:
            raise
        raise _damaged(path, str(error)) from error
    except Exception as error:   # whatever a damaged archive makes of itself
        raise _damaged(path, str(error)) from error
    expected = json.loads(_header(learner, about))
    if found != expected:
        names = [name for name in expected if found.get(name) != expected[name]] \
            if isinstance(found, dict) else []
        other = ", ".join(f"{name} {found.get(name)}, not {expected[name]}" for name in names)
        raise InputError(f"{path} is of other learning ({other or 'of what, it does not say'}): "
                         "give it the same options, or delete it to begin anew")
    try:
        learner.restore(state)
    except (ValueError, TypeError, KeyError) as error:
        raise _damaged(path, str(error)) from error


def _header(learner: Learner, about: Mapping[str, Any]) -> str:
    rule = {**asdict(learner.spec), **asdict(learner.control.spec)}
    return json.dumps({"format": FORMAT, **rule, **about})


def _damaged(path: pathlib.Path, why: str) -> InputError:
    return InputError(f"{path} is no checkpoint, or is damaged ({why}): delete it to begin anew")

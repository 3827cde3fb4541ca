"""A process that imports damaged ONNX files, one after another, and says how it went.

It takes numbers of cases, a line each, and answers each with a line of JSON. It has 1 GB of memory,
and 10 seconds of processor time for each case: without either, it dies.
"""

import json
import os
import pathlib
import resource
import signal
import sys
import traceback

import numpy as np
import onnx

from model import qonnx
from ohmbit.command import main

from .onnx_damage import damaged, graphs
from .onnx_executor import compare


__all__ = ["case"]


MEMORY  = 1 << 30
SECONDS = 10.0


def case(number, models):
    """The bytes of a case."""
    rng = np.random.default_rng([7, number])
    return damaged(rng, models[rng.integers(len(models))])


def tried(number, models, folder):
    """The exit code of ``ohmbit import``, once what it wrote is known to be right, or nothing."""
    path, output = folder / "case.onnx", folder / "net.npz"
    path.write_bytes(case(number, models))
    code = main(["import", str(path), "-o", str(output)])
    if code != 0:
        assert [each.name for each in folder.iterdir()] == [path.name]
        return {"code": code}
    output.unlink()
    return {"code": code, "executed": compare(qonnx.load(path), path,
                                              np.random.default_rng(number))}


def work(folder, others):
    models = [*graphs(), *map(onnx.load, others)]
    # What is printed while a case is tried is not an answer.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    for line in sys.stdin:
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        try:
            answer = tried(int(line), models, folder)
        except BaseException:
            answer = {"code": None, "error": traceback.format_exc()}
        signal.setitimer(signal.ITIMER_PROF, 0)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    work(pathlib.Path(sys.argv[1]), sys.argv[2:])

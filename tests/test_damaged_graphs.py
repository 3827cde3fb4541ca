"""Damaged ONNX files: each is refused in a line, or imported as what it is."""

import json
import os
import pathlib
import select
import subprocess
import sys
from collections import Counter

import pytest

from .onnx_worker import SECONDS


ROOT  = pathlib.Path(__file__).parent.parent
SLACK = 12   # times the limit of a case that a busy machine may take


def others():
    """A network that Brevitas wrote, where there is one to harm."""
    path = pathlib.Path(os.environ.get("OHMBIT_DATA", "")) / "qonnx" / "TFC_1W1A.onnx"
    return [path] if "OHMBIT_DATA" in os.environ and path.exists() else []


def answers(numbers, folder):
    """What became of cases, each with its number; those that a worker died of have none."""
    numbers = list(numbers)
    while numbers:
        worker = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "tests.onnx_worker", folder, *others()],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=ROOT)
        with worker:
            while numbers:
                worker.stdin.write(b"%d\n" % numbers[0])
                worker.stdin.flush()
                ready, _, _ = select.select([worker.stdout], [], [], SLACK * SECONDS)
                line = worker.stdout.readline() if ready else b""
                yield numbers.pop(0), json.loads(line) if line else None
                for each in folder.iterdir():
                    each.unlink()
                if not line:
                    worker.kill()
                    break
            else:
                worker.stdin.close()


@pytest.mark.parametrize("first, count", [
    (0, 30), pytest.param(30, 200, marks=pytest.mark.slow),
    *(pytest.param(n, 200, marks=pytest.mark.nightly) for n in range(230, 2_030, 200))])
def test_damaged_files(first, count, tmp_path):
    ends, wrong = Counter(), {}
    for number, answer in answers(range(first, first + count), tmp_path):
        ends[answer and answer["code"]] += 1
        if not answer or answer["code"] not in (0, 2):
            wrong[number] = answer and answer["error"]
    assert not wrong
    # Some files are refused, and some are harmed where it is of no importance.
    assert ends.total() == count and ends[2] > count / 3 and ends[0] > count / 20

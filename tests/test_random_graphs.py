"""Random QONNX graphs, imported, and compared with the qonnx package's executor."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from model import qonnx
from model.errors import InputError

from .onnx_executor import compare
from .onnx_strategies import sequential_graphs


SHARE = 0.9   # of graphs that are imported, at least


@pytest.mark.parametrize("examples", [
    pytest.param(60), pytest.param(500, marks=pytest.mark.slow)])
def test_random_graphs_are_imported_and_agree(examples, tmp_path):
    path, counts = tmp_path / "g.onnx", Counter()

    @settings(max_examples=examples, derandomize=True, database=None)
    @given(st.booleans().flatmap(lambda few: sequential_graphs(few=few)))
    def each(case):
        case.chain.save(path)
        try:
            imported = qonnx.load(path, case.input)
        except InputError as error:
            assert "\n" not in str(error)
            counts[str(error)] += 1
            return
        counts["imported"] += 1
        compare(imported, path, np.random.default_rng(0))

    each()
    assert counts["imported"] >= SHARE * counts.total() and counts.total() >= examples, counts


def test_all_nodes_are_in_random_graphs():
    """None that is known is left out, and few bits are drawn where they are asked for."""
    from model.onnx_check import SUPPORTED

    seen, bits = set(), set()

    @settings(max_examples=200, derandomize=True, database=None)
    @given(sequential_graphs(few=True))
    def each(case):
        seen.update(node.op_type for node in case.chain.nodes)
        bits.update(float(case.chain.constants[node.input[3]]) for node in case.chain.nodes
                    if node.op_type == "Quant" and node.input[3] in case.chain.constants)

    each()
    assert seen == set(SUPPORTED) and bits >= {1.0, 2.0, 3.0, 4.0, 8.0}

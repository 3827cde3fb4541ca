"""Exported graphs, executed, and networks that came back, compared."""

import json

from model.network_file import header_of
from model.onnx_compare import compare


__all__ = ["executed", "same"]


def executed(model, network, images):
    """Whether a graph has every number of the network's trace, as qonnx's executor runs it."""
    found = compare(model, network, images)
    assert found.images == len(images)
    assert found.numbers == sum(values.size for values in network.trace(images).values()) > 0
    assert (found.mismatches == 0) == (found.first == "")
    return found.mismatches == 0


def same(one, other):
    """Whether networks have the same arrays, and all else that a file says of them."""
    assert json.dumps(header_of(one)) == json.dumps(header_of(other))
    for a, b in zip(one.all_layers, other.all_layers, strict=True):
        assert type(a) is type(b)
        for name in ("weights", "thresholds", "bias", "gain", "shifts"):
            x, y = getattr(a, name, None), getattr(b, name, None)
            assert (x is None) == (y is None)
            assert x is None or (x.dtype == y.dtype and x.shape == y.shape and (x == y).all())
    return True

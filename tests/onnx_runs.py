"""Exported graphs, executed, and networks that came back, compared."""

import json

import numpy as np
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.change_batchsize import ChangeBatchSize
from qonnx.transformation.infer_shapes import InferShapes

from model.network_file import header_of


__all__ = ["executed", "same"]


def executed(model, network, images):
    """Whether a graph has every number of the network's trace, as qonnx's executor runs it."""
    batch = ChangeBatchSize(len(images))
    wrapped = ModelWrapper(model).transform(batch).transform(InferShapes())
    kind = np.uint8 if network.encoder.bits <= 8 else np.uint16
    found = execute_onnx(wrapped, {"pixels": images.astype(kind)}, return_full_exec_context=True)
    trace = network.trace(images)
    for name, values in trace.items():
        given = found[name]
        if values.dtype == bool and (given < 0).any():
            values = np.where(values, 1, -1)
        if given.shape != values.shape or (given != values).any():
            return False
    return bool(trace)


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

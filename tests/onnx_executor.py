"""What the qonnx package's executor makes of a whole ONNX file, of one image at a time."""

import warnings

import numpy as np
import onnx
from onnx.helper import tensor_dtype_to_np_dtype
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.infer_shapes import InferShapes

from model.agreement import agreement


__all__ = ["Executor", "compare"]


class Executor:
    """Executes a graph as it is in its file, without anything of ohmbit.

    Parameters
    ----------
    model : :class:`onnx.ModelProto`
        Of one image.
    """

    def __init__(self, model):
        # What a file says of its output need not be so.
        for output in model.graph.output:
            output.type.Clear()
        self._model, _ = InferShapes().apply(ModelWrapper(model))
        initial = {each.name for each in model.graph.initializer}
        self._input = next(each for each in model.graph.input if each.name not in initial)
        self._last = next(node for node in model.graph.node
                          if model.graph.output[0].name in node.output)

    def best(self, image):
        """The classes that the graph takes an image for, several where their scores are equal."""
        kind = self._input.type.tensor_type
        shape = [dim.dim_value for dim in kind.shape.dim]
        image = image.reshape(shape).astype(tensor_dtype_to_np_dtype(kind.elem_type))
        with np.errstate(all="ignore"), warnings.catch_warnings():
            # Shapes that a graph computes are not known before.
            warnings.simplefilter("ignore")
            tensors = execute_onnx(self._model, {self._input.name: image}, True)
        given = [np.ravel(tensors[name]) for name in self._last.output]
        if self._last.op_type in ("ArgMax", "TopK"):
            return {int(given[-1][0])}
        best = set(np.flatnonzero(given[0] == given[0].max()).tolist())
        # Scores that part may become one probability.
        return best if "Softmax" in self._last.op_type else {min(best)}


def compare(imported, path, rng):
    """Assert that a network is equal to its graph, where the graph's own products are exact.

    Its file is executed as it is, too, and whether that could be done is returned.
    """
    network = imported.network
    x = rng.integers(0, 2 ** network.encoder.bits, (32, network.inputs))
    found = agreement(imported, x)
    assert found.images == found.classes == len(x)
    if any(step.sums.error.any() for step in imported.steps):
        # What sums that are rounded may change, they change at a threshold, or between equals.
        scores = network.scores_of(x)
        for part in {part.image: part for part in found.parts[::-1]}.values():
            if part.node == "class":
                assert scores[part.image, part.got] == scores[part.image, part.expected], part
            else:
                assert abs(part.distance) <= 2, part
        return False
    assert found.parts == ()
    try:
        executor = Executor(onnx.load(path))
        best = [executor.best(imported.input(image)) for image in x[:2]]
    except Exception:
        return False
    for image, classes in zip(x, best, strict=False):
        assert network.scores_of(image[None]).argmax() in classes
    return True

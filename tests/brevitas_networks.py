"""Networks that Brevitas makes, trains, runs and exports.

Brevitas and PyTorch are imported only when a network is made, so that tests can be collected
without them.
"""

import contextlib
import functools
import io
import logging
import re
import warnings
from dataclasses import dataclass

import numpy as np

from model import data


__all__ = ["EXPORTERS", "Kind", "digits", "export", "images", "network", "outputs"]


SIZES     = (64, 32, 24, 10)
EPOCHS    = 6
EXPORTERS = {"qonnx": ("export_qonnx", True), "qonnx by TorchScript": ("export_qonnx", False),
             "qcdq": ("export_onnx_qcdq", True), "qcdq by TorchScript": ("export_onnx_qcdq", False)}


@dataclass(frozen=True)
class Kind:
    """Which quantizers a network has, by their names in :func:`quantizers`.

    Parameters
    ----------
    weights, activations, pixels : :class:`str`
    bias : :class:`bool`
        Of each layer.
    end : :class:`str`
        What follows the last: "" or "norm", a batch normalisation.
    """

    weights: str
    activations: str
    pixels: str
    bias: bool = False
    end: str = ""

    def __str__(self):
        return ", ".join((self.weights, self.activations, self.pixels, *["bias"] * self.bias,
                          *[self.end] * bool(self.end)))

    @property
    def exporters(self):
        """Those that export it: quantize-clip-dequantize has no signs."""
        signs = re.search(r"\bsign\b", f"{self}")
        return [name for name in EXPORTERS if name.startswith("qonnx") or not signs]


@functools.cache
def quantizers():
    """What the names of quantizers stand for: some for weights, others modules."""
    from brevitas import nn, quant
    from brevitas.core.function_wrapper import TensorClampSte
    from brevitas.inject.enum import ScalingImplType, StatsOp
    from torch.nn import Module

    class Sign(quant.SignedBinaryWeightPerTensorConst):
        scaling_const = 0.25

    class SignEach(quant.SignedBinaryWeightPerTensorConst):
        scaling_impl_type = ScalingImplType.STATS
        scaling_stats_op = StatsOp.AVE
        scaling_per_output_channel = True
        # Clamped in place, as is the default, weights and so their mean shrink with each pass.
        tensor_clamp_impl = TensorClampSte

    class TwoBits(quant.Int8WeightPerTensorFloat):
        bit_width = 2

    class TwoBitsEach(quant.Int8WeightPerChannelFloat):
        bit_width = 2

    class TwoBitsWide(quant.Int8WeightPerTensorFixedPoint):
        bit_width = 2
        narrow_range = False

    class Pixels(quant.Uint8ActPerTensorFloat):
        scaling_impl_type = ScalingImplType.CONST
        max_val = 1.0

    class Centre(Module):
        """From 0 … 1 to −1 … 1."""

        def forward(self, x):
            return 2.0 * x - 1.0

    def act(kind, **options):
        return lambda: [nn.QuantIdentity(act_quant=kind, **options)]

    weights = {"sign": Sign, "sign of each": SignEach,
               "sign of tenths": quant.SignedBinaryWeightPerTensorConst,
               "2 bits": TwoBits, "2 bits of each": TwoBitsEach, "2 wide bits": TwoBitsWide}
    modules = {
        "sign": act(quant.SignedBinaryActPerTensorConst),
        "relu of 2 bits": lambda: [nn.QuantReLU(bit_width=2)],
        "signed 2 bits": act(quant.Int8ActPerTensorFloat, bit_width=2),
        "ternary": act(quant.SignedTernaryActPerTensorConst),
        "tanh of 2 bits": lambda: [nn.QuantHardTanh(
            bit_width=2, min_val=-1.0, max_val=1.0,
            act_quant=quant.Int8ActPerTensorFloatMinMaxInit)],
        "sign of pixels": lambda: [Centre(), *act(quant.SignedBinaryActPerTensorConst)()],
        "8 bits": act(Pixels),
        "8 learned bits": act(quant.Uint8ActPerTensorFloat),
        "8 signed bits": lambda: [Centre(), *act(quant.Int8ActPerTensorFloat)()],
    }
    return weights, modules


def digits():
    """Images of scikit-learn's digits with pixels 0 … 255, and their classes."""
    found = data.load("digits")
    x = np.concatenate([found.x_train, found.x_test])
    return (x.astype(np.int64) * 255 // 16).astype(np.uint8), \
        np.concatenate([found.y_train, found.y_test])


def images(count):
    """Half of them digits, and half of them any pixels."""
    noise = np.random.default_rng(0).integers(0, 256, (count - count // 2, SIZES[0]))
    return np.concatenate([digits()[0][-(count // 2):], noise.astype(np.uint8)])


@functools.cache
def network(kind, trained):
    """A network in evaluation mode; of random weights and normalisations, or trained on digits."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import torch
        torch.set_num_threads(1)   # two are slower on layers as small as these
        torch.manual_seed(0)
        module = _made(kind)
        x, y = digits()
        x, y = torch.from_numpy(x / np.float32(255)), torch.from_numpy(y)
        _train(module, x, y) if trained else _randomize(module, x)
        return module.eval()


def _made(kind):
    from brevitas.nn import QuantLinear
    from torch.nn import BatchNorm1d, Sequential
    weights, modules = quantizers()
    made = modules[kind.pixels]()
    for n, (inputs, outputs) in enumerate(zip(SIZES, SIZES[1:], strict=False)):
        made.append(QuantLinear(inputs, outputs, bias=kind.bias,
                                weight_quant=weights[kind.weights]))
        if n < len(SIZES) - 2:
            made += [BatchNorm1d(outputs), *modules[kind.activations]()]
        elif kind.end:
            made.append(BatchNorm1d(outputs))
    return Sequential(*made)


def _randomize(module, x):
    """Normalisations of any slope, with thresholds anywhere among the sums that there are."""
    import torch
    module.train()
    with torch.no_grad():
        for _ in range(20):
            module(x)
        for norm in module:
            if isinstance(norm, torch.nn.BatchNorm1d):
                size = norm.num_features
                norm.running_mean += torch.randn(size) * norm.running_var.sqrt()
                norm.running_var *= torch.rand(size) * 2 + 0.3
                norm.weight.copy_(torch.randn(size) * 1.5)
                norm.bias.copy_(torch.randn(size) / 2)


def _train(module, x, y):
    import torch
    module.train()
    optimizer = torch.optim.Adam(module.parameters(), lr=0.01)
    for _ in range(EPOCHS):
        for part in torch.randperm(len(x)).split(50):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(module(x[part]), y[part]).backward()
            optimizer.step()


def outputs(module, x):
    """What Brevitas computes for pixels 0 … 255: activations of each hidden layer, and scores."""
    import torch
    from brevitas.nn import QuantLinear
    found, products = [], 0
    with torch.no_grad():
        tensor = torch.from_numpy(x / np.float32(255))
        for each in module:
            tensor = each(tensor)
            products += isinstance(each, QuantLinear)
            if products and type(each).__module__.startswith("brevitas.nn.quant_activation"):
                found.append(tensor.numpy())
    return found, tensor.numpy()


def export(module, exporter, path):
    """Write a network to a file, by one of :data:`EXPORTERS`."""
    name, dynamo = EXPORTERS[exporter]
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        import torch
        from brevitas import export as brevitas
        logging.disable(logging.WARNING)
        try:
            getattr(brevitas, name)(module, torch.zeros(1, SIZES[0]), export_path=str(path),
                                    dynamo=dynamo)
        finally:
            logging.disable(logging.NOTSET)

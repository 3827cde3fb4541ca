import json

import numpy as np
import pytest
from hypothesis import given

from model.errors import InputError
from model.network import Network

from . import strategies


@given(network=strategies.few_networks())
def test_file_keeps_few_bits(tmp_path_factory, network):
    path = tmp_path_factory.mktemp("nets") / "net.npz"
    network.save(path)
    loaded = Network.load(path)
    assert loaded.shape == network.shape and loaded.encoder == network.encoder
    for layer, other in zip(loaded.all_layers, network.all_layers, strict=True):
        assert type(layer) is type(other)
        for name, value in vars(other).items():
            if name not in ("cells", "crossbar", "grid"):
                assert np.array_equal(getattr(layer, name), value), name
    with np.load(path) as file:
        assert json.loads(str(file["ohmbit"]))["format"] == (4 if network.shape.few else 1)


@given(network=strategies.few_networks().filter(lambda network: network.shape.few))
def test_refuses_a_file_that_lacks_its_bits(tmp_path_factory, network):
    path = tmp_path_factory.mktemp("nets") / "net.npz"
    network.save(path)
    with np.load(path) as file:
        arrays = dict(file)
    header = json.loads(str(arrays["ohmbit"]))
    for change, message in (
            ({"weight_bits": [1]}, "weight_bits of 1 layers are there, not of"),
            ({"weight_bits": [9] * len(network.all_layers)}, "between 1 and 8, not 9")):
        if len(network.all_layers) == 1 and len(change["weight_bits"]) == 1:
            continue
        # Weights that were bits are no matrix of whole ones.
        np.savez(path, **arrays | {"ohmbit": np.array(json.dumps(header | change))})
        with pytest.raises(InputError, match=f"{message}|missing or of another size"):
            Network.load(path)

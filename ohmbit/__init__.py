"""The public names of the project; ``import ohmbit`` is the way in that is documented.

``model``, ``gateware``, ``sim`` and ``boards`` are packages of their own, with names that somebody
else's file may have as well. Where that is so, importing this one says which file it is.
"""

import importlib.metadata
import importlib.util
import pathlib
import sys


def _shadow(name: str) -> pathlib.Path | None:
    """Where Python finds the package :py:`name`; None where it finds ours, or none at all."""
    if name in sys.modules:
        file = getattr(sys.modules[name], "__file__", None)
    else:
        spec = importlib.util.find_spec(name)
        if spec is None:
            raise ImportError(f"ohmbit's package {name!r} is missing: install ohmbit again")
        file = spec.origin
    ours = pathlib.Path(__file__).resolve().parent.parent / name
    if file is not None and pathlib.Path(file).resolve().parent == ours:
        return None
    return pathlib.Path(file or name)


for _name in ("model", "gateware", "sim", "boards"):
    if (_file := _shadow(_name)) is not None:
        raise ImportError(f"{_file} hides ohmbit's own package {_name!r}: rename that file "
                          f"or move it away")


from boards.build import Build, build                                       # noqa: E402
from boards.catalog import BOARDS, find as find_board                       # noqa: E402
from boards.top import Top                                                  # noqa: E402
from gateware.accelerator import Accelerator                                # noqa: E402
from gateware.compiler import compile, counted, image, taken                # noqa: E402
from gateware.cost import estimate, timing                                  # noqa: E402
from gateware.fit import fit                                                # noqa: E402
from gateware.mapping import Mapping, Resources, uniform                    # noqa: E402
from model.compend import Compend                                           # noqa: E402
from model.crossbar import Crossbar                                         # noqa: E402
from model.data import Dataset, load as load_dataset                        # noqa: E402
from model.deal import dealt                                                # noqa: E402
from model.dense import Dense                                               # noqa: E402
from model.encoder import BitSerial, Lookup, Threshold                      # noqa: E402
from model.errors import CheckFailed, InputError                            # noqa: E402
from model.grid import Grid                                                 # noqa: E402
from model.network import Network, Shape                                    # noqa: E402
from model.quantize import quantize                                         # noqa: E402
from model.real import train as train_real                                  # noqa: E402
from model.scores import Scores                                             # noqa: E402
from model.stochastic import Stochastic, bipolar                            # noqa: E402
from model.tiling import Tiling, tile                                       # noqa: E402
from model.train import train                                               # noqa: E402
from sim.amaranth_engine import AmaranthEngine                              # noqa: E402
from sim.compare import Comparison, compare                                 # noqa: E402
from sim.engine import Engine, Result                                       # noqa: E402
from sim.verilator_engine import VerilatorEngine                            # noqa: E402


__all__ = [
    # What is computed.
    "Network", "Shape", "Dense", "Scores", "BitSerial", "Lookup", "Threshold", "Stochastic",
    "bipolar", "Compend", "train_real", "quantize", "dealt",
    "Dataset", "load_dataset", "train", "Crossbar", "Grid", "Tiling", "tile",
    # How it is computed.
    "Accelerator", "Mapping", "Resources", "compile", "image", "fit", "uniform", "timing",
    "counted", "taken", "estimate",
    # What runs it.
    "Engine", "Result", "AmaranthEngine", "VerilatorEngine", "Comparison", "compare",
    # What it is built for.
    "BOARDS", "find_board", "Top", "Build", "build",
    "InputError", "CheckFailed", "__version__",
]


try:
    __version__ = importlib.metadata.version("ohmbit")
except importlib.metadata.PackageNotFoundError:
    __version__ = "unknown"   # a checkout that was never installed

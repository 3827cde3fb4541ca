"""The subcommands of ``ohmbit``, one file each, in the order in which help lists them."""

from .bench import SETTINGS as _bench, bench
from .boards import boards
from .build import build
from .cost import cost
from .demo import demo
from .doctor import doctor
from .eval import eval
from .export import export
from .flash import flash
from .import_ import import_
from .learn import learn
from .run import run
from .sensitivity import sensitivity
from .simulate import simulate
from .tile import tile
from .train import train
from .trainer import trainer
from .verilog import verilog


__all__ = ["COMMANDS", "SETTINGS"]


COMMANDS = {function.__name__.rstrip("_"): function for function in (
    demo, train, learn, import_, eval, tile, simulate, sensitivity, cost, verilog, export, build,
    trainer, flash, run, boards, doctor, bench)}

# Of how arguments are read, where that is not as usual.
SETTINGS = {"bench": _bench}

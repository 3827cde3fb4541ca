"""The subcommands of ``ohmbit``, one file each, in the order in which help lists them."""

from .boards import boards
from .build import build
from .cost import cost
from .demo import demo
from .doctor import doctor
from .eval import eval
from .flash import flash
from .run import run
from .sensitivity import sensitivity
from .simulate import simulate
from .tile import tile
from .train import train
from .verilog import verilog


__all__ = ["COMMANDS"]


COMMANDS = {function.__name__: function for function in (
    demo, train, eval, tile, simulate, sensitivity, cost, verilog, build, flash, run, boards,
    doctor)}

"""The accelerator's own registers."""

import hashlib
import json

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from . import bus


__all__ = ["REGISTERS", "LOADED", "NETWORK", "Control", "is_choice", "network_id"]


REGISTERS = 2   # places on the bus
LOADED    = 0   # bit 0: the weights are there
NETWORK   = 1   # which network's they are; see `network_id`


def is_choice(name):
    """Whether a memory is a register that a host may change at run time: samples, or detection."""
    return name == "samples" or name.endswith(".detection")


def network_id(image):
    """32 bits that tell one memory image from another; 0 for none.

    How many samples are drawn is no part of it, nor is how layers detect.
    """
    if image is None:
        return 0
    memories = {name: rows for name, rows in image.items() if not is_choice(name)}
    text = json.dumps(memories, sort_keys=True)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "little")


class Control(wiring.Component):
    """Registers that say whether weights are there, and which network's.

    They keep their values when the accelerator is reset, as its memories do.

    Parameters
    ----------
    loaded : :class:`bool`
        Whether the weights are there from power-up.
    network : :class:`int`
        Which network's, 32 bits.

    Members
    -------
    loaded : :py:`Out(1)`
        Bit 0 of register :data:`LOADED`.
    bus : :py:`In(bus.Signature(1))`
        The host's access; reads are answered one cycle later.
    """

    def __init__(self, *, loaded, network=0):
        self._init = loaded
        self._network = network
        super().__init__({
            "loaded": Out(1),
            "bus": In(bus.Signature(1)),
        })

    def elaborate(self, platform):
        m = Module()
        loaded  = Signal(init=self._init, reset_less=True)
        network = Signal(bus.WORD, init=self._network, reset_less=True)
        m.d.comb += self.loaded.eq(loaded)
        with m.If(self.bus.w_en):
            with m.If(self.bus.addr == NETWORK):
                m.d.sync += network.eq(self.bus.w_data)
            with m.Else():
                m.d.sync += loaded.eq(self.bus.w_data[0])
        m.d.sync += self.bus.r_data.eq(Mux(self.bus.addr == NETWORK, network, loaded))
        m.d.sync += self.bus.r_valid.eq(self.bus.r_en)
        return m

# amaranth: UnusedElaboratable=no
"""The accelerator's registers keep what is written, and say whether weights are there."""

from amaranth.hdl import Fragment, ResetInserter, Signal

import gateware.control

from .change import Change
from .harness import Harness, Inside
from .proof import Proof, case


__all__ = ["PROOFS"]


def registers(h: Harness, *, loaded: bool, network: int) -> None:
    """Any accesses, and resets at any time."""
    dut = gateware.control.Control(loaded=loaded, network=network)
    reset = h.free(1, "reset")
    fragment = Fragment.get(dut, None)
    h.m.submodules.dut = ResetInserter(reset)(fragment)
    bus = dut.bus
    for signal in (bus.addr, bus.w_en, bus.w_data, bus.r_en):
        h.drive(signal)
    here, whose = bus.addr == gateware.control.LOADED, bus.addr == gateware.control.NETWORK
    kept = [Signal(32, init=init, name=name)
            for name, init in (("kept_loaded", loaded), ("kept_network", network))]
    with h.m.If(bus.w_en & here):
        h.m.d.sync += kept[0].eq(bus.w_data[0])
    with h.m.If(bus.w_en & whose):
        h.m.d.sync += kept[1].eq(bus.w_data)
    h.claim("it says whether the weights are there", dut.loaded == kept[0])
    h.claim("it keeps whose they are", Inside(fragment, set())["network"] == kept[1])
    h.claim("a read is answered one cycle later",
            h.past(reset) | (bus.r_valid == h.past(bus.r_en)))
    for place, value in ((here, kept[0]), (whose, kept[1])):
        h.claim("with what was written last, or was there at power-up",
                ~(bus.r_valid & h.past(place)) | (bus.r_data == h.past(value)))
    h.cover("a network is read", bus.r_valid & (bus.r_data == 0x1234))


PROOFS = (
    Proof(
        "control.registers",
        "Each register reads as what was last written to it, one cycle later, and the weights are "
        "there when the register says so; a reset changes neither.",
        "nothing: accesses and resets may be any", "induction", registers,
        (case(3, loaded=False, network=0), case(3, loaded=True, network=0xFFFF_0000)),
        (Change("gateware.control", "init=self._network, reset_less=True", "init=self._network",
                cycles=5),
         Change("gateware.control", "init=self._init, reset_less=True", "init=self._init",
                cycles=5),
         Change("gateware.control", "with m.Else():\n                m.d.sync += loaded",
                "with m.If(1):\n                m.d.sync += loaded", cycles=5)),
    ),
)

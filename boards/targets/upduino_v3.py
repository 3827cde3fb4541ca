"""The UPduino 3, at its crystal's frequency or at that of the oscillator inside its FPGA."""

from typing import Any

from amaranth.build import Attrs, PinsN, Resource
from amaranth.hdl import Const, Elaboratable, Fragment, Module
from amaranth.lib import io
from amaranth_boards.resources import UARTResource
from amaranth_boards.upduino_v3 import UpduinoV3Platform

from ..board import Board
from ..ice40 import ICE40


__all__ = ["BOARDS", "Internal", "Crystal"]


class FlashOff(Elaboratable):
    """Keeps the flash from talking into the serial port, which is on its pins."""

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.select = select = io.Buffer("o", platform.request("flash_select", 0, dir="-"))
        m.d.comb += select.o.eq(Const(0))
        return m


class Internal(UpduinoV3Platform):
    """A UPduino 3 as it comes, running at 24 MHz from the oscillator inside the FPGA.

    The serial port is the FT232H that also programs the flash, over the same wires: the FPGA
    receives at pin 15, sends at pin 14, and holds the flash's select, pin 16, high. These are the
    pins that the constraints in the board's own repository, tinyvision-ai-inc/UPduino-v3.0, name.

    Lattice promises no more than 10 % for that oscillator (FPGA-DS-02008), where the serial port
    needs 4 %. Most chips are far nearer than that; none has to be.
    """

    hfosc_div = 1
    resources = [
        *UpduinoV3Platform.resources,
        UARTResource(0, rx="15", tx="14", attrs=Attrs(IO_STANDARD="SB_LVCMOS", PULLUP=1)),
        Resource("flash_select", 0, PinsN("16", dir="o"), Attrs(IO_STANDARD="SB_LVCMOS")),
    ]

    def prepare(self, elaboratable: Any, *args: Any, **kwargs: Any) -> Any:
        fragment = Fragment.get(elaboratable, self)
        fragment.add_subfragment(Fragment.get(FlashOff(), self), "flash_off")
        return super().prepare(fragment, *args, **kwargs)


class Crystal(Internal):
    """A UPduino 3 whose jumper OSC is bridged, so that its crystal's 12 MHz reach pin 20."""

    default_clk = "clk12"


SOCKET = "the USB socket (plug it in again after programming)"
LOADERS = (("iceprog",),)
USB = ((0x0403, 0x6014),)


BOARDS = (
    Board(
        name="upduino-v3",
        family=ICE40,
        platform=Crystal,
        clock_mhz=24,
        baud=3_000_000,   # 12 MHz / 4 in the FT232H
        uart=f"{SOCKET}; bridge the jumper OSC",
        loaders=LOADERS,
        usb=USB,
    ),
    Board(
        name="upduino-v3-internal",
        family=ICE40,
        platform=Internal,
        # As many clocks a bit as it takes for the receiver to put up with 4 %.
        baud=1_000_000,
        uart=SOCKET,
        loaders=LOADERS,
        usb=USB,
    ),
)

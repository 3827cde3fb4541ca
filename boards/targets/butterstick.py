"""The ButterStick."""

from amaranth.build import Attrs
from amaranth_boards.butterstick import ButterStickPlatform
from amaranth_boards.resources import UARTResource

from ..board import Board
from ..ecp5 import ECP5


__all__ = ["BOARDS", "Platform"]


class Platform(ButterStickPlatform):
    """A ButterStick with a serial port in its microSD socket, at 3.3 V.

    Its USB socket leads to the FPGA itself, and only the boot loader speaks USB there. The voltage
    of the SYZYGY ports is up to the gateware, and wrong gateware can damage what is plugged in;
    the microSD socket is always at 3.3 V. The FPGA receives at CMD, which is contact 3, and sends
    at DAT0, contact 7; contact 6 is ground. A microSD breakout or extension board has them on
    pins.
    """

    resources = [
        *ButterStickPlatform.resources,
        UARTResource(0, rx="A13", tx="C12", attrs=Attrs(IO_TYPE="LVCMOS33", PULLMODE="UP")),
    ]


BOARDS = (
    Board(
        name="butterstick",
        family=ECP5,
        platform=Platform,
        clock_mhz=90,
        uart="microSD contacts 3 (CMD: the board receives) and 7 (DAT0: it sends), "
             "with a 3.3 V USB serial adapter",
        # Into the flash, by the boot loader that is there while a button was held at power-up.
        loaders=(("dfu-util", "-d", "1209:5af1", "-a", "0", "-D"),),
    ),
)

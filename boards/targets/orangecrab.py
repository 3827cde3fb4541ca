"""The OrangeCrab, revision 0.2, with two sizes of FPGA."""

from typing import Any

from amaranth.build import Attrs
from amaranth_boards.orangecrab_r0_2 import OrangeCrabR0_2_25FPlatform, OrangeCrabR0_2_85FPlatform
from amaranth_boards.resources import UARTResource

from ..board import Board
from ..ecp5 import ECP5


__all__ = ["BOARDS", "Platform25F", "Platform85F"]


UART = UARTResource(0, rx="0", tx="1", conn=("io", 0),
                    attrs=Attrs(IO_TYPE="LVCMOS33", PULLMODE="UP"))


def _quick(options: dict[str, Any]) -> dict[str, Any]:
    """Has the FPGA load itself from the flash at 38.8 MHz, as the board's own platform has it."""
    return {**options, "ecppack_opts": f"{options.get('ecppack_opts', '')} --freq 38.8".strip()}


class Platform25F(OrangeCrabR0_2_25FPlatform):
    """An OrangeCrab 25F with a serial port at its pins 0 and 1, at 3.3 V.

    Its USB socket leads to the FPGA itself, and only the boot loader speaks USB there. The FPGA
    receives at 0 and sends at 1, as Feathers do.
    """

    resources = [*OrangeCrabR0_2_25FPlatform.resources, UART]

    def toolchain_prepare(self, fragment: Any, name: str, **kwargs: Any) -> Any:
        return super().toolchain_prepare(fragment, name, **_quick(kwargs))


class Platform85F(OrangeCrabR0_2_85FPlatform):
    """An OrangeCrab 85F, with the same serial port."""

    resources = [*OrangeCrabR0_2_85FPlatform.resources, UART]

    def toolchain_prepare(self, fragment: Any, name: str, **kwargs: Any) -> Any:
        return super().toolchain_prepare(fragment, name, **_quick(kwargs))


BOARDS = tuple(
    Board(
        name=f"orangecrab-{size}",
        family=ECP5,
        platform=platform,
        clock_mhz=72,
        uart="pins 0 (the board receives) and 1 (it sends), with a 3.3 V USB serial adapter",
        # Into the flash, by the boot loader that is there while the button was held at power-up.
        loaders=(("dfu-util", "-d", "1209:5af0", "-a", "0", "-D"),
                 ("openFPGALoader", "-b", "orangeCrab")),
    )
    for size, platform in (("25f", Platform25F), ("85f", Platform85F))
)

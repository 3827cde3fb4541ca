"""Serial ports of this machine: which one is a board's, and how it is opened."""

import errno
from contextlib import suppress
from typing import Protocol

import serial
from serial.tools import list_ports

from model.errors import InputError

from .board import Board


__all__ = ["Port", "open_port", "find_port"]


class Port(Protocol):
    """What a driver needs of pyserial's :class:`Serial`."""

    timeout: float | None

    @property
    def in_waiting(self) -> int: ...
    def write(self, data: bytes, /) -> int | None: ...
    def read(self, size: int = 1, /) -> bytes: ...
    def reset_input_buffer(self) -> None: ...
    def close(self) -> None: ...


def open_port(path: str, baud: int, *, timeout: float = 1.0) -> Port:
    """A serial port; :exc:`InputError` says why there is none."""
    try:
        port = serial.Serial(path, baud, timeout=timeout, exclusive=True)
    except (serial.SerialException, OSError, ValueError) as error:
        number = getattr(error, "errno", None)
        if number in (errno.EACCES, errno.EPERM):
            raise InputError(f"{path} may not be opened: add yourself to the group that owns it "
                             f"(`sudo usermod -a -G dialout $USER`, then log in again), or install "
                             f"the board's udev rule") from error
        if number in (errno.EBUSY, errno.EAGAIN):
            raise InputError(f"{path} is in use by another program: close that first") from error
        raise InputError(f"{path} is no serial port; there are: {_there()}") from error
    with suppress(AttributeError, NotImplementedError, OSError, ValueError):
        port.set_low_latency_mode(True)   # else some bridges keep answers for 16 ms
    return port


def find_port(board: Board) -> str:
    """The port that a board's own bridge to USB has; :exc:`InputError` says why there is no one."""
    if not board.usb:
        raise InputError(f"{board.name} has no serial port of its own: name that of its adapter "
                         f"with --port ({board.uart})")
    # A bridge with several ports has the serial one last. They share a place on the bus alone.
    bridges: dict[str, str] = {}
    for port in sorted(list_ports.comports(), key=lambda port: port.device):
        if (port.vid, port.pid) in board.usb:
            place = (port.location or port.device).partition(":")[0]
            bridges[place] = port.device
    if len(bridges) > 1:
        raise InputError(f"several ports may be that of {board.name}: choose one of "
                         f"{', '.join(bridges.values())} with --port")
    if not bridges:
        raise InputError(f"no port of {board.name} is here: plug it in, or name it with --port; "
                         f"there are: {_there()}")
    return next(iter(bridges.values()))


def _there() -> str:
    return ", ".join(sorted(port.device for port in list_ports.comports())) or "none"

import errno
import pathlib
from types import SimpleNamespace

import pytest
import serial

from boards import serial_port
from boards.catalog import BOARDS
from boards.driver import Driver
from boards.serial_port import find_port, open_port
from model.errors import InputError


def test_no_such_port(monkeypatch):
    missing = "/dev/ttyThatIsNotThere"
    assert not pathlib.Path(missing).exists()
    with pytest.raises(InputError, match=rf"^{missing} is no serial port; there are: "):
        Driver.open(missing, 115200)


@pytest.mark.parametrize(("number", "message"), [
    (errno.EACCES, r"^P may not be opened: add yourself to the group .*dialout.* udev rule$"),
    (errno.EBUSY, r"^P is in use by another program: close that first$"),
])
def test_ports_that_do_not_open(monkeypatch, number, message):
    def refuse(*args, **options):
        raise serial.SerialException(number, "could not open port")

    monkeypatch.setattr(serial, "Serial", refuse)
    with pytest.raises(InputError, match=message):
        open_port("P", 9600)


def ports(monkeypatch, *found):
    """Have this machine's ports be these: device, vendor, product, place on the bus."""
    monkeypatch.setattr(serial_port.list_ports, "comports", lambda: [
        SimpleNamespace(device=device, vid=vid, pid=pid, location=place)
        for device, vid, pid, place in found])


ICEBREAKER = [("/dev/ttyUSB0", 0x0403, 0x6010, "1-2:1.0"),
              ("/dev/ttyUSB1", 0x0403, 0x6010, "1-2:1.1")]
OTHERS = [("/dev/ttyS0", None, None, None), ("/dev/ttyUSB7", 0x0403, 0x6015, "1-4")]


def test_the_second_port_of_a_bridge_is_the_serial_one(monkeypatch):
    for order in (ICEBREAKER + OTHERS, OTHERS + ICEBREAKER[::-1]):
        ports(monkeypatch, *order)
        assert find_port(BOARDS["icebreaker"]) == "/dev/ttyUSB1"
        assert find_port(BOARDS["ulx3s-85f"]) == "/dev/ttyUSB7"


def test_two_boards_are_not_guessed_between(monkeypatch):
    ports(monkeypatch, *ICEBREAKER, ("/dev/ttyUSB5", 0x0403, 0x6010, "1-3:1.1"))
    with pytest.raises(InputError, match=r"^several ports may be that of icebreaker: choose one of "
                                         r"/dev/ttyUSB1, /dev/ttyUSB5 with --port$"):
        find_port(BOARDS["icebreaker"])


def test_no_board_is_here(monkeypatch):
    ports(monkeypatch, *OTHERS)
    with pytest.raises(InputError, match=r"^no port of icebreaker is here: plug it in, or name it "
                                         r"with --port; there are: /dev/ttyS0, /dev/ttyUSB7$"):
        find_port(BOARDS["icebreaker"])
    ports(monkeypatch)
    with pytest.raises(InputError, match=r"there are: none$"):
        find_port(BOARDS["icebreaker"])


def test_a_board_with_an_adapter_has_to_be_told(monkeypatch):
    ports(monkeypatch, *OTHERS)
    with pytest.raises(InputError, match=r"^tinyfpga-bx has no serial port of its own: name that "):
        find_port(BOARDS["tinyfpga-bx"])

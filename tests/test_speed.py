# amaranth: UnusedElaboratable=no
"""The clock follows what place and route reaches."""

import dataclasses

import pytest
from amaranth.build import Attrs
from amaranth.vendor import LatticeICE40Platform
from amaranth_boards.resources import UARTResource

from boards import speed
from boards.board import Board
from boards.catalog import BOARDS
from boards.ice40 import ICE40
from model.errors import CheckFailed, InputError

from .fake_tools import nextpnr


# At a low rate, every clock has a divisor.
ICEBREAKER = dataclasses.replace(BOARDS["icebreaker"], baud=115_200)


def test_a_clock_is_the_nearest_that_the_pll_makes():
    board = speed.clocked(ICEBREAKER, 30.1)
    assert board.clock_hz == 30_000_000 and ICEBREAKER.clock_hz == 24_000_000
    assert speed.clocked(ICEBREAKER, 12).clock() is None
    assert speed.clocked(board, 24).clock_hz == ICEBREAKER.clock_hz


@pytest.mark.parametrize("mhz, baud, message", [
    (0, 115_200, "a clock must have some MHz, not 0"),
    (float("nan"), 115_200, "not nan"), (float("inf"), 115_200, "not inf"),
    (1, 115_200, "icebreaker at 1 MHz: Clock must be one that the PLL can make"),
    (900, 115_200, "icebreaker at 900 MHz: Clock must be one that the PLL can make"),
    (22.5, 3_000_000, "icebreaker at 22.5 MHz: Baud rate must be a fraction of 22.5 MHz")])
def test_a_clock_that_cannot_be(mhz, baud, message):
    with pytest.raises(InputError) as error:
        speed.clocked(dataclasses.replace(ICEBREAKER, baud=baud), mhz)
    assert message in str(error.value) and "\n" not in str(error.value)


class Inside(LatticeICE40Platform):
    """A board whose one clock is made in the chip."""

    device, package, default_clk, hfosc_div = "iCE40UP5K", "SG48", "SB_HFOSC", 1
    resources = [UARTResource(0, rx="6", tx="9", attrs=Attrs(IO_STANDARD="SB_LVCMOS"))]
    connectors = []


def test_a_board_without_a_pll(fake, folder):
    board = Board("inside", ICE40, Inside, baud=1_000_000)
    assert speed.clocked(board, 24).clock_hz == board.clock_hz == 24_000_000
    with pytest.raises(InputError, match=r"^inside has no PLL: it runs at its oscillator's 24 MHz, "
                                         r"not at 30 MHz$"):
        speed.clocked(board, 30)
    with pytest.raises(InputError, match=r"^inside has no PLL: it runs at its oscillator's 24 MHz, "
                                         r"and no other clock can be chosen$"):
        fake.build(folder, board=board, fastest=True)


def fastest(fake, folder, reach, **options):
    fake("nextpnr-ice40", nextpnr(reach))
    lines = []
    result = fake.build(folder, fastest=True, progress=lines.append,
                        **{"board": ICEBREAKER} | options)
    clocks = [float(line.rpartition("next at ")[2].removesuffix(" MHz")) for line in lines
              if "next at" in line]
    return result, clocks


def test_the_clock_is_what_was_reached_less_a_margin(fake, folder):
    result, clocks = fastest(fake, folder, "40")
    assert clocks == [39] and result.clock_mhz == 39   # 39.2 would be left of 40
    assert result.fmax_mhz == 40 and result.board.clock_hz == 39_000_000
    assert not result.cached and result.bitstream.read_text() == "new 1"
    # Both builds are kept.
    fake.runs()
    again = fake.build(folder, board=ICEBREAKER, fastest=True)
    assert again.cached and again.clock_mhz == 39 and fake.runs() == []
    assert fake.build(folder, board=ICEBREAKER).clock_mhz == 24 and fake.runs() == []
    assert ICEBREAKER.clock_hz == 24_000_000


def test_a_clock_that_is_met_leads_to_a_faster_one(fake, folder):
    result, clocks = fastest(fake, folder, "mhz + 6")   # tries harder where more is asked
    assert clocks == [29.25, 34.5, 39, 43.5]   # five clocks in all
    assert result.clock_mhz == 43.5 and result.fmax_mhz == 49.5


def test_a_clock_that_is_missed_leads_to_a_slower_one(fake, folder):
    result, clocks = fastest(fake, folder, "40 if mhz < 30 else 36 if mhz > 37 else 34")
    assert clocks == [39, 35.25, 33] and result.clock_mhz == 33
    assert result.fmax_mhz == 34


def test_nothing_faster_than_the_board_s_own_is_met(fake, folder):
    result, clocks = fastest(fake, folder, "30 if mhz < 25 else 20")
    assert clocks == [29.25] and result.clock_mhz == 24
    assert result.bitstream.read_text() == "new 1"


def test_a_board_s_own_clock_that_is_missed(fake, folder):
    result, clocks = fastest(fake, folder, "20")
    assert clocks == [19.5] and result.clock_mhz == 19.5
    with pytest.raises(CheckFailed, match=r"^timing missed: icebreaker runs at \d+(\.\d+)? MHz"):
        fastest(fake, folder.parent / "never", "mhz - 1", fresh=True)
    assert [path.name for path in (folder.parent / "never").iterdir()] == ["top.log"]


def test_the_best_of_several_seeds_sets_the_clock(fake, folder):
    result, clocks = fastest(fake, folder, "[30, 36, 33][seed - 1]", seeds=3)
    assert clocks == [35.25] and (result.seed, result.clock_mhz) == (2, 35.25)


def test_clocks_that_are_no_multiple_of_the_baud_rate_are_skipped(fake, folder):
    board = dataclasses.replace(ICEBREAKER, baud=3_000_000)
    result, clocks = fastest(fake, folder, "31.9", board=board)
    assert clocks == [30.375]   # 31.125 and 30.75 are off by more than 2 %
    assert result.clock_mhz == 30.375 and result.board.divisor == 10

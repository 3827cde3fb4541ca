import pytest
from amaranth_boards.icebreaker import ICEBreakerPlatform
from amaranth_boards.tang_nano_9k import TangNano9kPlatform
from amaranth_boards.ulx3s import ULX3S_25F_Platform

from gateware.family import FAMILIES, Target, family


@pytest.mark.parametrize("platform, expected", [
    (None, "generic"), (ICEBreakerPlatform(), "ice40"), (ULX3S_25F_Platform(), "ecp5"),
    (TangNano9kPlatform(), "generic"), *((Target(name), name) for name in FAMILIES)])
def test_family_of_a_platform(platform, expected):
    assert family(platform) == expected


def test_family_must_be_known():
    with pytest.raises(ValueError, match="^Family must be one of generic, ice40, ecp5, not 'max'$"):
        Target("max")

import pytest

from gateware.counters import Counters
from model.frame import Counter

from .traffic import ports, simulate, widths


def test_all_count_by_themselves():
    dut = Counters()

    async def testbench(ctx):
        expected = {Counter.IMAGES: 0, Counter.COMMANDS: 0, Counter.REFUSED: 0}

        async def cycle(**happens):
            for name in ("image", "command", "refused", "clear"):
                ctx.set(getattr(dut, name), happens.get(name, 0))
            await ctx.tick()

        async def look():
            await cycle()
            for number in range(4):
                ctx.set(dut.number, number)
                assert ctx.get(dut.count) == expected.get(number, 0)

        await look()
        for times, happens, number in ((3, "image", Counter.IMAGES), (5, "command",
                                       Counter.COMMANDS), (2, "refused", Counter.REFUSED)):
            for _ in range(times):
                await cycle(**{happens: 1})
            expected[number] = times
            await look()
        await cycle(image=1, command=1, refused=1)
        expected = {number: count + 1 for number, count in expected.items()}
        await look()
        await cycle(clear=1, image=1, command=1, refused=1)
        expected = dict.fromkeys(expected, 0)
        await look()

    simulate(dut, testbench)


@pytest.mark.parametrize("name, number, bits", [("command", Counter.COMMANDS, 16),
                                                ("refused", Counter.REFUSED, 16)])
def test_commands_wrap(name, number, bits, tmp_path):
    dut = Counters()

    async def testbench(ctx):
        ctx.set(dut.number, number)
        ctx.set(getattr(dut, name), 1)
        await ctx.tick().repeat((1 << bits) - 1)
        assert ctx.get(dut.count) == (1 << bits) - 1
        await ctx.tick()
        assert ctx.get(dut.count) == 0

    simulate(dut, testbench)


def test_members_are_as_wide_as_they_have_to_be(tmp_path):
    dut = Counters()
    assert ports(dut) == {"image": 1, "command": 1, "refused": 1, "clear": 1, "number": 2,
                          "count": 32}

    async def testbench(ctx):
        await ctx.tick()

    simulate(dut, testbench, vcd=tmp_path / "vcd")
    found = widths(tmp_path / "vcd")
    assert [found[name] for name in ("images", "commands", "refusals")] == [{32}, {16}, {16}]

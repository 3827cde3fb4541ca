# amaranth: UnusedElaboratable=no

import pytest
from amaranth.sim import Simulator
from hypothesis import given, strategies as st

from gateware.batches import Batches

from .traffic import ports, registers


@given(data=st.data(), batch=st.integers(2, 9), most=st.integers(1, 9))
def test_a_short_batch_holds_up_what_follows(data, batch, most):
    events = data.draw(st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(1, batch)),
                                min_size=60, max_size=60))
    dut = Batches(batch=batch, most=most)
    shown = []

    async def tb(ctx):
        inside = []   # how many vectors each batch has
        for close, leave, vectors in events:
            hold = bool(inside) and inside[-1] < batch
            assert ctx.get(dut.hold) == hold
            if inside:
                assert ctx.get(dut.vectors) == inside[0]
                shown.append(inside[0])
            # No component closes a batch while it may take nothing, or where there is no room.
            close = close and not hold and len(inside) < most
            leave = leave and bool(inside)
            ctx.set(dut.closed, close)
            ctx.set(dut.closing, vectors)
            ctx.set(dut.left, leave)
            await ctx.tick()
            inside = inside[leave:] + ([vectors] if close else [])

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(tb)
    sim.run()


def test_members_are_as_wide_as_they_have_to_be():
    assert ports(Batches(batch=7, most=3)) == {
        "closed": 1, "closing": 3, "left": 1, "hold": 1, "vectors": 3}
    wider = ports(Batches(batch=8, most=3))
    assert (wider["closing"], wider["vectors"]) == (4, 4)


def test_registers_are_as_wide_as_they_have_to_be():
    assert registers(Batches(batch=7, most=3)) == {"count": (2, 0), "short": (3, 0), "hold": (1, 0)}
    assert registers(Batches(batch=8, most=4))["count"] == (3, 0)


@pytest.mark.parametrize("sizes, message", [
    ({"batch": 1, "most": 1}, "^Batch must be at least 2, not 1$"),
    ({"batch": 2, "most": 0}, "^Batches on their way must be at least 1, not 0$")])
def test_sizes_must_make_sense(sizes, message):
    with pytest.raises(ValueError, match=message):
        Batches(**sizes)

from types import SimpleNamespace

from gateware.planned import Placed, Planned


class Stub(Planned):
    def __init__(self):
        self._image = {"rows": [1]}
        self._plan = SimpleNamespace(
            words=5, memories={"rows": 1}, control_address=9, counters={2: 3}, hash=b"12345678",
            cycles=lambda *arguments: arguments)


def test_a_component_says_what_its_plan_does():
    stub, plan = Stub(), Stub()._plan
    assert (stub.words, stub.memories, stub.control_address, stub.counters, stub.hash) \
        == (plan.words, plan.memories, plan.control_address, plan.counters, plan.hash)
    assert stub.image == {"rows": [1]} and stub.plan is stub._plan
    assert stub.cycles(3) == (3, 1, None)
    assert stub.cycles(3, 2, (4,)) == (3, 2, (4,))


def test_a_plan_has_places():
    class Plan(Placed):
        _placed = {"control": SimpleNamespace(base=9), "rows": SimpleNamespace(base=4)}, 5

    plan = Plan()
    assert (plan.regions, plan.addr_width, plan.control_address) == (plan._placed[0], 5, 9)
    assert plan.plan is plan

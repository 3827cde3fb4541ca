# amaranth: UnusedElaboratable=no

"""A bench for each kind of memory; see :mod:`tests.benches`."""

from gateware.memories import Store
from gateware.spram import Spram
from gateware.wide import Wide
from model.packing import pack

from .benches import WORD, Script


__all__ = ["MEMORIES"]


def store(rng, width, depth, storage):
    old, new = (pack(rng.random((depth, width)) < 0.5, width) for _ in range(2))
    if storage == "spram":
        old = [0] * depth
    component = Store(width=width, depth=depth, init=None if storage == "spram" else old,
                      storage=storage)
    region, script = component.region, Script()

    def look(rows):
        for n, row in enumerate(rows):
            for _ in range(component.latency - 1):
                script.step({"en": 1, "addr": n})
            script.step({"en": 1, "addr": n}, after={"data": row})
            script.step({"en": 0, "addr": depth - 1 - n}, after={"data": row})
            for chunk in range(region.chunks):
                script.read(region.address(n, chunk), row >> 32 * chunk & WORD)

    look(old)
    for n, row in enumerate(new[1:], 1):
        for chunk in range(region.chunks):
            script.write(region.address(n, chunk), row >> 32 * chunk & WORD)
    look(old if storage == "logic" else [old[0], *new[1:]])
    return script.bench(component)


def spram(rng, width, depth):
    rows, script = pack(rng.random((depth, width)) < 0.5, width), Script()
    for n, row in enumerate(rows):
        for chunk in range(-(-width // 32)):
            word = row >> 32 * chunk & WORD
            script.step({"en": 1, "addr": n, "w_en": 1 << chunk, "w_data": word})
    for n, row in enumerate(rows):
        script.step({"en": 1, "addr": n, "w_en": 0}, after={"data": row})
        script.step({"en": 0, "addr": depth - 1 - n}, after={"data": row})
    return script.bench(Spram(width=width, depth=depth))


def wide(rng, width, depth):
    old, new = (pack(rng.random((depth, width)) < 0.5, width) for _ in range(2))
    script = Script()
    for rows in (old, new):
        for n, row in enumerate(rows):
            script.step({"en": 1, "addr": n, "w_en": 0})
            script.step({"en": 0, "addr": depth - 1 - n})
            script.step({"en": 1}, after={"data": row})
            script.step({"en": 0}, after={"data": row})
        for n, row in enumerate(new):
            for chunk in range(-(-width // 32)):
                script.step({"w_addr": n, "w_en": 1 << chunk, "w_data": row >> 32 * chunk & WORD})
    return script.bench(Wide(width=width, depth=depth, init=old))


# Of what, and how it is made.
MEMORIES = {
    "store_block": (Store, lambda rng: store(rng, 40, 5, "block")),
    "store_logic": (Store, lambda rng: store(rng, 33, 3, "logic")),
    "store_spram": (Store, lambda rng: store(rng, 40, 5, "spram")),
    "store_wide": (Store, lambda rng: store(rng, 300, 5, "wide")),
    "store_wide_narrow": (Store, lambda rng: store(rng, 20, 3, "wide")),
    "spram": (Spram, lambda rng: spram(rng, 57, 5)),
    "wide": (Wide, lambda rng: wide(rng, 330, 3)),
}

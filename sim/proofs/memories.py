# amaranth: UnusedElaboratable=no
"""Stores keep what is written, and a bus reaches what it shall and nothing else."""

from amaranth.hdl import Cat, Const, Mux, Signal, Value

import gateware.bus
import gateware.memories
import gateware.wide

from .change import Change
from .harness import Harness
from .proof import Proof, case


__all__ = ["PROOFS"]


def store(h: Harness, *, width: int, depth: int) -> None:
    """One row, whichever, and one word of it: its value is the last one written."""
    dut = h.add(gateware.memories.Store(width=width, depth=depth))
    region = dut.region
    h.drive(dut.en)
    h.drive(dut.addr)
    for name in ("addr", "w_en", "w_data", "r_en"):
        h.drive(getattr(dut.bus, name))
    row = h.constant(range(depth), "row")
    h.assume(row < depth)
    chunk = h.constant(range(max(region.chunks, 2)), "chunk")
    h.assume(chunk < region.chunks)
    address = Signal(range(max(depth << region.chunk_bits, 2)), name="address")
    h.m.d.comb += address.eq((row << region.chunk_bits) + chunk)

    stored = Signal(32, name="stored")
    here = dut.bus.addr == address
    for n in range(region.chunks):
        low, high = 32 * n, min(32 * n + 32, width)
        with h.m.If(dut.bus.w_en & here & (chunk == n)):
            h.m.d.sync += stored.eq(dut.bus.w_data[:high - low])
        cells = h.row(dut, f"cells_{n}", row)
        h.claim("the memory holds what was written last", (chunk != n) | (cells == stored))
        wants = h.past(dut.en & ~dut.bus.r_en & (dut.addr == row))
        h.claim("the row is there one cycle after it is asked for",
                (chunk != n) | ~wants | (dut.data[low:high] == h.past(stored)))
        stays = h.past(~dut.en & ~dut.bus.r_en)
        h.claim("and stays while none is asked for",
                ~stays | (dut.data == h.past(dut.data)))
    asks = h.past(dut.bus.r_en & here)
    h.claim("the bus is answered one cycle later", dut.bus.r_valid == h.past(dut.bus.r_en))
    h.claim("with what was written last", ~asks | (dut.bus.r_data == h.past(stored)))
    h.cover("something is read back", asks & (dut.bus.r_data == 1))


def spram(h: Harness, *, width: int, depth: int) -> None:
    """One row, whichever, and one word of it, behind a port that reads or writes."""
    dut = h.add(gateware.memories.Store(width=width, depth=depth, storage="spram"))
    region, bus = dut.region, dut.bus
    for signal in (dut.en, dut.addr, bus.addr, bus.w_en, bus.w_data, bus.r_en):
        h.drive(signal)
    row = h.constant(range(depth), "row")
    h.assume(row < depth)
    chunk = h.constant(range(max(region.chunks, 2)), "chunk")
    h.assume(chunk < region.chunks)
    here = bus.addr == (row << region.chunk_bits) + chunk
    stored = Signal(32, name="stored")
    reads = dut.en & ~bus.r_en & ~bus.w_en & (dut.addr == row)
    rests = ~dut.en & ~bus.r_en & ~bus.w_en
    for n in range(region.chunks):
        low, high = 32 * n, min(32 * n + 32, width)
        with h.m.If(bus.w_en & here & (chunk == n)):
            h.m.d.sync += stored.eq(bus.w_data[:high - low])
        cells = Cat(h.row(dut, f"cells.spram_{block}", row)
                    for block in range(2 * n, -(-high // 16)))
        h.claim("the memory holds what was written last", (chunk != n) | (cells == stored))
        h.claim("the row is there one cycle after it is asked for, unless something is written",
                (chunk != n) | ~h.past(reads) | (dut.data[low:high] == h.past(stored)))
    h.claim("and stays while nothing is read or written",
            ~h.past(rests) | (dut.data == h.past(dut.data)))
    asks = h.past(bus.r_en & ~bus.w_en & here)
    h.claim("the bus is answered one cycle later", bus.r_valid == h.past(bus.r_en))
    h.claim("with what was written last", ~asks | (bus.r_data == h.past(stored)))
    h.cover("something is read back", asks & (bus.r_data == 1))


def wide(h: Harness, *, width: int, depth: int) -> None:
    """One row, whichever: what a host has written word by word, with others in between."""
    dut = h.add(gateware.memories.Store(width=width, depth=depth, storage="wide"))
    region, bus = dut.region, dut.bus
    for signal in (dut.en, dut.addr, bus.addr, bus.w_en, bus.w_data, bus.r_en):
        h.drive(signal)
    row = h.constant(range(depth), "row")
    h.assume(row < depth)

    # Rows are written whole, and their words in order.
    at_row, at_word = bus.addr[region.chunk_bits:], bus.addr[:region.chunk_bits]
    following = Signal(range(max(region.chunks, 2)), name="following")
    begun = Signal(range(depth), name="begun")
    h.assume(~bus.w_en | (at_word == following))
    h.assume(~bus.w_en | (following == 0) | (at_row == begun))
    h.claim("words are counted to the last", following < region.chunks)
    with h.m.If(bus.w_en):
        h.m.d.sync += begun.eq(at_row)
        h.m.d.sync += following.eq(Mux(following == region.chunks - 1, 0, following + 1))
    mine = (following != 0) & (begun == row)
    words = Signal(width, name="words")
    for n in range(region.chunks):
        with h.m.If(bus.w_en & (at_row == row) & (at_word == n)):
            h.m.d.sync += words[32 * n:32 * n + 32].eq(bus.w_data)

    inside, memories = h.inside(dut), dict(h.inside(dut).memories())
    latched = Signal(width, name="latched")   # what the memories put out, by the bits of the row
    for n, piece in enumerate(gateware.wide.pieces(width)):
        cells = h.row(dut, f"cells.cells_{n}", row)
        own = piece.own.stop - piece.own.start
        h.claim("a piece holds its word", cells[:own] == words[piece.own])
        busy = mine & (following > piece.kept) & (following <= piece.chunk)
        h.claim("and its part of the first of the words, once it is written itself",
                busy | (cells[own:] == words[piece.extra]))
        if piece.kept != piece.chunk:
            h.claim("which is kept until then",
                    ~busy | (inside["cells.kept"] == words.word_select(piece.kept, 32)))
        out = memories[f"cells.cells_{n}"]._read_ports[0]._data
        h.m.d.comb += [latched[piece.own].eq(out[:own]), latched[piece.extra].eq(out[own:])]

    # A row that is being written is not looked at.
    still = ~mine & ~(bus.w_en & (at_row == row))
    moves = dut.en | bus.r_en | h.past(bus.r_en)
    reads = still & (Mux(bus.r_en, at_row, dut.addr) == row)
    first, second = Signal(name="first"), Signal(name="second")   # whether it is that row
    was_first, was_second = Signal(width, name="was_first"), Signal(width, name="was_second")
    with h.m.If(moves):
        h.m.d.sync += [first.eq(reads), was_first.eq(words)]
        h.m.d.sync += [second.eq(first), was_second.eq(was_first)]
    h.claim("a row is in the memories' own registers after it is asked for",
            ~first | (latched == was_first))
    h.claim("and there after two cycles, and stays while none is asked for",
            ~second | (dut.data == was_second))
    asks, said = bus.r_en & still & (at_row == row), words.word_select(at_word, 32)
    valid = bus.r_en
    for _ in range(3):
        asks, said, valid = h.past(asks), h.past(said), h.past(valid)
    h.claim("the bus is answered three cycles later", bus.r_valid == valid)
    h.claim("with what was written last", ~asks | (bus.r_data == said))
    h.cover("something is read back", asks & (bus.r_data == 1))


def decoder(h: Harness, *, sizes: tuple[tuple[int, int], ...]) -> None:
    """Targets behind a bus, laid out as the compiler lays them out."""
    regions, addr_width = gateware.bus.place({
        f"target_{n}": gateware.bus.Region(width, depth)
        for n, (width, depth) in enumerate(sizes)})
    dut = gateware.bus.Decoder(regions, addr_width)
    targets = []
    for name, region in regions.items():
        target = gateware.bus.Signature(region.addr_width).create(path=(name,))
        dut.add(name, target)
        targets.append((region, target))
    h.add(dut)
    bus = dut.bus
    for signal in (bus.addr, bus.w_en, bus.w_data, bus.r_en):
        h.drive(signal)
    reached = Value.cast(0)
    answer, answers = Const(0, 32), Const(0, 1)
    for region, target in targets:
        h.drive(target.r_valid)
        h.drive(target.r_data)
        end = region.base + (1 << region.addr_width)
        mine = (bus.addr >= region.base) & (bus.addr < end)
        h.claim("a target is written and read where its region is, and nowhere else",
                (target.w_en == (bus.w_en & mine)) & (target.r_en == (bus.r_en & mine)))
        h.claim("at the address within its region",
                ~mine | (target.addr == bus.addr - region.base))
        h.claim("with the word there is", target.w_data == bus.w_data)
        reached = reached + (target.w_en | target.r_en)
        answer, answers = Mux(target.r_valid, target.r_data, answer), answers + target.r_valid
    h.claim("one target at most is reached", reached <= 1)
    h.assume(answers <= 1)
    h.claim("an answer is handed on one cycle later", bus.r_valid == h.past(answers != 0))
    h.claim("unchanged", ~bus.r_valid | (bus.r_data == h.past(answer)))
    h.cover("the last target is reached", targets[-1][1].w_en)


PROOFS = (
    Proof(
        "memories.store",
        "A row reads as what was last written to it over the bus, by the datapath one cycle later "
        "and until it asks again, and by the bus one cycle later too.",
        "nothing: rows, words of rows and accesses may be any, at once and beyond the end",
        "induction", store,
        tuple(case(3, width=width, depth=depth)
              for width, depth in ((1, 1), (3, 3), (8, 4), (33, 2), (40, 3), (65, 2))),
        (Change("gateware.memories", "w_en[n].eq(self.bus.w_en & (chunk == n))",
                "w_en[n].eq(self.bus.w_en)", case=3, cycles=5),
         Change("gateware.memories", "with m.If(answer == n):", "with m.If(chunk == n):", case=3,
                cycles=5),
         Change("gateware.memories", "m.d.comb += en.eq(self.en | self.bus.r_en)",
                "m.d.comb += en.eq(1)", case=1, cycles=5)),
    ),
    Proof(
        "memories.spram",
        "In SPRAM too a row reads as what was last written to it over the bus, by the datapath and "
        "by the bus one cycle later, and stays until something is read or written.",
        "nothing: rows, words of rows and accesses may be any; where something is written, nothing "
        "is read", "induction", spram,
        tuple(case(3, width=width, depth=depth)
              for width, depth in ((1, 1), (16, 3), (33, 2), (40, 3), (64, 2))),
        (Change("gateware.spram", "w_en   = self.w_en[low // WORD]", "w_en   = self.w_en.any()",
                case=3, cycles=5),
         Change("gateware.memories", "Mux(self.bus.r_en | self.bus.w_en, row, self.addr)",
                "Mux(self.bus.r_en, row, self.addr)", case=3, cycles=5),
         Change("gateware.spram", "self.w_data[low % WORD:][:high - low]",
                "self.w_data[:high - low]", case=3, cycles=5)),
    ),
    Proof(
        "memories.wide",
        "In wide block RAM a row reads as what was last written to it over the bus, whose words "
        "are cut in another way than the memory's: by the datapath after two cycles in which it "
        "moves, by the bus three cycles later.",
        "a host writes rows whole, their words in order; a row that is being written is not read",
        "induction", wide,
        tuple(case(cycles, width=width, depth=depth) for cycles, width, depth in (
            (6, 1, 1), (7, 36, 3), (7, 40, 2), (9, 100, 2))),
        (Change("gateware.wide", "kept[piece.extra.start % WORD:][:extra]", "kept[:extra]", case=3,
                cycles=9),
         Change("gateware.memories", "self.en | self.bus.r_en | fetched",
                "self.en | self.bus.r_en", case=1, cycles=9),
         Change("gateware.wide", "with m.If(self.w_en[piece.kept]):",
                "with m.If(self.w_en[piece.chunk]):", case=1, cycles=9)),
    ),
    Proof(
        "bus.decoder",
        "An access reaches the target in whose region its address lies, at its place in there, "
        "and no other; an answer is handed on one cycle later.",
        "targets answer one at a time", "induction", decoder,
        (case(2, sizes=((8, 4),)), case(2, sizes=((8, 4), (40, 3), (1, 1))),
         case(2, sizes=((3, 5), (65, 2), (16, 16), (1, 1)))),
        (Change("gateware.bus", "region.base >> low", "region.base >> low + 1", case=1),
         Change("gateware.bus", "self.bus.addr[:low]", "self.bus.addr[1:low + 1]", case=1)),
    ),
)

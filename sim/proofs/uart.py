# amaranth: UnusedElaboratable=no
"""The serial line: what is sent is a frame of ten bits, and such a frame is received."""

from amaranth.hdl import Cat, Const, Mux, Signal

import gateware.uart

from .change import Change
from .environment import holds, offer, progress
from .harness import Harness
from .proof import Proof, case


__all__ = ["PROOFS"]


def transmitter(h: Harness, *, divisor: int) -> None:
    """Each cycle of the line, from any byte to the next."""
    dut = h.add(gateware.uart.Transmitter(divisor=divisor))
    taken = offer(h, dut.i)
    inside = h.inside(dut)
    timer, left, bits = inside["timer"], inside["left"], inside["bits"]

    # Cycles since a byte was taken, and its bits, the start bit lowest.
    length = 10 * divisor
    age = Signal(range(length + 1), init=length, name="age")
    frame = Signal(10, init=0x3FF, name="frame")
    h.m.d.sync += age.eq(Mux(age == length, age, age + 1))
    with h.m.If(taken):
        h.m.d.sync += [age.eq(0), frame.eq(Cat(0, dut.i.payload, 1))]
    bit = Mux(age == length, 9, age // divisor)
    h.claim("the line has each bit for as many clocks as a bit takes, and is high between frames",
            dut.tx == frame.bit_select(bit, 1))
    h.claim("bytes are taken with the last clock of the frame before, or when there is none",
            dut.i.ready == (age >= length - 1))

    # What makes it so.
    h.claim("age is in range, and a frame begins low and ends high",
            (age <= length) & ((age == length) | (~frame[0] & frame[9])))
    phase = Mux(age == length, divisor - 1, age % divisor)
    h.claim("the timer counts a bit's clocks down", timer == divisor - 1 - phase)
    h.claim("bits are counted down",
            Mux(age == length, left <= 1, left == 10 - age // divisor))
    h.claim("what is to be sent is what was taken",
            (age == length) | (bits == (Cat(frame, Const(0xFF, 8)) >> (bit + 1))[:8]))
    h.cover("a frame is over", h.past(age == length - 1) & (age == length))


def receiver(h: Harness, *, divisor: int, early: int, late: int) -> None:
    """A frame on a line that settles some clocks before each bit's middle, not before."""
    dut = h.add(gateware.uart.Receiver(divisor=divisor))
    h.m.d.comb += dut.o.ready.eq(h.free(1, "o_ready"))
    byte, start = h.constant(8, "byte"), h.constant(4, "start")
    now = Signal(range(16 * divisor), name="now")
    h.m.d.sync += now.eq(now + 1)
    age = Signal(range(16 * divisor), name="age")
    begun = Signal(name="begun")
    h.m.d.comb += begun.eq(now >= start)
    h.m.d.comb += age.eq(Mux(begun, now - start, 0))

    # The start bit's edge counts; all other edges may come early or late.
    frame = Cat(Const(0, 1), byte, Const(1, 1))
    level = Signal(init=1, name="level")
    free = h.free(1, "between")
    h.m.d.comb += [level.eq(1), dut.rx.eq(level)]
    with h.m.If(begun & (age < 10 * divisor)):
        h.m.d.comb += level.eq(free)
        for n in range(10):
            first = n * divisor + (0 if n == 0 else late)
            last = (n + 1) * divisor - early
            with h.m.If((age >= first) & (age < last)):
                h.m.d.comb += level.eq(frame[n])
    with h.m.Elif(begun):
        h.m.d.comb += level.eq(1)

    done = h.count(dut.o.valid & dut.o.ready, 3, name="received")
    h.claim("what is received is what was sent", ~dut.o.valid | (dut.o.payload == byte))
    h.claim("once", (done + dut.o.valid) <= 1)
    h.claim("and nothing is lost", ~dut.error)
    h.claim("by the end of the frame",
            (age < 10 * divisor) | (done + dut.o.valid == 1))
    holds(h, dut.o)
    h.cover("a frame is over, and its byte taken", (age > 10 * divisor) & (done == 1))


def overrun(h: Harness, *, divisor: int) -> None:
    """Whatever the line does."""
    dut = h.add(gateware.uart.Receiver(divisor=divisor))
    h.drive(dut.rx)
    h.m.d.comb += dut.o.ready.eq(h.free(1, "o_ready"))
    holds(h, dut.o)
    inside = h.inside(dut)
    timer, count = inside["timer"], inside["count"]
    state = inside["fsm_state"]
    h.claim("counters are in range", (timer < divisor) & (count <= 10) & (state <= 2))
    h.claim("a bit is sampled at its time", (count < 10) | (state != 1))
    waiting = h.past(dut.o.valid & ~dut.o.ready)
    h.claim("a byte that waits is lost to none", ~waiting | dut.o.valid)
    ends = h.past((state == 1) & (timer == 0) & (count == 9))
    h.claim("each byte is given out or reported, one of the two",
            ~ends | (dut.o.valid & ~h.past(dut.error)) | h.past(dut.error))
    h.claim("nothing else is reported", ~h.past(dut.error) | ends)
    progress(h, state == 0, inside["synchronizer.stage1"], 11 * divisor)


PROOFS = (
    Proof(
        "uart.transmitter",
        "A byte is a low start bit, its bits, lowest first, and a high stop bit, each for as many "
        "clocks as a bit takes; the next follows without a gap, and between them the line is "
        "high.",
        "the source keeps what it offers", "induction", transmitter,
        tuple(case(10 * divisor + 3, divisor=divisor) for divisor in (4, 5, 7)),
        (Change("gateware.uart", "(timer == 0) & (left <= 1)", "(timer == 0) & (left <= 2)"),
         Change("gateware.uart", "Cat(bits, 1)", "Cat(bits, 0)", cycles=50),
         Change("gateware.uart", "m.d.sync += left.eq(10)", "m.d.sync += left.eq(11)", cycles=50)),
    ),
    Proof(
        "uart.frame",
        "A frame that begins at any time is received, once, by its end; nothing is reported lost.",
        "the line is high before; each bit but the start bit's edge is right only from some clocks "
        "after it begins to some clocks before it ends, and anything in between",
        "bounded", receiver,
        (case(68, divisor=4, early=0, late=0), case(78, divisor=5, early=1, late=1)),
        (Change("gateware.uart", "(self.divisor - 1) // 2 - 1", "self.divisor - 2", case=1),
         Change("gateware.uart", "byte.eq(Cat(byte[1:], rx))", "byte.eq(Cat(rx, byte[:-1]))")),
    ),
    Proof(
        "uart.receiver",
        "Whatever the line does, a byte given out stays until it is taken; each that ends is given "
        "out or reported, and nothing else is; and a line that is high is waited for no longer "
        "than eleven bits.",
        "nothing", "induction", overrun,
        (case(48, divisor=4), case(60, divisor=5)),
        (Change("gateware.uart", "~rx | (self.o.valid & ~self.o.ready)", "~rx", cycles=90),
         Change("gateware.uart", "with m.If(~self.error):", "with m.If(1):", cycles=90)),
    ),
)

"""Frames in and out: checked, stuffed, and a byte at a time in between."""

from amaranth import *
from amaranth.lib import memory, stream, wiring
from amaranth.lib.crc import catalog
from amaranth.lib.wiring import In, Out

from model import frame
from model.frame import Error

from . import cobs
from .collector import Collector


__all__ = ["fault", "Frames"]


fault = range(max(Error) + 1)    # an `Error`, or 0 for none

# Pages of the memory: two for frames that come in, one for the answer, one that is constant.
PAGE     = 256
ANSWER   = 2
CONSTANT = 3
PAGES    = 4

CRC_BITS = 2   # that the CRC takes in a cycle: with eight it would have twice the look-up tables
PHASES   = 8 // CRC_BITS   # cycles that a byte takes


class Frames(wiring.Component):
    """Gives out frames of :mod:`model.frame` one by one, and takes an answer to each.

    A frame is collected whole and checked before it is given out. One that is too short to be
    answered is dropped; any other must be answered before the next is given out. One more may
    arrive meanwhile; then :py:`i` waits.

    There is one memory, with one port for each direction, and one CRC for both: a line is so much
    slower than the clock that they may take turns. Checking takes five cycles a byte, and so does
    an answer.

    Parameters
    ----------
    constant : :class:`bytes`
        What :py:`recite` reads.

    Members
    -------
    i : :py:`In(stream.Signature(8))`
        Bytes from the host.
    lost : :py:`In(1)`
        High for one cycle when one of them was lost: the frame that it was in is damaged.
    o : :py:`Out(stream.Signature(8))`
        Bytes to the host.
    open : :py:`Out(1)`
        A frame is there; until :py:`close`, what follows is about it.
    opcode : :py:`Out(8)`
        Its first byte.
    sequence : :py:`Out(8)`
        Its second byte.
    length : :py:`Out(8)`
        Bytes of payload.
    fault : :py:`Out(fault)`
        What is wrong with it, if anything; then only :py:`sequence` means something.
    at : :py:`Out(range(PAGE))`
        Which of its bytes is read; the first of the payload to begin with.
    byte : :py:`Out(8)`
        That byte.
    fresh : :py:`Out(1)`
        Whether :py:`byte` is there yet.
    next : :py:`In(1)`
        Read the next byte.
    restart : :py:`In(1)`
        Begin the answer, or throw away what there is of it, and read byte 0.
    recite : :py:`In(1)`
        Read the constant instead of the frame. Changes only before :py:`restart`.
    answer : :py:`In(stream.Signature(8))`
        Bytes of the answer, without CRC.
    close : :py:`In(1)`
        The answer is complete.
    """

    def __init__(self, *, constant):
        self._constant = bytes(constant)
        super().__init__({
            "i": In(stream.Signature(8)),
            "lost": In(1),
            "o": Out(stream.Signature(8)),
            "open": Out(1),
            "opcode": Out(8),
            "sequence": Out(8),
            "length": Out(8),
            "fault": Out(fault),
            "at": Out(range(PAGE)),
            "byte": Out(8),
            "fresh": Out(1),
            "next": In(1),
            "restart": In(1),
            "recite": In(1),
            "answer": In(stream.Signature(8)),
            "close": In(1),
        })

    def elaborate(self, platform):
        m = Module()

        m.submodules.cells = cells = memory.Memory(
            shape=8, depth=PAGES * PAGE, init=[*bytes(CONSTANT * PAGE), *self._constant])
        r_port = cells.read_port()
        w_port = cells.write_port()

        m.submodules.collector = collector = Collector(least=frame.MIN_FRAME, most=frame.MAX_FRAME)
        wiring.connect(m, wiring.flipped(self.i), collector.i)
        m.d.comb += collector.lost.eq(self.lost)
        m.submodules.encoder = encoder = cobs.Encoder(size=frame.MAX_FRAME)
        m.d.comb += w_port.en.eq(collector.w.en | encoder.w.en)
        with m.If(collector.w.en):
            m.d.comb += w_port.addr.eq(collector.w.addr)
            m.d.comb += w_port.data.eq(collector.w.data)
        with m.Else():
            m.d.comb += w_port.addr.eq(Cat(encoder.w.addr, C(ANSWER, 2)))
            m.d.comb += w_port.data.eq(encoder.w.data)

        # Reading: a byte is there the cycle after its address.
        page = Signal(2)
        m.d.comb += page.eq(Mux(self.open & self.recite, CONSTANT, collector.page))
        m.d.comb += r_port.addr.eq(Cat(self.at, page))
        m.d.comb += self.byte.eq(r_port.data)
        m.d.sync += self.fresh.eq(1)

        def read(at):
            m.d.sync += self.at.eq(at)
            m.d.sync += self.fresh.eq(0)

        # Putting a byte into the answer, where what comes in does not take the memory. Bytes wait
        # in a register, so that who gives them does not hang on who else wants the memory.
        put   = Signal()
        taken = Signal()
        byte  = Signal(8)
        held  = Signal()
        m.d.comb += taken.eq(put & ~collector.w.en)
        m.d.comb += encoder.i.valid.eq(taken)
        m.d.comb += encoder.i.payload.eq(byte)

        m.submodules.crc = crc = catalog.CRC32_ISO_HDLC(CRC_BITS).create()
        phase = Signal(range(PHASES))
        final = phase == PHASES - 1
        answers = Signal()   # not frames
        m.d.comb += crc.data.eq(Mux(answers, byte, self.byte).word_select(phase, CRC_BITS))
        with m.If(crc.valid):
            m.d.sync += phase.eq(phase + 1)
        step = Signal(range(frame.CRC))

        def put_held():
            m.d.comb += answers.eq(1)
            m.d.comb += put.eq(held & final)
            m.d.comb += crc.valid.eq(held & (taken | ~final))
            with m.If(taken):
                m.d.sync += held.eq(0)

        with m.FSM():
            with m.State("WAIT"):
                read(0)
                m.d.comb += crc.start.eq(1)
                with m.If(collector.held):
                    m.next = "CHECK"

            with m.State("CHECK"):
                with m.If(self.at == collector.count):
                    m.next = "JUDGE"
                with m.Elif(self.fresh):
                    m.d.comb += crc.valid.eq(1)
                    with m.If(final):
                        read(self.at + 1)
                    with m.Switch(self.at):
                        for n, field in enumerate((self.opcode, self.sequence, self.length)):
                            with m.Case(n):
                                m.d.sync += field.eq(self.byte)

            with m.State("JUDGE"):
                read(frame.HEADER)
                m.d.sync += self.fault.eq(0)
                with m.If(collector.count > frame.MAX_FRAME):
                    m.d.sync += self.fault.eq(Error.LENGTH)
                with m.Elif(collector.damaged | ~crc.match_detected):
                    m.d.sync += self.fault.eq(Error.DAMAGED)
                with m.Elif(self.length + frame.MIN_FRAME != collector.count):
                    m.d.sync += self.fault.eq(Error.LENGTH)
                m.next = "OPEN"

            with m.State("OPEN"):
                m.d.comb += self.open.eq(1)
                m.d.comb += self.answer.ready.eq(~held)
                with m.If(self.answer.valid & self.answer.ready):
                    m.d.sync += [held.eq(1), byte.eq(self.answer.payload)]
                with m.If(self.restart):
                    m.d.comb += [crc.start.eq(1), encoder.start.eq(1)]
                    m.d.sync += [held.eq(0), phase.eq(0)]
                    read(0)
                with m.Else():
                    put_held()
                    with m.If(self.next):
                        read(self.at + 1)
                with m.If(self.close):
                    m.next = "CLOSED"

            with m.State("CLOSED"):
                put_held()
                with m.If(~held):
                    m.next = "CRC"

            with m.State("CRC"):
                m.d.comb += put.eq(1)
                m.d.comb += encoder.i.payload.eq(crc.crc.word_select(step, 8))
                with m.If(taken):
                    m.d.sync += step.eq(step + 1)
                    with m.If(step == frame.CRC - 1):
                        m.next = "END"

            with m.State("END"):
                read(0)
                m.d.comb += put.eq(1)
                m.d.comb += encoder.i.payload.eq(0)
                with m.If(taken):
                    m.d.comb += collector.release.eq(1)
                    m.next = "SEND"

            with m.State("SEND"):
                last = self.at == encoder.length - 1
                m.d.comb += page.eq(ANSWER)
                m.d.comb += self.o.valid.eq(self.fresh)
                m.d.comb += self.o.payload.eq(Mux(last, 0, self.byte))
                with m.If(self.o.valid & self.o.ready):
                    read(self.at + 1)
                    with m.If(last):
                        m.next = "WAIT"

        return m

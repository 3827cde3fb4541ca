"""The host's commands, carried out."""

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from model import frame
from model.frame import Error, Opcode

from . import bus
from .frames import Frames, fault
from .image_buffer import ImageBuffer


__all__ = ["Link"]


LOADED   = 1     # byte of an identity whose bit 0 is only known when it is asked for
PATIENCE = 255   # cycles that a read may take; where nothing is mapped, nothing answers


class Link(wiring.Component):
    """Frames of :mod:`model.frame` to accesses of a bus and to inferences, and back to answers.

    A command is carried out after all of it has been checked, its addresses included, or not at
    all; what happened to it is answered. From the end of a frame to the beginning of its answer
    it takes at most seven cycles for each byte of the frame, five for each of the answer, forty
    more, and the inference; and 256 where nothing answers a read.

    Parameters
    ----------
    identity : :class:`model.frame.Identity`
        What IDENTIFY answers; its sizes are those of the image and the scores.
    addr_width : :class:`int`
        Width of an address of the accelerator's bus.
    result : :class:`amaranth.lib.data.StructLayout`
        What the accelerator gives for each class.

    Members
    -------
    i : :py:`In(stream.Signature(8))`
        Bytes from the host.
    lost : :py:`In(1)`
        High for one cycle when one of them was lost: the frame that it was in is damaged.
    o : :py:`Out(stream.Signature(8))`
        Bytes to the host.
    bus : :py:`Out(bus.Signature(addr_width))`
        The accelerator's memories and registers.
    pixels : :py:`Out(stream.Signature(data.ArrayLayout(identity.bits, identity.simd)))`
        Words of pixels, an image at a time.
    scores : :py:`In(stream.Signature(result))`
        Scores of that image.
    loaded : :py:`In(1)`
        Whether the accelerator has its weights.
    """

    def __init__(self, identity, *, addr_width, result):
        if addr_width > 31:
            raise ValueError(f"Addresses must be at most 31 bits, not {addr_width!r}")
        pixels = data.ArrayLayout(identity.bits, identity.simd)
        depth = identity.buffer_words + identity.classes
        if depth > frame.RUN:
            raise ValueError(f"Image and scores must be at most {frame.RUN} words, not {depth}")
        self._identity = identity
        self._addr_width = addr_width
        self._result = result
        super().__init__({
            "i": In(stream.Signature(8)),
            "lost": In(1),
            "o": Out(stream.Signature(8)),
            "bus": Out(bus.Signature(addr_width)),
            "pixels": Out(stream.Signature(pixels)),
            "scores": In(stream.Signature(result)),
            "loaded": In(1),
        })

    @property
    def identity(self):
        return self._identity

    def elaborate(self, platform):
        m = Module()

        identity = self.identity.pack()
        m.submodules.frames = frames = Frames(constant=identity)
        wiring.connect(m, wiring.flipped(self.i), frames.i)
        wiring.connect(m, frames.o, wiring.flipped(self.o))
        m.d.comb += frames.lost.eq(self.lost)
        m.submodules.buffer = buffer = ImageBuffer(
            pixels=self.pixels.payload.shape(), words=self.identity.words, result=self._result,
            classes=self.identity.classes)
        wiring.connect(m, buffer.o, wiring.flipped(self.pixels))
        wiring.connect(m, wiring.flipped(self.scores), buffer.i)

        # Words of the accelerator, or of the buffer. Bytes move through the top of a word.
        word   = Signal(bus.WORD)
        addr   = Signal(max(self._addr_width, buffer.bus.signature.addr_width))
        beyond = Signal()     # the address has more bits than that
        inside = Signal()     # it is one of the buffer
        left   = Signal(range(frame.MAX_WORDS + 1))
        w_en   = Signal()
        r_en   = Signal()
        for target, chosen in ((buffer.bus, inside), (self.bus, ~inside)):
            m.d.comb += target.addr.eq(addr)
            m.d.comb += target.w_data.eq(word)
            m.d.comb += target.w_en.eq(w_en & chosen)
            m.d.comb += target.r_en.eq(r_en & chosen)

        is_identify, is_write, is_read, is_infer = (frames.opcode == opcode for opcode in (
            Opcode.IDENTIFY, Opcode.WRITE, Opcode.READ, Opcode.INFER))
        run      = Signal()
        error    = Signal(fault)
        step     = Signal(3)
        last     = Signal(8)         # sequence number of the last command carried out
        any_last = Signal()
        patience = Signal(range(PATIENCE + 1))
        m.d.comb += frames.recite.eq(is_identify)

        def refuse(reason):
            m.d.sync += error.eq(reason)
            m.next = "ANSWER"

        def shift(byte=frames.byte):
            m.d.sync += word.eq(Cat(word[8:], byte))
            m.d.sync += step.eq(step + 1)

        def say(value, state):
            m.d.comb += frames.answer.valid.eq(1)
            m.d.comb += frames.answer.payload.eq(value)
            with m.If(frames.answer.ready):
                m.next = state

        said = frames.answer.valid & frames.answer.ready

        with m.FSM():
            with m.State("WAIT"):
                m.d.sync += error.eq(0)
                with m.If(frames.open):
                    m.next = "JUDGE"

            with m.State("JUDGE"):
                length = frames.length
                form = ((is_identify & (length == 0)) |
                        (is_write & (length[:2] == 0) & (length > frame.ADDRESS)) |
                        (is_read & (length == frame.ADDRESS + 1)) |
                        (is_infer & (length[:2] == frame.OFFSET)))
                m.d.sync += left.eq(length[2:] - is_write)   # READ says later how many words
                m.next = "ADDRESS"
                with m.If(frames.fault != 0):
                    refuse(frames.fault)
                with m.Elif(~(is_identify | is_write | is_read | is_infer)):
                    refuse(Error.OPCODE)
                with m.Elif(~form):
                    refuse(Error.LENGTH)
                with m.Elif(is_identify):
                    m.next = "ANSWER"
                with m.Elif(any_last & (frames.sequence == last)):
                    refuse(Error.REPEATED)
                with m.Elif(is_infer & ~self.loaded):
                    refuse(Error.WEIGHTS)

            with m.State("ADDRESS"):
                with m.If(frames.fresh):
                    # An offset is shorter; zeros take the place of what is missing.
                    missing = is_infer & (step >= frame.OFFSET)
                    m.d.comb += frames.next.eq(~missing)
                    shift(Mux(missing, 0, frames.byte))
                    with m.If(step == frame.ADDRESS - 1):
                        m.d.sync += step.eq(0)
                        m.next = "COUNT"

            with m.State("COUNT"):
                top = len(word) - 1
                flag = Mux(is_infer, C(frame.RUN, len(word)), 0)
                m.d.sync += addr.eq(word & ~flag)
                m.d.sync += beyond.eq((word & ~flag)[len(addr):top].any())
                m.d.sync += inside.eq(is_infer | word[top])
                m.d.sync += run.eq((word & flag).any())
                with m.If(~is_read):
                    m.next = "LIMIT"
                with m.Elif(frames.fresh):
                    m.d.sync += left.eq(frames.byte)
                    m.next = "LIMIT"
                    with m.If((frames.byte == 0) | (frames.byte > frame.MAX_WORDS)):
                        refuse(Error.LENGTH)

            with m.State("LIMIT"):
                m.next = "GATHER"
                with m.If(beyond | (addr + left > Mux(inside, buffer.depth,
                                                      1 << self._addr_width))):
                    refuse(Error.ADDRESS)
                with m.Elif(is_read):
                    m.next = "ANSWER"

            with m.State("GATHER"):
                with m.If(left == 0):
                    m.d.comb += buffer.start.eq(run)
                    m.next = "ANSWER"
                    with m.If(run):
                        m.next = "RUN"
                with m.Elif(frames.fresh):
                    m.d.comb += frames.next.eq(1)
                    shift()
                    with m.If(step == frame.WORD - 1):
                        m.next = "WRITE"

            with m.State("WRITE"):
                m.d.comb += w_en.eq(1)
                m.d.sync += step.eq(0)
                m.d.sync += addr.eq(addr + 1)
                m.d.sync += left.eq(left - 1)
                m.next = "GATHER"

            shown = min(self.identity.classes, frame.MAX_SCORES)
            with m.State("RUN"):
                m.d.sync += addr.eq(buffer.scores)
                m.d.sync += left.eq(shown)
                with m.If(buffer.done):
                    m.next = "ANSWER"

            # The answer. Of the frame, only opcode and sequence number are needed any more.
            with m.State("ANSWER"):
                m.d.comb += frames.restart.eq(1)
                m.d.sync += step.eq(0)
                m.next = "OPCODE"

            with m.State("OPCODE"):
                say(Mux(error == 0, frames.opcode, Opcode.ERROR) | frame.ANSWER, "SEQUENCE")

            with m.State("SEQUENCE"):
                say(frames.sequence, "LENGTH")

            with m.State("LENGTH"):
                with m.If(error != 0):
                    say(1, "ERROR")
                with m.Elif(is_identify):
                    say(len(identity), "IDENTITY")
                with m.Elif(is_read):
                    say(left * frame.WORD, "FETCH")
                with m.Elif(run & is_infer):
                    say(frame.RESULT + shown * frame.WORD, "RESULT")
                with m.Else():
                    say(0, "CLOSE")

            with m.State("ERROR"):
                say(error, "CLOSE")

            with m.State("IDENTITY"):
                with m.If(frames.fresh):
                    say(frames.byte | ((frames.at == LOADED) & self.loaded), "IDENTITY")
                with m.If(said):
                    m.d.comb += frames.next.eq(1)
                    with m.If(frames.at == len(identity) - 1):
                        m.next = "CLOSE"

            with m.State("RESULT"):
                best = Cat(buffer.best, C(0, 16))[:16]
                say(Cat(best, buffer.cycles).word_select(step, 8), "RESULT")
                with m.If(said):
                    m.d.sync += step.eq(step + 1)
                    with m.If(step == frame.RESULT - 1):
                        m.next = "FETCH"

            with m.State("FETCH"):
                m.d.sync += step.eq(0)
                m.d.sync += patience.eq(PATIENCE)
                with m.If(left == 0):
                    m.next = "CLOSE"
                with m.Else():
                    m.d.comb += r_en.eq(1)
                    m.next = "REPLY"

            with m.State("REPLY"):
                m.d.sync += patience.eq(patience - 1)
                m.d.sync += word.eq(Mux(inside, buffer.bus.r_data, self.bus.r_data))
                with m.If(Mux(inside, buffer.bus.r_valid, self.bus.r_valid)):
                    m.next = "WORD"
                with m.Elif(patience == 0):
                    refuse(Error.ADDRESS)

            with m.State("WORD"):
                say(word[:8], "WORD")
                with m.If(said):
                    shift()
                    with m.If(step == frame.WORD - 1):
                        m.d.sync += addr.eq(addr + 1)
                        m.d.sync += left.eq(left - 1)
                        m.next = "FETCH"

            with m.State("CLOSE"):
                m.d.comb += frames.close.eq(1)
                with m.If(error == 0):
                    m.d.sync += last.eq(frames.sequence)
                    m.d.sync += any_last.eq(1)
                m.next = "WAIT"

        return m

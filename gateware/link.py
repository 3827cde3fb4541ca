"""The host's commands, carried out."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from model import frame
from model.frame import Counter, Error, Opcode

from . import bus
from .access import Access
from .counters import Counters
from .frames import Frames, fault
from .image_buffer import ImageBuffer
from .result_bytes import ResultBytes
from .results import Results


__all__ = ["Link"]


LOADED = 1   # byte of an identity whose bit 0 is only known when it is asked for

# Places, besides the accelerator's bus, which is 0.
SCORES   = frame.RESULTS >> 30
COUNTERS = frame.COUNTERS >> 30


class Link(wiring.Component):
    """Frames of :mod:`model.frame` to accesses of a bus and to inferences, and back to answers.

    A command is carried out after all of it has been checked, its addresses included, or not at
    all; what happened to it is answered. From the end of a frame to the beginning of its answer
    it takes at most 16 cycles for each byte of the frame, seven for each of the answer, three for
    each score, sixty more, and the inference; and 256, with the time of a whole answer, where
    nothing answers a read.

    Parameters
    ----------
    identity : :class:`model.frame.Identity`
        What IDENTIFY answers; its sizes are those of images and scores.
    words, width : :class:`int`
        Words of pixels in an image, and bits in a word.
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
    pixels : :py:`Out(stream.Signature(width))`
        Words of pixels, an image at a time.
    last : :py:`Out(1)`
        With a word that is offered: whether a round of images ends with it.
    scores : :py:`In(stream.Signature(result))`
        Scores of that image.
    loaded : :py:`In(1)`
        Whether the accelerator has its weights.
    reset : :py:`Out(1)`
        High for one cycle when the accelerator shall forget all but its memories.
    best : :py:`Out(result["best"].shape)`
        Class of the last image, once there was one.
    any_best : :py:`Out(1)`
        Whether there was.
    """

    def __init__(self, identity, *, words, width, addr_width, result):
        if not 0 < addr_width <= 30:
            raise ValueError(f"Addresses must be 1 to 30 bits, not {addr_width!r}")
        if identity.buffer_bytes >= frame.RUN:
            raise ValueError(f"Images must be less than {frame.RUN:,} bytes in all, "
                             f"not {identity.buffer_bytes:,}")
        self._identity = identity
        self._addr_width = addr_width
        self._result = result
        self._words = words
        self._width = width
        super().__init__({
            "i": In(stream.Signature(8)),
            "lost": In(1),
            "o": Out(stream.Signature(8)),
            "bus": Out(bus.Signature(addr_width)),
            "pixels": Out(stream.Signature(width)),
            "last": Out(1),
            "scores": In(stream.Signature(result)),
            "loaded": In(1),
            "reset": Out(1),
            "best": Out(result["best"].shape),
            "any_best": Out(1),
        })

    @property
    def identity(self):
        return self._identity

    def elaborate(self, platform):
        m = Module()

        identity = self.identity
        constant = identity.pack()
        m.submodules.frames = frames = Frames(constant=constant)
        wiring.connect(m, wiring.flipped(self.i), frames.i)
        wiring.connect(m, frames.o, wiring.flipped(self.o))
        m.d.comb += frames.lost.eq(self.lost)
        m.submodules.buffer = buffer = ImageBuffer(
            width=self._width, words=self._words, image_bytes=identity.image_bytes,
            batch=identity.batch)
        m.submodules.results = results = Results(
            result=self._result, classes=identity.classes, batch=identity.batch)
        wiring.connect(m, buffer.o, wiring.flipped(self.pixels))
        m.d.comb += self.last.eq(buffer.last)
        wiring.connect(m, wiring.flipped(self.scores), results.i)
        m.d.comb += results.images.eq(buffer.images)
        m.d.comb += results.begin.eq(buffer.o.valid & buffer.o.ready)
        m.d.comb += self.best.eq(results.best)
        with m.If(results.counted):
            m.d.sync += self.any_best.eq(1)

        # What the frame asks for, known when it is judged.
        asked = {opcode: Signal(name=f"is_{opcode.name.lower()}")
                 for opcode in Opcode if opcode != Opcode.ERROR}
        is_identify, is_write, is_read, is_infer, is_repeat, is_echo, is_reset = asked.values()
        runs     = is_infer | is_repeat
        head     = Signal(8 * frame.HEAD)   # an address, an offset with flags, or rounds
        offset   = head[:24]
        run      = is_infer & head[24]
        shown    = head[25]                 # scores are asked for as well
        left     = Signal(8)                # bytes of images to come, or words to read or write
        size     = Signal(8)                # bytes of results
        step     = Signal(range(frame.HEAD))
        error    = Signal(fault)
        last     = Signal(8)                # sequence number of the last command carried out
        any_last = Signal()
        m.d.comb += frames.recite.eq(is_identify)

        # Scores, counters, and what the accelerator has, word by word.
        depth = identity.batch * identity.classes
        m.submodules.counters = counters = Counters()
        m.d.comb += counters.image.eq(results.counted)
        m.submodules.access = access = Access(
            addr_width=max(self._addr_width, bits_for(depth - 1), bits_for(max(Counter))),
            writable=self._addr_width)
        m.d.comb += [access.first.eq(head), access.count.eq(left), access.write.eq(is_write),
                     access.i.payload.eq(frames.byte)]
        addr  = access.bus.addr
        wants = {place: access.bus.r_en & (access.place == place)
                 for place in (0, SCORES, COUNTERS)}
        found = Signal()
        m.d.sync += found.eq((wants[SCORES] & (addr < depth)) |
                             (wants[COUNTERS] & (addr < len(Counter))))
        m.d.comb += [self.bus.addr.eq(addr), counters.number.eq(addr),
                     self.bus.w_data.eq(access.bus.w_data), self.bus.w_en.eq(access.bus.w_en),
                     self.bus.r_en.eq(wants[0] & (addr < 1 << self._addr_width)),
                     access.bus.r_valid.eq(found | self.bus.r_valid)]
        with m.Switch(access.place):
            with m.Case(SCORES):
                m.d.comb += access.bus.r_data.eq(results.score)
            with m.Case(COUNTERS):
                m.d.comb += access.bus.r_data.eq(counters.count)
            with m.Default():
                m.d.comb += access.bus.r_data.eq(self.bus.r_data)

        # Results of a round, as they are answered.
        m.submodules.told = told = ResultBytes(
            classes=identity.classes, batch=identity.batch, score_bytes=identity.score_bytes,
            best=results.best.shape())
        m.d.comb += [told.repeated.eq(is_repeat), told.shown.eq(shown),
                     told.images.eq(buffer.images), told.cycles.eq(results.cycles),
                     told.digest.eq(results.digest), told.score.eq(results.score),
                     told.best.eq(results.best_there),
                     results.addr.eq(Mux(is_read, addr, told.addr))]

        def refuse(reason):
            m.d.sync += error.eq(reason)
            m.next = "ANSWER"

        said = frames.answer.valid & frames.answer.ready

        def say(value, state):
            m.d.comb += frames.answer.valid.eq(1)
            m.d.comb += frames.answer.payload.eq(value)
            with m.If(said):
                m.next = state

        def pass_on(source):
            """Answer with what a stream brings."""
            m.d.comb += frames.answer.valid.eq(source.valid)
            m.d.comb += frames.answer.payload.eq(source.payload)
            m.d.comb += source.ready.eq(frames.answer.ready)

        with m.FSM():
            with m.State("WAIT"):
                m.d.sync += error.eq(0)
                m.d.sync += [asks.eq(frames.opcode == opcode) for opcode, asks in asked.items()]
                with m.If(frames.open):
                    m.next = "JUDGE"

            with m.State("JUDGE"):
                length = frames.length
                form = (((is_identify | is_reset) & (length == 0)) | is_echo |
                        (is_write & (length[:2] == 0) & (length > frame.HEAD)) |
                        (is_read & (length == frame.HEAD + 1)) |
                        (is_infer & (length >= frame.HEAD)) |
                        (is_repeat & (length == frame.HEAD)))
                # READ says later how many words.
                m.d.sync += left.eq(Mux(is_infer, length - frame.HEAD, length[2:] - 1))
                m.next = "HEAD"
                with m.If(frames.fault != 0):
                    refuse(frames.fault)
                with m.Elif(~Cat(asked.values()).any()):
                    refuse(Error.OPCODE)
                with m.Elif(~form):
                    refuse(Error.LENGTH)
                with m.Elif(is_identify | is_echo | is_reset):
                    m.next = "ANSWER"
                with m.Elif(any_last & (frames.sequence == last)):
                    refuse(Error.REPEATED)
                with m.Elif(runs & ~self.loaded):
                    refuse(Error.WEIGHTS)

            with m.State("HEAD"):
                with m.If(frames.fresh):
                    m.d.comb += frames.next.eq(1)
                    m.d.sync += head.eq(Cat(head[8:], frames.byte))
                    m.d.sync += step.eq(step + 1)
                    with m.If(step == frame.HEAD - 1):
                        m.next = "COUNT"

            # Images. Offset 0 begins with the first one again; any other must be what comes next.
            first   = offset == 0
            restart = Signal()
            follows = Signal()
            room    = Signal()
            with m.State("COUNT"):
                m.d.sync += restart.eq(first & (left != 0))
                m.d.sync += follows.eq(first | (left == 0) | (offset == buffer.filled))
                m.d.sync += room.eq(Mux(first & (left != 0), 0, buffer.filled) + left
                                    <= identity.buffer_bytes)
                with m.If(is_infer):
                    m.next = "PART"
                with m.Elif(is_repeat):
                    m.next = "ROUNDS"
                with m.Elif(is_write):
                    m.d.comb += access.start.eq(1)
                    m.next = "WORDS"
                with m.Elif(frames.fresh):
                    m.d.sync += left.eq(frames.byte)
                    m.next = "ANSWER"
                    with m.If((frames.byte == 0) | (frames.byte > frame.MAX_WORDS)):
                        refuse(Error.LENGTH)

            # Reading begins with the answer, which is begun again where nothing is found.
            with m.State("WORDS"):
                m.d.comb += access.i.valid.eq(frames.fresh)
                m.d.comb += frames.next.eq(frames.fresh & access.i.ready)
                pass_on(access.o)
                with m.If(access.refused):
                    refuse(Error.ADDRESS)
                with m.Elif(access.done):
                    m.next = "CLOSE"
                    with m.If(is_write):
                        m.next = "ANSWER"

            with m.State("PART"):
                m.next = "PIXELS"
                with m.If(head[26:].any()):
                    refuse(Error.ADDRESS)
                with m.Elif(~follows):
                    m.d.comb += buffer.clear.eq(1)
                    refuse(Error.IMAGE)
                with m.Elif(~room):
                    refuse(Error.ADDRESS)
                with m.Elif(restart):
                    m.d.comb += buffer.clear.eq(1)

            with m.State("PIXELS"):
                m.d.comb += buffer.i.payload.eq(frames.byte)
                with m.If(left == 0):
                    m.next = "ANSWER"
                    with m.If(run):
                        m.next = "SETTLE"
                with m.Elif(frames.fresh):
                    m.d.comb += buffer.i.valid.eq(1)
                    with m.If(buffer.i.ready):
                        m.d.comb += frames.next.eq(1)
                        m.d.sync += left.eq(left - 1)

            with m.State("SETTLE"):
                with m.If(buffer.i.ready):
                    m.next = "ROUNDS"

            rounds = Mux(is_repeat, head, 1)
            m.d.comb += [buffer.rounds.eq(rounds), results.rounds.eq(rounds)]
            with m.State("ROUNDS"):
                most = [identity.most_images(scores=scores) for scores in (False, True)]
                m.next = "START"
                with m.If(is_repeat & ((head[:16] == 0) | head[16:].any())):
                    refuse(Error.LENGTH)
                with m.Elif(~buffer.whole | (buffer.images == 0)):
                    m.d.comb += buffer.clear.eq(1)
                    refuse(Error.IMAGE)
                with m.Elif(is_infer & (buffer.images > Mux(shown, most[True], most[False]))):
                    refuse(Error.LENGTH)

            with m.State("START"):
                m.d.comb += [buffer.start.eq(1), results.start.eq(1)]
                m.d.sync += size.eq(frame.WORD)
                m.next = "RUN"

            with m.State("RUN"):
                each = [identity.result_bytes(scores=scores) for scores in (False, True)]
                with m.If(results.counted):
                    m.d.sync += size.eq(size + Mux(shown, each[True], each[False]))
                with m.If(results.done):
                    m.next = "ANSWER"

            # The answer. Of the frame, only opcode and sequence number are needed any more, but
            # for an echo, which reads its bytes as it answers with them.
            with m.State("ANSWER"):
                m.d.comb += frames.restart.eq(1)
                m.next = "OPCODE"

            with m.State("OPCODE"):
                say(Mux(error == 0, frames.opcode, Opcode.ERROR) | frame.ANSWER, "SEQUENCE")

            with m.State("SEQUENCE"):
                say(frames.sequence, "LENGTH")

            with m.State("LENGTH"):
                with m.If(error != 0):
                    say(1, "ERROR")
                with m.Elif(is_identify):
                    say(len(constant), "CONSTANT")
                with m.Elif(is_echo):
                    say(frames.length, "ECHO")
                with m.Elif(is_read):
                    say(left * frame.WORD, "WORDS")
                    m.d.comb += access.start.eq(said)
                with m.Elif(run | is_repeat):
                    say(Mux(is_repeat, 2 * frame.WORD, size), "RESULTS")
                    m.d.comb += told.start.eq(said)
                with m.Else():
                    say(0, "CLOSE")

            with m.State("ERROR"):
                say(error, "CLOSE")

            with m.State("CONSTANT"):
                with m.If(frames.fresh):
                    say(frames.byte | ((frames.at == LOADED) & self.loaded), "CONSTANT")
                with m.If(said):
                    m.d.comb += frames.next.eq(1)
                    with m.If(frames.at == len(constant) - 1):
                        m.next = "CLOSE"

            with m.State("ECHO"):
                with m.If(frames.at == frames.length + frame.HEADER):
                    m.next = "CLOSE"
                with m.Elif(frames.fresh):
                    say(frames.byte, "ECHO")

            with m.State("RESULTS"):
                pass_on(told.o)
                with m.If(told.done):
                    m.next = "CLOSE"

            with m.State("CLOSE"):
                m.d.comb += frames.close.eq(1)
                m.next = "WAIT"
                with m.If(error != 0):
                    m.d.comb += counters.refused.eq(1)
                with m.Else():
                    m.d.comb += counters.command.eq(1)
                    m.d.sync += last.eq(frames.sequence)
                    m.d.sync += any_last.eq(1)
                    with m.If(is_reset):
                        m.d.comb += [self.reset.eq(1), buffer.clear.eq(1), counters.clear.eq(1)]
                        m.d.sync += [any_last.eq(0), self.any_best.eq(0)]

        # Reading back what an echo was sent goes on with each byte of the answer.
        with m.If(is_echo & said):
            m.d.comb += frames.next.eq(1)

        return m

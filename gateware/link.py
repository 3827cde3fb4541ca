"""The host's commands, carried out."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from model import frame
from model.frame import Counter, Error, Opcode

from . import bus
from .frames import Frames, fault
from .image_buffer import ImageBuffer
from .results import Results


__all__ = ["Link"]


LOADED   = 1     # byte of an identity whose bit 0 is only known when it is asked for
PATIENCE = 255   # cycles that a read may take; where nothing is mapped, nothing answers


class Link(wiring.Component):
    """Frames of :mod:`model.frame` to accesses of a bus and to inferences, and back to answers.

    A command is carried out after all of it has been checked, its addresses included, or not at
    all; what happened to it is answered. From the end of a frame to the beginning of its answer
    it takes at most 16 cycles for each byte of the frame, seven for each of the answer, three for
    each score, sixty more, and the inference; and 256 where nothing answers a read.

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
        if addr_width > 31:
            raise ValueError(f"Addresses must be at most 31 bits, not {addr_width!r}")
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

        constant = self.identity.pack()
        classes, size = self.identity.classes, self.identity.score_bytes
        m.submodules.frames = frames = Frames(constant=constant)
        wiring.connect(m, wiring.flipped(self.i), frames.i)
        wiring.connect(m, frames.o, wiring.flipped(self.o))
        m.d.comb += frames.lost.eq(self.lost)
        m.submodules.buffer = buffer = ImageBuffer(
            width=self._width, words=self._words, image_bytes=self.identity.image_bytes,
            batch=self.identity.batch)
        m.submodules.results = results = Results(
            result=self._result, classes=classes, batch=self.identity.batch)
        wiring.connect(m, buffer.o, wiring.flipped(self.pixels))
        wiring.connect(m, wiring.flipped(self.scores), results.i)
        m.d.comb += results.images.eq(buffer.images)
        m.d.comb += results.begin.eq(buffer.o.valid & buffer.o.ready)
        m.d.comb += self.best.eq(results.best)
        with m.If(results.counted):
            m.d.sync += self.any_best.eq(1)

        # Bytes move through the top of a word. It holds what comes before the data, and then, a
        # word at a time, data; `addr` counts on.
        depth = self.identity.batch * classes
        word   = Signal(bus.WORD)
        addr   = Signal(max(self._addr_width, bits_for(depth - 1), 2))
        limit  = Signal(len(addr) + 1)
        beyond = Signal()      # the address has more bits than that
        stored = Signal(2)     # what it is an address of: 2 for scores, 3 for counters
        left   = Signal(max(8, bits_for(classes)))   # words, bytes or classes to come
        images = Signal.like(buffer.images)
        run    = Signal()
        shown  = Signal()      # scores are asked for as well
        w_en   = Signal()
        r_en   = Signal()
        m.d.comb += self.bus.addr.eq(addr)
        m.d.comb += self.bus.w_data.eq(word)
        m.d.comb += self.bus.w_en.eq(w_en)
        m.d.comb += self.bus.r_en.eq(r_en & ~stored[1])
        m.d.comb += results.addr.eq(addr)
        m.d.comb += [buffer.rounds.eq(word), results.rounds.eq(word)]

        is_identify, is_write, is_read, is_infer, is_repeat, is_echo, is_reset = (
            frames.opcode == opcode for opcode in (
                Opcode.IDENTIFY, Opcode.WRITE, Opcode.READ, Opcode.INFER, Opcode.REPEAT,
                Opcode.ECHO, Opcode.RESET))
        runs     = is_infer | is_repeat
        error    = Signal(fault)
        step     = Signal(3)
        last     = Signal(8)         # sequence number of the last command carried out
        any_last = Signal()
        patience = Signal(range(PATIENCE + 1))
        m.d.comb += frames.recite.eq(is_identify)

        counters = {Counter.IMAGES: Signal(32, name="counted_images"),
                    Counter.COMMANDS: Signal(16, name="counted_commands"),
                    Counter.REFUSED: Signal(16, name="counted_refused")}
        with m.If(results.counted):
            m.d.sync += counters[Counter.IMAGES].eq(counters[Counter.IMAGES] + 1)
        count = Signal(32)
        with m.Switch(addr[:2]):
            for n, counter in counters.items():
                with m.Case(n):
                    m.d.comb += count.eq(counter)

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
                m.d.sync += step.eq(0)
                m.d.sync += run.eq(0)
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
                with m.Elif(~(is_identify | is_write | is_read | runs | is_echo | is_reset)):
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
                    shift()
                    with m.If(step == frame.HEAD - 1):
                        m.d.sync += step.eq(0)
                        m.next = "COUNT"

            with m.State("COUNT"):
                m.d.sync += addr.eq(word)
                m.d.sync += beyond.eq(word[len(addr):30].any() | (word[30] & ~word[31]))
                m.d.sync += stored.eq(word[30:])
                m.d.sync += run.eq(is_infer & word[24])
                m.d.sync += shown.eq(word[25])
                with m.If(is_infer):
                    m.next = "PART"
                with m.Elif(is_repeat):
                    m.next = "ROUNDS"
                with m.Elif(is_write):
                    m.next = "LIMIT"
                with m.Elif(frames.fresh):
                    m.d.sync += left.eq(frames.byte)
                    m.next = "LIMIT"
                    with m.If((frames.byte == 0) | (frames.byte > frame.MAX_WORDS)):
                        refuse(Error.LENGTH)
                with m.Switch(word[30:]):
                    with m.Case(2):
                        m.d.sync += limit.eq(depth)
                    with m.Case(3):
                        m.d.sync += limit.eq(len(Counter))
                    with m.Default():
                        m.d.sync += limit.eq(1 << self._addr_width)

            with m.State("LIMIT"):
                m.next = "GATHER"
                with m.If(beyond | (addr + left > limit) | (stored[1] & is_write)):
                    refuse(Error.ADDRESS)
                with m.Elif(is_read):
                    m.next = "ANSWER"

            with m.State("GATHER"):
                with m.If(left == 0):
                    m.next = "ANSWER"
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

            # Images. Offset 0 begins with the first one again; any other must be what comes next.
            offset = word[:24]
            restart = (offset == 0) & (left != 0)
            with m.State("PART"):
                m.next = "PIXELS"
                with m.If((offset + left > self.identity.buffer_bytes) | word[26:].any()):
                    refuse(Error.ADDRESS)
                with m.Elif(restart):
                    m.d.comb += buffer.clear.eq(1)
                with m.Elif((left != 0) & (offset != buffer.filled)):
                    m.d.comb += buffer.clear.eq(1)
                    refuse(Error.IMAGE)

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
                m.d.sync += word.eq(1)
                with m.If(buffer.i.ready):
                    m.next = "ROUNDS"

            with m.State("ROUNDS"):
                most = [self.identity.most_images(scores=scores) for scores in (False, True)]
                m.next = "START"
                with m.If((word[:16] == 0) | word[16:].any()):
                    refuse(Error.LENGTH)
                with m.Elif(~buffer.whole | (buffer.images == 0)):
                    m.d.comb += buffer.clear.eq(1)
                    refuse(Error.IMAGE)
                with m.Elif(run & (buffer.images > Mux(shown, most[True], most[False]))):
                    refuse(Error.LENGTH)

            with m.State("START"):
                m.d.comb += [buffer.start.eq(1), results.start.eq(1)]
                m.next = "RUN"

            with m.State("RUN"):
                with m.If(results.done):
                    m.next = "ANSWER"

            # The answer. Of the frame, only opcode and sequence number are needed any more, but
            # for an echo, which reads its bytes as it answers with them.
            with m.State("ANSWER"):
                m.d.comb += frames.restart.eq(1)
                m.d.sync += images.eq(buffer.images)
                m.next = "OPCODE"

            with m.State("OPCODE"):
                say(Mux(error == 0, frames.opcode, Opcode.ERROR) | frame.ANSWER, "SEQUENCE")

            with m.State("SEQUENCE"):
                say(frames.sequence, "LENGTH")

            with m.State("LENGTH"):
                each = [self.identity.result_bytes(scores=scores) for scores in (False, True)]
                with m.If(error != 0):
                    say(1, "ERROR")
                with m.Elif(is_identify):
                    say(len(constant), "CONSTANT")
                with m.Elif(is_echo):
                    say(frames.length, "ECHO")
                with m.Elif(is_read):
                    say(left * frame.WORD, "FETCH")
                with m.Elif(is_repeat):
                    say(2 * frame.WORD, "TIME")
                with m.Elif(run):
                    say(frame.WORD + Mux(shown, images * each[True], images * each[False]), "TIME")
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

            with m.State("TIME"):
                m.d.sync += addr.eq(0)
                m.d.sync += left.eq(classes - 1)
                say(Cat(results.cycles, results.digest).word_select(step, 8), "TIME")
                with m.If(said):
                    m.d.sync += step.eq(step + 1)
                    with m.If(is_infer & (step == frame.WORD - 1)):
                        m.d.sync += step.eq(0)
                        m.next = "SCORE"
                    with m.If(step == 2 * frame.WORD - 1):
                        m.next = "CLOSE"

            # Scores, and after an image's last its class.
            with m.State("SCORE"):
                m.d.sync += word.eq(results.score)
                m.next = "BYTES"
                with m.If(~shown):
                    m.next = "FOLLOWING"
                    with m.If(left == 0):
                        m.next = "CLASS"

            with m.State("BYTES"):
                say(word[:8], "BYTES")
                with m.If(said):
                    shift()
                    with m.If(step == size - 1):
                        m.d.sync += step.eq(0)
                        m.next = "FOLLOWING"
                        with m.If(left == 0):
                            m.next = "CLASS"

            with m.State("CLASS"):
                best = Cat(results.best_there, C(0, 8 * frame.CLASS))
                say(best.word_select(step[0], 8), "CLASS")
                with m.If(said):
                    m.d.sync += step.eq(step + 1)
                    with m.If(step == frame.CLASS - 1):
                        m.d.sync += step.eq(0)
                        m.d.sync += left.eq(classes)
                        m.d.sync += images.eq(images - 1)
                        m.next = "FOLLOWING"
                        with m.If(images == 1):
                            m.next = "CLOSE"

            with m.State("FOLLOWING"):
                m.d.sync += addr.eq(addr + 1)
                m.d.sync += left.eq(left - 1)
                m.next = "PAUSE"

            with m.State("PAUSE"):
                m.next = "SCORE"

            # Words of memory.
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
                with m.If(stored[1]):
                    m.d.sync += word.eq(Mux(stored[0], count, results.score))
                    m.next = "WORD"
                with m.Else():
                    m.d.sync += word.eq(self.bus.r_data)
                    with m.If(self.bus.r_valid):
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
                m.next = "WAIT"
                with m.If(error != 0):
                    m.d.sync += counters[Counter.REFUSED].eq(counters[Counter.REFUSED] + 1)
                with m.Else():
                    m.d.sync += counters[Counter.COMMANDS].eq(counters[Counter.COMMANDS] + 1)
                    m.d.sync += last.eq(frames.sequence)
                    m.d.sync += any_last.eq(1)
                    with m.If(is_reset):
                        m.d.comb += [self.reset.eq(1), buffer.clear.eq(1)]
                        m.d.sync += [counter.eq(0) for counter in counters.values()]
                        m.d.sync += [any_last.eq(0), self.any_best.eq(0)]

        # Reading back what an echo was sent goes on with each byte of the answer.
        with m.If(is_echo & said):
            m.d.comb += frames.next.eq(1)

        return m

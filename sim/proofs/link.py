# amaranth: UnusedElaboratable=no
"""The host link: no command reaches further than it may, whatever comes over the line."""

from math import gcd
from unittest import mock

from amaranth.hdl import Cat, Const, Mux, Signal

import gateware.link
import gateware.scores
import model.frame
from model.frame import HEAD, HEADER, MAX_PAYLOAD, MAX_WORDS, WORD, Counter, Identity, Opcode

from . import access, frames, result_bytes
from .change import Change
from .environment import accept, holds, offer, parts
from .harness import Harness
from .image_buffer import buffer_used_well
from .proof import Proof, case
from .results import results_used_well


__all__ = ["PROOFS"]


BATCH = 2

# Parts that have proofs of their own: the first may do all that those allow.
UNKNOWN = ("Frames", "Access", "ResultBytes")
SHIPPED = ("ImageBuffer", "Results")


def link(h: Harness, *, addr_width: int, width: int, words: int, inputs: int, classes: int,
         most_bytes: int) -> None:
    """Whatever frames there are, and whatever the accelerator answers."""
    identity = Identity(hash=bytes(8), clock_hz=12_000_000, control=0, inputs=inputs, bits=8,
                        classes=classes, score_bits=8, batch=BATCH)
    with mock.patch.object(model.frame, "MAX_BYTES", most_bytes), parts(
            gateware.link, unknown=UNKNOWN, shipped=SHIPPED) as made:
        dut = h.add(gateware.link.Link(
            identity, words=words, width=width, addr_width=addr_width,
            result=gateware.scores.layout(classes, identity.score_bits)))
        most = [identity.most_images(scores=scores) for scores in (False, True)]
    frame, reach, told, buffer, results = (made[name] for name in (*UNKNOWN, *SHIPPED))
    each = [identity.result_bytes(scores=scores) for scores in (False, True)]
    inside, room, depth = h.inside(dut), identity.buffer_bytes, BATCH * classes
    state = inside.state

    # What surrounds it, and the parts of it that have proofs of their own.
    offer(h, dut.i)
    accept(h, dut.o)
    accept(h, dut.pixels, name="pixels")
    offer(h, dut.scores, name="scores")
    for signal in (dut.lost, dut.loaded, dut.bus.r_data, dut.bus.r_valid):
        h.drive(signal)
    w_en, r_en = dut.bus.w_en, dut.bus.r_en
    h.assume(~h.past(Const(1)) | h.past(w_en) | (dut.loaded == h.past(dut.loaded)))
    sending = (inside["buffer.left"] != 0) | buffer.o.valid
    h.assume(~results.done | ~sending)
    accesses = access.watch(h, reach, writable=addr_width)
    telling = result_bytes.watch(h, told, classes=classes, batch=BATCH,
                                 score_bytes=identity.score_bytes)
    for rules in (frames.rules_of(h, frame), accesses.rules, telling.rules):
        for rule in rules.values():
            h.assume(rule)
    for stream in (reach.o, told.o):
        h.assume(~h.past(stream.valid & ~stream.ready)
                 | (stream.valid & (stream.payload == h.past(stream.payload))))
    pending = Signal(name="pending")
    h.m.d.sync += pending.eq((pending | r_en) & ~dut.bus.r_valid & ~reach.refused)
    h.assume(~dut.bus.r_valid | pending)

    # What a frame asks for.
    opcodes = (Opcode.IDENTIFY, Opcode.WRITE, Opcode.READ, Opcode.INFER, Opcode.REPEAT,
               Opcode.ECHO, Opcode.RESET)
    is_identify, is_write, is_read, is_infer, is_repeat, is_echo, is_reset = asks = tuple(
        frame.opcode == opcode for opcode in opcodes)
    head, left, size, step, error = (inside[name] for name in (
        "head", "left", "size", "step", "error"))
    length, at = frame.length, frame.at
    shown = head[25]
    sound = h.name("sound", (frame.fault == 0) & (error == 0))
    known = (frame.opcode != 0) & (frame.opcode <= Opcode.RESET)
    fresh = ~inside["any_last"] | (frame.sequence != inside["last"])
    run  = is_infer & head[24]
    runs = h.name("runs", run | is_repeat)
    end  = Mux(reach.place == 2, depth, Mux(reach.place == 3, len(Counter), 1 << addr_width))

    # What makes it so, state by state.
    words_state = state("WORDS")
    storing, reading = words_state & is_write, words_state & is_read
    filling, running = state("PART", "PIXELS", "SETTLE"), state("ROUNDS", "START", "RUN")
    beginning = state("ANSWER", "OPCODE", "SEQUENCE", "LENGTH")
    ending = state("ERROR", "CONSTANT", "ECHO", "RESULTS", "CLOSE")
    working = h.name("working", state("HEAD", "COUNT") | storing | filling | running)
    answers = beginning & sound & runs
    h.claim("it is in one of its states", state("WAIT", "JUDGE", "WORDS") | working | beginning
            | ending)
    h.claim("a frame is open from its judgement to the end of its answer",
            state("WAIT") | frame.open)
    h.claim("what it asks for is known from there on", state("WAIT") | (
        Cat(inside[f"is_{opcode.name.lower()}"] for opcode in opcodes) == Cat(asks)))
    h.claim("a judgement has no error yet", ~state("JUDGE") | (error == 0))
    h.claim("only what is whole, known and new is worked on",
            ~working | (sound & fresh & (is_write | is_read | is_infer | is_repeat)))
    h.claim("and images only with weights", ~(working & (is_infer | is_repeat)) | dut.loaded)
    h.claim("each command has states of its own",
            (~words_state | (sound & (is_write | is_read))) & (~filling | is_infer)
            & (~state("SETTLE") | run) & (~running | runs) & (~state("RESULTS") | (runs & sound))
            & (~state("CONSTANT") | (is_identify & sound)) & (~state("ECHO") | (is_echo & sound)))
    h.claim("an answer that is no error is to a frame without a fault that asks for something",
            ~(beginning | state("ERROR", "CONSTANT", "ECHO", "CLOSE")) | (error != 0)
            | ((frame.fault == 0) & known & ~state("ERROR")))
    h.claim("words pass, and results are told, in states of their own",
            (accesses.busy == words_state) & (telling.busy == state("RESULTS")))
    h.claim("they are those that were asked for", ~words_state | (
        (accesses.write == is_write) & (accesses.first == head) & (accesses.count == left)))
    h.claim("the accelerator is waited for while it was asked", ~pending | (
        reading & accesses.asked & ~accesses.answered & (reach.place == 0)
        & (reach.bus.addr < 1 << addr_width)))

    # Bytes of a frame.
    payload = HEADER + length
    spelled = Signal(32, name="spelled")
    with h.m.If(state("HEAD") & frame.next):
        h.m.d.sync += spelled.word_select((at - HEADER)[:2], 8).eq(frame.byte)
    h.claim("a command that is worked on has as many bytes as it shall", ~working | (
        Mux(is_write, (length[:2] == 0) & (length > HEAD),
            Mux(is_read, length == HEAD + 1,
                Mux(is_infer, length >= HEAD, length == HEAD)))))
    h.claim("what is left of them is counted",
            (~(state("HEAD", "COUNT", "PART") & is_infer) | (left == length - HEAD))
            & (~((state("HEAD", "COUNT") & is_write) | storing) | (left == length[2:] - 1))
            & (~((beginning & sound & is_read) | reading)
               | ((left != 0) & (left <= MAX_WORDS))))
    h.claim("and they are read in turn", (~state("JUDGE") | (at == HEADER))
            & (~state("HEAD") | (at == HEADER + step))
            & (~state("COUNT", "PART") | (at == HEADER + HEAD))
            & (~storing | (at == HEADER + HEAD + accesses.bytes))
            & (~state("PIXELS") | (at + left == payload)))
    h.claim("parts of an address are counted from the first", state("HEAD") | (step == 0))
    h.claim("an address is what comes first, lowest byte first", Mux(
        state("HEAD"), (head & (Const(0xFFFF_FFFF << 32) >> (step * 8))[:32])
        == (spelled << 32 >> (step * 8))[:32], ~working | (head == spelled)))
    uses = (frame.next & (state("HEAD", "PIXELS") | storing)) \
        | (state("COUNT") & is_read & frame.fresh)
    h.claim("no byte is used that is not of the payload", ~uses | (frame.fresh & (at < payload)))
    h.claim("and all of it is used in a write", ~(storing & reach.done) | (at == payload))

    # Bytes of an answer.
    said = frame.answer.valid & frame.answer.ready
    n, says = Signal(9, name="said"), Signal(8, name="says")
    h.m.d.sync += n.eq(Mux(frame.restart, 0, n + said))
    with h.m.If(said & (n == 2)):
        h.m.d.sync += says.eq(frame.answer.payload)
    h.claim("an answer is counted from its beginning", ~state("OPCODE", "SEQUENCE", "LENGTH") | (
        n == Mux(state("OPCODE"), 0, Mux(state("SEQUENCE"), 1, 2))))
    h.claim("what it says follows", (~state("ERROR") | ((n == 3) & (says == 1)))
            & (~state("CONSTANT") | ((n == HEADER + at) & (says == len(identity.pack()))
                                     & (at < says)))
            & (~state("ECHO") | ((says == length) & (n >= HEADER) & (n <= payload)))
            & (~reading | ((says == left * WORD) & (n == HEADER + accesses.bytes)))
            & (~state("RESULTS") | ((says == telling.size) & (n == HEADER + telling.bytes)))
            & (~state("CLOSE") | (n == HEADER + says)))
    h.claim("an echo reads as many bytes as it answers", ~is_echo | Mux(
        state("OPCODE", "SEQUENCE", "LENGTH", "ECHO"), at == n, 1))
    h.claim("nothing else reads any as it begins",
            is_echo | ~state("OPCODE", "SEQUENCE", "LENGTH") | (at == 0))
    h.claim("an answer has as many bytes as it says, and as a frame may have", ~frame.close | (
        (n == HEADER + says) & (says <= MAX_PAYLOAD)))
    h.claim("it begins with what it answers", ~said | Mux(
        n == 0, frame.answer.payload == Mux(error == 0, frame.opcode, Opcode.ERROR)
        | model.frame.ANSWER, (n != 1) | (frame.answer.payload == frame.sequence)))
    image = inside["results.image"]
    h.claim("images are counted while they come", Mux(
        inside["results.more"], (image < buffer.images)
        & (inside["results.top"] == buffer.images - 1), image == 0))
    bytes_each = Mux(shown, each[True], each[False])
    h.claim("and so are the bytes that there will be to say of them",
            (~(state("RUN") & is_infer) | (
                (inside["results.left"] == 1) & (size == WORD + image * bytes_each)))
            & (~(beginning & sound & run) | (size == WORD + buffer.images * bytes_each)))
    h.claim("there are no more than an answer may have",
            ~((state("START", "RUN") | answers | state("RESULTS")) & run)
            | (buffer.images <= Mux(shown, most[True], most[False])))

    # The buffer: what it counts, and how long ago its last byte came.
    part, size_of = inside["buffer.at"], identity.image_bytes
    h.claim("bytes and images are counted as they come", (part < size_of) & (buffer.filled <= room)
            & (buffer.filled == buffer.images * size_of + part))
    h.claim("there is room for what is left of a part", ~state("PIXELS") | (
        buffer.filled + left <= room))
    first = (head[:24] == 0) & (left != 0)
    h.claim("and it is judged by what it asks for", ~state("PART") | (
        (inside["restart"] == first)
        & (inside["follows"] == (first | (left == 0) | (head[:24] == buffer.filled)))
        & (inside["room"] == (Mux(first, 0, buffer.filled) + left <= room))))
    h.claim("its bytes go where it says, behind those that came before", ~state("PIXELS")
            | (length == HEAD) | (buffer.filled + left == head[:24] + length - HEAD))
    h.claim("images are whole, and there are some, when they are started, and until they are told",
            ~(state("START", "RUN") | answers | state("RESULTS"))
            | (buffer.whole & (buffer.images != 0)))
    units = 8 // gcd(8, width)
    since = Signal(4, init=15, name="since")
    h.m.d.sync += since.eq(Mux(buffer.i.valid & buffer.i.ready, 0, since + (since != 15)))
    if units > 1:
        waits = inside["buffer.regroup.left"]
        h.claim("a byte becomes pixels in time", (waits == 0) | (waits + since <= units))
    for k, name in enumerate(("PIXELS", "ANSWER", "OPCODE", "SEQUENCE", "LENGTH", "CLOSE", "WAIT",
                              "JUDGE", "HEAD", "COUNT")):
        h.claim("some cycles lie between one command's bytes and the next command",
                ~state(name) | (since >= k))
    h.claim("also where there is more to say", ~(words_state | ending) | (since >= 5))
    h.claim("parts know whether there is more to come", Cat(
        inside[f"{part}.more"] == (inside[f"{part}.left"] != 0)
        for part in ("buffer", "results")).all())
    h.claim("pixels leave and scores come while it waits for them, and at no other time",
            (state("RUN") == (inside["results.left"] != 0)) & (~sending | state("RUN")))

    # What it comes to.
    h.claim("no access is beyond the end of what it is to",
            (~(w_en | r_en) | ((reach.place == 0) & (reach.bus.addr < 1 << addr_width)))
            & (~reach.bus.r_valid | (reach.bus.addr < end)))
    h.claim("scores are looked up where they were asked for", (
        ~(reach.bus.r_valid & (reach.place == 2)) | (h.past(results.addr) == reach.bus.addr))
        & (~telling.busy | (results.addr == told.addr)))
    h.claim("only WRITE writes the accelerator's memories, and only READ reads them",
            (~w_en | is_write) & (~r_en | is_read))
    acts = w_en | buffer.i.valid | buffer.clear | buffer.start | results.start | dut.reset
    h.claim("nothing is done for a frame that is damaged, too long, unknown or repeated",
            ~acts | (sound & (fresh | is_reset)))
    h.claim("and nothing is read for one that is damaged, too long or unknown", ~r_en | sound)
    h.claim("images come with INFER, are forgotten with that, REPEAT or RESET, and started with "
            "the former two", (~buffer.i.valid | is_infer) & (~dut.reset | is_reset)
            & (~buffer.clear | is_infer | is_repeat | is_reset)
            & (~(buffer.start | results.start) | (runs & dut.loaded)))
    h.claim("what is read of a frame is chosen before it is open",
            ~h.past(frame.open) | (frame.recite == h.past(frame.recite)))
    h.claim("accesses are used as access.words assumes", accesses.used_well)
    h.claim("results are told as result_bytes.answer assumes", telling.used_well)
    h.claim("the buffer's host keeps to what image_buffer.rules assumes",
            buffer_used_well(h, buffer, sending, room))
    h.claim("and so it does with the results, as results.rules assumes them",
            results_used_well(h, results, inside["results.left"] != 0, BATCH))
    holds(h, buffer.i, name="bytes of images")
    holds(h, frame.answer, name="answers")
    h.cover("a word is written", w_en)
    h.cover("a word is read", r_en)
    h.cover("images are started", buffer.start & (buffer.images == 1))


PROOFS = (
    Proof(
        "link.reach",
        "Whatever comes over the line, no access lies beyond the scores, the counters or the "
        "address space; only WRITE writes the accelerator's memories; nothing is written, put into "
        "the buffer, forgotten, started or reset for a frame that is damaged, too long or unknown, "
        "nor, RESET apart, for a repeated one; no byte is used that is not of its payload, and an "
        "image's bytes go where it says; images are started only with weights, and where there are "
        "some and all of them whole; the buffer gets no more bytes than there is room for; an "
        "answer has as many bytes as it says; and all that frames.rules, access.words, "
        "result_bytes.answer, image_buffer.rules and results.rules assume of the link holds.",
        "what those first three state; sources keep what they offer; weights come and go with "
        "writes alone; reads are answered at most once, before they are given up; the last score "
        "of all comes once all pixels were taken",
        "induction", link,
        (case(16, addr_width=3, width=2, words=4, inputs=1, classes=2, most_bytes=7),
         case(16, addr_width=1, width=8, words=2, inputs=2, classes=3, most_bytes=236)),
        (Change("gateware.link", "with m.Elif(any_last & (frames.sequence == last)):",
                "with m.Elif(any_last & (frames.sequence == 0)):", cycles=28),
         Change("gateware.link", "with m.If(frames.fault != 0):", "with m.If(frames.fault == 1):"),
         Change("gateware.link", "runs & ~self.loaded", "is_repeat & ~self.loaded"),
         Change("gateware.link", "wants[0] & (addr < 1 << self._addr_width)", "wants[0]", case=1),
         Change("gateware.link", "(wants[SCORES] & (addr < depth))", "wants[SCORES]"),
         Change("gateware.link", "<= identity.buffer_bytes)", "<= 255)"),
         Change("gateware.link", "(offset == buffer.filled))", "1)"),
         Change("gateware.link", "~buffer.whole | (buffer.images == 0)", "buffer.images == 0",
                case=1),
         Change("gateware.link",
                "with m.If(buffer.i.ready):\n                    m.next = \"ROUNDS\"",
                "with m.If(1):\n                    m.next = \"ROUNDS\""),
         Change("gateware.link", "(frames.byte == 0) | ", ""),
         Change("gateware.link", "Mux(is_read, addr, told.addr)", "told.addr"),
         Change("gateware.link", "say(left * frame.WORD, \"WORDS\")", "say(left, \"WORDS\")")),
    ),
)

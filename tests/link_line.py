"""A link in Verilator, its twin beside it: a hundred thousand frames in a minute."""

import ctypes
import functools
import pathlib

import numpy as np

from model import frame
from model.frame import Error, Frame, Opcode
from sim import verilated
from sim.verilator_engine import verilate

from .driver_ports import AnsweringPort
from .link_bed import model_of


__all__ = ["LOST", "VerilatedLink", "LinkPort", "parts_of"]


HARNESS = pathlib.Path(__file__).with_name("link_line.cc")

LOST = 0x100    # in place of a byte: the line lost one

WRONG = {-1: "the link is stuck", -2: "an offer was taken back", -3: "too much was said"}


def parts_of(items):
    """What is between delimiters, and whether a byte of it was lost; what no delimiter ended."""
    *parts, rest = np.split(items, np.flatnonzero(items == 0) + 1)
    return [(part[:-1][part[:-1] != LOST].astype(np.uint8).tobytes(), bool((part == LOST).any()))
            for part in parts], rest


@functools.cache
def library_of(bed):
    """One build for each bed, though each test has a link of its own."""
    return verilate(bed, HARNESS, swap=False, cache=verilated.cache_folder())


class VerilatedLink:
    """A :class:`tests.link_bed.Bed` in Verilator, and the model that says all it must answer.

    Parameters
    ----------
    bed : :class:`tests.link_bed.Bed`
    seed : :class:`int`
        Of the stalls on both sides.
    stalls : pair of :class:`int`
        Cycles that the host may take before a byte it sends, and before one it takes.
    """

    def __init__(self, bed, *, seed=0, stalls=(20, 20)):
        self._handle = None
        self._library = library = ctypes.CDLL(str(library_of(bed)))
        library.link_new.restype = ctypes.c_void_p
        for name in ("link_now", "link_run"):
            getattr(library, name).restype = ctypes.c_int64
        self._handle = ctypes.c_void_p(library.link_new(ctypes.c_int64(seed)))
        self.bed, self.stalls = bed, stalls
        self.model = model_of(bed)
        self._rest = np.zeros(0, dtype=np.uint16)
        self.slowest = 0.0    # answer, as a share of the time it may take

    def __del__(self):
        if self._handle is not None:
            self._library.link_free(self._handle)

    @property
    def cycles(self):
        return int(self._library.link_now(self._handle))

    def __call__(self, items, *, wait=True):
        """What came to be said to some items, which must be what the model says, and in time.

        Gives pairs of what was between two delimiters and its answer, or None if it had none. What
        is said too much is noticed at once, or by the next call if this one does not wait.
        """
        items = np.ascontiguousarray(items, dtype=np.uint16)
        parts, self._rest = parts_of(np.concatenate([self._rest, items]))
        pairs = [(data, self.model(data, lost)) for data, lost in parts]
        answered = np.array([answer is not None for _, answer in pairs], dtype=bool)
        expected = [answer for _, answer in pairs if answer is not None]
        wanted = b"".join(answer.encode() for answer in expected)
        bounds = np.array([self._bound(data, answer) for data, answer in pairs
                           if answer is not None], dtype=np.int64)
        most = int(bounds.max(initial=self._bound(b"", None)))
        out = np.zeros(len(wanted) + 2 * frame.MAX_FRAME, dtype=np.uint8)
        ends = np.zeros(len(items) + 1, dtype=np.int64)
        begins, dones = (np.zeros(len(out) + 1, dtype=np.int64) for _ in range(2))
        rest = 2 * self._bound(b"", None) if wait else 0
        got = self._library.link_run(
            self._handle, items.ctypes, *_sizes(len(items)), out.ctypes,
            *_sizes(len(out), len(expected)), ends.ctypes, begins.ctypes, dones.ctypes,
            *_sizes(max(most, rest + 1), rest, *self.stalls))
        assert got >= 0, f"{WRONG[got]} after {self.cycles:,} cycles"
        heard = out[:got].tobytes()
        if heard != wanted:
            self._differ(heard, pairs)
        if expected:
            # The time of a frame begins with its end, or when the answer before it is away.
            starts = np.maximum(ends[:len(parts)][answered],
                                np.concatenate([[0], dones[:len(expected) - 1]]))
            shares = (begins[:len(expected)] - starts) / bounds
            self.slowest = max(self.slowest, float(shares.max()))
            assert self.slowest <= 1, f"answer {shares.argmax()} took {shares.max():.2f} of " \
                                      f"its time: {expected[int(shares.argmax())]}"
        return pairs

    def _bound(self, data, answer):
        """Cycles in which an answer must begin, as :class:`gateware.link.Link` states them."""
        size, cycles, run = frame.MAX_FRAME + 2, 256, True
        # Where nothing answers a read, some words may have been there before.
        if answer is not None and answer.payload != bytes([Error.ADDRESS]):
            size = len(answer.payload) + frame.MIN_FRAME + 2
            run = answer.opcode == frame.ANSWER | Opcode.REPEAT or (
                answer.opcode == frame.ANSWER | Opcode.INFER and answer.payload != b"")
            cycles = int.from_bytes(answer.payload[:frame.WORD], "little") if run else 0
        identity = self.bed.identity
        return 16 * min(len(data) + 1, frame.MAX_FRAME + 2) + 7 * size + 60 + cycles \
            + 3 * identity.batch * identity.classes * run

    def _differ(self, heard, pairs):
        lines = heard.split(b"\0")
        expected = [(data, answer) for data, answer in pairs if answer is not None]
        for n, ((data, answer), line) in enumerate(zip(expected, lines, strict=False)):
            if answer.encode() != line + b"\0":
                try:
                    line = Frame.decode(line)
                except ValueError:
                    pass
                raise AssertionError(f"answer {n} to {data.hex()} must be {answer}, not {line}")
        raise AssertionError(f"{len(expected)} answers must come, not {len(lines) - 1}")


class LinkPort(AnsweringPort):
    """A serial port to a verilated link, over a line that does harm.

    Time passes in no read: all that is written is carried out at once.

    Parameters
    ----------
    link : :class:`VerilatedLink`
    there, back : callable
        Bytes to items that arrive, as :class:`tests.damage.Damage` has them.
    """

    def __init__(self, link, there, back):
        super().__init__()
        self.link, self.there, self.back = link, there, back
        self.pairs = []             # what came, and how it was answered

    def write(self, data):
        pairs = self.link(self.there(data), wait=False)
        self.pairs += pairs
        items = self.back(b"".join(answer.encode() for _, answer in pairs if answer is not None))
        self.waiting += items[items != LOST].astype(np.uint8).tobytes()
        return len(data)


def _sizes(*values):
    return [ctypes.c_int64(value) for value in values]

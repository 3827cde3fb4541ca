"""When words pass components.

What a word meets depends on the words before it alone, so there is nothing to simulate: a
component, handed a word that is offered in one cycle, knows the cycle in which it is taken, and
hands on what follows from it at once. Each class has a component's name and says of it only when.
"""

from bisect import bisect_left, bisect_right
from itertools import repeat
from math import gcd


__all__ = ["Best", "Layer", "Regroup", "Ring", "Scores", "Tally", "Transpose"]


class Regroup:
    """When words pass a :class:`gateware.regroup.Regroup`."""

    def __init__(self, i_width, o_width, i_words, o_words, sink):
        unit = gcd(i_width, o_width)
        self.i_per, self.o_per = i_width // unit, o_width // unit
        self.i_units, self.o_units = i_words * self.i_per, o_words * self.o_per
        self.sink = sink
        self.count = self.slot = 0
        self.taken = -1   # when the unit before was taken
        self.freed = -1   # when the word before was taken from the output

    def push(self, offered, closes=False):
        if self.i_per == 1:
            return self.push_unit(offered)
        taken = max(offered, self.taken)
        unit = taken
        for _ in range(self.i_per):
            unit = self.push_unit(unit + 1)
        return taken

    def push_unit(self, offered):
        wanted = self.count < self.o_units
        self.count = (self.count + 1) % self.i_units
        taken = offered
        if self.o_per > 1:
            taken = max(offered, self.freed)
        elif wanted:
            taken = self.sink.push(offered)
        if self.o_per > 1 and wanted:
            self.slot = (self.slot + 1) % self.o_per
            if self.count == 0 or self.slot == 0:
                self.slot = 0
                self.freed = self.sink.push(taken + 1)
        self.taken = taken
        return taken


class Layer:
    """When words pass a layer and the buffer before it.

    That is a :class:`gateware.replay.Replay`, or for batches a :class:`gateware.gather.Gather`. So
    many :py:`units` fill a bank of the buffer; by default words of one vector after another. Each
    vector makes so many :py:`passes` before it is forgotten.

    The pipeline stops as a whole, so it has a time of its own, of cycles in which it moves.
    :py:`lost[n]` are the cycles in which it stood still in its first :py:`n` stops, and
    :py:`stops` holds the own time of each, in order.
    """

    def __init__(self, folding, sink, units=None, passes=1):
        self.folding, self.sink = folding, sink
        self.groups = folding.groups * passes
        self.units = folding.folds * folding.batch if units is None else units
        self.latency = folding.latency
        self.taken = 0       # units of the bank that is filled
        self.free = [0, 0]   # cycle in which each bank can be written again
        self.bank = 0
        self.next = 0        # own time from which the next vector's first word can be taken
        self.left = -1       # cycle in which the vector before left the buffer
        self.stops, self.lost = [], [0]

    def real(self, own):
        return own + self.lost[bisect_right(self.stops, own)]

    def own(self, real):
        return bisect_left(range(real), real, key=self.real)

    def push(self, offered, closes=False):
        taken = max(offered, self.free[self.bank])
        self.taken += 1
        if closes or self.taken == self.units:
            self.taken = 0
            self.work(max(taken + 1, self.left) + 1)
        return taken

    def work(self, valid):
        folding = self.folding
        start = max(self.next, self.own(valid))
        self.next = start + self.groups * folding.beats
        for group in range(self.groups):
            done = start + (group + 1) * folding.beats - 1 + self.latency
            for word in range(folding.turns - 1, folding.drain, folding.turns):
                offered = self.real(done + word)
                taken = self.sink.push(offered)
                if taken > offered:
                    self.stops.append(done + word)
                    self.lost.append(self.lost[-1] + taken - offered)
        self.left = self.real(self.next - 1)
        # The last word of the vector is fetched while the one before it is taken.
        fetched = self.next - 1 - folding.planes
        self.free[self.bank] = (valid - 1 if fetched < start else self.real(fetched)) + 1
        self.bank ^= 1


class Tally:
    """When words pass a :class:`gateware.tally.Tally`."""

    def __init__(self, words, passes, sink):
        self.words, self.passes, self.sink = words, passes, sink
        self.taken = 0   # words of the image, or of the batch

    def push(self, offered):
        self.taken = self.taken % (self.words * self.passes) + 1
        return self.sink.push(offered) if self.taken > self.words * (self.passes - 1) else offered


class Transpose:
    """When words pass a :class:`gateware.transpose.Transpose`; its output never waits.

    So many :py:`images` come in all.
    """

    def __init__(self, words, batch, images, sink):
        self.words, self.batch, self.images, self.sink = words, batch, images, sink
        self.taken = 0   # words of the bank that is filled

    def push(self, offered):
        # Words leave as fast as they come, so that the other bank is free before this one is full.
        self.taken += 1
        if self.taken == self.words * self.batch:
            self.taken = 0
            vectors = min(self.batch, self.images)
            self.images -= vectors
            for word in range(vectors * self.words):
                self.sink.push(offered + 2 + word)
        return offered


class Ring:
    """When words pass a :class:`gateware.compend.Compend`.

    Images take as many cycles as :py:`taken` says, in turn, or the most there can be if None.
    """

    def __init__(self, folding, sink, taken=None):
        self.folding, self.sink = folding, sink
        self.taken = repeat(folding.most_cycles) if taken is None else iter(taken)
        self.words = 0       # of the bank that is filled
        self.free = [0, 0]   # cycle in which each bank of the ring can be written again
        self.room = [0, 0]   # and each bank of results
        self.bank = 0
        self.next = 0        # cycle in which an image can start
        self.fetch = 0       # cycle in which a word of results can be fetched

    def push(self, offered, closes=False):
        taken = max(offered, self.free[self.bank])
        self.words += 1
        if self.words == self.folding.entering:
            self.words = 0
            self.work(max(taken + 2, self.next, self.room[self.bank]))
        return taken

    def work(self, start):
        self.next = self.free[self.bank] = start + next(self.taken)
        fetch = max(self.fetch, self.next)
        for _ in range(self.folding.words):
            self.room[self.bank] = fetch + 1
            fetch = max(fetch + 1, self.sink.push(fetch + 1))
        self.fetch = fetch
        self.bank ^= 1


class Scores:
    """When sums become scores; its output never waits."""

    latency = 1   # cycles from a sum to its score

    def __init__(self, folding):
        self.classes, self.words = folding.outputs, folding.words
        self.index = 0
        self.done = []   # cycle of each image's last score

    def push(self, offered):
        if self.index == self.classes - 1:
            self.done.append(offered + self.latency)
        self.index = (self.index + 1) % self.words
        return offered


class Best(Scores):
    """When scores pass a :class:`gateware.best.Best`; its output never waits."""

    latency = 0

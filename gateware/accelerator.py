"""A whole network in hardware."""

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from . import bus
from .control import Control
from .dense import Dense
from .encoder import buffered_after, encoder
from .mapping import identity
from .regroup import Regroup
from .replay import Replay
from .scores import Scores, layout


__all__ = ["Accelerator"]


class Accelerator(wiring.Component):
    """Encoder, layers and scores, joined by streams; weights and thresholds come over a bus.

    Computes what :class:`model.network.Network` computes. Every layer works on an image of its
    own: the throughput is one image in as many cycles as the slowest layer takes, and
    :mod:`gateware.cost` gives all figures exactly. Made by :func:`gateware.compiler.compile`.

    Parameters
    ----------
    shape : :class:`model.network.Shape`
        Sizes, encoder and widths.
    mapping : :class:`gateware.mapping.Mapping`
        Parallelism of each layer.
    image : dict of list of :class:`int`, or None
        Memory contents at power-up.
    probes : :class:`bool`
        Whether to add :py:`probe_N`, an output for each layer with the scores last; what happens
        inside is the same with and without. Its payload holds sums, and bits where there are any.

    Members
    -------
    i : :py:`In(stream.Signature(data.ArrayLayout(shape.encoder.bits, simd)))`
        Pixels, :py:`words` words an image, first pixel lowest; zeros fill up the last word.
    o : :py:`Out(stream.Signature(layout(shape.classes, shape.score_bits)))`
        A word for each class, in order; :py:`best` holds with the last.
    bus : :py:`In(bus.Signature(addr_width))`
        The host's access to all memories, while no image is inside; read and write
        :py:`control_address`, bit 0, to know and to say whether the weights are there.
    loaded : :py:`Out(1)`
        Whether they are. High from reset where there was an image.
    """

    def __init__(self, shape, mapping, *, image=None, probes=False):
        folding = mapping.layers[0]
        simd = folding.simd
        self._shape = shape
        self._mapping = mapping
        self._image = image
        self._probes = probes

        init = {} if image is None else image
        self._layers = [Dense(layer, weights=init.get(f"layer{n}.weights"),
                              thresholds=init.get(f"layer{n}.thresholds"))
                        for n, layer in enumerate(mapping.layers[:-1])]
        last = len(self._layers)
        bipolar = last > 0 or shape.encoder.bipolar
        self._scores = Scores(mapping.layers[-1], bipolar=bipolar, gain_bits=shape.gain_bits,
                              score_bits=shape.score_bits, weights=init.get(f"layer{last}.weights"),
                              affine=init.get("scores.affine"))

        regions = {}
        for n, layer in enumerate(self._layers):
            regions[f"layer{n}.weights"] = layer.regions["weights"]
            regions[f"layer{n}.thresholds"] = layer.regions["thresholds"]
        regions[f"layer{last}.weights"] = self._scores.regions["weights"]
        regions["scores.affine"] = self._scores.regions["affine"]
        regions["control"] = bus.Region(1, 1)
        self._regions, addr_width = bus.place(regions)

        members = {
            "i": In(stream.Signature(data.ArrayLayout(shape.encoder.bits, simd))),
            "o": Out(stream.Signature(layout(shape.classes, shape.score_bits))),
            "bus": In(bus.Signature(addr_width)),
            "loaded": Out(1),
        }
        for n, layer in enumerate(mapping.layers if probes else ()):
            lanes = layer.lanes
            fields = {"sums": data.ArrayLayout(range(layer.top + 1), lanes)}
            if n < last:
                fields["bits"] = lanes
            members[f"probe_{n}"] = Out(wiring.Signature({
                "valid": Out(1),
                "payload": Out(data.StructLayout(fields)),
            }))
        super().__init__(members)

    @property
    def shape(self):
        return self._shape

    @property
    def mapping(self):
        return self._mapping

    @property
    def words(self):
        """Words of pixels in an image."""
        return self._mapping.layers[0].folds

    @property
    def memories(self):
        """Where each memory lies on the bus: a :class:`gateware.bus.Region` for each name."""
        return {name: region for name, region in self._regions.items() if name != "control"}

    @property
    def control_address(self):
        return self._regions["control"].base

    @property
    def hash(self):
        """Eight bytes that tell one hardware from another."""
        return identity(self._shape, self._mapping)

    def elaborate(self, platform):
        m = Module()
        m.submodules.decoder = decoder = bus.Decoder(self._regions, self.bus.signature.addr_width)
        wiring.connect(m, wiring.flipped(self.bus), decoder.bus)

        # The pixels' way to the first layer.
        shape, first = self._shape, self._mapping.layers[0]
        m.submodules.encoder = encode = encoder(shape.encoder, simd=first.simd)
        bits = first.simd * (1 if buffered_after(shape.encoder) else shape.encoder.bits)
        m.submodules.replay_0 = replay = Replay(width=bits, words=first.folds, times=first.groups)
        order = [encode, replay] if buffered_after(shape.encoder) else [replay, encode]
        self._join(m, wiring.flipped(self.i), order[0].i)
        self._join(m, order[0].o, order[1].i)
        source = order[1].o

        for n, (layer, folding) in enumerate(zip(self._layers, self._mapping.layers, strict=False)):
            m.submodules[f"layer_{n}"] = layer
            self._join(m, source, layer.i)
            decoder.add(f"layer{n}.weights", layer.weights_bus)
            decoder.add(f"layer{n}.thresholds", layer.thresholds_bus)
            if self._probes:
                self._probe(m, n, layer.o, layer.sums, layer.o.payload)
            following = self._mapping.layers[n + 1]
            m.submodules[f"regroup_{n + 1}"] = regroup = Regroup(
                i_width=folding.lanes, o_width=following.simd,
                i_words=folding.words, o_words=following.folds)
            m.submodules[f"replay_{n + 1}"] = replay = Replay(
                width=following.simd, words=following.folds, times=following.groups)
            self._join(m, layer.o, regroup.i)
            self._join(m, regroup.o, replay.i)
            source = replay.o

        m.submodules.scores = scores = self._scores
        last = len(self._layers)
        self._join(m, source, scores.i)
        wiring.connect(m, scores.o, wiring.flipped(self.o))
        decoder.add(f"layer{last}.weights", scores.weights_bus)
        decoder.add("scores.affine", scores.affine_bus)
        if self._probes:
            self._probe(m, last, scores.o, scores.sums)

        # The one register of the bus.
        m.submodules.control = control = Control(init=self._image is not None)
        decoder.add("control", control.bus)
        m.d.comb += self.loaded.eq(control.loaded)
        return m

    def _join(self, m, source, sink):
        """Connect two streams of equally many bits, whatever structure each sees in them."""
        m.d.comb += sink.valid.eq(source.valid)
        m.d.comb += Value.cast(sink.payload).eq(Value.cast(source.payload))
        m.d.comb += source.ready.eq(sink.ready)

    def _probe(self, m, n, source, sums, bits=None):
        probe = getattr(self, f"probe_{n}")
        m.d.comb += probe.valid.eq(source.valid & source.ready)
        m.d.comb += Value.cast(probe.payload.sums).eq(Value.cast(sums))
        if bits is not None:
            m.d.comb += probe.payload.bits.eq(bits)

"""A whole network in hardware."""

from itertools import pairwise

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from model.encoder import BitSerial

from . import bus
from .batches import Batches
from .best import Best
from .compend import Compend
from .control import Control, network_id
from .counts import Counts
from .dense import Dense
from .detection import Detection
from .encoder import buffered_after, encoder
from .gather import Gather
from .planned import Planned
from .regroup import Regroup
from .replay import Replay
from .samples import Samples
from .scores import Scores, layout
from .serial_folding import SerialFolding


__all__ = ["Accelerator"]


class Accelerator(Planned, wiring.Component):
    """Encoder, layers and scores, joined by streams; weights and thresholds come over a bus.

    Computes what :class:`model.network.Network` computes. Every layer works on an image of its
    own, or on a batch of images, which share each row of weights that is read: the throughput is
    one batch in as many cycles as the slowest layer takes, and :mod:`gateware.cost` gives all
    figures exactly. Made by :func:`gateware.compiler.compile`.

    A batch closes once it is full, or with the last image of a run; the next run is begun once
    that has left. So as many images leave as came.

    Parameters
    ----------
    plan : :class:`gateware.plan.Plan`
        Sizes, widths, parallelism and addresses.
    image : dict of list of :class:`int`, or None
        Memory contents at power-up. Where some weights are in SPRAM, which has none, a host has to
        write those, and the weights are not there before.
    probes : :class:`bool`
        Whether to add :py:`probe_N`, an output for each layer with the scores last; what happens
        inside is the same with and without. Its payload holds sums, and bits or values where there
        are any; of a :class:`gateware.compend.Compend` there are bits or values alone, and no probe
        of scores.

    Members
    -------
    i : :py:`In(stream.Signature(data.ArrayLayout(shape.built.encoder.bits, pixels)))`
        As many :py:`pixels` at once as the first layer's folding says,
        :py:`words` words an image, first pixel lowest; zeros fill up the last word. Where
        images go in batches, a structure: these are its :py:`pixels`, and beside them :py:`last`
        marks the last word of the last image of a run.
    o : :py:`Out(stream.Signature(layout(shape.classes, shape.score_bits)))`
        A word for each class, in order; :py:`best` holds with the last.
    bus : :py:`In(bus.Signature(addr_width))`
        The host's access to all memories, while no image is inside; and, at
        :py:`control_address`, to the registers of :mod:`gateware.control`.
    loaded : :py:`Out(1)`
        Whether the weights are there; from power-up where there was an image and no SPRAM.
    """

    def __init__(self, plan, *, image=None, probes=False):
        self._plan = plan
        self._image = image
        self._probes = probes
        shape, mapping = plan.shape, plan.mapping
        last = len(mapping.layers) - 1

        pixels = data.ArrayLayout(shape.built.encoder.bits, mapping.layers[0].pixels)
        marked = data.StructLayout({"pixels": pixels, "last": 1})
        members = {
            "i": In(stream.Signature(marked if mapping.batch > 1 else pixels)),
            "o": Out(stream.Signature(layout(shape.classes, shape.score_bits))),
            "bus": In(bus.Signature(plan.addr_width)),
            "loaded": Out(1),
        }
        for n, layer in enumerate(mapping.layers if probes else ()):
            if isinstance(layer, SerialFolding):
                if n == last:   # which the output shows
                    continue
                fields = {layer.results: layer.output_bits * layer.lanes}
            else:
                fields = {"sums": data.ArrayLayout(
                    range((layer.total if n == last else layer.top) + 1), layer.lanes)}
                if n < last:
                    fields[layer.results] = layer.output_bits * layer.lanes
            members[f"probe_{n}"] = Out(wiring.Signature({
                "valid": Out(1),
                "payload": Out(data.StructLayout(fields)),
            }))
        super().__init__(members)

    @property
    def shape(self):
        return self._plan.shape

    @property
    def mapping(self):
        return self._plan.mapping

    def elaborate(self, platform):
        m = Module()
        regions = self._plan.regions
        m.submodules.decoder = decoder = bus.Decoder(regions, self._plan.addr_width)
        wiring.connect(m, wiring.flipped(self.bus), decoder.bus)

        # Made for all samples, of which a host may choose fewer.
        shape, mapping = self._plan.shape.built, self._plan.mapping.drawing(self._plan.samples)
        layers = mapping.layers
        first, last = layers[0], len(layers) - 1
        if self._plan.samples > 1:
            m.submodules.samples = samples = Samples(
                most=self._plan.samples,
                init=None if self._image is None else self._image["samples"][0])
            decoder.add("samples", samples.bus)

        def count_samples(component):
            if hasattr(component, "samples"):
                m.d.comb += component.samples.eq(samples.o)

        serial = isinstance(layers[-1], SerialFolding)
        scores = Best(classes=shape.classes, words=layers[-1].words,
                      score_bits=shape.score_bits) if serial else \
            Scores(layers[-1], bipolar=shape.planes_of(last)[1], gain_bits=shape.gain_bits,
                   score_bits=shape.score_bits, weights=self._init(f"layer{last}.weights"),
                   affine=self._init("scores.affine"))
        count_samples(scores)
        source = wiring.flipped(self.i)
        if not isinstance(first, SerialFolding):   # which has a buffer, and takes pixels
            source = self._pixels(m, shape, mapping, scores, count_samples)

        for n, (folding, following) in enumerate(pairwise(layers)):
            m.submodules[f"layer_{n}"] = layer = self._layer(m, decoder, n, folding)
            count_samples(layer)
            _join(m, source, layer.i)
            source = self._between(m, n + 1, folding, following, layer.o)
            if self._probes:
                self._probe(m, n, layer)

        m.submodules.scores = scores
        if serial:
            m.submodules[f"layer_{last}"] = layer = self._layer(m, decoder, last, layers[-1])
            _join(m, source, layer.i)
            source = layer.o
            m.d.comb += [scores.i.valid.eq(source.valid), source.ready.eq(scores.i.ready),
                         scores.i.payload.eq(Value.cast(source.payload).as_signed())]
        else:
            _join(m, source, scores.i)
        wiring.connect(m, scores.o, wiring.flipped(self.o))
        if not serial:
            decoder.add(f"layer{last}.weights", scores.weights_bus)
            decoder.add("scores.affine", scores.affine_bus)
            if self._probes:
                self._probe(m, last, scores)

        m.submodules.control = control = Control(
            loaded=self._image is not None and self._plan.fills,
            network=network_id(self._image))
        decoder.add("control", control.bus)
        m.d.comb += self.loaded.eq(control.loaded)
        return m

    def _pixels(self, m, shape, mapping, scores, count_samples):
        """The pixels' way to a first layer of binary weights."""
        layers, batch = mapping.layers, mapping.batch
        first = layers[0]
        after = buffered_after(shape.encoder)
        width = first.simd * (1 if after else shape.encoder.bits)
        m.submodules.encoder = encode = encoder(
            shape.encoder, simd=first.simd, inputs=first.inputs, batch=1 if after else batch,
            times=first.times if shape.apart and not after else None)
        m.submodules.replay_0 = replay = self._replay(width, first.folds, first, True)
        for component in (encode, replay):
            count_samples(component)
        order = [encode, replay] if after else [replay, encode]
        _join(m, order[0].o, order[1].i)
        if batch == 1:
            _join(m, wiring.flipped(self.i), order[0].i)
            return order[1].o
        # Of them two in the buffer behind the last layer.
        m.submodules.batches = batches = Batches(
            batch=batch, most=sum(layer.held for layer in layers) + 2)
        pixels = order[0].i
        m.d.comb += [pixels.valid.eq(self.i.valid & ~batches.hold),
                     self.i.ready.eq(pixels.ready & ~batches.hold),
                     Value.cast(pixels.payload).eq(Value.cast(self.i.payload.pixels)),
                     replay.last.eq(self.i.payload.last),
                     batches.closed.eq(replay.closed), batches.closing.eq(replay.vectors),
                     batches.left.eq(scores.left), scores.vectors.eq(batches.vectors)]
        return order[1].o

    def _layer(self, m, decoder, n, folding):
        """A hidden layer, or any of weights of several bits, on the bus."""
        memories = {name: self._init(f"layer{n}.{name}") for name in folding.regions
                    if name not in ("counts", "detection")}
        if not isinstance(folding, SerialFolding):
            layer = Dense(folding, **memories)
        else:
            layer = Compend(folding, image=memories)
            m.submodules[f"counts_{n}"] = counts = Counts()
            decoder.add(f"layer{n}.counts", counts.bus)
            m.d.comb += counts.i.eq(layer.counts)
            if folding.detection != "none":
                init = self._init(f"layer{n}.detection")
                m.submodules[f"detection_{n}"] = detection = Detection(
                    speculative=folding.detection == "speculative", init=init[0] if init else 1)
                decoder.add(f"layer{n}.detection", detection.bus)
                m.d.comb += layer.detect.eq(detection.detect)
                if folding.detection == "speculative":
                    m.d.comb += layer.factor.eq(detection.factor)
        for name in memories:
            decoder.add(f"layer{n}.{name}", getattr(layer, f"{name}_bus"))
        return layer

    def _between(self, m, n, folding, following, words):
        """The way from a layer to the next one, number :py:`n`; the stream that goes there."""
        bits = folding.output_bits
        if following.batch == 1:
            m.submodules[f"regroup_{n}"] = regroup = Regroup(
                i_width=folding.lanes * bits, o_width=following.pixels * bits,
                i_words=folding.words, o_words=following.entering)
            _join(m, words, regroup.i)
            words = regroup.o
        if isinstance(following, SerialFolding):
            return words
        m.submodules[f"replay_{n}"] = replay = self._replay(
            len(words.payload), folding.words, following, False)
        _join(m, words, replay.i)
        if bits == 1:
            return replay.o
        m.submodules[f"encoder_{n}"] = encode = encoder(
            BitSerial(bits), simd=following.simd, inputs=following.inputs)
        _join(m, replay.o, encode.i)
        return encode.o

    def _init(self, memory):
        """Contents of a memory at power-up, or None."""
        return None if self._image is None or self._plan.empty(memory) else self._image[memory]

    def _replay(self, width, units, following, whole):
        """The buffer of a layer: of one vector at a time, or of a batch."""
        # Pixels are kept for all passes of an image, and what is made of them for one.
        most = sum(following.passes) if whole else 1
        if following.batch == 1:
            return Replay(width=width, words=following.folds, times=following.times, most=most)
        return Gather(width=width, per_word=1 if whole else following.simd // width, units=units,
                      words=following.folds, times=following.times, batch=following.batch,
                      interleaved=not whole, most=most)

    def _probe(self, m, n, layer):
        """What leaves a layer, and what it was made of where that is seen."""
        probe = getattr(self, f"probe_{n}")
        m.d.comb += probe.valid.eq(layer.o.valid & layer.o.ready)
        for name in probe.payload.shape().members:
            source = layer.sums if name == "sums" else layer.o.payload
            m.d.comb += Value.cast(probe.payload[name]).eq(Value.cast(source))


def _join(m, source, sink):
    """Connect two streams of equally many bits, whatever structure each sees in them."""
    m.d.comb += sink.valid.eq(source.valid)
    m.d.comb += Value.cast(sink.payload).eq(Value.cast(source.payload))
    m.d.comb += source.ready.eq(sink.ready)

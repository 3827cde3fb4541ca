"""A driver with a model of a link at the other end of its port."""

import numpy as np

from boards.driver import Driver
from model.encoder import Threshold

from .driver_ports import AnsweringPort
from .standin import LinkModel


__all__ = ["ModelPort", "loaded", "expected"]


class ModelPort(AnsweringPort):
    """A serial port with a model of a link behind it, and a line that may do harm on the way."""

    def __init__(self, model, *, there=None, back=None):
        super().__init__()
        self.model, self.there, self.back = model, there, back
        self.line = b""

    def write(self, data):
        *parts, self.line = (self.line + (self.there(data) if self.there else data)).split(b"\0")
        for part in parts:
            if self.model is not None and (answer := self.model(part)) is not None:
                line = answer.encode()
                self.waiting += self.back(line) if self.back else line
        return len(data)


def loaded(standin, **harm):
    """A driver of a stand-in, and the model behind it."""
    model = LinkModel(standin)
    driver = Driver(ModelPort(model, **harm), where="/dev/ttyUSB1 at 115200 baud")
    driver.load(standin)
    return driver, model


def expected(standin, images):
    """Scores and classes that a stand-in gives images."""
    encoder = standin.encoder
    if isinstance(encoder, Threshold):
        images = (images >= encoder.level) * (2 ** encoder.bits - 1)
    totals = images.sum(axis=1)
    return (np.arange(1, standin.classes + 1) * (totals[:, None] - 20), totals % standin.classes)

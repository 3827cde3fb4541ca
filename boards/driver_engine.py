"""What engines have in common that reach an accelerator through a serial line."""

from typing import Any

import numpy.typing as npt

from model.errors import InputError
from sim.engine import Image, Result, Waveform

from .driver import Driver, Taken


__all__ = ["DriverEngine"]


class DriverEngine:
    """A :class:`boards.driver.Driver` as a :class:`sim.engine.Engine`; a subclass loads it."""

    name: str

    def __init__(self) -> None:
        self._accelerator: Any = None
        self._driver: Driver | None = None

    @property
    def driver(self) -> Driver:
        """What talks to the pins."""
        if self._driver is None:
            raise RuntimeError("Engine must be loaded before it is used")
        return self._driver

    def write(self, image: Image) -> None:
        self.driver.write(image)

    def read(self) -> Image:
        return self.driver.read()

    def predict(self, images: int, taken: Taken = None) -> int:
        """Cycles that :meth:`infer` should count: those of each command's images, added up."""
        return self.driver.predict(images, taken)

    def infer(self, images: npt.ArrayLike, *, waveform: Waveform | None = None) -> Result:
        if waveform is not None:
            raise InputError(f"what {self.name} runs has no names worth recording: take a waveform "
                             "with --engine verilator")
        return self.driver.infer(images)

"""An accelerator that was compiled into a library: the simulator in it, from power-up."""

import ctypes
import pathlib
from typing import Any

import numpy as np
import numpy.typing as npt

from .engine import Result, count_reads, result_of


__all__ = ["Simulator"]


class Simulator:
    """What ``harness.cc`` makes of an accelerator; starts at power-up when it is made.

    Parameters
    ----------
    path : path
        The library.
    plan : :class:`gateware.plan.Plan`
        What the library was made for.
    probes : :class:`int`
        Number of probes in the library.
    """

    def __init__(self, path: pathlib.Path, plan: Any, probes: int) -> None:
        self._plan = plan
        self._probes = probes
        self._handle: int | None = None
        self._library = library = ctypes.CDLL(str(path))
        for name in ("sim_i_bytes", "sim_o_bytes", "sim_probe_bytes", "sim_read", "sim_infer"):
            getattr(library, name).restype = ctypes.c_int64
        library.sim_new.restype = ctypes.c_void_p
        self._handle = library.sim_new()

    def close(self) -> None:
        """End it; whatever it records is written out."""
        if self._handle is not None:
            self._library.sim_free(ctypes.c_void_p(self._handle))
        self._handle = None

    def __del__(self) -> None:
        if hasattr(self, "_library"):   # and not only tried to load one
            self.close()

    def _call(self, name: str, *arguments: Any) -> int:
        converted = [ctypes.c_int64(value) if isinstance(value, int) else value.ctypes
                     if isinstance(value, np.ndarray) else value for value in arguments]
        return int(getattr(self._library, name)(ctypes.c_void_p(self._handle), *converted) or 0)

    def write(self, pairs: npt.NDArray[np.uint32]) -> None:
        """Write over the bus: an address and a word in each row."""
        addresses, words = (np.ascontiguousarray(column) for column in pairs.T)
        self._call("sim_write", addresses, words, len(words))

    def read(self, addresses: npt.NDArray[np.uint32]) -> list[int]:
        """The words at some addresses of the bus."""
        words = np.zeros(len(addresses), dtype=np.uint32)
        if self._call("sim_read", addresses, words, len(words)) < len(words):
            raise TimeoutError("a read over the bus was never answered")
        return words.tolist()

    def record(self, path: pathlib.Path, first: int, last: int) -> None:
        """Record those cycles of the images to come, where the library can."""
        self._call("sim_record", str(path).encode(), first, last)

    def infer(self, images: npt.ArrayLike) -> Result:
        """Classify images, images × inputs."""
        plan, library = self._plan, self._library
        images = np.asarray(images)
        count = len(images) * plan.classes
        limit = plan.limit(len(images))

        words = plan.rows_of(images)
        source = np.zeros((len(words), library.sim_i_bytes()), dtype=np.uint8)
        source[:, :words.shape[1]] = words
        out = np.zeros((count, library.sim_o_bytes()), dtype=np.uint8)
        stamps = np.zeros(count, dtype=np.int64)
        records = (_Probe * max(self._probes, 1))()
        seen: list[np.ndarray] = []
        times: list[np.ndarray] = []
        for n in range(self._probes):
            folding = plan.probed[n]
            per_image = folding.words * len(folding.passes) if n < len(plan.probed) - 1 \
                else plan.classes
            places = -(-len(images) // folding.batch) * folding.batch
            # One more than there should be, so that an event too many is noticed.
            seen.append(np.zeros((places * per_image + 1, library.sim_probe_bytes(n)),
                                 dtype=np.uint8))
            times.append(np.zeros(len(seen[n]), dtype=np.int64))
            records[n] = _Probe(seen[n].ctypes.data, times[n].ctypes.data, len(seen[n]), 0)

        counters = np.array(count_reads(plan), dtype=np.uint32)
        counted = self.read(counters)
        got = self._call("sim_infer", source, len(words), out, stamps, count, records, limit)
        if got < count:
            raise TimeoutError(f"{got} of {count} scores after {limit} cycles")
        return result_of(plan, out, stamps, [
            (rows[:record.count], when[:record.count])
            for rows, when, record in zip(seen, times, records, strict=False)],
            (counted, self.read(counters)))


class _Probe(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("stamps", ctypes.c_void_p),
                ("capacity", ctypes.c_int64), ("count", ctypes.c_int64)]

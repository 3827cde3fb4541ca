"""Waveforms of a part of a simulation, from a simulator that writes all of it."""

import io
from typing import TextIO


__all__ = ["Gate"]


class Gate(io.TextIOBase):
    """A VCD file that keeps what is written while it is :py:`open`, and the values before.

    The simulator writes all that happens, in order; whoever runs it opens and shuts the gate. What
    is kept is a whole VCD file: its header, the value that each signal had when the gate was
    opened, and every change until it was shut.

    Parameters
    ----------
    file : file object
        Where the VCD goes; closed with the gate.
    """

    def __init__(self, file: TextIO):
        self.open = False
        self._file = file
        self._header = True
        self._shown = False                  # whether values before the gate were written
        self._values: dict[str, str] = {}    # last line of each signal, by its code
        self._time = ""
        self._rest = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._line(line)
        return len(text)

    def _line(self, line: str) -> None:
        if self._header:
            print(line, file=self._file)
            self._header = "$enddefinitions" not in line
        elif line.startswith("#"):
            self._time = line
            if self.open and self._shown:
                print(line, file=self._file)
        elif line and not line.startswith("$"):
            if self.open:
                self._show()
                print(line, file=self._file)
            # A vector, a real and a string are followed by a blank and the code; a bit by the code.
            code = line.partition(" ")[2] if line[0] in "bBrRsS" else line[1:]
            self._values[code] = line

    def _show(self) -> None:
        """Begin with what each signal was before."""
        if not self._shown:
            self._shown = True
            print(self._time, "$dumpvars", *self._values.values(), "$end", sep="\n",
                  file=self._file)

    def close(self) -> None:
        self._file.close()
        super().close()

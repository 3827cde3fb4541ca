"""What the ports that tests hand to a driver have in common."""


__all__ = ["AnsweringPort", "FrontPort"]


class AnsweringPort:
    """A serial port on which what is answered to a write is there at once, until it is read."""

    def __init__(self):
        self.timeout = None
        self.waiting = bytearray()
        self.closed = False

    @property
    def in_waiting(self):
        return len(self.waiting)

    def read(self, size=1):
        data = bytes(self.waiting[:size])
        del self.waiting[:size]
        return data

    def reset_input_buffer(self):
        self.waiting.clear()

    def close(self):
        self.closed = True


class FrontPort:
    """A port in front of another, which has whatever it does not say itself."""

    def __init__(self, port):
        self._port = port

    def __getattr__(self, name):
        return getattr(self._port, name)

    @property
    def timeout(self):
        return self._port.timeout

    @timeout.setter
    def timeout(self, seconds):
        self._port.timeout = seconds

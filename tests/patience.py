"""An end to what may hang."""

import contextlib
import signal
import time


__all__ = ["within"]


@contextlib.contextmanager
def within(seconds):
    """Raise :exc:`TimeoutError` in the main thread if something is not done by then."""
    def late(*_):
        raise TimeoutError(f"not done in {seconds} seconds")

    start, before = time.monotonic(), signal.signal(signal.SIGALRM, late)
    left, _ = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        # Whoever else was to be called in some time still is.
        left = max(left + start - time.monotonic(), 0.001) if left else 0
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, left)

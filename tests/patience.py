"""An end to what may hang."""

import contextlib
import signal


__all__ = ["within"]


@contextlib.contextmanager
def within(seconds):
    """Raise :exc:`TimeoutError` in the main thread if something is not done by then."""
    def late(*_):
        raise TimeoutError(f"not done in {seconds} seconds")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

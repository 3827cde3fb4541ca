"""The two ways in which a command may fail without a traceback."""


__all__ = ["InputError", "CheckFailed"]


class InputError(Exception):
    """Something the user handed over cannot be used.

    The message is one line that says what was wrong, where, and what to do about it. The command
    prints it and exits with code 2.
    """


class CheckFailed(Exception):
    """Something was carried out and did not hold: a mismatch, or a clock that was missed.

    The message is one line with the figures. The command prints it and exits with code 1.
    """

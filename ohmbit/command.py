"""The ``ohmbit`` command: what all of its subcommands have in common.

It ends with 0 when all held, 1 when a check failed, 2 on bad input and 130 when interrupted, and
says why in one line on standard error.
"""

import contextlib
import errno
import functools
import inspect
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from model.errors import CheckFailed, InputError

from . import __version__
from .commands import COMMANDS, SETTINGS
from .console import console


__all__ = ["app", "main"]


JSON    = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output, "
                                                      "all else on standard error.")]
VERBOSE = Annotated[bool, typer.Option("--verbose", "-v", help="Say more.")]
QUIET   = Annotated[bool, typer.Option("--quiet", "-q", help="Say only what came out.")]
COMMON  = {"json": JSON, "verbose": VERBOSE, "quiet": QUIET}

# Typer carries a copy of click in some versions, and needs the package in others.
UsageError: Any = typer.BadParameter.__bases__[0]


app = typer.Typer(name="ohmbit", rich_markup_mode=None, pretty_exceptions_enable=False,
                  invoke_without_command=True, context_settings={
                      "help_option_names": ["-h", "--help"], "max_content_width": 100})


@app.callback()
def _ohmbit(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Binarized neural networks as hardware, equal bit for bit to a golden model."""
    if version:
        print(f"ohmbit {__version__}")
    elif context.invoked_subcommand is None:
        print(context.get_help())


def _failure(error: BaseException) -> tuple[int, str]:
    """Exit code and message of whatever ended a command; mistakes of our own are raised again."""
    match error:
        case KeyboardInterrupt():
            return 130, "interrupted"
        case CheckFailed():
            return 1, str(error)
        case TimeoutError():
            return 1, f"no answer came: {error}"
        case InputError():
            return 2, str(error)
        case OSError(errno=errno.ENOSPC):
            return 2, f"the disk is full{_on(error)}: nothing was written; free some space and " \
                      "try again"
        case OSError():
            return 2, f"{error.strerror or error}{_on(error)}"
    raise error


def _on(error: OSError) -> str:
    return f" ({error.filename})" if error.filename else ""


def _discard_output() -> None:
    """Keep Python from flushing once more at exit what nobody takes."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _common(function: Callable[..., None]) -> Callable[..., None]:
    """Add the options of all commands to one of them, and end it as all of them end."""

    @functools.wraps(function)
    def command(*, json: bool = False, verbose: bool = False, quiet: bool = False,
                **arguments: Any) -> None:
        console.configure(json=json, verbose=verbose, quiet=quiet)
        try:
            function(**arguments)
            sys.stdout.flush()
        except BrokenPipeError:
            # Whoever reads has seen enough.
            _discard_output()
            raise typer.Exit(141) from None
        except (Exception, KeyboardInterrupt) as error:
            code, message = _failure(error)
            console.error(message)
            if isinstance(error, OSError) and error.errno == errno.ENOSPC and not error.filename:
                _discard_output()   # which may be what was full
            console.result(error=message)
            raise typer.Exit(code) from None

    signature = inspect.signature(function)
    extra = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=kind)
             for name, kind in COMMON.items()]
    command.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[*signature.parameters.values(), *extra])
    command.__annotations__ = {**function.__annotations__, **COMMON}
    return command


for _name, _function in COMMANDS.items():
    app.command(_name, context_settings=SETTINGS.get(_name))(_common(_function))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the code to exit with."""
    # Being told to end leaves as little behind as Ctrl-C does, which a shell's background jobs,
    # and whatever they start, do not hear.
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        code = app(arguments, prog_name="ohmbit", standalone_mode=False)
    except UsageError as error:
        console.configure(json="--json" in (sys.argv if arguments is None else arguments))
        path = error.ctx.command_path if error.ctx else "ohmbit"
        message = f"{error.format_message().rstrip('.')}: see `{path} --help`"
        console.error(message)
        console.result(error=message)
        return 2
    return code if isinstance(code, int) else 0

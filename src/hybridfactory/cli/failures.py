"""What the user reads, and the exit code, for each way in which a run can fail."""

import errno
import platform
import signal
import sys
import traceback

import click

from hybridfactory.cli.interruption import Interrupted
from hybridfactory.errors import HybridFactoryError, printable, printable_line

__all__ = ["EXIT_BUG", "EXIT_READER_GONE", "EXIT_USER_ERROR", "ISSUES_URL", "exit_code_and_message"]

ISSUES_URL = "https://github.com/hybridfactory/hybridfactory/issues"

EXIT_BUG = 1
EXIT_USER_ERROR = 2
EXIT_READER_GONE = 141  # what a shell shows for a program that SIGPIPE ended

_DISK_FULL = "the disk is full: free some space, or write to another disk (output_directory)"
_NO_PERMISSION = "permission denied: change the permissions, or choose another place"
_ADVICE = {
    errno.ENOSPC: _DISK_FULL,
    errno.EDQUOT: "your disk quota is used up: free some space, or write to another disk (output_directory)",
    errno.EFBIG: "the file is too large for this disk: write to another disk (output_directory)",
    errno.EACCES: _NO_PERMISSION,
    errno.EPERM: _NO_PERMISSION,
    errno.EROFS: "the disk is read-only: write to another place (output_directory)",
    errno.EIO: "the disk reports a read or write error: check the disk and its connection, then run again",
    errno.ENOENT: "the file or folder does not exist, or has gone while the run needed it",
    errno.ENOTDIR: "a part of this path is a file and not a folder",
    errno.EISDIR: "this is a folder where a file is expected",
    errno.ENAMETOOLONG: "the file name is too long: use a shorter session_name or output_directory",
    errno.ELOOP: "a symbolic link leads back to itself",
    errno.EMFILE: "too many files are open: raise the limit (ulimit -n), then run again",
    errno.ESTALE: "the network drive has lost this file: mount it again, then run again",
    errno.ETIMEDOUT: "the network drive does not answer: check the connection, then run again",
    errno.ENOMEM: "not enough memory: close other programs, or run on a machine with more",
}


def exit_code_and_message(error: BaseException) -> tuple[int, str]:
    """Exit code and stderr text for what ended a run.

    Parameters
    ----------
    error : BaseException

    Returns
    -------
    code : int
    message : str
    """
    if isinstance(error, Interrupted | KeyboardInterrupt | click.Abort):
        number = error.signal_number if isinstance(error, Interrupted) else signal.SIGINT
        # A terminal echoes ^C without ending its line.
        start = "\n" if sys.stderr.isatty() else ""
        return 128 + number, f"{start}hybridfactory: interrupted"
    message = _user_error(error)
    if message is not None:
        return EXIT_USER_ERROR, f"hybridfactory: error: {printable_line(message)}"
    return EXIT_BUG, _bug_report(error)


def _user_error(error: BaseException) -> str | None:
    match error:
        case click.ClickException():
            return _usage_message(error)
        case HybridFactoryError():
            return str(error)
        case MemoryError():
            return _ADVICE[errno.ENOMEM]
        case OSError(errno=int(number)) if number in _ADVICE:
            names = [str(name) for name in (error.filename, error.filename2) if name is not None]
            return f"{' → '.join(names)}: {_ADVICE[number]}" if names else _ADVICE[number]
    return None


def _usage_message(error: click.ClickException) -> str:
    message = error.format_message().rstrip(".")
    context = getattr(error, "ctx", None)
    return message if context is None else f"{message} (see {context.command_path} --help)"


def _bug_report(error: BaseException) -> str:
    from hybridfactory._version import __version__

    trace = "\n".join(map(printable, "".join(traceback.format_exception(error)).rstrip().split("\n")))
    return (
        "hybridfactory: this is a fault of hybridfactory, not of your data or your parameters.\n"
        f"Please report it at {ISSUES_URL} with the text below, and the parameter file if you can.\n\n"
        f"hybridfactory {__version__}, Python {platform.python_version()}, {platform.platform()}\n"
        f"{trace}"
    )

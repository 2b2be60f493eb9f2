"""Every way in which a run can end, with its exit code and its one line."""

import errno
import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hybridfactory import _version
from hybridfactory.cli import main
from hybridfactory.cli.failures import ISSUES_URL
from hybridfactory.errors import MissingFileError, OutputError, ParameterError

Install = Callable[..., None]
Capture = pytest.CaptureFixture[str]


def raising(error: BaseException) -> Callable[..., object]:
    def generate(parameters: Path, *, progress: object, **options: object) -> object:
        raise error

    return generate


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ParameterError("time_jitter is -1: give 0 or more"), "time_jitter is -1: give 0 or more"),
        (MissingFileError("params.py does not exist"), "params.py does not exist"),
        (OutputError("two\nlines"), "two lines"),
        (OSError(errno.ENOSPC, "No space left", "/x/a.GT.bin"), "/x/a.GT.bin: the disk is full"),
        (OSError(errno.EACCES, "Permission denied", "/x"), "/x: permission denied"),
        (
            OSError(errno.EIO, "Input/output error", "/x/a.bin"),
            "/x/a.bin: the disk reports a read or write error",
        ),
        (OSError(errno.ENOSPC, "No space left"), "the disk is full"),
        (OSError(errno.EROFS, "Read-only", "a", None, "b"), "a → b: the disk is read-only"),
        (MemoryError(), "not enough memory"),
    ],
)
@pytest.mark.parametrize("options", [[], ["--silent"], ["--json"]])
def test_a_user_error_is_one_line(
    error: BaseException, line: str, options: list[str], pipeline: Install, capsys: Capture
) -> None:
    pipeline(raising(error))
    assert main(["generate", *options]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"hybridfactory: error: {line}")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["generat"], "there is no command 'generat'; did you mean 'generate'?"),
        (["Demo"], "did you mean 'demo'?"),
        (["xyzzy"], "the commands are demo, generate"),
        ([__file__], f"to use it as parameters: hybridfactory generate {__file__}"),
        (["generate", "--slient"], "--silent"),
        (["generate", "a", "b"], "unexpected extra argument"),
        (["generate", "--silent", "--json"], "exclude each other"),
        (["demo", "--seed", "-1"], "--seed"),
        (["demo", "--seed", "x"], "--seed"),
        (["--nonsense"], "--nonsense"),
    ],
)
def test_a_usage_error_is_one_line(arguments: list[str], words: str, capsys: Capture) -> None:
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("hybridfactory: error: ")
    assert words in err
    assert "--help)" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("error", [ZeroDivisionError("odd"), BrokenPipeError("inside"), OSError("no number")])
def test_a_bug_owns_up(error: BaseException, pipeline: Install, capsys: Capture) -> None:
    pipeline(raising(error))
    assert main(["generate", "--silent"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "fault of hybridfactory" in err
    assert f"hybridfactory {_version.__version__}, Python {sys.version.split()[0]}" in err
    assert ISSUES_URL in err
    assert "Traceback" in err
    assert type(error).__name__ in err


def test_keyboard_interrupt(pipeline: Install, capsys: Capture) -> None:
    pipeline(raising(KeyboardInterrupt()))
    assert main(["generate"]) == 130
    assert capsys.readouterr().err == "hybridfactory: interrupted\n"


SLOW_RUN = """
import signal, sys, time, types

# A test run in the background may have handed on signals that are ignored.
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_DFL)

def generate(parameters, *, progress, **options):
    try:
        progress("working", 0, 10)
        time.sleep(30)
    finally:
        progress("cleaning up", 0, 1)

module = types.ModuleType("hybridfactory.pipeline.generate")
module.generate = generate
sys.modules[module.__name__] = module
from hybridfactory.cli import main
sys.exit(main(["generate"]))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_lets_the_run_clean_up(number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SLOW_RUN], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "working\n"
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    assert process.returncode == 128 + number
    assert out == ""
    assert err == "cleaning up\nhybridfactory: interrupted\n"


def test_handlers_are_left_as_they_were(pipeline: Install) -> None:
    before = signal.getsignal(signal.SIGTERM)
    assert main(["generate", "--silent"]) == 0
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_reader_that_leaves_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as pipe:
        command = [sys.executable, "-m", "hybridfactory", "--help"]
        done = subprocess.run(command, stdout=pipe, stderr=subprocess.PIPE, text=True, check=False)
    assert done.stderr == ""
    assert done.returncode == 141


def test_an_output_without_greek_letters_is_no_error(pipeline: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    bytes_out = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(bytes_out, encoding="ascii"))
    assert main(["generate"]) == 0
    sys.stdout.flush()
    assert b"moved x, y \\xb5m" in bytes_out.getvalue()


def test_an_interruption_while_a_class_is_being_made_is_no_bug(pipeline: Install, capsys: Capture) -> None:
    """Importing compilers takes long enough to be interrupted in; Python wraps what is raised there."""
    wrapped = RuntimeError("Error calling __set_name__")
    wrapped.__cause__ = KeyboardInterrupt()
    pipeline(raising(wrapped))
    assert main(["generate"]) == 130
    assert capsys.readouterr().err.strip() == "hybridfactory: interrupted"

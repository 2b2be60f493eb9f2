"""Program: imports everything, runs once, then forks a process for each request on standard input."""

import codecs
import gc
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import faults
import hybridfactory.pipeline.generate
import hybridfactory.pipeline.write  # noqa: F401
from hybridfactory.cli import entry

STOPPING = {signal.SIGINT, signal.SIGTERM}
stop_signals_raise = entry.stop_signals_raise


@contextmanager
def listening() -> Iterator[None]:
    """Let the signals through that came before the program could hear them."""
    with stop_signals_raise():
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)


def run(request: dict[str, Any]) -> int:
    descriptor = os.open(request["stderr"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    entry.stop_signals_raise = listening
    faults.install(**request["faults"])
    code = entry.main(request["arguments"])
    sys.stdout.flush()
    sys.stderr.flush()
    return code


def serve(request: dict[str, Any]) -> dict[str, Any]:
    begin = time.perf_counter()
    child = os.fork()
    if not child:
        try:
            for number in STOPPING:
                signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
            code = run(request)
        except BaseException:  # noqa: BLE001 - nothing may leave this process but by its exit
            sys.excepthook(*sys.exc_info())
            code = 99
        os._exit(code)
    if request["signal_after_s"] is not None:
        signal.sigtimedwait({signal.SIGCHLD}, request["signal_after_s"])
        os.kill(child, request["signal_number"])  # of a process that has ended it is no one's yet
    _, status = os.waitpid(child, 0)
    signal.sigtimedwait({signal.SIGCHLD}, 0)
    return {"code": os.waitstatus_to_exitcode(status), "seconds": time.perf_counter() - begin}


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    if entry.main(["generate", sys.argv[1], "--silent"]) != 0:
        sys.exit("the run that warms failed")
    codecs.lookup("cp437")  # which archives are read with; not every user may read Python's own files
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD, *STOPPING})
    gc.collect()
    gc.freeze()  # what is never collected is never copied to the forked process either
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        print(json.dumps(serve(json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":
    main()

"""The memory of a process tree while it runs."""

import threading
from pathlib import Path


class MemoryWatch(threading.Thread):
    """Largest memory of a process and its descendants together, in bytes: with and without mapped files."""

    def __init__(self, process: int) -> None:
        super().__init__(daemon=True)
        self.process, self.finished = process, threading.Event()
        self.peak, self.own = 0, 0

    def run(self) -> None:
        """Sample until `finished` is set."""
        while not self.finished.wait(0.05):
            sizes = [memory_of(process) for process in tree_of(self.process)]
            self.peak = max(self.peak, sum(size[0] for size in sizes))
            self.own = max(self.own, sum(size[1] for size in sizes))

    def stop(self) -> None:
        """End the watch, if it was begun."""
        self.finished.set()
        if self.is_alive():
            self.join()


def tree_of(process: int) -> list[int]:
    found = [process]
    for parent in found:
        try:
            for task in Path(f"/proc/{parent}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
        except OSError:
            continue  # it has just ended
    return found


def memory_of(process: int) -> tuple[int, int]:
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()[1:]
    except OSError:
        return 0, 0
    kilobytes = {key: int(value.split()[0]) for key, value in (line.split(":") for line in lines)}
    return 1024 * kilobytes["Pss"], 1024 * (kilobytes["Pss_Anon"] + kilobytes["Pss_Shmem"])

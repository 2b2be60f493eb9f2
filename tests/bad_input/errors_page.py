"""Write ``docs/errors.md``: every case of the registry, with the message that it gives.

``python tests/bad_input/errors_page.py`` after a message has changed.
"""

import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
for room in ("bad_input", "sorting", "pipeline"):
    sys.path.append(str(HERE.parent / room))

from bench import Bench, Case, Workshop, answer, shown  # noqa: E402
from registry import SECTIONS  # noqa: E402

__all__ = ["PAGE", "message_of", "rows_of"]

PAGE = HERE.parents[1] / "docs" / "errors.md"

INTRODUCTION = """\
# Errors

What the program says to wrong input. Each message is one line: where, what, and what to do. The exit code is 2,
nothing is left half-written, and the source recording is never touched. In Python the same text comes as an exception
derived from `HybridFactoryError`.

The tables are made by the tests, which break each input in turn; `…` stands for words of a library that change with
its version, and folders are left out. Control characters in names and values that come from files are spelt out, so
that a terminal does not obey them.

Files are never trusted. No pickle is loaded, phy's `params.py` is not executed, links out of HDF5 files are not
followed, and a file that promises more than it can hold is refused before memory is taken. MATLAB files are read in a
process of their own, with limits of memory and time that grow with the file: a damaged one may crash the library that
reads it, and that is then one line like the others. A parameter file in Python is the exception: it is a program, and
is run.

| exit code | |
|---|---|
| 2 | Something that you can mend: one of the lines below, a full disk, no permission, a wrong command line. |
| 1 | A fault of hybridfactory itself, with what a report needs. Please report it. |
| 130 | Stopped with Ctrl-C. |
"""


def message_of(case: Case, bench: Bench) -> tuple[int, str]:
    """Exit code and message of a case, as the page shows it."""
    code, lines, _ = answer(case.make(bench), bench.folder)
    return code, shown("\n".join(lines), bench.folder, case.varies)


def cell(text: str) -> str:
    """Text as a cell of a table holds it."""
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*").replace("_", "\\_")


def rows_of(page: str) -> dict[str, dict[str, str]]:
    """Read the page back: section → what is wrong → message, as cells."""
    sections: dict[str, dict[str, str]] = {}
    title = ""
    for line in page.splitlines():
        if line.startswith("## "):
            title = line[3:]
            sections[title] = {}
        elif title and line.startswith("| ") and not line.startswith("| what is wrong"):
            what, message = line.removeprefix("| ").removesuffix(" |").split(" | ", 1)
            sections[title][what] = message
    return sections


def main() -> None:
    """Break everything, and write down what is said."""
    parts = [INTRODUCTION]
    with tempfile.TemporaryDirectory() as folder:
        workshop = Workshop.build(Path(folder))
        for title, cases in SECTIONS.items():
            lines = [f"## {title}", "", "| what is wrong | message |", "|---|---|"]
            for number, case in enumerate(cases):
                place = Path(folder) / f"{title}-{number}".replace(" ", "-").replace("'", "")
                place.mkdir()
                code, message = message_of(case, Bench(place, workshop))
                lines.append(f"| {case.what} | {cell(message)} |")
                if code != 2 or "\n" in message:
                    sys.stdout.write(f"{title}: {case.what}: exit code {code}\n{message}\n")
            parts.append("\n".join(lines) + "\n")
    PAGE.write_text("\n".join(parts), encoding="utf-8")


if __name__ == "__main__":
    main()

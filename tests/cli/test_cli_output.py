"""What a run prints, where, and when it prints nothing."""

import dataclasses
import io
import json
import logging
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hybridfactory.cli import main, reporting
from hybridfactory.progress import ProgressCallback

Install = Callable[..., None]
Result = Any  # the stand-in for a GenerateResult that the fixtures make


def talkative(result: Result) -> Callable[..., Result]:
    def generate(parameters: Path, *, progress: ProgressCallback, **options: object) -> Result:
        logger = logging.getLogger("hybridfactory")
        for done in (0, 5, 10):
            progress("learning the units", done, 10)
        logger.info("no earlier target in %s", "here")
        logger.getChild("sorting").warning("troughs are off by %d samples", 5)
        warnings.warn("a library's own worry", RuntimeWarning, stacklevel=1)
        progress("writing the hybrid", 0, 10)
        print("printed by a parameter file")  # noqa: T201 - what users do
        return result

    return generate


@pytest.mark.parametrize(
    ("arguments", "expected"), [([], "params.py"), (["a.toml"], "a.toml"), (["folder"], "folder")]
)
def test_the_path_is_handed_on(arguments: list[str], expected: str, pipeline: Install, result: Result) -> None:
    asked: list[Any] = []

    def generate(parameters: Path, *, progress: ProgressCallback, **options: object) -> Result:
        asked.append(parameters)
        return result

    pipeline(generate)
    assert main(["generate", *arguments, "--silent"]) == 0
    assert asked == [Path(expected)]


def test_without_a_name_the_file_of_init_will_do(
    pipeline: Install, result: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def generate(parameters: Path, *, progress: ProgressCallback, **options: object) -> Result:
        asked.append(parameters)
        return result

    pipeline(generate)
    monkeypatch.chdir(tmp_path)
    for name in ("params.toml", "params.py"):
        (tmp_path / name).touch()
        assert main(["generate", "--silent"]) == 0
    assert asked == [Path("params.toml"), Path("params.py")]


def test_piped_output(pipeline: Install, result: Result, capsys: pytest.CaptureFixture[str]) -> None:
    pipeline(talkative(result))
    assert main(["generate"]) == 0
    out, err = capsys.readouterr()
    assert err.splitlines() == [
        "learning the units",
        "no earlier target in here",
        "hybridfactory: warning: troughs are off by 5 samples",
        "writing the hybrid",
        "printed by a parameter file",
    ]
    lines = out.splitlines()
    header = next(index for index, line in enumerate(lines) if line.startswith("donor"))
    assert lines[header + 1].split() == ["2", "102", "1234", "3", "11", "→", "31", "0,", "+100", "12.3", "6"]
    assert lines[header + 2].split() == ["15", "115", "88", "0", "11", "→", "31", "0,", "+100", "?", "6"]
    assert "  unit 2: 2 refused: within a window of a file edge" in lines
    assert "  unit 2: 1 refused: in a gap between files" in lines
    assert "  unit 15: only 88 spikes to learn from" in lines
    assert "  unit 123: not injected: no valid translation on this probe" in lines
    assert f"Written to {result.output_directory}:" in lines
    assert "  demo.ap.GT.bin  (the hybrid recording)" in lines
    assert "  firings_true.npy" in lines
    assert "Clipped samples" in out
    assert "Took 5.2 s; a copy of the source takes 1.5 s." in lines
    assert "\x1b" not in out + err
    assert max(len(line) for line in lines if str(result.output_directory) not in line) <= 82


def test_silence_is_complete(pipeline: Install, result: Result, capsys: pytest.CaptureFixture[str]) -> None:
    pipeline(talkative(result))
    assert main(["generate", "--silent"]) == 0
    assert capsys.readouterr() == ("", "")


def test_json(pipeline: Install, result: Result, capsys: pytest.CaptureFixture[str]) -> None:
    pipeline(talkative(result))
    assert main(["generate", "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["num_events"] == 1322
    assert summary["num_units"] == 2
    assert summary["num_clipped_samples"] == 7
    assert (summary["seconds"], summary["copy_seconds"]) == (5.25, 1.5)
    assert summary["recording_paths"] == [str(result.recording_paths[0])]
    first, second, third = summary["units"]
    assert first["refused_reasons"] == {"within a window of a file edge": 2, "in a gap between files": 1}
    assert second["snr"] is None
    assert third["injected_label"] is None
    assert third["reason"] == "no valid translation on this probe"


def test_a_warning_of_the_result_is_shown_once(
    pipeline: Install, result: Result, capsys: pytest.CaptureFixture[str]
) -> None:
    heard = dataclasses.replace(result, warnings=("troughs are off by 5 samples", "and this"))
    pipeline(talkative(heard))
    assert main(["generate"]) == 0
    err = capsys.readouterr().err
    assert err.count("troughs are off by 5 samples") == 1
    assert "hybridfactory: warning: and this\n" in err


def test_many_reasons_are_cut_short(pipeline: Install, result: Result, capsys: pytest.CaptureFixture[str]) -> None:
    unit = result.plan.units[0]
    reasons = tuple(f"reason {number}" for number in range(40))
    unit = dataclasses.replace(unit, refused=dataclasses.replace(unit.refused, reasons=reasons))
    many = dataclasses.replace(result, plan=dataclasses.replace(result.plan, units=(unit,)))
    pipeline(lambda parameters, *, progress, **options: many)
    assert main(["generate"]) == 0
    out = capsys.readouterr().out
    assert "  unit 2: 37 refused for other reasons, which the plan names" in out
    assert out.count("reason ") == 3


def test_the_bar_on_a_terminal_leaves_no_trace(
    pipeline: Install,
    result: Result,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pipeline(talkative(result))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert main(["generate"]) == 0
    err = capsys.readouterr().err
    assert "writing the hybrid" in err
    assert "printed by a parameter file" in err
    assert "%" in err
    assert "hybridfactory: warning: troughs are off by 5 samples" in err
    assert err.rstrip("\n").endswith("\x1b[2K")


def test_a_dumb_terminal_gets_lines(
    pipeline: Install,
    result: Result,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pipeline(talkative(result))
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert main(["generate"]) == 0
    assert capsys.readouterr().err.startswith("learning the units\n")


def lines_of(reports: list[tuple[float, str, int, int]], capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What is printed of progress that is reported at these moments."""
    moments = iter([moment for moment, *_ in reports])
    lines = reporting._Lines(clock=lambda: next(moments))
    for _, step, done, total in reports:
        lines.progress(step, done, total)
    return capsys.readouterr().err.splitlines()


def test_plain_progress_speaks_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    moments = {0: 0, 4: 10, 10: 25, 12: 30, 29: 60, 30: 70, 69: 80, 70: 90, 200: 100}
    writing = [(float(moment), "writing", done, 100) for moment, done in moments.items()]
    assert lines_of([*writing, (201.0, "checking", 0, 1)], capsys) == [
        "writing",
        "writing: 25 %",
        "writing: 70 %",
        "writing: 90 %",
        "checking",
    ]
    hour = [(float(second), "writing", second, 3600) for second in range(3600)]
    assert len(lines_of(hour, capsys)) < 20


def test_steps_that_take_turns_are_announced_once(capsys: pytest.CaptureFixture[str]) -> None:
    turns = []
    for part in range(30):
        turns += [(part * 0.3, "reading", done, 50) for done in (10, 30, 50)]
        turns += [(part * 0.3 + 0.2, "learning", part + 1, 30)]
    assert lines_of(turns, capsys) == ["reading", "learning"]
    slow = [(moment * 15, step, done, total) for moment, step, done, total in turns[:9]]
    assert lines_of(slow, capsys) == ["reading", "learning"]
    slower = [(0.0, "reading", 0, 50), (5.0, "reading", 50, 50), (11.0, "reading", 10, 40), (12.0, "reading", 40, 40)]
    assert lines_of(slower, capsys) == ["reading", "reading, part 2: 25 %"]


def test_the_logger_is_left_as_it_was(pipeline: Install) -> None:
    logger = logging.getLogger("hybridfactory")
    before = (logger.level, logger.propagate, list(logger.handlers))
    assert main(["generate", "--silent"]) == 0
    assert (logger.level, logger.propagate, list(logger.handlers)) == before


def test_a_reader_that_leaves_within_the_table_is_a_broken_pipe(
    result: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not the SystemExit(1) that rich makes of it: that code means a fault of the program."""
    from hybridfactory.cli.summary import print_summary

    class Abandoned(io.StringIO):
        def write(self, text: str) -> int:
            if "donor" in text:
                raise BrokenPipeError
            return len(text)

    monkeypatch.setattr(sys, "stdout", Abandoned())
    with pytest.raises(BrokenPipeError):
        print_summary(result)  # type: ignore[arg-type]


def test_units_of_one_donor_and_removed_donors_are_told(
    pipeline: Install, result: Result, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second, refused = result.plan.units
    note = "a note of its own"
    units = (
        dataclasses.replace(first, num_removed_spikes=1200, notes=(note,)),
        dataclasses.replace(first, num_removed_spikes=1200, injected_label=202, unit_factor=0.5, notes=(note,)),
        dataclasses.replace(second, num_removed_spikes=88),
        refused,
    )
    changed = dataclasses.replace(result, plan=dataclasses.replace(result.plan, units=units))
    pipeline(lambda parameters, **options: changed)
    assert main(["generate"]) == 0
    out = capsys.readouterr().out
    assert "Taken out where they were: 1288 spikes of 2 donors" in out
    assert f"  all 3 units: {note}\n" not in out
    assert f"  units 2 → {first.injected_label}, 2 → 202: {note}\n" in out
    assert "unit 15: only 88 spikes to learn from" in out
    assert main(["generate", "--json"]) == 0
    records = json.loads(capsys.readouterr().out)["units"]
    assert [record["num_removed_spikes"] for record in records] == [1200, 1200, 88, 0]
    assert [record["unit_factor"] for record in records] == [1, 0.5, 1, 1]

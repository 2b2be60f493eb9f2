"""A run compared with what it should be: identical, or the first difference and how many there are."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hybrid_world import NUM_ROWS, World, contents

import hybridfactory
from hybridfactory.cli import main
from hybridfactory.errors import MissingFileError, RecordingError
from hybridfactory.injection import compare
from hybridfactory.pipeline import job

DONORS: dict[str, Any] = {"ground_truth_units": [1, 2, 4]}


@pytest.fixture
def run(small_world: World, tmp_path: Path) -> Path:
    raw = tmp_path / "raw.bin"
    raw.write_bytes(small_world.raw.read_bytes())
    small_world.run(tmp_path / "run", raw_source_file=raw, **DONORS)
    return tmp_path / "run"


def set_values(path: Path, values: dict[tuple[int, int], int]) -> dict[tuple[int, int], int]:
    """Change some values by (sample, row), without a trace in the file's time; what stood there."""
    status = path.stat()
    traces = np.fromfile(path, "<i2").reshape(-1, NUM_ROWS)
    before = {place: int(traces[place]) for place in values}
    for place, value in values.items():
        traces[place] = value
    with path.open("r+b") as stream:
        stream.write(traces.tobytes())
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    return before


@pytest.mark.parametrize("span", [57, 2048])
def test_a_run_is_identical_to_itself(
    run: Path, monkeypatch: pytest.MonkeyPatch, span: int, small_world: World
) -> None:
    monkeypatch.setattr(compare, "MAX_SPAN_SAMPLES", span)
    before = contents(run)
    result = hybridfactory.verify(run)
    assert result.is_identical and result.findings == () and result.first is None
    assert (result.hybrid, result.num_samples) == ("written", len(small_world.source))
    assert contents(run) == before


def test_a_touched_file_is_identical(run: Path) -> None:
    (run / "raw.GT.bin").touch()
    assert hybridfactory.verify(run).is_identical


@pytest.mark.parametrize("span", [57, 2048])
def test_the_first_of_several_differences(run: Path, monkeypatch: pytest.MonkeyPatch, span: int) -> None:
    monkeypatch.setattr(compare, "MAX_SPAN_SAMPLES", span)
    inside = int(np.load(run / "injection-e2e.npz")["samples"][7])
    before = set_values(
        run / "raw.GT.bin", {(inside, 5): 7777, (69_000, 3): 1234, (69_999, 33): -1234, (69_000, 2): 99}
    )
    result = hybridfactory.verify(run)
    assert result.num_different == 4 and result.first is not None
    first = result.first
    assert (first.sample, first.sample_in_file, first.row) == (inside, inside, 5)
    assert (first.found, first.expected) == (7777, before[inside, 5])
    (finding,) = result.findings
    assert (
        finding.path == run / "raw.GT.bin" and f"sample {inside}" in finding.problem and "4 values" in finding.problem
    )


def test_a_difference_in_the_second_file(small_world: World, tmp_path: Path) -> None:
    cut = 33_000
    for index, piece in enumerate((small_world.source[:cut], small_world.source[cut:])):
        piece.tofile(tmp_path / f"part{index}.bin")
    several: dict[str, Any] = {"raw_source_file": tmp_path / "part*.bin", "start_time": [0, cut]}
    run = small_world.run(tmp_path / "run", **DONORS, **several).output_directory
    assert hybridfactory.verify(run).is_identical
    set_values(run / "part1.GT.bin", {(12, 4): 5000})
    first = hybridfactory.verify(run).first
    assert first is not None
    assert (first.path.name, first.sample_in_file, first.sample, first.row) == ("part1.GT.bin", 12, cut + 12, 4)


def test_bytes_after_the_last_sample_count(small_world: World, tmp_path: Path) -> None:
    raw = tmp_path / "raw.bin"
    raw.write_bytes(small_world.raw.read_bytes() + b"\x01\x02\x03")
    (tmp_path / "raw.meta").write_text(
        f"nSavedChans={NUM_ROWS}\nimSampRate=20000\nfirstSample=0\nfileSizeBytes={raw.stat().st_size}\n"
        f"snsApLfSy={NUM_ROWS - 1},0,1\ntypeThis=imec\n"
    )
    run = small_world.run(tmp_path / "run", raw_source_file=raw, **DONORS).output_directory
    assert hybridfactory.verify(run).is_identical
    with (run / "raw.GT.bin").open("r+b") as stream:
        stream.seek(-1, os.SEEK_END)
        stream.write(b"\x04")
    assert "after the last whole sample" in hybridfactory.verify(run).findings[0].problem


@pytest.mark.parametrize("span", [4096])
def test_floats_are_compared_bit_by_bit(small_world: World, tmp_path: Path, span: int) -> None:
    traces = small_world.source.astype("<f4")
    traces[100, 33] = np.nan
    traces.tofile(tmp_path / "raw.bin")
    changes: dict[str, Any] = {"raw_source_file": tmp_path / "raw.bin", "data_type": np.float32, **DONORS}
    run = small_world.run(tmp_path / "run", **changes).output_directory
    assert hybridfactory.verify(run).is_identical
    hybrid = np.fromfile(run / "raw.GT.bin", "<f4").reshape(-1, NUM_ROWS)
    hybrid[200, 1] = np.nan
    hybrid.tofile(run / "raw.GT.bin")
    result = hybridfactory.verify(run)
    assert result.first is not None and (result.first.sample, result.first.row) == (200, 1)
    assert json.loads(json.dumps(result.as_json(), allow_nan=False))["first"]["found"] == "nan"


@pytest.mark.parametrize(
    "name", ["firings_true.npy", "artificial_units-e2e.csv", "injection-e2e.npz", "probe-e2e.npz"]
)
def test_a_changed_truth(run: Path, name: str) -> None:
    data = (run / name).read_bytes()
    (run / name).write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    (finding,) = hybridfactory.verify(run).findings
    assert finding.path.name == name and "SHA-256" in finding.problem
    (run / name).unlink()
    (finding,) = hybridfactory.verify(run).findings
    assert finding.path.name == name and finding.problem == "is missing"


@pytest.mark.parametrize("change", ["bytes", "size", "gone"])
def test_a_changed_source(run: Path, tmp_path: Path, change: str) -> None:
    raw = tmp_path / "raw.bin"
    if change == "gone":
        raw.unlink()
        with pytest.raises(MissingFileError, match="is gone"):
            hybridfactory.verify(run)
        return
    if change == "size":
        os.truncate(raw, raw.stat().st_size - 2 * NUM_ROWS)
    else:
        set_values(raw, {(0, 0): 1234})
    findings = hybridfactory.verify(run).findings
    assert findings[0].path == raw and ("bytes" if change == "size" else "fingerprint") in findings[0].problem


def test_a_hybrid_that_is_gone_or_cut_short(run: Path) -> None:
    os.truncate(run / "raw.GT.bin", 1000)
    assert "has 1000 bytes" in hybridfactory.verify(run).findings[0].problem
    (run / "raw.GT.bin").unlink()
    assert "is missing" in hybridfactory.verify(run).findings[0].problem


def test_runs_without_a_hybrid(small_world: World, run: Path, tmp_path: Path) -> None:
    hybridfactory.generate(small_world.parameters(tmp_path / "planned", **DONORS), write=False)
    result = hybridfactory.verify(tmp_path / "planned")
    assert result.is_identical and (result.hybrid, result.num_samples) == ("not written", 0)
    hybridfactory.reset(run)
    result = hybridfactory.verify(run)
    assert result.is_identical and (result.hybrid, result.num_samples) == ("reset", len(small_world.source))
    set_values(run / "raw.GT.bin", {(9, 9): 4321})
    assert hybridfactory.verify(run).num_different == 1


def test_on_the_command_line(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(run)]) == 0
    output = capsys.readouterr()
    assert output.out == "identical: the hybrid is what source and truth give, in all 70,000 samples\n"
    assert "comparing" in output.err
    assert main(["verify", str(run), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["identical"] is True
    set_values(run / "raw.GT.bin", {(500, 6): 4321})
    assert main(["verify", str(run)]) == 1
    out = capsys.readouterr().out
    assert out.count("\n") == 1 and "raw.GT.bin" in out and "sample 500" in out and "row 6" in out and "4321" in out
    assert main(["verify", str(run), "--json"]) == 1
    summary = json.loads(capsys.readouterr().out)
    assert summary["num_different"] == 1 and summary["first"]["row"] == 6 and not summary["identical"]
    assert main(["verify", str(run), "--silent"]) == 1
    assert capsys.readouterr() == ("", "")
    assert main(["verify", str(run), "--silent", "--json"]) == 2
    assert main(["verify", str(run / "nowhere")]) == 2


def test_generate_verify_puts_the_hash_into_the_manifest(small_world: World, tmp_path: Path) -> None:
    import hashlib

    raw = tmp_path / "raw.bin"
    raw.write_bytes(small_world.raw.read_bytes())
    parameters = small_world.parameters(tmp_path / "run", raw_source_file=raw, **DONORS)
    steps: list[str] = []
    hybridfactory.generate(parameters, verify=True, progress=lambda step, _done, _total: steps.append(step))
    (source,) = json.loads((tmp_path / "run" / "manifest.json").read_text())["sources"]
    assert source["sha256"] == hashlib.sha256(raw.read_bytes()).hexdigest()
    assert "verifying the source" in steps
    assert hybridfactory.verify(tmp_path / "run").is_identical
    # Where the fingerprint does not look, and without a trace in the file's time.
    set_values(raw, {(2500, 3): 4321})
    assert "SHA-256" in hybridfactory.verify(tmp_path / "run").findings[0].problem


@pytest.mark.parametrize("change", ["bytes", "time", "size", "replaced", "gone"])
def test_a_source_that_changes_while_it_is_read(
    small_world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    raw, out = tmp_path / "raw.bin", tmp_path / "out"
    raw.write_bytes(small_world.raw.read_bytes())
    small_world.run(out, ground_truth_units=[5], session_name="old")
    before = contents(out)
    store = job.write_manifest

    def write_and_change(*arguments: Any, **options: Any) -> None:
        store(*arguments, **options)
        if change == "size":
            with raw.open("ab") as stream:
                stream.write(bytes(2 * NUM_ROWS))
        elif change == "time":
            os.utime(raw, ns=(1, 1))
        elif change == "replaced":
            status = raw.stat()
            (tmp_path / "other").write_bytes(raw.read_bytes())
            os.utime(tmp_path / "other", ns=(status.st_atime_ns, status.st_mtime_ns))
            (tmp_path / "other").replace(raw)
        elif change == "gone":
            raw.unlink()

    parameters = small_world.parameters(out, raw_source_file=raw, **DONORS)
    monkeypatch.setattr(job, "write_manifest", write_and_change)
    if change == "bytes":
        monkeypatch.setattr(job, "sha256_of", lambda *_arguments, **_options: "another")
    with pytest.raises((RecordingError, MissingFileError), match=r"raw\.bin was|raw\.bin is gone"):
        hybridfactory.generate(parameters, verify=change == "bytes")
    assert contents(out) == before

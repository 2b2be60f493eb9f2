"""A finished run held against what it should be: sources, truth, and the hybrid rendered anew."""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from hybridfactory.errors import MissingFileError
from hybridfactory.ground_truth.fingerprint import NUM_PROBES, fingerprint, probes_per_file, sha256_of
from hybridfactory.ground_truth.manifest import Manifest, read_manifest
from hybridfactory.ground_truth.run import HybridRun
from hybridfactory.injection.compare import Comparison, Difference, compare, everything
from hybridfactory.injection.script import load_script
from hybridfactory.progress import ProgressCallback, no_progress

__all__ = ["Finding", "VerifyResult", "verify"]

READ_BYTES = 1 << 20

AS_WRITTEN, AS_SOURCE, NOT_WRITTEN = "written", "reset", "not written"
"""What a hybrid should be: as it was rendered, as the source, or not there."""


@dataclass(frozen=True)
class Finding:
    """Something that is not as the run left it.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    problem : str
    """

    path: Path
    problem: str


@dataclass(frozen=True)
class VerifyResult:
    """What was found.

    Parameters
    ----------
    hybrid : {"written", "reset", "not written"}
        What the hybrid should be: as rendered, as the source, or not there.
    num_samples : int
        Samples (of all rows) of hybrid files that were compared.
    num_different : int
        Values (samples × rows) that are not what they should be.
    first : Difference or None
        The first of them.
    findings : tuple of Finding
        All that is not as the run left it, one line per file; empty if all is.
    """

    hybrid: str
    num_samples: int
    num_different: int
    first: Difference | None
    findings: tuple[Finding, ...]

    @property
    def is_identical(self) -> bool:
        """Whether everything is as the run left it."""
        return not self.findings

    def as_json(self) -> dict[str, Any]:
        """Give all of it in JSON's types."""
        first = None if self.first is None else {**asdict(self.first), "path": str(self.first.path)}
        if first is not None:
            first |= {name: _finite(first[name]) for name in ("found", "expected")}
        return {
            "identical": self.is_identical,
            "hybrid": self.hybrid,
            "num_samples": self.num_samples,
            "num_different": self.num_different,
            "first": first,
            "findings": [{"path": str(item.path), "problem": item.problem} for item in self.findings],
        }


def _finite(value: float) -> float | str:
    """Return what JSON can hold: infinities and NaN by name."""
    return value if math.isfinite(value) else str(value)


def verify(run: HybridRun | str | PathLike[str], *, progress: ProgressCallback = no_progress) -> VerifyResult:
    """See whether a run's sources, truth and hybrid files are what they were when it ended.

    The hybrid is rendered anew from the source and compared bit by bit, block by block: memory does not depend on the
    recording's length. Sources are compared by size and fingerprint, and by the SHA-256 of all their bytes if the run
    was made with ``verify=True``; files of the truth by their SHA-256. Times of change do not matter.

    Parameters
    ----------
    run : HybridRun or path-like
        A finished run, or its folder.
    progress : callable, optional
        Called with (step, done, total) as the work goes on.

    Returns
    -------
    VerifyResult

    Raises
    ------
    MissingFileError
        If the run, or a source, is not there.
    OutputError
        If the manifest is damaged.
    """
    folder = run.output_directory if isinstance(run, HybridRun) else Path(run).expanduser().resolve()
    if not folder.is_dir():
        raise MissingFileError(f"{folder} does not exist or is not a folder")
    manifest = read_manifest(folder)
    findings = [*_check_sources(manifest, progress), *_check_truth(manifest)]
    hybrid = AS_WRITTEN if manifest.is_written else AS_SOURCE if manifest.is_reset else NOT_WRITTEN
    if manifest.is_half_reset:
        command = f"run 'hybridfactory reset {folder}' again"
        findings.append(Finding(manifest.target_paths[0], f"a reset was interrupted: {command}"))
    compared = Comparison(0, 0, None)
    sound = {manifest.paths.script, *manifest.source_paths}.isdisjoint(item.path for item in findings)
    if hybrid != NOT_WRITTEN and sound:
        wrong_size = list(_check_sizes(manifest))
        findings += wrong_size
        if not wrong_size:
            compared, differing = _compare(manifest, hybrid, progress)
            findings += differing
    return VerifyResult(hybrid, compared.num_samples, compared.num_different, compared.first, tuple(findings))


def _check_sources(manifest: Manifest, progress: ProgressCallback) -> Iterator[Finding]:
    stated = manifest.source_items
    hashed = [(path, item) for path, item in zip(manifest.source_paths, stated, strict=True) if item.get("sha256")]
    num_probes = NUM_PROBES if manifest.reader is None else probes_per_file(len(stated))
    total = max(sum(item["size"] for _, item in hashed), 1)
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        progress("hashing the source", min(done, total), total)

    for path, item in zip(manifest.source_paths, stated, strict=True):
        if not path.is_file():
            raise MissingFileError(f"source file {path} is gone: put it back; nothing can be compared without it")
        size = path.stat().st_size
        if size != item["size"]:
            yield Finding(path, f"has {size} bytes, and had {item['size']} when the run read it")
        elif item.get("fingerprint") not in (None, fingerprint(path, num_probes)):
            yield Finding(path, "was changed since the run read it: its fingerprint is another")
        elif item.get("sha256") and sha256_of(path, advance=advance) != item["sha256"]:
            yield Finding(path, "was changed since the run read it: its SHA-256 is another")


def _check_truth(manifest: Manifest) -> Iterator[Finding]:
    stated = manifest.content.get("checksums", {})
    for name in manifest.content["files"]:
        path = manifest.folder / name
        if not path.is_file():
            yield Finding(path, "is missing")
        elif name in stated and sha256_of(path) != stated[name]:
            yield Finding(path, "was changed after the run: its SHA-256 is another")


def _check_sizes(manifest: Manifest) -> Iterator[Finding]:
    for path, source in zip(manifest.target_paths, manifest.content["sources"], strict=True):
        if not path.is_file():
            yield Finding(path, f"is missing; 'hybridfactory write {manifest.folder}' makes it again")
        elif path.stat().st_size != source["size"]:
            yield Finding(path, f"has {path.stat().st_size} bytes, and should have {source['size']}")


def _compare(manifest: Manifest, hybrid: str, progress: ProgressCallback) -> tuple[Comparison, list[Finding]]:
    recording = manifest.source_recording
    script = load_script(manifest.paths.script) if hybrid == AS_WRITTEN else None
    found = compare(manifest.target_paths, recording, script, everything(recording), progress=progress)
    findings = []
    if found.first is not None:
        findings.append(Finding(found.first.path, f"{found.num_different} values differ; the first: {found.first}"))
    for path, file in zip(manifest.target_paths, recording.files, strict=True):
        if recording.is_copyable and not _same_tail(path, file.path, file.num_samples * recording.bytes_per_sample):
            findings.append(Finding(path, "its bytes after the last whole sample are not the source's"))
    return found, findings


def _same_tail(path: Path, source: Path, offset: int) -> bool:
    """Whether two files hold the same bytes from some byte on."""
    with path.open("rb") as ours, source.open("rb") as theirs:
        ours.seek(offset)
        theirs.seek(offset)
        while True:
            one, other = ours.read(READ_BYTES), theirs.read(READ_BYTES)
            if one != other:
                return False
            if not one:
                return True

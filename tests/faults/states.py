"""What lies in an output folder, and what may lie there after a fault."""

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

import hybridfactory

MANIFEST = "manifest.json"
Files = dict[str, bytes]


def digest(paths: Iterable[Path]) -> dict[str, tuple[str, int]]:
    """SHA-256 and time of change of each file."""
    return {str(path): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns) for path in paths}


def visible_files(folder: Path) -> Files:
    """Every file by name, the manifest without what differs from run to run, and without what is hidden."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_file() and not name.startswith("."):
            found[name] = timeless(path.read_bytes()) if name == MANIFEST else path.read_bytes()
    return found


def hidden_names(folder: Path) -> list[str]:
    return [str(path.relative_to(folder)) for path in folder.rglob(".*")]


def timeless(manifest: bytes) -> bytes:
    """A manifest without times, and without how it came about that the hybrid has its bytes."""
    content = json.loads(manifest)
    for key in ("created", "written"):
        content.pop(key, None)
    reset = content.get("reset") or {}
    reset.pop("time", None)
    for file in (*content["targets"], *reset.get("files", ())):
        file.pop("mtime_ns", None)
    return json.dumps(content, indent=1).encode()


def fill(folder: Path, files: Path) -> None:
    """Make a folder what another one is, times of change included."""
    shutil.rmtree(folder, ignore_errors=True)
    if files.exists():
        shutil.copytree(files, folder)


def assert_never_wrong(folder: Path, whole: Mapping[str, Files], mine: Files) -> str:
    """After a fault: a manifest tells of a run that is whole, and what is not ours is as it was.

    Parameters
    ----------
    folder : pathlib.Path
    whole : mapping of str to dict
        The runs that may be there, by name.
    mine : dict
        Files that belong to somebody else.

    Returns
    -------
    str
        Name of the run that is there; empty if there is none.
    """
    if not folder.is_dir():
        assert not mine
        return ""
    found = visible_files(folder)
    assert {name: found.get(name) for name in mine} == mine
    if MANIFEST not in found:
        return ""
    run = hybridfactory.load(folder)
    assert not run.manifest.is_written or run.manifest.targets_are_untouched()
    differing = {name: differences(found, files | mine) for name, files in whole.items()}
    for name, names in differing.items():
        if not names or (not run.manifest.is_written and _is_unwritten(found, files_of=whole[name] | mine)):
            return name if not names else f"{name}, unwritten"
    raise AssertionError(f"a manifest of no whole run; files that differ: {differing}")


def _is_unwritten(found: Files, files_of: Files) -> bool:
    """Whether this is a run of which the hybrid alone is not there, or not yet counted as there."""
    states = json.loads(found[MANIFEST]), json.loads(files_of[MANIFEST])
    hybrids = {target["name"] for target in states[1]["targets"]}
    for state in states:
        for key in ("targets", "num_clipped_samples", "reset"):
            state.pop(key, None)
    return states[0] == states[1] and set(differences(found, files_of)) <= {MANIFEST, *hybrids}


def differences(found: Files, expected: Files) -> list[str]:
    """Names of files that are missing, too many, or of other bytes."""
    return sorted(name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name))

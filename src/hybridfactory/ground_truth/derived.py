"""Figures, pages and tables that other commands made of a run: known from its manifest, and gone with the run."""

import os
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from pathlib import Path

from hybridfactory.ground_truth.manifest import Manifest, add_to_manifest, read_manifest
from hybridfactory.injection.staging import locked

__all__ = ["forget_empty_folders", "register", "removable"]


def register(run_folder: Path, paths: Iterable[Path], *, is_locked: bool = False) -> None:
    """Note in a run's manifest what is about to be made of it inside its folder; what lies elsewhere is left out.

    Parameters
    ----------
    run_folder : pathlib.Path
    paths : iterable of pathlib.Path
        Files to come, or folders, which are noted as a whole.
    is_locked : bool
        Whether the caller holds the folder's lock already.

    Raises
    ------
    HybridFactoryError
        If the manifest cannot be read or written, or another process is writing in the folder.
    """
    inside = [path.relative_to(run_folder).as_posix() for path in paths if path.is_relative_to(run_folder)]
    if not inside:
        return
    with nullcontext() if is_locked else locked(run_folder):
        known = read_manifest(run_folder).content.get("derived", ())
        kept = [name for name in known if os.path.lexists(run_folder / name)]
        add_to_manifest(run_folder, "derived", sorted({*kept, *inside}))


def removable(manifest: Manifest) -> tuple[Path, ...]:
    """Files that were made of a run, as far as they are still there and lie in its folder in truth."""
    home = manifest.folder.resolve()
    return tuple(
        path
        for path in manifest.derived_paths
        if os.path.lexists(path)
        and path.parent.resolve().is_relative_to(home)
        and (path.is_symlink() or not path.is_dir())
    )


def forget_empty_folders(folder: Path, files: Sequence[Path]) -> None:
    """Remove folders below a folder that are empty now that some files in them are gone."""
    parents = {parent for path in files for parent in path.parents if folder in parent.parents}
    for parent in sorted(parents, key=lambda path: len(path.parts), reverse=True):
        try:
            parent.rmdir()
        except OSError:
            continue

"""One run in its folder, from the opened inputs to the files in place."""

import logging
from contextlib import ExitStack
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from hybridfactory.errors import RecordingError
from hybridfactory.ground_truth.fingerprint import hashing, sha256_of
from hybridfactory.ground_truth.manifest import Manifest
from hybridfactory.ground_truth.new_manifest import write_manifest
from hybridfactory.ground_truth.paths import RunPaths
from hybridfactory.ground_truth.replacement import (
    borrow_hybrid,
    check_outputs,
    files_of_earlier_run,
    find_reusable_run,
    forget_empty_folders,
    refuse_to_overwrite,
)
from hybridfactory.ground_truth.witness import Witness, refuse_changes
from hybridfactory.injection.copying import IN_ONE_PASS, ONE_PASS_SHARE, OVER_COPY, copying, touched_share
from hybridfactory.injection.publishing import publish
from hybridfactory.injection.staging import check_free_space
from hybridfactory.parameters import Parameters
from hybridfactory.plan.plan import InjectionPlan
from hybridfactory.progress import ProgressCallback
from hybridfactory.recording.source import Source, hybrid_name
from hybridfactory.recording.spikeglx_meta import write_hybrid_meta
from hybridfactory.sorting import Sorting

if TYPE_CHECKING:
    from hybridfactory.injection.script import InjectionScript

__all__ = ["Job"]

OVER_EARLIER = "over the hybrid of an earlier run"

_log = logging.getLogger("hybridfactory")


@dataclass(frozen=True, eq=False)
class Job:
    """One run in its folder, from the opened inputs to the files in place.

    Parameters
    ----------
    settled : Parameters
        With nothing left to be drawn or found.
    source : Source
    sorting : Sorting
    witnesses : tuple of Witness
        What the files that must not change looked like before they were opened.
    staging : pathlib.Path
        The folder for unfinished files in the output folder, which is locked.
    write, verify : bool
        As for `generate`.
    progress : callable
    """

    settled: Parameters
    source: Source
    sorting: Sorting
    witnesses: tuple[Witness, ...]
    staging: Path
    write: bool
    verify: bool
    progress: ProgressCallback

    @property
    def folder(self) -> Path:
        """Where the run's files go."""
        return self.settled.output_directory

    @property
    def paths(self) -> tuple[Path, ...]:
        """The source's files."""
        return self.source.recording.source_files

    @property
    def targets(self) -> tuple[Path, ...]:
        """The hybrid's files."""
        return tuple(self.folder / file.hybrid_name for file in self.source.recording.files)

    @property
    def metas(self) -> dict[Path, Path]:
        """The hybrid's .meta file of each .meta file."""
        return {meta.path: self.folder / hybrid_name(meta.path.name) for meta in self.source.metas if meta}

    @property
    def staged(self) -> RunPaths:
        """The truth's files while they come into being."""
        return RunPaths(self.staging, cast(str, self.settled.session_name))

    @property
    def staged_targets(self) -> tuple[Path, ...]:
        """The hybrid's files while they come into being."""
        return tuple(self.staging / target.name for target in self.targets)

    def check_outputs(self) -> None:
        """Refuse a folder in which something would be lost."""
        check_outputs(self.folder)
        final = RunPaths(self.folder, self.staged.session_name)
        outputs = (*self.targets, *self.described(final), *self.metas.values(), *final.truth_files, final.manifest)
        refuse_to_overwrite((witness.path for witness in self.witnesses), outputs)

    def described(self, paths: RunPaths) -> tuple[Path, ...]:
        """The hybrid described for SpikeInterface, where there is no .meta to do it: a path, or none."""
        return (paths.description,) if self.write and not self.source.recording.is_copyable else ()

    def _describe(self, path: Path) -> None:
        from hybridfactory.ground_truth.description import (  # noqa: PLC0415
            attach_probe,
            open_flat_hybrid,
            write_description,
        )

        recording, probe = self.source.recording, self.source.probe
        rows = probe.connected_rows
        shape = (recording.sampling_frequency, recording.dtype.str, recording.num_rows)
        gains, offsets = recording.gains_uV, recording.offsets_uV
        opened = attach_probe(
            open_flat_hybrid(self.staged_targets, *shape, rows),
            probe,
            None if gains is None else gains[rows],
            None if offsets is None else offsets[rows],
        )
        write_description(path, opened)

    def run(self, warnings: list[str]) -> tuple[InjectionPlan, int | None, float | None]:
        """Make all files and put them in place; plan, number of clipped samples, seconds that copying took."""
        reuses = self.write and not self.settled.copy
        earlier = None
        if reuses:
            earlier = find_reusable_run(self.folder, self.source.recording, self.targets, progress=self.progress)
        how = OVER_EARLIER if earlier else ""
        if self.write and earlier is None:
            how = _how_to_write(self.settled, self.source, self.sorting)
            check_free_space(self.folder, _flat_size(self.source))
        with ExitStack() as stack:
            wait_for_hashes = stack.enter_context(hashing(self.paths)) if self.verify else None
            # What will be copied in any case is copied while units are learnt; reading alone leaves the disk idle.
            copied = how == OVER_COPY
            wait_for_copy = stack.enter_context(copying(self.paths, self.staged_targets)) if copied else None
            # Imported here, since compiled kernels and pandas take a second: the copy is under way by now.
            from hybridfactory.injection.script import save_script  # noqa: PLC0415
            from hybridfactory.pipeline.planning import plan_injection  # noqa: PLC0415
            from hybridfactory.pipeline.truth import write_events, write_truth  # noqa: PLC0415

            plan, script = plan_injection(self.settled, self.source, self.sorting, self.progress)
            save_script(script, self.staged.script)
            write_truth(self.staged, self.settled, self.source, self.sorting, plan)
            copy_seconds = wait_for_copy(self.progress) if wait_for_copy is not None else None
            hashes = wait_for_hashes() if wait_for_hashes is not None else None
        clipped = self._inject(script, earlier, how)
        num_clipped = None if clipped is None else int(clipped.sum())
        write_events(self.staged, plan, script, clipped)
        self._finish(plan, warnings, how, num_clipped, hashes)
        return plan, num_clipped, copy_seconds

    def _inject(self, script: "InjectionScript", earlier: Manifest | None, how: str) -> NDArray[np.int32] | None:
        """Write the hybrid's files, and the journal of what was written; clipped samples of every event."""
        from hybridfactory.injection.journal import empty_journal, load_journal, save_journal  # noqa: PLC0415
        from hybridfactory.injection.writer import render_into, restore_into  # noqa: PLC0415

        if not self.write:
            save_journal(empty_journal(), self.staged.journal)
            return None
        recording, targets = self.source.recording, self.staged_targets
        if earlier is not None:
            before = load_journal(earlier.paths.journal, recording)
            borrow_hybrid(earlier, targets)
            if earlier.is_written:
                restore_into(targets, recording, before.ranges, progress=self.progress)
        rendered = render_into(targets, recording, script, are_copies=how != IN_ONE_PASS, progress=self.progress)
        save_journal(rendered.journal, self.staged.journal)
        return rendered.clipped

    def _finish(
        self, plan: InjectionPlan, warnings: list[str], how: str, num_clipped: int | None, hashes: list[str] | None
    ) -> None:
        """See that the source is what it was, and put all files in place, the manifest last."""
        staged_metas = tuple(self.staging / target.name for target in self.metas.values())
        for (meta, target), staged_meta in zip(self.metas.items(), staged_metas, strict=True):
            write_hybrid_meta(meta, staged_meta, target)
        described = self.described(self.staged)
        for path in described:
            self._describe(path)
        if hashes is not None:
            _refuse_other_bytes(self.paths, hashes, self.progress)
        write_manifest(
            self.staged,
            parameters=_as_json(self.settled),
            random_seed=cast(int, self.settled.random_seed),
            recording=self.source.recording,
            source_hashes=hashes,
            targets=self.staged_targets,
            metas=(*staged_metas, *described),
            plan=plan,
            written=how or None,
            num_clipped_samples=num_clipped,
            warnings=warnings,
        )
        refuse_changes(self.witnesses)
        written = self.staged_targets if self.write else ()
        finished = (*written, *described, *staged_metas, *self.staged.truth_files, self.staged.manifest)
        replaced = files_of_earlier_run(self.folder)
        publish(finished, self.folder, replaced)
        forget_empty_folders(self.folder, replaced)


def _refuse_other_bytes(paths: tuple[Path, ...], hashes: list[str], progress: ProgressCallback) -> None:
    """See that the source's bytes are those that were there when the run began."""
    total, done = sum(path.stat().st_size for path in paths), 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        progress("verifying the source", done, max(total, done))

    for path, before in zip(paths, hashes, strict=True):
        if sha256_of(path, advance=advance) != before:
            raise RecordingError(
                f"{path} was changed while it was read: nothing was written; run again when the recording is complete"
            )


def _flat_size(source: Source) -> int:
    """Bytes of the hybrid's flat files."""
    recording = source.recording
    return sum(file.num_samples * recording.bytes_per_sample + file.num_trailing_bytes for file in recording.files)


def _how_to_write(settled: Parameters, source: Source, sorting: Sorting) -> str:
    """Choose between writing over a copy and one pass, before anything is learned: a copy could begin at once."""
    if not source.recording.is_copyable:
        _log.info("the source is no flat file: writing %s", IN_ONE_PASS)
        return IN_ONE_PASS
    share = _expected_share(settled, source, sorting)
    how = IN_ONE_PASS if share > ONE_PASS_SHARE else OVER_COPY
    _log.info("events will touch about %.0f %% of the recording: writing %s", 100 * share, how)
    return how


def _expected_share(settled: Parameters, source: Source, sorting: Sorting) -> float:
    """Share of the recording that events will touch, as far as it is known before anything is learned."""
    recording = source.recording
    num_spikes = float(np.isin(sorting.spike_labels, settled.ground_truth_units).sum())
    num_events = num_spikes
    if settled.synthetic_rate:
        num_events = sum(settled.synthetic_rate) * recording.num_samples / settled.sample_rate
    num_events *= settled.units_per_donor
    num_events += num_spikes if settled.remove_original else 0
    return touched_share(num_events, settled.samples_before + 1 + settled.samples_after, recording.num_samples)


def _as_json(settled: Parameters) -> dict[str, Any]:
    """Parameters in JSON's types; the probe is stored in its own file."""
    values = {item.name: getattr(settled, item.name) for item in fields(settled)}
    values["probe"] = settled.probe.name if settled.probe else None
    values["data_type"] = settled.data_type.str
    return {name: str(value) if isinstance(value, Path) else value for name, value in values.items()}

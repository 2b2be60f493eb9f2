"""Hybrid files: copies of the source with the plan over them, and back again."""

import os

import numpy as np
import pytest

from hybridfactory.errors import OutputError, RecordingError
from hybridfactory.injection import regions, writer
from hybridfactory.injection.copying import copy_file
from hybridfactory.injection.journal import take_checksums
from hybridfactory.injection.lazy import HybridRecording
from hybridfactory.injection.publishing import STAGING_NAME, publish
from hybridfactory.injection.render import render
from hybridfactory.injection.script import save_script
from hybridfactory.injection.staging import check_free_space, staging_folder
from hybridfactory.injection.writer import render_into, restore_into

BEFORE, AFTER = 12, 18


def copies_of(recording, folder):
    folder.mkdir()
    targets = tuple(folder / file.path.name for file in recording.files)
    for file, target in zip(recording.files, targets, strict=True):
        copy_file(file.path, target)
    return targets


def host(num_samples, dtype="<i2", seed=6):
    return np.random.default_rng(seed).integers(-100, 100, (num_samples, 10)).astype(dtype)


@pytest.fixture
def three_files(recording_of):
    """Files that follow at once and after a gap, with bytes left over at their ends."""
    return recording_of(
        [host(1000), host(1000, seed=7), host(900, seed=8)], [0, 1000, 2100], trailing=b"\x01\x02\x03"
    )


@pytest.fixture
def across(scene_of):
    """Events up to the very edges of the three files, none over them."""
    random = np.random.default_rng(9)
    edges = [BEFORE, 998 - AFTER, 1000 + BEFORE, 1999 - AFTER, 2100 + BEFORE, 2999 - AFTER]
    inside = np.concatenate(
        [random.integers(20, 970, 30), random.integers(1020, 1970, 9), random.integers(2130, 2970, 9)]
    )
    return scene_of(lambda label: np.concatenate([edges, inside[label % 5 :: 2]]))


class TestRenderInto:
    def test_files_hold_source_plus_plan(self, three_files, across, tmp_path):
        targets = copies_of(three_files, tmp_path / "hybrid")
        render_into(targets, three_files, across.script)
        for file, target in zip(three_files.files, targets, strict=True):
            source, hybrid = file.path.read_bytes(), target.read_bytes()
            assert len(hybrid) == len(source) and hybrid[-3:] == source[-3:]
            before = np.frombuffer(source[:-3], "<i2").reshape(-1, 10).astype(float)
            after = np.frombuffer(hybrid[:-3], "<i2").reshape(-1, 10)
            patch = across.patch(file.start_sample, file.stop_sample)
            assert np.abs(after - before - patch).max() <= 0.5 + 1e-3
            assert np.array_equal(after[:, [2, 8, 9]], before[:, [2, 8, 9]])

    @pytest.mark.parametrize(
        ("grid", "page", "per_task", "workers"), [(1, 20, 3, 2), (7, 512, 1, 5), (100, 4096, 64, 1), (8192, 60, 2, 2)]
    )
    def test_same_bytes_and_counts_whatever_the_cut(
        self, three_files, across, tmp_path, monkeypatch, grid, page, per_task, workers
    ):
        loud = across.scaled(400)
        reference = copies_of(three_files, tmp_path / "reference")
        counts = render_into(reference, three_files, loud.script).clipped
        assert counts.any()
        monkeypatch.setattr(regions, "GRID_SAMPLES", grid)
        monkeypatch.setattr(regions, "PAGE_BYTES", page)
        monkeypatch.setattr(writer, "REGIONS_PER_TASK", per_task)
        monkeypatch.setattr(writer, "NUM_WRITERS", workers)
        targets = copies_of(three_files, tmp_path / "other")
        assert np.array_equal(render_into(targets, three_files, loud.script).clipped, counts)
        assert [path.read_bytes() for path in targets] == [path.read_bytes() for path in reference]
        (tmp_path / "whole").mkdir()
        whole = tuple(tmp_path / "whole" / file.path.name for file in three_files.files)
        assert np.array_equal(render_into(whole, three_files, loud.script, copied=[0, 0, 0]).clipped, counts)
        assert [path.read_bytes() for path in whole] == [path.read_bytes() for path in reference]

    @pytest.mark.parametrize("copied", [None, [0, 0, 0], [20_003, 7000, 0]])
    @pytest.mark.parametrize("per_task", [1, 64])
    def test_journal_has_the_checksums_of_what_the_files_hold(
        self, three_files, across, tmp_path, monkeypatch, copied, per_task
    ):
        monkeypatch.setattr(writer, "REGIONS_PER_TASK", per_task)
        targets = copies_of(three_files, tmp_path / "hybrid")
        journal = render_into(targets, three_files, across.script, copied=copied).journal
        assert np.array_equal(journal.ranges, regions.cut_at_grid(across.script.ranges(), three_files))
        found = take_checksums(targets, three_files, journal.ranges, step="checking")
        assert np.array_equal(found, journal.checksums) and np.unique(found).size == found.size

    @pytest.mark.parametrize("counts", [(20_003, 7000, 0), (4096, 0, 0), (20_003, 20_003, 18_003)])
    def test_what_is_not_copied_is_written_whole(self, three_files, across, tmp_path, monkeypatch, counts):
        """Where a copy was ended, files are short, and the last are not there."""
        recording, loud = three_files, across.scaled(400)
        monkeypatch.setattr(regions, "GRID_SAMPLES", 100)
        monkeypatch.setattr(regions, "PAGE_BYTES", 100)
        reference = copies_of(recording, tmp_path / "reference")
        clipped = render_into(reference, recording, loud.script).clipped
        targets = copies_of(recording, tmp_path / "hybrid")
        for target, count in zip(targets, counts, strict=True):
            os.truncate(target, count)
            if not count:
                target.unlink()
        assert np.array_equal(render_into(targets, recording, loud.script, copied=counts).clipped, clipped)
        assert [path.read_bytes() for path in targets] == [path.read_bytes() for path in reference]

    def test_clipped_samples_are_those_at_the_end_of_the_range(self, recording_of, scene_of, tmp_path):
        scene = scene_of(lambda label: [100 * label])
        recording = recording_of([host(1200)], [0])
        targets = copies_of(recording, tmp_path / "hybrid")
        loud = scene.scaled(1000)
        counts = render_into(targets, recording, loud.script).clipped
        hybrid = np.fromfile(targets[0], "<i2").reshape(-1, 10)
        patch = loud.patch(0, 1200) + np.fromfile(recording.files[0].path, "<i2").reshape(-1, 10)
        beyond = (patch > 32767.5) | (patch < -32768.5)
        assert counts.sum() == beyond.sum() > 100
        assert np.isin(hybrid[beyond], [-32768, 32767]).all()

    def test_events_that_touch_across_two_files(self, recording_of, scene_of, tmp_path):
        """The window of the one ends where its file ends, the window of the next begins there."""
        recording = recording_of([host(500), host(500, seed=7)], [0, 500])
        scene = scene_of(lambda label: [499 - AFTER, 500 + BEFORE])
        targets = copies_of(recording, tmp_path / "hybrid")
        render_into(targets, recording, scene.script)
        both = np.concatenate([np.fromfile(path, "<i2").reshape(-1, 10) for path in targets])
        source = np.concatenate([host(500), host(500, seed=7)])
        assert np.array_equal(both, render(source, 0, scene.script))

    def test_start_of_the_timeline_need_not_be_zero(self, recording_of, scene_of, tmp_path):
        scene = scene_of(lambda label: [70_000 + 100 * label])
        recording = recording_of([host(1500)], [69_500])
        targets = copies_of(recording, tmp_path / "hybrid")
        render_into(targets, recording, scene.script)
        expected = render(host(1500), 69_500, scene.script)
        assert targets[0].read_bytes() == expected.tobytes()

    def test_source_stays_as_it_was(self, three_files, across, tmp_path):
        before = [file.path.read_bytes() for file in three_files.files]
        render_into(copies_of(three_files, tmp_path / "hybrid"), three_files, across.script)
        assert [file.path.read_bytes() for file in three_files.files] == before

    def test_progress_reaches_its_end(self, three_files, across, tmp_path):
        calls = []
        targets = copies_of(three_files, tmp_path / "hybrid")
        render_into(targets, three_files, across.script, progress=lambda *call: calls.append(call))
        assert calls and all(0 < done <= total for _, done, total in calls)
        assert calls[-1][1] == calls[-1][2]

    def test_source_that_shrinks_is_an_error(self, three_files, across, tmp_path):
        targets = copies_of(three_files, tmp_path / "hybrid")
        with three_files.files[0].path.open("r+b") as file:
            file.truncate(5000)
        with pytest.raises(RecordingError, match="shorter"):
            render_into(targets, three_files, across.script)


@pytest.mark.parametrize("page", [20, 4096])
def test_taking_back_gives_the_source(three_files, across, tmp_path, monkeypatch, page):
    targets = copies_of(three_files, tmp_path / "hybrid")
    render_into(targets, three_files, across.script)
    assert targets[0].read_bytes() != three_files.files[0].path.read_bytes()
    monkeypatch.setattr(regions, "PAGE_BYTES", page)
    restore_into(targets, three_files, across.script.ranges())
    assert [path.read_bytes() for path in targets] == [file.path.read_bytes() for file in three_files.files]


class TestLazyRecording:
    @pytest.fixture
    def lazy(self, three_files, across, tmp_path):
        save_script(across.script, tmp_path / "script.npz")
        return HybridRecording(
            [(str(file.path), file.start_sample, file.num_samples) for file in three_files.files],
            three_files.dtype.str,
            three_files.num_rows,
            30_000.0,
            str(tmp_path / "script.npz"),
            [5, 0, 9, 3],
        )

    def test_agrees_with_the_files(self, lazy, three_files, across, tmp_path):
        targets = copies_of(three_files, tmp_path / "hybrid")
        render_into(targets, three_files, across.script)
        assert lazy.get_num_segments() == 3
        for segment, (file, target) in enumerate(zip(three_files.files, targets, strict=True)):
            whole = np.frombuffer(target.read_bytes()[:-3], "<i2").reshape(-1, 10)[:, [5, 0, 9, 3]]
            assert lazy.get_num_samples(segment) == file.num_samples
            assert np.array_equal(lazy.get_traces(segment), whole)
            some = lazy.get_traces(segment, start_frame=37, end_frame=411, channel_ids=[3, 5])
            assert np.array_equal(some, whole[37:411, [3, 0]])

    def test_long_slices_are_rendered_in_pieces(self, lazy, monkeypatch):
        whole = lazy.get_traces(0)
        monkeypatch.setattr("hybridfactory.injection.lazy.MAX_SPAN_SAMPLES", 13)
        assert np.array_equal(lazy.get_traces(0), whole)

    def test_can_be_made_again_from_its_dictionary(self, lazy):
        from spikeinterface.core import load

        again = load(lazy.to_dict())
        assert np.array_equal(again.get_traces(1), lazy.get_traces(1))
        assert list(again.channel_ids) == list(lazy.channel_ids) == [5, 0, 9, 3]


class TestStaging:
    def test_publishes_what_is_finished(self, tmp_path):
        output = tmp_path / "new" / "out"
        with staging_folder(output) as folder:
            (folder / "a").write_text("1")
            assert not (output / "a").exists()
            publish([folder / "a"], output, [])
        assert [path.name for path in output.iterdir()] == ["a"]

    def test_failure_leaves_nothing_behind(self, tmp_path):
        def fail():
            with staging_folder(tmp_path / "new" / "out") as folder:
                (folder / "a").write_text("1")
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            fail()
        assert list(tmp_path.iterdir()) == []

    def test_failure_keeps_what_was_there(self, tmp_path):
        (tmp_path / "mine").write_text("keep")

        def fail():
            with staging_folder(tmp_path):
                raise ValueError

        with pytest.raises(ValueError):
            fail()
        assert [path.name for path in tmp_path.iterdir()] == ["mine"]

    def test_remains_of_a_killed_run_are_swept_away(self, tmp_path):
        (tmp_path / STAGING_NAME).mkdir()
        (tmp_path / STAGING_NAME / "old").write_text("x")
        with staging_folder(tmp_path) as folder:
            assert list(folder.iterdir()) == []

    def test_a_file_in_the_way(self, tmp_path):
        (tmp_path / "out").write_text("x")
        with pytest.raises(OutputError, match="out"), staging_folder(tmp_path / "out" / "deeper"):
            pass

    def test_too_little_space(self, tmp_path):
        check_free_space(tmp_path / "not" / "yet", 1)
        with pytest.raises(OutputError, match="too little disk space"):
            check_free_space(tmp_path / "not" / "yet", 10**18)

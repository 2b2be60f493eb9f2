"""Full disks, broken disks, short writes: one clear line, the source and an earlier run untouched, and a next run."""

import errno
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from states import differences, fill, hidden_names, visible_files
from stories import NUM_KILLS, REUSING, STORIES, Stage
from warm_program import Ended

SHARE_OF_STEPS = 60
"""The suite lets one step in so many fail; ``make faults`` one in fifteen, from another one on in each test."""


def assert_one_line(ended: Ended, *words: str) -> None:
    assert ended.code == 2, ended.err
    assert ended.err.startswith("hybridfactory: error: "), ended.err
    assert ended.err.count("\n") == 1, ended.err
    for word in words:
        assert word in ended.err


@pytest.mark.parametrize("lasting", [False, True], ids=["once", "from then on"])
@pytest.mark.parametrize("error", ["EIO", "ENOSPC"])
def test_each_step_may_fail(stage: Stage, error: str, lasting: bool, num_kills: int, tmp_path: Path) -> None:
    """One failing call leaves all as before; what a disk leaves that is gone from then on, the next run clears."""
    case = 2 * lasting + (error == "EIO")
    for name in STORIES if num_kills > NUM_KILLS else STORIES[case : case + 3]:
        story = stage.set_up(name)
        record = tmp_path / f"steps of {name}"
        stage.program.run(*story.arguments, faults={"record": str(record)})
        steps = [json.loads(line)[0] for line in record.read_text(encoding="utf-8").splitlines()]
        share = SHARE_OF_STEPS // 4 if num_kills > NUM_KILLS else SHARE_OF_STEPS
        for number in range(case * share // 4, len(steps), share):
            fill(stage.world.out, story.before)
            fault = {"fail_from" if lasting else "fail_at": number, "error": error}
            ended = stage.program.run(*story.arguments, faults=fault)
            found = stage.assert_never_wrong(story, {})
            if ended.code == 0:
                assert found == "new", f"step {number}, {steps[number]}, of {name}"
            else:
                assert_one_line(ended)
                if not lasting and story.earlier and name not in REUSING:
                    assert found == "earlier", f"step {number}, {steps[number]}, of {name}"
            stage.run_again(story, {})


@pytest.mark.parametrize("name", STORIES)
def test_reads_and_writes_that_do_a_part_of_what_is_asked(stage: Stage, name: str) -> None:
    story = stage.set_up(name)
    ended = stage.program.run(*story.arguments, faults={"short_seed": STORIES.index(name)})
    assert ended.code == 0, ended.err
    assert differences(visible_files(stage.world.out), story.finished) == []


@pytest.mark.parametrize("share", [0.02, 0.5, 0.99])
@pytest.mark.parametrize("name", ["first run", "over an earlier run", "write"])
def test_files_that_may_not_grow_so_large(stage: Stage, name: str, share: float) -> None:
    """The system itself then writes less than it was asked for, and fails when it is asked again."""
    story = stage.set_up(name)
    limit = int(share * stage.world.raw[1].stat().st_size)
    ended = stage.program.run(*story.arguments, faults={"limit_bytes": limit})
    assert_one_line(ended, "the file is too large for this disk")
    assert stage.assert_never_wrong(story, {}) == ("earlier" if story.earlier else "")
    assert stage.world.out.exists() == bool(story.earlier)
    stage.run_again(story, {})


@pytest.mark.parametrize("number", [0, 1, 2, 5, 9, 14])
@pytest.mark.parametrize("name", ["first run", "over an earlier run"])
def test_a_source_that_cannot_be_read(stage: Stage, name: str, number: int) -> None:
    story = stage.set_up(name)
    ended = stage.program.run(*story.arguments, faults={"fail_read_at": number})
    assert_one_line(ended, "the disk reports a read or write error")
    assert stage.assert_never_wrong(story, {}) == ("earlier" if story.earlier else "")
    assert not hidden_names(stage.world.out)
    stage.run_again(story, {})


UNREADABLE = Path("/proc/self/mem")  # Linux answers a read of its beginning with an I/O error


@pytest.mark.skipif(not UNREADABLE.exists(), reason="needs a file whose reading fails")
@pytest.mark.parametrize("name", ["sorted/spike_times.npy", "sorted/spike_clusters.npy", "t1.meta", "bad.toml"])
def test_an_input_that_cannot_be_read(stage: Stage, name: str) -> None:
    story = stage.set_up("over an earlier run")
    stage.world.write_params("bad")
    path = stage.world.folder / name
    kept = path.with_name("kept")
    path.rename(kept)
    try:
        path.symlink_to(UNREADABLE)
        ended = stage.program.run("generate", stage.world.folder / "bad.toml", "--silent")
    finally:
        kept.replace(path)
        (stage.world.folder / "bad.toml").unlink()
    assert_one_line(ended, path.name)
    assert stage.assert_never_wrong(story, {}) == "earlier"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own in a folder."""
    place = tmp_path / "small disk"
    place.mkdir()
    mount = shutil.which("mount")
    command = [mount or "mount", "-t", "tmpfs", "-o", "size=700k,mode=777", "tmpfs", str(place)]
    if os.geteuid() != 0 or not mount or subprocess.run(command, check=False, capture_output=True).returncode != 0:
        pytest.skip("disks may not be mounted here")
    yield place
    subprocess.run([shutil.which("umount") or "umount", str(place)], check=True)


def test_a_disk_that_is_full(stage: Stage, small_disk: Path) -> None:
    """At every filling of the disk, the run ends well or in one line, and then leaves as much space as it found."""
    params = stage.world.write_params("small", output_directory=f"'{small_disk}/out'", copy="true")
    codes = set()
    try:
        for filled in range(0, 320, 40):
            (small_disk / "ballast").write_bytes(bytes(filled << 10))
            free = shutil.disk_usage(small_disk).free
            ended = stage.program.run("generate", params, "--silent", faults={"spare_bytes": 0})
            codes.add(ended.code)
            if ended.code:
                assert_one_line(ended, "disk")
                assert not (small_disk / "out").exists()
                assert shutil.disk_usage(small_disk).free == free
            else:
                assert set(visible_files(small_disk / "out")) > {"manifest.json", "firings_true.npy", "t1.GT.bin"}
                shutil.rmtree(small_disk / "out")
            stage.assert_inputs_are_untouched()
    finally:
        params.unlink()
    assert codes == {0, 2}


NOBODY = 65534


@pytest.mark.parametrize("kind", ["no permission", "read-only disk"])
def test_a_folder_that_may_not_be_written_to(stage: Stage, kind: str, tmp_path: Path) -> None:
    for name in STORIES:
        story = stage.set_up(name)
        out = stage.world.out
        if kind == "no permission":
            out.mkdir(exist_ok=True)
            out.chmod(0o555)
            try:
                # Root may write anywhere.
                ended = stage.program.run(*story.arguments, faults={"user": NOBODY} if os.geteuid() == 0 else {})
            finally:
                out.chmod(0o755)
        else:
            ended = stage.program.run(
                *story.arguments, faults={"fail_from": 0, "error": errno.errorcode[errno.EROFS]}
            )
        assert_one_line(ended, str(out))
        assert differences(visible_files(out), story.earlier) == []
        stage.run_again(story, {})

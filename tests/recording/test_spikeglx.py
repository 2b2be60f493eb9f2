"""SpikeGLX .meta files: fields, start times, probes, and the meta of a hybrid; real files where present."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from hybridfactory.errors import MissingFileError, OutputError, RecordingError
from hybridfactory.io.spikegl import get_start_times as documented_get_start_times
from hybridfactory.probes import neuropixels3a
from hybridfactory.recording.spikeglx import (
    get_start_times,
    meta_path_of,
    read_meta,
    read_probe_from_meta,
    write_hybrid_meta,
)

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
REAL_METAS = sorted((DATA / "spikeglx_meta").rglob("*.meta")) + sorted((DATA / "neuropixels2_0.5s").glob("*.meta"))
needs_data = pytest.mark.skipif(not REAL_METAS, reason="the shared data sets are not here")

PHASE_3A = {
    "fileName": "D:/runs/my run/a_g0_t0.imec.ap.bin",
    "fileSHA1": "ABCDEF",
    "fileSizeBytes": "800",
    "firstSample": "1000",
    "imProbeOpt": "3",
    "imSampRate": "30000.5",
    "nSavedChans": "5",
    "snsApLfSy": "4,0,1",
    "acqApLfSy": "4,4,1",
    "snsSaveChanSubset": "0:3,8",
    "typeThis": "imec",
    "userNotes": "",
    "~imroTbl": "(641251510,3,4)(0 0 0 500 250)(1 0 0 500 250)(2 1 0 500 250)(3 0 0 500 250)",
    "~snsShankMap": "(1,2,480)(0:0:0:1)(0:1:0:1)(0:0:1:1)(0:1:1:0)",
}


def write_meta(path, line_end="\n", **changes):
    fields = {**PHASE_3A, **changes}
    lines = [f"{key}={value}{line_end}" for key, value in fields.items() if value is not None]
    path.write_bytes("".join(lines).encode())
    return path


def real(name):
    found = [path for path in REAL_METAS if path.name == name]
    if not found:
        pytest.skip(f"{name} is not here")
    return found[0]


class TestReadMeta:
    @pytest.mark.parametrize("line_end", ["\n", "\r\n"])
    def test_fields(self, tmp_path, line_end):
        meta = read_meta(write_meta(tmp_path / "a.meta", line_end))
        assert meta.path == tmp_path / "a.meta"
        assert meta.num_rows == 5
        assert meta.sampling_frequency == 30000.5
        assert meta.first_sample == 1000
        assert meta.file_size_bytes == 800
        assert meta.saved_channels == (0, 1, 2, 3, 8)
        assert meta.num_ap_rows == 4
        assert meta.sync_rows == (4,)
        assert meta.fields["imroTbl"].startswith("(641251510,3,4)")
        assert meta.fields["userNotes"] == ""
        assert meta.fields["fileName"] == "D:/runs/my run/a_g0_t0.imec.ap.bin"

    def test_ni_rate_and_all_channels(self, tmp_path):
        changes = {
            "imSampRate": None,
            "niSampRate": "25000",
            "snsSaveChanSubset": "all",
            "snsApLfSy": None,
            "acqApLfSy": None,
            "typeThis": "nidq",
        }
        meta = read_meta(write_meta(tmp_path / "a.meta", **changes))
        assert meta.sampling_frequency == 25000
        assert meta.saved_channels == (0, 1, 2, 3, 4)
        assert meta.sync_rows == ()
        assert meta.num_ap_rows == 0

    def test_what_may_be_missing(self, tmp_path):
        changes = dict.fromkeys(("firstSample", "fileSizeBytes", "snsSaveChanSubset", "snsApLfSy", "acqApLfSy"))
        meta = read_meta(write_meta(tmp_path / "a.meta", **changes))
        assert meta.first_sample is None
        assert meta.file_size_bytes is None
        assert meta.sync_rows == ()
        assert read_meta(write_meta(tmp_path / "b.meta", firstSample="")).first_sample is None

    def test_bands_from_what_was_acquired(self, tmp_path):
        meta = read_meta(write_meta(tmp_path / "a.meta", snsApLfSy=None))
        assert meta.num_ap_rows == 4
        assert meta.sync_rows == (4,)

    def test_notes_in_any_encoding(self, tmp_path):
        path = write_meta(tmp_path / "a.meta")
        path.write_bytes(path.read_bytes() + b"userNotes=caf\xe9 = nice\n")
        assert read_meta(path).fields["userNotes"].endswith("= nice")

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"nSavedChans": None}, "nSavedChans is missing or 0"),
            ({"nSavedChans": "0"}, "nSavedChans is missing or 0"),
            ({"nSavedChans": "many"}, "nSavedChans must be a whole number, got 'many'"),
            ({"nSavedChans": "-5"}, "nSavedChans must be a whole number"),
            ({"nSavedChans": "6"}, "snsSaveChanSubset lists 5 channels, but nSavedChans is 6"),
            ({"imSampRate": None}, "imSampRate .* is missing"),
            ({"imSampRate": "fast"}, "imSampRate must be a sampling rate in Hz, got 'fast'"),
            ({"imSampRate": "nan"}, "imSampRate must be a sampling rate"),
            ({"imSampRate": "-1"}, "imSampRate must be a sampling rate"),
            ({"firstSample": "1.5"}, "firstSample must be a whole number, got '1.5'"),
            ({"fileSizeBytes": "big"}, "fileSizeBytes must be a whole number"),
            ({"snsSaveChanSubset": "0:x"}, "snsSaveChanSubset holds '0:x'"),
            ({"snsApLfSy": "4,1"}, r"snsApLfSy must be three counts"),
            ({"snsApLfSy": "4,1,1"}, "snsApLfSy counts 6 channels, but nSavedChans is 5"),
        ],
    )
    def test_garbled(self, tmp_path, changes, message):
        path = write_meta(tmp_path / "a.meta", **changes)
        with pytest.raises(RecordingError, match=message) as caught:
            read_meta(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_no_meta_at_all(self, tmp_path):
        with pytest.raises(MissingFileError, match=r"a\.meta does not exist"):
            read_meta(tmp_path / "a.meta")
        for content in (b"", b"\x00\xff\x13nothing"):
            (tmp_path / "a.meta").write_bytes(content)
            with pytest.raises(RecordingError, match="is no SpikeGLX meta file"):
                read_meta(tmp_path / "a.meta")

    def test_meta_path(self):
        assert meta_path_of("x/a_g0_t0.imec0.ap.bin") == Path("x/a_g0_t0.imec0.ap.meta")

    @needs_data
    @pytest.mark.parametrize("path", REAL_METAS, ids=lambda path: path.name)
    def test_real_files(self, path):
        meta = read_meta(path)
        assert len(meta.saved_channels) == meta.num_rows
        assert 2000 < meta.sampling_frequency < 31000
        if "imec" in meta.fields["typeThis"]:
            assert len(meta.sync_rows) == (4 if "NP2021" in meta.fields.get("imDatPrb_pn", "") else 1)
            assert meta.sync_rows[-1] == meta.num_rows - 1
        else:
            assert meta.sync_rows == ()
        if "incomplete" in path.name:
            assert meta.first_sample is None
        else:
            assert meta.first_sample > 0

    def test_a_real_recording(self):
        meta = read_meta(real("run-001_g0_t0.imec0.ap.meta"))
        assert (meta.num_rows, meta.sampling_frequency, meta.first_sample) == (385, 30000, 732562)
        assert meta.file_size_bytes == meta.path.with_suffix(".bin").stat().st_size


class TestStartTimes:
    def test_natural_order_and_relative(self, tmp_path):
        for number, first in ((0, 500), (2, 900), (10, 1700)):
            write_meta(tmp_path / f"r_t{number}.meta", firstSample=str(first))
        expected = [0, 400, 1200]
        times = get_start_times(str(tmp_path / "*.meta"))
        assert times.dtype == np.int64
        assert times.tolist() == expected
        assert get_start_times(tmp_path / "r_t*.meta").tolist() == expected
        assert get_start_times(tmp_path.glob("*.meta")).tolist() == expected
        assert get_start_times([str(path) for path in sorted(tmp_path.glob("*.meta"))]).tolist() == expected

    def test_one_file(self, tmp_path):
        path = write_meta(tmp_path / "a.meta", line_end="\r\n")
        assert get_start_times(path).tolist() == [0]
        assert get_start_times(str(path)).tolist() == [0]

    def test_needs_nothing_but_first_sample(self, tmp_path):
        (tmp_path / "a.meta").write_text("firstSample=77\n")
        assert get_start_times(tmp_path / "a.meta").tolist() == [0]

    def test_documented_name(self):
        assert documented_get_start_times is get_start_times

    def test_nothing_there(self, tmp_path):
        with pytest.raises(MissingFileError, match="does not exist"):
            get_start_times(tmp_path / "a.meta")
        with pytest.raises(MissingFileError, match="matches no file"):
            get_start_times(str(tmp_path / "*.meta"))
        with pytest.raises(MissingFileError, match="does not exist"):
            get_start_times([tmp_path / "a.meta"])
        with pytest.raises(MissingFileError, match=r"no \.meta file"):
            get_start_times([])

    def test_missing_field(self, tmp_path):
        path = write_meta(tmp_path / "a.meta", firstSample=None)
        with pytest.raises(RecordingError, match=r"a\.meta: firstSample is missing: give start_time by hand"):
            get_start_times(path)

    def test_names_against_time(self, tmp_path):
        write_meta(tmp_path / "t1.meta", firstSample="900")
        write_meta(tmp_path / "t2.meta", firstSample="500")
        with pytest.raises(RecordingError, match=r"t2\.meta .* began before t1\.meta"):
            get_start_times(tmp_path / "*.meta")


class TestProbeFromMeta:
    def test_phase_3a_banks_flags_and_sync(self, tmp_path):
        probe = read_probe_from_meta(write_meta(tmp_path / "a.meta"))
        assert probe.channel_map.tolist() == [0, 1, 2, 3, 4]
        assert probe.connected.tolist() == [True, True, True, False, False]
        # Channel 2 in bank 1 of a table of 4 channels is electrode 6.
        assert probe.channel_positions[:4].tolist() == [[43, 20], [11, 20], [59, 80], [27, 40]]
        assert np.isnan(probe.channel_positions[4]).all()
        assert probe.shank_ids is None

    def test_subset_of_saved_channels(self, tmp_path):
        path = write_meta(
            tmp_path / "a.meta",
            nSavedChans="3",
            snsSaveChanSubset="1,3,8",
            snsApLfSy="2,0,1",
            **{"~snsShankMap": "(1,2,480)(0:1:0:1)(0:1:1:1)"},
        )
        probe = read_probe_from_meta(path)
        assert probe.channel_map.tolist() == [0, 1, 2]
        assert probe.connected.tolist() == [True, True, False]
        assert probe.channel_positions[:2].tolist() == [[11, 20], [27, 40]]

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"snsApLfSy": "0,4,1"}, "describes no spike band"),
            ({"typeThis": "nidq"}, "describes no spike band"),
            ({"~imroTbl": None}, "imroTbl is missing or damaged: give the probe"),
            ({"~imroTbl": "(1,3,4)(0)(1)"}, "imroTbl is missing or damaged: give the probe"),
            ({"~imroTbl": "(1,3,4)(0 x)(1 y)"}, "imroTbl is damaged: give the probe"),
            ({"~imroTbl": "(1,3,4)(0 0 0)(1 0 0)"}, "imroTbl does not list channel 2"),
            ({"~snsShankMap": "(1,2,480)(0:0:0:1)"}, "snsShankMap describes 1 sites, but the file has 4"),
            ({"~snsShankMap": "(1,2,480)" + "(0:0:0:0)" * 4}, "connected is False for every channel"),
            ({"imProbeOpt": None}, "geometry of probe without part number is not known"),
            ({"imProbeOpt": None, "imDatPrb_pn": "NP99"}, "geometry of probe NP99 is not known"),
        ],
    )
    def test_refuses(self, tmp_path, changes, message):
        path = write_meta(tmp_path / "a.meta", **changes)
        with pytest.raises(RecordingError, match=message) as caught:
            read_probe_from_meta(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)

    @needs_data
    @pytest.mark.parametrize("path", REAL_METAS, ids=lambda path: path.name)
    def test_real_files(self, path):
        if ".lf." in path.name or ".nidq." in path.name:
            with pytest.raises(RecordingError, match=r"use the \.ap file, or give the probe"):
                read_probe_from_meta(path)
            return
        probe, meta = read_probe_from_meta(path), read_meta(path)
        assert probe.channel_map.tolist() == list(range(meta.num_rows))
        assert not probe.connected[list(meta.sync_rows)].any()
        assert np.isnan(probe.channel_positions[list(meta.sync_rows)]).all()
        assert np.isfinite(probe.channel_positions[: meta.num_ap_rows]).all()
        assert probe.to_probeinterface().get_contact_count() == probe.connected.sum()
        check_against_shank_map(probe, meta)

    def test_real_phase_3a_is_the_documented_probe(self):
        probe = read_probe_from_meta(real("sample3A_g0_t0.imec.ap.meta"))
        assert probe == neuropixels3a()

    def test_real_phase_3a_option_4(self):
        probe = read_probe_from_meta(real("sample3A_376_channels.ap.meta"))
        assert probe.num_channels == 277
        assert np.flatnonzero(~probe.connected).tolist() == [36, 75, 112, 151, 188, 227, 264, 276]

    def test_real_subset(self):
        probe = read_probe_from_meta(real("sample3B2_exported.imec0.ap.meta"))
        assert probe.num_channels == 302
        assert np.flatnonzero(~probe.connected).tolist() == [191, 301]

    def test_real_subset_with_four_sync_rows(self):
        probe = read_probe_from_meta(real("NP2QB_single_shank_meta___spikeglx_ephysData_g0_t0.imec0.ap.meta"))
        assert probe.num_channels == 388
        assert np.flatnonzero(~probe.connected).tolist() == [384, 385, 386, 387]
        assert probe.shank_ids is None

    def test_real_shanks(self):
        probe = read_probe_from_meta(real("run-001_g0_t0.imec0.ap.meta"))
        assert set(probe.connected_shanks.tolist()) == {"1", "2"}
        assert np.flatnonzero(~probe.connected).tolist() == [127, 384]
        # Shanks stand 250 µm apart, whatever SpikeGLX counts x from.
        left, right = (probe.connected_positions[probe.connected_shanks == shank, 0] for shank in "12")
        assert right.min() - left.min() == 250


def check_against_shank_map(probe, meta):
    """Compare with the file's own table of sites: which shank, how high, in use or not."""
    key = "snsShankMap" if "snsShankMap" in meta.fields else "snsGeomMap"
    table = meta.fields[key].strip("()").split(")(")[1:]
    shank, _, height, used = np.array([entry.split(":") for entry in table], dtype=float).T
    assert probe.connected[: meta.num_ap_rows].tolist() == (used == 1).tolist()
    if probe.shank_ids is not None:
        assert [int(name) for name in probe.shank_ids[: meta.num_ap_rows]] == shank.tolist()
    else:
        assert len(set(shank)) == 1
    y = probe.channel_positions[: meta.num_ap_rows, 1]
    if key == "snsShankMap":
        # A line of sites is 6 µm high on Ultra, 15 µm on 2.0, 20 µm elsewhere.
        pitches = {"NP1100": 6}
        is_2 = meta.fields.get("imDatPrb_type", "0") in {"21", "24"}
        height = height * pitches.get(meta.fields.get("imDatPrb_pn", ""), 15 if is_2 else 20)
    assert np.allclose(y - y[0], height - height[0])


class TestHybridMeta:
    @pytest.mark.parametrize("line_end", ["\n", "\r\n"])
    def test_only_two_fields_change(self, tmp_path, line_end):
        source = write_meta(tmp_path / "a.meta", line_end, userNotes="fileName=kept, x=y")
        target = tmp_path / "out" / "a.GT.meta"
        target.parent.mkdir()
        before = source.read_bytes()
        write_hybrid_meta(source, target, target.with_suffix(".bin"))
        folder = str(tmp_path / "out").encode()
        expected = before.replace(b"D:/runs/my run", folder).replace(b"fileSHA1=ABCDEF", b"fileSHA1=")
        assert target.read_bytes() == expected
        assert source.read_bytes() == before

    def test_no_line_end_at_the_end(self, tmp_path):
        (tmp_path / "a.meta").write_bytes(b"nSavedChans=1\nfileName=D:\\x\\a.bin")
        write_hybrid_meta(tmp_path / "a.meta", tmp_path / "b.meta", tmp_path / "b.bin")
        assert (tmp_path / "b.meta").read_bytes() == f"nSavedChans=1\nfileName={tmp_path}/a.bin".encode()

    def test_refuses_to_overwrite_the_source(self, tmp_path):
        source = write_meta(tmp_path / "a.meta")
        before = source.read_bytes()
        with pytest.raises(OutputError, match="must not be overwritten"):
            write_hybrid_meta(source, source, tmp_path / "a.bin")
        assert source.read_bytes() == before

    def test_missing_source_and_unwritable_target(self, tmp_path):
        with pytest.raises(MissingFileError, match="does not exist"):
            write_hybrid_meta(tmp_path / "a.meta", tmp_path / "b.meta", tmp_path / "b.bin")
        source = write_meta(tmp_path / "a.meta")
        with pytest.raises(OutputError, match="cannot be written"):
            write_hybrid_meta(source, tmp_path / "no" / "b.meta", tmp_path / "no" / "b.bin")

    @pytest.mark.parametrize("folder", ["out", "größe = 1"])
    def test_spikeinterface_opens_the_hybrid(self, tmp_path, folder):
        source = real("run-001_g0_t0.imec0.ap.meta")
        extractors = pytest.importorskip("spikeinterface.extractors")
        target = tmp_path / folder / "run-001_g0_t0.imec0.ap.GT.bin"
        target.parent.mkdir()
        shutil.copyfile(source.with_suffix(".bin"), target)
        write_hybrid_meta(source, meta_path_of(target), target)
        hybrid = extractors.read_spikeglx(target.parent, stream_id="imec0.ap")
        original = extractors.read_spikeglx(source.parent, stream_id="imec0.ap")
        assert hybrid.get_num_samples() == original.get_num_samples() == 15000
        assert np.array_equal(hybrid.get_channel_gains(), original.get_channel_gains())
        assert np.array_equal(hybrid.get_channel_locations(), original.get_channel_locations())
        assert np.array_equal(hybrid.get_traces(end_frame=100), original.get_traces(end_frame=100))

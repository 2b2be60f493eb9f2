"""The probe: what it accepts, what it refuses, presets, files, and the way to probeinterface and back."""

import subprocess
import sys

import numpy as np
import probeinterface
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hybridfactory.errors import MissingFileError, OutputError, ProbeError
from hybridfactory.probes import (
    Probe,
    custom_probe,
    eMouse,
    load_probe,
    neuropixels3a,
    read_probeinterface_json,
    save_probe,
)

POSITIONS = [[0.0, 0.0], [0.0, 20.0], [0.0, 40.0], [np.nan, np.nan]]


def small_probe(**changes):
    parts = {
        "channel_map": [2, 0, 1, 3],
        "connected": [True, True, True, False],
        "channel_positions": POSITIONS,
        **changes,
    }
    return custom_probe(**parts)


class TestConstruction:
    def test_lists_become_typed_read_only_arrays(self):
        probe = small_probe(name="Étoile", shank_ids=["a", "a", "b", ""])
        assert probe.channel_map.dtype == np.int64
        assert probe.connected.dtype == np.bool_
        assert probe.channel_positions.dtype == np.float64
        assert probe.channel_positions.shape == (4, 2)
        assert probe.shank_ids == ("a", "a", "b", "")
        for part in (probe.channel_map, probe.connected, probe.channel_positions):
            with pytest.raises(ValueError, match="read-only"):
                part[0] = 0

    def test_takes_copies(self):
        rows = np.array([0, 1])
        probe = custom_probe(rows, [1, 1], np.zeros((2, 2)))
        rows[0] = 7
        assert probe.channel_map.tolist() == [0, 1]
        rows.setflags(write=True)

    def test_derived_parts_follow_channel_order(self):
        probe = small_probe(connected=[True, False, True, False], shank_ids=["a", "b", "c", ""])
        assert probe.num_channels == 4
        assert probe.connected_rows.tolist() == [2, 1]
        assert probe.connected_rows.dtype == np.int64
        assert probe.connected_positions.tolist() == [[0, 0], [0, 40]]
        assert probe.connected_shanks.tolist() == ["a", "c"]
        assert small_probe().connected_shanks.tolist() == ["", "", ""]

    def test_defaults(self):
        probe = small_probe()
        assert probe.name == "Custom"
        assert probe.shank_ids is None

    @pytest.mark.parametrize("connected", [[1, 1, 1, 0], np.array([1, 1, 1, 0], dtype=np.uint8)])
    def test_connected_may_be_ones_and_zeros(self, connected):
        assert small_probe(connected=connected).connected.tolist() == [True, True, True, False]

    def test_matlab_vectors(self):
        probe = small_probe(channel_map=np.array([[2], [0], [1], [3]]), connected=np.array([[1, 1, 1, 0]]))
        assert probe == small_probe()

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"channel_map": []}, "channel_map is empty"),
            ({"channel_map": [0, 1, 1, 3]}, r"row\(s\) 1 more than once"),
            ({"channel_map": [0, 0, 1, 1]}, r"row\(s\) 0, 1 more than once"),
            ({"channel_map": [0, -1, 2, 3]}, "holds row -1"),
            ({"channel_map": [0, 1, 2, 2**40]}, "no raw file has that many rows"),
            ({"channel_map": [0, 1, 2, 2**70]}, "whole numbers"),
            ({"channel_map": [0.0, 1.0, 2.0, 3.0]}, "whole numbers"),
            ({"channel_map": ["a", "b", "c", "d"]}, "whole numbers"),
            ({"channel_map": [True, False, True, True]}, "whole numbers"),
            ({"channel_map": [[0, 1], [2, 3]]}, r"got shape \(2, 2\)"),
            ({"channel_map": 3}, r"got shape \(\)"),
            ({"channel_map": [[0], [1, 2]]}, "channel_map is not a regular array"),
            ({"connected": [True] * 3}, "connected has 3 entries, but channel_map has 4"),
            ({"connected": [False] * 4}, "connected is False for every channel"),
            ({"connected": [0, 1, 2, 0]}, "connected must hold True or False"),
            ({"connected": [1.0, 1.0, 1.0, 0.0]}, "connected must hold True or False"),
            ({"connected": ["yes"] * 4}, "connected must hold True or False"),
            ({"connected": [True] * 4}, r"NaN for connected row\(s\) 3:"),
            ({"channel_positions": POSITIONS[:3]}, "channel_positions has 3 entries"),
            ({"channel_positions": np.zeros((4, 3))}, r"shape \(4, 2\), got \(4, 3\)"),
            ({"channel_positions": np.zeros(8)}, r"shape \(4, 2\), got \(8,\)"),
            ({"channel_positions": [["a", "b"]] * 4}, "must hold numbers"),
            ({"channel_positions": [[0, 0], [0, 1], [0, np.inf], [0, 3]]}, "infinite"),
            ({"name": None}, "name must be text"),
            ({"shank_ids": ["a"]}, "shank_ids has 1 entries"),
            ({"shank_ids": "abcd"}, "shank_ids must be a list"),
            ({"shank_ids": [0, 1, 2, 3]}, "shank_ids must hold text"),
        ],
    )
    def test_refuses_in_one_line(self, changes, message):
        with pytest.raises(ProbeError, match=message) as caught:
            small_probe(**changes)
        assert "\n" not in str(caught.value)

    def test_a_reference_with_half_a_position_is_fine_but_a_site_is_not(self):
        positions = [[0, 0], [0, 1], [0, 2], [np.nan, 1]]
        assert small_probe(channel_positions=positions).num_channels == 4
        with pytest.raises(ProbeError, match="NaN for connected"):
            small_probe(channel_positions=positions[::-1])

    def test_long_lists_of_bad_rows_are_cut(self):
        with pytest.raises(ProbeError, match=r"0, 1, 2, 3, 4 and 95 more"):
            custom_probe(range(100), [True] * 100, np.full((100, 2), np.nan))

    def test_equality_and_hash(self):
        assert small_probe() == small_probe()
        assert hash(small_probe()) == hash(small_probe())
        assert small_probe() != small_probe(name="other")
        assert small_probe() != small_probe(channel_map=[0, 2, 1, 3])
        assert small_probe() != small_probe(connected=[1, 1, 0, 0])
        assert small_probe() != small_probe(channel_positions=np.arange(8).reshape(4, 2))
        assert small_probe() != small_probe(shank_ids=["a"] * 4)
        assert small_probe() != "a probe"


class TestPresets:
    def test_neuropixels3a(self):
        probe = neuropixels3a()
        assert probe.channel_map.tolist() == list(range(385))
        assert np.flatnonzero(~probe.connected).tolist() == [
            36, 75, 112, 151, 188, 227, 264, 303, 340, 379, 384,
        ]  # fmt: skip
        assert probe.channel_positions[:5].tolist() == [[43, 20], [11, 20], [59, 40], [27, 40], [43, 60]]
        assert probe.channel_positions[382:384].tolist() == [[59, 3840], [27, 3840]]
        assert np.isnan(probe.channel_positions[384]).all()
        assert probe.name == "Neuropixels Phase 3A"

    def test_neuropixels3a_without_sync(self):
        probe = neuropixels3a(sync_channel=False)
        assert probe.num_channels == 384
        assert probe.connected.sum() == 374
        assert np.array_equal(probe.channel_positions, neuropixels3a().channel_positions[:384])

    def test_emouse(self):
        probe = eMouse()
        assert probe.num_channels == 34
        assert probe.name == "eMouse"
        assert sorted(probe.channel_map.tolist()) == list(range(34))
        assert probe.channel_map[:6].tolist() == [32, 33, 7, 9, 11, 13]
        assert probe.channel_map[-8:].tolist() == [28, 30, 0, 1, 2, 3, 4, 5]
        assert probe.connected.tolist() == [False, False, *[True] * 32]
        assert np.isnan(probe.channel_positions[:2]).all()
        x, y = (probe.channel_positions[2:] / 20).T
        assert x.astype(int).tolist() == [
            1, 0, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0,
        ]  # fmt: skip
        assert y.astype(int).tolist() == [
            7, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13, 14, 14, 15, 15,
            16, 17, 17, 18, 18, 19, 19, 20, 20, 21, 21, 22, 22, 23, 23, 24,
        ]  # fmt: skip

    def test_2018_import_styles(self):
        import hybridfactory.probes
        from hybridfactory.probes.probe import Probe as FromModule

        assert FromModule is Probe
        assert hybridfactory.probes.neuropixels3a().num_channels == 385

    def test_import_is_light(self):
        code = "import sys, hybridfactory.probes; sys.exit('probeinterface' in sys.modules)"
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


class TestProbeFiles:
    def test_keys(self, tmp_path):
        save_probe(small_probe(name="n"), tmp_path / "p.npz")
        with np.load(tmp_path / "p.npz", allow_pickle=False) as archive:
            assert set(archive.files) == {"channel_map", "connected", "channel_positions", "name"}
            assert str(archive["name"]) == "n"

    def test_name_of_the_file_is_kept(self, tmp_path):
        save_probe(small_probe(), tmp_path / "probe")
        assert [path.name for path in tmp_path.iterdir()] == ["probe"]
        assert load_probe(tmp_path / "probe") == small_probe()

    @pytest.mark.parametrize("probe", [eMouse(), neuropixels3a(), small_probe(shank_ids=["a", "b", "", "c"])])
    def test_round_trip(self, probe, tmp_path):
        save_probe(probe, tmp_path / "p.npz")
        assert load_probe(tmp_path / "p.npz") == probe

    @given(
        positions=arrays(np.float64, (4, 2), elements=st.floats(allow_nan=False, allow_infinity=False, width=64)),
        name=st.text(st.characters(blacklist_characters="\0")),
    )
    def test_round_trip_is_exact(self, tmp_path_factory, positions, name):
        probe = custom_probe([4, 2, 0, 9], [1, 0, 1, 1], positions, name)
        path = tmp_path_factory.getbasetemp() / "exact.npz"
        save_probe(probe, path)
        loaded = load_probe(path)
        assert loaded == probe
        assert loaded.channel_positions.tobytes() == probe.channel_positions.tobytes()

    def test_missing(self, tmp_path):
        with pytest.raises(MissingFileError, match=r"nothing\.npz does not exist"):
            load_probe(tmp_path / "nothing.npz")

    def test_truncated(self, tmp_path):
        path = tmp_path / "p.npz"
        save_probe(small_probe(), path)
        path.write_bytes(path.read_bytes()[:200])
        with pytest.raises(ProbeError, match=r"p\.npz is not a probe file"):
            load_probe(path)

    def test_without_the_parts(self, tmp_path):
        np.savez(tmp_path / "p.npz", channel_map=[0])
        with pytest.raises(ProbeError, match="lacks channel_positions, connected"):
            load_probe(tmp_path / "p.npz")

    def test_never_unpickles(self, tmp_path):
        np.savez(tmp_path / "p.npz", channel_map=np.array([{}, None], dtype=object))
        with pytest.raises(ProbeError, match="is not a probe file"):
            load_probe(tmp_path / "p.npz")

    def test_wrong_parts_name_the_file(self, tmp_path):
        parts = {"channel_map": [0, 0], "connected": [1, 1], "channel_positions": [[0, 0], [0, 1]]}
        np.savez(tmp_path / "p.npz", **parts)
        with pytest.raises(ProbeError, match=r"p\.npz: channel_map names row"):
            load_probe(tmp_path / "p.npz")

    def test_unwritable(self, tmp_path):
        with pytest.raises(OutputError, match="cannot be written"):
            save_probe(small_probe(), tmp_path / "no folder" / "p.npz")


def pi_probe(positions, rows=None, shank_ids=None, **changes):
    probe = probeinterface.Probe(ndim=2, **{"si_units": "um", **changes})
    probe.set_contacts(positions=np.asarray(positions, dtype=float), shank_ids=shank_ids)
    if rows is not None:
        probe.set_device_channel_indices(rows)
    return probe


class TestProbeinterface:
    def test_to_probeinterface(self):
        probe = small_probe(name="n", shank_ids=["a", "b", "c", ""])
        given_away = probe.to_probeinterface()
        assert given_away.contact_positions.tolist() == [[0, 0], [0, 20], [0, 40]]
        assert given_away.device_channel_indices.tolist() == [2, 0, 1]
        assert given_away.contact_ids.tolist() == ["2", "0", "1"]
        assert given_away.shank_ids.tolist() == ["a", "b", "c"]
        assert given_away.si_units == "um"
        assert given_away.name == "n"

    def test_there_and_back(self):
        probe = small_probe(name="n", shank_ids=["a", "b", "a", ""])
        assert Probe.from_probeinterface(probe.to_probeinterface(), num_rows=4) == probe

    def test_two_sites_in_one_place_are_named(self):
        probe = custom_probe([0, 1], [1, 1], [[0, 0], [0, 0]], "twins")
        with pytest.raises(ProbeError, match="'twins' cannot be given to probeinterface") as caught:
            probe.to_probeinterface()
        assert "\n" not in str(caught.value)

    def test_rows_in_contact_order_then_the_others(self):
        probe = Probe.from_probeinterface(pi_probe([[0, 0], [0, 1], [0, 2]], [5, -1, 2]), num_rows=7)
        assert probe.channel_map.tolist() == [5, 2, 0, 1, 3, 4, 6]
        assert probe.connected.tolist() == [True, True, *[False] * 5]
        assert probe.channel_positions[:2].tolist() == [[0, 0], [0, 2]]
        assert np.isnan(probe.channel_positions[2:]).all()
        assert probe.shank_ids is None

    def test_without_num_rows_the_highest_row_ends_the_list(self):
        probe = Probe.from_probeinterface(pi_probe([[0, 0], [0, 1]], [3, 1]))
        assert probe.channel_map.tolist() == [3, 1, 0, 2]

    def test_units_of_length(self):
        probe = Probe.from_probeinterface(pi_probe([[0, 0], [0, 0.5]], [0, 1], si_units="mm"))
        assert probe.channel_positions.tolist() == [[0, 0], [0, 500]]

    def test_shanks(self):
        probe = Probe.from_probeinterface(pi_probe([[0, 0], [9, 0]], [0, 1], shank_ids=["left", "right"]), num_rows=3)
        assert probe.shank_ids == ("left", "right", "")

    def test_group_keeps_probes_apart(self):
        group = probeinterface.ProbeGroup()
        for x, rows in ((0, [3, 2]), (1000, [0, 1])):
            group.add_probe(pi_probe([[x, 0], [x, 20]], rows, shank_ids=["0", "0"]))
        probe = Probe.from_probeinterface(group)
        assert probe.channel_map.tolist() == [3, 2, 0, 1]
        assert probe.connected.all()
        assert probe.shank_ids == ("0:0", "0:0", "1:0", "1:0")
        assert probe.channel_positions[:, 0].tolist() == [0, 0, 1000, 1000]

    def test_group_of_one_is_its_probe(self):
        group = probeinterface.ProbeGroup()
        group.add_probe(pi_probe([[0, 0], [0, 20]], [1, 0]))
        assert Probe.from_probeinterface(group).shank_ids is None

    @pytest.mark.parametrize(
        ("probe", "num_rows", "message"),
        [
            (lambda: pi_probe([[0, 0], [0, 1]]), None, "no contact .* device_channel_indices"),
            (lambda: pi_probe([[0, 0], [0, 1]], [-1, -1]), None, "no contact"),
            (lambda: pi_probe([[0, 0], [0, 1]], [0, 9]), 9, "names row 9, but the raw file has 9 rows"),
            (lambda: pi_probe([[0, 0], [0, 1]], [0, 1]).to_3d(), None, "three-dimensional.*to_2d"),
            (probeinterface.ProbeGroup, None, "holds no probe"),
        ],
    )
    def test_refuses(self, probe, num_rows, message):
        with pytest.raises(ProbeError, match=message):
            Probe.from_probeinterface(probe(), num_rows)

    def test_json(self, tmp_path):
        path = tmp_path / "probe.json"
        probeinterface.write_probeinterface(path, pi_probe([[0, 0], [0, 1]], [1, 0], name="from json"))
        probe = read_probeinterface_json(path)
        assert probe.channel_map.tolist() == [1, 0]
        assert probe.name == "from json"
        assert read_probeinterface_json(path, num_rows=3).channel_map.tolist() == [1, 0, 2]

    def test_bad_json(self, tmp_path):
        with pytest.raises(MissingFileError, match="does not exist"):
            read_probeinterface_json(tmp_path / "none.json")
        for text in ("{", "{}", '{"specification": "probeinterface"}', "[]"):
            (tmp_path / "bad.json").write_text(text)
            with pytest.raises(ProbeError, match=r"bad\.json is not a probeinterface JSON file"):
                read_probeinterface_json(tmp_path / "bad.json")
        probeinterface.write_probeinterface(tmp_path / "unwired.json", pi_probe([[0, 0], [0, 1]]))
        with pytest.raises(ProbeError, match=r"unwired\.json: no contact"):
            read_probeinterface_json(tmp_path / "unwired.json")

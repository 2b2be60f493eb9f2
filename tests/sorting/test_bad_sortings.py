"""Damaged, hostile and contradictory input: one clear line each, and nothing is allocated for it."""

import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from layouts import jrclust3, jrclust4, phy_kilosort1, phy_kilosort4, rez_kilosort1, rez_kilosort2
from matlab_files import write_v7, write_v73

from hybridfactory.errors import MissingFileError, ParameterError, SortingError
from hybridfactory.sorting import detect_format, read_sorting

WRITERS = {"v7.3": write_v73, "v7": write_v7}


def refuses(folder: Path, pattern: str, error: type[Exception] = SortingError, **options: Any) -> None:
    with pytest.raises(error) as caught:
        read_sorting(folder, **options)
    message = str(caught.value)
    assert re.search(pattern, message), message
    assert "\n" not in message
    assert str(folder) in message
    assert type(caught.value) is error


@pytest.fixture
def phy(tmp_path: Path) -> Path:
    phy_kilosort4(tmp_path)
    return tmp_path


class TestFolder:
    def test_missing(self, tmp_path: Path) -> None:
        refuses(tmp_path / "nowhere", "no such folder", MissingFileError)

    def test_empty(self, tmp_path: Path) -> None:
        refuses(tmp_path, r"holds no sorter output .*rez\.mat", MissingFileError)

    def test_file_instead(self, tmp_path: Path) -> None:
        (tmp_path / "rez.mat").touch()
        refuses(tmp_path / "rez.mat", "is a file")

    @pytest.mark.parametrize("kind", ["phy", "kilosort", "jrc"])
    def test_named_format_is_not_there(self, tmp_path: Path, kind: str) -> None:
        refuses(tmp_path, "holds no sorter output", MissingFileError, output_type=kind)

    def test_unknown_format(self, tmp_path: Path) -> None:
        with pytest.raises(ParameterError, match="output_type is 'klusta'; use one of phy, kilosort, jrc"):
            read_sorting(tmp_path, output_type="klusta")

    def test_unknown_label_base(self, phy: Path) -> None:
        with pytest.raises(ParameterError, match="label_base is 2"):
            read_sorting(phy, label_base=2)

    def test_unreadable(self, phy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def deny(*_: object, **__: object) -> None:
            raise PermissionError(13, "Permission denied", str(phy / "spike_times.npy"))

        monkeypatch.setattr(Path, "is_dir", deny)
        refuses(phy, r"spike_times\.npy: may not be read")

    def test_two_results(self, tmp_path: Path) -> None:
        for name in ("a_res.mat", "b_res.mat"):
            write_v73(tmp_path / name, jrclust4())
        refuses(tmp_path, r"several JRCLUST results \(a_res\.mat, b_res\.mat\)")

    def test_kilosort_beside_jrclust(self, tmp_path: Path) -> None:
        write_v73(tmp_path / "rez.mat", rez_kilosort2())
        write_v73(tmp_path / "a_res.mat", jrclust4())
        refuses(tmp_path, r"both rez\.mat and a_res\.mat; set output_type")
        assert read_sorting(tmp_path, output_type="jrc").source_format == "jrc"


class TestNpy:
    @pytest.mark.parametrize("missing", [("spike_times.npy",), ("spike_clusters.npy", "spike_templates.npy")])
    def test_missing_file_is_named(self, phy: Path, missing: tuple[str, ...]) -> None:
        for name in missing:
            (phy / name).unlink()
        refuses(phy, re.escape(missing[0]), MissingFileError)

    @pytest.mark.parametrize("name", ["spike_times.npy", "spike_clusters.npy", "templates.npy", "channel_map.npy"])
    @pytest.mark.parametrize("keep", [0, 5, 60, 200])
    def test_truncated(self, phy: Path, name: str, keep: int) -> None:
        whole = (phy / name).read_bytes()
        (phy / name).write_bytes(whole[: min(keep, len(whole) - 1)])
        refuses(phy, f"{name}: (not a readable npy file|is cut short)")

    def test_claims_more_than_the_file_holds(self, phy: Path) -> None:
        with (phy / "spike_times.npy").open("wb") as file:
            header = {"descr": "<i8", "fortran_order": False, "shape": (2**60,)}
            np.lib.format.write_array_header_1_0(file, header)
        refuses(phy, "promises 9223372036854775808 bytes")

    @pytest.mark.parametrize("shape", [(-1,), (-4, -4)])
    def test_negative_shape(self, phy: Path, shape: tuple[int, ...]) -> None:
        with (phy / "spike_times.npy").open("wb") as file:
            np.lib.format.write_array_header_1_0(file, {"descr": "<i8", "fortran_order": False, "shape": shape})
        refuses(phy, "is cut short")

    def test_python_objects_are_never_loaded(self, phy: Path) -> None:
        np.save(phy / "spike_clusters.npy", np.array([{"a": 1}] * 3), allow_pickle=True)
        refuses(phy, "object values, not numbers")

    def test_pickle_in_place_of_npy(self, phy: Path) -> None:
        (phy / "spike_times.npy").write_bytes(pickle.dumps([1, 2, 3]))
        refuses(phy, "not a readable npy file")

    def test_text(self, phy: Path) -> None:
        np.save(phy / "spike_clusters.npy", np.array(["a", "b"]))
        refuses(phy, "<U1 values, not numbers")

    def test_no_spikes(self, phy: Path) -> None:
        np.save(phy / "spike_times.npy", np.empty((0, 1), np.int64))
        refuses(phy, "holds no spikes")

    @pytest.mark.parametrize(
        ("name", "change", "pattern"),
        [
            ("spike_times.npy", lambda a: a[:-1], "239 spike times but 240 spike labels"),
            ("spike_templates.npy", lambda a: a[:-1], "240 spike times but 239 spike templates"),
            ("spike_times.npy", lambda a: np.where(a == a[5], np.nan, a), "holds nan at position 5"),
            ("spike_times.npy", lambda a: a + 0.5, "is not a whole number"),
            ("spike_times.npy", lambda a: a * 1e300, "is not a whole number"),
            ("spike_times.npy", lambda a: a - a[0] - 3, "at sample -3"),
            ("spike_times.npy", lambda a: a.astype(np.uint64) + np.uint64(2**63), "beyond 64 bits"),
            ("spike_times.npy", lambda a: a.reshape(2, -1), r"shape \(2, 120\), not one column"),
            ("spike_clusters.npy", lambda a: a + 0.25, r"spike_clusters holds \d+\.25"),
            ("spike_clusters.npy", lambda a: a * 0 - 1, "no spike belongs to a unit"),
            ("templates.npy", lambda a: a[0], "has 2 axes, not 3"),
            ("templates_ind.npy", lambda a: a[:3], "export it again"),
            ("channel_map.npy", lambda a: a - 1, "negative row -1"),
        ],
    )
    def test_wrong_numbers(
        self, phy: Path, name: str, change: Callable[[np.ndarray], np.ndarray], pattern: str
    ) -> None:
        np.save(phy / name, change(np.load(phy / name)))
        refuses(phy, pattern)

    def test_whole_floats_and_disorder_are_fine(self, phy: Path) -> None:
        expected = read_sorting(phy)
        for name in ("spike_times.npy", "spike_clusters.npy", "spike_templates.npy"):
            np.save(phy / name, np.load(phy / name)[::-1].astype(float))
        found = read_sorting(phy)
        np.testing.assert_array_equal(found.spike_times, expected.spike_times)
        np.testing.assert_array_equal(found.spike_labels, expected.spike_labels)

    def test_header_of_python_2_does_not_warn(self, phy: Path) -> None:
        whole = (phy / "spike_times.npy").read_bytes()
        (phy / "spike_times.npy").write_bytes(whole.replace(b"(240,), ", b"(240L,),", 1))
        assert read_sorting(phy).spike_times.size == 240


class TestPhyParams:
    @pytest.mark.parametrize(
        "text",
        [
            "dat_path = 'unfinished",
            "sample_rate = (" * 500,
            "\x00",
            "import os\nos.remove('x')\nsample_rate = os.getpid()",
            "sample_rate = -1\nn_channels_dat = 3.5",
            "sample_rate = True",
            "sample_rate = 1e999",
        ],
    )
    def test_nonsense_states_nothing(self, phy: Path, text: str) -> None:
        (phy / "params.py").write_text(text)
        sorting = read_sorting(phy)
        assert sorting.sampling_frequency is None
        assert sorting.num_rows is None

    def test_unreadable_params_warn(self, phy: Path) -> None:
        (phy / "params.py").write_text("dat_path = 'unfinished")
        assert ["params.py" in warning for warning in read_sorting(phy).warnings] == [True]

    def test_missing_params(self, phy: Path) -> None:
        (phy / "params.py").unlink()
        assert read_sorting(phy).sampling_frequency is None

    def test_params_are_not_executed(self, phy: Path) -> None:
        (phy / "params.py").write_text(f"open({str(phy / 'trace')!r}, 'w')\nsample_rate = 20000")
        assert read_sorting(phy).sampling_frequency == 20000
        assert not (phy / "trace").exists()


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
class TestMat:
    @pytest.mark.parametrize("share", [0.0, 0.001, 0.02, 0.3, 0.7, 0.99])
    @pytest.mark.parametrize("name", ["rez.mat", "a_jrc.mat"])
    def test_truncated(self, tmp_path: Path, write: Callable[..., None], share: float, name: str) -> None:
        write(tmp_path / name, rez_kilosort1() if name == "rez.mat" else jrclust3())
        whole = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(whole[: int(share * len(whole))])
        refuses(tmp_path, name)

    @pytest.mark.parametrize(
        ("contents", "pattern"),
        [
            ({"saveDat": {"rez": {"ops": {"fs": 1.0}}}}, r"holds no rez \(it holds saveDat\)"),
            ({"rez": {"ops": {"fs": 25000.0}}}, r"holds no rez\.st3; it was saved before"),
            ({"rez": {"ops": {"fs": 25000.0}, "st3": np.empty((0, 5))}}, "the sorting holds no spikes"),
            ({"rez": {"st3": np.ones((7, 1)), "good": 1.0}}, r"shape \(7, 1\), not spikes x columns"),
            ({"rez": {"st3": "text"}}, r"holds no rez\.st3"),
            ({"rez": {"st3": np.full((7, 4), np.nan), "good": 1.0}}, "holds nan at position 0"),
            ({"rez": {"st3": np.full((7, 4), 0.5), "good": 1.0}}, "is not a whole number"),
            ({"rez": {"st3": np.full((7, 4), -5.0), "good": 1.0}}, "at sample -5"),
            ({"rez": {"st3": np.zeros((7, 5)), "connected": 1.0}}, "at sample -1"),
            ({"rez": 3.0}, "holds no rez"),
        ],
    )
    def test_rez(self, tmp_path: Path, write: Callable[..., None], contents: Any, pattern: str) -> None:
        write(tmp_path / "rez.mat", contents)
        refuses(tmp_path, pattern)

    @pytest.mark.parametrize(
        ("name", "missing", "pattern"),
        [
            ("a_jrc.mat", "viTime_spk", "holds no viTime_spk"),
            ("a_jrc.mat", "S_clu", r"holds no S_clu\.viClu; .* not sorted"),
            ("a_res.mat", "spikeTimes", "holds no spikeTimes"),
            ("a_res.mat", "spikeClusters", "holds no spikeClusters; .* not sorted"),
        ],
    )
    def test_jrclust_lacks(
        self, tmp_path: Path, write: Callable[..., None], name: str, missing: str, pattern: str
    ) -> None:
        contents = jrclust3() if name == "a_jrc.mat" else jrclust4()
        del contents[missing]
        write(tmp_path / name, contents)
        refuses(tmp_path, pattern)

    def test_jrclust_all_noise(self, tmp_path: Path, write: Callable[..., None]) -> None:
        contents = jrclust4()
        contents["spikeClusters"] = np.minimum(contents["spikeClusters"], 0)
        write(tmp_path / "a_res.mat", contents)
        refuses(tmp_path, "no spike belongs to a unit")

    def test_jrclust_lengths(self, tmp_path: Path, write: Callable[..., None]) -> None:
        contents = jrclust4()
        contents["spikeSites"] = contents["spikeSites"][:-4]
        write(tmp_path / "a_res.mat", contents)
        refuses(tmp_path, "240 spike times but 236 spike sites")

    def test_factors_that_do_not_fit_only_warn(self, tmp_path: Path, write: Callable[..., None]) -> None:
        contents = rez_kilosort2()
        contents["rez"]["U"] = contents["rez"]["U"][:-1]
        write(tmp_path / "rez.mat", contents)
        sorting = read_sorting(tmp_path)
        assert not sorting.unit_main_rows
        assert ["main channels not read" in warning for warning in sorting.warnings] == [True]


class TestHdf5:
    @pytest.fixture
    def rez(self, tmp_path: Path) -> Path:
        write_v73(tmp_path / "rez.mat", rez_kilosort2())
        with h5py.File(tmp_path / "rez.mat", "r+") as file:
            del file["rez/st3"]
        return tmp_path

    def test_external_link(self, rez: Path) -> None:
        write_v73(rez / "other.mat", rez_kilosort2())
        with h5py.File(rez / "rez.mat", "r+") as file:
            file["rez/st3"] = h5py.ExternalLink("other.mat", "/rez/st3")
        refuses(rez, r"rez\.st3 is a link to somewhere else")

    def test_soft_link(self, rez: Path) -> None:
        with h5py.File(rez / "rez.mat", "r+") as file:
            file["rez/st3"] = h5py.SoftLink("/rez/U")
        refuses(rez, r"rez\.st3 is a link to somewhere else")

    def test_linked_struct(self, tmp_path: Path) -> None:
        write_v73(tmp_path / "other.mat", rez_kilosort2())
        with h5py.File(tmp_path / "rez.mat", "w") as file:
            file["rez"] = h5py.ExternalLink("other.mat", "/rez")
        refuses(tmp_path, "is a link to somewhere else")

    def test_external_storage(self, rez: Path) -> None:
        (rez / "secret").write_bytes(bytes(800))
        with h5py.File(rez / "rez.mat", "r+") as file:
            file.create_dataset("rez/st3", (5, 20), float, external=[(str(rez / "secret"), 0, 800)])
        refuses(rez, "keeps its values in another file")

    def test_virtual(self, rez: Path) -> None:
        layout = h5py.VirtualLayout((5, 20), float)
        layout[:] = h5py.VirtualSource(str(rez / "rez.mat"), "rez/U", (5, 20))
        with h5py.File(rez / "rez.mat", "r+") as file:
            file.create_virtual_dataset("rez/st3", layout)
        refuses(rez, "keeps its values in another file")

    @pytest.mark.parametrize("packing", [{}, {"chunks": (5, 1000), "compression": "gzip"}])
    def test_absurd_claim(self, rez: Path, packing: dict[str, Any]) -> None:
        with h5py.File(rez / "rez.mat", "r+") as file:
            file.create_dataset("rez/st3", (5, 2**50 // 40), float, **packing)
        refuses(rez, "claims 1125899906842600 bytes, but the file stores 0")

    def test_plain_hdf5(self, tmp_path: Path) -> None:
        with h5py.File(tmp_path / "a_res.mat", "w") as file:
            file["spikeTimes"] = np.array([b"text"])
        refuses(tmp_path, "holds no spikeTimes")


def test_v7_absurd_claim(tmp_path: Path) -> None:
    write_v7(tmp_path / "a_res.mat", {"x": 1.0})
    # One uncompressed element: a double array that claims 2^30 x 2^30.
    flags = np.array([6, 8, 6, 0], "<u4").tobytes()
    size = np.array([5, 8, 2**30, 2**30], "<i4").tobytes()
    name = np.array([1, 10], "<i4").tobytes() + b"spikeTimes".ljust(16, b"\x00")
    values = np.array([9, 8], "<i4").tobytes() + bytes(8)
    body = flags + size + name + values
    heading = (tmp_path / "a_res.mat").read_bytes()[:128]
    (tmp_path / "a_res.mat").write_bytes(heading + np.array([14, len(body)], "<i4").tobytes() + body)
    refuses(tmp_path, "spikeTimes claims the shape")


class TestChoice:
    def test_phy_wins_over_rez(self, phy: Path) -> None:
        write_v73(phy / "rez.mat", rez_kilosort2())
        assert detect_format(phy) == "phy"
        assert ["may be curated" in warning for warning in read_sorting(phy).warnings] == [True]

    def test_incomplete_phy_does_not(self, phy: Path) -> None:
        write_v73(phy / "rez.mat", rez_kilosort2())
        (phy / "spike_times.npy").unlink()
        assert detect_format(phy) == "kilosort"

    def test_rez2_wins_over_rez(self, tmp_path: Path) -> None:
        write_v73(tmp_path / "rez.mat", {"rez": {"ops": {"fs": 1.0}}})
        write_v73(tmp_path / "rez2.mat", rez_kilosort2())
        assert ["read instead of rez.mat" in w for w in read_sorting(tmp_path).warnings] == [True]

    def test_jrclust_wins_over_its_own_phy_export(self, phy: Path) -> None:
        np.save(phy / "spike_sites.npy", np.zeros(240, np.int32))
        write_v73(phy / "a_res.mat", jrclust4())
        assert detect_format(phy) == "jrc"

    def test_jrclust_4_wins_over_the_session_it_imported(self, tmp_path: Path) -> None:
        write_v73(tmp_path / "a_jrc.mat", jrclust3())
        write_v73(tmp_path / "a_res.mat", jrclust4())
        (tmp_path / "._a_res.mat").touch()
        assert any("read instead of a_jrc.mat" in warning for warning in read_sorting(tmp_path).warnings)

    def test_first_spike_at_sample_0_is_not_one_based(self, tmp_path: Path) -> None:
        phy_kilosort1(tmp_path)
        times = np.load(tmp_path / "spike_times.npy")
        np.save(tmp_path / "spike_times.npy", np.asfortranarray(times))
        whole = bytearray((tmp_path / "spike_times.npy").read_bytes().replace(b"False", b"True ", 1))
        whole[128:136] = bytes(8)
        (tmp_path / "spike_times.npy").write_bytes(whole)
        sorting = read_sorting(tmp_path)
        assert sorting.spike_times[0] == 0
        assert any("spike at sample 0" in warning for warning in sorting.warnings)

    def test_unrecognized_matlab_export_stays_and_warns(self, tmp_path: Path) -> None:
        phy_kilosort1(tmp_path)
        (tmp_path / "templates.npy").unlink()
        sorting = read_sorting(tmp_path)
        assert sorting.spike_times[0] == np.load(tmp_path / "spike_times.npy").min()
        assert ["one sample late" in warning for warning in sorting.warnings] == [True]

    @pytest.mark.parametrize("columns", [3, 4])
    def test_rez_without_telling_fields(self, tmp_path: Path, columns: int) -> None:
        contents = rez_kilosort1()
        table = contents["rez"]["st3"][:, :columns]
        write_v7(tmp_path / "rez.mat", {"rez": {"st3": table, "ops": {"fs": 25000.0}}})
        sorting = read_sorting(tmp_path)
        # Column 4 holds whole batch numbers: Kilosort 1. Without it nobody can tell.
        assert table[:, 0].min() - sorting.spike_times[0] == (1 if columns == 4 else 0)
        assert len(sorting.warnings) == (0 if columns == 4 else 1)

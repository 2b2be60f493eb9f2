"""Inputs that once ended in a traceback, a crash, a hang, far too much memory, or a wrong result in silence."""

import io
import json
from typing import Any

import numpy as np
import pytest
from fuzz_seeds import META_3A, PRM, TOML
from fuzz_targets import Target


def npy(header: str, numbers: bytes = b"") -> bytes:
    text = header.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + numbers


def saved(array: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def manifest(target: Target, changes: dict[str, Any]) -> bytes:
    content = json.loads(target.seeds[0])
    for name, value in changes.items():
        content[name] = content.get(name, {}) | value if isinstance(value, dict) else value
    return json.dumps(content).encode()


HEADERS = {
    "a bracket without end": "{'descr': '<i8', 'fortran_order': False, 'shape': (3, (5}",
    "a text without end": "{'descr': '<i8, 'fortran_order': False, 'shape': (3, 5)}",
    "no dictionary": "1",
    "brackets in brackets": "[" * 60_000,
    "more digits than Python reads": f"{{'descr': '<i8', 'fortran_order': False, 'shape': (3, {'9' * 5000})}}",
    "a shape beyond all numbers": f"{{'descr': '<i8', 'fortran_order': False, 'shape': (3, {'9' * 50})}}",
    "a shape of -1": "{'descr': '<i8', 'fortran_order': False, 'shape': (3, -1)}",
    "no numbers in 2⁶⁰ columns": f"{{'descr': '<i8', 'fortran_order': False, 'shape': (0, {2**60}, {2**60})}}",
    "no numbers in 2³¹ rows": f"{{'descr': '<i8', 'fortran_order': False, 'shape': ({2**31}, 0, 5)}}",
    "Python objects": "{'descr': '|O', 'fortran_order': False, 'shape': (3, 1)}",
    "a type of no size": "{'descr': '<U0', 'fortran_order': False, 'shape': (3, 1000000000)}",
}


@pytest.mark.parametrize("name", ["npy firings_true", "npy spike_times", "npy channel_map", "npy templates"])
@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
def test_npy_headers(targets: dict[str, Target], name: str, header: str) -> None:
    assert targets[name].check(npy(header, bytes(80))) is not None


@pytest.mark.parametrize("number", [2**40, 2**62])
def test_firings_on_a_row_beyond_all_rows(targets: dict[str, Target], number: int) -> None:
    """Counting by row took as much memory as the row's number."""
    targets["npy firings_true"].check(saved(np.full((3, 4), number)))


@pytest.mark.parametrize("entry", ["0 1e300", f"{'9' * 400} 0", "nan 0", "1e9999 0", f"{2**40} {2**40}"])
def test_sites_beyond_all_sites(targets: dict[str, Target], entry: str) -> None:
    assert targets["meta"].check(META_3A.replace("(0 0 0 500 250 1)", f"({entry} 0 500 250 1)").encode()) is not None


@pytest.mark.parametrize(
    "change",
    [
        ("nSavedChans=7", "nSavedChans=999999999999999999"),
        ("nSavedChans=7\nsnsApLfSy=6,0,1\nsnsSaveChanSubset=0:5,6", "nSavedChans=1000000000"),
        ("snsSaveChanSubset=0:5,6", f"snsSaveChanSubset={','.join(['0:999999'] * 500)}"),
        ("snsApLfSy=6,0,1", f"snsApLfSy={'9' * 5000},0,1"),
    ],
)
def test_channels_beyond_all_channels(targets: dict[str, Target], change: tuple[str, str]) -> None:
    """As many numbers were listed as the file named, tens of GB."""
    assert targets["meta"].check(META_3A.replace(*change).encode()) is not None


@pytest.mark.parametrize("unit", ["=", "", "km", "\x1b[2J"])
def test_a_probe_in_a_unit_of_its_own(targets: dict[str, Target], unit: str) -> None:
    target = targets["probe json"]
    content = json.loads(target.seeds[0])
    content["probes"][0]["si_units"] = unit
    message = target.check(json.dumps(content).encode())
    assert message is not None
    assert "si_units" in message


def test_a_value_of_thousands_of_digits_is_shown_short(targets: dict[str, Target]) -> None:
    message = targets["meta"].check(META_3A.replace("30000.23", "9" * 5000).encode())
    assert message is not None
    assert len(message) < 400


def test_toml_beyond_what_python_reads(targets: dict[str, Target]) -> None:
    assert targets["toml"].check(TOML.replace("random_seed = 5", f"random_seed = {'9' * 5000}").encode()) is not None
    assert targets["toml"].check(f"a = {'[' * 100_000}".encode()) is not None


@pytest.mark.parametrize("name", ["raw_source_file", "data_directory", "output_directory"])
def test_paths_longer_than_any(targets: dict[str, Target], name: str) -> None:
    old = {"raw_source_file": "raw*.bin", "data_directory": "sorted", "output_directory": "out"}[name]
    targets["toml"].check(TOML.replace(f'"{old}"', f'"{"a" * 5000}*"').encode())
    probe = TOML.split("[probe]", maxsplit=1)[0] + f'probe = "{"a" * 5000}.json"\n'
    assert targets["toml"].check(probe.encode()) is not None


@pytest.mark.parametrize("sites", ["9" * 5000, f"1:{'9' * 5000}", "1:999999999", "1:0:5", "3:-1:1"])
def test_sites_of_a_prm(targets: dict[str, Target], sites: str) -> None:
    start = PRM.index("siteMap = [")
    text = PRM[:start] + f"siteMap = [{sites}" + PRM[PRM.index("]", start) :]
    targets["prm"].check(text.encode())


@pytest.mark.parametrize(
    "changes",
    [
        {"parameters": {"data_directory": "a" * 5000}},
        {"parameters": {"data_directory": "a\0b"}},
        {"parameters": {"samples_before": 2**31}},
        {"parameters": {"label_base": "1"}},
        {"recording": {"dtype": "<i1.5"}},
        {"recording": {"dtype": "O"}},
        {"recording": {"num_rows": 2**31}},
        {"recording": {"sampling_frequency": float("nan")}},
        pytest.param({"recording": {"sampling_frequency": 10**400}}, id="a rate of 400 digits"),
        {"sources": [1]},
        {"targets": [{"size": 1}]},
        {"files": [".."]},
        {"session_name": "../../elsewhere"},
        {"units": [None]},
        {"realism": {"units": [1]}},
        pytest.param({"realism": {"is_thorough": False, "units": [{"auc": 10**400}]}}, id="a score of 400 digits"),
    ],
    ids=str,
)
def test_manifests(targets: dict[str, Target], changes: dict[str, Any]) -> None:
    target = targets["run manifest.json"]
    message = target.check(manifest(target, changes))
    # What only the original sorting's place would tell costs no more than that.
    assert message is not None or "data_directory" in str(changes)


@pytest.mark.parametrize(
    ("place", "name", "value"),
    [("targets", "name", "a" * 256), ("sources", "path", "/a" * 2100)],
    ids=["name", "path"],
)
def test_manifests_with_names_too_long_for_a_file(
    targets: dict[str, Target], place: str, name: str, value: str
) -> None:
    target = targets["run manifest.json"]
    content = json.loads(target.seeds[0])
    content[place][0][name] = value
    message = target.check(json.dumps(content).encode())
    assert message is not None and f"has no valid {place}" in message


@pytest.mark.parametrize("missing", ["parameters", "units", "recording", "sources", "targets", "files"])
def test_manifests_that_lack_something(targets: dict[str, Target], missing: str) -> None:
    target = targets["run manifest.json"]
    content = json.loads(target.seeds[0])
    del content[missing]
    message = target.check(json.dumps(content).encode())
    assert message is not None
    assert missing in message


def test_events_out_of_order(targets: dict[str, Target]) -> None:
    """They were matched as if they were in order."""
    target = targets["run artificial_units-e2e.csv"]
    heading, *rows = target.seeds[0].decode().splitlines()
    message = target.check("\n".join([heading, *rows[::-1]]).encode())
    assert message is not None
    assert "order of time" in message


def test_an_event_of_another_unit(targets: dict[str, Target]) -> None:
    """The tables contradict each other, and the truth was read as the one says."""
    target = targets["run artificial_units-e2e.csv"]
    heading, first, *rows = target.seeds[0].decode().splitlines()
    cells = first.split(",")
    cells[heading.split(",").index("new_unit")] = "77"
    message = target.check("\n".join([heading, ",".join(cells), *rows]).encode())
    assert message is not None
    assert "do not fit together" in message


def test_a_script_that_points_outside_its_arrays(targets: dict[str, Target]) -> None:
    """The compiled loops would have written where they point."""
    target = targets["run injection-e2e.npz"]
    with np.load(io.BytesIO(target.seeds[0])) as archive:
        arrays = {name: archive[name] for name in archive.files}
    for name, change in {
        "units": lambda a: a + 100,
        "phases": lambda a: a - 100,
        "weight_starts": lambda a: a + 10**12,
        "waveform_starts": lambda a: a - 10**12,
        "filters": lambda a: a[1:],
        "row_starts": lambda a: a + 2**62,
        "num_columns": lambda a: a + 2**40,
        "num_waveforms": lambda a: a * 0,
        "window": lambda a: a * 0 + 2**62,
        "rows": lambda a: a + 500,
        "samples": lambda a: a[::-1],
    }.items():
        stream = io.BytesIO()
        np.savez(stream, **(arrays | {name: change(arrays[name])}))
        message = target.check(stream.getvalue())
        assert message is not None, name

"""Which sorter's output a folder holds, and in which file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from hybridfactory.errors import MissingFileError, ParameterError, SortingError

__all__ = ["SorterOutput", "detect_format", "find_sorter_output"]

Format = Literal["phy", "kilosort", "jrc"]

EXPECTED_FILES: dict[str, str] = {
    "phy": "spike_times.npy with spike_clusters.npy or spike_templates.npy",
    "kilosort": "rez2.mat or rez.mat",
    "jrc": "a *_res.mat or *_jrc.mat",
}


@dataclass(frozen=True)
class SorterOutput:
    """What to read: the format, the folder (phy) or file (others), and why it was preferred."""

    source_format: Format
    path: Path
    warnings: tuple[str, ...] = ()


def detect_format(folder: Path) -> Format:
    """Infer from its files what kind of sorter output a folder holds.

    Parameters
    ----------
    folder : pathlib.Path

    Returns
    -------
    {"phy", "kilosort", "jrc"}
        A complete phy folder comes first, as it may be curated; JRCLUST's own phy export is the exception,
        because the MATLAB file beside it holds more.

    Raises
    ------
    MissingFileError
        The folder does not exist, or holds no sorter output.
    SortingError
        Several outputs lie together and nothing says which one is meant.
    """
    return find_sorter_output(folder, None).source_format


def find_sorter_output(folder: Path, output_type: str | None) -> SorterOutput:
    """Find the file to read; with an `output_type`, look for that kind only."""
    if not folder.exists():
        raise MissingFileError(f"{folder}: no such folder; set data_directory to the sorter's output folder")
    if not folder.is_dir():
        raise SortingError(f"{folder}: is a file; set data_directory to the folder that holds it")
    if output_type is None:
        return _infer(folder)
    if output_type not in get_args(Format):
        raise ParameterError(f"output_type is {output_type!r}; use one of {', '.join(get_args(Format))}")
    find = {"phy": _find_phy, "kilosort": _find_rez, "jrc": _find_jrclust}[output_type]
    output = find(folder)
    if output is None:
        raise _missing(folder, EXPECTED_FILES[output_type])
    return output


def _infer(folder: Path) -> SorterOutput:
    phy, rez = _find_phy(folder), _find_rez(folder)
    beside_phy = rez is not None or bool(_visible(folder, "*_res.mat") + _visible(folder, "*_jrc.mat"))
    if phy is not None and _is_complete_phy(folder):
        if not beside_phy:
            return phy
        if rez is not None or not (folder / "spike_sites.npy").exists():
            note = "phy's npy files were read, as they may be curated; MATLAB results lie beside them"
            return SorterOutput("phy", folder, (f"{folder}: {note} (output_type chooses)",))
        jrclust = _find_jrclust(folder)
        if jrclust is not None:
            note = "read instead of JRCLUST's phy export, which mixes noise into its cluster 0"
            return SorterOutput("jrc", jrclust.path, (*jrclust.warnings, f"{jrclust.path}: {note}"))
    jrclust = _find_jrclust(folder)
    if rez is not None and jrclust is not None:
        raise SortingError(
            f"{folder}: holds both {rez.path.name} and {jrclust.path.name}; "
            "set output_type to kilosort or jrc to say which is meant"
        )
    output = rez or jrclust or phy
    if output is None:
        raise _missing(folder, "; ".join(EXPECTED_FILES.values()))
    return output


def _missing(folder: Path, expected: str) -> MissingFileError:
    return MissingFileError(
        f"{folder}: holds no sorter output (expected {expected}); give the folder that the sorter wrote"
    )


def _is_complete_phy(folder: Path) -> bool:
    labelled = (folder / "spike_clusters.npy").exists() or (folder / "spike_templates.npy").exists()
    return labelled and (folder / "spike_times.npy").exists()


def _find_phy(folder: Path) -> SorterOutput | None:
    names = ("spike_times.npy", "spike_clusters.npy", "spike_templates.npy")
    return SorterOutput("phy", folder) if any((folder / name).exists() for name in names) else None


def _find_rez(folder: Path) -> SorterOutput | None:
    final, first = folder / "rez2.mat", folder / "rez.mat"
    if final.exists():
        note = f"{final}: read instead of rez.mat, as it is Kilosort's later result"
        return SorterOutput("kilosort", final, (note,) if first.exists() else ())
    return SorterOutput("kilosort", first) if first.exists() else None


def _find_jrclust(folder: Path) -> SorterOutput | None:
    results, sessions = _visible(folder, "*_res.mat"), _visible(folder, "*_jrc.mat")
    found = results + sessions
    if len(found) <= 1:
        return SorterOutput("jrc", found[0]) if found else None
    imported = [path.name.removesuffix("_jrc.mat") for path in sessions]
    if len(results) == 1 and imported == [results[0].name.removesuffix("_res.mat")]:
        # JRCLUST 4 leaves the JRCLUST 3 file it imported in place.
        note = f"{results[0]}: read instead of {sessions[0].name}, as it is JRCLUST's later result"
        return SorterOutput("jrc", results[0], (note,))
    names = ", ".join(path.name for path in found)
    raise SortingError(f"{folder}: holds several JRCLUST results ({names}); keep the one that is meant")


def _visible(folder: Path, pattern: str) -> list[Path]:
    # macOS leaves "._name" companions on foreign disks; they match the pattern but hold no data.
    return sorted(path for path in folder.glob(pattern) if not path.name.startswith("."))

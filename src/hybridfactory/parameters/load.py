"""Load parameters from whatever they are given as."""

from collections.abc import Mapping
from os import PathLike
from pathlib import Path

from hybridfactory.errors import MissingFileError, ParameterError
from hybridfactory.parameters.names import did_you_mean
from hybridfactory.parameters.parameters import Parameters
from hybridfactory.parameters.python_file import read_python_file
from hybridfactory.parameters.toml_file import read_toml_file

__all__ = ["load_parameters"]

_READERS = {".py": read_python_file, ".toml": read_toml_file}


def load_parameters(source: str | PathLike[str] | Mapping[str, object] | Parameters) -> Parameters:
    """Load parameters.

    Parameters
    ----------
    source : path-like, mapping or Parameters
        A parameter file (.py or .toml), a folder that holds ``params.py`` or else ``params.toml``,
        parameters by name, or parameters, which are returned as they are.

    Returns
    -------
    loaded : Parameters

    Raises
    ------
    MissingFileError
        If the file does not exist, or the folder holds no parameter file.
    ParameterError
        If the file does not run or parse, or a parameter is unknown, missing or wrong.
    """
    if isinstance(source, Parameters):
        return source
    if isinstance(source, Mapping):
        return Parameters.from_mapping(source, source="parameters", folder=None)
    if not isinstance(source, str | PathLike):
        raise ParameterError(f"parameters must be a file, a folder or a mapping, got {type(source).__name__}")
    path = Path(source).expanduser()
    if path.is_dir():
        path = _find_in(path)
    if not path.is_file():
        raise MissingFileError(f"parameter file {path} does not exist{_nearest_beside(path) or ': correct the path'}")
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise ParameterError(f"{path} is no parameter file: its name must end in {' or '.join(_READERS)}")
    return reader(path)


def _find_in(folder: Path) -> Path:
    names = [f"params{suffix}" for suffix in _READERS]
    found = next((folder / name for name in names if (folder / name).is_file()), None)
    if found is None:
        raise MissingFileError(
            f"folder {folder} holds no parameter file ({' or '.join(names)}): give the file itself"
        )
    return found


def _nearest_beside(path: Path) -> str:
    folder = path.parent
    names = [file.name for file in folder.iterdir() if file.suffix.lower() in _READERS] if folder.is_dir() else []
    return did_you_mean(path.name, names)

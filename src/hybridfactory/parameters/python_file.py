"""Parameter files of 2018: Python modules, run to read the variables they leave."""

import importlib
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any

from hybridfactory.errors import HybridFactoryError, ParameterError
from hybridfactory.parameters.names import ALIASES, find_slip
from hybridfactory.parameters.parameters import Parameters, parameter_names
from hybridfactory.parameters.paths import PATH_PARAMETERS, in_folder, in_folder_or_here

__all__ = ["read_python_file"]


def read_python_file(path: Path) -> Parameters:
    """Run a Python parameter file and read its parameters.

    The file's folder is importable while it runs. Relative paths are looked for in the current directory
    first, as in 2018, then in the file's folder; a relative `output_directory` always lies in the current
    directory. Variables that are no parameter pass, unless their name is a slip away from one.

    Parameters
    ----------
    path : pathlib.Path

    Returns
    -------
    loaded : Parameters

    Raises
    ------
    ParameterError
        If the file does not run, or its parameters are wrong; names file and line.
    """
    variables = _run(path)
    known = (*parameter_names(), *ALIASES)
    given = {name: variables[name] for name in known if name in variables}
    # `import copy` and `from numpy import *` are no word about the parameter copy.
    given = {
        name: value
        for name, value in given.items()
        if not isinstance(value, types.ModuleType) and not (name == "copy" and callable(value))
    }
    for name, value in variables.items():
        if name in known or name.startswith("_") or isinstance(value, types.ModuleType) or callable(value):
            continue
        meant = find_slip(name, known, given)
        if meant is not None:
            raise ParameterError(f"{path}: unknown parameter {name!r}; did you mean {meant!r}?")
    for name in PATH_PARAMETERS:
        if name in given:
            given[name] = _resolve(path, name, given[name])
    return Parameters.from_mapping(given, source=str(path), folder=None)


def _resolve(path: Path, name: str, value: Any) -> Any:
    # What is no path, or an empty one, is left for the parameter's rule to refuse.
    if not isinstance(value, str | PathLike) or not str(value).strip() or "\0" in str(value):
        return value
    try:
        if name == "output_directory":
            return in_folder(value, Path.cwd())
        return in_folder_or_here(value, path.absolute().parent)
    except RuntimeError as error:
        raise ParameterError(f"{path}: {name}: no such home folder as in {str(value)!r}: correct it") from error


def _run(path: Path) -> dict[str, Any]:
    file = path.absolute()
    module = types.ModuleType(path.stem)
    module.__file__ = str(file)
    try:
        code = _compiled(file)
        with _importable(file.parent), _registered(module):
            exec(code, module.__dict__)  # noqa: S102 - a 2018 parameter file is a program of its user's
    except SyntaxError as error:
        # The error may lie in a module that the file imports.
        place = path if error.filename in (None, str(file)) else error.filename
        line = "" if error.lineno is None else f", line {error.lineno}"
        raise ParameterError(f"{place}{line}: syntax error: {error.msg}") from error
    except (Exception, SystemExit) as error:
        raise ParameterError(f"{_place_of(error, path)}: {_reason(error)}") from error
    return {name: value for name, value in vars(module).items() if not name.startswith("__")}


def _compiled(file: Path) -> types.CodeType:
    try:
        return compile(file.read_bytes(), str(file), "exec", dont_inherit=True)
    except ValueError as error:  # Python before 3.11.4, of null bytes
        raise SyntaxError(str(error)) from error


def _place_of(error: BaseException, path: Path) -> str:
    lines = []
    step = error.__traceback__
    while step is not None:
        if step.tb_frame.f_code.co_filename == str(path.absolute()):
            lines.append(step.tb_lineno)
        step = step.tb_next
    return f"{path}, line {lines[-1]}" if lines else str(path)


def _reason(error: BaseException) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, HybridFactoryError):
        return text
    if isinstance(error, SystemExit):
        return f"the file ends the program (exit {text or 0}): remove that call"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """Let the modules of a folder be imported, and forget them afterwards: another folder may hold others."""
    path_before, modules_before = list(sys.path), set(sys.modules)
    writes_bytecode = sys.dont_write_bytecode
    sys.path.insert(0, str(folder))
    sys.dont_write_bytecode = True
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path[:] = path_before
        sys.dont_write_bytecode = writes_bytecode
        # Only what lies in the folder itself: a virtual environment below it must stay loaded.
        own = {
            name
            for name in set(sys.modules) - modules_before
            if "." not in name and _lies_in(sys.modules[name], folder)
        }
        for name in set(sys.modules) - modules_before:
            if name.partition(".")[0] in own:
                del sys.modules[name]


def _lies_in(module: types.ModuleType, folder: Path) -> bool:
    places = [*getattr(module, "__path__", []), getattr(module, "__file__", None)]
    return any(place is not None and Path(place).parent == folder for place in places)


@contextmanager
def _registered(module: types.ModuleType) -> Iterator[None]:
    """Let code in the file find its own module, as dataclasses do, without hiding a real one of that name."""
    before = sys.modules.get(module.__name__)
    sys.modules[module.__name__] = module
    try:
        yield
    finally:
        if before is None:
            sys.modules.pop(module.__name__, None)
        else:
            sys.modules[module.__name__] = before

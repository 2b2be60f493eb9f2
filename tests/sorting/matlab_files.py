"""Write .mat files as MATLAB does: v7.3 with reversed axes, class attributes and a 512-byte heading."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import scipy.io

from hybridfactory.sorting.mat_file import MatFile, reader_of

HEADING = b"MATLAB 7.3 MAT-file, Platform: GLNXA64, Created on: Wed Mar  3 11:47:19 2021 HDF5 schema 1.00 ."
CLASSES = {"float64": "double", "float32": "single", "bool": "logical"}


def write_v73(path: Path, variables: dict[str, Any]) -> None:
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, value in variables.items():
            _write(file, file, name, value)
    with path.open("r+b") as file:
        file.write(HEADING.ljust(124) + b"\x00\x02IM")


def write_v7(path: Path, variables: dict[str, Any]) -> None:
    scipy.io.savemat(path, {k: _for_scipy(v) for k, v in variables.items()}, do_compression=True)


def _for_scipy(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _for_scipy(v) for k, v in value.items()}
    if isinstance(value, list):
        cells = np.empty((1, len(value)), object)
        for index, text in enumerate(value):
            cells[0, index] = text
        return cells
    return value


def _write(file: h5py.File, group: h5py.Group, name: str, value: Any) -> None:
    if isinstance(value, dict):
        struct = group.create_group(name)
        struct.attrs["MATLAB_class"] = np.bytes_("struct")
        for key, item in value.items():
            _write(file, struct, key, item)
        return
    if isinstance(value, list):
        refs = file.require_group("#refs#")
        references = []
        for item in value:
            key = f"r{len(refs)}"
            _write(file, refs, key, item)
            references.append(refs[key].ref)
        dataset = group.create_dataset(name, (len(references), 1), dtype=h5py.ref_dtype)
        for index, reference in enumerate(references):
            dataset[index, 0] = reference
        dataset.attrs["MATLAB_class"] = np.bytes_("cell")
        return
    if isinstance(value, str):
        codes = np.array([[ord(letter)] for letter in value], np.uint16)
        dataset = group.create_dataset(name, data=codes)
        dataset.attrs["MATLAB_class"] = np.bytes_("char")
        dataset.attrs["MATLAB_int_decode"] = np.int32(2)
        return
    array = np.atleast_2d(np.asarray(value))
    kind = CLASSES.get(array.dtype.name, array.dtype.name)
    if array.size == 0:
        dataset = group.create_dataset(name, data=np.array(array.shape, np.uint64))
        dataset.attrs["MATLAB_empty"] = np.uint8(1)
    else:
        data = array.astype(np.uint8) if kind == "logical" else array
        packing = {"chunks": True, "compression": "gzip"} if data.size > 100 else {}
        dataset = group.create_dataset(name, data=data.T, **packing)
    dataset.attrs["MATLAB_class"] = np.bytes_(kind)


@contextmanager
def opened_here(path: Path, variables: Sequence[str]) -> Iterator[MatFile]:
    """Take the place of `MatProcess` where a process per file would take too long."""
    mat = reader_of(path)(path, variables)
    try:
        yield mat
    finally:
        mat.close()

"""What a user says of a recording, held against what the recording tells of itself."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from hybridfactory.errors import RecordingError

__all__ = ["Told", "refuse_contradictions"]

MAX_RATE_DISAGREEMENT = 1e-3


@dataclass(frozen=True)
class Told:
    """What a recording tells of itself: each value, and the words for it."""

    sampling_frequency: tuple[float, str]
    dtype: tuple[np.dtype[Any], str]
    num_rows: tuple[int, str]


def refuse_contradictions(
    told: Told,
    *,
    dtype: np.dtype[Any] | None,
    sampling_frequency: float | None,
    num_rows: int | None,
    otherwise: str = "",
) -> None:
    """Refuse what a user says of a recording that itself tells otherwise.

    Parameters
    ----------
    told : Told
    dtype, sampling_frequency, num_rows : optional
        What the user says.
    otherwise : str
        What else than to correct them can be done of type and rate.

    Raises
    ------
    RecordingError
    """
    rate, words = told.sampling_frequency
    if sampling_frequency is not None and abs(rate / sampling_frequency - 1) > MAX_RATE_DISAGREEMENT:
        raise RecordingError(f"sample_rate is {sampling_frequency:g} Hz, but {words}: correct sample_rate{otherwise}")
    held, words = told.dtype
    if dtype is not None and dtype != held:
        raise RecordingError(f"data_type is {dtype}, but {words}: correct data_type{otherwise}")
    rows, words = told.num_rows
    if num_rows is not None and num_rows != rows:
        raise RecordingError(f"raw_source_rows is {num_rows}, but {words}: leave raw_source_rows out")

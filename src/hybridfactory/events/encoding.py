"""Every spike's own share of its unit's model, for the spikes that no model learned from."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from hybridfactory.events.fit import Encoded
from hybridfactory.events.snippets import SnippetRequest, iter_slabs
from hybridfactory.progress import ProgressCallback, no_progress
from hybridfactory.recording.flat import FlatRecording
from hybridfactory.recording.side_by_side import side_by_side

__all__ = ["encode_spikes"]

BATCH_SIZE = 64


def encode_spikes(
    recording: FlatRecording,
    requests: Sequence[SnippetRequest],
    encoders: Sequence[Callable[[NDArray[np.generic]], Encoded]],
    *,
    before: int,
    after: int,
    progress: ProgressCallback = no_progress,
) -> list[list[Encoded]]:
    """Go once through the recording, and encode the spikes of several units.

    Parameters
    ----------
    recording : FlatRecording
    requests : sequence of SnippetRequest
        Each unit's spikes, and the rows it was fitted on.
    encoders : sequence of callable
        What each unit's snippets are to be given to.
    before, after : int
        Samples of a snippet before and after its centre.
    progress : callable, optional

    Returns
    -------
    list of list of Encoded
        For each unit batches of its spikes, in their order.
    """
    encoded: list[list[Encoded]] = [[] for _ in requests]
    # Batches of one size, cut at the unit's own spikes: rounding then cannot depend on the other units.
    waiting: list[NDArray[np.generic]] = [np.empty((0,)) for _ in requests]

    def encode(owner: int, snippets: NDArray[np.generic], is_last: bool = False) -> None:
        """Encode what makes full batches; the rest waits for the next."""
        queue = np.concatenate([waiting[owner], snippets]) if len(waiting[owner]) else snippets
        count = len(queue) if is_last else len(queue) // BATCH_SIZE * BATCH_SIZE
        for first in range(0, count, BATCH_SIZE):
            encoded[owner].append(encoders[owner](queue[first : min(first + BATCH_SIZE, count)]))
        waiting[owner] = queue[count:].copy()

    slabs = iter_slabs(recording, requests, before=before, after=after, step="reading all spikes", progress=progress)
    for pieces in slabs:
        with side_by_side(lambda piece: encode(piece[0], piece[2]), pieces) as done:
            list(done)
    for owner, queue in enumerate(waiting):
        if len(queue):
            encode(owner, queue[:0], is_last=True)
    return encoded

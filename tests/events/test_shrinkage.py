"""The formulae of the spiked model, against simulated matrices and against each other."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridfactory.events.shrinkage import noise_edge, shrink_singular_values, squared_cosine

ASPECTS = st.floats(0.01, 50)


def observed_from(signal, aspect):
    """Forward map of the spiked model: where a signal's singular value ends up in the noise."""
    return np.sqrt((signal + 1 / signal) * (signal + aspect / signal))


@given(ASPECTS, st.floats(1.01, 20))
def test_shrinking_inverts_what_the_noise_does(aspect, above_threshold):
    signal = above_threshold * aspect**0.25
    shrunk = shrink_singular_values(np.array([observed_from(signal, aspect)]), aspect)
    assert shrunk[0] == pytest.approx(signal, rel=1e-5)


@given(ASPECTS, st.floats(0, 1))
def test_nothing_within_the_noise_survives(aspect, share):
    assert shrink_singular_values(np.array([share * noise_edge(aspect)]), aspect)[0] == 0


@given(ASPECTS, st.floats(0.05, 50))
def test_cosine_is_between_none_and_all(aspect, signal):
    cosine = squared_cosine(np.array([signal]), aspect)[0]
    assert 0 <= cosine < 1
    assert (cosine > 0) == (signal**4 > aspect) or abs(signal**4 / aspect - 1) < 1e-9


def test_cosine_of_no_signal_is_none():
    assert squared_cosine(np.zeros(2), 0.5).tolist() == [0, 0]


@pytest.mark.parametrize(("num_events", "num_features"), [(900, 180), (200, 600)])
def test_edge_is_where_noise_ends(num_events, num_features):
    noise = np.random.default_rng(1).standard_normal((num_events, num_features))
    largest = np.linalg.norm(noise, 2) / np.sqrt(num_events)
    assert largest == pytest.approx(noise_edge(num_features / num_events), rel=0.03)


@pytest.mark.parametrize(("num_events", "num_features"), [(900, 180), (200, 600)])
def test_simulated_spikes(num_events, num_features):
    """Two components in white noise: their size and the accuracy of their direction are foretold."""
    random = np.random.default_rng(2)
    aspect = num_features / num_events
    truth = np.array([3.0, 2.0]) * aspect**0.25
    left = np.linalg.qr(random.standard_normal((num_events, 2)))[0]
    right = np.linalg.qr(random.standard_normal((num_features, 2)))[0]
    signal = (left * truth * np.sqrt(num_events)) @ right.T
    noisy = signal + random.standard_normal((num_events, num_features))
    _, singular, vectors = np.linalg.svd(noisy, full_matrices=False)
    found = shrink_singular_values(singular / np.sqrt(num_events), aspect)
    assert found[:2] == pytest.approx(truth, rel=0.08)
    # Finite matrices may pass the edge by a hair; what then looks like signal is the threshold's own size.
    assert (found[2:] <= 1.2 * aspect**0.25).all()
    cosines = np.sum(vectors[:2] * right.T, axis=1) ** 2
    assert squared_cosine(truth, aspect) == pytest.approx(cosines, abs=0.08)

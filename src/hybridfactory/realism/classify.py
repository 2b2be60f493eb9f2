"""Three classifiers that try to tell two classes of spikes apart, and how well they do."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import rankdata

__all__ = ["CLASSIFIERS", "Separation", "combine", "tell_apart"]

CLASSIFIERS = ("linear", "quadratic", "boosted")
NUM_FOLDS = 5
NUM_PATTERNS = {"linear": 60, "quadratic": 12, "boosted": 15}
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Separation:
    """How well two classes are told apart.

    Parameters
    ----------
    auc : dict of str to float
        Cross-validated area under the ROC curve of each classifier; 0.5 is no better than chance.
    standard_error : dict of str to float
    """

    auc: dict[str, float]
    standard_error: dict[str, float]

    @property
    def best(self) -> str:
        """The classifier that tells most."""
        return max(self.auc, key=lambda name: self.auc[name])

    @property
    def largest(self) -> float:
        """Its area under the curve."""
        return self.auc[self.best]

    @property
    def interval(self) -> tuple[float, float]:
        """95 % confidence interval of the largest area."""
        reach = float(ndtri((1 + CONFIDENCE) / 2)) * self.standard_error[self.best]
        return max(self.largest - reach, 0.0), min(self.largest + reach, 1.0)


def tell_apart(
    real: NDArray[np.float32],
    injected: NDArray[np.float32],
    real_groups: NDArray[np.int64],
    injected_groups: NDArray[np.int64],
    *,
    seed: int,
) -> Separation:
    """Train classifiers on four fifths of the spikes and let them judge the rest, in turn.

    Linear (logistic regression on up to 60 principal components), quadratic (discriminant analysis on up to 12) and
    boosted trees (on up to 15), all with scikit-learn. The area under the ROC curve is that within each fold,
    averaged; its error is DeLong's (E. R. DeLong et al., Biometrics 44, 1988).

    Parameters
    ----------
    real, injected : numpy.ndarray of float32, shape (num_spikes, num_samples, num_rows)
    real_groups, injected_groups : numpy.ndarray of int64, shape (num_spikes,)
        Spikes of one group (a burst) are never divided between training and test; groups of the two classes are
        different ones.
    seed : int
    """
    from sklearn.model_selection import StratifiedGroupKFold  # noqa: PLC0415
    from threadpoolctl import threadpool_limits  # noqa: PLC0415

    features = np.concatenate([real, injected]).reshape(len(real) + len(injected), -1)
    labels = np.repeat([0, 1], [len(real), len(injected)])
    groups = np.unique(np.concatenate([2 * real_groups, 2 * injected_groups + 1]), return_inverse=True)[1]
    folds = list(StratifiedGroupKFold(NUM_FOLDS, shuffle=True, random_state=seed).split(features, labels, groups))
    auc, error = {}, {}
    with threadpool_limits(1):
        for name, classifier in _classifiers(min(len(train) for train, _ in folds), features.shape[1], seed):
            judged = []
            for train, test in folds:
                chance = classifier.fit(features[train], labels[train]).predict_proba(features[test])[:, 1]
                judged.append(_area(chance[labels[test] == 0], chance[labels[test] == 1]))
            areas, variances = np.array(judged).T
            auc[name] = float(areas.mean())
            error[name] = float(np.sqrt(variances.sum()) / len(folds))
    return Separation(auc, error)


def combine(separations: list[Separation]) -> Separation:
    """Average over the two exchanges of halves; spikes are other ones in each, so that errors shrink accordingly."""
    count = len(separations)
    return Separation(
        {name: float(np.mean([part.auc[name] for part in separations])) for name in CLASSIFIERS},
        {
            name: float(np.sqrt(np.sum([part.standard_error[name] ** 2 for part in separations])) / count)
            for name in CLASSIFIERS
        },
    )


def _classifiers(num_training: int, num_features: int, seed: int) -> Iterator[tuple[str, Any]]:
    from sklearn.decomposition import PCA  # noqa: PLC0415
    from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis  # noqa: PLC0415
    from sklearn.ensemble import HistGradientBoostingClassifier  # noqa: PLC0415
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415
    from sklearn.preprocessing import StandardScaler  # noqa: PLC0415

    last_step = {
        "linear": lambda: make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500)),
        "quadratic": lambda: QuadraticDiscriminantAnalysis(reg_param=0.05),
        "boosted": lambda: HistGradientBoostingClassifier(
            max_iter=80, learning_rate=0.08, max_leaf_nodes=8, random_state=seed
        ),
    }
    for name in CLASSIFIERS:
        count = min(NUM_PATTERNS[name], num_training // 4, num_features)
        yield name, make_pipeline(PCA(count, random_state=seed), last_step[name]())


def _area(negative: NDArray[np.float64], positive: NDArray[np.float64]) -> tuple[float, float]:
    """Area under the ROC curve and DeLong's variance of it; (0.5, 1/12) where a class is missing."""
    m, n = positive.size, negative.size
    if not m or not n:
        return 0.5, 1 / 12
    ranks = rankdata(np.concatenate([positive, negative]))
    above = (ranks[:m] - rankdata(positive)) / n
    below = 1 - (ranks[m:] - rankdata(negative)) / m
    variance = (above.var(ddof=1) / m if m > 1 else 1 / 12) + (below.var(ddof=1) / n if n > 1 else 1 / 12)
    return float(above.mean()), float(variance)

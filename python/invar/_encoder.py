# SPDX-License-Identifier: Apache-2.0
"""scikit-learn's shape of an encoder, where scikit-learn is there; without it the same class stands by itself."""

import numpy as np

from ._run import pretrain

try:
    from sklearn.base import BaseEstimator, TransformerMixin
    from sklearn.utils.validation import check_is_fitted
except ImportError:
    class BaseEstimator:
        """Nothing of scikit-learn's."""

    class TransformerMixin:
        """What scikit-learn's would have."""

        def fit_transform(self, X, y=None):
            return self.fit(X, y).transform(X)

    check_is_fitted = None
try:
    from sklearn.utils.validation import validate_data
except ImportError:  # before 1.6 it is a method of estimators
    validate_data = None


class Encoder(TransformerMixin, BaseEstimator):
    """Representations of rows of numbers, learned without labels: fit(X) trains, transform(X) embeds.

    recipe: of invar. options: of the recipe, {"training.steps": 200}. random_state: training.seed. threads: 0 is all
    cores. NaN is a missing value.
    """

    def __init__(self, recipe="simclr-table", options=None, random_state=0, threads=0):
        self.recipe = recipe
        self.options = options
        self.random_state = random_state
        self.threads = threads

    def _check(self, X, reset):
        if validate_data is None and check_is_fitted is None:
            return np.asarray(X, dtype=np.float64)
        if validate_data is None:
            return self._validate_data(X, reset=reset, dtype=np.float64, force_all_finite="allow-nan")
        return validate_data(self, X, reset=reset, dtype=np.float64, ensure_all_finite="allow-nan",
                             ensure_min_samples=2 if reset else 1)

    def fit(self, X, y=None):
        X = self._check(X, reset=True)
        options = {"data.test_fraction": 0, "training.batch": int(min(256, max(2, len(X)))), **(self.options or {})}
        options["training.seed"] = int(self.random_state or 0)
        self.run_ = pretrain(self.recipe, X, threads=self.threads, **options)
        return self

    def transform(self, X):
        if check_is_fitted is not None:
            check_is_fitted(self)
        return self.run_.embed(self._check(X, reset=False), threads=self.threads)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = []  # representations are float32
        return tags

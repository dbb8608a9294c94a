# SPDX-License-Identifier: Apache-2.0
"""Statistics that are taken on the way, and joined over episodes without seeing their data again."""

from __future__ import annotations

from typing import Any

import numpy as np

QUANTILES = {"q01": 0.01, "q10": 0.1, "q50": 0.5, "q90": 0.9, "q99": 0.99}


class Statistics:
    """Minimum, maximum, mean and standard deviation of each channel; of numbers in one piece quantiles, too.

    Joined as Chan, Golub, LeVeque 1979. Quantiles of several episodes are their weighted means, as the public readers
    join them.
    """

    def __init__(self, channels: int) -> None:
        self.count = 0
        self._low = np.full(channels, np.inf)
        self._high = np.full(channels, -np.inf)
        self._mean = np.zeros(channels)
        self._squares = np.zeros(channels)
        self._quantiles = {name: np.zeros(channels) for name in QUANTILES}

    def add(self, values: np.ndarray) -> None:
        """Take values, (n, channels)."""
        if not len(values):
            return
        values = np.asarray(values, np.float64)
        mean = values.mean(axis=0)
        quantiles = np.quantile(values, list(QUANTILES.values()), axis=0)
        self._join(
            len(values),
            values.min(axis=0),
            values.max(axis=0),
            mean,
            ((values - mean) ** 2).sum(axis=0),
            dict(zip(QUANTILES, quantiles)),
        )

    def _join(
        self,
        n: int,
        low: np.ndarray,
        high: np.ndarray,
        mean: np.ndarray,
        squares: np.ndarray,
        quantiles: dict[str, np.ndarray],
    ) -> None:
        total = self.count + n
        apart = mean - self._mean
        self._low, self._high = np.minimum(self._low, low), np.maximum(self._high, high)
        self._squares = self._squares + squares + apart**2 * (self.count * n / total)
        self._mean = self._mean + apart * (n / total)
        for name, found in quantiles.items():
            self._quantiles[name] = (self._quantiles[name] * self.count + found * n) / total
        self.count = total

    def join(self, kept: dict[str, Any]) -> None:
        """Take what `as_dict` said of others; their count is the number of values."""
        count = int(kept["count"][0])
        if count:
            flat = {key: np.array(value, np.float64).reshape(-1) for key, value in kept.items()}
            quantiles = {name: flat[name] for name in QUANTILES}
            self._join(count, flat["min"], flat["max"], flat["mean"], flat["std"] ** 2 * count, quantiles)

    def as_dict(self, image: bool = False) -> dict[str, Any]:
        """As LeRobot writes them; of images, each channel in an array of its own, (3, 1, 1)."""
        std = np.sqrt(self._squares / max(self.count, 1))
        named = {"min": self._low, "max": self._high, "mean": self._mean, "std": std, **self._quantiles}
        shape = (-1, 1, 1) if image else (-1,)
        return {key: value.reshape(shape).tolist() for key, value in named.items()} | {"count": [self.count]}

"""Streams of names whose frequencies fall as Zipf's law says, in two orders."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

__all__ = ["Order", "frequencies", "stream"]

Order = Literal["random", "rising"]


def frequencies(exponent: float, names: int, total: int, seed: int) -> Any:
    """Return how often each of so many names comes among so many items that are drawn one by one.

    Parameters
    ----------
    exponent : float
        The n-th name is drawn with a probability proportional to n to the power of minus this.
    names, total : int
        At least 1.
    seed : int
        Of the draws.

    Returns
    -------
    numpy.ndarray
        Of int64; the names in order of their probability.
    """
    weights = np.arange(1, names + 1, dtype=np.float64) ** -exponent
    return np.random.default_rng(seed).multinomial(total, weights / weights.sum())


def stream(counts: Any, order: Order, seed: int) -> Any:
    """Return the indices of names with these counts, in random order or the rarest names first.

    Returns
    -------
    numpy.ndarray
        Of int32, as long as the sum of the counts.
    """
    by_frequency = np.argsort(counts, kind="stable").astype(np.int32)
    indices = np.repeat(by_frequency, counts[by_frequency])
    if order == "random":
        np.random.default_rng(seed).shuffle(indices)
    return indices

"""What raw samples say: order statistics, and the interval of a ratio of medians."""

from __future__ import annotations

import random
from dataclasses import dataclass
from math import ceil
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Latency", "Ratio", "latency", "percentile", "ratio_of_medians", "relative_spread"]

_RESAMPLES = 2_000
_CONFIDENCE = 0.95


def percentile(samples: Sequence[float], share: float) -> float:
    """Return the smallest sample that at least this share of all samples doesn't exceed.

    Parameters
    ----------
    samples : sequence of float
        At least one, in any order.
    share : float
        Above 0, at most 1.

    Returns
    -------
    float
        One of the samples: nothing is interpolated.

    Examples
    --------
    >>> percentile([4, 1, 3, 2], 0.5), percentile([4, 1, 3, 2], 0.99)
    (2, 4)
    """
    ordered = sorted(samples)
    return ordered[max(ceil(share * len(ordered)), 1) - 1]


@dataclass(frozen=True)
class Latency:
    """How single calls are distributed, in nanoseconds."""

    p50: float
    p99: float
    p999: float
    max: float


def latency(samples: Sequence[float]) -> Latency:
    """Return the distribution of single calls from their raw samples."""
    ordered = sorted(samples)
    return Latency(*(percentile(ordered, share) for share in (0.5, 0.99, 0.999, 1.0)))


@dataclass(frozen=True)
class Ratio:
    """A ratio of two medians and the interval that holds it with 95 % confidence."""

    value: float
    low: float
    high: float


def ratio_of_medians(numerators: Sequence[float], denominators: Sequence[float], seed: int = 1) -> Ratio:
    """Return the ratio of the medians of paired repeats, and its bootstrap interval.

    Parameters
    ----------
    numerators, denominators : sequence of float
        As many of each; those at the same place were measured side by side and are resampled together, so that what
        slowed both of them cancels out.
    seed : int, default 1
        The same samples give the same interval.

    Returns
    -------
    Ratio
        The ratio and the 2.5th and 97.5th percentile of 2,000 resamplings.

    Raises
    ------
    ValueError
        If there are no pairs, or not as many of both.

    Examples
    --------
    >>> ratio_of_medians([20, 22, 24], [10, 11, 12]).value
    2.0
    """
    pairs = list(zip(numerators, denominators, strict=True))
    if not pairs:
        message = "a ratio needs at least one pair of samples"
        raise ValueError(message)
    draw = random.Random(seed)
    ratios = [_ratio(draw.choices(pairs, k=len(pairs))) for _ in range(_RESAMPLES)]
    tail = (1 - _CONFIDENCE) / 2
    return Ratio(_ratio(pairs), percentile(ratios, tail), percentile(ratios, 1 - tail))


def _ratio(pairs: Sequence[tuple[float, float]]) -> float:
    below = median(pair[1] for pair in pairs)
    return median(pair[0] for pair in pairs) / below if below else float("inf")


def relative_spread(samples: Sequence[float]) -> float:
    """Return the distance of the quartiles as a share of the median."""
    middle = median(samples)
    return (percentile(samples, 0.75) - percentile(samples, 0.25)) / middle if middle else 0.0

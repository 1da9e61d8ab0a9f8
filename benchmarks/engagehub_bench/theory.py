"""What theory says about the errors of distinct counts.

A register of rate x (different items a register) has seen rank k with probability 1 - exp(-x / 2^k), independently of
all other ranks. The largest rank of all, with or without what is known of the two below it, holds an amount of
information about x (Fisher, 1922) that no unbiased estimator can do better than (Cramér, Rao).
"""

from __future__ import annotations

import numpy as np

__all__ = ["relative_error"]

_RANKS = 51


def relative_error(items: float, registers: int, *, known_below: int) -> float:
    """Return the least relative standard error that registers allow.

    Parameters
    ----------
    items : float
        Different ones, at least 1.
    registers : int
        How many.
    known_below : int
        Of how many ranks below the largest it is known whether they were seen: 0 for HyperLogLog, 2 for UltraLogLog.

    Returns
    -------
    float
        Of a fixed number of items: the part that is their own scatter, if they came as a Poisson process, is taken off.

    Examples
    --------
    >>> [round(100 * relative_error(1e8, 2**14, known_below=known), 2) for known in (0, 2)]
    [0.81, 0.59]
    """
    rate = items / registers
    share = rate * 2.0 ** -np.arange(1, _RANKS + 1)
    # The derivative of log P(seen) and of log P(not seen) by log(rate), which must cancel on average.
    with np.errstate(over="ignore"):
        of_seen = share / np.expm1(share)
    of_unseen = -share
    seen = -np.expm1(-share)
    # For each largest rank: it was seen, none above it was; the ranks below are known or unknown.
    none_above = np.exp(-(share.sum() - np.cumsum(share)))
    slope_above = -(share.sum() - np.cumsum(share))
    information = 0.0
    for rank in range(_RANKS):
        below = range(max(rank - known_below, 0), rank)
        states = [(none_above[rank] * seen[rank], slope_above[rank] + of_seen[rank])]
        for each in below:
            states = [
                (probability * chance, slope + change)
                for probability, slope in states
                for chance, change in ((seen[each], of_seen[each]), (1.0 - seen[each], of_unseen[each]))
            ]
        information += sum(probability * slope * slope for probability, slope in states)
    information += np.exp(-share.sum()) * share.sum() ** 2
    variance = 1.0 / (registers * information)
    return float(np.sqrt(max(variance - 1.0 / items, 0.0)))

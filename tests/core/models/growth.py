"""How fast an item comes against its own past, from the decayed sums, by the definitions."""

from __future__ import annotations

import math


def reach(half_life: float, observed: float) -> float:
    """Sum what a rate of one a second leaves: the integral of 2 ** (-age / half_life) up to the age of the stream."""
    return half_life / math.log(2) * -math.expm1(-observed / half_life * math.log(2))


def growth(
    recent_sum: float, baseline_sum: float, half_life: float, baseline: float, observed: float
) -> tuple[float, float, float, float]:
    """Rate and baseline an hour, ratio and score. Li and Ma 1983, equation 17, word for word."""
    observed = max(observed, 1.0)
    # A decayed sum of s has the relative deviation of a Poisson count of s * reach(h) / reach(h / 2).
    on_worth = reach(half_life, observed) / reach(half_life / 2, observed)
    off_worth = reach(baseline, observed) / reach(baseline / 2, observed)
    older = max(0.0, baseline_sum - recent_sum)
    older_time = reach(baseline, observed) - reach(half_life, observed)
    on, on_time = on_worth * recent_sum, on_worth * reach(half_life, observed)
    off, off_time = off_worth * older, off_worth * older_time
    one_event = (on_time + off_time) / (on + off)
    off, off_time = off + 1, off_time + one_event
    alpha = on_time / off_time
    gained = on * math.log((1 + alpha) / alpha * on / (on + off)) if on else 0.0
    lost = off * math.log((1 + alpha) * off / (on + off))
    score = math.sqrt(2 * max(0.0, gained + lost))
    rate = recent_sum / reach(half_life, observed)
    return (
        rate * 3600,
        older / older_time * 3600,
        rate / (off / off_time),
        score if on / on_time >= off / off_time else -score,
    )

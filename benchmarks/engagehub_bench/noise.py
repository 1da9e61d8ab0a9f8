"""Whether a run was quiet enough to be believed.

A row is noisy if the quartiles of its repeats are further apart than a quarter of its median. A run is noisy if more
than a tenth of its rows are, if the quartiles of its calibrating loops are further apart than a quarter of their
median, or if the medians of the first and of the second half of these loops differ by more than 15 %.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from engagehub_bench.summary import relative_spread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engagehub_bench.rows import Case, Row

__all__ = ["Noise", "is_noisy", "judged"]

_ROW_SPREAD = 0.25
_NOISY_ROWS = 0.10
_CALIBRATION_SPREAD = 0.25
_DRIFT = 0.15


@dataclass(frozen=True)
class Noise:
    """The verdict on a run.

    Attributes
    ----------
    reasons : list of str
        Why the run is noisy; empty for a quiet one.
    noisy_rows, rows : int
        How many rows are noisy, of how many with repeats.
    calibration_spread, drift : float
        Shares of the median.
    """

    reasons: list[str]
    noisy_rows: int
    rows: int
    calibration_spread: float
    drift: float

    @property
    def is_noisy(self) -> bool:
        """Whether anything speaks against the run."""
        return bool(self.reasons)


def is_noisy(row: Row) -> bool:
    """Return whether the repeats of a row lie too far apart."""
    return row.spread > _ROW_SPREAD


def judged(cases: Sequence[Case]) -> Noise:
    """Return the verdict on a run's cases, in the order in which they were measured."""
    rows = [row for case in cases for row in case.rows if len(row.samples) > 1]
    calibration = [sample for row in rows for sample in row.calibration]
    noisy = sum(is_noisy(row) for row in rows)
    spread = relative_spread(calibration) if calibration else 0.0
    drift = _drift(calibration)
    reasons = []
    if noisy > _NOISY_ROWS * len(rows):
        reasons.append(f"{noisy} of {len(rows)} rows have quartiles more than {_ROW_SPREAD:.0%} of the median apart")
    if spread > _CALIBRATION_SPREAD:
        reasons.append(f"the calibrating loop's quartiles are {spread:.0%} of its median apart")
    if drift > _DRIFT:
        reasons.append(f"the calibrating loop drifted by {drift:.0%} between the halves of the run")
    return Noise(reasons, noisy, len(rows), spread, drift)


def _drift(calibration: Sequence[float]) -> float:
    half = len(calibration) // 2
    if half == 0:
        return 0.0
    before, after = median(calibration[:half]), median(calibration[half:])
    return abs(after - before) / min(before, after)

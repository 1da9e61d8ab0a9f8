"""What is measured and what is demanded: a case holds rows that belong side by side, a row may hold a claim."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any, Literal

from engagehub_bench.summary import Latency, ratio_of_medians, relative_spread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from engagehub_bench.timing import Timed

__all__ = ["Case", "Claim", "Planned", "Row", "Unit", "absent", "absolute", "against", "undecided"]

Unit = Literal["ns", "bytes", "per second", "%"]


@dataclass(frozen=True)
class Claim:
    """What a row must reach, what it reaches, and whether that is enough.

    Attributes
    ----------
    text : str
        The demand in words.
    limit : float
        The demand as a number.
    value : float
        What was measured: a ratio, or a scaled figure.
    low, high : float
        The interval of the value.
    reached : bool or None
        None where the row doesn't count.
    """

    text: str
    limit: float
    value: float
    low: float
    high: float
    reached: bool | None


@dataclass
class Row:
    """The figures of one contender.

    Attributes
    ----------
    name : str
        Who.
    samples : list of float
        One a repeat, in the case's unit, the loop's own cost subtracted.
    overhead, calibration : list of float
        What was subtracted, and the calibrating loop beside each repeat.
    correct : bool or None
        Whether the answers were those of a plain model; None where the row gives none.
    valid : bool
        False for a yardstick that misses its published figure.
    latency : Latency or None
        Of single calls.
    claims : list of Claim
        What the row is held against.
    note : str
        What a reader must know.
    """

    name: str
    samples: list[float] = field(default_factory=list)
    overhead: list[float] = field(default_factory=list)
    calibration: list[float] = field(default_factory=list)
    correct: bool | None = None
    valid: bool = True
    latency: Latency | None = None
    claims: list[Claim] = field(default_factory=list)
    note: str = ""

    @classmethod
    def of(cls, name: str, timed: Timed, *, correct: bool | None) -> Row:
        """Return the row of a timed contestant."""
        return cls(name, timed.samples, timed.overhead, timed.calibration, correct)

    @property
    def median(self) -> float | None:
        """The middle of the samples; None for a row that wasn't measured."""
        return median(self.samples) if self.samples else None

    @property
    def spread(self) -> float:
        """The distance of the quartiles as a share of the median."""
        return relative_spread(self.samples) if self.samples else 0.0


@dataclass
class Case:
    """Rows that were measured interleaved.

    Attributes
    ----------
    name : str
        ``suite/operation/variant``.
    size : int or None
        How many members, or what else is counted.
    unit : str
        Of the samples.
    rows : list of Row
        Ours first.
    counted : str
        What the size is a number of.
    printed : bool
        False for a point of a curve that plots and the JSON file have, but no table.
    """

    name: str
    size: int | None
    unit: Unit
    rows: list[Row] = field(default_factory=list)
    counted: str = "members"
    printed: bool = True

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Case:
        """Return the case that :meth:`as_dict` gave."""
        rows = []
        for row in value["rows"]:
            spread = row["latency"]
            claims = [Claim(**claim) for claim in row["claims"]]
            rows.append(Row(**{**row, "latency": Latency(**spread) if spread else None, "claims": claims}))
        return cls(**{**value, "rows": rows})


@dataclass(frozen=True)
class Planned:
    """Work that a suite wants done: its title for the progress bar, and what does it."""

    title: str
    run: Callable[[], Iterable[Case]]


def against(text: str, ours: Row, peer: Row, *, at_most: float) -> Claim:
    """Return the claim that our cost is at most so many times the peer's.

    Parameters
    ----------
    text : str
        The demand in words.
    ours, peer : Row
        Measured interleaved.
    at_most : float
        The largest ratio of our median to the peer's; a tenth for «ten times faster».

    Returns
    -------
    Claim
        Undecided where a row is wrong, invalid or wasn't measured, or where a repeat of either cost no more than its
        empty loop.
    """
    if min(ours.samples, default=0.0) <= 0 or min(peer.samples, default=0.0) <= 0:
        return undecided(text, at_most)
    ratio = ratio_of_medians(ours.samples, peer.samples)
    reached = ratio.value <= at_most if _counts(ours) and _counts(peer) else None
    return Claim(text, at_most, ratio.value, ratio.low, ratio.high, reached)


def absolute(text: str, row: Row, samples: Sequence[float], limit: float, *, at_least: bool = False) -> Claim:
    """Return the claim that the median of samples, taken of a row, is at most, or at least, a limit.

    It is undecided where the row is wrong or invalid.
    """
    ratio = ratio_of_medians(samples, [1.0] * len(samples))
    reached = ratio.value >= limit if at_least else ratio.value <= limit
    return Claim(text, limit, ratio.value, ratio.low, ratio.high, reached if _counts(row) else None)


def undecided(text: str, limit: float) -> Claim:
    """Return a claim that this run can't decide."""
    return Claim(text, limit, 0.0, 0.0, 0.0, None)


def absent(name: str) -> Row:
    """Return the row of a contender that isn't here, against which nothing is decided."""
    return Row(name, note="peer missing")


def _counts(row: Row) -> bool:
    return row.valid and row.correct is not False

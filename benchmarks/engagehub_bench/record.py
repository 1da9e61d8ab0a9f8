"""A whole run as JSON: raw samples, environment, verdicts."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from engagehub_bench.noise import Noise
from engagehub_bench.rows import Case

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["FORMAT", "Record", "read", "write"]

FORMAT = 2


@dataclass
class Record:
    """What a run measured, where, and under which options.

    Attributes
    ----------
    environment, options : dict
        Plain values.
    peers : dict of str to str
        The version lines of those that took part.
    absent : dict of str to str
        Why the others didn't.
    noise : Noise
        The verdict.
    seconds : float
        How long the run took.
    cases : list of Case
        In the order in which they were measured.
    """

    environment: dict[str, Any]
    options: dict[str, Any]
    peers: dict[str, str]
    absent: dict[str, str]
    noise: Noise
    seconds: float
    cases: list[Case]

    @property
    def wrong(self) -> list[str]:
        """The rows with wrong answers."""
        return [
            f"{case.name}{f' at {case.size:,}' if case.size else ''}: {row.name}"
            for case in self.cases
            for row in case.rows
            if row.correct is False
        ]


def write(record: Record, path: Path) -> None:
    """Write a run to a file."""
    value = {"format": FORMAT, **asdict(record)}
    path.write_text(json.dumps(value, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def read(path: Path) -> Record:
    """Return the run that a file holds.

    Raises
    ------
    ValueError
        If the file is of another format.
    """
    value = json.loads(path.read_text(encoding="utf-8"))
    if value.pop("format", None) != FORMAT:
        message = f"{path} isn't a run of engagehub bench in format {FORMAT}"
        raise ValueError(message)
    noise = Noise(**value.pop("noise"))
    cases = [Case.from_dict(case) for case in value.pop("cases")]
    return Record(**value, noise=noise, cases=cases)

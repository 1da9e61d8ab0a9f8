"""What a community's events say: leaderboard, trending channels, distinct members."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import compress
from typing import Any

from engagehub_core import DistinctWindow, HyperLogLog, Leaderboard, TopK
from engagehub_core.durations import format_duration, parse_duration
from engagehub_core.errors import InvalidArgument
from engagehub_core.replay.times import iso

__all__ = ["ALL", "POINTS", "WINDOWS", "Answers", "Question", "points_of"]

#: What an event of a kind earns; any other kind earns nothing.
POINTS = {"message": 1.0, "action": 1.0, "direct": 1.0}
WINDOWS = ("1h", "24h", "30d")
#: The name of the distinct count over all events.
ALL = "all"
#: Channels that are counted one by one, beyond those that are asked for.
_CANDIDATES = 100
#: The most that a leaderboard takes at once.
_MOST_POINTS = 1e290

Columns = Mapping[str, Sequence[Any]]


@dataclass(frozen=True)
class Question:
    """What is asked of a stream of events.

    Parameters
    ----------
    points : mapping of str to float
        What an event of each kind earns; a kind that isn't named earns nothing.
    half_life_micros : int or None
        Microseconds in which scores and trends halve; None keeps them.
    windows : sequence of str
        Lengths of time to count distinct members in, beside all time.
    at : int or None
        The instant to answer for, in microseconds; later events don't count. None is the newest event.
    top : int
        Rows of each list.

    Raises
    ------
    InvalidArgument
        If points, windows or top make no sense.
    """

    points: Mapping[str, float] = field(default_factory=lambda: dict(POINTS))
    half_life_micros: int | None = 604_800_000_000
    windows: Sequence[str] = WINDOWS
    at: int | None = None
    top: int = 10

    def __post_init__(self) -> None:
        for kind, points in self.points.items():
            if not 0 <= points <= _MOST_POINTS:  # nan isn't either
                message = f"points of {kind} must be a number from 0 to {_MOST_POINTS:g}, got {points:g}"
                raise InvalidArgument(message)
        if not 1 <= self.top <= 10_000:
            message = f"top must be between 1 and 10000, got {self.top}"
            raise InvalidArgument(message)
        for text in self.windows:
            parse_duration(text, "window")

    @property
    def spans(self) -> dict[str, int]:
        """The windows that differ, each with its microseconds."""
        spans: dict[str, int] = {}
        for text in self.windows:
            micros = parse_duration(text, "window")
            if micros not in spans.values():
                spans[text.strip()] = micros
        return spans


class Answers:
    """The structures that answer a question, fed with events in the order in which they are stored.

    Parameters
    ----------
    question : Question
        What will be asked.

    Notes
    -----
    Every event of a member makes it distinct. Only events that earn points rank a member and move a channel: a
    channel's trend counts them, each as one, decayed. However the events are cut into calls of :meth:`feed`, the
    answers are the same.
    """

    def __init__(self, question: Question) -> None:
        self.question = question
        self.events = 0
        self.oldest: int | None = None
        self.newest: int | None = None
        micros = question.half_life_micros
        half_life = None if micros is None else timedelta(microseconds=micros)
        self._board = Leaderboard(half_life, order="member", max_skew=None)
        self._trends = TopK(question.top + _CANDIDATES, half_life=half_life, max_skew=None)
        self._members = HyperLogLog()
        self._windows = {
            name: DistinctWindow(timedelta(microseconds=span), max_skew=None) for name, span in question.spans.items()
        }

    def feed(self, columns: Columns) -> None:
        """Take events.

        Parameters
        ----------
        columns : mapping
            Equally long ``kind``, ``member``, ``channel`` and ``at_us`` (microseconds).
        """
        columns = self._until(columns)
        members, at = columns["member"], columns["at_us"]
        if not at:
            return
        self.events += len(at)
        oldest, newest = min(at), max(at)
        self.oldest = oldest if self.oldest is None else min(self.oldest, oldest)
        self.newest = newest if self.newest is None else max(self.newest, newest)
        seconds = [micros / 1e6 for micros in at]
        self._members.update(members)
        for window in self._windows.values():
            window.update(members, at=seconds)
        points = [self.question.points.get(kind, 0.0) for kind in columns["kind"]]
        if not any(points):
            return
        channels = columns["channel"]
        if not all(points):
            members, channels = list(compress(members, points)), list(compress(channels, points))
            seconds = list(compress(seconds, points))
            points = list(filter(None, points))
        self._board.update(members, points, at=seconds)
        if not all(channels):
            known = [not (channel is None or channel == "") for channel in channels]  # 0 is a channel
            seconds, channels = list(compress(seconds, known)), list(compress(channels, known))
        if channels:
            self._trends.update(channels, [1.0] * len(channels), at=seconds)

    def _until(self, columns: Columns) -> Columns:
        at = self.question.at
        if at is None or not columns["at_us"] or max(columns["at_us"]) <= at:
            return columns
        chosen = [micros <= at for micros in columns["at_us"]]
        return {name: list(compress(columns[name], chosen)) for name in ("kind", "member", "channel", "at_us")}

    @property
    def at(self) -> int | None:
        """The instant that the answers are for: the one asked for, or the newest event's; None if there is neither."""
        return self.newest if self.question.at is None else self.question.at

    def report(self) -> dict[str, Any]:
        """Return the answers as plain values: numbers, texts, lists and dicts."""
        at, half_life_micros = self.at, self.question.half_life_micros
        return {
            "at": None if at is None else iso(at),
            "events": self.events,
            "half_life": None if half_life_micros is None else format_duration(half_life_micros),
            "points": {kind: points for kind, points in sorted(self.question.points.items()) if points},
            "leaderboard": self.leaderboard(),
            "trending": self.trending(),
            "distinct": self.distinct(),
        }

    def leaderboard(self) -> list[dict[str, Any]]:
        """Return the first rows of the board."""
        return [
            {"rank": row.rank, "member": row.member, "score": row.score, "last_at": iso(round(row.last_at * 1e6))}
            for row in self._board.top(self.question.top, at=self._seconds())
        ]

    def trending(self) -> list[dict[str, Any]]:
        """Return the channels with most events that earned points, each with its bounds."""
        return [
            {"item": row.item, "estimate": row.estimate, "low": row.low, "high": row.high}
            for row in self._trends.top(self.question.top, at=self._seconds())
        ]

    def distinct(self) -> dict[str, dict[str, Any]]:
        """Return how many members did anything in each window and in all time, with bounds of two standard errors."""
        answers = {}
        for name, interval in self.intervals().items():
            window = self._windows.get(name)
            answer = self._members.answer() if window is None else window.answer(at=self._seconds())
            start, end = (None, None) if interval is None else map(iso, interval)
            answers[name] = dict(zip(("estimate", "low", "high"), answer, strict=True)) | {"start": start, "end": end}
        return answers

    def intervals(self) -> dict[str, tuple[int, int] | None]:
        """Return from when to when each distinct count speaks of; None without events and time.

        A window covers whole buckets of its resolution, its end not included; of the last bucket only what happened
        until :attr:`at` is there. The count over all events covers what is between the oldest and :attr:`at`.
        """
        if self.at is None:
            return dict.fromkeys([*self._windows, ALL])
        intervals: dict[str, tuple[int, int] | None] = {}
        for name, window in self._windows.items():
            start, end = window.interval(at=self._seconds())
            intervals[name] = (round(start * 1e6), round(end * 1e6))
        intervals[ALL] = (self.at if self.oldest is None else self.oldest, self.at)
        return intervals

    def _seconds(self) -> float:
        return (self.at or 0) / 1e6


def points_of(points: Iterable[str], base: Mapping[str, float] | None = None) -> dict[str, float]:
    """Return the default points, or those given, with ``kind=N`` texts put over them.

    Raises
    ------
    InvalidArgument
        If a text isn't a kind, ``=`` and a number.

    Examples
    --------
    >>> points_of(["reaction=0.5", "action=0"])
    {'message': 1.0, 'action': 0.0, 'direct': 1.0, 'reaction': 0.5}
    """
    merged = dict(POINTS if base is None else base)
    for text in points:
        kind, equals, number = text.rpartition("=")
        try:
            merged[kind.strip()] = float(number.replace("_", "no digit"))
        except ValueError:
            equals = ""
        if not equals or not kind.strip():
            message = f"points must be KIND=NUMBER, got {text!r}"
            raise InvalidArgument(message)
    return merged

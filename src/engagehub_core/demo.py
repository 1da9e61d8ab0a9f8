"""A seeded stream of community events for demonstrations, examples and tests.

The shape follows real chat logs (docs/guides/demo-stream.md has the figures): a few members speak most of the rows,
talk comes in conversations, days and weeks have their rhythm, members join, leave and stay away, and most channels are
stamped to the minute, so that many rows share a stamp and some equal an earlier row. Members and channels are invented.

The same arguments give the same rows on every platform and Python version. Of the ``random`` module only ``random()``
after an integer seed is used, the one sequence that its documentation promises to keep; what is drawn from it uses
whole numbers, ``+ - * /`` and ``math.sqrt``, which IEEE 754 rounds in one way only. ``exp``, ``log`` and ``**`` of
floats are not used: their last bit is the platform's own.
"""

from __future__ import annotations

import csv
import gzip
import heapq
import io
import math
from bisect import bisect_right
from collections import deque
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from pathlib import Path
from random import Random
from typing import IO, TYPE_CHECKING, NamedTuple, cast

from engagehub_core.errors import InvalidArgument, InvalidType

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator

__all__ = ["CHANNELS", "START", "Row", "generate", "write_demo"]

#: Monday 5 January 2026, 00:00 UTC.
START = 1_767_571_200
#: The channels, most popular first.
CHANNELS = ("general", "help", "random", "showcase", "projects", "events", "feedback", "offtopic")

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
_LATEST = 253_402_300_799  # the last second of the year 9999
# Popularity of the channels in thousandths. One is stamped to the second, the rest to the minute, as IRC bridges do it.
_POPULARITY = (540, 165, 100, 75, 50, 35, 20, 15)
_TO_THE_SECOND = frozenset({CHANNELS.index("help")})
# Talk by hour of the day (UTC) and by day of the week from Monday, in hundredths of the mean.
_HOURS = (88, 68, 52, 42, 36, 34, 38, 50, 72, 96, 116, 128, 132, 136, 146, 156, 164, 170, 166, 152, 138, 128, 118, 104)
_WEEKDAYS = (108, 120, 132, 130, 112, 50, 46)
# Of a thousand rows, this many go to joins, leaves and renames.
_TRAFFIC = 486
_RENAME, _ACTION = 1 / 34, 1 / 18
# A logger misses some joins and leaves; who speaks has often been there since before the log.
_UNSEEN_JOIN, _UNSEEN_LEAVE, _UNSEEN_SPEAKER = 0.045, 0.035, 0.15
# Share of the traffic that is kept back for outages, when many leave at once.
_SPLIT = 0.05
# Sessions are log-logistic: this median, a tail like 1 / length, an end after two weeks.
_SESSION_MEDIAN, _SESSION_LONGEST = 115 * _MINUTE, 14 * _DAY


class Row(NamedTuple):
    """One event of the stream: whole Unix seconds (UTC), a member, a channel, and what the member did."""

    timestamp: int
    user_id: str
    channel: str
    kind: str


def generate(
    *, members: int = 2_000, events: int = 100_000, seed: int = 1, days: int = 90, start: int | datetime = START
) -> Iterator[Row]:
    """Return an iterator over the rows of an invented community, in the order of time.

    Parameters
    ----------
    members : int, default 2000
        How many members there are; with ten or more events for each, nearly all of them appear.
    events : int, default 100000
        How many rows, exactly.
    seed : int, default 1
        From 0 to 2**64 - 1. The same arguments give the same rows everywhere; another seed gives another community.
    days : int, default 90
        Length of the stream; all rows lie within it.
    start : int or datetime.datetime, default START
        The first instant: whole Unix seconds, or an aware datetime. It's rounded up to a whole minute.

    Returns
    -------
    Iterator of Row
        Timestamps never decrease. Kinds are message, action, join, leave and rename.

    Raises
    ------
    InvalidType
        If a number isn't an int, or `start` is neither an int nor a datetime.
    InvalidArgument
        If an argument is out of its range, or `start` is a naive datetime.

    Notes
    -----
    Memory grows with the members and with the rows of one minute, never with the length of the stream.
    Thread safety: each iterator belongs to one thread.

    Examples
    --------
    >>> rows = list(generate(members=20, events=500, seed=7, days=3))
    >>> len(rows), len({row.user_id for row in rows}) <= 20, rows == sorted(rows, key=lambda row: row.timestamp)
    (500, True, True)
    """
    _check("members", members, 1, 10_000_000)
    _check("events", events, 0, 10_000_000_000)
    _check("seed", seed, 0, 2**64 - 1)
    _check("days", days, 1, 36_525)
    if isinstance(start, datetime):
        if start.utcoffset() is None:
            message = f"start must be an aware datetime, got the naive {start!r}"
            raise InvalidArgument(message)
        start = -((datetime(1970, 1, 1, tzinfo=UTC) - start) // timedelta(seconds=1))
    elif not isinstance(start, int) or isinstance(start, bool):
        message = f"start must be an int of Unix seconds or an aware datetime, got {type(start).__name__}"
        raise InvalidType(message)
    _check("start", start, 0, _LATEST - days * _DAY - _MINUTE)
    return _rows(members, events, seed, days * _DAY // _MINUTE, -(-start // _MINUTE))


def write_demo(
    path: str | os.PathLike[str], *, members: int = 2_000, events: int = 100_000, seed: int = 1, days: int = 90
) -> Path:
    r"""Write an invented community's stream as CSV, gzipped if the name ends in ``.gz``.

    Parameters
    ----------
    path : str or os.PathLike
        The file to write; one that exists is replaced.
    members, events, seed, days : int
        As in :func:`generate`.

    Returns
    -------
    pathlib.Path
        The path.

    Raises
    ------
    InvalidType, InvalidArgument
        As in :func:`generate`; then no file is touched.
    OSError
        If the file can't be written.

    Notes
    -----
    Lines end in ``\n``. No time and no name goes into a gzip header, so equal arguments give equal bytes with one build
    of zlib, and the same text with all of them.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     text = write_demo(Path(folder) / "demo.csv", members=20, events=500, days=3).read_text()
    >>> text.splitlines()[0], text.count("\n")
    ('timestamp,user_id,channel,kind', 501)
    """
    rows = generate(members=members, events=events, seed=seed, days=days)
    target = Path(path)
    with ExitStack() as stack:
        file: IO[bytes] = stack.enter_context(target.open("wb"))
        if target.suffix == ".gz":
            packed = gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=file, mtime=0)
            file = stack.enter_context(cast("IO[bytes]", packed))
        text = stack.enter_context(io.TextIOWrapper(file, encoding="ascii", newline=""))
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(Row._fields)
        writer.writerows(rows)
    return target


def _check(argument: str, value: object, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        message = f"{argument} must be an int, got {type(value).__name__}"
        raise InvalidType(message)
    if not low <= value <= high:
        message = f"{argument} must be between {low} and {high}, got {value}"
        raise InvalidArgument(message)


def _stream(seed: int, number: int) -> Callable[[], float]:
    """Return one of three independent sequences of a seed; none is shared with another seed."""
    return Random(3 * seed + number).random  # noqa: S311 - repeatable on purpose


def _below(draw: Callable[[], float], count: int) -> int:
    """Return a whole number from 0 to count - 1."""
    return int(draw() * count)


def _odds(draw: Callable[[], float]) -> float:
    """Return a log-logistic number: median 1, and 1 time in n it's above n - 1."""
    share = draw()
    return share / (1.0 - share)


class _Table:
    """Draws keys by whole-number weights."""

    def __init__(self, keys: list[int], weights: list[int]) -> None:
        self.keys = keys
        self.sums = list(accumulate(weights))

    def pick(self, draw: Callable[[], float]) -> int:
        return self.keys[bisect_right(self.sums, _below(draw, self.sums[-1]))]


def _weather(draw: Callable[[], float], first_minute: int, minutes: int) -> Iterator[tuple[int, int]]:
    """Yield how much talk and how much traffic each minute draws, as whole-number weights.

    A conversation adds its heat to the talk of the minutes that it lasts; heat and length are heavy-tailed.
    """
    heat = 0
    cooling: dict[int, int] = {}
    cycle = 0
    for minute in range(first_minute, first_minute + minutes):
        if minute % 60 == 0 or not cycle:
            hour = minute // 60
            cycle = _HOURS[hour % 24] * _WEEKDAYS[(hour // 24 + 3) % 7]  # 1 January 1970 was a Thursday
        heat -= cooling.pop(minute, 0)
        if draw() < 0.012:
            added = min(3_000, int(60 / math.sqrt(1.0 - draw())))
            ends = minute + 1 + int(min(600.0, 20 * _odds(draw)))
            cooling[ends] = cooling.get(ends, 0) + added
            heat += added
        yield (
            cycle * (2 + heat) * (1 + int(min(800.0, 8 * _odds(draw)))),
            (cycle + 6_000) * (1 + int(min(400.0, 8 * _odds(draw)))),
        )


class _Community:
    """Who there is, who is in which channel, and who does the next thing.

    A place is one member in one channel, kept as member * len(CHANNELS) + channel.
    """

    def __init__(self, members: int, draw: Callable[[], float], first: int, span: int) -> None:
        self.draw = draw
        self.span = span
        self.popular = _Table(list(range(len(CHANNELS))), list(_POPULARITY))
        self._found(members, first)
        self.come = 0  # members before this one have arrived
        self.newcomers: deque[int] = deque()
        # Places: where each lies in `inside`, when its session ends, and the end under which the heap knows it.
        self.inside: list[int] = []
        self.index: dict[int, int] = {}
        self.ends: dict[int, int] = {}
        self.known_end: dict[int, int] = {}
        self.heap: list[tuple[int, int]] = []
        # Talk: where it is, and by channel the last speakers, the last instant, and who came in order to speak.
        self.channel = 0
        self.recent: list[deque[int]] = [deque(maxlen=6) for _ in CHANNELS]
        self.last_talk = [0] * len(CHANNELS)
        self.waiting: list[deque[int]] = [deque() for _ in CHANNELS]
        self.owed_talk = 0
        self.tables_day = -1

    def _found(self, members: int, first: int) -> None:
        """Draw everybody's life: arrival, last day, channels, and how much they come and speak."""
        draw, span = self.draw, self.span
        core = max(1, members // 40)
        arrivals = [0] * core
        for _ in range(members - core):
            early = draw() < 0.16
            arrivals.append(int(draw() * span * (0.07 if early else 0.985)))
        arrivals.sort()
        self.arrives = [first + arrival for arrival in arrivals]
        self.gone = []
        self.visits = []
        self.channels: list[list[int]] = []
        for member, arrival in enumerate(self.arrives):
            if member < core:
                leaves_for_good = member > 0 and draw() < 0.25
                self.gone.append(first + int(span * (0.2 + draw())) if leaves_for_good else first + 2 * span)
                self.visits.append(3_000 + int(min(40.0, _odds(draw)) * 3_000))
            elif draw() < 0.42:
                self.gone.append(arrival + _HOUR + int(draw() * 12 * _HOUR))
                self.visits.append(300)
            else:
                self.gone.append(arrival + _DAY + int(min(100.0, _odds(draw)) * span * 0.7))
                self.visits.append(100 + int(min(100.0, _odds(draw)) * 1_000))
            home = self.popular.pick(draw)
            others = {self.popular.pick(draw)} - {home} if draw() < (0.8 if member < core else 0.45) else set()
            self.channels.append([home, *others])
        # The core holds the first ranks of talk; two in five members may speak.
        ranks = [*self._shuffled(core), *(core + rank for rank in self._shuffled(members - core))]
        speakers = members * 42 // 100
        self.speech = [self._weight(rank, members) if rank < speakers else 0 for rank in ranks]
        self.speech[0] = self._weight(0, members)  # the first member never leaves and always has something to say

    def _shuffled(self, count: int) -> list[int]:
        items = list(range(count))
        for last in range(count - 1, 0, -1):
            other = _below(self.draw, last + 1)
            items[last], items[other] = items[other], items[last]
        return items

    @staticmethod
    def _weight(rank: int, members: int) -> int:
        """Zipf and Mandelbrot's law: 1 / (rank + offset)^1.5."""
        x = rank + 3.0 + members / 1_000
        return 1 + int(1e12 / (x * math.sqrt(x)))

    def turn_day(self, now: int) -> None:
        """Let the arrived in, and count afresh who may come and who may speak."""
        while self.come < len(self.arrives) and self.arrives[self.come] <= now:
            self.newcomers.append(self.come)
            self.come += 1
        if now // _DAY == self.tables_day:
            return
        self.tables_day = now // _DAY
        here = [member for member in range(self.come) if self.gone[member] > now]
        size = len(CHANNELS)
        places = [member * size + channel for member in here for channel in self.channels[member]]
        self.comers = _Table(places, [self.visits[place // size] for place in places])
        talking = [place for place in places if self.speech[place // size]]
        self.speakers: list[_Table | None] = []
        for channel in range(size):
            keys = [place for place in talking if place % size == channel]
            # Talk in a second channel is a third of that at home.
            at_home = [self.channels[key // size][0] == channel for key in keys]
            weights = [self.speech[key // size] * (3 if home else 1) for key, home in zip(keys, at_home, strict=True)]
            self.speakers.append(_Table(keys, weights) if keys else None)

    def enter(self, place: int, now: int) -> None:
        member = place // len(CHANNELS)
        end = now + _MINUTE + int(min(float(_SESSION_LONGEST), _SESSION_MEDIAN * _odds(self.draw)))
        if self.gone[member] > now:
            end = min(end, self.gone[member])
        self.index[place] = len(self.inside)
        self.inside.append(place)
        self.ends[place] = self.known_end[place] = end
        heapq.heappush(self.heap, (end, place))
        if len(self.heap) > 64 + 4 * len(self.inside):  # mostly ends of sessions that were cut short
            self.heap = [(end, place) for place, end in self.known_end.items()]
            heapq.heapify(self.heap)

    def exit(self, place: int) -> None:
        hole, moved = self.index.pop(place), self.inside.pop()
        if moved != place:
            self.inside[hole] = moved
            self.index[moved] = hole
        del self.ends[place], self.known_end[place]

    def _due(self, now: int) -> int | None:
        """Return a place whose session has ended, if there is one."""
        while self.heap and self.heap[0][0] <= now:
            end, place = heapq.heappop(self.heap)
            if self.known_end.get(place) != end:
                continue  # it left otherwise
            if self.ends[place] > now:  # it spoke meanwhile and stays on
                self.known_end[place] = self.ends[place]
                heapq.heappush(self.heap, (self.ends[place], place))
                continue
            return place
        return None

    def _comer(self) -> int | None:
        """Return a place that somebody may enter, None when nobody is found outside."""
        draw, size = self.draw, len(CHANNELS)
        while self.newcomers and (len(self.newcomers) > 20 or draw() < 0.5):
            member = self.newcomers.popleft()
            place = member * size + self.channels[member][0]
            if place not in self.ends:
                if self.speech[member]:
                    self.waiting[place % size].append(place)
                return place
        for _ in range(12):
            place = self.comers.pick(draw)
            if place not in self.ends:
                return place
        return None

    def traffic(self, now: int) -> tuple[int, str]:
        """Return who joins, leaves or is renamed next."""
        draw = self.draw
        if self.owed_talk:
            self.owed_talk -= 1
            return self.talk(now)
        if self.inside and draw() < _RENAME:
            return self.inside[_below(draw, len(self.inside))], "rename"
        while (place := self._due(now)) is not None:
            self.exit(place)
            if draw() >= _UNSEEN_LEAVE:
                return place, "leave"
        while (place := self._comer()) is not None:
            self.enter(place, now)
            if draw() >= _UNSEEN_JOIN:
                return place, "join"
        place = self.inside[_below(draw, len(self.inside))]
        self.exit(place)
        return place, "leave"

    def talk(self, now: int) -> tuple[int, str]:
        """Return who says something next, or who joins in order to: they speak in place of later traffic."""
        draw = self.draw
        if draw() < 0.1 or now - self.last_talk[self.channel] > 20 * _MINUTE or not self.speakers[self.channel]:
            self.channel = self.popular.pick(draw)
        channel = self.channel
        speakers = self.speakers[channel]
        if speakers is None:
            channel, speakers = next((number, table) for number, table in enumerate(self.speakers) if table is not None)
            self.channel = channel
        recent = self.recent[channel]
        place = -1
        if self.waiting[channel] and draw() < 0.7:
            place = self.waiting[channel].popleft()
        elif recent and now - self.last_talk[channel] <= 30 * _MINUTE:
            share = draw()
            if share < 0.32:
                place = recent[-1]
            elif share < 0.59:
                place = next((earlier for earlier in reversed(recent) if earlier != recent[-1]), -1)
            elif share < 0.72:
                place = recent[_below(draw, len(recent))]
        if place not in self.ends:
            place = speakers.pick(draw)
            if place not in self.ends:
                self.enter(place, now)
                if draw() >= _UNSEEN_SPEAKER:
                    self.waiting[channel].append(place)
                    self.owed_talk += 1
                    return place, "join"
        stays = now + int(min(float(_SESSION_LONGEST), _SESSION_MEDIAN * _odds(draw)))
        self.ends[place] = max(self.ends[place], stays)
        recent.append(place)
        self.last_talk[channel] = now
        return place, "action" if draw() < _ACTION else "message"


class _Outages:
    """Keeps back a share of the traffic for outages, when many leave at once and soon return."""

    def __init__(self, draw: Callable[[], float], first_minute: int, minutes: int) -> None:
        self.draw = draw
        self.end = first_minute + minutes
        self.closing = self.end - minutes // 32  # from here on nothing is kept back, and what was kept is spent
        self.kept = 0
        self.outside: list[int] = []
        self.return_minute = -1
        self.size = self._next_size()

    def _next_size(self) -> int:
        return 30 + int(min(220.0, 60 * _odds(self.draw)))

    def leave_of(self, slots: int, minute: int) -> int:
        """Return how many of a minute's slots for traffic are to be used now."""
        if minute < self.closing:
            held = sum(self.draw() < _SPLIT for _ in range(slots))
            self.kept += held
            return slots - held
        if self.outside:
            return slots
        spent = -(-self.kept // (self.end - minute))
        self.kept -= spent
        return slots + spent

    def is_due(self, minute: int, present: int) -> bool:
        """Say whether many leave or return in this minute; they leave only if the rows for both are there."""
        if self.outside:
            return minute == self.return_minute
        return minute < self.closing and self.kept >= 2 * self.size and present >= 2 * self.size

    def strike(self, community: _Community, minute: int) -> Iterator[tuple[int, str]]:
        """Yield who leaves, or, after an outage, who returns."""
        if self.outside:
            for place in self.outside:
                if place in community.ends:  # came back already
                    self.kept += 1
                else:
                    community.enter(place, minute * _MINUTE)
                    yield place, "join"
            self.outside = []
            return
        self.kept -= 2 * self.size
        for _ in range(self.size):
            place = community.inside[_below(self.draw, len(community.inside))]
            community.exit(place)
            self.outside.append(place)
            yield place, "leave"
        self.return_minute = minute + 2 + _below(self.draw, 8)
        self.size = self._next_size()


def _quotas(events: int, seed: int, first_minute: int, minutes: int) -> Iterator[tuple[int, int, int]]:
    """Yield each minute with its rows of talk and traffic: differences of rounded running sums, so totals are exact."""
    traffic_events = events * _TRAFFIC // 1_000
    talk_events = events - traffic_events
    talk_total = traffic_total = 0
    for talk, traffic in _weather(_stream(seed, 0), first_minute, minutes):
        talk_total += talk
        traffic_total += traffic
    talk_sum = traffic_sum = talk_done = traffic_done = 0
    weather = _weather(_stream(seed, 0), first_minute, minutes)
    for minute, (talk, traffic) in enumerate(weather, first_minute):
        talk_sum += talk
        traffic_sum += traffic
        talk_rows = talk_events * talk_sum // talk_total - talk_done
        traffic_rows = traffic_events * traffic_sum // traffic_total - traffic_done
        talk_done += talk_rows
        traffic_done += traffic_rows
        yield minute, talk_rows, traffic_rows


def _rows(members: int, events: int, seed: int, minutes: int, first_minute: int) -> Iterator[Row]:
    width = max(4, len(str(members)))
    size = len(CHANNELS)
    community = _Community(members, _stream(seed, 1), first_minute * _MINUTE, minutes * _MINUTE)
    draw = _stream(seed, 2)
    outages = _Outages(draw, first_minute, minutes)
    for minute, talk_slots, traffic_slots in _quotas(events, seed, first_minute, minutes):
        traffic_rows = outages.leave_of(traffic_slots, minute)
        strikes = outages.is_due(minute, len(community.inside))
        talk_rows = talk_slots
        if not (talk_rows or traffic_rows or strikes):
            continue
        now = minute * _MINUTE
        community.turn_day(now)
        acts: list[tuple[int, str]] = []
        for left in range(talk_rows + traffic_rows, 0, -1):
            if _below(draw, left) < talk_rows:
                talk_rows -= 1
                acts.append(community.talk(now))
            else:
                acts.append(community.traffic(now))
        if strikes:
            acts.extend(outages.strike(community, minute))
        exact = [act for act in acts if act[0] % size in _TO_THE_SECOND]
        seconds = sorted([_below(draw, 60) for _ in exact])
        for place, kind in acts:
            if place % size not in _TO_THE_SECOND:
                yield Row(now, f"m{place // size + 1:0{width}d}", CHANNELS[place % size], kind)
        for (place, kind), second in zip(exact, seconds, strict=True):
            yield Row(now + second, f"m{place // size + 1:0{width}d}", CHANNELS[place % size], kind)

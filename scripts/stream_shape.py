"""Measure the shape of event streams and print the figures side by side.

Usage: python scripts/stream_shape.py FILE [FILE ...]

A file is CSV or CSV.gz with the header ``timestamp,user_id,channel_or_target,kind`` (or ``channel`` in its place) and
whole Unix seconds that never decrease. The table names each figure in the words of ``FIGURES`` below.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import math
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

DAY = 86_400
HOUR = 3_600
SPOKEN = frozenset({"message", "action", "direct"})
HEADERS = ("timestamp,user_id,channel_or_target,kind", "timestamp,user_id,channel,kind")

#: What each figure means, in the order in which the table shows them.
FIGURES = {
    "rows": "rows",
    "members": "distinct members",
    "days": "days from the first row to the last",
    "rows_per_day": "rows a day",
    "share_message": "share of messages (or direct)",
    "share_action": "share of actions",
    "share_join": "share of joins",
    "share_leave": "share of leaves",
    "share_rename": "share of renames",
    "top_1_percent": "share of the spoken rows by the busiest 1 % of the speakers",
    "top_10_percent": "share of the spoken rows by the busiest 10 % of the speakers",
    "top_speaker": "share of the spoken rows by the busiest speaker",
    "speakers": "share of the members who ever speak",
    "spoke_once": "share of the speakers with one spoken row",
    "zipf": "Zipf exponent: slope of log count on log rank, speakers ranked 5 to 200",
    "channels": "distinct channels (or targets)",
    "top_channel": "share of the busiest channel",
    "second_channel": "share of the second busiest channel",
    "channels_per_member": "channels a member is seen in, mean",
    "whole_minute": "share of rows on a whole minute",
    "equal_stamp": "share of rows with the stamp of the row before",
    "largest_stamp": "most rows on one stamp",
    "equal_row": "share of rows equal to an earlier row",
    "peak_hour": "busiest hour of the day over the mean hour, spoken rows",
    "low_hour": "quietest hour of the day over the mean hour, spoken rows",
    "weekend": "spoken rows on a Saturday or Sunday over those on a weekday",
    "gap_median": "gap between rows of a channel, median seconds",
    "gap_90": "gap between rows of a channel, 90th percentile, seconds",
    "gap_99": "gap between rows of a channel, 99th percentile, seconds",
    "burstiness": "burstiness of those gaps, (sd - mean) / (sd + mean): 0 is Poisson, 1 the limit",
    "fano_hour": "variance over mean of the spoken rows an hour",
    "same_speaker": "spoken rows whose speaker also spoke the row before in the channel",
    "ping_pong": "spoken rows whose speaker spoke the last but one in the channel, but not the last",
    "leave_without_join": "share of leaves without an open join of that member in that channel",
    "join_while_in": "share of joins while a join is open",
    "spoken_without_join": "share of the spoken rows without an open join",
    "session_median": "length of a session from join to leave, median minutes",
    "session_90": "length of a session from join to leave, 90th percentile, minutes",
    "session_silent": "share of the sessions without a spoken row",
    "seen_by_half": "share of the members first seen in the first half of the span",
    "seen_by_tenth": "share of the members first seen in the first tenth of the span",
    "gone_by_half": "share of the members last seen in the first half of the span",
    "one_day": "share of the members whose first and last row are within a day",
}
WHOLE = frozenset({"rows", "members", "channels", "largest_stamp"})


def read(path: Path) -> Iterator[tuple[int, str, str, str]]:
    """Yield (timestamp, member, channel, kind) of a CSV or CSV.gz file."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        header = next(rows, [])
        if ",".join(header) not in HEADERS:
            message = f"{path}: expected the header timestamp,user_id,channel_or_target,kind, got {','.join(header)}"
            raise ValueError(message)
        for stamp, member, channel, kind in rows:
            yield int(stamp), member, channel, kind


def quantile(ordered: list[int], share: float) -> float:
    """Return the value at that share of a sorted list, NaN of an empty one."""
    return float(ordered[min(len(ordered) - 1, int(share * len(ordered)))]) if ordered else math.nan


def slope(points: list[tuple[float, float]]) -> float:
    """Return the least-squares slope of y on x, NaN with fewer than three points."""
    if len(points) < 3:
        return math.nan
    mean_x = math.fsum(x for x, _ in points) / len(points)
    mean_y = math.fsum(y for _, y in points) / len(points)
    return math.fsum((x - mean_x) * (y - mean_y) for x, y in points) / math.fsum((x - mean_x) ** 2 for x, _ in points)


def ratio(part: float, whole: float) -> float:
    """Return part / whole, NaN where there is no whole."""
    return part / whole if whole else math.nan


def activity(spoken: Counter[str], members: int) -> dict[str, float]:
    """Return how unevenly the spoken rows fall on the speakers."""
    counts = [count for _, count in spoken.most_common()]
    total = sum(counts)
    ranked = [(math.log(rank), math.log(count)) for rank, count in enumerate(counts[:200], 1) if rank >= 5]
    return {
        "top_1_percent": ratio(sum(counts[: math.ceil(len(counts) / 100)]), total),
        "top_10_percent": ratio(sum(counts[: math.ceil(len(counts) / 10)]), total),
        "top_speaker": ratio(counts[0] if counts else 0, total),
        "speakers": ratio(len(counts), members),
        "spoke_once": ratio(counts.count(1), len(counts)),
        "zipf": -slope(ranked),
    }


def cycles(hourly: Counter[int]) -> dict[str, float]:
    """Return the daily and weekly cycle and the clumping of the counts by hour since 1970."""
    if not hourly:  # nothing was said
        return dict.fromkeys(("peak_hour", "low_hour", "weekend", "fano_hour"), math.nan)
    of_day, of_week, weekdays = [0] * 24, [0] * 7, [0] * 7
    first, last = min(hourly), max(hourly)
    for hour in range(first, last + 1):
        of_day[hour % 24] += hourly[hour]
        of_week[(hour // 24 + 3) % 7] += hourly[hour]  # 1 January 1970 was a Thursday; Monday is 0
        weekdays[(hour // 24 + 3) % 7] += 1
    total, hours = sum(of_day), last - first + 1
    mean = total / hours
    variance = math.fsum((hourly[hour] - mean) ** 2 for hour in range(first, last + 1)) / hours
    return {
        "peak_hour": max(of_day) * 24 / total,
        "low_hour": min(of_day) * 24 / total,
        "weekend": ratio(ratio(sum(of_week[5:]), sum(weekdays[5:])), ratio(sum(of_week[:5]), sum(weekdays[:5]))),
        "fano_hour": variance / mean,
    }


class Stamps:
    """How rows share stamps, and how they follow each other in a channel."""

    def __init__(self) -> None:
        self.rows = self.start = self.last = 0
        self.whole_minute = self.equal_stamp = self.equal_row = self.largest = 0
        self.here: Counter[tuple[str, str, str]] = Counter()
        self.channels: Counter[str] = Counter()
        self.last_in: dict[str, int] = {}
        self.gaps: list[int] = []

    def add(self, stamp: int, member: str, channel: str, kind: str) -> None:
        """Count one row."""
        if self.rows and stamp == self.last:
            self.equal_stamp += 1
        else:
            if self.rows and stamp < self.last:
                message = f"row {self.rows + 1}: timestamps must not decrease, got {stamp} after {self.last}"
                raise ValueError(message)
            self.start = self.start if self.rows else stamp
            self.largest = max(self.largest, self.here.total())
            self.here.clear()
        self.last = stamp
        self.rows += 1
        row = (member, channel, kind)
        self.equal_row += row in self.here
        self.here[row] += 1
        self.whole_minute += stamp % 60 == 0
        self.channels[channel] += 1
        if channel in self.last_in:
            self.gaps.append(stamp - self.last_in[channel])
        self.last_in[channel] = stamp

    def figures(self) -> dict[str, float]:
        """Return what was counted."""
        gaps = sorted(self.gaps)
        mean = ratio(sum(gaps), len(gaps))
        deviation = math.sqrt(ratio(math.fsum((gap - mean) ** 2 for gap in gaps), len(gaps)))
        popular = [*(count for _, count in self.channels.most_common(2)), 0, 0]
        span = self.last - self.start
        return {
            "rows": self.rows,
            "days": span / DAY,
            "rows_per_day": ratio(self.rows * DAY, span),
            "channels": len(self.channels),
            "top_channel": ratio(popular[0], self.rows),
            "second_channel": ratio(popular[1], self.rows),
            "whole_minute": ratio(self.whole_minute, self.rows),
            "equal_stamp": ratio(self.equal_stamp, self.rows),
            "largest_stamp": max(self.largest, self.here.total()),
            "equal_row": ratio(self.equal_row, self.rows),
            "gap_median": quantile(gaps, 0.5),
            "gap_90": quantile(gaps, 0.9),
            "gap_99": quantile(gaps, 0.99),
            "burstiness": ratio(deviation - mean, deviation + mean),
        }


class Lives:
    """When members come and go, and where they are seen."""

    def __init__(self) -> None:
        self.first: dict[str, int] = {}
        self.last: dict[str, int] = {}
        self.places: set[tuple[str, str]] = set()

    def add(self, stamp: int, member: str, channel: str) -> None:
        """Count one row."""
        self.first.setdefault(member, stamp)
        self.last[member] = stamp
        self.places.add((member, channel))

    def figures(self, start: int, end: int) -> dict[str, float]:
        """Return what was counted between two instants."""
        members, span = len(self.first), end - start
        return {
            "members": members,
            "channels_per_member": ratio(len(self.places), members),
            "seen_by_half": ratio(sum(2 * (stamp - start) < span for stamp in self.first.values()), members),
            "seen_by_tenth": ratio(sum(10 * (stamp - start) < span for stamp in self.first.values()), members),
            "gone_by_half": ratio(sum(2 * (stamp - start) < span for stamp in self.last.values()), members),
            "one_day": ratio(sum(self.last[member] - stamp < DAY for member, stamp in self.first.items()), members),
        }


class Behaviour:
    """Who speaks after whom, and how joins and leaves pair up."""

    def __init__(self) -> None:
        self.kinds: Counter[str] = Counter()
        self.spoken: Counter[str] = Counter()
        self.hourly: Counter[int] = Counter()
        self.speakers: defaultdict[str, tuple[str, str]] = defaultdict(lambda: ("", ""))
        self.same = self.ping_pong = 0
        self.open: dict[tuple[str, str], tuple[int, bool]] = {}
        self.lengths: list[int] = []
        self.leave_alone = self.join_again = self.spoken_alone = self.silent = 0

    def add(self, stamp: int, member: str, channel: str, kind: str) -> None:
        """Count one row."""
        self.kinds[kind] += 1
        place = (member, channel)
        if kind in SPOKEN:
            self._speak(stamp, place)
        elif kind == "join":
            self.join_again += place in self.open
            self.open[place] = (stamp, False)
        elif kind == "leave":
            if place in self.open:
                joined, spoke = self.open.pop(place)
                self.lengths.append(stamp - joined)
                self.silent += not spoke
            else:
                self.leave_alone += 1

    def _speak(self, stamp: int, place: tuple[str, str]) -> None:
        member, channel = place
        self.spoken[member] += 1
        self.hourly[stamp // HOUR] += 1
        last, last_but_one = self.speakers[channel]
        self.same += last == member
        self.ping_pong += last_but_one == member != last
        self.speakers[channel] = (member, last)
        if place in self.open:
            self.open[place] = (self.open[place][0], True)
        else:
            self.spoken_alone += 1

    def figures(self, rows: int, members: int) -> dict[str, float]:
        """Return what was counted."""
        lengths, total = sorted(self.lengths), self.spoken.total()
        kinds = self.kinds
        return {
            "share_message": ratio(kinds["message"] + kinds["direct"], rows),
            **{f"share_{kind}": ratio(kinds[kind], rows) for kind in ("action", "join", "leave", "rename")},
            **activity(self.spoken, members),
            **cycles(self.hourly),
            "same_speaker": ratio(self.same, total),
            "ping_pong": ratio(self.ping_pong, total),
            "leave_without_join": ratio(self.leave_alone, kinds["leave"]),
            "join_while_in": ratio(self.join_again, kinds["join"]),
            "spoken_without_join": ratio(self.spoken_alone, total) if kinds["join"] else math.nan,
            "session_median": quantile(lengths, 0.5) / 60,
            "session_90": quantile(lengths, 0.9) / 60,
            "session_silent": ratio(self.silent, len(lengths)),
        }


def measure(rows: Iterable[tuple[int, str, str, str]]) -> dict[str, float]:
    """Return every figure of FIGURES for rows in time order; a figure that the stream doesn't have is NaN."""
    stamps, lives, behaviour = Stamps(), Lives(), Behaviour()
    for stamp, member, channel, kind in rows:
        stamps.add(stamp, member, channel, kind)
        lives.add(stamp, member, channel)
        behaviour.add(stamp, member, channel, kind)
    figures = {
        **stamps.figures(),
        **lives.figures(stamps.start, stamps.last),
        **behaviour.figures(stamps.rows, len(lives.first)),
    }
    return {name: figures[name] for name in FIGURES}


def shown(name: str, value: float) -> str:
    """Return a figure as the table prints it."""
    if math.isnan(value):
        return "-"
    if name in WHOLE:
        return f"{value:,.0f}"
    return f"{value:,.1f}" if abs(value) >= 10 else f"{value:.3f}"


def main(arguments: list[str] | None = None) -> int:
    """Print the table; return the exit code."""
    parser = argparse.ArgumentParser(description="Measure the shape of event streams, side by side.")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="CSV or CSV.gz")
    files: list[Path] = parser.parse_args(arguments).files
    measured = []
    for file in files:
        try:
            measured.append(measure(read(file)))
        except (OSError, EOFError, ValueError) as error:
            print(f"stream_shape: {error}", file=sys.stderr)
            return 1
    cells = [["figure", *(file.name for file in files)]]
    cells += [[text, *(shown(name, one[name]) for one in measured)] for name, text in FIGURES.items()]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for position, (label, *values) in enumerate(cells):
        print("| " + " | ".join([label.ljust(widths[0]), *map(str.rjust, values, widths[1:])]) + " |")
        if position == 0:
            print("|-" + "-" * widths[0] + "-|" + "".join(f"{'-' * (width + 1)}:|" for width in widths[1:]))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

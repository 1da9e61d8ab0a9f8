"""A real stream through an EventProcessor: rows, boards and distinct counts are the exact answers.

The whole stream of the IRC channels goes in, or the first ENGAGEHUB_TEST_STREAM_EVENTS of it (100,000 unless set).
"""

from __future__ import annotations

import csv
import gzip
import itertools
import math
import os
import random
import sqlite3
import threading
from collections import Counter
from typing import NamedTuple

import pytest
from processing import check, run_threads
from waiting import PATIENCE

from engagehub_core import BoardSpec, EventProcessor, TrendSpec, WindowSpec
from engagehub_core.sinks.sqlite import SqliteSink

IRC = "irc-webstandards-2008-2010.csv.gz"
EVENTS = int(os.environ.get("ENGAGEHUB_TEST_STREAM_EVENTS", "100000"))
POINTS = {"message": 1.0, "action": 2.0, "join": 0.5}
HALF_LIFE = 7 * 86_400
PART = 500

pytestmark = [
    pytest.mark.timeout(max(300, EVENTS // 1_000)),
    pytest.mark.thread_unsafe(reason="starts threads of its own"),
]


class Row(NamedTuple):
    id: int
    at: int
    member: int
    channel: str
    kind: str


@pytest.fixture(scope="module")
def rows(data_folder):
    """Return the stream with ids in the order of the file."""
    path = data_folder / IRC
    if not path.is_file():
        pytest.skip(f"{path} doesn't exist")
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        lines = itertools.islice(csv.DictReader(file), EVENTS)
        return [
            Row(n, int(line["timestamp"]), int(line["user_id"]), line["channel_or_target"], line["kind"])
            for n, line in enumerate(lines)
        ]


def columns_of(part):
    return {"community": "irc", **dict(zip(Row._fields, zip(*part, strict=True), strict=True))}


def make(sink, last, workers):
    return EventProcessor(
        sink,
        boards={"points": BoardSpec(points=POINTS), "week": BoardSpec(half_life=HALF_LIFE, points=POINTS)},
        trends={"channels": TrendSpec(100, half_life="1h", per_community=True)},
        windows={
            "active": WindowSpec("24h", "1h", per_community=True),
            "ever": WindowSpec("2000d", "1d", per_community=True),
        },
        workers=workers,
        overflow="block",
        dedupe_horizon="24h",
        clock=lambda: last,
    )


def shuffled_within_ten_minutes(rows, seed):
    """Return the rows, some of them several times, none more than ten minutes from its place."""
    chosen = random.Random(seed)
    drawn = [
        (row.at + chosen.uniform(0, 600), chosen.random(), row)
        for row in rows
        for _ in range(1 + (chosen.random() < 0.2) + (chosen.random() < 0.05))
    ]
    return [row for _, _, row in sorted(drawn)]


def push_by_four(events, stream):
    """Push a stream by four producers, none half a day ahead of another: so nothing is late for a window."""
    parts = [list(part) for _, part in itertools.groupby(stream, key=lambda row: row.at // 43_200)]
    all_are_here = threading.Barrier(4)

    def produce(name):
        for number, part in enumerate(parts):
            own = part[name::4]
            if number % 10 == 0:
                for row in own:
                    events.push(row.kind, row.member, row.channel, at=row.at, community="irc", id=row.id)
            elif own:
                events.push_many(columns_of(own))
            all_are_here.wait(PATIENCE * 10)

    run_threads(*[lambda name=name: produce(name) for name in range(4)], patience=PATIENCE * 10)


def test_four_producers_of_a_shuffled_stream_with_repeats(rows, tmp_path):
    stream = shuffled_within_ten_minutes(rows, seed=5)
    last = rows[-1].at
    path = tmp_path / "events.db"
    with make(SqliteSink(path), last, workers=4) as events:
        push_by_four(events, stream)
        events.flush(timeout=PATIENCE * 10)
        stats = check(events.stats())
        points = events.board("points", "irc")
        week = events.board("week", "irc")
        trend = events.trend("channels", "irc")
        windows = {name: events.window(name, "irc") for name in ("active", "ever")}
    assert len(stream) > 1.2 * len(rows)
    assert (stats.offered, stats.accepted, stats.duplicate) == (len(stream), len(rows), len(stream) - len(rows))
    assert (stats.written, stats.late_duplicates, stats.rejected, stats.skipped) == (len(rows), 0, 0, 0)

    # the rows are those of the file, each once
    with sqlite3.connect(path) as connection:
        query = "SELECT id, at / 1000000, member, channel, kind FROM events ORDER BY id"
        stored = [Row(*row) for row in connection.execute(query)]
    connection.close()
    assert stored == rows

    # scores of whole and half points are exact; those that decay are, up to the rounding of sums in another order
    exact, decayed, counted = Counter(), Counter(), Counter()
    for row in rows:
        worth = POINTS.get(row.kind)
        if worth is not None:
            exact[row.member] += worth
            decayed[row.member] += worth * 2 ** ((row.at - last) / HALF_LIFE)
        counted[row.channel] += 2 ** ((row.at - last) / 3_600)
    assert {row.member: row.score for row in points.top(len(exact))} == dict(exact)
    assert [row.score for row in points.top(100)] == sorted(exact.values(), reverse=True)[:100]
    scores = {row.member: row.score for row in week.top(len(exact), at=last)}
    assert scores.keys() == decayed.keys()
    assert all(math.isclose(scores[member], decayed[member], rel_tol=1e-9, abs_tol=1e-300) for member in scores)

    for row in trend.top(100, at=last):
        slack = 1e-9 * (1 + row.high)
        assert row.low - slack <= counted[row.item] <= row.high + slack

    # six standard errors: a false alarm once in 500 million
    hour = last // 3_600 * 3_600
    truths = {
        ("active", "1h"): {row.member for row in rows if row.at >= hour},
        ("active", "24h"): {row.member for row in rows if row.at >= hour - 23 * 3_600},
        ("ever", None): {row.member for row in rows},
    }
    for (name, span), truth in truths.items():
        low, high = windows[name].bounds(span, at=last, sigma=6)
        assert low <= len(truth) <= high, (name, span)
        assert abs(windows[name].estimate(span, at=last) - len(truth)) <= max(1, 0.05 * len(truth))


@pytest.mark.parametrize("has_sink", [False, True], ids=["structures", "with SQLite"])
def test_in_the_order_of_the_file_the_bytes_are_the_same_for_one_and_four_workers(rows, tmp_path, has_sink):
    states = []
    for workers in (1, 4):
        path = tmp_path / f"{workers}.db"
        with make(SqliteSink(path) if has_sink else None, rows[-1].at, workers) as events:
            for first in range(0, len(rows), PART):
                assert events.push_many(columns_of(rows[first : first + PART])) == len(rows[first : first + PART])
            events.flush(timeout=PATIENCE * 10)
            state = [events.board(name, "irc").to_bytes() for name in ("points", "week")]
            state.append(events.trend("channels", "irc").to_bytes())
            state += [events.window(name, "irc").to_bytes() for name in ("active", "ever")]
            check(events.stats())
        if has_sink:
            with SqliteSink(path, create=False) as sink:
                state.append([part["at_us"] for part in sink.columns("irc")])
        states.append(state)
    assert states[0] == states[1]
    assert all(states[0])

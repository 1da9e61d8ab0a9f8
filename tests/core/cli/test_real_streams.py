"""The real streams, end to end: counts that are known, estimates within their bounds, everything once."""

from __future__ import annotations

import random
import sqlite3
import time

import pytest

COLLEGE = "collegemsg.csv.gz"
IRC = "irc-webstandards-2008-2010.csv.gz"


def check(engage, file, rows, members):
    first = engage.json("replay", str(file), "--verify")
    assert first["account"] == {"read": rows, "written": rows, "duplicate": 0, "rejected": 0, "not_stored": 0}
    verdict = first.pop("verify")
    assert verdict["passed"]
    assert verdict["same_order"]
    assert all(row["same"] for row in verdict["leaderboard"])
    assert verdict["distinct"]["all"]["truth"] == members
    assert verdict["distinct"]["all"]["within"]
    again = engage.json("replay", str(file))
    assert again["account"] == {"read": rows, "written": 0, "duplicate": rows, "rejected": 0, "not_stored": 0}
    for name in ("at", "leaderboard", "trending", "distinct"):
        assert again[name] == first[name]
    return first


def test_college_messages(engage, data_folder):
    report = check(engage, data_folder / COLLEGE, 59_835, 1_350)
    assert report["at"] == "2004-10-26T07:52:22Z"
    assert engage.json("top")["leaderboard"] == report["leaderboard"]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_irc(engage, data_folder):
    report = check(engage, data_folder / IRC, 1_233_882, 7_138)
    assert report["at"] == "2010-12-31T23:54:00Z"
    assert len(report["trending"]) == 8


@pytest.mark.slow
@pytest.mark.timeout(1_800)
def test_irc_survives_kill_9(engage, data_folder):
    file = str(data_folder / IRC)
    whole = engage.json("replay", file, "--db", "whole.db")
    draw = random.Random(2)
    found = 0
    for _ in range(10):
        process = engage.start("replay", file, "--db", "killed.db")
        deadline = time.monotonic() + draw.uniform(0.3, 6.0)
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        process.kill()
        process.communicate()
    connection = sqlite3.connect("killed.db")
    found = connection.execute("SELECT coalesce(max(seq), 0) FROM events").fetchone()[0]
    connection.close()
    last = engage.json("replay", file, "--db", "killed.db")
    assert last["account"] == {
        "read": 1_233_882,
        "written": 1_233_882 - found,
        "duplicate": found,
        "rejected": 0,
        "not_stored": 0,
    }
    for name in ("at", "leaderboard", "trending", "distinct"):
        assert last[name] == whole[name]
    assert fingerprint("killed.db") == fingerprint("whole.db")


def fingerprint(database: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(database)
    query = "SELECT seq, id, kind, member, channel, at, value, data FROM events ORDER BY seq"
    rows = connection.execute(query).fetchall()
    connection.close()
    return rows

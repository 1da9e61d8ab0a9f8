"""The real streams, end to end: counts that are known, estimates within their bounds, everything once."""

from __future__ import annotations

import contextlib
import random
import sqlite3
import subprocess
from pathlib import Path

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
def test_irc_survives_kill_9(engage, data_folder, rows_in):
    file = str(data_folder / IRC)
    whole = engage.json("replay", file, "--db", "whole.db")
    draw = random.Random(2)
    database = Path("killed.db")
    found = killed = 0
    for _ in range(10):
        target = found + draw.randrange(1, (1_233_882 - found) // 4)  # every run has rows to store when it is killed
        process = engage.start("replay", file, "--db", "killed.db")
        while process.poll() is None and rows_in(database) < target:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.01)
        process.kill()
        process.communicate()
        killed += process.returncode != 0
        found = rows_in(database)
        assert found >= target
    assert killed > 0
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

"""``engagehub replay`` as people run it: what it prints, how it fails, what it leaves behind."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

ANSWERS = ("community", "at", "half_life", "points", "leaderboard", "trending", "distinct")


def rows_of(database):
    connection = sqlite3.connect(database)
    try:
        return connection.execute("SELECT * FROM events ORDER BY seq").fetchall()
    finally:
        connection.close()


def test_the_json_object_is_what_is_promised(engage, make_stream):
    Path("events.csv").write_text(make_stream(500))
    report = engage.json("replay", "events.csv", "--window", "7d", "--top", "3")
    assert report["account"] == {"read": 500, "written": 500, "duplicate": 0, "rejected": 0, "not_stored": 0}
    assert [set(row) for row in report["leaderboard"]] == [{"rank", "member", "score", "last_at"}] * 3
    assert [set(row) for row in report["trending"]] == [{"item", "estimate", "low", "high"}] * 3
    assert list(report["distinct"]) == ["1h", "24h", "30d", "7d", "all"]
    assert set(report["distinct"]["7d"]) == {"estimate", "low", "high", "start", "end"}
    assert report["events_per_second"] > 0
    assert report["community"] == "events"
    assert report["inputs"] == [{"name": "events.csv", "format": "CSV", "times": "Unix seconds"}]
    assert Path("engagehub.db").exists()


def test_the_tables_say_the_same(engage, make_stream):
    Path("events.csv").write_text(make_stream(500))
    result = engage("replay", "events.csv", "--verify")
    report = engage.json("replay", "events.csv")
    for row in report["leaderboard"]:
        assert f"│ {row['member']:<6} │" in result.stdout
        assert row["last_at"] in result.stdout
    assert report["at"] in result.stdout
    assert "read 500 = written 500 + duplicate 0 + rejected 0" in result.stdout
    assert "verified: the rows of the board are the exact ones; every truth is within its bounds" in result.stdout
    assert "events.csv: CSV, times are Unix seconds" in result.stderr
    again = engage("replay", "events.csv")
    assert "read 500 = written 0 + duplicate 500 + rejected 0" in again.stdout
    assert "500 rows were duplicates and wrote nothing" in again.stdout


def test_verify_puts_the_truth_beside_each_number(engage, make_stream):
    Path("events.csv").write_text(make_stream(500))
    verdict = engage.json("replay", "events.csv", "--verify")["verify"]
    assert verdict["passed"]
    assert verdict["same_order"]
    assert {"truth", "error"} <= set(verdict["leaderboard"][0]) & set(verdict["trending"][0]) & set(
        verdict["distinct"]["1h"]
    )


def test_a_failed_verification_is_a_failure(engage, make_stream, monkeypatch):
    from engagehub_core.replay.answers import Answers

    Path("events.csv").write_text(make_stream(500))
    monkeypatch.setattr(Answers, "trending", lambda _: [{"item": "a", "estimate": 1.0, "low": 1.0, "high": 1.0}])
    result = engage("replay", "events.csv", "--verify", code=1)
    assert "Error: the verification failed" in result.stderr


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_all_forms_of_a_stream_give_the_same_answers(engage, make_stream, form, packed):
    text = make_stream(300)
    Path("plain.csv").write_text(text)
    expected = engage.json("replay", "plain.csv", "--community", "c", "--db", "one.db")
    if form == "jsonl":
        names, *rows = [line.split(",") for line in text.splitlines()]
        text = "".join(json.dumps(dict(zip(names, row, strict=True))) + "\n" for row in rows)
    data = gzip.compress(text.encode()) if packed else text.encode()
    got = engage.json("replay", "-", "--community", "c", "--db", "two.db", stdin=data)
    assert {name: got[name] for name in ANSWERS} == {name: expected[name] for name in ANSWERS}
    again = engage.json("replay", "-", "--community", "c", "--db", "one.db", stdin=data)
    assert again["account"]["duplicate"] == 300


@pytest.mark.parametrize("factor", [1, 1_000, 1_000_000])
def test_units_of_time_are_recognised_and_told(engage, factor):
    Path("events.csv").write_text(f"time,member\n{1_700_000_000 * factor},a\n")
    result = engage("replay", "events.csv", "--community", "c", "--format", "json")
    assert json.loads(result.stdout)["at"] == "2023-11-14T22:13:20Z"
    unit = {1: "Unix seconds", 1_000: "Unix milliseconds", 1_000_000: "Unix microseconds"}[factor]
    assert f"times are {unit}" in result.stderr


def test_times_without_an_offset_are_utc_and_that_is_told(engage):
    Path("events.csv").write_text("created_at,author\n2023-11-14 22:13:20,a\n")
    result = engage("replay", "events.csv", "--format", "json")
    assert json.loads(result.stdout)["at"] == "2023-11-14T22:13:20Z"
    assert "times are ISO 8601" in result.stderr
    assert "times without an offset are taken as UTC" in result.stderr


def test_options_reach_the_answers(engage):
    Path("events.csv").write_text("when,who,room,what\n0,a,x,join\n3600,a,x,join\n3600,b,y,message\n7200,b,y,message\n")
    mapped = ["--map", "when=time", "--map", "who=member", "--map", "room=channel", "--map", "what=kind"]
    report = engage.json("replay", "events.csv", *mapped, "--points", "join=2", "--half-life", "1h", "--at", "3600")
    assert report["at"] == "1970-01-01T01:00:00Z"
    assert report["half_life"] == "1h"
    assert [(row["rank"], row["member"], row["score"]) for row in report["leaderboard"]] == [
        (1, "a", 3.0),
        (2, "b", 1.0),
    ]
    assert report["leaderboard"][0]["last_at"] == "1970-01-01T01:00:00Z"
    assert report["account"]["written"] == 4
    later = engage.json("replay", "events.csv", *mapped, "--points", "join=2", "--half-life", "none", "--at", "now")
    assert [(row["member"], row["score"]) for row in later["leaderboard"]] == [("a", 4.0), ("b", 2.0)]
    assert later["distinct"]["24h"]["estimate"] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.csv"], "none.csv: No such file or directory"),
        (["."], ".: is a directory"),
        (["events.csv", "--db", "mysql://host/db"], "unknown scheme 'mysql'"),
        (["events.csv", "--db", "sqlite://host/db"], "sqlite takes no host"),
        (["events.csv", "--db", "sqlite:///"], "a path is needed"),
        (["events.csv", "--at", "soon"], "must be ISO 8601"),
        (["events.csv", "--half-life", "soon"], "half-life must be a number and a unit"),
        (["events.csv", "--half-life", "5us"], "half_life must be at least 1 millisecond for a board"),
        (["events.csv", "--window", "0s"], "window must be between"),
        (["events.csv", "--points", "message"], "points must be KIND=NUMBER"),
        (["events.csv", "--points", "message=-1"], "points of message must be"),
        (["events.csv", "--points", "message=1e308"], "must be a number from 0 to 1e+290, got 1e+308"),
        (["events.csv", "--points", "message=nan"], "points of message must be"),
        (["events.csv", "--points", "message=1_0"], "points must be KIND=NUMBER, got 'message=1_0'"),
        (["events.csv", "--points", "\udcff=1"], "'--points': '\\udcff=1' isn't UTF-8"),
        (["events.csv", "--community", "\udcff"], "'--community': '\\udcff' isn't UTF-8"),
        (["events.csv", "--map", "\udcff=time"], "'--map': '\\udcff=time' isn't UTF-8"),
        (["events.csv", "--db", "\udcff.db"], "'--db': '\\udcff.db' isn't UTF-8"),
        (["events.csv", "--map", "timestamp"], "COLUMN=FIELD is needed"),
        (["events.csv", "--map", "timestamp=colour"], "the fields are time"),
        (["events.csv", "--limit", "-1"], "limit"),
        (["events.csv", "--community", ""], "must have a name"),
    ],
)
def test_a_wrong_question_is_one_line_and_touches_nothing(engage, make_stream, arguments, message):
    Path("events.csv").write_text(make_stream(5))
    result = engage("replay", *arguments, code=2)
    errors = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1
    assert message in errors[0]
    assert result.stdout == ""
    assert [path.name for path in Path().iterdir()] == ["events.csv"]


@pytest.mark.skipif(sys.platform != "linux", reason="file names of any bytes")
def test_a_file_whose_name_is_not_utf8_needs_a_community(engage):
    Path("g\udcff.csv").write_text("time,member\n1,a\n")
    result = engage("replay", "g\udcff.csv", code=2)
    assert "the name isn't UTF-8, so no community can have it; give one with --community" in result.stderr
    assert not Path("engagehub.db").exists()
    assert engage.json("replay", "g\udcff.csv", "--community", "c")["account"]["written"] == 1
    assert "'--output'" in engage("demo", "--output", "h\udcff.csv", code=2).stderr
    assert not Path("h\udcff.csv").exists()


def test_names_that_the_terminal_cannot_show_are_escaped(engage, monkeypatch):
    Path("events.csv").write_text("time,member\n1,日本\n", encoding="utf-8")
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    process = engage.start("replay", "events.csv", "--community", "é")
    out, err = process.communicate(timeout=50)
    assert process.returncode == 0, err
    assert b"Leaderboard of \\xe9 at" in out
    assert b"\\u65e5\\u672c" in out


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize("layout", ["table", "json"])
def test_a_full_standard_output_is_one_line(engage, layout):
    Path("events.csv").write_text("time,member\n1,a\n")
    engage("replay", "events.csv")
    with Path("/dev/full").open("wb") as full:
        process = engage.start("top", "--format", layout, stdout=full)
        _, err = process.communicate(timeout=50)
    assert process.returncode == 1
    assert err.decode() == "Error: writing to standard output fails: No space left on device\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "events.csv: the input is empty"),
        (b"time;member\n1;a\n", "the columns seem to be separated by ';', a comma is needed"),
        (b"time\tmember\n1\ta\n", "the columns seem to be separated by '\\t', a comma is needed"),
        (b"time,member,member\n1,a,b\n", "two columns are named 'member', either might be the member"),
        (b"user_id,kind\na,message\n", "events.csv: no column holds the time"),
        (b"timestamp,kind\n1,message\n", "events.csv: no column holds the member"),
        (b'{"user": "a"}\n', "the columns are: user; name the right one with --map COLUMN=time"),
        (gzip.compress(b"time,member\n1,a\n", mtime=0)[:12], "gzip data ends early after row 0"),
        (b"\x1f\x8bgarbage", "gzip data is damaged"),
    ],
)
@pytest.mark.parametrize("layout", ["table", "json"])
def test_an_input_that_is_no_stream_is_one_line(engage, content, message, layout):
    Path("events.csv").write_bytes(content)
    result = engage("replay", "events.csv", "--format", layout, code=1)
    assert message in result.stderr.splitlines()[-1]
    if layout == "json":
        report = json.loads(result.stdout)
        assert message in report["error"]
        assert report["account"] == {"read": 0, "written": 0, "duplicate": 0, "rejected": 0, "not_stored": 0}
    else:
        assert "read 0 = written 0" in result.stdout


def test_a_header_alone_is_an_empty_stream(engage):
    Path("events.csv").write_text("timestamp,user_id\n")
    report = engage.json("replay", "events.csv", "--verify")
    assert report["account"]["read"] == 0
    assert report["at"] is None
    assert report["verify"]["passed"]
    assert "(none)" in engage("replay", "events.csv").stdout


def test_a_truncated_gzip_keeps_what_came_before(engage, make_stream):
    text = make_stream(5_000)
    Path("events.csv.gz").write_bytes(gzip.compress(text.encode())[:-2_000])
    result = engage("replay", "events.csv.gz", code=1)
    stored = len(rows_of("engagehub.db"))
    assert 1_000 < stored < 5_000
    assert f"Error: events.csv.gz: gzip data ends early after row {stored:,}" in result.stderr
    assert f"read {stored:,} = written {stored:,} + duplicate 0 + rejected 0" in result.stdout
    Path("events.csv.gz").write_bytes(gzip.compress(text.encode()))
    assert engage.json("replay", "events.csv.gz")["account"] == {
        "read": 5_000, "written": 5_000 - stored, "duplicate": stored, "rejected": 0, "not_stored": 0,
    }  # fmt: skip


BAD_ROWS = {
    "-5,a,x": "the time is negative",
    "nan,a,x": "the time must be a finite number",
    "253402300799,a,x": "the time is in the future: '253402300799' as Unix seconds is 9999-12-31T23:59:59Z",
    "soon,a,x": "the time must be a finite number",
    "2023-11-14,a,x": "the time is ISO 8601, those of this input are Unix seconds: '2023-11-14'",
    "timestamp,user_id,channel": "a repeated header",
    ",a,x": "no time",
    "5,,x": "no member",
    "5,a": "2 fields, the header has 3",
    "5," + "y" * 1_000_000 + ",x": "a field is longer than 64 KiB",
    "5," + "y" * 2_000_000 + ",x": "the line is longer than 1 MiB",
    "5," + "é" * 60_000 + ",x": "must have at most 65536 bytes",
    '5,"a,x': "a quote is opened and never closed",
    "5,\udcff,x": "not UTF-8",
}


@pytest.mark.parametrize("bad", BAD_ROWS, ids=lambda text: text[:12])
def test_a_malformed_row_costs_itself_alone(engage, bad):
    good = [f"{i},m{i},x" for i in range(1, 6)]
    lines = ["timestamp,user_id,channel", *good[:3], bad, *good[3:]]
    Path("events.csv").write_bytes("\n".join(lines).encode(errors="surrogateescape") + b"\n")
    result = engage("replay", "events.csv")
    assert "read 6 = written 5 + duplicate 0 + rejected 1" in result.stdout
    (shown,) = [line for line in result.stderr.splitlines() if line.startswith("rejected: ")]
    assert shown.startswith("rejected: events.csv, line 5: ")
    assert BAD_ROWS[bad] in shown
    assert [row[4] for row in rows_of("engagehub.db")] == ["m1", "m2", "m3", "m4", "m5"]
    strict = engage("replay", "events.csv", "--strict", "--db", "strict.db", code=1)
    assert "read 4 = written 3 + duplicate 0 + rejected 1" in strict.stdout
    assert "--strict stops at the first malformed row" in strict.stderr
    assert len(rows_of("strict.db")) == 3


def test_the_first_ten_malformed_rows_are_shown(engage):
    Path("events.csv").write_text("time,member\n" + "x,a\n" * 25 + "1,a\n")
    result = engage("replay", "events.csv")
    shown = [line for line in result.stderr.splitlines() if line.startswith("rejected: ")]
    assert len(shown) == 11
    assert shown[9].startswith("rejected: events.csv, line 11: ")
    assert shown[10] == "rejected: and 15 more"
    assert "read 26 = written 1 + duplicate 0 + rejected 25" in result.stdout


def test_names_cannot_move_the_cursor_or_set_colours(engage):
    Path("events.csv").write_text("time,member,channel\n1,\x1b[31mred,[bold]x\n")
    result = engage("replay", "events.csv")
    assert "\x1b" not in result.stdout
    assert "\\u001b[31mred" in result.stdout
    assert "[bold]x" in result.stdout


def test_a_database_that_cannot_be_written_is_one_line(engage, make_stream):
    Path("events.csv").write_text(make_stream(5))
    Path("other.db").write_text("not a database, but long enough to look at" * 50)
    Path("loop.db").symlink_to("loop.db")
    Path("away.db").symlink_to("no/where.db")
    for database, message in {
        "/proc/engagehub.db": "/proc/engagehub.db: ",
        ".": ".: is a directory",
        "other.db": "other.db: not an SQLite database",
        "sqlite:////nowhere/at/all.db": "/nowhere/at/all.db: there is no folder /nowhere/at",
        "events.csv/e.db": "events.csv/e.db: Not a directory",
        "loop.db": "loop.db: Too many levels of symbolic links",
        "away.db": "away.db: is a link to a missing file",
    }.items():
        result = engage("replay", "events.csv", "--db", database, code=1)
        assert f"Error: {message}" in result.stderr
        assert "Traceback" not in result.stderr
    assert "Too many levels of symbolic links" in engage("top", "--db", "loop.db", code=1).stderr
    assert ".: is a directory" in engage("top", "--db", ".", code=1).stderr


def test_a_read_only_folder_answers_and_says_that_it_cannot_be_written(engage, make_stream):
    folder = Path("sealed")
    folder.mkdir()
    Path("events.csv").write_text(make_stream(50))
    engage("replay", "events.csv", "--db", "sealed/e.db")
    before = engage.json("top", "--db", "sealed/e.db")
    (folder / "e.db").chmod(0o444)
    folder.chmod(0o555)
    try:
        if os.access(folder, os.W_OK):
            pytest.skip("this user may write everywhere")
        for command in ("trending", "uniques"):
            engage(command, "--db", "sealed/e.db")
        assert engage.json("top", "--db", "sealed/e.db") == before
        assert [path.name for path in folder.iterdir()] == ["e.db"]
        assert "sealed/e.db: is read-only" in engage("replay", "events.csv", "--db", "sealed/e.db", code=1).stderr
        assert "the folder sealed is read-only" in engage("replay", "events.csv", "--db", "sealed/f.db", code=1).stderr
    finally:
        folder.chmod(0o755)


def test_a_file_without_content_is_no_strangers_database(engage):
    Path("empty.db").touch()
    assert "Error: empty.db: the database is empty" in engage("top", "--db", "empty.db", code=1).stderr


@pytest.mark.skipif(sys.platform == "win32", reason="limits of file sizes are POSIX")
def test_a_full_disk_is_one_line_and_a_later_run_completes(engage, make_stream):
    Path("events.csv").write_text(make_stream(20_000))

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))

    process = engage.start("replay", "events.csv", "--db", "full.db", preexec_fn=limit)
    out, err = (text.decode() for text in process.communicate(timeout=50))
    assert process.returncode == 1, err
    assert "Traceback" not in err
    assert err.splitlines()[-1].startswith("Error: full.db: ")
    assert "not stored" in out
    complete = engage.json("replay", "events.csv", "--db", "full.db")
    assert complete["account"]["read"] == 20_000
    assert len(rows_of("full.db")) == 20_000
    fresh = engage.json("replay", "events.csv", "--db", "fresh.db")
    assert {name: complete[name] for name in ANSWERS} == {name: fresh[name] for name in ANSWERS}


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
@pytest.mark.parametrize("layout", ["table", "json"])
def test_ctrl_c_stores_what_was_read_and_leaves_with_130(engage, make_stream, layout, rows_in):
    lines = make_stream(5_000).encode().splitlines(keepends=True)
    process = engage.start("replay", "-", "--format", layout, "--db", "c.db", stdin=subprocess.PIPE)
    # All of it is stored half a second later, and then the program waits for more.
    process.stdin.write(b"".join(lines[:3_001]))
    process.stdin.flush()
    note = process.stderr.readline()
    assert b"times are Unix seconds" in note
    while rows_in(Path("c.db")) < 3_000:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.01)
        assert process.returncode is None
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=50)
    assert process.returncode == 130, err
    assert b"interrupted" in err
    assert b"Traceback" not in err
    stored = len(rows_of("c.db"))
    if layout == "json":
        report = json.loads(out)
        assert report["interrupted"] is True
        assert report["account"] == {"read": stored, "written": stored, "duplicate": 0, "rejected": 0, "not_stored": 0}
    else:
        assert f"read {stored:,} = written {stored:,} + duplicate 0 + rejected 0" in out.decode()
    assert stored == 3_000


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
@pytest.mark.parametrize("seed", range(2))
def test_kill_9_at_random_moments_loses_and_doubles_nothing(engage, make_stream, rows_in, seed):
    draw = random.Random(seed)
    Path("events.csv").write_text(make_stream(12_000, seed))
    undisturbed = engage.json("replay", "events.csv", "--db", "whole.db")
    found = 0
    for _ in range(4):
        target = found + draw.randrange(1, 4_000)
        process = engage.start("replay", "events.csv", "--db", "killed.db", batch=250)
        while process.poll() is None and rows_in(Path("killed.db")) < target:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.01)
        process.kill()
        process.communicate()
        found = rows_in(Path("killed.db"))
    assert found > 0
    again = engage.json("replay", "events.csv", "--db", "killed.db", "--verify")
    assert again["account"] == {
        "read": 12_000,
        "written": 12_000 - found,
        "duplicate": found,
        "rejected": 0,
        "not_stored": 0,
    }
    assert again["verify"]["passed"]
    assert {name: again[name] for name in ANSWERS} == {name: undisturbed[name] for name in ANSWERS}
    assert rows_of("killed.db") == rows_of("whole.db")

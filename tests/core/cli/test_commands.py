"""The other commands, and the group that holds them."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import click
import pytest

from engagehub_core import EventProcessor, __version__
from engagehub_core.cli import root
from engagehub_core.replay.databases import database_path
from engagehub_core.replay.errors import BadUsage
from engagehub_core.sinks.sqlite import SqliteSink


@pytest.fixture
def replayed(engage, make_stream):
    Path("events.csv").write_text(make_stream(800))
    report = engage.json("replay", "events.csv", "--points", "join=0.5", "--half-life", "3d", "--window", "7d")
    return engage, report


def test_the_questions_answer_as_the_replay_did(replayed):
    engage, report = replayed
    top = engage.json("top")
    assert top["leaderboard"] == report["leaderboard"]
    assert (top["half_life"], top["points"], top["at"]) == ("3d", report["points"], report["at"])
    assert report["points"]["join"] == 0.5
    assert engage.json("trending")["trending"] == report["trending"]
    assert engage.json("uniques", "--window", "7d")["distinct"] == report["distinct"]
    assert "distinct" not in top


def test_the_questions_can_be_put_otherwise(replayed):
    engage, report = replayed
    plain = engage.json("top", "--half-life", "none", "--points", "join=0", "--top", "2")
    assert plain["half_life"] is None
    assert plain["points"] == {"action": 1.0, "direct": 1.0, "message": 1.0}
    assert len(plain["leaderboard"]) == 2
    assert all(row["score"] == int(row["score"]) for row in plain["leaderboard"])
    again = engage.json("replay", "events.csv", "--half-life", "none", "--top", "2", "--db", "other.db")
    assert again["leaderboard"] == plain["leaderboard"]
    early = engage.json("uniques", "--at", "1700000000")
    assert early["distinct"]["all"]["estimate"] < report["distinct"]["all"]["estimate"]


@pytest.mark.parametrize("name", ["top", "trending", "uniques"])
def test_the_questions_print_tables(replayed, name):
    engage, report = replayed
    assert report["at"] in engage(name).stdout


@pytest.mark.parametrize("name", ["top", "trending", "uniques"])
def test_the_questions_say_what_is_missing(engage, make_stream, name):
    assert "engagehub.db: no such database" in engage(name, code=1).stderr
    assert not Path("engagehub.db").exists()
    Path("a.csv").write_text(make_stream(5))
    Path("b.csv").write_text(make_stream(5, seed=2))
    engage("replay", "a.csv", "b.csv")
    assert "holds 2 communities; choose one with --community: a, b" in engage(name, code=2).stderr
    assert "no community 'c' in engagehub.db; there are: a, b" in engage(name, "--community", "c", code=2).stderr
    engage(name, "--community", "b")
    Path("empty.csv").write_text("time,member\n")
    engage("replay", "empty.csv", "--db", "empty.db")
    assert "holds 0 communities" in engage(name, "--db", "empty.db", code=2).stderr


def test_communities_and_members_may_be_integers(engage):
    with EventProcessor(SqliteSink("engagehub.db")) as events:
        events.push_many(
            {"kind": "message", "member": [7, 8, 7], "channel": 0, "community": 1, "id": [1, 2, 3], "at": 5}
        )
    top = engage.json("top", "--community", "1")
    assert (top["community"], top["half_life"]) == (1, "7d")
    assert [(row["member"], row["score"]) for row in top["leaderboard"]] == [(7, 2.0), (8, 1.0)]
    assert [(row["item"], row["estimate"]) for row in engage.json("trending")["trending"]] == [(0, 3.0)]
    assert "Leaderboard of 1 at" in engage("top").stdout
    assert "communities: 1\n" in engage("info").stdout
    with SqliteSink("engagehub.db") as sink:
        sink.store(
            {
                "id": ["a"], "kind": ["join"], "community": ["1"], "member": ["ada"], "channel": [None],
                "at_us": [6_000_000], "value": [1.0], "data": [None],
            }
        )  # fmt: skip
    assert engage.json("uniques", "--community", "1")["community"] == "1"
    assert "choose one with --community: 1, 1" in engage("top", code=2).stderr


def test_info_tells_what_runs_and_where_data_lies(engage, make_stream):
    facts = engage.json("info")
    assert facts["engagehub-core"] == facts["native"] == __version__
    assert facts["python"].endswith(sys.version.split()[0])
    assert facts["compiler"]
    assert facts["vector code"] in {"avx2", "neon", "plain"}
    assert facts["free-threaded build"] in {True, False}
    assert facts["GIL enabled"] in {True, False}
    assert facts["database"] == str(Path("engagehub.db").absolute())
    assert facts["database state"] == "not there yet"
    assert facts["optional packages"]["click"]
    Path("a.csv").write_text(make_stream(5))
    engage("replay", "a.csv")
    assert "communities: a" in engage("info").stdout
    Path("junk.db").write_text("junk" * 500)
    assert "not an SQLite database" in engage("info", "--db", "junk.db").stdout


def test_the_demo_goes_down_the_path_of_a_replay(engage):
    small = ["--members", "50", "--events", "2000"]
    demo = engage.json("demo", *small, "--output", "demo.csv", "--verify")
    assert demo["account"] == {"read": 2_000, "written": 2_000, "duplicate": 0, "rejected": 0, "not_stored": 0}
    assert demo["verify"]["passed"]
    assert demo["community"] == "demo"
    again = engage.json("replay", "demo.csv")
    assert again["account"]["duplicate"] == 2_000
    assert again["leaderboard"] == demo["leaderboard"]
    assert "is there already" in engage("demo", *small, "--output", "demo.csv", code=2).stderr
    assert "No such file" in engage("demo", *small, "--output", "none/demo.csv", code=2).stderr


def test_the_demo_keeps_its_file_and_says_where(engage, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    result = engage("demo", "--members", "20", "--events", "300", "--seed", "7")
    (path,) = tmp_path.glob("engagehub-*/demo-20-300-7.csv")
    assert f"wrote 300 events of 20 members to {path}" in result.stderr


def test_without_the_extra_the_command_names_it():
    script = "import sys; sys.modules['rich'] = None\nfrom engagehub_core.cli import main\nmain()"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr == "engagehub: rich is missing; install the extra: pip install 'engagehub-core[cli]'\n"


def test_importing_the_package_imports_no_click():
    script = "import sys, engagehub_core.replay.run; sys.exit('click' in sys.modules or 'rich' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


@click.command()
@click.argument("word")
def shout(word):
    """Say it louder."""
    click.echo(word.upper())


def entry(name, value, loaded):
    class Loaded(EntryPoint):
        def load(self):
            if isinstance(loaded, Exception):
                raise loaded
            return loaded

    return Loaded(name, value, root.GROUP)


def test_commands_of_other_packages_are_found(engage, monkeypatch):
    found = [
        entry("shout", "other:shout", shout),
        entry("broken", "other:broken", ImportError("No module named 'nothing'")),
        entry("wrong", "other:wrong", object()),
        entry("top", "other:top", shout),
    ]
    monkeypatch.setattr(root, "entry_points", lambda group: found if group == "engagehub.commands" else [])
    assert engage("shout", "hello").stdout == "HELLO\n"
    text = engage("--help").stdout
    assert "Say it louder." in text
    assert "(broken)" in text
    assert "Print the leaderboard" in text
    broken = engage("broken", "--anything", code=1)
    assert (
        "the command 'broken' (other:broken) can't be loaded: ImportError: No module named 'nothing'" in broken.stderr
    )
    assert "is no click command" in engage("wrong", code=1).stderr
    assert "No such command 'nothing'" in engage("nothing", code=2).stderr


def test_help_costs_no_database(engage):
    for arguments in ([], ["replay"], ["top"], ["trending"], ["uniques"], ["info"], ["demo"]):
        assert "Usage: " in engage(*arguments, "--help").stdout
    assert __version__ in engage("--version").stdout
    assert list(Path().iterdir()) == []


def test_an_unforeseen_interrupt_leaves_with_130(engage, monkeypatch, make_stream):
    Path("a.csv").write_text(make_stream(5))
    engage("replay", "a.csv")

    def interrupted(*_arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("engagehub_core.cli.questions.recomputed", interrupted)
    assert "interrupted" in engage("top", code=130).stderr
    monkeypatch.setattr("engagehub_core.cli.replay.verified", interrupted)
    result = engage("replay", "a.csv", "--verify", code=130)
    assert "read 5 = written 0 + duplicate 5 + rejected 0" in result.stdout


def test_urls_of_databases():
    assert database_path("SQLite:///x.db") == "x.db"
    assert database_path("sqlite:////x.db") == "/x.db"
    assert database_path("/a/b c?.db") == "/a/b c?.db"
    with pytest.raises(BadUsage, match="unknown scheme 'postgresql'"):
        database_path("postgresql://host/db")
    with pytest.raises(BadUsage, match="a path is needed"):
        database_path("")

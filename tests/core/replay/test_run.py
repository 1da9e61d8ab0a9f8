"""A replay as a library: the same answers on the way as from the stored rows, and as from plain Python."""

from __future__ import annotations

import json
import math
import os
import random
import signal
import sys
import threading

import pytest

from engagehub_core.errors import InvalidArgument, SinkError
from engagehub_core.replay import run as run_module
from engagehub_core.replay.answers import Answers, Question, points_of
from engagehub_core.replay.errors import BadUsage
from engagehub_core.replay.interruption import Interruption
from engagehub_core.replay.run import Replay, recomputed
from engagehub_core.replay.verify import verified
from engagehub_core.sinks.sqlite import SqliteSink

NOW = 1_800_000_000


def write_stream(path, count, seed=1, communities=("",)):
    draw = random.Random(seed)
    lines = ["time,member,channel,kind,value,community"]
    at = 1_700_000_000.0
    for _ in range(count):
        at += draw.choice([0, 0, 0.25, 60, 3_600, -1_800])
        member = f"m{min(draw.randrange(300), draw.randrange(300))}"
        kind = draw.choice(["message", "message", "join", "action", "rename"])
        channel = draw.choice(["", "a", "b", "c"])
        lines.append(f"{at:.2f},{member},{channel},{kind},{draw.choice(['', '2.5'])},{draw.choice(communities)}")
    path.write_text("\n".join(lines) + "\n")
    return path


def replayed(files, database, question=None, **options):
    with Replay([str(file) for file in files], str(database), question, clock=lambda: NOW, **options) as replay:
        return replay.run()


QUESTIONS = {
    "default": Question(),
    "no decay": Question(half_life_micros=None, windows=("90m",)),
    "short half-life": Question(half_life_micros=1_000_000, top=50),
    "earlier": Question(at=1_700_900_000_000_000),
    "later": Question(at=NOW * 1_000_000),
    "before everything": Question(at=5),
    "other points": Question(points={"join": 3.0, "action": 0.5, "message": 0.0}),
}


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
@pytest.mark.parametrize("batch", [7, 1_000])
def test_answers_on_the_way_equal_those_of_the_stored_rows_and_the_exact_ones(tmp_path, monkeypatch, question, batch):
    path = write_stream(tmp_path / "events.csv", 3_000)
    monkeypatch.setattr(run_module, "_BATCH", batch)
    live = []
    monkeypatch.setattr(run_module._Feed, "answers", lambda feed: live.append(feed._answers) or feed._answers)
    outcome = replayed([path], tmp_path / "events.db", question)
    assert outcome.failure is None
    assert live[0] is not None
    assert outcome.answers is live[0]
    with SqliteSink(tmp_path / "events.db", create=False) as store:
        again = recomputed(store, "events", question)
        assert json.dumps(again.report()) == json.dumps(outcome.answers.report())
        verdict = verified(store.columns("events"), outcome.answers)
        assert verdict["passed"], verdict
        assert verdict["same_order"]
    if question.at != 5:
        assert verdict["distinct"]["all"]["truth"] > 100
        assert len(verdict["leaderboard"]) == question.top


def test_a_second_replay_writes_nothing_and_answers_alike(tmp_path):
    path = write_stream(tmp_path / "events.csv", 2_000)
    first = replayed([path], tmp_path / "events.db")
    second = replayed([path], tmp_path / "events.db")
    assert first.account.counts() == {"read": 2_000, "written": 2_000, "duplicate": 0, "rejected": 0, "not_stored": 0}
    assert second.account.counts() == {"read": 2_000, "written": 0, "duplicate": 2_000, "rejected": 0, "not_stored": 0}
    assert second.answers.report() == first.answers.report()


def test_what_another_writer_adds_meanwhile_is_part_of_the_answers(tmp_path, monkeypatch):
    path = write_stream(tmp_path / "events.csv", 500)
    store = SqliteSink.store

    def and_somebody_else(sink, columns):
        result = store(sink, columns)
        with SqliteSink(tmp_path / "events.db") as other:
            store(other, {
                "id": ["x"], "community": ["events"], "kind": ["message"], "member": ["stranger"], "channel": ["a"],
                "at_us": [1_700_000_000_000_000], "value": [1.0], "data": [None],
            })  # fmt: skip
        return result

    monkeypatch.setattr(SqliteSink, "store", and_somebody_else)
    outcome = replayed([path], tmp_path / "events.db")
    assert outcome.account.written == 500
    assert outcome.answers.events == 501


def test_several_communities_are_kept_apart(tmp_path):
    path = write_stream(tmp_path / "events.csv", 1_000, communities=("x", "y", ""))
    outcome = replayed([path], tmp_path / "events.db", community="y")
    assert outcome.community == "y"
    assert sorted(outcome.others) == ["x"]
    with SqliteSink(tmp_path / "events.db", create=False) as store:
        assert outcome.answers.report() == recomputed(store, "y", Question()).report()
        counts = {name: recomputed(store, name, Question()).events for name in store.communities()}
    assert sum(counts.values()) == 1_000
    assert set(counts) == {"x", "y"}
    assert verified_passes(tmp_path / "events.db", "y", outcome.answers)


def verified_passes(database, community, answers):
    with SqliteSink(database, create=False) as store:
        return verified(store.columns(community), answers)["passed"]


def test_without_a_name_the_answers_are_for_the_first_event(tmp_path):
    path = tmp_path / "events.csv"
    path.write_text("time,member,community\nx,a,bad\n1,a,first\n2,a,second\n")
    outcome = replayed([path], tmp_path / "events.db")
    assert (outcome.community, outcome.others, outcome.answers.events) == ("first", ["second"], 1)


def test_several_files_are_one_stream_or_several(tmp_path):
    one = write_stream(tmp_path / "one.csv", 300, seed=1)
    two = write_stream(tmp_path / "two.csv", 400, seed=2)
    joint = replayed([one, two, one], tmp_path / "joint.db", community="both")
    assert joint.account.counts() == {"read": 1_000, "written": 700, "duplicate": 300, "rejected": 0, "not_stored": 0}
    assert joint.answers.events == 700
    apart = replayed([one, two], tmp_path / "apart.db")
    assert (apart.community, apart.others, apart.answers.events) == ("one", ["two"], 300)


def test_the_same_rows_in_another_file_are_the_same_events(tmp_path):
    path = write_stream(tmp_path / "events.csv", 300)
    lines = path.read_text().splitlines()
    random.Random(5).shuffle(rows := lines[1:])
    (tmp_path / "shuffled.csv").write_text("\n".join([lines[0], *rows]) + "\n")
    replayed([path], tmp_path / "events.db", community="c")
    outcome = replayed([tmp_path / "shuffled.csv"], tmp_path / "events.db", community="c")
    assert outcome.account.duplicate == 300


def test_an_id_column_is_the_identity(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_text("".join(json.dumps({"time": i, "member": "a", "id": i % 3}) + "\n" for i in range(9)))
    outcome = replayed([path], tmp_path / "events.db")
    assert outcome.account.counts() == {"read": 9, "written": 3, "duplicate": 6, "rejected": 0, "not_stored": 0}


@pytest.mark.parametrize("limit", [0, 1, 10, 299, 300, 301])
def test_a_limit_is_kept_over_all_files(tmp_path, limit):
    one = write_stream(tmp_path / "one.csv", 200)
    two = write_stream(tmp_path / "two.csv", 100, seed=2)
    outcome = replayed([one, two], tmp_path / "events.db", limit=limit)
    assert outcome.account.read == outcome.account.written == min(limit, 300)


def test_an_empty_stream_has_empty_answers(tmp_path):
    (tmp_path / "events.csv").write_text("time,member\n")
    outcome = replayed([tmp_path / "events.csv"], tmp_path / "events.db")
    report = outcome.answers.report()
    assert outcome.failure is None
    assert (report["at"], report["leaderboard"], report["trending"]) == (None, [], [])
    assert report["distinct"]["all"] == {"estimate": 0.0, "low": 0.0, "high": 0.0, "start": None, "end": None}
    assert verified_passes(tmp_path / "events.db", "events", outcome.answers)


def test_a_wrong_answer_fails_the_verification(tmp_path):
    path = write_stream(tmp_path / "events.csv", 2_000)
    outcome = replayed([path], tmp_path / "events.db")
    with SqliteSink(tmp_path / "events.db", create=False) as store:
        columns = list(store.columns("events"))
    right = verified(columns, outcome.answers)
    assert right["passed"]
    assert math.isclose(right["leaderboard"][0]["score"], right["leaderboard"][0]["truth"], rel_tol=1e-12)

    missing = [{name: column[100:] for name, column in columns[0].items()}, *columns[1:]]
    assert not verified(missing, outcome.answers)["passed"]

    class Shortened(Answers):
        def leaderboard(self):
            return super().leaderboard()[:-1]

    class Swapped(Answers):
        def leaderboard(self):
            rows = super().leaderboard()
            return [rows[1], rows[0], *rows[2:]]

    class Narrow(Answers):
        def distinct(self):
            answers = super().distinct()
            answers["all"] |= {"estimate": 10.0, "low": 9.0, "high": 11.0}
            return answers

    class Low(Answers):
        def trending(self):
            return [{**row, "high": row["low"] / 2} for row in super().trending()]

    for kind in (Shortened, Swapped, Narrow, Low):
        answers = kind(Question())
        for part in columns:
            answers.feed(part)
        assert not verified(columns, answers)["passed"], kind


def test_a_failing_database_stops_the_replay_and_loses_only_what_follows(tmp_path, monkeypatch):
    path = write_stream(tmp_path / "events.csv", 1_000)
    monkeypatch.setattr(run_module, "_BATCH", 100)
    store = SqliteSink.store
    calls = []

    def failing(sink, columns):
        calls.append(len(columns["at_us"]))
        if len(calls) == 3:
            message = "events.db: database or disk is full"
            raise SinkError(message)
        return store(sink, columns)

    monkeypatch.setattr(SqliteSink, "store", failing)
    outcome = replayed([path], tmp_path / "events.db")
    assert outcome.failure == "events.db: database or disk is full"
    assert outcome.answers is None
    assert len(calls) == 3
    assert outcome.account.written == sum(calls[:2])
    assert outcome.account.missing == outcome.account.read - outcome.account.written > 0
    counts = outcome.account.counts()
    assert counts["not_stored"] > 0
    assert counts.pop("read") == sum(counts.values())
    monkeypatch.undo()
    again = replayed([path], tmp_path / "events.db")
    assert again.account.counts() == {
        "read": 1_000, "written": 1_000 - sum(calls[:2]), "duplicate": sum(calls[:2]), "rejected": 0, "not_stored": 0,
    }  # fmt: skip
    assert again.answers.report() == replayed([path], tmp_path / "fresh.db").answers.report()


def test_a_failing_structure_does_not_disturb_what_is_stored(tmp_path, monkeypatch):
    path = write_stream(tmp_path / "events.csv", 300)
    feed = Answers.feed
    calls = []

    def failing(answers, columns):
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError
        feed(answers, columns)

    monkeypatch.setattr(Answers, "feed", failing)
    outcome = replayed([path], tmp_path / "events.db")
    assert outcome.account.counts()["written"] == 300
    assert outcome.answers.events == 300


def test_everything_is_checked_before_anything_is_made(tmp_path):
    (tmp_path / "events.csv").write_text("time,member\n1,a\n")
    with pytest.raises(BadUsage, match="No such file"):
        Replay([str(tmp_path / "events.csv"), str(tmp_path / "none.csv")], str(tmp_path / "events.db"))
    with pytest.raises(BadUsage, match="must have a name"):
        Replay([str(tmp_path / "events.csv")], str(tmp_path / "events.db"), community="")
    assert not (tmp_path / "events.db").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"points": {"message": -1.0}}, "points of message"),
        ({"points": {"message": math.nan}}, "points of message"),
        ({"top": 0}, "top must be"),
        ({"windows": ("soon",)}, "window must be"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(arguments, message):
    with pytest.raises(InvalidArgument, match=message):
        Question(**arguments)


@pytest.mark.parametrize("text", ["message", "=5", "message=", "message=x"])
def test_points_that_make_no_sense_are_refused(text):
    with pytest.raises(InvalidArgument, match="KIND=NUMBER"):
        points_of([text])


def test_equal_windows_are_asked_once():
    assert list(Question(windows=("1h", "60m", " 24h ", "1d")).spans) == ["1h", "24h"]


def test_an_interrupt_waits_for_the_row_and_further_ones_change_nothing():
    before = signal.getsignal(signal.SIGINT)
    with Interruption() as interruption:
        signal.raise_signal(signal.SIGINT)
        assert interruption.requested
        assert interruption.interrupted
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt), interruption.waiting():
            pytest.fail("nothing is waited for after an interrupt")
    signal.raise_signal(signal.SIGINT)  # the account is still to be printed
    interruption.restore()
    assert signal.getsignal(signal.SIGINT) is before


def test_an_interrupt_while_waiting_comes_through_at_once():
    with Interruption() as interruption:
        with pytest.raises(KeyboardInterrupt), interruption.waiting():
            signal.raise_signal(signal.SIGINT)
        assert interruption.interrupted
    interruption.restore()


def test_a_replay_in_another_thread_handles_no_signals(tmp_path):
    path = write_stream(tmp_path / "events.csv", 100)
    outcomes = []
    thread = threading.Thread(target=lambda: outcomes.append(replayed([path], tmp_path / "events.db")))
    thread.start()
    thread.join()
    assert outcomes[0].account.written == 100


def test_an_interrupt_keeps_the_account_exact(tmp_path, monkeypatch):
    path = write_stream(tmp_path / "events.csv", 3_000)
    monkeypatch.setattr(run_module, "_BATCH", 100)
    store = SqliteSink.store
    calls = []

    def interrupting(sink, columns):
        calls.append(1)
        if len(calls) == 2:
            signal.raise_signal(signal.SIGINT)
        return store(sink, columns)

    monkeypatch.setattr(SqliteSink, "store", interrupting)
    monkeypatch.setattr(run_module, "_CAPACITY", 128)
    outcome = replayed([path], tmp_path / "events.db")
    assert outcome.interrupted
    assert outcome.failure is None
    assert outcome.answers is None
    assert outcome.account.missing == 0
    assert 200 <= outcome.account.written == outcome.account.read < 3_000
    monkeypatch.undo()
    again = replayed([path], tmp_path / "events.db")
    assert again.account.duplicate == outcome.account.written
    assert again.answers.report() == replayed([path], tmp_path / "fresh.db").answers.report()


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
def test_a_second_interrupt_while_a_batch_is_written_keeps_the_account_exact(tmp_path, monkeypatch):
    path = write_stream(tmp_path / "events.csv", 5_000)
    store, on_signal = SqliteSink.store, Interruption._on_signal
    heard = threading.Semaphore(0)

    def hearing(interruption, number, frame):
        try:
            on_signal(interruption, number, frame)
        finally:
            heard.release()

    def interrupting(sink, columns):
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)
            assert heard.acquire(timeout=20)
        return store(sink, columns)

    monkeypatch.setattr(Interruption, "_on_signal", hearing)
    monkeypatch.setattr(SqliteSink, "store", interrupting)
    monkeypatch.setattr(run_module, "_BATCH", 500)
    before = signal.getsignal(signal.SIGINT)
    with Replay([str(path)], str(tmp_path / "e.db"), clock=lambda: NOW) as replay:
        outcome = replay.run()
        signal.raise_signal(signal.SIGINT)  # as while the account is printed
        assert outcome.account.written == replay.store.last_seq() > 0
    assert (outcome.interrupted, outcome.failure) == (True, None)
    assert outcome.account.missing == 0
    assert signal.getsignal(signal.SIGINT) is before

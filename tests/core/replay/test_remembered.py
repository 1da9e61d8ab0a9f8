"""What a community was last replayed with is kept by the replay, and by nothing else."""

from __future__ import annotations

import pytest

from engagehub_core import EventProcessor
from engagehub_core.errors import SinkError
from engagehub_core.replay.answers import Question
from engagehub_core.replay.remembered import Remembered
from engagehub_core.replay.run import Replay, recomputed
from engagehub_core.sinks.sqlite import SqliteSink

DEFAULTS = (Question().points, Question().half_life_micros)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "events.db"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "events.csv"
    path.write_text("time,member,community\n1,a,school\n2,b,club\n3,c,school\n")
    return path


def replayed(file, path, question, **options):
    with Replay([str(file)], str(path), question, **options) as replay:
        return replay.run()


def remembered(path, *communities):
    with SqliteSink(path, create=False) as store:
        return [Remembered(store).of(name) for name in communities]


def test_the_last_replay_of_each_community_is_remembered(path, file):
    replayed(file, path, Question(points={"message": 2.0}, half_life_micros=5_000))
    doubled = ({"message": 2.0}, 5_000)
    assert remembered(path, "school", "club", "nobody") == [doubled, doubled, DEFAULTS]
    replayed(
        file, path, Question(points={"join": 1.0}, half_life_micros=None), limit=1
    )  # stored before, and yet a replay
    assert remembered(path, "school", "club") == [({"join": 1.0}, None), doubled]


def test_events_that_no_replay_wrote_have_the_defaults_and_change_nothing(path, file):
    with EventProcessor(SqliteSink(path)) as events:
        events.push("message", 7, 0, at=1, community=1, id=1)
    with SqliteSink(path, create=False) as sink:
        assert Remembered(sink).of(1) == DEFAULTS
        assert sink.execute("SELECT name FROM sqlite_master WHERE name = 'replays'") == []  # asking writes nothing
        answers = recomputed(sink, 1, Question())
        assert [row["member"] for row in answers.leaderboard()] == [7]
        assert [row["item"] for row in answers.trending()] == [0]
    replayed(file, path, Question(points={"message": 2.0}))
    with SqliteSink(path) as sink:
        sink.store({
            "id": ["new"], "community": ["school"], "kind": ["message"], "member": ["a"], "channel": [None],
            "at_us": [5], "value": [1.0], "data": [None],
        })  # fmt: skip
    assert remembered(path, "school", 1, "1") == [({"message": 2.0}, 604_800_000_000), DEFAULTS, DEFAULTS]


def test_integers_and_texts_are_different_communities(path):
    with SqliteSink(path) as store:
        kept = Remembered(store)
        kept.keep(1, Question(half_life_micros=1))
        kept.keep("1", Question(half_life_micros=2))
        assert [kept.of(name)[1] for name in (1, "1")] == [1, 2]


def test_a_database_that_refuses_stops_the_replay_before_it_stores(path, file, monkeypatch):
    def refusing(*_):
        message = "events.db: attempt to write a readonly database"
        raise SinkError(message)

    monkeypatch.setattr(Remembered, "keep", refusing)
    outcome = replayed(file, path, Question())
    assert outcome.failure == "events.db: attempt to write a readonly database"
    assert (outcome.account.written, outcome.others) == (0, [])
    with SqliteSink(path) as store:
        assert store.last_seq() == 0

"""The SQLite sink: each event once, in order, all or nothing, and never in somebody else's database."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engagehub_core import EventProcessor
from engagehub_core.errors import Closed, Incompatible, SinkError
from engagehub_core.sinks import SqliteSink, WriteResult
from engagehub_core.sinks.sqlite import APPLICATION_ID, SCHEMA_VERSION


def columns(ids, community="school", **changes):
    count = len(ids)
    return {
        "id": list(ids),
        "community": community if isinstance(community, list) else [community] * count,
        "kind": ["message"] * count,
        "member": [f"member {name}" for name in ids],
        "channel": ["maths"] * count,
        "at_us": list(range(count)),
        "value": [1.0] * count,
        "data": [None] * count,
        **changes,
    }


def result(written, duplicate, rejected=0):
    return WriteResult(written=written, duplicate=duplicate, rejected=rejected)


def stored(path):
    connection = sqlite3.connect(path)
    try:
        return connection.execute(
            "SELECT name, events.id, kind, member, channel, at, value, data FROM events"
            " JOIN communities ON communities.id = community ORDER BY seq"
        ).fetchall()
    finally:
        connection.close()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "events.db"


def test_what_is_stored_is_what_was_given(path):
    with SqliteSink(path) as sink:
        odd = {"channel": ["maths", ""], "data": ["{}", None], "at_us": [5, 2**62], "value": [0.5, -1.0]}
        assert sink.store(columns(["a", "b"], **odd)) == result(2, 0)
    assert stored(path) == [
        ("school", "a", "message", "member a", "maths", 5, 0.5, "{}"),
        ("school", "b", "message", "member b", None, 2**62, -1.0, None),
    ]


@given(st.lists(st.lists(st.tuples(st.sampled_from("xyz"), st.integers(0, 30)), max_size=40), max_size=8))
def test_each_identity_is_stored_once_and_in_order(batches):
    seen: dict[tuple[str, str], None] = {}
    with SqliteSink(":memory:") as sink:
        sink._step = 8 * 7  # several statements a batch, the last one shorter
        for batch in batches:
            before = len(seen)
            seen.update(dict.fromkeys((community, str(name)) for community, name in batch))
            new = len(seen) - before
            names = [str(number) for _, number in batch]
            got = sink.store(columns(names) | {"community": [community for community, _ in batch]})
            assert got == result(new, len(batch) - new)
        rows = sink.execute(
            "SELECT name, events.id FROM events JOIN communities ON communities.id = community ORDER BY seq"
        )
        assert rows == list(seen)
        assert sink.last_seq() == len(seen)
        for community in "xyz":
            own = [f"member {name}" for c, name in seen if c == community]
            assert [m for part in sink.columns(community, size=3) for m in part["member"]] == own
            assert sink.has_events(community) == bool(own)


def test_a_refused_row_takes_its_whole_batch_with_it(path):
    with SqliteSink(path) as sink:
        with pytest.raises(SinkError, match=r"NOT NULL constraint failed: events\.member") as caught:
            sink.store(columns(["a", "b"], member=["ada", None], community="new"))
        assert isinstance(caught.value.__cause__, sqlite3.IntegrityError)
        assert sink.communities() == []
        assert sink.store(columns(["a"], community="new")) == result(1, 0)
    assert len(stored(path)) == 1


def test_an_event_without_an_id_is_rejected_and_the_others_are_stored(path):
    with SqliteSink(path) as sink:
        assert sink.store(columns([None, "a", "", 0, "a"])) == result(2, 1, 2)
        assert sink.store(columns([None, ""], community="empty")) == result(0, 0, 2)
        assert sink.communities() == ["school"]
    assert [row[1:4] for row in stored(path)] == [("a", "message", "member a"), (0, "message", "member 0")]


def test_integers_and_texts_stay_what_they_are(path):
    low, high = -(2**63), 2**63 - 1
    values = {
        "community": [1, "1", 0, 1, "1", 0],
        "member": [1, "1", 0, "01", low, high],
        "channel": [0, "0", None, "", high, low],
    }
    ids = [1, "1", 0, "1", 1, "0"]
    with SqliteSink(path) as sink:
        for again in range(2):
            assert sink.store(columns(ids, **values)) == (result(0, 6) if again else result(6, 0))
    with SqliteSink(path, create=False) as sink:
        assert sink.communities() == [1, "1", 0]
        read = {name: [(p["member"], p["channel"]) for p in sink.columns(name)] for name in (1, "1", 0, "0")}
        assert sink.has_events(0)
        assert not sink.has_events("0")
    assert read == {
        1: [((1, "01"), (0, None))],
        "1": [(("1", low), ("0", high))],
        0: [((0, high), (None, low))],
        "0": [],
    }
    assert [(row[0], row[1]) for row in stored(path)] == list(zip(values["community"], ids, strict=True))


@given(st.lists(st.tuples(*[st.one_of(st.integers(-3, 3), st.sampled_from(["-1", "0", "1", "1.0", "x"]))] * 2)))
def test_an_id_is_the_same_only_as_its_equal_of_the_same_type(events):
    seen = dict.fromkeys(events)  # no integer equals a text
    with SqliteSink(":memory:") as sink:
        got = sink.store(columns([name for _, name in events], community=[community for community, _ in events]))
        assert got == result(len(seen), len(events) - len(seen))
        query = "SELECT name, events.id FROM events JOIN communities ON communities.id = community ORDER BY seq"
        assert sink.execute(query) == list(seen)


def test_events_of_a_processor_come_back_as_they_were_pushed(path):
    with EventProcessor(SqliteSink(path), batch_size=10) as events:
        events.push("k", 1, 0, at=1, community=5, id=0)
        events.push("k", "1", "0", at=2, community=5, id="0")
        events.push("k", 1, at=3, community=5)
        events.push("k", 2, "", at=4, community=5, id="")
        events.push("k", 1, 0, at=5, community=5, id=0)
    stats = events.stats()
    assert (stats.written, stats.duplicate, stats.rejected, stats.dead_lettered) == (3, 1, 1, 0)
    with SqliteSink(path, create=False) as sink:
        assert list(sink.columns(5)) == [
            {
                "kind": ("k", "k", "k"),
                "member": (1, "1", 1),
                "channel": (0, "0", None),
                "at_us": (1_000_000, 2_000_000, 3_000_000),
            }
        ]


def test_a_batch_of_the_processor_is_stored_by_its_columns(path):
    class Batch:
        def columns(self):
            return columns(["a", "b", "a"])

    with SqliteSink(path) as sink:
        assert sink.write(Batch()) == result(2, 1)


def test_a_worker_may_write_while_another_thread_asks(path):
    with SqliteSink(path) as sink:
        errors = []

        def write():
            try:
                for start in range(0, 2_000, 100):
                    sink.store(columns([str(i) for i in range(start, start + 100)]))
            except Exception as error:
                errors.append(error)

        worker = threading.Thread(target=write)
        worker.start()
        while worker.is_alive():
            assert sink.last_seq() % 100 == 0
        worker.join()
        assert not errors
        assert sink.last_seq() == 2_000


def test_two_sinks_share_a_database(path):
    with SqliteSink(path) as one, SqliteSink(path) as other:
        assert one.store(columns(["a", "b"])) == result(2, 0)
        assert other.store(columns(["b", "c"])) == result(1, 1)


def test_the_file_says_whose_it_is(path):
    SqliteSink(path).close()
    connection = sqlite3.connect(path)
    pragmas = [
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("application_id", "user_version", "journal_mode")
    ]
    connection.close()
    assert pragmas == [APPLICATION_ID, SCHEMA_VERSION, "wal"]


@pytest.mark.parametrize("create", [True, False])
@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("CREATE TABLE theirs (x)", "belongs to another application"),
        ("PRAGMA application_id = 5", "belongs to another application"),
        (f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 99", "schema version 99 is newer"),
    ],
)
def test_a_foreign_or_newer_database_is_refused_untouched(path, script, message, create):
    connection = sqlite3.connect(path)
    connection.executescript(script)
    connection.close()
    before = path.read_bytes()
    with pytest.raises(Incompatible, match=message):
        SqliteSink(path, create=create)
    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_refused_untouched(path):
    path.write_text("timestamp,user_id\n" * 100)
    with pytest.raises(Incompatible, match="not an SQLite database"):
        SqliteSink(path)
    assert path.read_text() == "timestamp,user_id\n" * 100


def test_paths_that_lead_nowhere_are_refused(tmp_path):
    with pytest.raises(SinkError, match="is a directory"):
        SqliteSink(tmp_path)
    with pytest.raises(SinkError, match="there is no folder"):
        SqliteSink(tmp_path / "none" / "events.db")
    with pytest.raises(SinkError, match="no such database"):
        SqliteSink(tmp_path / "none.db", create=False)
    assert list(tmp_path.iterdir()) == []


def test_odd_letters_in_a_path_are_letters(tmp_path):
    path = tmp_path / "a?mode=memory#b%20c é.db"
    with SqliteSink(path) as sink:
        sink.store(columns(["a"]))
    assert len(stored(path)) == 1


def test_a_read_only_database_is_refused(path):
    with SqliteSink(path) as sink:
        sink.execute("PRAGMA query_only=1")  # fails as a read-only file does, for the superuser too
        with pytest.raises(SinkError, match="attempt to write a readonly database"):
            sink.store(columns(["a"]))


def test_a_full_database_refuses_the_batch_and_keeps_the_rest(path):
    with SqliteSink(path) as sink:
        sink.store(columns([str(i) for i in range(100)]))
        pages = sink.execute("PRAGMA page_count")[0][0]
        sink.execute(f"PRAGMA max_page_count={pages + 1}")
        with pytest.raises(SinkError, match="database or disk is full"):
            sink.store(columns([str(i) for i in range(100, 5_000)]))
        sink.execute("PRAGMA max_page_count=1000000")
        assert sink.last_seq() == 100
        assert sink.store(columns([str(i) for i in range(5_000)])) == result(4_900, 100)


def test_a_closed_sink_refuses(path):
    sink = SqliteSink(path)
    sink.close()
    sink.close()
    with pytest.raises(Closed, match="closed"):
        sink.store(columns(["a"]))


def test_a_killed_writer_leaves_whole_batches(path):
    script = f"""
import os, signal
from engagehub_core.sinks.sqlite import SqliteSink
sink = SqliteSink({str(path)!r})
def columns(ids):
    n = len(ids)
    return dict(id=ids, community=["school"]*n, kind=["message"]*n, member=["ada"]*n, channel=[None]*n, at_us=[0]*n,
                value=[1.0]*n, data=[None]*n)
sink.store(columns([str(i) for i in range(100)]))
sink._connection.execute("BEGIN IMMEDIATE")
sink._insert(sink._connection, columns([str(i) for i in range(100, 200)]))
os.kill(os.getpid(), signal.SIGKILL)
"""
    killed = subprocess.run([sys.executable, "-c", script], check=False)
    assert killed.returncode == -9
    with SqliteSink(path) as sink:
        assert sink.last_seq() == 100
        assert sink.store(columns([str(i) for i in range(200)])) == result(100, 100)


def test_a_database_may_be_made_by_many_threads_at_once(tmp_path):
    for n in range(20):
        path = tmp_path / f"{n}.db"
        start = threading.Barrier(4)
        outcomes = []

        def make(path=path, start=start, outcomes=outcomes):
            start.wait()
            try:
                with SqliteSink(path) as sink:
                    outcomes.append(sink.store(columns(["a"])).written)
            except Exception as error:
                outcomes.append(repr(error))

        threads = [threading.Thread(target=make) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(outcomes, key=str) == [0, 0, 0, 1]

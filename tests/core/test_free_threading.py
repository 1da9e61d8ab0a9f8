"""The package without the GIL: importing leaves it off, and objects that threads share stay whole.

Every test of sharing holds with a GIL too, so it runs on every Python.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import random
import subprocess
import sys
import sysconfig
import threading
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from engagehub_core import (
    BoardSpec,
    CountMinSketch,
    DistinctWindow,
    EventProcessor,
    HyperLogLog,
    Leaderboard,
    MpmcQueue,
    SkipList,
    TopK,
    TotalWindow,
)
from engagehub_core.errors import Corrupted, InvalidArgument, InvalidType, SinkError

if TYPE_CHECKING:
    from collections.abc import Callable

needs_free_threading = pytest.mark.skipif(
    not sysconfig.get_config_var("Py_GIL_DISABLED"), reason="needs a free-threaded Python"
)
THREADS = 4
AT = 1_700_000_000


def together(*works: Callable[[], object]) -> None:
    """Run each on a thread of its own, all from the same moment; raise what the first that failed raised."""
    start = threading.Barrier(len(works))
    errors: list[BaseException] = []

    def run(work):
        start.wait()
        try:
            work()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def until_done(writers, readers):
    """Run the writers once, and meanwhile the readers again and again, each at least once."""
    left = len(writers)
    lock = threading.Lock()
    is_over = threading.Event()

    def write(work):
        nonlocal left
        try:
            work()
        finally:
            with lock:
                left -= 1
                if left == 0:
                    is_over.set()

    def read(look):
        while True:
            ended = is_over.is_set()
            look()
            if ended:
                return

    together(
        *(lambda work=work: write(work) for work in writers),
        *(lambda look=look: read(look) for look in readers),
    )


@needs_free_threading
@pytest.mark.parametrize("module", ["engagehub_core", "engagehub_core.processor", "engagehub_core.cli"])
def test_importing_leaves_the_gil_off(module):
    code = f"import {module}, engagehub_core._native, sys; print(sys._is_gil_enabled())"
    # Neither the variable nor the option is set, for both would hide a module that turns the GIL on.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHON_GIL"}
    command = [sys.executable, "-W", "error", "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)
    assert (result.stdout, result.stderr) == ("False\n", "")


# ---- one object, many threads ----


@pytest.mark.parametrize("rounds", [10, pytest.param(2_000, marks=pytest.mark.stress)])
def test_a_board_counts_every_point_of_every_thread(rounds):
    board = Leaderboard(max_skew=None)
    members = [f"member-{i}" for i in range(50)]

    def add():
        for _ in range(rounds):
            for member in members:
                board.add(member, 1, at=AT)

    def update():
        for _ in range(rounds):
            board.update(members, 2.0, at=AT)

    def merge():
        other = Leaderboard(max_skew=None)
        other.update(members, 3.0, at=AT)
        for _ in range(rounds):
            board.merge(other)

    def look():
        rows = board.top(50, at=AT)
        assert [row.score for row in rows] == sorted((row.score for row in rows), reverse=True)
        assert len(board) <= 50
        for twin in (board.copy(), pickle.loads(pickle.dumps(board)), Leaderboard.from_json(board.to_json())):
            twin._check()
        present = [row.member for row in rows]
        assert min(board.ranks(present), default=1) >= 1
        assert min(board.scores(present, at=AT), default=1) >= 1
        repr(board)

    until_done([add, add, update, merge], [look])
    board._check()
    assert {row.member: row.score for row in board.top(50, at=AT)} == dict.fromkeys(members, rounds * (1 + 1 + 2 + 3.0))


def test_a_board_is_read_between_batches_never_inside_one():
    board = Leaderboard(max_skew=None)
    members = list(range(2_000))
    board.update(members, 0.0, at=AT)

    def update():
        for _ in range(20):
            board.update(members, 1.0, at=AT)

    def look():
        # Both the short way, on which a thread with the GIL takes no lock, and the long one.
        assert len({row.score for row in board.top(500, at=AT)}) == 1
        assert len({row.score for row in board.top(2_000, at=AT)}) == 1

    until_done([update, update], [look])


@pytest.mark.parametrize("rounds", [10, pytest.param(2_000, marks=pytest.mark.stress)])
def test_a_skip_list_stays_whole_while_members_come_and_go(rounds):
    ranked = SkipList()

    def churn(first):
        for _ in range(rounds):
            for member in range(first, first + 50):
                ranked.set(member, member % 7)
            for member in range(first, first + 50, 2):
                ranked.remove(member)
            for member in range(first, first + 50, 2):
                ranked.add(member, 5)

    def look():
        members = list(ranked)
        assert len(members) == len(set(members))
        rows = ranked.range(0, 1_000)
        assert [row.score for row in rows] == sorted((row.score for row in rows), reverse=True)
        assert len(ranked.copy()) <= 50 * THREADS
        repr(ranked)

    until_done([lambda n=n: churn(n * 50) for n in range(THREADS)], [look])
    ranked._check()
    expected = {m: 5.0 if m % 2 == 0 else float(m % 7) for m in range(50 * THREADS)}
    assert {row.member: row.score for row in ranked.range(0, 1_000)} == expected


@pytest.mark.parametrize("rounds", [5, pytest.param(500, marks=pytest.mark.stress)])
def test_a_hyperloglog_ends_in_the_state_of_one_thread(rounds):
    shared, alone = HyperLogLog(), HyperLogLog()
    parts = [[f"item-{n}-{i}" for i in range(1_000)] for n in range(THREADS)]
    for part in parts:
        alone.update(part)

    def add():
        for item in parts[0]:
            shared.add(item)

    def update():
        for _ in range(rounds):
            shared.update(parts[1])

    def merge():
        other = HyperLogLog()
        other.update(parts[2])
        for _ in range(rounds):
            shared.merge(other)

    def unite():
        other = HyperLogLog()
        other.update(parts[3])
        same = shared
        for _ in range(rounds):
            same |= other

    def look():
        twin = pickle.loads(pickle.dumps(shared))
        copy = shared.copy()
        assert twin.estimate() <= copy.estimate()
        low, high = shared.bounds()
        assert low <= high
        repr(shared)
        shared == copy  # noqa: B015 - what it answers depends on the moment

    until_done([add, update, merge, unite], [look])
    assert shared == alone
    assert shared.to_bytes() == alone.to_bytes()


@pytest.mark.parametrize("rounds", [10, pytest.param(2_000, marks=pytest.mark.stress)])
def test_a_count_min_sketch_counts_every_weight(rounds):
    shared = CountMinSketch(width=1_000, depth=4)
    items = list(range(40))
    other = CountMinSketch(width=1_000, depth=4)
    other.update(items, 2)

    def add():
        for _ in range(rounds):
            for item in items:
                shared.add(item, 3)

    def update():
        for _ in range(rounds):
            shared.update(items)

    def merge():
        for _ in range(rounds):
            shared.merge(other)

    def look():
        copy = shared.copy()
        assert copy.total == CountMinSketch.from_bytes(copy.to_bytes()).total <= shared.total
        repr(shared)

    until_done([add, add, update, merge], [look])
    each = rounds * (3 + 3 + 1 + 2)
    assert shared.total == each * len(items)
    assert all(shared.estimate(item) >= each for item in items)


@pytest.mark.parametrize("rounds", [10, pytest.param(2_000, marks=pytest.mark.stress)])
def test_a_top_k_counts_every_weight(rounds):
    shared = TopK(50)
    items = [f"topic-{i}" for i in range(40)]
    other = TopK(50)
    other.update(items, 2.0)

    def add():
        for _ in range(rounds):
            for item in items:
                shared.add(item, 3)

    def update():
        for _ in range(rounds):
            shared.update(items)

    def merge():
        for _ in range(rounds):
            shared.merge(other)

    def look():
        rows = shared.top(50)
        assert len(rows) <= len(items)
        assert all(row.low <= row.estimate <= row.high for row in rows)
        assert len(pickle.loads(pickle.dumps(shared))) <= len(items)
        repr(shared.copy())

    until_done([add, add, update, merge], [look])
    each = rounds * (3 + 3 + 1 + 2)
    assert {row.item for row in shared.top(50)} == set(items)
    assert all(row.low <= each <= row.high for row in shared.top(50))


@pytest.mark.parametrize("rounds", [5, pytest.param(500, marks=pytest.mark.stress)])
def test_a_window_ends_in_the_state_of_one_thread(rounds):
    shared, alone = DistinctWindow("24h", max_skew=None), DistinctWindow("24h", max_skew=None)
    parts = [[f"member-{n}-{i}" for i in range(500)] for n in range(3)]
    for n, part in enumerate(parts):
        alone.update(part, at=AT + 3_600 * n)

    def add():
        for member in parts[0]:
            assert shared.add(member, at=AT)

    def update():
        for _ in range(rounds):
            assert shared.update(parts[1], at=AT + 3_600) == 500

    def merge():
        other = DistinctWindow("24h", max_skew=None)
        other.update(parts[2], at=AT + 7_200)
        for _ in range(rounds):
            shared.merge(other)

    def look():
        estimate, low, high = shared.answer(at=AT + 7_200)
        assert low <= estimate <= high
        assert shared.estimate("1h", at=AT) <= shared.estimate("2h", at=AT + 3_600) + 1
        assert len(shared.series("3h", at=AT + 7_200)) == 3
        assert shared.nbytes > 0
        assert pickle.loads(pickle.dumps(shared)).late == 0
        repr(shared.copy())

    until_done([add, update, merge], [look])
    assert shared.to_bytes() == alone.to_bytes()


@pytest.mark.parametrize("rounds", [5, pytest.param(500, marks=pytest.mark.stress)])
def test_totals_count_every_event_of_every_thread(rounds):
    shared = TotalWindow("24h", max_skew=None)

    def add():
        for number in range(500):
            assert shared.add(number, at=AT)

    def update():
        for _ in range(rounds):
            assert shared.update([0.1] * 500, at=AT + 3_600) == 500

    def merge():
        other = TotalWindow("24h", max_skew=None)
        other.update(range(10), at=AT + 7_200)
        for _ in range(rounds):
            shared.merge(other)

    def look():
        count = shared.count(at=AT + 7_200)
        assert 0 <= count <= 1_000 + 510 * rounds
        assert sum(shared.series("3h", at=AT + 7_200)) >= 0
        assert pickle.loads(pickle.dumps(shared)).late == 0
        repr(shared.copy())

    until_done([add, add, update, merge], [look])
    assert shared.count(at=AT + 7_200) == 1_000 + 510 * rounds
    assert shared.series("3h", at=AT + 7_200) == [2 * sum(range(500)), 50.0 * rounds, 45 * rounds]


@pytest.mark.parametrize(
    "made",
    [
        Leaderboard,
        SkipList,
        HyperLogLog,
        CountMinSketch,
        TopK,
        lambda: DistinctWindow("24h"),
        lambda: TotalWindow("24h"),
    ],
    ids=["Leaderboard", "SkipList", "HyperLogLog", "CountMinSketch", "TopK", "DistinctWindow", "TotalWindow"],
)
def test_clearing_while_others_write_leaves_a_whole_object(made):
    shared = made()

    more = (1,) if isinstance(shared, (Leaderboard, SkipList)) else ()

    def add():
        for item in range(500):
            shared.add(item, *more)

    def clear():
        for _ in range(200):
            shared.clear()

    until_done([add, add, clear], [lambda: repr(shared)])
    shared.clear()
    if not isinstance(shared, TotalWindow):
        shared.add("text", *more)  # the kind of item is free again


def test_two_objects_merge_into_each_other_at_once():
    one, two = HyperLogLog(), HyperLogLog()
    one.update(range(1_000))
    two.update(range(1_000, 2_000))

    def both(a, b):
        for _ in range(200):
            a.merge(b)
            assert (a == b) in (True, False)

    together(lambda: both(one, two), lambda: both(two, one), lambda: both(one, one))
    assert one == two


@pytest.mark.parametrize("rounds", [3_000, pytest.param(30_000, marks=pytest.mark.stress)])
def test_a_queue_hands_over_every_item_once(rounds):
    queue = MpmcQueue(64)
    taken = [[] for _ in range(THREADS)]

    def put(n):
        items = iter(range(n, rounds * THREADS, THREADS))
        rng = random.Random(n)
        while batch := [item for _, item in zip(range(rng.randint(1, 20)), items, strict=False)]:
            if len(batch) == 1:
                queue.put(batch[0])
            else:
                assert queue.put_many(batch) == len(batch)

    def get(n):
        rng = random.Random(n)
        while True:
            items = queue.get_many(rng.randint(1, 20)) if rng.random() < 0.5 else [queue.get()]
            queue_ends = items.count(None)
            taken[n].extend(item for item in items if item is not None)
            for _ in range(queue_ends - 1):
                queue.put(None)  # meant for another thread
            if queue_ends:
                return

    def look():
        assert 0 <= queue.qsize() <= 64
        assert queue.unfinished_tasks <= rounds * THREADS * 2
        repr(queue)

    def put_all():
        together(*(lambda n=n: put(n) for n in range(THREADS)))
        for _ in range(THREADS):
            queue.put(None)

    until_done([put_all, *(lambda n=n: get(n) for n in range(THREADS))], [look])
    assert sorted(item for part in taken for item in part) == list(range(rounds * THREADS))
    assert queue.empty()


@pytest.mark.parametrize("rounds", [500, pytest.param(20_000, marks=pytest.mark.stress)])
def test_a_processor_accounts_for_every_event_of_every_thread(rounds):
    seen: Counter[str] = Counter()
    turn = [0]

    def sink(batch):
        turn[0] += 1
        if turn[0] % 5 == 0:
            raise TimeoutError("for the moment")
        if turn[0] % 7 == 0:
            return "nonsense"
        seen.update(event.member for event in batch)
        return None

    events = EventProcessor(
        sink,
        boards={"all": BoardSpec()},
        workers=2,
        batch_size=64,
        flush_interval=0.01,
        overflow="block",
        keep_dead=100,
        retry_first=1e-3,
        retry_max=1e-3,
    )
    failures = []

    def push(n):
        for i in range(rounds):
            assert events.push("message", f"member-{n}", i)

    def push_many(n):
        for _ in range(rounds // 50):
            assert events.push_many({"kind": "message", "member": [f"member-{n}"] * 50}) == 50

    def look():
        stats = events.stats()
        assert stats.offered == stats.accepted + stats.refused
        assert stats.accepted == stats.queued + stats.in_flight + stats.delivered + stats.dead_lettered + stats.evicted
        assert stats.dead_dropped <= stats.dead_lettered
        assert len(events.dead_letters()) <= 100
        try:
            events.flush(timeout=30)
        except SinkError as error:
            failures.append(error)
        repr(events)

    until_done([lambda: push(0), lambda: push(1), lambda: push_many(2)], [look, look])
    try:
        events.close()
    except SinkError as error:
        failures.append(error)
    stats = events.stats()
    pushed = rounds * 2 + rounds // 50 * 50
    assert (stats.accepted, stats.delivered + stats.dead_lettered) == (pushed, pushed)
    assert sum(seen.values()) == stats.delivered
    expected = {"member-0": rounds, "member-1": rounds, "member-2": rounds // 50 * 50}
    assert {row.member: row.score for row in events.board("all").top()} == expected
    assert failures


def test_many_threads_close_a_processor_and_its_sink_is_closed_once():
    for _ in range(20):
        closings = []

        class Sink:
            def write(self, batch):
                pass

            def close(self, closings=closings):
                closings.append(threading.get_ident())

        events = EventProcessor(Sink())
        events.push("message", "ada")
        together(*[events.close] * 8)
        assert len(closings) == 1
        assert events.stats().delivered == 1


def test_the_end_of_a_processor_is_claimed_by_one_thread():
    with EventProcessor() as events:
        answers = []
        together(*[lambda: answers.append(events._claim_end())] * 8)
        assert sorted(answers) == [False] * 7 + [True]
        answers.clear()
        events.close()  # somebody else has claimed it
        assert events._claim_end() is False


# ---- arguments that change under the call ----


def test_a_list_that_changes_during_a_batch_is_read_at_one_moment():
    members = ["ada"] * 1_000
    board = Leaderboard(max_skew=None)

    def change():
        for i in range(2_000):
            members.append(f"member-{i % 10}")
            del members[1_000:]
            members[i % 1_000] = "ada"

    batches = []

    def update():
        board.update(members, 1.0, at=AT)
        batches.append(1)

    until_done([change], [update, update])
    board._check()
    rows = board.top(99, at=AT)
    assert {row.member for row in rows} <= {"ada", *(f"member-{i}" for i in range(10))}
    assert 1_000 * len(batches) <= sum(row.score for row in rows) <= 1_001 * len(batches)


def test_an_array_that_changes_during_a_batch_is_checked_as_it_is_used():
    np = pytest.importorskip("numpy")
    points = np.zeros(1_000)
    counts = CountMinSketch()
    weights = np.ones(1_000, dtype=np.int64)
    items = np.arange(1_000)
    board = Leaderboard(max_skew=None)

    def change():
        for i in range(500):
            points[:] = (float("nan"), 1.0)[i % 2]
            weights[:] = (-1, 1)[i % 2]

    def update():
        for call in (lambda: board.update(items, points, at=AT), lambda: counts.update(items, weights)):
            with contextlib.suppress(InvalidArgument):
                call()

    until_done([change], [update, update])
    assert all(row.score == row.score for row in board.top(1_000, at=AT))
    assert counts.total < 2**40


def test_an_array_of_items_that_changes_during_a_batch_is_counted_as_it_is_read():
    np = pytest.importorskip("numpy")
    items = np.zeros(5_000, dtype=np.int64)
    counts = CountMinSketch(width=100_000)
    lately = CountMinSketch(half_life="1h")

    def change():
        for i in range(500):
            items[:] = (-(2**63), 2**63 - 1)[i % 2]

    def update():
        counts.update(items)
        lately.update(items, at=AT)

    until_done([change], [update, update])
    assert counts.total % 5_000 == 0
    # Every item was one of these, or torn from them.
    assert counts.estimate(-(2**63)) + counts.estimate(2**63 - 1) + counts.estimate(0) >= counts.total // 2
    assert lately.total == pytest.approx(counts.total)


def test_bytes_that_change_while_they_are_read_are_read_at_one_moment():
    seen = HyperLogLog(p=10)
    seen.update(range(10_000))
    good = seen.to_bytes()
    data = bytearray(good)

    def change():
        for i in range(3_000):
            data[i % len(data)] ^= 0xFF
            data[i % len(data)] ^= 0xFF

    def read():
        with contextlib.suppress(Corrupted):
            assert HyperLogLog.from_bytes(data).to_bytes() == good

    until_done([change], [read, read])
    assert HyperLogLog.from_bytes(data) == seen


def test_a_text_whose_bytes_nobody_has_asked_for_yet_is_the_same_to_all_threads():
    for i in range(300):
        text = "".join(["Зоя", str(i)])  # a new str: its UTF-8 is made by the first thread that asks
        seen = HyperLogLog()
        together(*[lambda text=text, seen=seen: seen.add(text)] * THREADS)
        alone = HyperLogLog()
        alone.add(f"Зоя{i}")
        assert seen == alone


# ---- construction ----

CONSTRUCTIONS = {
    "Leaderboard": (Leaderboard, (), {}),
    "SkipList": (SkipList, (), {}),
    "HyperLogLog": (HyperLogLog, (), {}),
    "CountMinSketch": (CountMinSketch, (), {}),
    "TopK": (TopK, (), {}),
    "DistinctWindow": (DistinctWindow, ("24h",), {}),
    "TotalWindow": (TotalWindow, ("24h",), {}),
    "MpmcQueue": (MpmcQueue, (8,), {}),
    "EventProcessor": (EventProcessor, (), {}),
}


@pytest.mark.parametrize(("cls", "given", "named"), CONSTRUCTIONS.values(), ids=CONSTRUCTIONS)
def test_an_object_is_constructed_by_one_thread_only(cls, given, named):
    for _ in range(20):
        bare = cls.__new__(cls)
        outcomes = []

        def construct(bare=bare, outcomes=outcomes):
            try:
                bare.__init__(*given, **named)
            except InvalidType as error:
                outcomes.append(str(error))
            else:
                outcomes.append("made")

        together(*[construct] * THREADS)
        assert outcomes.count("made") == 1
        assert all(outcome == "made" or "only once" in outcome for outcome in outcomes)
        repr(bare)


@pytest.mark.parametrize(("cls", "given", "named"), CONSTRUCTIONS.values(), ids=CONSTRUCTIONS)
def test_a_second_init_is_refused_and_changes_nothing(cls, given, named):
    made = cls(*given, **named)
    before = repr(made)
    with pytest.raises(InvalidType, match="only once"):
        made.__init__(*given, **named)
    assert repr(made) == before


def test_an_init_inside_of_an_init_is_refused():
    outcomes = []

    class Capacity:
        def __index__(self):
            try:
                queue.__init__(8)
            except InvalidType as error:
                outcomes.append(str(error))
            return 4

    queue = MpmcQueue.__new__(MpmcQueue)
    queue.__init__(Capacity())
    assert queue.capacity == 4
    assert outcomes == ["MpmcQueue.__init__() must be called only once"]


def test_an_init_that_failed_may_be_called_again():
    seen = HyperLogLog.__new__(HyperLogLog)
    with pytest.raises(ValueError, match="p must be"):
        seen.__init__(p=99)
    seen.__init__(p=5)
    assert seen.p == 5


def test_new_subclasses_are_used_for_the_first_time_by_many_threads_at_once():
    for _ in range(30):
        kind = type("Kind", (HyperLogLog,), {})

        def use(kind=kind):
            seen = kind()
            seen.add("ada")
            assert type(seen.copy()) is kind
            assert seen == seen.copy()

        together(*[use] * THREADS)

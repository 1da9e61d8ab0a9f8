"""MpmcQueue beside queue.Queue, beside a model, and in the corners where native queues go wrong."""

from __future__ import annotations

import contextlib
import copy
import gc
import itertools
import pickle
import queue
import subprocess
import sys
import textwrap
import threading
import weakref
from collections import deque

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from waiting import PATIENCE, answer_to_ctrl_c, until

from engagehub_core import MpmcQueue
from engagehub_core.errors import InvalidArgument, InvalidType, ShutDown

KINDS = [pytest.param(queue.Queue, id="queue.Queue"), pytest.param(MpmcQueue, id="MpmcQueue")]
HAS_SHUTDOWN = hasattr(queue.Queue, "shutdown")
KINDS_WITH_SHUTDOWN = KINDS if HAS_SHUTDOWN else KINDS[1:]


class Waiting:
    """A call on another thread; tells when it is about to begin, and what came of it."""

    def __init__(self, call, *args, **kwargs):
        self.begun = threading.Event()
        self.outcome = None

        def run():
            self.begun.set()
            try:
                self.outcome = ("returned", call(*args, **kwargs))
            except BaseException as error:
                self.outcome = ("raised", type(error))

        self.thread = threading.Thread(target=run, daemon=True)
        self.thread.start()
        assert self.begun.wait(PATIENCE)

    def result(self):
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive(), "the call hangs"
        return self.outcome


def run_script(script, **kwargs):
    return subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=PATIENCE * 2,
        check=False,
        **kwargs,
    )


# ---- where queue.Queue and MpmcQueue must agree ----------------------------------------------------------------------


@pytest.mark.parametrize("make", KINDS)
class TestAsQueue:
    def test_items_come_out_in_the_order_in_which_they_went_in(self, make):
        q = make(4)
        for item in (111, 333, 222):
            q.put(item)
        assert [q.get(), q.get(), q.get()] == [111, 333, 222]

    def test_sizes_from_empty_to_full(self, make):
        q = make(2)
        assert (q.qsize(), q.empty(), q.full(), q.maxsize) == (0, True, False, 2)
        q.put("a")
        assert (q.qsize(), q.empty(), q.full()) == (1, False, False)
        q.put("b", block=False)
        assert (q.qsize(), q.empty(), q.full()) == (2, False, True)

    @pytest.mark.parametrize(
        "put",
        [
            lambda q: q.put("x", block=False),
            lambda q: q.put("x", False),
            lambda q: q.put("x", timeout=0.01),
            lambda q: q.put("x", True, 0.01),
            lambda q: q.put("x", False, 100),
            lambda q: q.put_nowait("x"),
            lambda q: q.put_nowait(item="x"),
        ],
    )
    def test_put_into_a_full_queue_raises_full(self, make, put):
        q = make(2)
        q.put(1)
        q.put(item=2)
        with pytest.raises(queue.Full):
            put(q)
        assert q.qsize() == 2
        q.get()
        put(q)
        assert [q.get(), q.get()] == [2, "x"]

    @pytest.mark.parametrize(
        "get",
        [
            lambda q: q.get(block=False),
            lambda q: q.get(False),
            lambda q: q.get(timeout=0.01),
            lambda q: q.get(True, 0.01),
            lambda q: q.get(False, 100),
            lambda q: q.get_nowait(),
        ],
    )
    def test_get_from_an_empty_queue_raises_empty(self, make, get):
        q = make(2)
        with pytest.raises(queue.Empty):
            get(q)
        q.put("x")
        assert get(q) == "x"

    def test_a_negative_timeout_is_a_value_error_and_changes_nothing(self, make):
        q = make(2)
        with pytest.raises(ValueError, match="timeout"):
            q.get(timeout=-1)
        with pytest.raises(ValueError, match="timeout"):
            q.put(1, timeout=-1)
        assert q.qsize() == 0

    @pytest.mark.parametrize(
        "call",
        [
            lambda q: q.put(),
            lambda q: q.put(1, True, None, 4),
            lambda q: q.put(1, item=2),
            lambda q: q.put(1, wait=True),
            lambda q: q.get(True, None, 3),
            lambda q: q.get(item=1),
            lambda q: q.put_nowait(),
            lambda q: q.put_nowait(1, 2),
            lambda q: q.get_nowait(1),
        ],
    )
    def test_a_wrong_call_is_a_type_error_and_changes_nothing(self, make, call):
        q = make(2)
        with pytest.raises(TypeError):
            call(q)
        assert q.qsize() == 0

    def test_a_waiting_get_takes_what_is_put_later(self, make):
        q = make(2)
        waiting = Waiting(q.get)
        q.put("late")
        assert waiting.result() == ("returned", "late")

    def test_a_waiting_put_goes_on_when_there_is_room(self, make):
        q = make(2)
        q.put(1)
        q.put(2)
        waiting = Waiting(q.put, 3, timeout=PATIENCE)
        assert q.get() == 1
        assert waiting.result() == ("returned", None)
        assert [q.get(), q.get()] == [2, 3]

    def test_a_truth_value_that_raises_goes_through(self, make):
        class Vague:
            def __bool__(self):
                raise LookupError("who knows")

        q = make(2)
        with pytest.raises(LookupError):
            q.get(Vague())

    def test_task_done_too_often_is_a_value_error(self, make):
        q = make(4)
        with pytest.raises(ValueError, match="called too many times"):
            q.task_done()
        q.put(1)
        q.get()
        q.task_done()
        with pytest.raises(ValueError, match="called too many times"):
            q.task_done()

    def test_join_waits_for_every_task(self, make):
        q = make(64)
        total = []

        def work():
            while (item := q.get()) is not None:
                total.append(item)
                q.task_done()
            q.task_done()

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for i in range(500):
            q.put(i)
        q.join()
        assert sum(total) == sum(range(500))
        assert q.unfinished_tasks == 0
        for _ in threads:
            q.put(None)
        q.join()
        for thread in threads:
            thread.join(PATIENCE)

    def test_join_waits_for_the_last_task_and_for_no_more(self, make):
        q = make(2)
        q.put(1)
        q.get()
        waiting = Waiting(q.join)
        assert waiting.outcome is None
        q.task_done()
        assert waiting.result() == ("returned", None)
        q.join()

    def test_many_threads_lose_and_double_nothing(self, make):
        q = make(8)
        seen = [[] for _ in range(3)]

        def produce(name):
            for i in range(1500):
                q.put((name, i))

        def consume(out):
            while (item := q.get()) is not None:
                out.append(item)

        consumers = [threading.Thread(target=consume, args=(out,)) for out in seen]
        producers = [threading.Thread(target=produce, args=(name,)) for name in range(3)]
        for thread in consumers + producers:
            thread.start()
        for thread in producers:
            thread.join(PATIENCE)
        for _ in consumers:
            q.put(None)
        for thread in consumers:
            thread.join(PATIENCE)
        assert sorted(item for out in seen for item in out) == [(name, i) for name in range(3) for i in range(1500)]
        for out in seen:
            for name in range(3):
                numbers = [i for who, i in out if who == name]
                assert numbers == sorted(numbers)

    def test_references_are_held_and_given_back(self, make):
        class Thing:
            pass

        q = make(2)
        thing = Thing()
        gone = weakref.ref(thing)
        q.put(thing)
        with contextlib.suppress(queue.Full):
            q.put(None)
            q.put_nowait(thing)
        del thing
        gc.collect()
        assert gone() is not None
        assert isinstance(q.get(), Thing)
        gc.collect()
        assert gone() is None

    def test_items_may_use_the_queue_in_their_destructor(self, make):
        q = make(4)

        class Echo:
            def __del__(self):
                with contextlib.suppress(queue.Full):
                    q.put_nowait("from the grave")

        q.put(Echo())
        q.get()
        gc.collect()
        assert q.get_nowait() == "from the grave"


@pytest.mark.parametrize("make", KINDS_WITH_SHUTDOWN)
class TestShutdown:
    def test_what_was_put_before_can_be_taken(self, make):
        q = make(4)
        q.put("a")
        q.put("b")
        q.shutdown()
        with pytest.raises(ShutDown):
            q.put("c")
        with pytest.raises(ShutDown):
            q.put_nowait("c")
        assert [q.get(), q.get_nowait()] == ["a", "b"]
        for get in (q.get, q.get_nowait, lambda: q.get(timeout=1)):
            with pytest.raises(ShutDown):
                get()
        assert q.unfinished_tasks == 2
        q.task_done()
        q.task_done()
        q.join()

    def test_immediate_drops_the_items_and_their_tasks(self, make):
        class Thing:
            pass

        q = make(4)
        thing = Thing()
        gone = weakref.ref(thing)
        q.put(thing)
        q.put("b")
        del thing
        q.shutdown(immediate=True)
        gc.collect()
        assert gone() is None
        assert q.qsize() == 0
        q.join()
        with pytest.raises(ShutDown):
            q.get_nowait()
        with pytest.raises(ValueError, match="called too many times"):
            q.task_done()

    def test_a_task_in_work_survives_immediate(self, make):
        q = make(4)
        q.put("in work")
        q.put("b")
        q.get()
        q.shutdown(immediate=True)
        assert q.unfinished_tasks == 1
        q.task_done()
        q.join()

    def test_all_who_wait_are_woken(self, make):
        empty = make(2)
        getters = [Waiting(empty.get) for _ in range(3)]
        empty.shutdown()
        assert {getter.result() for getter in getters} == {("raised", ShutDown)}
        full = make(2)
        full.put(1)
        full.put(2)
        putters = [Waiting(full.put, i, timeout=PATIENCE) for i in range(3)]
        full.shutdown()
        assert {putter.result() for putter in putters} == {("raised", ShutDown)}
        assert full.qsize() == 2

    def test_immediate_wakes_join(self, make):
        q = make(2)
        q.put(1)
        waiting = Waiting(q.join)
        q.shutdown(True)
        assert waiting.result() == ("returned", None)

    def test_twice_is_once(self, make):
        q = make(2)
        q.shutdown()
        q.shutdown(immediate=True)
        with pytest.raises(ShutDown):
            q.put(1)


# ---- MpmcQueue alone -------------------------------------------------------------------------------------------------


def test_capacity_is_rounded_up_and_checked():
    assert MpmcQueue().capacity == MpmcQueue().maxsize == 16_384
    assert MpmcQueue(3).capacity == 4
    assert MpmcQueue(capacity=1000).capacity == 1024
    for wrong in (1, 0, -1, 2**40):
        with pytest.raises(InvalidArgument, match=f"capacity must be between 2 and 1073741824, got {wrong}"):
            MpmcQueue(wrong)
    for wrong in (True, 2.0, "2", None):
        with pytest.raises(InvalidType, match="capacity must be int"):
            MpmcQueue(wrong)


def test_shutdown_is_the_standard_one_where_there_is_one():
    assert ShutDown is getattr(queue, "ShutDown", ShutDown)
    q = MpmcQueue(2)
    assert not q.is_shutdown
    q.shutdown()
    assert q.is_shutdown


@pytest.mark.parametrize("timeout", [float("nan"), float("inf"), "1", True])
def test_a_senseless_timeout_is_refused(timeout):
    q = MpmcQueue(2)
    for call in (q.get, lambda timeout: q.put(1, timeout=timeout), lambda timeout: q.get_many(1, timeout=timeout)):
        with pytest.raises((ValueError, TypeError), match="timeout"):
            call(timeout=timeout)
    with pytest.raises((ValueError, TypeError), match="timeout"):
        q.put_many([1], timeout=timeout)
    assert q.empty()


def test_put_many_and_get_many():
    q = MpmcQueue(8)
    assert q.put_many(iter("abc")) == 3
    assert q.put_many([]) == 0
    assert q.put_many(range(100), timeout=0) == 5
    assert q.full()
    assert q.unfinished_tasks == 8
    assert q.get_many(4) == ["a", "b", "c", 0]
    assert q.get_many(100) == [1, 2, 3, 4]
    assert q.get_many(100, timeout=0) == []
    for wrong in (0, -1):
        with pytest.raises(InvalidArgument, match="max must be at least 1"):
            q.get_many(wrong)
    with pytest.raises(InvalidType):
        q.get_many(1.5)
    with pytest.raises(TypeError):
        q.put_many(5)


def test_put_many_waits_for_room_and_get_many_for_the_first_item():
    q = MpmcQueue(2)
    waiting = Waiting(q.put_many, range(100))
    taken = []
    while len(taken) < 100:
        taken += q.get_many(10)
    assert taken == list(range(100))
    assert waiting.result() == ("returned", 100)
    waiting = Waiting(q.get_many, 10)
    q.put("late")
    assert waiting.result() == ("returned", ["late"])


def test_put_many_keeps_its_items_together():
    q = MpmcQueue(4096)
    threads = [Waiting(q.put_many, [(name, i) for i in range(1000)]) for name in range(4)]
    for thread in threads:
        thread.result()
    names = [name for name, _ in q.get_many(4096)]
    assert sum(a != b for a, b in itertools.pairwise(names)) == 3


def test_the_many_methods_know_shutdown():
    q = MpmcQueue(4)
    q.put_many("ab")
    waiting = Waiting(q.put_many, "cdef")
    until(lambda: q.qsize() == 4)
    q.shutdown()
    assert waiting.result() == ("returned", 2)
    with pytest.raises(ShutDown):
        q.put_many("x")
    assert q.put_many([]) == 0
    assert q.get_many(10) == ["a", "b", "c", "d"]
    with pytest.raises(ShutDown):
        q.get_many(10)


def test_an_iterable_that_raises_puts_nothing():
    def items():
        yield 1
        raise LookupError("broken")

    q = MpmcQueue(4)
    with pytest.raises(LookupError):
        q.put_many(items())
    assert q.empty()


def test_a_partly_refused_put_many_leaks_nothing():
    class Thing:
        pass

    q = MpmcQueue(2)
    things = [Thing() for _ in range(5)]
    gone = [weakref.ref(thing) for thing in things]
    assert q.put_many(things, timeout=0) == 2
    del things
    gc.collect()
    assert [ref() is None for ref in gone] == [False, False, True, True, True]
    q.get_many(2)
    gc.collect()
    assert all(ref() is None for ref in gone)


def test_a_cycle_through_the_queue_is_collected():
    class Thing:
        pass

    q = MpmcQueue(4)
    thing = Thing()
    thing.queue = q
    q.put(thing)
    q.put(q)
    gone = [weakref.ref(thing), weakref.ref(q)]
    del q, thing
    gc.collect()
    assert [ref() for ref in gone] == [None, None]


def test_items_die_with_the_queue():
    class Thing:
        pass

    q = MpmcQueue(4)
    things = [Thing(), Thing()]
    gone = [weakref.ref(thing) for thing in things]
    q.put_many(things)
    del things
    assert all(ref() is not None for ref in gone)
    del q
    assert all(ref() is None for ref in gone)


def test_collecting_while_threads_are_at_work_harms_nobody():
    # Without the GIL every collection goes through the whole heap, so this runs in a process that has a small one. It
    # also stops the world, and a thread takes longer to wake up than the next collection to begin: one that collects
    # without a break lets no other get anywhere. So each collection is for items that came since the last one began.
    # They are told by an event that is looked at before it is set: its lock would be what the threads spend their time
    # with.
    done = run_script(
        """
        import gc, threading
        from engagehub_core import MpmcQueue
        from engagehub_core.errors import ShutDown

        class Thing:
            def __init__(self, q):
                self.queue = q

        def produce():
            try:
                while True:
                    q.put(Thing(q))
            except ShutDown:
                pass

        def collect():
            for _ in range(200):
                fresh.wait()
                fresh.clear()
                gc.collect(0)

        q, fresh = MpmcQueue(16), threading.Event()
        works = [threading.Thread(target=work, daemon=True) for work in (produce, produce, collect)]
        for work in works:
            work.start()
        while works[-1].is_alive():
            assert q.get().queue is q
            if not fresh.is_set():
                fresh.set()
        q.shutdown()
        for work in works:
            work.join()
        print("end")
        """
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "end\n", "")


def test_it_cannot_be_pickled_or_copied():
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="MpmcQueue can't be pickled or copied"):
            attempt(MpmcQueue(2))


def test_an_object_without_init_is_refused_not_fatal():
    raw = MpmcQueue.__new__(MpmcQueue)
    for call in (lambda: raw.put(1), raw.get, raw.qsize):
        with pytest.raises(TypeError):
            call()
    gc.collect()


def test_it_is_generic_weakly_referable_and_has_no_stray_attributes():
    assert MpmcQueue[int].__origin__ is MpmcQueue
    q = MpmcQueue(2)
    assert weakref.ref(q)() is q
    with pytest.raises(AttributeError):
        q.colour = "red"
    assert repr(q) == "<MpmcQueue of 0 of 2 items>"


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT to a child on Windows")
@pytest.mark.parametrize(
    "wait", ["q.get()", "q.get_many(5)", "full.put(1)", "full.put_many([1, 2])", "full.join()", "q.get(timeout=60)"]
)
def test_ctrl_c_interrupts_a_wait_on_the_main_thread(wait):
    script = """
        from engagehub_core import MpmcQueue
        q, full = MpmcQueue(2), MpmcQueue(2)
        full.put_many([1, 2])
    """
    assert answer_to_ctrl_c(script, wait, "print(sightings, full.qsize(), q.qsize())") == "2 2 0\n"


@pytest.mark.parametrize(
    "loop",
    [
        "q.get()",
        """
        while True:
            try:
                q.get(timeout=0.001)
            except queue.Empty:
                pass
        """,
        """
        while True:
            q.put_many([1, 2, 3], timeout=0.0001)
        """,
    ],
    ids=["for ever", "polling", "putting"],
)
def test_daemon_threads_in_a_wait_neither_hang_nor_crash_the_exit(loop):
    body = textwrap.indent(textwrap.dedent(loop), "    ")
    script = "import queue, threading\nfrom engagehub_core import MpmcQueue\nq = MpmcQueue(2)\ndef run():\n" + body
    script += "\nfor _ in range(8):\n    threading.Thread(target=run, daemon=True).start()\nprint('end')\n"
    for _ in range(5):
        done = run_script(script)
        assert (done.returncode, done.stdout, done.stderr) == (0, "end\n", "")


def test_other_threads_run_while_one_waits():
    q = MpmcQueue(2)
    waiting = Waiting(q.get, timeout=PATIENCE)
    assert sum(range(1000)) == 499500
    q.put("x")
    assert waiting.result() == ("returned", "x")


class QueueMachine(RuleBasedStateMachine):
    """Random operations on one thread beside a deque."""

    def __init__(self):
        super().__init__()
        self.queue = MpmcQueue(4)
        self.model = deque()
        self.put_count = 0
        self.done_count = 0
        self.is_shut = False

    @rule(item=st.integers())
    def put(self, item):
        if self.is_shut:
            with pytest.raises(ShutDown):
                self.queue.put_nowait(item)
        elif len(self.model) == 4:
            with pytest.raises(queue.Full):
                self.queue.put_nowait(item)
        else:
            self.queue.put_nowait(item)
            self.model.append(item)
            self.put_count += 1

    @rule(items=st.lists(st.text(max_size=3), max_size=6))
    def put_many(self, items):
        if self.is_shut and items:
            with pytest.raises(ShutDown):
                self.queue.put_many(items, timeout=0)
            return
        room = 4 - len(self.model)
        assert self.queue.put_many(items, timeout=0) == min(room, len(items))
        self.model.extend(items[:room])
        self.put_count += min(room, len(items))

    @rule()
    def get(self):
        if self.model:
            assert self.queue.get_nowait() == self.model.popleft()
        else:
            with pytest.raises(ShutDown if self.is_shut else queue.Empty):
                self.queue.get_nowait()

    @rule(most=st.integers(1, 6))
    def get_many(self, most):
        if not self.model and self.is_shut:
            with pytest.raises(ShutDown):
                self.queue.get_many(most, timeout=0)
            return
        expected = [self.model.popleft() for _ in range(min(most, len(self.model)))]
        assert self.queue.get_many(most, timeout=0) == expected

    @rule()
    def task_done(self):
        if self.done_count == self.put_count:
            with pytest.raises(ValueError, match="too many"):
                self.queue.task_done()
        else:
            self.queue.task_done()
            self.done_count += 1

    @rule(immediate=st.booleans(), chance=st.integers(0, 9))
    def shutdown(self, immediate, chance):
        if chance:
            return
        self.queue.shutdown(immediate)
        self.is_shut = True
        if immediate:
            self.done_count = min(self.put_count, self.done_count + len(self.model))
            self.model.clear()

    @invariant()
    def agrees(self):
        assert self.queue.qsize() == len(self.model)
        assert self.queue.empty() == (not self.model)
        assert self.queue.full() == (len(self.model) == 4)
        assert self.queue.unfinished_tasks == self.put_count - self.done_count


TestQueueMachine = QueueMachine.TestCase
TestQueueMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)

"""EventProcessor from asyncio: who waits in which order, what is handed over, and that nothing is lost or hangs."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import random
import subprocess
import sys
import textwrap
import threading
from collections.abc import Sequence

import pytest
from waiting import PATIENCE, until

from engagehub_core import EventProcessor, ProcessorStats
from engagehub_core.errors import CapacityExceeded, Closed, InvalidArgument, InvalidType, SinkError
from engagehub_core.sinks import HandedBatch, HandOver, Sink
from engagehub_core.testing import ManualClock

AT = 1_700_000_000


def check(stats: ProcessorStats) -> ProcessorStats:
    assert stats.offered == stats.accepted + stats.duplicate + stats.refused
    assert stats.refused == stats.refused_full + stats.refused_timeout + stats.refused_future
    assert stats.accepted == stats.queued + stats.in_flight + stats.delivered + stats.dead_lettered + stats.evicted
    return stats


async def eventually(condition) -> None:
    """As `until`, while the loop runs."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - other threads make it true
            await asyncio.sleep(0.001)


class Gate:
    """A sink that waits until it is opened, or lets single batches through."""

    def __init__(self):
        self.reached = threading.Event()
        self.passes = threading.Semaphore(0)
        self.is_open = False
        self.members = []

    def __call__(self, batch):
        self.reached.set()
        assert self.is_open or self.passes.acquire(timeout=PATIENCE)
        self.members += [event.member for event in batch]

    def open(self):
        self.is_open = True
        self.passes.release()


@contextlib.contextmanager
def full(**options):
    """Give a processor that has no room until its gate lets batches of one event through, and how many it holds."""
    gate = Gate()
    # The method alone: an object with open() would be opened by the processor.
    events = EventProcessor(gate.__call__, overflow="block", batch_size=1, capacity=2, **options)
    try:
        events.push("k", "first", at=AT)
        assert gate.reached.wait(PATIENCE)
        count = 1
        while events._offer("k", f"early {count}", at=AT) is not None:
            count += 1
        yield events, gate, count
    finally:
        gate.open()
        events.close()
        check(events.stats())


def run_script(script: str) -> str:
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", textwrap.dedent(script)],
        capture_output=True, text=True, timeout=PATIENCE * 2, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


# ---- apush -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("overflow", ["refuse", "block", "drop_oldest", "raise"])
def test_what_is_pushed_arrives_as_from_push(overflow):
    rows = []

    async def main():
        async with EventProcessor(rows.extend, overflow=overflow) as events:
            assert await events.apush("message", "ada") is True
            assert await events.apush("message", 7, 8, at=AT, community=9, id=10, value=2, data={"x": [1]}) is True
            assert await events.apush("message", 7, 8, at=AT, community=9, id=10) is False
            assert await events.apush(kind="k", member="m", channel=None, at=AT) is True
            return events.stats()

    stats = asyncio.run(main())
    assert (stats.offered, stats.accepted, stats.duplicate) == (4, 3, 1)
    assert tuple(rows[1]) == (10, "message", 9, 8, 7, float(AT), 2.0, '{"x":[1]}')
    assert [row.member for row in rows] == ["ada", 7, "m"]


@pytest.mark.parametrize("overflow", ["block", "refuse"])
@pytest.mark.parametrize(
    ("given", "error", "text"),
    [
        ({"kind": 1}, InvalidType, "kind must be str, got int"),
        ({"member": None}, InvalidType, "member must be int or str, got NoneType"),
        ({"value": float("nan")}, InvalidArgument, "value must be finite"),
        ({"data": {5}}, InvalidType, "data must be str, None or an object of JSON, got set"),
    ],
)
def test_wrong_arguments_change_nothing(overflow, given, error, text):
    async def main():
        async with EventProcessor(overflow=overflow) as events:
            with pytest.raises(error, match=text):
                await events.apush(**{"kind": "k", "member": "m", **given})
            assert events.stats().offered == 0

    asyncio.run(main())


def test_other_policies_than_block_do_not_wait():
    async def main(overflow):
        gate = Gate()
        async with EventProcessor(gate.__call__, overflow=overflow, batch_size=1, capacity=2) as events:
            try:
                results = [await events.apush("k", member) for member in range(9)]
            except CapacityExceeded:
                results = [None]
            gate.open()
        check(events.stats())
        return results, events.stats()

    results, stats = asyncio.run(main("refuse"))
    assert results[-1] is False
    assert stats.refused_full > 0
    results, stats = asyncio.run(main("drop_oldest"))
    assert all(results)
    assert stats.accepted == 9
    assert asyncio.run(main("raise"))[0] == [None]


def test_a_task_waits_for_room_while_the_loop_goes_on():
    async def main(events, gate, count):
        pushing = asyncio.create_task(events.apush("k", "late", at=AT))
        for _ in range(20):
            await asyncio.sleep(0)
        assert not pushing.done()
        assert events.stats().offered == count
        gate.open()
        assert await pushing is True
        assert events.stats().offered == count + 1

    with full() as (events, gate, count):
        asyncio.run(main(events, gate, count))
    assert gate.members[-1] == "late"
    assert events.stats().delivered == count + 1
    assert events._lines == {}


def test_tasks_of_a_loop_are_served_in_the_order_of_their_calls():
    async def main(events, gate):
        waiting = [asyncio.create_task(events.apush("k", member, at=AT)) for member in range(50)]
        await asyncio.sleep(0)
        for _ in range(3):
            gate.passes.release()
        # Whoever comes while there is room, but others wait for it, comes last.
        await eventually(lambda: sum(task.done() for task in waiting) >= 2)
        waiting.append(asyncio.create_task(events.apush("k", 50, at=AT)))
        gate.open()
        assert await asyncio.gather(*waiting) == [True] * 51

    with full() as (events, gate, _):
        asyncio.run(main(events, gate))
    assert [member for member in gate.members if isinstance(member, int)] == list(range(51))


def test_who_comes_while_others_wait_stands_at_the_end_of_the_line():
    async def main(events, gate, count):
        waiting = asyncio.create_task(events.apush("k", 0, at=AT))
        await asyncio.sleep(0)
        gate.passes.release()
        until(lambda: events.stats().delivered == 1 and events.stats().queued < count - 1)  # the loop stands still
        assert events._offer("k", "x", at=AT) is True
        gate.passes.release()
        until(lambda: events.stats().delivered == 2 and events.stats().queued < count - 1)
        newcomer = asyncio.create_task(events.apush("k", 1, at=AT))
        gate.open()
        await asyncio.gather(waiting, newcomer)

    with full() as (events, gate, count):
        asyncio.run(main(events, gate, count))
    assert [member for member in gate.members if isinstance(member, int)] == [0, 1]


def test_the_time_of_who_waits_may_be_over():
    async def main(events, gate, count):
        assert await asyncio.gather(*(events.apush("k", member) for member in range(3))) == [False] * 3
        stats = check(events.stats())
        assert (stats.offered, stats.refused_timeout, stats.refused_full) == (count + 3, 3, 0)
        gate.open()
        assert await events.apush("k", "later") is True

    with full(block_timeout=0.05) as (events, gate, count):
        asyncio.run(main(events, gate, count))
    assert events.stats().delivered == count + 1
    assert gate.members[-1] == "later"


@pytest.mark.parametrize("block_timeout", [None, 600])
@pytest.mark.parametrize("cancelled", [[0], [1], [0, 1, 2]])
def test_a_cancelled_push_counts_as_refused_and_leaves_its_place(block_timeout, cancelled):
    async def main(events, gate, count):
        waiting = [asyncio.create_task(events.apush("k", member)) for member in range(4)]
        await asyncio.sleep(0)
        for place in cancelled:
            waiting[place].cancel()
        await asyncio.wait([waiting[place] for place in cancelled])
        assert all(waiting[place].cancelled() for place in cancelled)
        stats = check(events.stats())
        assert (stats.offered, stats.refused_timeout) == (count + len(cancelled), len(cancelled))
        gate.open()
        assert all(await asyncio.gather(*(task for task in waiting if not task.cancelled())))

    with full(block_timeout=block_timeout) as (events, gate, count):
        asyncio.run(main(events, gate, count))
    assert [m for m in gate.members if isinstance(m, int)] == [m for m in range(4) if m not in cancelled]
    assert events.stats().offered == count + 4


def test_a_loop_that_is_dropped_leaves_no_push_uncounted():
    with full() as (events, _, count):
        loop = asyncio.new_event_loop()
        loop.set_exception_handler(lambda *_: None)  # says that tasks were destroyed
        tasks = [loop.create_task(events.apush("k", member)) for member in range(2)]
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
        for task in tasks:
            with contextlib.suppress(RuntimeError):  # waking the next one, the lock meets the closed loop
                task.get_coro().close()
        assert events.stats().refused_timeout == 2
        assert events.stats().offered == count + 2
        assert events._lines == {}
        del loop, tasks, task
        with pytest.warns(RuntimeWarning) if sys.version_info >= (3, 14) else contextlib.nullcontext():
            gc.collect()


def test_closing_wakes_everybody_who_waits():
    async def main(events, count):
        waiting = [asyncio.create_task(events.apush("k", member)) for member in range(5)]
        await asyncio.sleep(0)
        events._stop()
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(result) for result in results] == [Closed] * 5
        assert events.stats().offered == count
        with pytest.raises(Closed):
            await events.apush("k", "m")

    with full() as (events, _, count):
        asyncio.run(main(events, count))


def test_an_event_that_waited_has_the_instant_of_the_call():
    rows = []
    clock = ManualClock(AT)

    async def main(events, gate):
        pushing = asyncio.create_task(events.apush("k", "late"))
        await asyncio.sleep(0)
        clock.advance("1h")
        gate.open()
        await pushing
        await events.aflush()
        events.replace_sink(rows.extend)

    with full(clock=clock) as (events, gate, _):
        keep = gate.__call__
        events.replace_sink(lambda batch: (keep(batch), rows.extend(batch))[0])
        asyncio.run(main(events, gate))
    assert next(row.at for row in rows if row.member == "late") == AT


def test_a_duplicate_that_waited_is_none_that_was_refused():
    async def main(events, gate):
        pushing = [asyncio.create_task(events.apush("k", "m", id=1, at=AT)) for _ in range(3)]
        await asyncio.sleep(0)
        gate.open()
        assert await asyncio.gather(*pushing) == [True, False, False]

    with full() as (events, gate, _):
        asyncio.run(main(events, gate))
    stats = events.stats()
    assert (stats.duplicate, stats.refused) == (2, 0)


def test_an_error_of_the_clock_is_not_taken_for_the_end_of_the_time():
    is_broken = False

    def clock():
        if is_broken:
            raise TimeoutError("no time server")
        return AT

    async def main(events):
        nonlocal is_broken
        pushing = asyncio.create_task(events.apush("k", "m", id=7))
        await asyncio.sleep(0)
        is_broken = True
        with pytest.raises(TimeoutError, match="no time server"):
            await pushing
        is_broken = False
        assert events.stats().refused == 0

    with full(clock=clock) as (events, _, _):
        asyncio.run(main(events))


def test_a_sink_that_pushes_into_its_own_full_processor_does_not_wait():
    answers = []

    def sink(batch):
        async def push():
            return [await asyncio.wait_for(events.apush("again", "m"), PATIENCE) for _ in range(9)]

        if batch[0].kind == "k":
            answers.append(asyncio.run(push()))

    with EventProcessor(sink, overflow="block", batch_size=1, capacity=2) as events:
        events.push("k", "m")
        events.flush()
    assert answers[0][0] is True
    assert answers[0][-1] is False
    assert check(events.stats()).refused_full > 0


def test_loops_of_several_threads_share_a_processor():
    rows = []

    async def produce(first):
        return sum(await asyncio.gather(*(events.apush("k", first + n, id=first + n) for n in range(500))))

    with EventProcessor(rows.extend, overflow="block", batch_size=8, capacity=8) as events:
        accepted = []
        threads = [
            threading.Thread(target=lambda first=first: accepted.append(asyncio.run(produce(first))))
            for first in (0, 500, 1000)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert accepted == [500] * 3
    assert sorted(row.member for row in rows) == list(range(1500))
    for first in (0, 500, 1000):  # in the order of the calls of each loop
        own = [row.member for row in rows if first <= row.member < first + 500]
        assert own == sorted(own)
    assert check(events.stats()).delivered == 1500


def test_asyncio_is_imported_only_by_who_uses_it():
    script = """
        import sys
        import engagehub_core, engagehub_core.sinks
        with engagehub_core.EventProcessor(overflow="block") as events:
            events.push("k", "m")
            events.flush()
        assert "asyncio" not in sys.modules
        """
    assert run_script(script) == ""


# ---- aflush, aclose --------------------------------------------------------------------------------------------------


def test_aflush_waits_for_what_was_accepted_before():
    rows = []

    async def main():
        async with EventProcessor(rows.extend, flush_interval=600) as events:
            await events.apush("k", "m")
            await events.aflush()
            assert len(rows) == 1
            await events.aflush(timeout=0)

    asyncio.run(main())


def test_aflush_ends_in_time_and_says_what_remains():
    async def main(events, count):
        with pytest.raises(TimeoutError, match=rf"flush did not end within 0.05 s, {count} events remain undelivered"):
            await events.aflush(timeout=0.05)
        flushing = asyncio.create_task(events.aflush())
        await asyncio.sleep(0)
        flushing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await flushing

    with full() as (events, _, count):
        asyncio.run(main(events, count))
    assert events.stats().delivered == count


def test_aflush_gives_up_when_the_sink_hangs():
    async def main(events):
        with pytest.raises(TimeoutError, match=r"the sink has not returned for more than 0\.01 s"):
            await events.aflush()

    with full(sink_timeout=0.01) as (events, _, _):
        asyncio.run(main(events))


def test_aflush_and_aclose_report_what_was_set_aside():
    def sink(batch):
        raise ValueError("never")

    async def main():
        events = EventProcessor(sink)
        await events.apush("k", "m")
        with pytest.raises(SinkError, match="1 event of 1 batch was set aside, the first for ValueError: never"):
            await events.aflush()
        await events.apush("k", "m")
        with pytest.raises(SinkError, match="ValueError: never"):
            await events.aclose()
        await events.aclose()
        with pytest.raises(Closed):
            await events.apush("k", "m")

    asyncio.run(main())


def test_the_sink_can_neither_aflush_nor_aclose():
    seen = []

    def sink(batch):
        for method in (events.aflush, events.aclose):
            with pytest.raises(RuntimeError, match="can't be called by the sink"):
                asyncio.run(method())
            seen.append(method)

    with EventProcessor(sink) as events:
        events.push("k", "m")
    assert len(seen) == 2


def test_aclose_closes_the_sink_beside_the_loop():
    class Slow:
        def write(self, batch): ...

        def close(self):
            self.thread = threading.get_ident()

    async def main():
        async with EventProcessor(Slow()) as events:
            await events.apush("k", "m")
        assert events.is_closed
        assert events.sink.thread != threading.get_ident()
        assert events.stats().delivered == 1

    asyncio.run(main())


def test_aclose_is_bounded_and_can_be_cancelled():
    async def main(events, gate, count):
        closing = asyncio.create_task(events.aclose())
        await asyncio.sleep(0)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        assert events.is_closed
        gate.passes.release()
        await eventually(lambda: events.stats().delivered == 1)  # it goes on
        with pytest.raises(TimeoutError, match=f"close did not end within 0.05 s, {count - 1} events? remain"):
            await events.aclose(timeout=0.05)

    with full() as (events, gate, count):
        asyncio.run(main(events, gate, count))
        assert check(events.stats()).delivered == 1


def test_the_error_of_the_body_comes_before_that_of_closing(monkeypatch):
    unraisable = []
    monkeypatch.setattr(sys, "unraisablehook", lambda args: unraisable.append(args.exc_value))

    def sink(batch):
        raise ValueError("never")

    async def main():
        async with EventProcessor(sink) as events:
            await events.apush("k", "m")
            raise LookupError

    with pytest.raises(LookupError):
        asyncio.run(main())
    assert [type(error) for error in unraisable] == [SinkError]


# ---- batches ---------------------------------------------------------------------------------------------------------


def handing(count: int, **options) -> EventProcessor:
    """Return a processor with so many events, in batches of one."""
    events = EventProcessor(HandOver(), batch_size=1, **options)
    for member in range(count):
        events.push("k", member, at=AT)
    return events


def test_asking_for_the_next_batch_acknowledges_the_one_before():
    async def main():
        members = []
        async with handing(3) as events:
            closing = None
            async for batch in events.batches():
                assert events.stats().delivered == len(members)
                members += [event.member for event in batch]
                if len(members) == 3:
                    closing = asyncio.create_task(events.aclose())
            await closing
        return members, check(events.stats())

    members, stats = asyncio.run(main())
    assert members == [0, 1, 2]
    assert (stats.delivered, stats.written, stats.retries, stats.timeouts) == (3, 3, 0, 0)


def test_ack_counts_at_once():
    async def main():
        events = handing(2)
        batches = events.batches()
        first = await anext(batches)
        assert events.stats().delivered == 0
        assert first.ack() is True
        await eventually(lambda: events.stats().delivered == 1)
        await eventually(lambda: events.stats().in_flight == 1)  # the next one is ready
        assert first.ack() is True
        assert events.stats().delivered == 1
        second = await anext(batches)
        assert second[0].member == 1
        second.ack()
        await events.aclose()
        with pytest.raises(StopAsyncIteration):
            await anext(batches)
        with pytest.raises(StopAsyncIteration):
            await anext(batches)
        assert events.sink.redelivered == 0

    asyncio.run(main())


async def leave_by_break(events):
    member = None
    async for batch in events.batches():
        member = batch[0].member
        break
    return member


async def leave_by_error(events):
    try:
        async for batch in events.batches():
            member = batch[0].member
            raise LookupError
    except LookupError:
        return member


async def leave_by_cancellation(events):
    seen = []

    async def consume():
        async for batch in events.batches():
            seen.append(batch[0].member)
            await asyncio.Event().wait()

    task = asyncio.create_task(consume())
    await eventually(lambda: seen)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    return seen[0]


async def leave_by_aclose(events):
    async with contextlib.aclosing(events.batches()) as batches:
        member = (await anext(batches))[0].member
    with pytest.raises(StopAsyncIteration):
        await anext(batches)
    return member


@pytest.mark.parametrize("leave", [leave_by_break, leave_by_error, leave_by_cancellation, leave_by_aclose])
def test_a_batch_that_was_not_acknowledged_comes_again(leave):
    async def main():
        events = handing(2)
        assert await leave(events) == 0
        assert await leave(events) == 0
        assert (events.stats().delivered, events.sink.redelivered) == (0, 1)
        members = []
        async for batch in events.batches():
            members.append(batch[0].member)
            batch.ack()
            if len(members) == 2:
                break
        await events.aclose()
        assert members == [0, 1]
        assert (check(events.stats()).delivered, events.sink.redelivered) == (2, 2)

    asyncio.run(main())


def test_what_a_loop_left_comes_again_in_another_loop_over_the_same_iterator():
    async def main():
        events = handing(1)
        batches = events.batches()
        for _ in range(3):
            async for batch in batches:
                assert batch[0].member == 0
                break
        assert batch.ack() is True  # also after the loop
        await events.aclose()
        assert events.stats().delivered == 1

    asyncio.run(main())


def test_who_waits_for_the_first_batch_can_be_cancelled_and_asks_again():
    async def main():
        events = handing(0)
        batches = events.batches()
        for _ in range(3):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0):
                    await anext(batches)
        waiting = asyncio.ensure_future(anext(batches))
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="another task waits"):
            await anext(batches)
        events.push("k", "m")
        (await waiting).ack()
        await events.aclose()
        assert events.stats().delivered == 1

    asyncio.run(main())


def test_one_iteration_at_a_time():
    async def main():
        events = handing(1)
        batches = events.batches()
        batch = await anext(batches)
        with pytest.raises(RuntimeError, match="another iteration over batches\\(\\) is under way"):
            await anext(events.batches())
        batch.ack()
        await batches.aclose()
        waiting = asyncio.create_task(anext(events.batches()))
        await asyncio.sleep(0)
        await events.aclose()
        with pytest.raises(StopAsyncIteration):
            await waiting

    asyncio.run(main())


def test_an_iteration_that_is_closed_while_a_task_waits_ends_for_that():
    async def main():
        events = handing(0)
        batches = events.batches()
        waiting = asyncio.create_task(anext(batches))
        await asyncio.sleep(0)
        await batches.aclose()
        with pytest.raises(StopAsyncIteration):
            await asyncio.wait_for(waiting, PATIENCE)
        await events.aclose()

    asyncio.run(main())


def test_batches_needs_a_hand_over():
    with EventProcessor(lambda batch: None) as events, pytest.raises(InvalidArgument, match="HandOver, got function"):
        events.batches()
    with EventProcessor() as events, pytest.raises(InvalidArgument, match="HandOver, got NoneType"):
        events.batches()


def test_a_hand_over_serves_one_processor():
    sink = HandOver()
    assert isinstance(sink, Sink)
    with EventProcessor(sink) as events:
        for again in (lambda: EventProcessor(sink), lambda: events.replace_sink(sink)):
            with pytest.raises(InvalidArgument, match="a HandOver of its own"):
                again()
    with pytest.raises(InvalidArgument, match="a HandOver of its own"):
        EventProcessor(sink)


def test_closing_while_nobody_iterates_is_bounded_and_says_what_remains():
    events = handing(2)
    with pytest.raises(TimeoutError, match=r"close did not end within 0.05 s, 2 events remain undelivered"):
        events.close(0.05)
    assert check(events.stats()).delivered == 0

    async def main():
        with pytest.raises(Closed, match="before it could hand over every batch"):
            await anext(events.batches())

    asyncio.run(main())


def test_who_works_on_a_batch_when_closing_gives_up_hears_of_it():
    async def main():
        events = handing(2)
        batches = events.batches()
        batch = await anext(batches)
        with pytest.raises(TimeoutError):
            await events.aclose(0.01)
        assert batch.ack() is False
        with pytest.raises(Closed, match="before the batch was acknowledged; it counts as undelivered"):
            await anext(batches)
        with pytest.raises(StopAsyncIteration):
            await anext(batches)
        assert check(events.stats()).delivered == 0

    asyncio.run(main())


def test_who_waits_for_a_batch_when_closing_gives_up_hears_of_it():
    async def main():
        events = EventProcessor(HandOver(), batch_size=2, flush_interval=600)
        waiting = asyncio.create_task(anext(events.batches()))
        await asyncio.sleep(0)
        events.sink._abandon()
        with pytest.raises(Closed):
            await waiting
        await events.aclose()

    asyncio.run(main())


def test_a_flush_waits_for_the_acknowledgement_but_not_beyond_the_time_of_the_sink():
    async def main():
        events = handing(1, sink_timeout=0.01)
        with pytest.raises(TimeoutError, match=r"the sink has not returned for more than 0\.01 s"):
            await events.aflush()
        assert events.stats().timeouts == 1
        async for batch in events.batches():  # nothing is lost by that
            batch.ack()
            break
        await events.aflush()
        await events.aclose()
        assert events.stats().delivered == 1

    asyncio.run(main())


@pytest.mark.parametrize("state", ["waits", "works"])
@pytest.mark.parametrize("is_kept", [True, False])
def test_a_loop_that_was_closed_in_the_middle_is_replaced_by_another(state, is_kept):
    events = handing(0)
    seen = []

    async def consume():
        async for batch in events.batches():
            seen.append(batch[0].member)
            await asyncio.Event().wait()

    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda *_: None)  # says that a task was destroyed
    task = loop.create_task(consume())
    if state == "works":
        events.push("k", 0)
        loop.run_until_complete(eventually(lambda: seen))
    else:
        loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    coroutine = task.get_coro()
    if not is_kept:
        del task, coroutine, loop
        gc.collect()
    if state == "waits":
        events.push("k", 0)
    until(lambda: events.stats().in_flight == 1)

    async def main():
        async for batch in events.batches():
            assert batch[0].member == 0
            break
        batch.ack()
        await events.aclose()

    asyncio.run(main())
    assert check(events.stats()).delivered == 1
    if is_kept:
        coroutine.close()


def test_what_waits_in_a_sink_that_was_replaced_goes_to_the_new_one():
    rows = []

    async def main():
        events = handing(2, retry_first=0.001)
        sink = events.sink
        batches = events.batches()
        batch = await anext(batches)
        events.replace_sink(rows.extend)
        sink.close()
        with pytest.raises(Closed):
            await anext(batches)
        assert batch.ack() is False
        await events.aclose()
        assert (check(events.stats()).delivered, events.stats().dead_lettered) == (2, 0)

    asyncio.run(main())
    assert [row.member for row in rows] == [0, 1]


def test_after_closing_it_is_too_late_to_acknowledge_even_before_the_sink_has_heard_of_it():
    async def main():
        events = handing(1)
        batch = await anext(events.batches())
        with events.sink._changed:  # its thread can't go on
            events.sink.close()
            assert batch.ack() is False
        events.replace_sink(lambda batch: None)
        await events.aclose()
        assert events.stats().delivered == 1

    asyncio.run(main())


def test_the_iterator_keeps_the_processor():
    async def main():
        members = []
        async for batch in handing(2).batches():
            members.append(batch[0].member)
            batch.ack()
            if len(members) == 2:
                break
        return members

    assert asyncio.run(main()) == [0, 1]


def test_a_handed_batch_is_what_a_batch_is():
    async def main():
        events = EventProcessor(HandOver(), flush_interval=600)
        events.push_many({"kind": "k", "member": ["ada", "bob", "cy"], "at": AT, "id": [1, 2, 3]})
        events.push("k", 4, id="four", at=AT)
        events._request_flush()
        batch = await anext(events.batches())
        assert isinstance(batch, HandedBatch)
        assert isinstance(batch, Sequence)
        assert len(batch) == 4
        assert [event.member for event in batch] == ["ada", "bob", "cy", 4]
        assert batch[-1].id == "four"
        assert list(batch[1:3]) == list(batch.events[1:3])
        assert batch[0] in batch
        assert batch.index(batch[2]) == 2
        assert batch.columns()["member"] == batch.events.columns()["member"]
        assert batch.to_dicts() == batch.events.to_dicts()
        assert batch.to_arrow().equals(batch.events.to_arrow())
        assert batch.nbytes == batch.events.nbytes
        assert repr(batch) == "<HandedBatch of 4 events>"
        with EventProcessor() as other:
            assert other.push_many(batch) == 4
        batch.ack()
        await events.aclose()

    asyncio.run(main())


@pytest.mark.parametrize("seed", range(5))
def test_whatever_consumers_do_each_event_is_acknowledged_once_and_in_order(seed):
    chance = random.Random(seed)
    taken = []

    async def produce(events):
        for member in range(2_000):
            await events.apush("k", member, at=AT)
        await events.aclose()

    async def consume(events):
        while True:
            async for batch in events.batches():
                members = [event.member for event in batch]
                if chance.random() < 0.1:
                    break  # not taken
                taken.extend(members)
                if chance.random() < 0.3:
                    batch.ack()
                    if chance.random() < 0.5:
                        break
                if chance.random() < 0.2:
                    await asyncio.sleep(0)
            else:
                return

    async def main():
        events = EventProcessor(HandOver(), batch_size=16, capacity=64, overflow="block", flush_interval=0.001)
        await asyncio.gather(produce(events), consume(events))
        return check(events.stats())

    stats = asyncio.run(main())
    assert taken == list(range(2_000))
    assert (stats.delivered, stats.dead_lettered, stats.refused) == (2_000, 0, 0)


@pytest.mark.parametrize("end", ["pass", "del events", "loop.close()", "os._exit(0)", "batch.ack()"])
def test_the_interpreter_ends_while_a_batch_is_handed_over(end):
    script = f"""
        import asyncio, os, sys
        from engagehub_core import EventProcessor, processor
        from engagehub_core.sinks import HandOver
        processor._PATIENCE = 0.2
        sys.unraisablehook = lambda args: print(type(args.exc_value).__name__)
        events = EventProcessor(HandOver(), batch_size=1)
        events.push("k", 0)
        events.push("k", 1)
        loop = asyncio.new_event_loop()
        batches = events.batches()
        batch = loop.run_until_complete(anext(batches))
        {end}
        """
    assert run_script(script) == ("" if "_exit" in end else "TimeoutError\n")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")
def test_in_the_child_of_a_fork_nothing_waits():
    script = """
        import asyncio, gc, os, signal, threading, warnings
        from engagehub_core import EventProcessor
        from engagehub_core.errors import Closed
        from engagehub_core.sinks import HandOver
        warnings.simplefilter("ignore", DeprecationWarning)  # from 3.12 on, about forking with threads
        events = EventProcessor(HandOver(), batch_size=1)
        events.push("k", 0)
        loop = asyncio.new_event_loop()
        batches = events.batches()
        batch = loop.run_until_complete(anext(batches))
        held, done = threading.Event(), threading.Event()
        def hold():  # as the sink's thread may, at any moment
            with events.sink._changed:
                held.set()
                done.wait()
        holder = threading.Thread(target=hold)
        holder.start()
        held.wait()
        child = os.fork()
        if child == 0:
            signal.alarm(30)
            assert batch.ack() is False
            try:
                asyncio.run(anext(batches))
            except Closed:
                del batches, batch
                gc.collect()
                os._exit(7)
            os._exit(1)
        done.set()
        holder.join()
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        batch.ack()
        events.close()
        print(events.stats().delivered)
        """
    assert run_script(script) == "1\n"

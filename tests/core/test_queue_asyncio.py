"""A queue from asyncio: waits that leave the loop free."""

import asyncio
import queue
import threading

import pytest
from waiting import PATIENCE

from engagehub_core import MpmcQueue
from engagehub_core.errors import InvalidArgument, InvalidType, ShutDown


def test_what_is_there_is_taken_and_where_there_is_room_it_is_put_at_once():
    async def main():
        items = MpmcQueue(2)
        await items.aput("ada")
        await items.aput("bob", timeout=0)
        return [await items.aget(), await items.aget(timeout=0)]

    assert asyncio.run(main()) == ["ada", "bob"]


def test_a_task_waits_for_an_item_of_a_thread_while_others_go_on():
    async def main():
        items, turns = MpmcQueue(2), 0
        waiting = asyncio.create_task(items.aget(timeout=PATIENCE))
        while turns < 3:  # the loop is free
            await asyncio.sleep(0)
            turns += 1
        assert not waiting.done()
        thread = threading.Thread(target=items.put, args=("ada",))
        thread.start()
        item = await waiting
        thread.join()
        return item

    assert asyncio.run(main()) == "ada"


def test_a_task_waits_for_room_until_a_thread_takes_an_item():
    async def main():
        items = MpmcQueue(2)
        items.put_many([1, 2])
        waiting = asyncio.create_task(items.aput(3, timeout=PATIENCE))
        await asyncio.sleep(0)
        assert not waiting.done()
        assert await asyncio.to_thread(items.get) == 1
        await waiting
        return items.get_many(2)

    assert asyncio.run(main()) == [2, 3]


def test_who_waits_too_long_is_told_as_by_a_queue_and_nothing_moves():
    items = MpmcQueue(2)
    with pytest.raises(queue.Empty):
        asyncio.run(items.aget(timeout=0.01))
    items.put_many([1, 2])
    with pytest.raises(queue.Full):
        asyncio.run(items.aput(3, timeout=0.01))
    assert items.get_many(3, timeout=0) == [1, 2]


def test_who_is_cancelled_takes_and_puts_nothing():
    async def main(items, wait):
        waiting = asyncio.create_task(wait)
        await asyncio.sleep(0.01)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    items = MpmcQueue(2)
    asyncio.run(main(items, items.aget()))
    items.put_many([1, 2])
    asyncio.run(main(items, items.aput(3)))
    assert items.get_many(3, timeout=0) == [1, 2]


def test_a_shut_queue_says_so_to_who_waits():
    async def main(items, wait):
        waiting = asyncio.create_task(wait)
        await asyncio.sleep(0)
        items.shutdown()
        await waiting

    empty = MpmcQueue(2)
    with pytest.raises(ShutDown):
        asyncio.run(main(empty, empty.aget(timeout=PATIENCE)))
    full = MpmcQueue(2)
    full.put_many([1, 2])
    with pytest.raises(ShutDown):
        asyncio.run(main(full, full.aput(3, timeout=PATIENCE)))
    assert [asyncio.run(full.aget()), asyncio.run(full.aget())] == [1, 2]


@pytest.mark.parametrize(
    ("timeout", "error"), [(-1, InvalidArgument), ("1", InvalidType), (float("nan"), InvalidArgument)]
)
def test_what_is_no_timeout_is_refused_and_nothing_moves(timeout, error):
    items = MpmcQueue(2)
    with pytest.raises(error, match="timeout"):
        asyncio.run(items.aput(1, timeout=timeout))
    assert items.empty()
    items.put(1)
    with pytest.raises(error, match="timeout"):
        asyncio.run(items.aget(timeout=timeout))
    assert items.qsize() == 1

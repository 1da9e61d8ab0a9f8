"""CPython's own tests of queue.Queue and queue.SimpleQueue, from the running interpreter, over MpmcQueue.

They are imported from the standard library and never copied, so every version of Python brings those of its time. Where
MpmcQueue differs on purpose, a test of what it does instead stands in the place of CPython's:

- No queue is unbounded: where CPython's tests ask for one, they get one with more slots than they put items.
- The capacity is a power of two: the tests' size of 5 becomes 8.
- ``maxsize`` can't be set: the ring is as large as it was made (``test_shrinking_queue``).
- ``_put`` and ``_get`` are no hooks for subclasses, as no Python code may run while a slot is claimed: CPython's
  FailingQueueTest has no meaning here, and LifoQueue and PriorityQueue have no counterpart.
"""

from __future__ import annotations

import queue
import types
import unittest

import pytest

from engagehub_core import MpmcQueue
from engagehub_core.errors import ShutDown

cpython = pytest.importorskip("test.test_queue", reason="this interpreter comes without test.test_queue")

pytestmark = pytest.mark.thread_unsafe(reason="CPython's tests keep what they work on in the test case")

MORE_THAN_ANY_TEST_PUTS = 1 << 17


class Queue(MpmcQueue):
    """MpmcQueue with the constructor of queue.Queue; CPython's tests look at the name of the class."""

    def __init__(self, maxsize=0):
        super().__init__(maxsize or MORE_THAN_ANY_TEST_PUTS)


@pytest.fixture(autouse=True)
def power_of_two(monkeypatch):
    monkeypatch.setattr(cpython, "QUEUE_SIZE", 8)


@pytest.fixture(autouse=True)
def memory_for_all(monkeypatch):
    # Those with fifty threads ask for five gigabytes, of which the threads' stacks take the addresses alone.
    monkeypatch.setattr("test.support.real_max_memuse", 1 << 33)


class TestQueue(cpython.QueueTest, unittest.TestCase):
    queue = types.SimpleNamespace(Queue=Queue, Full=queue.Full, Empty=queue.Empty, ShutDown=ShutDown)

    def test_shrinking_queue(self):
        q = self.type2test(2)
        with pytest.raises(AttributeError):
            q.maxsize = 1
        assert q.maxsize == 2


class TestSimpleQueue(cpython.CSimpleQueueTest):
    queue = types.SimpleNamespace(SimpleQueue=Queue, Empty=queue.Empty)


def test_subclasses_have_no_hooks_into_put_and_get():
    class WithHooks(MpmcQueue):
        def _put(self, item):
            raise AssertionError

        def _get(self):
            raise AssertionError

    q = WithHooks(2)
    q.put(1)
    assert q.get() == 1

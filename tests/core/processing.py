"""What tests of the event processor share: an account that must add up, a sink that waits, programs of their own."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
import threading
import time
from typing import TYPE_CHECKING

import pytest
from waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engagehub_core import Event, EventProcessor, ProcessorStats

AT = 1_700_000_000
#: A flush_interval that doesn't end within a test.
FOREVER = 86_400
#: Waits before another attempt that don't take long.
AT_ONCE = {"retry_first": 1e-3, "retry_max": 1e-3}

_OWN_ID = re.compile(r"[0-9a-f]{16}-\d+")
#: For tests that ask for the gate: threads that ran one side by side would share it.
one_at_a_time = pytest.mark.thread_unsafe(reason="its gate is a fixture, which threads would share")


def check(stats: ProcessorStats) -> ProcessorStats:
    """Return an account after it was seen to add up."""
    assert stats.offered == stats.accepted + stats.duplicate + stats.refused
    assert stats.refused == stats.refused_full + stats.refused_timeout + stats.refused_future
    assert stats.accepted == (
        stats.queued + stats.in_flight + stats.delivered + stats.dead_lettered + stats.evicted
    )  # fmt: skip
    assert stats.delivered == stats.written + stats.late_duplicates + stats.rejected
    assert all(number >= 0 for number in stats if isinstance(number, int | float))
    assert stats.applied <= stats.accepted
    assert stats.dead_dropped <= stats.dead_lettered
    assert stats.failed_batches <= stats.batches
    return stats


def with_given_ids(events: Iterable[Event]) -> list[Event]:
    """Return events without the ids that the processor gave to those that had none."""
    return [
        event._replace(id=None) if isinstance(event.id, str) and _OWN_ID.fullmatch(event.id) else event
        for event in events
    ]


class Gate:
    """A sink that waits until it is opened, and tells when it was reached."""

    def __init__(self):
        self.reached = threading.Event()
        self.opened = threading.Event()
        self.members = []

    def __call__(self, batch):
        self.reached.set()
        assert self.opened.wait(PATIENCE)
        self.members += [event.member for event in batch]


def fill(events: EventProcessor, gate: Gate, capacity: int) -> None:
    """Have one event in the sink, and as many as fit behind it."""
    assert events.push("k", 0, at=AT)
    assert gate.reached.wait(PATIENCE)
    for i in range(capacity):
        assert events.push("k", i + 1, at=AT)


def run_threads(*works, patience=PATIENCE):
    """Run each on a thread of its own until all are done; what one of them raises is raised here."""
    errors = []

    def run(work):
        try:
            work()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(work,), daemon=True) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(patience)
        assert not thread.is_alive()
    if errors:
        raise errors[0]


def run_script(script, code=0, timeout=PATIENCE * 2):
    """Run a program, and return what it wrote to its two streams and the seconds that it took."""
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return done.stdout, done.stderr, time.monotonic() - begun

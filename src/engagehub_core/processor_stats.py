"""The account of an event processor."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import NamedTuple

__all__ = ["ProcessorStats", "RateMeter"]


class ProcessorStats(NamedTuple):
    """The account of an event processor at one moment.

    In every snapshot ``offered = accepted + duplicate + refused``, ``refused = refused_full + refused_timeout +
    refused_future``, ``accepted = queued + in_flight + delivered + dead_lettered + evicted`` and ``delivered = written
    + late_duplicates + rejected``.

    Attributes
    ----------
    offered : int
        Events of all pushes that returned, and of those that were refused with an error.
    accepted : int
        Events that the processor answers for.
    duplicate : int
        Events that were known by their id, and so changed nothing.
    refused : int
        Events that were not accepted.
    refused_full, refused_timeout, refused_future : int
        Those for which there was no room, none within `block_timeout`, and those too far ahead of the clock.
    queued : int
        Accepted, and not yet in a batch that the sink was given: the depth of the queue. Without a sink: not applied.
        What is handed on while the snapshot is made still counts here, so it may be more than there is room for.
    in_flight : int
        In the batch that the sink is working on, or that is to be tried again.
    delivered : int
        In batches that the sink took.
    dead_lettered : int
        Set aside because the sink refused them: those in `dead_letters` (`dead_kept`), those that left that list
        because it was full (`dead_dropped`), and those that were taken out of it.
    evicted : int
        Dropped for newer ones before the sink was given them, with ``overflow="drop_oldest"``.
    written, late_duplicates, rejected : int
        What the sink said of the delivered ones; a late duplicate is one that only the sink recognised.
    applied : int
        In the boards, trends and windows.
    dead_kept, dead_dropped : int
        In the list that `dead_letters` returns, and gone from it because it was full.
    batches, failed_batches : int
        Batches that the sink was given, and those of them of which an event was set aside.
    transactions, retries, timeouts : int
        Writes that succeeded, that repeated one which failed for the moment, and that took longer than `sink_timeout`.
    first_error, retry_error : str or None
        Why the first event was set aside, and why the batch in flight is being tried again.
    last_success_ago : float or None
        Seconds since the sink last took a batch.
    identities, forgotten_identities : int
        Ids that are remembered now, and those that left before `dedupe_horizon` because there were too many.
    skipped : int
        Changes of a board, trend or window that could not be made; `EventProcessor.structures` says which and why.
    lag, sink_lag : float
        Seconds: everything accepted longer ago is in the structures, and in a batch.
    accepted_per_second, delivered_per_second : float
        Over the time since a call of `stats` about a minute ago, or the first after that, or the beginning.
    """

    offered: int
    accepted: int
    duplicate: int
    refused: int
    refused_full: int
    refused_timeout: int
    refused_future: int
    queued: int
    in_flight: int
    delivered: int
    dead_lettered: int
    evicted: int
    written: int
    late_duplicates: int
    rejected: int
    applied: int
    dead_kept: int
    dead_dropped: int
    batches: int
    failed_batches: int
    transactions: int
    retries: int
    timeouts: int
    first_error: str | None
    retry_error: str | None
    last_success_ago: float | None
    identities: int
    forgotten_identities: int
    skipped: int
    lag: float
    sink_lag: float
    accepted_per_second: float
    delivered_per_second: float


class RateMeter:
    """Rates of counters, over about a minute before they are asked for."""

    _SPAN = 60.0
    _APART = 1.0  # between two samples that are kept

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._samples = deque([(time.monotonic(), 0, 0)])

    def rates(self, accepted: int, delivered: int) -> tuple[float, float]:
        """Take a sample, and return what was accepted and delivered each second since the oldest that counts."""
        now = time.monotonic()
        with self._lock:
            samples = self._samples
            while len(samples) > 1 and now - samples[1][0] >= self._SPAN:
                samples.popleft()
            then, accepted_then, delivered_then = samples[0]
            if now - samples[-1][0] >= self._APART:
                samples.append((now, accepted, delivered))
        seconds = max(now - then, 1e-3)
        return (accepted - accepted_then) / seconds, (delivered - delivered_then) / seconds

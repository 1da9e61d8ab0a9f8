"""Accepts events from any thread at once and hands them to a sink in batches."""

from __future__ import annotations

import atexit
import os
import time
import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple, NoReturn

from engagehub_core import _native
from engagehub_core._native import EventBatch
from engagehub_core.errors import Closed, InvalidType, SinkError

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from engagehub_core.instants import Instant
    from engagehub_core.sinks import Sink, WriteResult

__all__ = ["Event", "EventBatch", "EventProcessor", "ProcessorStats"]

#: Seconds that the interpreter's end, or the end of a processor that nobody closed, waits for sinks.
_PATIENCE = 5.0


class Event(NamedTuple):
    """An immutable fact that something happened.

    Attributes
    ----------
    id : int, str or None
        What makes it one of a kind.
    kind : str
        What happened.
    community : int or str
        Where it belongs; "" if nobody said.
    channel : int, str or None
        Where in the community.
    member : int or str
        Who did it.
    at : float
        When, in Unix seconds; ``EventBatch.columns()["at_us"]`` has the exact microseconds.
    value : float
        How much of it.
    data : str or None
        Anything else.
    """

    id: int | str | None
    kind: str
    community: int | str
    channel: int | str | None
    member: int | str
    at: float
    value: float
    data: str | None


Sequence.register(EventBatch)


class ProcessorStats(NamedTuple):
    """The account of an event processor at one moment.

    In every snapshot ``offered = accepted + refused``, ``accepted = queued + in_flight + delivered + failed +
    evicted`` and ``delivered = written + duplicate + rejected``.

    Attributes
    ----------
    offered : int
        Events of all pushes that returned, and of those that raised for want of room or were interrupted.
    accepted : int
        Events that the processor answers for.
    refused : int
        Events that found no room.
    queued : int
        Accepted, and not yet handed to the sink.
    in_flight : int
        In the batch that the sink is working on.
    delivered : int
        In batches that the sink took.
    written, duplicate, rejected : int
        What the sink said about those.
    failed : int
        In batches that failed, and kept in ``failed_events()``.
    evicted : int
        In batches that failed, and gone from that list.
    batches, failed_batches : int
        Batches that the sink was given, and those of them that failed.
    first_error : str or None
        What the first of those failed with.
    """

    offered: int
    accepted: int
    refused: int
    queued: int
    in_flight: int
    delivered: int
    written: int
    duplicate: int
    rejected: int
    failed: int
    evicted: int
    batches: int
    failed_batches: int
    first_error: str | None


class EventProcessor(_native.EventProcessor):
    """Takes events from any thread at once and hands them to a sink in batches, on threads of its own.

    Parameters
    ----------
    sink : Sink, callable or None
        Where batches go: an object with ``write(batch)`` and, if it needs them, ``open()`` and ``close()``; or a
        function of a batch. None counts every event as written.
    capacity : int, default 16384
        How many events may wait, from 2 to 2**26; rounded up to a power of two.
    workers : int, default 1
        Threads, from 1 to 64. With one, events reach the sink in the order of their acceptance; with more, that holds
        only within a batch. The sink is never called twice at a time.
    batch_size : int, default 1000
        Events in a batch at most.
    flush_interval : float, default 0.5
        Seconds after which a batch goes out even if it isn't full, counted from its first event.
    overflow : {"refuse", "block", "raise"}, default "refuse"
        What `push` does when there is no room: return False; wait; raise CapacityExceeded. Each is counted.
    block_timeout : float, optional
        Seconds to wait at most with ``"block"``, before the event is refused after all; None waits for ever.
    keep_failed : int, default 100000
        How many events of failed batches are kept for `failed_events`; the oldest leave first.
    clock : callable, default time.time
        What gives the instant of an event without one.

    Raises
    ------
    InvalidArgument, InvalidType
        If a parameter is out of range or of another type.

    Notes
    -----
    Thread safety: every method from any thread. `flush` and `close` can't be called by the sink, since they would
    wait for it; `push` can, and doesn't wait there even with ``"block"``.

    `push` is O(bytes of the event). Memory: at most `capacity` + `workers` * `batch_size` + `keep_failed` events.

    What the sink raises, SystemExit and KeyboardInterrupt included, never ends a worker: the batch counts as failed,
    is kept, and the first error comes out of the next `flush` or `close`. A processor that is dropped without
    `close`, and one that is open when the interpreter ends, delivers what it has within 5 seconds;
    `sys.unraisablehook` is told of errors and of what remains. In the child of a fork it is closed.

    Used in a ``with`` statement it is closed at the end, also after an exception.

    Examples
    --------
    >>> rows = []
    >>> with EventProcessor(rows.extend) as events:
    ...     events.push("message", "ada", "general", at=1_700_000_000)
    ...     events.push("message", "bob", "general", at=1_700_000_001)
    True
    True
    >>> [(event.member, event.at) for event in rows]
    [('ada', 1700000000.0), ('bob', 1700000001.0)]
    >>> events.stats().delivered
    2
    """

    __slots__ = ("_close_sink", "_has_ended")

    _close_sink: Callable[[], object] | None
    _has_ended: bool

    def __init__(
        self,
        sink: Sink | Callable[[EventBatch], WriteResult | None] | None = None,
        *,
        capacity: int = 16_384,
        workers: int = 1,
        batch_size: int = 1_000,
        flush_interval: float = 0.5,
        overflow: Literal["refuse", "block", "raise"] = "refuse",
        block_timeout: float | None = None,
        keep_failed: int = 100_000,
        clock: Callable[[], Instant] = time.time,
    ) -> None:
        write = getattr(sink, "write", sink)
        if write is not None and not callable(write):
            message = f"sink must have write(batch) or be callable, got {type(sink).__name__}"
            raise InvalidType(message)
        open_sink, close_sink = (
            (None, None) if write is sink else (getattr(sink, "open", None), getattr(sink, "close", None))
        )
        super().__init__(
            write,
            capacity=capacity,
            workers=workers,
            batch_size=batch_size,
            flush_interval=flush_interval,
            overflow=overflow,
            block_timeout=block_timeout,
            keep_failed=keep_failed,
            clock=clock,
        )
        self._close_sink = close_sink
        self._has_ended = True  # nothing to end if what follows fails
        if open_sink is not None:
            try:
                open_sink()
            except BaseException:
                self._stop()
                raise
        self._has_ended = False
        _open_processors[id(self)] = self

    def stats(self) -> ProcessorStats:
        """Return the account of this moment.

        Returns
        -------
        ProcessorStats
            Counts that belong together; they add up in every snapshot, also while other threads are at work.

        Raises
        ------
        Closed
            In the child of a fork.

        Notes
        -----
        O(1).

        Examples
        --------
        >>> events = EventProcessor(capacity=1024)
        >>> events.push("message", "ada")
        True
        >>> events.close()
        >>> stats = events.stats()
        >>> stats.offered, stats.accepted, stats.delivered
        (1, 1, 1)
        """
        return ProcessorStats(*self._stats())

    def flush(self, timeout: float | None = None) -> None:
        """Wait until everything that was accepted before this call was delivered or has failed.

        Parameters
        ----------
        timeout : float, optional
            Seconds to wait at most; None waits for ever.

        Raises
        ------
        TimeoutError
            If the time was over before that; nothing is lost.
        SinkError
            If a batch failed since the last report; its cause is the first exception.
        Closed
            If the processor was closed before it could deliver all, or belongs to the parent process.
        RuntimeError
            If the sink calls it.

        Notes
        -----
        A batch that isn't full goes out at once. Events that are accepted meanwhile are not waited for. Waiting lets
        other threads run, and Ctrl-C interrupts it.

        Examples
        --------
        >>> rows = []
        >>> events = EventProcessor(rows.extend, flush_interval=60)
        >>> events.push("message", "ada")
        True
        >>> events.flush(timeout=5)
        >>> len(rows)
        1
        >>> events.close()
        """
        self._refuse_on_worker("flush")
        is_flushed = self._wait_flushed(self._request_flush(), timeout)
        failure = self._failure()
        if not is_flushed:
            if self._has_ended:
                message = f"the event processor was closed and {self._remainder()}"
                raise Closed(message) from failure
            message = f"flush did not end within {timeout} s, {self._remainder()}"
            raise TimeoutError(message) from failure
        if failure is not None:
            raise failure

    def close(self, timeout: float | None = 30.0) -> None:
        """Accept nothing more, deliver what was accepted, and end the threads; then close the sink.

        Parameters
        ----------
        timeout : float, optional
            Seconds to wait at most; None waits for ever.

        Raises
        ------
        TimeoutError
            If the sink didn't take everything in time. The thread that it holds is left behind, no other batch is
            delivered, the sink is not closed, and `stats` says what remains.
        SinkError
            If a batch failed since the last report, or the sink's own close did; its cause is the first exception.
        RuntimeError
            If the sink calls it.

        Notes
        -----
        Closing again does nothing. Waiting lets other threads run; if Ctrl-C interrupts it, it can be called again.

        Examples
        --------
        >>> rows = []
        >>> events = EventProcessor(rows.extend)
        >>> events.push("message", "ada")
        True
        >>> events.close()
        >>> len(rows)
        1
        """
        if self._has_ended:
            return
        self._refuse_on_worker("close")
        self._stop()
        is_drained = self._wait_ended(timeout)
        if not self._claim_end():  # another thread was quicker
            return
        self._has_ended = True
        _open_processors.pop(id(self), None)
        if not is_drained:
            self._abandon()
            message = f"close did not end within {timeout} s, {self._remainder()}"
            raise TimeoutError(message) from self._failure()
        self._join()
        failure = self._failure()
        if self._close_sink is not None:
            try:
                self._close_sink()
            except Exception as error:
                message = f"closing the sink failed with {type(error).__name__}: {error}"
                if failure is None:
                    raise SinkError(message) from error
                failure.add_note(message)
        if failure is not None:
            raise failure

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
            return
        try:
            self.close()
        except Exception as late:  # noqa: BLE001 - whatever it is, the body's own exception goes on its way
            _native.write_unraisable(late, self)

    def __del__(self) -> None:
        if getattr(self, "_has_ended", True):
            return
        if self._is_worker_thread():
            # The sink dropped the last reference: the workers finish without this object.
            self._stop()
            return
        self.close(_PATIENCE)

    def __reduce__(self) -> NoReturn:
        message = "EventProcessor can't be pickled or copied: it belongs to the threads of one process"
        raise TypeError(message)

    def __repr__(self) -> str:
        return f"<EventProcessor, {'closed' if self.is_closed else 'open'}>"

    def _refuse_on_worker(self, method: str) -> None:
        if self._is_worker_thread():
            message = f"{method} can't be called by the sink: it would wait for itself"
            raise RuntimeError(message)

    def _failure(self) -> SinkError | None:
        report = self._take_failures()
        if report is None:
            return None
        batches, events, text, cause = report
        shown = f"{_counted(batches, 'batch', 'batches')} of {_counted(events, 'event', 'events')}"
        failure = SinkError(f"{shown} failed in the sink, the first with {text}")
        failure.__cause__ = cause
        return failure

    def _remainder(self) -> str:
        stats = self.stats()
        return f"{_counted(stats.queued + stats.in_flight, 'event remains', 'events remain')} undelivered"


def _counted(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


_open_processors: weakref.WeakValueDictionary[int, EventProcessor] = weakref.WeakValueDictionary()


def _close_all() -> None:
    """Close what is open when the interpreter ends, within a bounded time; then let no worker into it."""
    deadline = time.monotonic() + _PATIENCE
    for reference in _open_processors.valuerefs():
        processor = reference()
        if processor is None:
            continue
        try:
            processor.close(max(0.0, deadline - time.monotonic()))
        except BaseException as error:  # noqa: BLE001 - nobody is left who could handle it, and the others must be closed
            _native.write_unraisable(error, processor)
    _native.shut_interpreter(1.0)


def _forget_all() -> None:
    """In the child of a fork: the threads are gone, so no processor of the parent can work here."""
    _native.renew_after_fork()
    for reference in _open_processors.valuerefs():
        processor = reference()
        if processor is not None:
            processor._has_ended = True
            processor._forget()
    _open_processors.clear()


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)

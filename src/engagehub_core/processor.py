"""Accepts events from any thread at once, keeps structures current and hands batches to a sink."""

from __future__ import annotations

import atexit
import logging
import os
import secrets
import sys
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Literal, NamedTuple, NoReturn

from engagehub_core import _native
from engagehub_core._native import EventBatch
from engagehub_core.durations import parse_optional
from engagehub_core.errors import Closed, InvalidArgument, InvalidType, SinkError
from engagehub_core.processor_asyncio import AsyncCalls
from engagehub_core.processor_stats import ProcessorStats, RateMeter
from engagehub_core.projections import Projections
from engagehub_core.sinks.hand_over import HandOver
from engagehub_core.sinks.transient import is_transient

if TYPE_CHECKING:
    from datetime import timedelta
    from types import TracebackType
    from typing import Self

    from engagehub_core.distinct_window import DistinctWindow
    from engagehub_core.instants import Instant
    from engagehub_core.projections import BoardSpec, ProjectionStats, TrendSpec, WindowSpec
    from engagehub_core.ranking import Leaderboard
    from engagehub_core.sinks import Sink, WriteResult
    from engagehub_core.top_k import TopK

__all__ = ["DeadLetter", "Event", "EventBatch", "EventProcessor", "ProcessorStats"]

_logger = logging.getLogger("engagehub_core")

#: Seconds that the interpreter's end, or the end of a processor that nobody closed, waits for sinks.
_PATIENCE = 5.0
#: Seconds that each gets at the interpreter's end though others took longer: for threads that only have to end.
_LEAST_PATIENCE = 0.25

_OVERFLOW = ("refuse", "block", "drop_oldest", "raise")


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


class DeadLetter(NamedTuple):
    """An event that the sink refused.

    Attributes
    ----------
    event : Event
        The event.
    reason : str
        What the sink said.
    attempts : int
        How often it was handed to the sink: 1, and one more for each replay.
    """

    event: Event
    reason: str
    attempts: int


class EventProcessor(AsyncCalls):
    """Takes events from any thread at once, keeps structures current, and hands batches to a sink.

    Parameters
    ----------
    sink : Sink, callable or None
        Where batches go: an object with ``write(batch)`` and, if it needs them, ``open()`` and ``close()``; or a
        function of a batch. None keeps the structures only.
    boards : mapping from str to BoardSpec, optional
        Boards to keep current, by the name to ask for them: see `board`.
    trends : mapping from str to TrendSpec, optional
        Trends likewise: see `trend`.
    windows : mapping from str to WindowSpec, optional
        Windows likewise: see `window`.
    capacity : int, default 16384
        How many events may wait, from 2 to 2**26; rounded up to a power of two.
    workers : int, default 1
        Threads that keep the structures current, from 1 to 64. The structures are the same for any number. Without
        structures none is started but the sink's own.
    batch_size : int, default 1000
        Events in a batch at most.
    flush_interval : float, default 0.5
        Seconds after which a batch goes out even if it isn't full, counted from its first event.
    overflow : {"refuse", "block", "drop_oldest", "raise"}, default "refuse"
        What `push` does when there is no room: return False, with a warning in the log once a minute; wait; drop the
        oldest event that the sink was not given yet (the structures have it all the same); raise CapacityExceeded.
        Each is counted.
    block_timeout : float, optional
        Seconds to wait at most with ``"block"``, before the event is refused after all; None waits for ever.
    dedupe_horizon : str, int, float, timedelta or None, default "24h"
        How long an id is remembered after its event was accepted: until then another event with that id in the same
        community is a duplicate. None doesn't look at ids; sinks may.
    max_identities : int, default 10000000
        How many ids are remembered at most, at about 30 bytes each; the oldest leave first.
    max_skew : str, int, float, timedelta or None, default "5m"
        How far an event may be ahead of the clock; None trusts every stamp.
    retry_first, retry_max : float, default 0.05 and 30.0
        Seconds of the first and of the longest wait before a batch is tried again that failed for the moment.
    sink_timeout : float or None, default 60.0
        Seconds after which a write counts as hanging: then `flush` gives up. The thread can't be stopped, and goes on
        when the sink returns.
    keep_dead : int, default 100000
        How many events that the sink refused are kept in `dead_letters`; the oldest leave first.
    clock : callable, default time.time
        What gives the instant of an event without one, and what `max_skew` and `dedupe_horizon` go by.

    Raises
    ------
    InvalidArgument, InvalidType
        If a parameter is out of range or of another type.

    Notes
    -----
    Thread safety: every method from any thread. `flush` and `close` can't be called by the sink, since they would
    wait for it; `push` can, and doesn't wait there even with ``"block"``.

    `push` is O(bytes of the event). Memory: 128 bytes for each of `capacity`, texts beyond that, two batches, the
    remembered ids, and `keep_dead` events.

    The sink is called by one thread, which lives as long as the processor; batches reach it in the order of
    acceptance. A write that fails for the moment (no connection, a timeout, a deadlock, no room on the disk:
    `engagehub_core.sinks.is_transient` says which errors are taken for that) is tried again for as long as it takes,
    while `overflow` deals with what comes meanwhile. For any other error, SystemExit and KeyboardInterrupt included,
    the batch is split until only the events that the sink refuses are set aside, each with its reason; the first
    error comes out of the next `flush` or `close`, and `sys.unraisablehook` is told of the others.

    A processor that is dropped without `close`, and one that is open when the interpreter ends, delivers what it has
    within 5 seconds; `sys.unraisablehook` is told of errors and of what remains. In the child of a fork it is closed.

    Used in a ``with`` or ``async with`` statement it is closed at the end, also after an exception.

    The queue is D. Vyukov's bounded ring (1024cores.net) with a cursor for each reader, as in the LMAX Disruptor
    (M. Thompson et al., 2011).

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

    __slots__ = ("_close_sink", "_has_ended", "_projections", "_rates", "_sink", "_sink_timeout")

    def __init__(
        self,
        sink: Sink | Callable[[EventBatch], WriteResult | None] | None = None,
        *,
        boards: Mapping[str, BoardSpec] | None = None,
        trends: Mapping[str, TrendSpec] | None = None,
        windows: Mapping[str, WindowSpec] | None = None,
        capacity: int = 16_384,
        workers: int = 1,
        batch_size: int = 1_000,
        flush_interval: float = 0.5,
        overflow: Literal["refuse", "block", "drop_oldest", "raise"] = "refuse",
        block_timeout: float | None = None,
        dedupe_horizon: str | float | timedelta | None = "24h",
        max_identities: int = 10_000_000,
        max_skew: str | float | timedelta | None = "5m",
        retry_first: float = 0.05,
        retry_max: float = 30.0,
        sink_timeout: float | None = 60.0,
        keep_dead: int = 100_000,
        clock: Callable[[], Instant] = time.time,
    ) -> None:
        write, open_sink, close_sink = _methods_of(sink)
        if overflow not in _OVERFLOW:
            message = f"overflow must be 'refuse', 'block', 'drop_oldest' or 'raise', got {overflow!r}"
            raise InvalidArgument(message)
        projections = Projections(boards, trends, windows, clock=clock, max_skew=max_skew)
        super().__init__(
            write,
            partial(is_transient, sink=sink),
            projections,
            capacity=capacity,
            workers=workers,
            batch_size=batch_size,
            flush_interval=flush_interval,
            overflow=overflow,
            block_timeout=block_timeout,
            retry_first=retry_first,
            retry_max=retry_max,
            sink_timeout=sink_timeout,
            keep_dead=keep_dead,
            dedupe_horizon=parse_optional(dedupe_horizon, "dedupe_horizon"),
            max_identities=max_identities,
            max_skew=parse_optional(max_skew, "max_skew"),
            run=secrets.token_hex(8),
            clock=clock,
        )
        self._projections = projections
        self._sink = sink
        self._close_sink = close_sink
        self._sink_timeout = sink_timeout
        self._block_timeout = block_timeout
        self._clock = clock
        self._lines = {} if overflow == "block" else None
        self._rates = RateMeter()
        self._has_ended = True  # nothing to end if what follows fails
        if open_sink is not None:
            try:
                open_sink()
            except BaseException:
                self._stop()
                raise
        self._has_ended = False
        _open_processors[id(self)] = self

    @property
    def sink(self) -> Sink | Callable[[EventBatch], WriteResult | None] | None:
        """Where batches go; `replace_sink` changes it."""
        return self._sink

    def board(self, name: str, community: int | str = "") -> Leaderboard:
        """Return a board that the events keep current.

        Parameters
        ----------
        name : str
            One of the names in `boards`.
        community : int or str, default ""
            Whose board; left out for one of all communities.

        Returns
        -------
        Leaderboard
            It can be asked as any other, and shows what the workers have applied at that moment. Only events change
            it: ``copy()`` gives one to change.

        Raises
        ------
        InvalidArgument, InvalidType
            If there is no such board.

        Notes
        -----
        O(1). A question waits for at most 64 events that a worker is just applying.

        Examples
        --------
        >>> from engagehub_core import BoardSpec
        >>> events = EventProcessor(boards={"week": BoardSpec(half_life="7d", points={"message": 1})})
        >>> events.push("message", "ada", at=1_700_000_000, community="c")
        True
        >>> events.flush()
        >>> events.board("week", community="c").score("ada", at=1_700_000_000)
        1.0
        >>> events.close()
        """
        return self._projections.board(name, community)

    def trend(self, name: str, community: int | str = "") -> TopK:
        """Return a trend that the events keep current.

        Parameters
        ----------
        name : str
            One of the names in `trends`.
        community : int or str, default ""
            Whose trend; left out for one of all communities.

        Returns
        -------
        TopK
            As for `board`.

        Raises
        ------
        InvalidArgument, InvalidType
            If there is no such trend.

        Notes
        -----
        As for `board`.

        Examples
        --------
        >>> from engagehub_core import TrendSpec
        >>> events = EventProcessor(trends={"channels": TrendSpec(100, half_life="1h")})
        >>> events.push("message", "ada", "general", at=1_700_000_000)
        True
        >>> events.flush()
        >>> events.trend("channels").top(1, at=1_700_000_000)[0].item
        'general'
        >>> events.close()
        """
        return self._projections.trend(name, community)

    def window(self, name: str, community: int | str = "") -> DistinctWindow:
        """Return a window that the events keep current.

        Parameters
        ----------
        name : str
            One of the names in `windows`.
        community : int or str, default ""
            Whose window; left out for one of all communities.

        Returns
        -------
        DistinctWindow
            As for `board`.

        Raises
        ------
        InvalidArgument, InvalidType
            If there is no such window.

        Notes
        -----
        As for `board`.

        Examples
        --------
        >>> from engagehub_core import WindowSpec
        >>> events = EventProcessor(windows={"active": WindowSpec("24h", "1h")})
        >>> events.push("message", "ada", at=1_700_000_000)
        True
        >>> events.flush()
        >>> round(events.window("active").estimate("1h", at=1_700_000_000))
        1
        >>> events.close()
        """
        return self._projections.window(name, community)

    def structures(self) -> dict[str, dict[str, ProjectionStats]]:
        """Return the accounts of the boards, trends and windows.

        Returns
        -------
        dict
            By ``"boards"``, ``"trends"`` and ``"windows"``, and by name: how many changes could not be made and why the
            first couldn't, and the number of communities.

        Notes
        -----
        O(structures).

        Examples
        --------
        >>> from engagehub_core import BoardSpec
        >>> events = EventProcessor(boards={"week": BoardSpec(half_life="7d")})
        >>> events.structures()["boards"]["week"].skipped
        0
        >>> events.close()
        """
        return self._projections.stats()

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
        O(workers + structures).

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
        counts = self._stats()
        refused = counts["refused_full"] + counts["refused_timeout"] + counts["refused_future"]
        dead, dropped, taken = (counts.pop(name) for name in ("dead", "dead_evicted", "dead_taken"))
        accepted_per_second, delivered_per_second = self._rates.rates(counts["accepted"], counts["delivered"])
        return ProcessorStats(
            offered=counts["accepted"] + counts["duplicate"] + refused,
            refused=refused,
            dead_lettered=dead + dropped + taken,
            dead_kept=dead,
            dead_dropped=dropped,
            skipped=sum(one.skipped for section in self.structures().values() for one in section.values()),
            accepted_per_second=accepted_per_second,
            delivered_per_second=delivered_per_second,
            **counts,
        )

    def flush(self, timeout: float | None = None) -> None:
        """Wait until everything that was accepted before this call is in the structures, and delivered or set aside.

        Parameters
        ----------
        timeout : float, optional
            Seconds to wait at most; None waits for ever, but for a sink that hangs.

        Raises
        ------
        TimeoutError
            If the time was over before that, or the sink has been at one write for longer than `sink_timeout`;
            nothing is lost. The text says what remains, and why the sink fails if it does.
        SinkError
            If events were set aside since the last report; its cause is the first exception.
        Closed
            If the processor was closed before it could deliver all, or belongs to the parent process.
        RuntimeError
            If the sink calls it.

        Notes
        -----
        A batch that isn't full goes out at once, and one that waits to be tried again is tried at once. Events that are
        accepted meanwhile are not waited for. Waiting lets other threads run, and Ctrl-C interrupts it.

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
        self._refuse_on_own_thread("flush")
        self._check_timeout(timeout)
        self._end_flush(is_flushed=self._wait_flushed(self._request_flush(), timeout), timeout=timeout)

    def _end_flush(self, *, is_flushed: bool, timeout: float | None) -> None:
        failure = self._failure()
        if not is_flushed:
            if self._has_ended:
                message = f"the event processor was closed and {self._remainder()}"
                raise Closed(message) from failure
            if self._is_sink_stalled():
                message = f"the sink has not returned for more than {self._sink_timeout} s, {self._remainder()}"
            else:
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
            If the sink didn't take everything in time. A write that hangs is left behind, no other begins, the sink is
            not closed, and `stats` says what remains.
        SinkError
            If events were set aside since the last report, or the sink's own close failed; its cause is the first
            exception.
        RuntimeError
            If the sink calls it.

        Notes
        -----
        Closing again does nothing. Waiting lets other threads run; if Ctrl-C interrupts it, it can be called again.
        The sink's own `close` runs on this thread, for as long as it takes.

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
        self._refuse_on_own_thread("close")
        self._check_timeout(timeout)
        self._stop()
        self._end(is_drained=self._wait_ended(timeout), timeout=timeout)

    def _end(self, *, is_drained: bool, timeout: float | None) -> None:
        if not self._claim_end():  # another thread was quicker
            return
        self._has_ended = True
        _open_processors.pop(id(self), None)
        if not is_drained:
            remainder = self._remainder()
            self._abandon()
            if isinstance(self._sink, HandOver):
                self._sink._abandon()
            message = f"close did not end within {timeout} s, {remainder}"
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

    def dead_letters(self) -> list[DeadLetter]:
        """Return the events that the sink refused, oldest first.

        Returns
        -------
        list of DeadLetter
            At most `keep_dead`; of those that left the list before, only the number is known (`dead_dropped`).

        Notes
        -----
        O(dead letters).

        Examples
        --------
        >>> from engagehub_core.errors import SinkError
        >>> def picky(batch):
        ...     if any(event.member == "bob" for event in batch):
        ...         raise ValueError("no bob")
        >>> events = EventProcessor(picky)
        >>> events.push_many({"kind": "message", "member": ["ada", "bob", "cleo"], "at": 0})
        3
        >>> try:
        ...     events.close()
        ... except SinkError as error:
        ...     print(error)
        1 event of 1 batch was set aside, the first for ValueError: no bob
        >>> [(letter.event.member, letter.reason) for letter in events.dead_letters()]
        [('bob', 'ValueError: no bob')]
        """
        return [DeadLetter(*letter) for letter in self._dead_letters()]

    def take_dead_letters(self, most: int | None = None) -> list[DeadLetter]:
        """Take the oldest dead letters out of the list.

        Parameters
        ----------
        most : int, optional
            How many at most; None takes all.

        Returns
        -------
        list of DeadLetter
            Oldest first. They still count as `dead_lettered`.

        Raises
        ------
        InvalidArgument, InvalidType
            If `most` isn't a whole number of at least 0.

        Notes
        -----
        O(letters taken).

        Examples
        --------
        >>> EventProcessor().take_dead_letters()
        []
        """
        if most is None:
            most = sys.maxsize
        if isinstance(most, bool) or not isinstance(most, int):
            message = f"most must be int or None, got {type(most).__name__}"
            raise InvalidType(message)
        if most < 0:
            message = f"most must be at least 0, got {most}"
            raise InvalidArgument(message)
        return [DeadLetter(*letter) for letter in self._take_dead(min(most, sys.maxsize))]

    def replay_dead_letters(self) -> int:
        """Hand the dead letters of this moment to the sink again, ahead of the next batch.

        Returns
        -------
        int
            How many events there are. Those that the sink refuses again come back to the end of the list.

        Raises
        ------
        Closed
            In the child of a fork.

        Notes
        -----
        It doesn't wait; `flush` doesn't wait for them either. The structures have them already.

        Examples
        --------
        >>> EventProcessor().replay_dead_letters()
        0
        """
        return self._replay_dead()

    def replace_sink(self, sink: Sink | Callable[[EventBatch], WriteResult | None]) -> None:
        """Hand batches to another sink from here on, such as one that works.

        Parameters
        ----------
        sink : Sink or callable
            As for the constructor. It is opened first.

        Raises
        ------
        InvalidArgument, InvalidType
            If it is no sink, or the processor was made without one.
        Closed
            If the processor was closed.

        Notes
        -----
        A write at work goes on in the old sink; whatever fails there for the moment is tried again in the new one. The
        old sink is not closed: nobody but its owner knows when it is done.

        Examples
        --------
        >>> first, second = [], []
        >>> with EventProcessor(first.extend) as events:
        ...     events.push("message", "ada")
        ...     events.flush()
        ...     events.replace_sink(second.extend)
        ...     events.push("message", "bob")
        True
        True
        >>> len(first), len(second)
        (1, 1)
        """
        write, open_sink, close_sink = _methods_of(sink)
        if write is None or self._sink is None:
            message = "sink must take the place of another one, and a processor without a sink has none"
            raise InvalidArgument(message)
        if self.is_closed:
            message = "the event processor is closed"
            raise Closed(message)
        if open_sink is not None:
            open_sink()
        self._replace_sink(write, partial(is_transient, sink=sink))
        self._sink = sink
        self._close_sink = close_sink

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
        if self._is_own_thread():
            # The sink dropped the last reference: the threads finish without this object.
            self._stop()
            return
        self.close(_PATIENCE)

    def __reduce__(self) -> NoReturn:
        message = "EventProcessor can't be pickled or copied: it belongs to the threads of one process"
        raise TypeError(message)

    def __repr__(self) -> str:
        return f"<EventProcessor, {'closed' if self.is_closed else 'open'}>"

    def _refuse_on_own_thread(self, method: str) -> None:
        if self._is_own_thread():
            message = f"{method} can't be called by the sink: it would wait for itself"
            raise RuntimeError(message)

    def _failure(self) -> SinkError | None:
        report = self._take_failures()
        if report is None:
            return None
        batches, events, text, cause = report
        shown = f"{_counted(events, 'event', 'events')} of {_counted(batches, 'batch', 'batches')}"
        failure = SinkError(f"{shown} {'was' if events == 1 else 'were'} set aside, the first for {text}")
        failure.__cause__ = cause
        return failure

    def _remainder(self) -> str:
        stats = self.stats()
        remains = f"{_counted(stats.queued + stats.in_flight, 'event remains', 'events remain')} undelivered"
        return remains if stats.retry_error is None else f"{remains}, as the sink fails with {stats.retry_error}"


def _methods_of(
    sink: object,
) -> tuple[Callable[[EventBatch], WriteResult | None] | None, Callable[[], object] | None, Callable[[], object] | None]:
    """Return write, open and close of a sink."""
    write = getattr(sink, "write", sink)
    if write is not None and not callable(write):
        message = f"sink must have write(batch) or be callable, got {type(sink).__name__}"
        raise InvalidType(message)
    if write is sink:
        return write, None, None
    if isinstance(sink, type):
        message = f"sink must be an object with write(batch), got its class {sink.__name__}"
        raise InvalidType(message)
    return write, _end_of(sink, "open"), _end_of(sink, "close")


def _end_of(sink: object, name: str) -> Callable[[], object] | None:
    method = getattr(sink, name, None)
    if method is not None and not callable(method):
        message = f"sink must have a method {name}() or none, got {type(method).__name__}"
        raise InvalidType(message)
    return method


def _counted(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


def _warn_of_refusal(count: int, capacity: int, trouble: str) -> None:
    """Say in the log that events were refused; called by push, once a minute at the most."""
    _logger.warning(
        "the event processor refused %s: %s wait for the sink%s; further refusals are only counted for a minute",
        _counted(count, "event", "events"),
        f"{capacity:,}",
        f", which fails with {trouble}" if trouble else "",
    )


_open_processors: weakref.WeakValueDictionary[int, EventProcessor] = weakref.WeakValueDictionary()


def _close_all() -> None:
    """Close what is open when the interpreter ends, within a bounded time; then let no worker into it."""
    deadline = time.monotonic() + _PATIENCE
    # The newest first, since its sink may push into an older one.
    processors = [one for one in (reference() for reference in reversed(_open_processors.valuerefs())) if one]
    for processor in processors:
        processor._request_flush()  # so that they deliver side by side, and one that hangs costs the others no time
    for processor in processors:
        try:
            processor.close(max(_LEAST_PATIENCE, deadline - time.monotonic()))
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
            if isinstance(processor._sink, HandOver):
                processor._sink._forget()
    _open_processors.clear()


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)

"""What an event processor offers to asyncio, which is imported when something has to be waited for."""

from __future__ import annotations

import contextlib
import weakref
from functools import partial
from typing import TYPE_CHECKING, Any

from engagehub_core import _native
from engagehub_core.errors import Closed, InvalidArgument
from engagehub_core.loop_waits import PAUSE_FIRST, PAUSE_MAX, until
from engagehub_core.sinks.hand_over import HandOver

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from engagehub_core.instants import Instant
    from engagehub_core.processor import EventBatch
    from engagehub_core.sinks import HandedBatch, Sink, WriteResult


class AsyncCalls(_native.EventProcessor):
    """The methods of `EventProcessor` that are awaited."""

    __slots__ = ("_block_timeout", "_clock", "_lines")

    _block_timeout: float | None
    _clock: Callable[[], Instant]
    #: Who waits for room, by the loop; None where push is never to wait.
    _lines: dict[asyncio.AbstractEventLoop, _Line] | None

    if TYPE_CHECKING:
        _has_ended: bool
        _sink: Sink | Callable[[EventBatch], WriteResult | None] | None

        def _refuse_on_own_thread(self, method: str) -> None: ...
        def _end_flush(self, *, is_flushed: bool, timeout: float | None) -> None: ...
        def _end(self, *, is_drained: bool, timeout: float | None) -> None: ...

    async def apush(
        self,
        kind: str,
        member: int | str,
        channel: int | str | None = None,
        *,
        at: Instant | None = None,
        community: int | str = "",
        id: int | str | None = None,
        value: float = 1.0,
        data: Any = None,
    ) -> bool:
        """Accept one event, and wait for room without blocking the loop.

        Parameters
        ----------
        kind, member, channel, at, community, id, value, data : object
            As of `push`.

        Returns
        -------
        bool
            As of `push`: False says that the event is a duplicate or was refused.

        Raises
        ------
        Closed
            If the processor was closed, also while the event waited; then it counts neither as offered nor as refused.
        CapacityExceeded, InvalidType, InvalidArgument
            As of `push`.

        Notes
        -----
        It waits with ``overflow="block"`` only, at most `block_timeout` seconds. Tasks of one loop are served in the
        order of their calls, and their events are accepted in that order; the first of them looks for room every 1 to
        16 ms, the others only wait for their turn. If the call is cancelled while it waits, the event was not accepted,
        and counts as refused (`refused_timeout`). An event without `at` has the instant of the call; `data`
        must not change until it returns.

        Examples
        --------
        >>> import asyncio
        >>> from engagehub_core import EventProcessor
        >>> async def main():
        ...     async with EventProcessor(overflow="block") as events:
        ...         return await events.apush("message", "ada", "general")
        >>> asyncio.run(main())
        True
        """
        about: dict[str, Any] = {"at": at, "community": community, "id": id, "value": value, "data": data}
        if self._lines is None:
            return self.push(kind, member, channel, **about)
        if not self._is_waited_for():
            accepted = self._offer(kind, member, channel, **about)
            if accepted is not None:
                return accepted
            if self._is_own_thread():  # it would wait for itself: refused and counted at once
                return self.push(kind, member, channel, **about)
        about["at"] = self._clock() if at is None else at
        return await self._wait_for_room(partial(self._offer, kind, member, channel, **about))

    async def aflush(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - as of flush
        """Wait as `flush` does, without blocking the loop.

        Parameters
        ----------
        timeout : float, optional
            Seconds to wait at most; None waits for ever, but for a sink that hangs.

        Raises
        ------
        TimeoutError, SinkError, Closed, RuntimeError
            As of `flush`.

        Notes
        -----
        It looks every 1 to 16 ms, on the loop itself; cancelling it changes nothing but that nobody waits. Whoever
        iterates over `batches` acknowledges the batch before: it would wait for itself.

        Examples
        --------
        >>> import asyncio
        >>> from engagehub_core import EventProcessor
        >>> rows = []
        >>> async def main():
        ...     async with EventProcessor(rows.extend, flush_interval=60) as events:
        ...         await events.apush("message", "ada")
        ...         await events.aflush(timeout=5)
        ...         return len(rows)
        >>> asyncio.run(main())
        1
        """
        self._refuse_on_own_thread("aflush")
        self._check_timeout(timeout)
        ticket = self._request_flush()
        await until(
            lambda: self._wait_flushed(ticket, 0.0) or self._wait_ended(0.0) or self._is_sink_stalled(), timeout
        )
        self._end_flush(is_flushed=self._wait_flushed(ticket, 0.0), timeout=timeout)

    async def aclose(self, timeout: float | None = 30.0) -> None:  # noqa: ASYNC109 - as of close
        """Close as `close` does, without blocking the loop.

        Parameters
        ----------
        timeout : float, optional
            Seconds to wait at most; None waits for ever.

        Raises
        ------
        TimeoutError, SinkError, RuntimeError
            As of `close`.

        Notes
        -----
        The sink's own `close` is called by a thread of :func:`asyncio.to_thread`. If the call is cancelled before that,
        the processor accepts nothing more and goes on delivering, and can be closed again; if it is cancelled in there,
        the sink is closed nevertheless, and nobody is told of failures.

        Examples
        --------
        >>> import asyncio
        >>> from engagehub_core import EventProcessor
        >>> rows = []
        >>> async def main():
        ...     events = EventProcessor(rows.extend)
        ...     await events.apush("message", "ada")
        ...     await events.aclose()
        >>> asyncio.run(main())
        >>> len(rows)
        1
        """
        import asyncio  # noqa: PLC0415

        if self._has_ended:
            return
        self._refuse_on_own_thread("aclose")
        self._check_timeout(timeout)
        self._stop()
        is_drained = await until(lambda: self._wait_ended(0.0), timeout)
        await asyncio.to_thread(self._end, is_drained=is_drained, timeout=timeout)

    def batches(self) -> BatchIterator:
        """Return the batches to come, for ``async for``.

        Returns
        -------
        BatchIterator
            An asynchronous iterator over :class:`~engagehub_core.sinks.HandedBatch`. It ends when the processor was
            closed and every batch was acknowledged. ``aclose()`` ends it before that.

        Raises
        ------
        InvalidArgument
            If the processor's sink isn't a :class:`~engagehub_core.sinks.HandOver`.

        Notes
        -----
        Asking for the next batch acknowledges the one before, and so does its ``ack()``. Leaving the loop, by `break`
        or an exception, doesn't: the next iteration is handed that batch again. So each event is delivered at least
        once, and a consumer that must not take one twice knows it by its `id`.

        The iterator raises RuntimeError if another iteration is under way, and Closed if the processor was closed
        before it could hand over everything. It keeps the processor alive.

        Examples
        --------
        >>> import asyncio
        >>> from engagehub_core import EventProcessor
        >>> from engagehub_core.sinks import HandOver
        >>> async def consume(events):
        ...     async for batch in events.batches():
        ...         print([event.member for event in batch])
        >>> async def main():
        ...     async with EventProcessor(HandOver()) as events:
        ...         consumer = asyncio.create_task(consume(events))
        ...         await events.apush("message", "ada")
        ...     await consumer
        >>> asyncio.run(main())
        ['ada']
        """
        sink = self._sink
        if not isinstance(sink, HandOver):
            message = f"batches() needs a processor with a sink of type HandOver, got {type(sink).__name__}"
            raise InvalidArgument(message)
        return BatchIterator(self, sink)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            await self.aclose()
            return
        try:
            await self.aclose()
        except Exception as late:  # noqa: BLE001 - whatever it is, the body's own exception goes on its way
            _native.write_unraisable(late, self)

    def _check_timeout(self, timeout: float | None) -> None:
        """Refuse what is no timeout, before it can change anything."""
        self._wait_flushed(0, timeout)  # nothing comes before the first event, so this doesn't wait

    def _is_waited_for(self) -> bool:
        """Say whether others on this loop wait for room already."""
        if not self._lines:
            return False
        import asyncio  # noqa: PLC0415

        return asyncio.get_running_loop() in self._lines

    async def _wait_for_room(self, offer: Callable[[], bool | None]) -> bool:
        import asyncio  # noqa: PLC0415

        assert self._lines is not None
        loop = asyncio.get_running_loop()
        deadline = None if self._block_timeout is None else loop.time() + self._block_timeout
        line = self._lines.setdefault(loop, _Line(asyncio.Lock()))
        line.length += 1
        is_settled = False  # whether the event was accepted, known, or refused by the processor itself
        pause = PAUSE_FIRST
        try:
            async with asyncio.timeout_at(deadline), line.turn:
                while True:
                    is_settled = True
                    accepted = offer()
                    if accepted is not None:
                        return accepted
                    is_settled = False
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, PAUSE_MAX)
        except TimeoutError:
            if is_settled:  # the clock's
                raise
            return False
        finally:
            line.length -= 1
            if line.length == 0:
                del self._lines[loop]
            if not is_settled:
                with contextlib.suppress(Closed):  # in the child of a fork
                    self._count_timeout(1)


class _Line:
    """Those on one loop who wait for room."""

    __slots__ = ("length", "turn")

    def __init__(self, turn: asyncio.Lock) -> None:
        self.turn = turn
        self.length = 0


class BatchIterator:
    """The batches of a processor with a `HandOver`, one after another; see `EventProcessor.batches`.

    It is used by one task at a time, but may be dropped by any thread. The sink knows it weakly, so that an iterator
    which is dropped has left its batch to others.
    """

    __slots__ = ("__weakref__", "_held", "_is_over", "_loop", "_processor", "_reference", "_sink", "_waiter")

    def __init__(self, processor: AsyncCalls, sink: HandOver) -> None:
        self._processor = processor  # which nobody else may hold any more
        self._sink = sink
        self._reference = weakref.ref(self)
        self._held: HandedBatch | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._is_over = False

    def __aiter__(self) -> Self:
        self._held = None  # what a loop before left without acknowledging it comes again
        return self

    async def __anext__(self) -> HandedBatch:
        import asyncio  # noqa: PLC0415

        if self._waiter is not None:
            message = "another task waits for the next batch of this iteration already"
            raise RuntimeError(message)
        held, self._held = self._held, None
        if held is not None and not held.ack():
            await self.aclose()
            message = "the event processor was closed before the batch was acknowledged; it counts as undelivered"
            raise Closed(message)
        self._loop = asyncio.get_running_loop()
        while not self._is_over:
            self._held = self._sink._take(self)
            if self._held is not None:
                return self._held
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """End the iteration: what was not acknowledged is handed out again."""
        self._is_over = True
        self._held = None
        self._sink._leave(self)
        _rouse(self._reference)

    def _wake(self) -> None:
        """Look for a batch again; called by the sink's thread."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                # By its reference: one that waits in the queue of the loop must not keep an iterator that was left.
                self._loop.call_soon_threadsafe(_rouse, self._reference)

    def _is_stranded(self) -> bool:
        """Say whether its loop was closed, so that it will never ask again."""
        return self._loop is not None and self._loop.is_closed()


def _rouse(reference: weakref.ref[BatchIterator]) -> None:
    iterator = reference()
    if iterator is not None and iterator._waiter is not None and not iterator._waiter.done():
        iterator._waiter.set_result(None)

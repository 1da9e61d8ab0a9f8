"""Hands batches over to a task of asyncio, and waits until each is acknowledged."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, overload

from engagehub_core.errors import Closed, InvalidArgument, SinkError

if TYPE_CHECKING:
    import weakref

    import pyarrow as pa

    from engagehub_core.processor import Event, EventBatch
    from engagehub_core.processor_asyncio import BatchIterator

__all__ = ["HandOver", "HandedBatch"]


class HandOver:
    """A sink whose batches go to ``async for batch in events.batches()``.

    Attributes
    ----------
    redelivered : int
        How often a batch was handed out again, because the loop that had it was left before it was acknowledged.

    Raises
    ------
    InvalidArgument
        By the processor, if it was given to another one before.

    Notes
    -----
    `write` waits, on the sink's thread, until the batch is acknowledged: when `EventProcessor.batches` is asked for the
    next one, or by :meth:`HandedBatch.ack`. While nobody iterates it waits for somebody, so a processor that is closed
    then reports what remains once its time is over. A wait of more than `sink_timeout` counts in `timeouts` and lets
    `flush` give up, as with any sink; the batch is not lost by that.

    `close` ends every wait, with an error after which the batch is tried again by whatever sink there is then: close a
    sink that `replace_sink` put out of its place.

    Thread safety: every method from any thread. One batch at a time is on its way, and one iteration at a time takes
    them.

    Examples
    --------
    >>> import asyncio
    >>> from engagehub_core import EventProcessor
    >>> async def main():
    ...     async with EventProcessor(HandOver(), batch_size=2) as events:
    ...         for member in ("ada", "bob"):
    ...             await events.apush("message", member)
    ...         async for batch in events.batches():
    ...             print([event.member for event in batch])
    ...             batch.ack()
    ...             break
    >>> asyncio.run(main())
    ['ada', 'bob']
    """

    def __init__(self) -> None:
        self.redelivered = 0
        self._is_open = False
        self._is_closed = False
        self._is_abandoned = False
        self._batch: HandedBatch | None = None  # what waits to be taken or acknowledged
        self._reader: weakref.ref[BatchIterator] | None = None
        # Guards all of it. Its lock may be taken again by whoever has it: a reader may be collected at any moment.
        self._changed = threading.Condition()

    def open(self) -> None:
        """Take the place of a processor's sink; called by the processor.

        Raises
        ------
        InvalidArgument
            If it has had that place before.

        Examples
        --------
        >>> HandOver().open()
        """
        with self._changed:
            if self._is_open or self._is_closed:
                message = "sink must be a HandOver of its own for each processor, got one that was used before"
                raise InvalidArgument(message)
            self._is_open = True

    def write(self, batch: EventBatch) -> None:
        """Wait until somebody has acknowledged the batch; called by the processor.

        Parameters
        ----------
        batch : EventBatch
            The events.

        Raises
        ------
        SinkError
            If it was closed before; the batch is to be tried again.

        Examples
        --------
        >>> sink = HandOver()
        >>> sink.close()
        >>> try:
        ...     sink.write([])
        ... except SinkError as error:
        ...     print(error)
        the hand-over was closed before the batch was acknowledged
        """
        handed = HandedBatch(batch, self)
        with self._changed:
            self._batch = handed
            self._call_reader()
            try:
                self._changed.wait_for(lambda: handed._is_acknowledged or self._is_closed)
            finally:
                self._drop(handed)
            if handed._is_acknowledged:
                return
        message = "the hand-over was closed before the batch was acknowledged"
        raise SinkError(message)

    def is_transient(self, error: BaseException) -> bool | None:
        """Say that a batch which was not acknowledged is to be tried again.

        Parameters
        ----------
        error : BaseException
            What `write` raised.

        Returns
        -------
        bool or None
            True for that, None for what it knows nothing of.

        Examples
        --------
        >>> HandOver().is_transient(SinkError()), HandOver().is_transient(MemoryError())
        (True, None)
        """
        return True if isinstance(error, SinkError) else None

    def close(self) -> None:
        """End the iteration, and the wait of a batch that nobody has acknowledged.

        Notes
        -----
        The processor calls it when all is delivered; closing again is fine.

        Examples
        --------
        >>> HandOver().close()
        """
        with self._changed:
            self._is_closed = True
            self._batch = None  # too late for it
            self._changed.notify_all()
            self._call_reader()

    def _abandon(self) -> None:
        """Close while batches remain that nobody will be given."""
        with self._changed:
            self._is_abandoned = True
            self.close()

    def _forget(self) -> None:
        """In the child of a fork: the lock may be held for ever."""
        self._changed = threading.Condition()
        self._is_closed = self._is_abandoned = True
        self._batch = self._reader = None

    def _take(self, reader: BatchIterator) -> HandedBatch | None:
        """Return the batch that waits, or None; then the reader is called when there is one."""
        with self._changed:
            other = None if self._reader is None else self._reader()
            if other is not None and other is not reader and not other._is_stranded():
                message = "another iteration over batches() is under way: only one at a time may take them"
                raise RuntimeError(message)
            if self._is_closed:
                self._reader = None
                if not self._is_abandoned:
                    raise StopAsyncIteration
                message = "the event processor was closed before it could hand over every batch"
                raise Closed(message)
            self._reader = reader._reference
            if self._batch is not None:
                self.redelivered += self._batch._was_handed_out
                self._batch._was_handed_out = True
            return self._batch

    def _leave(self, reader: BatchIterator) -> None:
        """Let others take batches; what the reader has not acknowledged is handed out again."""
        with self._changed:
            if self._reader is reader._reference:
                self._reader = None

    def _acknowledge(self, handed: HandedBatch) -> bool:
        with self._changed:
            if self._batch is handed:
                handed._is_acknowledged = True
                self._batch = None
                self._changed.notify_all()
            return handed._is_acknowledged

    def _drop(self, handed: HandedBatch) -> None:
        if self._batch is handed:
            self._batch = None

    def _call_reader(self) -> None:
        reader = None if self._reader is None else self._reader()
        if reader is not None:
            reader._wake()


class HandedBatch(Sequence["Event"]):
    """A batch that waits to be acknowledged: what an iteration over `EventProcessor.batches` gives.

    Parameters
    ----------
    events : EventBatch
        The events.
    sink : HandOver
        Whom to tell.

    Notes
    -----
    It is a sequence of events, and columns, as the `EventBatch` that it holds.

    Thread safety: any thread.

    Examples
    --------
    >>> import asyncio
    >>> from engagehub_core import EventProcessor
    >>> async def main():
    ...     async with EventProcessor(HandOver()) as events:
    ...         events.push("message", "ada")
    ...         async for batch in events.batches():
    ...             print(len(batch), batch[0].member, batch.columns()["kind"], batch.ack())
    ...             break
    >>> asyncio.run(main())
    1 ada ['message'] True
    """

    __slots__ = ("_events", "_is_acknowledged", "_sink", "_was_handed_out")

    def __init__(self, events: EventBatch, sink: HandOver) -> None:
        self._events = events
        self._sink = sink
        self._is_acknowledged = False
        self._was_handed_out = False

    @property
    def events(self) -> EventBatch:
        """The events alone, which stay valid."""
        return self._events

    @property
    def nbytes(self) -> int:
        """The memory of the events, in bytes."""
        return self._events.nbytes

    def ack(self) -> bool:
        """Acknowledge the batch: it counts as delivered, and the next one can be made ready.

        Returns
        -------
        bool
            Whether it is acknowledged, by this call or before. False says that it is too late: the processor or its
            `HandOver` was closed meanwhile, and the events count as undelivered or come to another sink.

        Notes
        -----
        Asking for the next batch does the same. It can also be called after the loop was left, as long as nothing
        was closed; who is handed the batch again meanwhile finds it acknowledged. O(1).

        Examples
        --------
        >>> HandedBatch([], HandOver()).ack()
        False
        """
        return self._sink._acknowledge(self)

    def columns(self) -> dict[str, Any]:
        """Return the events as columns.

        Returns
        -------
        dict
            As of `EventBatch.columns`.

        Examples
        --------
        See :class:`HandedBatch`.

        >>> HandedBatch.columns.__name__
        'columns'
        """
        return self._events.columns()

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return the events as dictionaries.

        Returns
        -------
        list of dict
            As of `EventBatch.to_dicts`.

        Examples
        --------
        See :class:`HandedBatch`.

        >>> HandedBatch.to_dicts.__name__
        'to_dicts'
        """
        return self._events.to_dicts()

    def to_arrow(self) -> pa.RecordBatch:
        """Return the events as Arrow has them, without a copy.

        Returns
        -------
        pyarrow.RecordBatch
            As of `EventBatch.to_arrow`.

        Raises
        ------
        ModuleNotFoundError
            If pyarrow isn't installed, which the extra ``engagehub-core[arrow]`` brings.

        Examples
        --------
        See :class:`HandedBatch`.

        >>> HandedBatch.to_arrow.__name__
        'to_arrow'
        """
        return self._events.to_arrow()

    def __len__(self) -> int:
        return len(self._events)

    @overload
    def __getitem__(self, index: int) -> Event: ...
    @overload
    def __getitem__(self, index: slice) -> EventBatch: ...
    def __getitem__(self, index: int | slice) -> Event | EventBatch:
        return self._events[index]

    def __iter__(self) -> Iterator[Event]:
        return iter(self._events)

    def __arrow_c_schema__(self) -> object:
        return self._events.__arrow_c_schema__()

    def __arrow_c_array__(self, requested_schema: object | None = None) -> tuple[object, object]:
        return self._events.__arrow_c_array__(requested_schema)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self._events.__arrow_c_stream__(requested_schema)

    def __repr__(self) -> str:
        return f"<HandedBatch of {len(self)} {'event' if len(self) == 1 else 'events'}>"

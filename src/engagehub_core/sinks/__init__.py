"""Where the batches of an :class:`engagehub_core.EventProcessor` go."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

from engagehub_core.sinks.hand_over import HandedBatch, HandOver
from engagehub_core.sinks.transient import is_transient

if TYPE_CHECKING:
    from engagehub_core.processor import EventBatch
    from engagehub_core.sinks.sqlite import SqliteSink

__all__ = ["HandOver", "HandedBatch", "NullSink", "Sink", "SqliteSink", "WriteResult", "is_transient"]


def __getattr__(name: str) -> object:
    # Whoever stores nothing in SQLite doesn't pay for its import.
    if name != "SqliteSink":
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    from engagehub_core.sinks.sqlite import SqliteSink  # noqa: PLC0415

    return SqliteSink


class WriteResult(NamedTuple):
    """What a sink did with a batch; the three numbers add up to its length.

    Attributes
    ----------
    written : int
        Events that are stored now.
    duplicate : int
        Events that were stored before.
    rejected : int
        Events that the sink refuses for good, each for a reason of its own.

    Examples
    --------
    >>> WriteResult(written=2, duplicate=1)
    WriteResult(written=2, duplicate=1, rejected=0)
    """

    written: int = 0
    duplicate: int = 0
    rejected: int = 0


@runtime_checkable
class Sink(Protocol):
    """What takes batches: an object with `write`, and with `open` and `close` if it needs them.

    Notes
    -----
    Thread safety: `open` is called once, by the thread that makes the processor, before any batch; `write` on a
    thread of the processor, never twice at a time, and with one worker always on the same thread; `close` once, by
    the thread that closes the processor, when every batch was written. If the processor had to be left behind because
    `write` hung, `close` is not called.

    What `write` raises decides about the batch. A transient error (:func:`is_transient`: no connection, a time-out, a
    deadlock, a full disk) says that nothing is wrong with it: the same batch comes again, until it passes. After any
    other, smaller and smaller parts of the batch come, in order, until only the events that can't be stored are set
    aside; the first of their errors is raised by `flush` or `close` of the processor as a
    :class:`~engagehub_core.errors.SinkError`. So `write` has to store all of a batch or nothing, or to know an event
    that it has stored by its id. An answer that is neither None nor a fitting `WriteResult` sets the batch aside as a
    whole: nobody can tell what was stored, and it doesn't come again.

    A sink that knows better which of its errors pass has a method ``is_transient(error)``, which returns True, False,
    or None for what it leaves to :func:`is_transient`.

    Examples
    --------
    >>> class Printer:
    ...     def write(self, batch):
    ...         print([event.member for event in batch])
    >>> isinstance(Printer(), Sink)
    True
    >>> from engagehub_core import EventProcessor
    >>> with EventProcessor(Printer()) as events:
    ...     events.push("message", "ada")
    True
    ['ada']
    """

    def write(self, batch: EventBatch) -> WriteResult | None:
        """Take a batch.

        Parameters
        ----------
        batch : EventBatch
            The events; it stays valid after the call.

        Returns
        -------
        WriteResult or None
            None says that all were written.

        Raises
        ------
        Exception
            Whatever goes wrong; a transient error brings the same batch again, any other one its parts.

        Examples
        --------
        >>> def write(batch):
        ...     return WriteResult(written=len(batch))
        """
        ...


class NullSink:
    """A sink that only counts, for tests and for measuring everything before it.

    Attributes
    ----------
    batches, events : int
        What it was given.

    Notes
    -----
    Thread safety: as :class:`Sink`; the counts are right once the processor was flushed.

    Examples
    --------
    >>> from engagehub_core import EventProcessor
    >>> sink = NullSink()
    >>> with EventProcessor(sink) as events:
    ...     events.push("message", "ada")
    True
    >>> sink.events
    1
    """

    def __init__(self) -> None:
        self.batches = 0
        self.events = 0

    def write(self, batch: EventBatch) -> WriteResult:
        """Count a batch.

        Parameters
        ----------
        batch : EventBatch
            The events.

        Returns
        -------
        WriteResult
            All of them as written.

        Examples
        --------
        >>> from engagehub_core import EventProcessor
        >>> sink = NullSink()
        >>> with EventProcessor(sink) as events:
        ...     events.push("message", "ada")
        True
        >>> sink.batches
        1
        """
        self.batches += 1
        self.events += len(batch)
        return WriteResult(written=len(batch))

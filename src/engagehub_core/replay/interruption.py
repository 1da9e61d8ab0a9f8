"""Ctrl-C as a request to finish what was begun."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

__all__ = ["Interruption"]


class Interruption:
    """A request to stop, which the first Ctrl-C makes and which is honoured between two rows.

    Notes
    -----
    An exception in the midst of a row would leave the account wrong by one. So the first Ctrl-C only sets
    ``requested``, unless the program is waiting for input, where no row is in flight: there it raises
    KeyboardInterrupt. Further ones change nothing: what was accepted is written in a moment, and an account
    that is taken before the last write has returned would be false. They are ignored until :meth:`restore`, so that the
    account can be printed.

    Handles signals only where Python lets it, in the main thread; elsewhere it is a plain flag.
    """

    def __init__(self) -> None:
        self.requested = False
        self.interrupted = False
        self._reading = False
        self._before: Any = None

    def request(self) -> None:
        """Ask to stop for another reason than Ctrl-C."""
        self.requested = True

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Give a context in which Ctrl-C raises at once."""
        self._reading = True
        try:
            if self.interrupted:
                raise KeyboardInterrupt
            yield
        finally:
            self._reading = False

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self.interrupted = self.requested = True
        if self._reading:
            self._reading = False  # the next one must not strike while this one is on its way
            raise KeyboardInterrupt

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._on_signal)
        return self

    def __exit__(self, *_: object) -> None:
        if not self.interrupted:
            self.restore()

    def restore(self) -> None:
        """Give Ctrl-C back to whoever had it before."""
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
            self._before = None

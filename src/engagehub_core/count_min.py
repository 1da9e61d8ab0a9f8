"""How often each item occurred, or how much of late, never under-estimated, in a table of fixed size."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from engagehub_core import _native
from engagehub_core.copying import Copied
from engagehub_core.durations import parse_optional

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime, timedelta
    from typing import Self

    from engagehub_core._native import _BytesLike

__all__ = ["CountMinSketch"]


class CountMinSketch(Copied, _native.CountMinSketch):
    """How often each item was added, never under-estimated, in a table of fixed size; with a half-life, of late.

    Parameters
    ----------
    width : int, default 2048
        Cells in a row; needs no power of two.
    depth : int, default 4
        Rows, at most 64; width * depth is at most 2 ** 27.
    cell_bits : int, default 64
        64, or 32 for half the memory: a cell that reaches 2 ** 32 - 1 stays there, and what is known of its items is
        the total.
    half_life : str, int, float, timedelta or None, default None
        After which time a weight counts half, such as ``"1h"``; None keeps plain counts.
    clock : callable, default time.time
        What «now» is: returns an instant. Without a half-life it is never called.
    max_skew : str, int, float, timedelta or None, default "5m"
        How far ahead of the clock an event may be, where there is a half-life; None trusts every stamp, as for recorded
        streams.
    key : bytes, bytearray, memoryview or None, default None
        A secret of 16 bytes, for items that strangers choose: without it nobody can choose ones that meet in a cell.

    Raises
    ------
    InvalidType, InvalidArgument
        If an argument is refused.

    Notes
    -----
    Items are int (signed 64 bits), str or bytes; one sketch holds one kind, and bytes count as the text of which they
    are the UTF-8. Weights are integers of at least 0: what was counted can't be taken back.

    With a half-life, weights may be floats, up to 2 ** 53, and answers are floats as of the instant asked for, never of
    one before the newest event. What is more than about 1,000 half-lives behind the newest event counts as at most
    2 ** -1022 of what it would be now.

    Memory: 8 bytes a cell, or 4. See :attr:`nbytes`.

    Thread safety: every method may be called from any thread; the clock is called outside the lock.

    References
    ----------
    Cormode, Muthukrishnan: An improved data stream summary: the count-min sketch and its applications, 2005. Estan,
    Varghese: New directions in traffic measurement and accounting, 2002 (conservative update). Cormode, Shkapenyuk,
    Srivastava, Xu: Forward decay, 2009. Aumasson, Bernstein: SipHash, 2012 (under a key).

    Examples
    --------
    >>> counts = CountMinSketch(width=2048, depth=4)
    >>> counts.update(["general", "help", "general"])
    >>> counts.estimate("general")
    2
    >>> lately = CountMinSketch(half_life="1h")
    >>> lately.add("general", 8, at=0)
    >>> lately.estimate("general", at=3600)
    4.0
    """

    __slots__ = ()

    def __init__(
        self,
        width: int = 2048,
        depth: int = 4,
        *,
        cell_bits: int = 64,
        half_life: str | float | timedelta | None = None,
        clock: Callable[[], float | datetime] = time.time,
        max_skew: str | float | timedelta | None = "5m",
        key: _BytesLike | None = None,
    ) -> None:
        micros = parse_optional(half_life, "half_life") or 0
        super().__init__(width, depth, cell_bits, micros, clock, parse_optional(max_skew, "max_skew"), key)

    @classmethod
    def from_error(cls, error: float, confidence: float = 0.99, **options: Any) -> Self:
        """Return an empty sketch of the smallest size that keeps an error with a confidence.

        Parameters
        ----------
        error : float
            Between 0 and 1: estimates exceed the truth by more than error * total only with probability 1 - confidence.
        confidence : float, default 0.99
            Between 0 and 1.
        **options : Any
            As the constructor takes them, but for width and depth.

        Returns
        -------
        CountMinSketch
            Of ceil(e / error) cells in each of ceil(ln(1 / (1 - confidence))) rows.

        Raises
        ------
        InvalidType, InvalidArgument
            If an argument is refused, or both need more than 2 ** 27 cells.

        Notes
        -----
        O(width * depth).

        Examples
        --------
        >>> counts = CountMinSketch.from_error(0.001, confidence=0.99, cell_bits=32)
        >>> counts.width, counts.depth, counts.cell_bits
        (2719, 5, 32)
        """
        return cls(*_native.CountMinSketch._size_for(error, confidence), **options)

    @classmethod
    def from_bytes(
        cls,
        data: _BytesLike,
        key: _BytesLike | None = None,
        *,
        clock: Callable[[], float | datetime] = time.time,
        max_skew: str | float | timedelta | None = "5m",
    ) -> Self:
        """Read what to_bytes wrote.

        Parameters
        ----------
        data : bytes, bytearray or memoryview
            All of it.
        key : bytes, bytearray, memoryview or None, default None
            That of the sketch that was written, for it isn't in the data.
        clock : callable, default time.time
            The new sketch's clock.
        max_skew : str, int, float, timedelta or None, default "5m"
            The new sketch's limit for stamps ahead of the clock.

        Returns
        -------
        CountMinSketch
            Equal to the one that was written.

        Raises
        ------
        InvalidType
            If data or key isn't a buffer, or the clock can't be called.
        Corrupted
            If to_bytes didn't write it.
        Incompatible
            If a newer version did, or the key is another one.

        Notes
        -----
        O(bytes).

        Examples
        --------
        >>> counts = CountMinSketch()
        >>> counts.add("general", 3)
        >>> CountMinSketch.from_bytes(counts.to_bytes()) == counts
        True
        """
        return cls._of(_native.CountMinSketch._from_bytes(data, key, clock, parse_optional(max_skew, "max_skew")))

    def copy(self) -> Self:
        """Return an independent copy with the same clock.

        Returns
        -------
        CountMinSketch
            Equal to this one.

        Notes
        -----
        O(width * depth).

        Examples
        --------
        >>> counts = CountMinSketch()
        >>> later = counts.copy()
        >>> later.add("general")
        >>> counts.total
        0
        """
        return self._of(self)

    @classmethod
    def _of(cls, native: _native.CountMinSketch) -> Self:
        new = cls.__new__(cls)
        _native.CountMinSketch.__init__(new, native)
        return new

    @classmethod
    def _restore(
        cls, data: bytes, key: bytes | None, clock: Callable[[], float | datetime], max_skew: float | None
    ) -> Self:
        return cls.from_bytes(data, key, clock=clock, max_skew=max_skew)

    # A pickle has to restore the whole object, so it holds the key; to_bytes doesn't.
    def _recipe(self) -> tuple[Callable[..., Self], tuple[Any, ...]]:
        return type(self)._restore, (self.to_bytes(), self._key, self.clock, self.max_skew)

    def __repr__(self) -> str:
        decay = "" if self.half_life is None else f" half_life={self.half_life}"
        return f"<{type(self).__name__} width={self.width} depth={self.depth}{decay} total={self.total}>"

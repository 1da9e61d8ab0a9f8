"""How often each item was added, in a table of fixed size, each answer with its bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engagehub_core import _native

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from engagehub_core._native import _BytesLike

__all__ = ["CountMinSketch"]


class CountMinSketch(_native.CountMinSketch):
    """How often each item was added, never under-estimated, in a table of fixed size.

    Parameters
    ----------
    width : int, default 2048
        Cells in a row; needs no power of two.
    depth : int, default 4
        Rows, at most 64; width * depth is at most 2 ** 27.

    Raises
    ------
    InvalidType, InvalidArgument
        If a size isn't an int in its range.

    Notes
    -----
    Items are int (signed 64 bits), str or bytes; one sketch holds one kind, and bytes count as the text of which they
    are the UTF-8. Weights are integers of at least 0: what was counted can't be taken back.

    Memory: 8 bytes a cell.

    Thread safety: every method may be called from any thread.

    References
    ----------
    Cormode, Muthukrishnan: An improved data stream summary: the count-min sketch and its applications, 2005. Estan,
    Varghese: New directions in traffic measurement and accounting, 2002 (conservative update).

    Examples
    --------
    >>> counts = CountMinSketch(width=2048, depth=4)
    >>> counts.update(["general", "help", "general"])
    >>> counts.estimate("general")
    2
    """

    __slots__ = ()

    def __init__(self, width: int = 2048, depth: int = 4) -> None:
        super().__init__(width, depth)

    @classmethod
    def from_error(cls, error: float, confidence: float = 0.99) -> Self:
        """Return an empty sketch of the smallest size that keeps an error with a confidence.

        Parameters
        ----------
        error : float
            Between 0 and 1: estimates exceed the truth by more than error * total only with probability 1 - confidence.
        confidence : float, default 0.99
            Between 0 and 1.

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
        >>> counts = CountMinSketch.from_error(0.001, confidence=0.99)
        >>> counts.width, counts.depth
        (2719, 5)
        """
        return cls._of(_native.CountMinSketch(*_native.CountMinSketch._size_for(error, confidence)))

    @classmethod
    def from_bytes(cls, data: _BytesLike) -> Self:
        """Read what to_bytes wrote.

        Parameters
        ----------
        data : bytes, bytearray or memoryview
            All of it.

        Returns
        -------
        CountMinSketch
            Equal to the one that was written.

        Raises
        ------
        InvalidType
            If data isn't a buffer.
        Corrupted
            If to_bytes didn't write it.
        Incompatible
            If a newer version did.

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
        return cls._of(_native.CountMinSketch._from_bytes(data))

    def copy(self) -> Self:
        """Return an independent copy.

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

    def __copy__(self) -> Self:
        return self.copy()

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self.copy()

    def __reduce__(self) -> tuple[Callable[..., Self], tuple[bytes]]:
        return type(self).from_bytes, (self.to_bytes(),)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} width={self.width} depth={self.depth} total={self.total}>"

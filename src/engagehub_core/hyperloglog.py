"""How many distinct items were added: HyperLogLog with the registers of UltraLogLog."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engagehub_core import _native
from engagehub_core.copying import Copied

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Literal, Self

    from engagehub_core._native import _BytesLike

__all__ = ["HyperLogLog"]


class HyperLogLog(Copied, _native.HyperLogLog):
    """How many distinct items were added, from a few kilobytes, within a known error.

    Parameters
    ----------
    p : int, default 14
        The precision, 4 to 18: 2 ** p registers of a byte. One standard error is 0.761 / sqrt(2 ** p), 0.59 % at 14.
    hash : {"redis", "postgresql"}, default "redis"
        Whose hash: with that of Redis and Valkey the sketch exchanges values with these servers, with that of
        PostgreSQL's extension hll with it.
    ints : {"bytes", "decimal"}, default "bytes"
        What of an int is hashed: its eight little-endian bytes, or, as Redis clients send ints, its decimal digits.
    key : bytes, bytearray, memoryview or None, default None
        16 secret bytes: items are hashed under them (SipHash-1-3), so that who doesn't know them can't choose items
        that spoil the count. Such sketches merge under the same key only and aren't exchanged with servers.

    Raises
    ------
    InvalidType, InvalidArgument
        If an argument is refused.

    Notes
    -----
    Items are int (signed 64 bits), str or bytes; one sketch holds one kind, and bytes count as the text of which they
    are the UTF-8. Sketches of any p merge, exactly and in any order, at the lower p.

    Up to 3 * 2 ** p / 16 items (3,072 at p = 14) are kept one by one, as 32 bits of their hashes, and counted exactly
    but for rare collisions; more as registers.

    Registers that a server wrote lack the two bits that UltraLogLog adds. A sketch into which they went is of the grade
    ``"plain"``, and its standard error 1.039 / sqrt(2 ** p), 0.81 % at p = 14.

    The bytes of a keyed sketch hold a fingerprint of the key, not the key; a pickle holds the key.

    Memory: about 100 bytes, and 5 to 11 for each item up to 2 ** p, which it then stays at.

    Thread safety: every method may be called from any thread.

    References
    ----------
    Flajolet, Fusy, Gandouet, Meunier: HyperLogLog, 2007. Ertl: UltraLogLog: a practical and more space-efficient
    alternative to HyperLogLog for approximate distinct counting, VLDB 2024. Ertl: New cardinality estimation algorithms
    for HyperLogLog sketches, 2017 (the estimator of plain registers). The bit split is that of Redis and Valkey.

    Examples
    --------
    >>> seen = HyperLogLog(p=14)
    >>> seen.update(["ada", "bob", "ada"])
    >>> round(seen.estimate())
    2
    """

    __slots__ = ()

    def __init__(
        self,
        p: int = 14,
        *,
        hash: Literal["redis", "postgresql"] = "redis",
        ints: Literal["bytes", "decimal"] = "bytes",
        key: _BytesLike | None = None,
    ) -> None:
        super().__init__(p, hash, ints, key)

    @classmethod
    def from_bytes(cls, data: _BytesLike, key: _BytesLike | None = None) -> Self:
        """Read what to_bytes wrote.

        Parameters
        ----------
        data : bytes, bytearray or memoryview
            All of it.
        key : bytes, bytearray, memoryview or None, default None
            The key of a keyed sketch, for the bytes don't hold it.

        Returns
        -------
        HyperLogLog
            Equal to the one that was written.

        Raises
        ------
        InvalidType
            If data or key isn't a buffer.
        InvalidArgument
            If key isn't 16 bytes.
        Corrupted
            If to_bytes didn't write it.
        Incompatible
            If a newer version did, or under another key.

        Notes
        -----
        O(bytes). Version 1 of the format had plain registers only and reads as the grade ``"plain"``.

        Examples
        --------
        >>> seen = HyperLogLog()
        >>> seen.add("ada")
        >>> HyperLogLog.from_bytes(seen.to_bytes()) == seen
        True
        """
        return cls._of(_native.HyperLogLog._from_bytes(data, key))

    @classmethod
    def from_redis(cls, data: _BytesLike, *, ints: Literal["bytes", "decimal"] = "bytes") -> Self:
        """Read the value that a Redis or Valkey server holds for a HyperLogLog key.

        Parameters
        ----------
        data : bytes, bytearray or memoryview
            What ``GET key`` returns: the server's dense or sparse form.
        ints : {"bytes", "decimal"}, default "bytes"
            How ints that are added later on are hashed.

        Returns
        -------
        HyperLogLog
            Of p = 14 and, unless it is empty, the grade ``"plain"``: its estimate, rounded, is the server's PFCOUNT.
            The first item added fixes its kind, for the bytes don't tell.

        Raises
        ------
        InvalidType
            If data isn't a contiguous buffer, or ints isn't a str.
        InvalidArgument
            If ints is none of the two.
        Corrupted
            If a server didn't write it: another start than ``HYLL``, an encoding that is neither dense (0) nor sparse
            (1), a reserved byte that isn't zero, an end too early or too late, runs of more or fewer than 16,384
            registers, or a register beyond 51. Its attribute ``offset`` is where. The cached count isn't looked at.

        Notes
        -----
        O(2^14).

        Examples
        --------
        >>> data = bytes.fromhex("48594c4c01000000000000000000008060f38050b1844bfb80425a")
        >>> seen = HyperLogLog.from_redis(data)
        >>> seen.add("a")
        >>> round(seen.estimate())
        3
        """
        return cls._of(_native.HyperLogLog._from_redis(data, ints))

    @classmethod
    def from_postgresql(cls, data: _BytesLike) -> Self:
        """Read a value of the type hll of PostgreSQL's extension of that name.

        Parameters
        ----------
        data : bytes, bytearray or memoryview
            What ``SELECT hll_send(value)`` returns: empty, explicit, sparse or full.

        Returns
        -------
        HyperLogLog
            With ``hash="postgresql"`` and p = log2m. The first item added fixes its kind, for the bytes don't tell.

        Raises
        ------
        InvalidType
            If data isn't a contiguous buffer.
        Corrupted
            If a server wouldn't write it: an unknown form, a reserved bit that isn't zero, an impossible threshold,
            hashes or registers out of order, a register that is listed though zero or has an impossible rank, or an
            end too early or too late. Its attribute ``offset`` is where.
        Incompatible
            If it is the undefined value, of another storage version than 1, or of a log2m outside 4 to 18.

        Notes
        -----
        O(2^log2m). Explicit values hold the hashes themselves and read as the grade ``"ultra"``; others hold registers
        and read as ``"plain"``.

        Examples
        --------
        >>> seen = HyperLogLog.from_postgresql(bytes.fromhex("138b7f11213dc29ae2"))
        >>> seen.add("a")
        >>> seen.p, round(seen.estimate())
        (11, 3)
        """
        return cls._of(_native.HyperLogLog._from_postgresql(data))

    def copy(self) -> Self:
        """Return an independent copy.

        Returns
        -------
        HyperLogLog
            Equal to this one.

        Notes
        -----
        O(2^p), less while the sketch is small.

        Examples
        --------
        >>> seen = HyperLogLog()
        >>> later = seen.copy()
        >>> later.add("ada")
        >>> seen.is_empty
        True
        """
        return self._of(self)

    @classmethod
    def _of(cls, native: _native.HyperLogLog) -> Self:
        new = cls.__new__(cls)
        _native.HyperLogLog.__init__(new, native)
        return new

    def __or__(self, other: HyperLogLog) -> Self:
        if not isinstance(other, HyperLogLog):
            return NotImplemented
        union = self.copy()
        union.merge(other)
        return union

    def __ior__(self, other: HyperLogLog) -> Self:
        if not isinstance(other, HyperLogLog):
            return NotImplemented
        self.merge(other)
        return self

    def _recipe(self) -> tuple[Callable[..., Self], tuple[Any, ...]]:
        return type(self).from_bytes, (self.to_bytes(), self._key)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} p={self.p} estimate={self.estimate():.0f}>"

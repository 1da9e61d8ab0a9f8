"""A leaderboard as JSON and back, exact to the last bit: docs/formats/leaderboard.md."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

from engagehub_core.errors import Corrupted, Incompatible, InvalidType

if TYPE_CHECKING:
    from engagehub_core._native import Leaderboard, _BytesLike

__all__ = ["dumps", "loads"]

FORMAT = "engagehub leaderboard"
VERSION = 1
_LARGEST = 2**63 - 1

#: Member, mantissa and exponent of the sum, last change.
_ExactRow: TypeAlias = tuple[int | str, float, int, int]
#: Half-life, ties, order, max_members, evicted, newest change, rows.
_State: TypeAlias = tuple[int, str, str, int | None, int, int | None, list[_ExactRow]]


def dumps(board: Leaderboard, indent: int | None) -> str:
    """Return the JSON of a board."""
    half_life, ties, order, max_members, evicted, newest, rows = board._snapshot()
    return json.dumps(
        {
            "format": FORMAT,
            "version": VERSION,
            "half_life_us": half_life or None,
            "ties": ties,
            "order": order,
            "max_members": max_members,
            "evicted": evicted,
            "newest_at_us": newest,
            "rows": [
                {"member": member, "score": score, "sum": [mantissa, exponent], "last_at_us": last_at}
                for member, score, mantissa, exponent, last_at in rows
            ],
        },
        indent=indent,
        allow_nan=False,
    )


def loads(text: str | _BytesLike) -> _State:
    """Return what the native constructor takes; what can't be a board raises Corrupted or Incompatible."""
    if not isinstance(text, (str, bytes, bytearray, memoryview)):
        message = f"text must be str or bytes, got {type(text).__name__}"
        raise InvalidType(message)
    try:
        content = json.loads(text if isinstance(text, str) else bytes(text).decode("utf-8"))
    except (ValueError, RecursionError) as error:  # bad JSON, bad UTF-8, an integer of thousands of digits
        message = f"text must be JSON: {error}"
        raise Corrupted(message, offset=getattr(error, "pos", 0)) from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        _refuse(f"text must be an object whose format is {FORMAT!r}")
    version = content.get("version")
    if _is_whole(version, VERSION + 1):
        message = f"version must be at most {VERSION}, got {version}: a newer release wrote it"
        raise Incompatible(message)
    if not (_is_whole(version, VERSION) and version == VERSION):
        _refuse(f"version must be {VERSION}, got {version!r}")
    rows = content.get("rows")
    if not isinstance(rows, list):
        _refuse("rows must be a list")
    return (
        _whole(content, "half_life_us", 1, optional=True) or 0,
        _choice(content, "ties", ("competition", "dense", "ordinal")),
        _choice(content, "order", ("arrival", "member")),
        _whole(content, "max_members", 1, optional=True),
        _whole(content, "evicted", 0) or 0,
        _whole(content, "newest_at_us", -_LARGEST, optional=True),
        [_exact_row(row, number) for number, row in enumerate(rows)],
    )


def _refuse(message: str, offset: int = 0) -> NoReturn:
    raise Corrupted(message, offset=offset)


def _is_whole(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= _LARGEST


def _whole(content: dict[str, Any], key: str, least: int, *, optional: bool = False) -> int | None:
    value = content.get(key)
    if not (_is_whole(value, least) or (optional and value is None)):
        _refuse(f"{key} must be an integer from {least} to {_LARGEST}{' or null' if optional else ''}, got {value!r}")
    return value


def _choice(content: dict[str, Any], key: str, choices: tuple[str, ...]) -> str:
    value = content.get(key)
    if value not in choices:
        _refuse(f"{key} must be one of {', '.join(map(repr, choices))}, got {value!r}")
    assert isinstance(value, str)
    return value


def _exact_row(row: object, number: int) -> _ExactRow:
    """Check the types; the native constructor checks what they say."""
    match row:
        case {"member": int() | str() as member, "sum": [int() | float() as mantissa, exponent], "last_at_us": last_at}:
            # Some writers of JSON make 1 of 1.0.
            whole = [exponent, last_at, *(value for value in (member, mantissa) if isinstance(value, int))]
            if all(_is_whole(value, -_LARGEST - 1) for value in whole):
                return member, float(mantissa), exponent, last_at
    _refuse(f"rows[{number}] must have a member, a sum of mantissa and exponent, and last_at_us", number)

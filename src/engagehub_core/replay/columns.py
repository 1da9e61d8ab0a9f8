"""Which column of an input means what: by common names, or as told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engagehub_core.replay.errors import BadInput, BadUsage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["FIELDS", "ColumnNames"]

#: The fields of an event in the order in which a reader hands them over, each with the names it goes by, best first.
FIELDS: dict[str, tuple[str, ...]] = {
    "time": ("time", "timestamp", "created_at", "at", "ts", "datetime", "date"),
    "member": ("member", "member_id", "user_id", "author_id", "author", "user", "sender"),
    "kind": ("kind", "type", "event_type"),
    "channel": ("channel", "channel_id", "channel_or_target", "target", "target_id"),
    "id": ("id", "event_id", "message_id"),
    "value": ("value",),
    "data": ("data",),
    "community": ("community", "community_id"),
}
_REQUIRED = ("time", "member")
_IGNORED = "ignore"
_ALIASES = {"timestamp": "time", "at": "time"}


class ColumnNames:
    """Finds the fields of an event among the names of columns.

    Parameters
    ----------
    mapped : mapping of str to str, optional
        Column name to field, or to ``ignore``; goes before the common names.

    Raises
    ------
    BadUsage
        If a field is unknown or has two columns.

    Examples
    --------
    >>> ColumnNames({"who": "member"}).of(["Timestamp", "who", "mood"])
    {'time': 'Timestamp', 'member': 'who'}
    """

    def __init__(self, mapped: Mapping[str, str] | None = None) -> None:
        self.mapped: dict[str, str] = {}
        for column, given in (mapped or {}).items():
            field = _ALIASES.get(given.strip().lower(), given.strip().lower())
            if field not in FIELDS and field != _IGNORED:
                message = f"--map {column}={given}: the fields are {', '.join(FIELDS)}, and ignore"
                raise BadUsage(message)
            if field != _IGNORED and field in self.mapped.values():
                message = f"--map {column}={given}: {field} has a column already"
                raise BadUsage(message)
            self.mapped[column.strip().lower()] = field

    def of(self, columns: Iterable[str]) -> dict[str, str]:
        """Return field to column for the names given; a field that none of them means is missing.

        Parameters
        ----------
        columns : iterable of str
            Names as the input writes them; case and surrounding blanks don't matter.

        Returns
        -------
        dict of str to str
            In the order of the fields.
        """
        written: dict[str, str] = {}
        for column in columns:
            written.setdefault(column.strip().lower(), column)
        found = {self.mapped[name]: column for name, column in written.items() if name in self.mapped}
        free = {name: column for name, column in written.items() if name not in self.mapped}
        for field, names in FIELDS.items():
            if field not in found:
                for name in names:
                    if name in free:
                        found[field] = free.pop(name)
                        break
        return {field: found[field] for field in FIELDS if field in found}

    def check(self, found: Mapping[str, str], columns: Sequence[str], *, complete: bool) -> None:
        """Refuse columns without a time or a member and, where all columns are known, without one that was mapped.

        Raises
        ------
        BadInput
            Naming the columns that are there and how to map one.
        """
        there = ", ".join(column.strip() for column in columns[:20]) or "none"
        for column in self.mapped:
            if complete and column not in (name.strip().lower() for name in columns):
                message = f"there is no column {column!r} to map; the columns are: {there}"
                raise BadInput(message)
        for field in _REQUIRED:
            if field not in found:
                separator = next((mark for mark in ";\t|" if complete and len(columns) == 1 and mark in there), None)
                if separator:
                    message = (
                        f"the columns seem to be separated by {separator!r}, a comma is needed; the header is: {there}"
                    )
                    raise BadInput(message)
                message = (
                    f"no column holds the {field} ({', '.join(FIELDS[field])}); the columns are: {there};"
                    f" name the right one with --map COLUMN={field}"
                )
                raise BadInput(message)

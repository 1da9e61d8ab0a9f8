"""Lines of an input as rows of text: CSV with a header, or JSON Lines."""

from __future__ import annotations

import csv
import json
from collections import deque
from collections.abc import Callable, Iterator
from itertools import chain, islice
from operator import itemgetter
from typing import Any, NoReturn, TypeVar

from engagehub_core.replay.columns import FIELDS, ColumnNames
from engagehub_core.replay.errors import BadInput, InputEnds
from engagehub_core.replay.lines import Malformed

__all__ = ["SAMPLE", "Fields", "Numbered", "rows", "sampled"]

#: What a row says, as text and "" where it says nothing: time, member, kind, channel, id, value, data, community.
Fields = tuple[str, str, str, str, str, str, str, str]
Numbered = tuple[int, Fields]
Lines = Iterator[tuple[int, str] | Malformed]
Item = TypeVar("Item")

LONGEST_FIELD = 1 << 16
#: Characters of a quoted record that runs over several lines; below the limit that the csv module has for a field.
_LONGEST_RECORD = 100_000
_LAYOUTS = 1_024
#: Rows that are looked at before the first is taken.
SAMPLE = 200


def rows(lines: Lines, names: ColumnNames) -> tuple[str, Iterator[Numbered | Malformed]]:
    """Recognise the format by the first line and return its name and the rows.

    Parameters
    ----------
    lines : iterator
        Numbered lines.
    names : ColumnNames
        What the columns mean.

    Returns
    -------
    tuple of str and iterator
        ``"CSV"`` or ``"JSON Lines"``; rows with the number of their first line, or what is wrong with one.

    Raises
    ------
    BadInput
        If there is no line at all, or the columns don't say who did something and when.
    """
    start: list[tuple[int, str] | Malformed] = []
    for line in lines:
        start.append(line)
        if isinstance(line, Malformed) or line[1].strip():
            break
    else:
        message = "the input is empty"
        raise BadInput(message)
    first = start[-1]
    if isinstance(first, Malformed):
        message = f"line {first.line}: {first.reason}"
        raise BadInput(message)
    opening = first[1].lstrip()[0]
    if opening == "[":
        message = "a JSON array; one object a line is needed (JSON Lines)"
        raise BadInput(message)
    if opening == "{":
        return "JSON Lines", _json_rows(first, lines, names)
    return "CSV", _csv_rows(first, lines, names)


class _PushBack:
    """Numbered lines of which some may be given back."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._failure: InputEnds | None = None
        self.returned: deque[tuple[int, str] | Malformed] = deque()

    def __iter__(self) -> Lines:
        return self

    def __next__(self) -> tuple[int, str] | Malformed:
        if self.returned:
            return self.returned.popleft()
        if self._failure is not None:
            raise self._failure
        return next(self._lines)

    def until_failure(self) -> Lines:
        """Yield on; should the input break off, that is kept for whoever asks next."""
        try:
            yield from self
        except InputEnds as error:
            self._failure = error


def _csv_rows(first: tuple[int, str], lines: Lines, names: ColumnNames) -> Iterator[Numbered | Malformed]:
    source = _PushBack(lines)
    header = _quoted(first, source) if '"' in first[1] else first[1].split(",")
    if isinstance(header, Malformed):
        message = f"line {header.line}: {header.reason}"
        raise BadInput(message)
    header = [column.strip() for column in header]
    found = names.of(header)
    names.check(found, header, complete=True)
    for field, column in found.items():
        if header.count(column) > 1:
            message = f"two columns are named {column!r}, either might be the {field}"
            raise BadInput(message)
    return _csv_records(
        source, first[1], [header.index(found[field]) if field in found else -1 for field in FIELDS], len(header)
    )


def _csv_records(source: _PushBack, header: str, places: list[int], width: int) -> Iterator[Numbered | Malformed]:
    # A field that has no column is taken from behind the last one, where an empty text is put.
    pick: Callable[[list[str]], Fields] = itemgetter(*places)
    for line in source:
        if isinstance(line, Malformed):
            yield line
            continue
        number, text = line
        if not text:
            continue
        if text == header:
            yield Malformed(number, "a repeated header")
            continue
        # Only a quoted field may be longer than its line.
        long = len(text) > LONGEST_FIELD
        if '"' in text:
            parsed = _quoted((number, text), source)
            if isinstance(parsed, Malformed):
                yield parsed
                continue
            fields, long = parsed, True
        else:
            fields = text.split(",")
        if len(fields) != width:
            yield Malformed(
                number, f"{len(fields)} {'field' if len(fields) == 1 else 'fields'}, the header has {width}"
            )
            continue
        if long and max(map(len, fields)) > LONGEST_FIELD:
            yield Malformed(number, f"a field is longer than {LONGEST_FIELD >> 10} KiB")
            continue
        fields.append("")
        yield number, pick(fields)


def _quoted(first: tuple[int, str], source: _PushBack) -> list[str] | Malformed:
    """Parse a record that has quotes, which may run over several lines; a broken one costs its first line alone."""
    taken: list[tuple[int, str] | Malformed] = []

    def more() -> Iterator[str]:
        yield first[1] + "\n"
        length = len(first[1])
        for line in source.until_failure():
            taken.append(line)
            if isinstance(line, Malformed) or (length := length + len(line[1])) > _LONGEST_RECORD:
                return
            yield line[1] + "\n"

    try:
        return next(csv.reader(more(), strict=True))
    except csv.Error as error:
        source.returned.extendleft(reversed(taken))
        text = str(error)
        if text == "unexpected end of data":
            text = "a quote is opened and never closed"
        return Malformed(first[0], text)


def _json_rows(first: tuple[int, str], lines: Lines, names: ColumnNames) -> Iterator[Numbered | Malformed]:
    # There is no header: the keys of the first rows together have to say who did something and when.
    seen: dict[str, None] = {}
    records = _json_records(first, lines, names, seen)
    sample, rest = sampled(records, SAMPLE)
    if seen:
        names.check(names.of(seen), list(seen), complete=False)
    return chain(sample, rest)


def sampled(items: Iterator[Item], count: int) -> tuple[list[Item], Iterator[Item]]:
    """Take the first items; should reading fail meanwhile, it fails again in the rest, after what came before it.

    Parameters
    ----------
    items : iterator
        What to look ahead in.
    count : int
        How far.

    Returns
    -------
    tuple of list and iterator
        The items taken, and those behind them.
    """
    taken: list[Item] = []
    try:
        taken.extend(islice(items, count))
    except BadInput as error:
        return taken, _failing(error)
    return taken, items


def _failing(error: BadInput) -> Iterator[Any]:
    raise error
    yield


def _refuse_constant(name: str) -> NoReturn:
    message = f"{name} is not JSON"
    raise ValueError(message)


def _json_records(
    first: tuple[int, str], lines: Lines, names: ColumnNames, seen: dict[str, None]
) -> Iterator[Numbered | Malformed]:
    decode = json.JSONDecoder(parse_constant=_refuse_constant).decode
    layouts: dict[tuple[str, ...], list[str | None]] = {}
    pending: tuple[int, str] | Malformed | None = first
    while pending is not None:
        line, pending = pending, next(lines, None)
        if isinstance(line, Malformed):
            yield line
            continue
        number, text = line
        if not text or text.isspace():
            continue
        try:
            record = decode(text)
        except (ValueError, RecursionError) as error:
            reason = (
                "nested too deeply" if isinstance(error, RecursionError) else getattr(error, "msg", None) or str(error)
            )
            yield Malformed(number, f"not JSON: {reason}")
            continue
        if not isinstance(record, dict):
            yield Malformed(number, "not a JSON object")
            continue
        keys = tuple(record)
        layout = layouts.get(keys)
        if layout is None:
            found = names.of(keys)
            layout = [found.get(field) for field in FIELDS]
            if len(layouts) >= _LAYOUTS:
                layouts.clear()
            layouts[keys] = layout
            if len(seen) < _LAYOUTS:
                seen.update(dict.fromkeys(keys))
        try:
            yield number, _texts(record, layout, escaped="\\u" in text, long=len(text) > LONGEST_FIELD)
        except ValueError as error:
            yield Malformed(number, str(error))


def _texts(record: dict[str, Any], layout: list[str | None], *, escaped: bool, long: bool) -> Fields:
    texts = []
    for field, key in zip(FIELDS, layout, strict=True):
        value = None if key is None else record[key]
        if value.__class__ is str:
            text = value
        elif value is None:
            text = ""
        elif field == "data":
            text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        elif value.__class__ is int or (value.__class__ is float and field in ("time", "value")):
            text = str(value)
        else:
            message = f"{field} must be text{' or a number' if field in ('time', 'value') else ' or an integer'}"
            raise ValueError(message)
        if escaped:
            _check_surrogates(text, field)
        if long and len(text) > LONGEST_FIELD:
            message = f"a field is longer than {LONGEST_FIELD >> 10} KiB"
            raise ValueError(message)
        texts.append(text)
    return tuple(texts)  # type: ignore[return-value]


def _check_surrogates(text: str, field: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        message = f"{field} holds half of a surrogate pair"
        raise ValueError(message) from error

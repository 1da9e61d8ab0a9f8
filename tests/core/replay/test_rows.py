"""Lines as rows: CSV and JSON Lines, right and wrong."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engagehub_core.replay.columns import ColumnNames
from engagehub_core.replay.errors import BadInput, BadUsage, InputEnds
from engagehub_core.replay.lines import Malformed, numbered_lines
from engagehub_core.replay.rows import LONGEST_FIELD, rows, sampled

HEADER = "time,member,kind,channel,id,value,data,community"


def read(text: str | bytes, mapped: dict[str, str] | None = None):
    data = text.encode() if isinstance(text, str) else text
    return list(rows(numbered_lines(iter([data])), ColumnNames(mapped))[1])


def reasons(text: str) -> list[tuple[int, str]]:
    return [(row.line, row.reason) for row in read(text) if isinstance(row, Malformed)]


FIELD = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=12)


@given(st.lists(st.tuples(*[FIELD] * 8), max_size=12))
def test_csv_gives_back_what_was_written(records):
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow(HEADER.split(","))
    writer.writerows(records)
    assert [fields for _, fields in read(text.getvalue())] == records


@given(st.lists(st.tuples(*[FIELD] * 8), max_size=12))
def test_json_lines_give_back_what_was_written(records):
    text = "".join(json.dumps(dict(zip(HEADER.split(","), record, strict=True))) + "\n" for record in records)
    if records:
        assert [fields for _, fields in read(text)] == records


def test_columns_are_found_by_their_common_names():
    text = " Timestamp ,USER_ID,channel_or_target,kind,mood\n5,ada,maths,message,fine\n"
    assert read(text) == [(2, ("5", "ada", "message", "maths", "", "", "", ""))]


def test_columns_are_mapped_and_ignored_as_told():
    text = "when,user,author,kind\n5,ada,bob,message\n"
    assert read(text, {"when": "time"})[0][1][:3] == ("5", "bob", "message")
    assert read(text, {"WHEN": "Timestamp", "user": "member", "kind": "ignore"})[0][1][:3] == ("5", "ada", "")


@pytest.mark.parametrize(
    ("mapped", "message"),
    [
        ({"a": "colour"}, "the fields are time, member"),
        ({"a": "time", "b": "time"}, "time has a column already"),
    ],
)
def test_a_mapping_that_makes_no_sense_is_refused(mapped, message):
    with pytest.raises(BadUsage, match=message):
        ColumnNames(mapped)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the input is empty"),
        ("\n \n", "the input is empty"),
        ("member,kind\nada,message\n", r"no column holds the time .*columns are: member, kind; .*--map COLUMN=time"),
        ("time,kind\n5,message\n", r"no column holds the member .*--map COLUMN=member"),
        ('{"member": "ada"}\n{"member": "bob", "x": 1}\n', r"no column holds the time .*columns are: member, x;"),
        ("[1, 2]\n", "a JSON array"),
        ('"time,member\n1,2\n', "line 1: a quote is opened and never closed"),
    ],
)
def test_an_input_that_cannot_be_events_is_refused(text, message):
    with pytest.raises(BadInput, match=message):
        read(text)


def test_a_mapped_column_must_be_there():
    with pytest.raises(BadInput, match="no column 'who' to map; the columns are: time, member"):
        read("time,member\n", {"who": "member"})


def test_a_header_alone_is_an_empty_stream():
    assert read(HEADER + "\n") == []


def test_blank_lines_are_no_rows_and_keep_the_numbers_right():
    assert [row[0] for row in read("time,member\n\n1,a\n\n\n2,b\n")] == [3, 6]


def test_rows_of_another_width_are_refused():
    assert reasons("time,member\n1\n1,2,3\n1,2\n") == [
        (2, "1 field, the header has 2"),
        (3, "3 fields, the header has 2"),
    ]


def test_a_quoted_record_may_span_lines():
    assert read('time,member,data\n1,ada,"two\nlines"\n2,bob,x\n') == [
        (2, ("1", "ada", "", "", "", "", "two\nlines", "")),
        (4, ("2", "bob", "", "", "", "", "x", "")),
    ]


def test_a_quote_that_is_never_closed_costs_its_line_alone():
    many = "".join(f"{i},member{i:06d}\n" for i in range(20_000))
    got = read(f'time,member\n1,"ada\n{many}')
    assert got[0] == Malformed(2, "a quote is opened and never closed")
    assert len(got) == 20_001
    assert got[-1][0] == 20_002


def test_two_quotes_that_are_never_closed_cost_two_lines():
    got = read('time,member\n1,"ada\n2,bob\n3,"eve\n4,"dan"\n')
    assert [row.line if isinstance(row, Malformed) else row[0] for row in got] == [2, 3, 4, 5]
    assert [isinstance(row, Malformed) for row in got] == [True, False, True, False]


def test_an_open_quote_before_the_input_breaks_off_costs_its_line_alone():
    def chunks():
        yield b'time,member\n1,ada\n2,"bob\n3,eve\n'
        message = "gzip data ends early"
        raise InputEnds(message)

    got = []
    _, records = rows(numbered_lines(chunks()), ColumnNames())
    with pytest.raises(InputEnds, match="ends early"):
        got.extend(records)
    assert [row.line if isinstance(row, Malformed) else row[0] for row in got] == [2, 3, 4]


def test_looking_ahead_keeps_rows_that_come_before_a_failure():
    def failing():
        yield 1
        yield 2
        message = "gone"
        raise InputEnds(message)

    head, rest = sampled(failing(), 10)
    assert head == [1, 2]
    with pytest.raises(InputEnds, match="gone"):
        next(rest)


@pytest.mark.parametrize("quote", ["", '"'])
def test_a_field_of_a_megabyte_is_refused(quote):
    field = "x" * 1_000_000
    text = f"time,member\n1,ada\n2,{quote}{field}{quote}\n3,bob\n"
    got = read(text)
    assert [row.line if isinstance(row, Malformed) else row[0] for row in got] == [2, 3, 4]
    assert "field" in got[1].reason


def test_the_longest_field_passes():
    field = "x" * LONGEST_FIELD
    assert read(f"time,member\n1,{field}\n")[0][1][1] == field
    assert reasons(f"time,member\n1,{field}x\n") == [(2, "a field is longer than 64 KiB")]
    assert reasons(json.dumps({"time": 1, "member": field + "x"})) == [(1, "a field is longer than 64 KiB")]


def test_a_line_that_is_not_utf8_is_refused_and_the_rest_read():
    got = read(b"time,member\n1,\xff\n2,ada\n")
    assert got == [Malformed(2, "not UTF-8: byte 0xff at position 3 of the line"), (3, ("2", "ada", *[""] * 6))]


def test_json_values_become_the_texts_that_csv_would_hold():
    record = {
        "time": 1.5,
        "member": 12345678901234567890,
        "channel": None,
        "id": 7,
        "value": 2,
        "data": {"b": [1, "é"], "a": None},
        "community": "school",
        "kind": "message",
    }
    assert read(json.dumps(record)) == [
        (1, ("1.5", "12345678901234567890", "message", "", "7", "2", '{"a":null,"b":[1,"é"]}', "school"))
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "not JSON"),
        ("[]", "not a JSON object"),
        ('{"time": NaN, "member": "a"}', "not JSON: NaN is not JSON"),
        ('{"time": true, "member": "a"}', "time must be text or a number"),
        ('{"time": 1, "member": 1.5}', "member must be text or an integer"),
        ('{"time": 1, "member": ["a"]}', "member must be text or an integer"),
        ('{"time": 1, "member": "\\ud800"}', "member holds half of a surrogate pair"),
        ('{"time": 1, "member": "a", "data": ["\\udfff"]}', "data holds half of a surrogate pair"),
        ("[" * 100_000, "not JSON"),
        ('{"time": ' + "9" * 5_000 + ', "member": "a"}', "not JSON"),
    ],
)
def test_a_json_line_that_is_no_event_is_refused(line, reason):
    text = '{"time": 1, "member": "a"}\n' + line + '\n{"time": 2, "member": "b"}\n'
    got = read(text)
    assert [row.line if isinstance(row, Malformed) else row[0] for row in got] == [1, 2, 3]
    assert got[1].reason.startswith(reason)


def test_json_keys_may_differ_from_line_to_line():
    text = '{"time": 1, "author": "a"}\n\n{"created_at": "2", "user_id": 3, "type": "join"}\n'
    assert read(text) == [(1, ("1", "a", *[""] * 6)), (3, ("2", "3", "join", *[""] * 5))]

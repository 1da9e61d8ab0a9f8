"""Bytes as numbered lines: plain and gzip, cut anywhere, damaged anywhere."""

from __future__ import annotations

import gzip
import io
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engagehub_core.replay.errors import BadUsage, InputEnds
from engagehub_core.replay.lines import LONGEST_LINE, Input, Malformed, numbered_lines


def pieces(data: bytes, size: int):
    for start in range(0, len(data), size):
        yield data[start : start + size]


def lines_in(path):
    with Input(str(path)) as source:
        yield from numbered_lines(source.chunks())


def lines_of(data: bytes, size: int = 1 << 18):
    return list(numbered_lines(pieces(data, size)))


@given(
    st.lists(st.text(st.characters(exclude_characters="\n\r", exclude_categories=["Cs"]), max_size=20), max_size=20),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
    st.integers(1, 40),
)
def test_lines_come_back_however_the_bytes_are_cut(texts, ending, closed, size):
    data = ending.join(texts).encode() + (ending.encode() if closed else b"")
    expected = data.decode().removeprefix("\ufeff").split("\n")
    if not expected[-1]:
        expected.pop()
    assert lines_of(data, size) == [(i, text.removesuffix("\r")) for i, text in enumerate(expected, 1)]


def test_byte_order_mark_is_dropped_once():
    assert lines_of(b"\xef\xbb\xbfa\n\xef\xbb\xbfb\n", 1) == [(1, "a"), (2, "\ufeffb")]


@pytest.mark.parametrize("size", [1, 7, 1 << 18])
def test_a_line_that_is_not_utf8_costs_itself_alone(size):
    one, two, three = lines_of(b"good\nb\xffd\ngood\n", size)
    assert (one, three) == ((1, "good"), (3, "good"))
    assert two == Malformed(2, "not UTF-8: byte 0xff at position 2 of the line")


@pytest.mark.parametrize("size", [1 << 18, 1 << 16, 1_000_003])
def test_an_endless_line_is_refused_once_and_skipped(size):
    data = b"a\n" + b"x" * (3 * LONGEST_LINE) + b"\nb\n"
    assert lines_of(data, size) == [(1, "a"), Malformed(2, "the line is longer than 1 MiB"), (3, "b")]


def test_an_endless_line_without_end_is_held_only_to_its_limit():
    held = []

    def endless():
        for _ in range(64):
            piece = bytearray(b"y" * LONGEST_LINE)
            held.append(piece)
            yield bytes(piece)

    assert list(numbered_lines(endless())) == [Malformed(1, "the line is longer than 1 MiB")]
    assert len(held) == 64


def test_the_longest_line_passes():
    data = b"x" * LONGEST_LINE
    assert lines_of(data + b"\n" + data) == [(1, data.decode()), (2, data.decode())]


def test_gzip_is_recognised_by_its_first_bytes_and_members_follow(tmp_path):
    path = tmp_path / "events.dat"
    path.write_bytes(gzip.compress(b"one\ntw") + gzip.compress(b"o\n") + b"\0" * 512)
    assert list(lines_in(path)) == [(1, "one"), (2, "two")]


def test_gzip_of_much_is_unpacked_in_bounded_pieces(tmp_path):
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(b"\n" * 50_000_000))
    with Input(str(path)) as source:
        assert max(len(chunk) for chunk in source.chunks()) <= 1 << 18


@pytest.mark.parametrize("cut", [3, 11, 100, 1_000, -1, -8])
def test_a_cut_gzip_gives_what_came_before_and_says_so(tmp_path, cut):
    content = b"".join(b"%d,%d\n" % (i, zlib.crc32(b"%d" % i)) for i in range(5_000))
    path = tmp_path / "cut.gz"
    path.write_bytes(gzip.compress(content)[:cut])
    seen = []
    with pytest.raises(InputEnds, match="gzip data ends early"):
        seen.extend(lines_in(path))
    assert seen == [(i, text) for i, text in enumerate(content.decode().split("\n")[: len(seen)], 1)]
    if cut in {-1, -8}:
        assert len(seen) == 5_000


def test_a_damaged_gzip_says_so(tmp_path):
    path = tmp_path / "damaged.gz"
    packed = bytearray(gzip.compress(b"".join(b"%d\n" % (i * i) for i in range(5_000))))
    packed[len(packed) // 2] ^= 0xFF
    path.write_bytes(packed)
    with pytest.raises(InputEnds, match="damaged"):
        list(lines_in(path))


def test_a_missing_file_and_a_directory_are_told_apart(tmp_path):
    with pytest.raises(BadUsage, match="No such file"):
        Input(str(tmp_path / "none.csv"))
    with pytest.raises(BadUsage, match="is a directory"):
        Input(str(tmp_path))
    with pytest.raises(BadUsage, match="null"):
        Input("a\0b")


@pytest.mark.parametrize(
    ("name", "community"),
    [("irc-2008.csv.gz", "irc-2008"), ("a.b.jsonl", "a.b"), ("events", "events"), (".csv", ".csv"), ("X.CSV.GZ", "X")],
)
def test_the_community_is_the_base_name(tmp_path, name, community):
    (tmp_path / name).write_bytes(b"")
    with Input(str(tmp_path / name)) as source:
        assert source.community == community


def test_standard_input_is_read_as_it_comes(monkeypatch):
    class Stdin:
        buffer = io.BytesIO(b"a\nb")

    monkeypatch.setattr("sys.stdin", Stdin)
    source = Input("-")
    assert list(numbered_lines(source.chunks())) == [(1, "a"), (2, "b")]
    assert (source.community, source.position) == ("stdin", 3)
    source.close()
    assert not Stdin.buffer.closed


def test_a_failing_read_says_so(tmp_path, monkeypatch):
    (tmp_path / "events.csv").write_bytes(b"a\n")

    class Failing:
        def read(self, _size):
            raise OSError(5, "Input/output error")

    with Input(str(tmp_path / "events.csv")) as source:
        monkeypatch.setattr(source, "_stream", Failing())
        with pytest.raises(InputEnds, match="reading fails: Input/output error"):
            list(source.chunks())
        monkeypatch.undo()

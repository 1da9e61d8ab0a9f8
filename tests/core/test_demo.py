"""The generated stream: exact counts, the same rows everywhere, and the shape of real chat logs.

All seeds are fixed and the generator is deterministic, so no gate here can fail by chance.
"""

from __future__ import annotations

import ast
import csv
import doctest
import gzip
import hashlib
import importlib.util
import math
import os
import subprocess
import sys
import tracemalloc
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from engagehub_core import demo
from engagehub_core.demo import CHANNELS, START, Row, generate, write_demo
from engagehub_core.errors import InvalidArgument, InvalidType

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DAY = 86_400
SMALL = {"members": 50, "events": 2_000, "days": 7}
GOLDEN = "7f83fffcca8e7d4854eb00838a0445852325b555717d0b00b68c51b986e0c845"
STREAM_SHAPE = Path(__file__).resolve().parents[2] / "scripts" / "stream_shape.py"


def load_stream_shape() -> Any:
    spec = importlib.util.spec_from_file_location("stream_shape", STREAM_SHAPE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


stream_shape = load_stream_shape()


@pytest.fixture(scope="module")
def stream() -> list[Row]:
    return list(generate())


@pytest.fixture(scope="module")
def shape(stream: list[Row]) -> dict[str, float]:
    figures: dict[str, float] = stream_shape.measure(stream)
    return figures


# The same rows everywhere


def test_text_of_a_small_stream_is_the_golden_one(tmp_path: Path) -> None:
    text = write_demo(tmp_path / "demo.csv", **SMALL).read_bytes()
    assert hashlib.sha256(text).hexdigest() == GOLDEN


def test_rows_do_not_depend_on_the_hash_seed_of_the_process() -> None:
    script = (
        "import hashlib; from engagehub_core.demo import generate; "
        f"print(hashlib.sha256(repr([tuple(row) for row in generate(**{SMALL!r})]).encode()).hexdigest())"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    here = hashlib.sha256(repr([tuple(row) for row in generate(**SMALL)]).encode()).hexdigest()
    assert printed == {here + "\n"}


def test_arithmetic_is_only_what_every_platform_rounds_alike() -> None:
    """Other functions of math, ** of floats and other methods of Random may differ in the last bit."""
    tree = ast.parse(Path(demo.__file__).read_text(encoding="utf-8"))
    of_math = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "math"
    }
    of_random = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Call)
        and isinstance(node.value.func, ast.Name)
        and node.value.func.id == "Random"
    }
    powers = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.BinOp)
        and isinstance(node.op, ast.Pow)
        and not all(isinstance(side, ast.Constant) and isinstance(side.value, int) for side in (node.left, node.right))
    ]
    assert of_math == {"sqrt"}
    assert of_random == {"random"}
    assert not powers


def test_seeds_give_different_communities() -> None:
    streams = {tuple(generate(**SMALL, seed=seed)) for seed in (*range(8), 2**64 - 1)}
    assert len(streams) == 9


def test_start_moves_the_stream_by_whole_weeks_without_another_change() -> None:
    week = 7 * DAY
    moved = generate(**SMALL, start=START + week)
    assert [row._replace(timestamp=row.timestamp - week) for row in moved] == list(generate(**SMALL))


def test_start_may_be_an_aware_datetime_and_is_rounded_up_to_a_minute() -> None:
    expected = list(generate(**SMALL, start=START + 60))
    assert list(generate(**SMALL, start=datetime(2026, 1, 5, 0, 1, tzinfo=UTC))) == expected
    assert list(generate(**SMALL, start=datetime(2026, 1, 5, 0, 0, 0, 1, tzinfo=UTC))) == expected
    assert list(generate(**SMALL, start=START + 1)) == expected


# Counts, order, bounds


@pytest.mark.parametrize(
    ("members", "events", "days"),
    [
        (1, 1, 1),
        (1, 1_000, 1),  # one member can only join, speak and leave
        (3, 5_000, 2),
        (50, 60_000, 1),  # everybody is inside most of the time
        (5_000, 10, 90),
        (200, 5_000, 120),
        (10, 0, 1),
    ],
)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_counts_and_bounds_hold_for_odd_sizes(members: int, events: int, days: int, seed: int) -> None:
    rows = list(generate(members=members, events=events, days=days, seed=seed))
    assert len(rows) == events
    assert all(a.timestamp <= b.timestamp for a, b in pairwise(rows))
    assert all(START <= row.timestamp < START + days * DAY for row in rows)
    assert {row.kind for row in rows} <= {"message", "action", "join", "leave", "rename"}
    assert {row.channel for row in rows} <= set(CHANNELS)
    assert {row.user_id for row in rows} <= {f"m{number:04d}" for number in range(1, members + 1)}


def test_default_stream_has_its_rows_and_nearly_all_its_members(stream: list[Row]) -> None:
    assert len(stream) == 100_000
    assert 1_980 <= len({row.user_id for row in stream}) <= 2_000
    assert {row.channel for row in stream} == set(CHANNELS)
    assert all(a.timestamp <= b.timestamp for a, b in pairwise(stream))
    assert all(type(row.timestamp) is int for row in stream)
    assert stream[0].timestamp < START + DAY
    assert stream[-1].timestamp >= START + 89 * DAY


def test_member_ids_sort_as_text_beyond_ten_thousand() -> None:
    ids = {row.user_id for row in generate(members=20_000, events=5_000, days=2)}
    assert {len(member) for member in ids} == {6}


def test_only_one_channel_is_stamped_to_the_second(stream: list[Row]) -> None:
    assert {row.channel for row in stream if row.timestamp % 60} == {"help"}


def test_memory_does_not_grow_with_the_length_of_the_stream() -> None:
    def peak(events: int) -> int:
        rows = generate(members=100, events=events, days=3)
        tracemalloc.start()
        for _ in rows:
            pass
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(10)  # what the first call alone allocates
    short, long = peak(1_500), peak(15_000)
    assert long < 2 * short + 200_000  # a list of the rows would take more than 2 MB
    assert long < 1_000_000


def test_generate_yields_as_it_goes() -> None:
    assert len(list(islice(generate(events=100_000_000, members=10, days=1), 5))) == 5


# The shape of the default stream


def test_few_speakers_speak_most(shape: dict[str, float]) -> None:
    assert 0.29 <= shape["top_1_percent"] <= 0.65
    assert 0.78 <= shape["top_10_percent"] <= 0.94
    assert shape["top_speaker"] <= 0.16
    assert 1.3 <= shape["zipf"] <= 2.0
    assert 0.25 <= shape["speakers"] <= 0.40


def test_kinds_have_their_shares(shape: dict[str, float]) -> None:
    assert shape["share_message"] == pytest.approx(0.475, abs=0.02)
    assert shape["share_action"] == pytest.approx(0.029, abs=0.006)
    assert shape["share_join"] == pytest.approx(0.24, abs=0.01)
    assert shape["share_leave"] == pytest.approx(0.24, abs=0.01)
    assert shape["share_rename"] == pytest.approx(0.0145, abs=0.003)


def test_channels_differ_in_popularity(shape: dict[str, float], stream: list[Row]) -> None:
    assert shape["top_channel"] == pytest.approx(0.56, abs=0.05)
    assert shape["second_channel"] == pytest.approx(0.165, abs=0.02)
    counts = Counter(row.channel for row in stream)
    assert [channel for channel, _ in counts.most_common(2)] == ["general", "help"]
    assert min(counts.values()) < 0.03 * len(stream)


def test_days_and_weeks_have_their_rhythm(shape: dict[str, float]) -> None:
    assert 1.5 <= shape["peak_hour"] <= 2.9
    assert shape["low_hour"] <= 0.4
    assert 0.25 <= shape["weekend"] <= 0.6


def test_talk_comes_in_conversations(shape: dict[str, float]) -> None:
    assert 50 <= shape["fano_hour"] <= 110
    assert shape["burstiness"] >= 0.5
    assert shape["gap_99"] > 60 * shape["gap_median"]
    assert shape["same_speaker"] == pytest.approx(0.40, abs=0.05)
    assert shape["ping_pong"] == pytest.approx(0.195, abs=0.03)


def test_rows_share_stamps_and_some_are_equal(shape: dict[str, float]) -> None:
    assert 0.40 <= shape["equal_stamp"] <= 0.60
    assert 0.12 <= shape["equal_row"] <= 1 / 6
    assert shape["largest_stamp"] >= 100


def test_sessions_lack_some_joins_and_leaves(shape: dict[str, float]) -> None:
    assert 0.03 <= shape["leave_without_join"] <= 0.07
    assert 0.02 <= shape["join_while_in"] <= 0.06
    assert 0.05 <= shape["spoken_without_join"] <= 0.15
    assert 100 <= shape["session_median"] <= 160
    assert 900 <= shape["session_90"] <= 1_500
    assert shape["session_silent"] == pytest.approx(0.905, abs=0.03)


def test_members_come_over_time_and_some_stay_away(shape: dict[str, float]) -> None:
    assert 0.2 <= shape["seen_by_tenth"] <= 0.3
    assert 0.5 <= shape["seen_by_half"] <= 0.7
    assert 0.25 <= shape["gone_by_half"] <= 0.4
    assert 0.4 <= shape["one_day"] <= 0.5


@pytest.mark.parametrize("seed", [2, 3])
def test_shape_is_that_of_the_generator_not_of_one_seed(seed: int) -> None:
    shape = stream_shape.measure(generate(events=50_000, members=1_000, days=45, seed=seed))
    assert 0.25 <= shape["top_1_percent"] <= 0.65
    assert 0.12 <= shape["equal_row"] <= 1 / 6
    assert 0.38 <= shape["equal_stamp"] <= 0.60
    assert shape["leave_without_join"] == pytest.approx(0.05, abs=0.02)
    assert 1.4 <= shape["peak_hour"] <= 2.9


# Beside the real streams

#: Figure -> how far the generated one may lie from the IRC stream's, as a factor. Those that depend on the length of a
#: stream (members over time, channels) or are spread by single conversations have no place here.
FACTORS = {
    "rows_per_day": 1.1,
    "share_message": 1.1,
    "share_action": 1.3,
    "share_join": 1.1,
    "share_leave": 1.1,
    "share_rename": 1.3,
    "top_1_percent": 1.8,
    "top_10_percent": 1.1,
    "top_speaker": 1.5,
    "speakers": 1.25,
    "zipf": 1.5,
    "top_channel": 1.2,
    "second_channel": 1.2,
    "whole_minute": 1.25,
    "equal_stamp": 1.35,
    "equal_row": 1.15,
    "gap_median": 1.5,
    "gap_90": 2.0,
    "gap_99": 2.0,
    "burstiness": 1.7,
    "fano_hour": 1.6,
    "same_speaker": 1.15,
    "ping_pong": 1.15,
    "leave_without_join": 1.3,
    "join_while_in": 1.8,
    "spoken_without_join": 1.6,
    "session_median": 1.2,
    "session_90": 1.2,
    "session_silent": 1.05,
    "one_day": 1.3,
}


@pytest.fixture(scope="module")
def irc(data_folder: Path) -> dict[str, float]:
    figures: dict[str, float] = stream_shape.measure(real_rows(data_folder, "irc-webstandards-2008-2010.csv.gz"))
    return figures


def real_rows(folder: Path, name: str) -> Iterator[tuple[int, str, str, str]]:
    path = folder / name
    if not path.is_file():
        pytest.skip(f"{path} doesn't exist")
    rows: Iterator[tuple[int, str, str, str]] = stream_shape.read(path)
    return rows


def test_shape_is_near_that_of_real_chat(shape: dict[str, float], irc: dict[str, float]) -> None:
    far = {
        name: (shape[name], irc[name])
        for name, factor in FACTORS.items()
        if not irc[name] / factor <= shape[name] <= irc[name] * factor
    }
    assert not far


def test_cycles_lie_between_those_of_two_real_streams(
    shape: dict[str, float], irc: dict[str, float], data_folder: Path
) -> None:
    college = stream_shape.measure(real_rows(data_folder, "collegemsg.csv.gz"))
    assert min(irc["weekend"], college["weekend"]) <= shape["weekend"] <= max(irc["weekend"], college["weekend"])
    assert shape["peak_hour"] <= max(irc["peak_hour"], college["peak_hour"])
    assert min(irc["low_hour"], college["low_hour"]) <= shape["low_hour"] <= 1.5 * irc["low_hour"]


def test_no_name_is_taken_from_the_real_streams(stream: list[Row], data_folder: Path) -> None:
    members = {row.user_id for row in stream}
    for name in ("irc-webstandards-2008-2010.csv.gz", "collegemsg.csv.gz"):
        for _, member, channel, _ in real_rows(data_folder, name):
            assert member not in members
            assert channel not in CHANNELS


# Files


def test_file_holds_the_rows_with_their_header(tmp_path: Path) -> None:
    path = tmp_path / "demo.csv"
    assert write_demo(str(path), **SMALL, seed=4) == path
    with path.open(encoding="ascii", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["timestamp", "user_id", "channel", "kind"]
    assert [(int(stamp), *rest) for stamp, *rest in rows] == [tuple(row) for row in generate(**SMALL, seed=4)]
    assert b"\r" not in path.read_bytes()


def test_gzip_bytes_are_equal_for_equal_seeds_whatever_the_name(tmp_path: Path) -> None:
    one = write_demo(tmp_path / "one.csv.gz", **SMALL)
    two = write_demo(tmp_path / "two.csv.gz", **SMALL)
    other = write_demo(tmp_path / "three.csv.gz", **SMALL, seed=2)
    assert one.read_bytes() == two.read_bytes() != other.read_bytes()
    assert one.read_bytes()[4:8] == bytes(4)  # the time in the header
    assert hashlib.sha256(gzip.decompress(one.read_bytes())).hexdigest() == GOLDEN


def test_file_that_exists_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "demo.csv"
    path.write_text("x" * 10_000_000)
    write_demo(path, **SMALL)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == GOLDEN


def test_bad_arguments_leave_the_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "demo.csv"
    path.write_text("precious")
    with pytest.raises(InvalidArgument, match=r"^events must be between 0 and 10000000000, got -1$"):
        write_demo(path, events=-1)
    assert path.read_text() == "precious"


def test_folder_that_does_not_exist_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_demo(tmp_path / "none" / "demo.csv", **SMALL)


def test_examples_of_the_docstrings_run() -> None:
    failed, tried = doctest.testmod(demo)
    assert (failed, tried > 4) == (0, True)


# Bad arguments


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("members", 0),
        ("members", 10_000_001),
        ("events", -1),
        ("events", 10_000_000_001),
        ("seed", -1),
        ("seed", 2**64),
        ("days", 0),
        ("days", 36_526),
        ("start", -1),
        ("start", 253_402_300_800),
        ("start", datetime(1969, 12, 31, tzinfo=UTC)),
        ("start", datetime(2026, 1, 5)),
    ],
)
def test_argument_out_of_range_is_refused_at_the_call(argument: str, value: object) -> None:
    call: Callable[..., object] = generate
    with pytest.raises(InvalidArgument, match=f"^{argument} must be "):
        call(**{argument: value})


@pytest.mark.parametrize("argument", ["members", "events", "seed", "days", "start"])
@pytest.mark.parametrize("value", [1.0, "1", True, None, math.nan, timedelta(1)])
def test_argument_of_another_type_is_refused_at_the_call(argument: str, value: object) -> None:
    call: Callable[..., object] = generate
    with pytest.raises(InvalidType, match=f"^{argument} must be an int.*, got {type(value).__name__}$"):
        call(**{argument: value})


# The measure itself


def test_stream_shape_measures_what_a_hand_counts() -> None:
    rows = [
        (0, "a", "x", "join"),
        (0, "b", "x", "join"),
        (60, "a", "x", "message"),
        (60, "a", "x", "message"),
        (61, "b", "x", "action"),
        (3_600, "a", "x", "message"),
        (3_660, "a", "x", "leave"),
        (3_660, "c", "y", "leave"),
        (7_200, "b", "x", "join"),
        (7_200, "d", "y", "message"),
    ]
    shape = stream_shape.measure(rows)
    assert (shape["rows"], shape["members"], shape["channels"]) == (10, 4, 2)
    assert shape["share_message"] == pytest.approx(4 / 10)
    assert shape["share_leave"] == pytest.approx(2 / 10)
    assert shape["top_1_percent"] == pytest.approx(3 / 5)
    assert shape["speakers"] == pytest.approx(3 / 4)
    assert shape["top_channel"] == pytest.approx(8 / 10)
    assert shape["whole_minute"] == pytest.approx(9 / 10)
    assert shape["equal_stamp"] == pytest.approx(4 / 10)
    assert shape["largest_stamp"] == 2
    assert shape["equal_row"] == pytest.approx(1 / 10)
    assert shape["same_speaker"] == pytest.approx(1 / 5)
    assert shape["ping_pong"] == pytest.approx(1 / 5)
    assert shape["leave_without_join"] == pytest.approx(1 / 2)
    assert shape["join_while_in"] == pytest.approx(1 / 3)
    assert shape["spoken_without_join"] == pytest.approx(1 / 5)
    assert shape["session_median"] == pytest.approx(61)
    assert shape["session_silent"] == pytest.approx(0)
    assert shape["peak_hour"] == pytest.approx(3 * 24 / 5)
    assert math.isnan(shape["weekend"])  # 1 January 1970 was a Thursday


def test_stream_shape_refuses_time_that_runs_backwards() -> None:
    with pytest.raises(ValueError, match="row 2: timestamps must not decrease, got 9 after 10"):
        stream_shape.measure([(10, "a", "x", "join"), (9, "a", "x", "leave")])


def test_stream_shape_prints_a_column_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = write_demo(tmp_path / "one.csv", **SMALL)
    two = write_demo(tmp_path / "two.csv.gz", **SMALL, seed=2)
    assert stream_shape.main([str(one), str(two)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [cell.strip() for cell in lines[0].split("|")[1:-1]] == ["figure", "one.csv", "two.csv.gz"]
    assert [cell.strip() for cell in lines[2].split("|")[1:-1]] == ["rows", "2,000", "2,000"]
    assert len(lines) == 2 + len(stream_shape.FIGURES)
    assert len({len(line) for line in lines}) == 1


@pytest.mark.parametrize("text", ["", "a,b\n", "timestamp,user_id,channel,kind\nsoon,m,c,join\n"])
def test_stream_shape_says_what_is_wrong_with_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(text)
    assert stream_shape.main([str(path)]) == 1
    assert capsys.readouterr().err.startswith("stream_shape: ")

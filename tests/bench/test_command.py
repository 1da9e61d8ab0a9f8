"""The command from outside: a tiny run, refusals, wrong contenders."""

from __future__ import annotations

import json
import sys

import pytest
from click.testing import CliRunner, Result

from engagehub_bench import environment, peers, record, suites
from engagehub_bench.boards import OurBoard
from engagehub_bench.peers import redis_server, yardsticks
from engagehub_bench.peers.plain_dict import DictScores
from engagehub_bench.rows import Case, Planned, Row
from engagehub_bench.suites.leaderboard import single_calls
from engagehub_core.cli.root import engagehub

TINY = ("--quick", "--sizes", "200", "--repeats", "2")


def bench(*arguments: str) -> Result:
    result = CliRunner().invoke(engagehub, ["bench", *arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture(autouse=True)
def short_loops(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("engagehub_bench.plan.Plan.operations", 200)
    monkeypatch.setattr("engagehub_bench.plan.Plan.long_batch", 2_000)
    monkeypatch.setattr("engagehub_bench.peers.redis_server._urls", [])
    monkeypatch.setattr("engagehub_bench.suites.leaderboard.threads._MOST_THREADS", 2)


@pytest.fixture
def calls_only(monkeypatch: pytest.MonkeyPatch):
    """Leave the suite the one part whose contenders a test alters."""
    monkeypatch.setattr(
        "engagehub_bench.suites.leaderboard.planned",
        lambda plan: [Planned("calls", lambda: single_calls.cases(plan, "int", 200))],
    )


def test_list_names_suites_and_peers():
    result = bench("--list")
    assert result.exit_code == 0
    for name in (*suites.NAMES, *peers.NAMES):
        assert name in result.output
    assert "not here: no --redis-url was given" in result.output


@pytest.mark.parametrize(("arguments", "what"), [((), "engagehub bench needs numpy"), (("--list",), "numpy")])
def test_extra_is_named_where_it_is_missing(arguments: tuple[str, ...], what: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("engagehub_bench.command.find_spec", lambda name: None)
    result = bench(*arguments)
    assert result.exit_code == 2
    assert what in result.output
    assert 'pip install "engagehub-core[bench]"' in result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("leaderbord",),
            "there is no suite 'leaderbord'; there are: accuracy, calibration, leaderboard, processor, queue, sketches",
        ),
        (
            ("--peers", "dict,btree"),
            f"there is no peer 'btree'; there are: {', '.join(peers.NAMES)}",
        ),
        (("--streams", "0"), "0 is not in the range 1<=x<=100000"),
        (("--sizes", "many"), "sizes must be whole numbers with commas between them, got 'many'"),
        (("--sizes", "100,1"), "a size must be from 20 to 100,000,000, got 1"),
        (("--sizes", "100,99999999999999999999"), "a size must be from 20 to 100,000,000, got 99999999999999999999"),
        (("--repeats", "0"), "0 is not in the range x>=1"),
        (("--json", "nowhere/run.json"), "nowhere isn't a folder"),
    ],
)
def test_what_is_not_there_is_refused(arguments: tuple[str, ...], message: str):
    result = bench(*arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())


def test_tiny_run_ends_well_and_writes_everything(tmp_path):
    path = tmp_path / "run.json"
    result = bench("leaderboard", *TINY, "--peers", "none", "--json", str(path))
    assert result.exit_code == 0, result.output
    run = record.read(path)
    names = {case.name for case in run.cases}
    assert {
        "leaderboard/add/int",
        "leaderboard/add/str",
        "leaderboard/add, call by call/int",
        "leaderboard/rank/int",
        "leaderboard/top(10)/int",
        "leaderboard/page of ten in the middle/str",
        "leaderboard/around(member, 5)/int",
        "leaderboard/top(10), flat",
        "leaderboard/threads, batches into one board",
    } <= names
    assert run.wrong == []
    assert run.options["sizes"] == [200]
    assert {"commit", "processor", "load_average", "native_module"} <= run.environment.keys()
    assert all(len(row.samples) == 2 for case in run.cases for row in case.rows if case.name.endswith("add/int"))
    assert json.loads(path.read_text())["noise"]["rows"] > 0
    assert "engagehub-core" in result.output


@pytest.mark.usefixtures("calls_only")
def test_dictionary_and_sorted_list_stand_beside_the_board(tmp_path):
    path = tmp_path / "run.json"
    bench("leaderboard", *TINY, "--peers", "dict,sorted_list", "--json", str(path))
    run = record.read(path)
    assert run.wrong == []
    (adds,) = (case for case in run.cases if case.name == "leaderboard/add/int")
    assert [row.name for row in adds.rows][2:] == ["dict", "dict + SortedList"]
    assert [claim.text for claim in adds.rows[0].claims] == ["at most 3 × dict", "10 × faster than SortedList"]
    assert all(claim.low <= claim.value <= claim.high for claim in adds.rows[0].claims)


@pytest.mark.usefixtures("calls_only")
@pytest.mark.parametrize("asked", ["none", "dict"])
def test_wrong_contender_fails_its_row_and_the_run(asked: str, monkeypatch: pytest.MonkeyPatch, tmp_path):
    contender = OurBoard if asked == "none" else DictScores
    right = contender.scores

    def wrong(self, members, at):
        first, *others = right(self, members, at)
        return [first + 1, *others]

    monkeypatch.setattr(contender, "scores", wrong)
    path = tmp_path / "run.json"
    result = bench("leaderboard", *TINY, "--peers", asked, "--json", str(path))
    assert result.exit_code == 1
    name = "Leaderboard" if asked == "none" else "dict"
    assert f"WRONG ANSWERS: leaderboard/add/int at 200: {name}" in result.output
    run = record.read(path)
    (adds,) = (case for case in run.cases if case.name == "leaderboard/add/int")
    assert {row.name: row.correct for row in adds.rows}[name] is False
    assert all(claim.reached is None for row in adds.rows for claim in row.claims if row.name == name)


@pytest.mark.usefixtures("calls_only")
def test_lost_change_is_noticed(monkeypatch: pytest.MonkeyPatch):
    add_each = OurBoard.add_each

    def forgetful(self, changes):
        for column in (changes.members, changes.points, changes.instants):
            del column[-1]
        add_each(self, changes)

    monkeypatch.setattr(OurBoard, "add_each", forgetful)
    result = bench("leaderboard", *TINY, "--peers", "none")
    assert result.exit_code == 1
    assert "WRONG ANSWERS: leaderboard/add/int at 200: Leaderboard" in result.output


@pytest.mark.usefixtures("calls_only")
def test_redis_stands_beside_the_board(redis_url: str, tmp_path):
    path = tmp_path / "run.json"
    result = bench("leaderboard", *TINY, "--peers", "redis", "--redis-url", redis_url, "--json", str(path))
    assert result.exit_code == 0, result.output
    run = record.read(path)
    assert run.peers["redis"].startswith("redis-server ")
    (ranks,) = (case for case in run.cases if case.name == "leaderboard/rank/int")
    assert {row.name: row.correct for row in ranks.rows}["Redis"] is True


@pytest.mark.usefixtures("calls_only")
def test_server_that_is_not_there_is_absent(tmp_path):
    path = tmp_path / "run.json"
    result = bench(
        "leaderboard", *TINY, "--peers", "redis", "--redis-url", "redis://127.0.0.1:1/0", "--json", str(path)
    )
    assert result.exit_code == 0, result.output
    assert record.read(path).absent["redis"].startswith("the server doesn't answer")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("nonsense", "Redis URL must specify one of the following schemes"),
        ("redis://127.0.0.1:port", "Port could not be cast to integer"),
        ("redis://127.0.0.1?db=x", "Invalid value for 'db'"),
        ("redis://127.0.0.1?colour=red", "unexpected keyword argument 'colour'"),
    ],
)
def test_what_is_no_url_of_a_server_is_refused(url: str, reason: str):
    pytest.importorskip("redis", reason="redis-py isn't installed: it is of the extra bench")
    result = bench("--list", "--redis-url", url)
    assert result.exit_code == 2
    output = " ".join(result.output.split())
    assert "Invalid value for '--redis-url': not the URL of a Redis server: " in output
    assert reason in output


def test_url_without_a_client_is_left_to_the_peer(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "redis", None)
    assert redis_server.malformed("nonsense") is None


def test_driver_is_compiled_once_and_right():
    if (reason := yardsticks.missing()) is not None:
        pytest.skip(reason)
    driver = yardsticks.compiled()
    stamp = driver.stat().st_mtime_ns
    measured = yardsticks.measured(300, 2, 500, 1)
    assert yardsticks.compiled() == driver
    assert driver.stat().st_mtime_ns == stamp
    nothing, *contenders = measured
    assert nothing.name == "empty loop"
    assert {"counted blocks", "classic skip list"} <= {each.name for each in contenders}
    assert all(each.correct for each in contenders)
    assert all(len(each.update) == len(each.hash_loop) == 2 for each in contenders)


def test_driver_that_does_not_compile_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path):
    for folder in ("benchmarks/native", "benchmarks/yardsticks", "cpp/include"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "benchmarks/native/driver.cpp").write_text("int main() { return nonsense; }\n")
    monkeypatch.setattr(yardsticks, "checkout", lambda: tmp_path)
    with pytest.raises(RuntimeError, match="nonsense"):
        yardsticks.compiled()
    assert list((tmp_path / "build/bench").iterdir()) == []


def test_checkout_is_found_around_the_working_folder(monkeypatch: pytest.MonkeyPatch, tmp_path):
    monkeypatch.setattr(environment, "__file__", str(tmp_path / "a/b/c/environment.py"))
    monkeypatch.chdir(tmp_path)
    assert environment.checkout() is None
    (tmp_path / "benchmarks/native").mkdir(parents=True)
    (tmp_path / "cpp/include").mkdir(parents=True)
    (tmp_path / "benchmarks/native/driver.cpp").touch()
    assert environment.checkout() == tmp_path


def test_plots_are_drawn_for_what_has_two_sizes(tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib isn't installed: it is of the extra bench")
    from engagehub_bench.plots import plot

    cases = [Case("leaderboard/add/int", size, "ns", [Row("Leaderboard", [1.0 * size])]) for size in (100, 1_000)]
    written = plot([*cases, Case("leaderboard/top(10), flat", None, "ns"), cases[0]], tmp_path / "plots")
    assert {path.name for path in written} == {"leaderboard-add-int.svg", "leaderboard-add-int.png"}
    assert all(path.stat().st_size > 1_000 for path in written)


def test_plots_of_errors_are_small_and_the_same_again(tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib isn't installed: it is of the extra bench")
    from engagehub_bench.plots import plot

    cases = [
        Case("accuracy/bias", 10 + size, "%", [Row("HyperLogLog", [error]), Row("theory, flat", [0.0]), Row("absent")])
        for size, error in enumerate([-0.5, 0.0, 0.5] * 40)
    ]
    first, second = (plot(cases, tmp_path / name) for name in ("first", "second"))
    assert [path.name for path in first] == ["accuracy-bias.svg", "accuracy-bias.png"]
    assert first[0].read_bytes() == second[0].read_bytes()
    assert first[0].stat().st_size < 150_000

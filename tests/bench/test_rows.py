"""What a claim decides, and that a run survives its file."""

from __future__ import annotations

import json

import pytest

from engagehub_bench import record
from engagehub_bench.noise import judged
from engagehub_bench.peers.yardsticks import Measured
from engagehub_bench.rows import Case, Row, absolute, against
from engagehub_bench.suites.leaderboard import native
from engagehub_bench.summary import Latency

OURS = Row("ours", [20.0, 22.0, 24.0], correct=True)
PEER = Row("peer", [10.0, 11.0, 12.0], correct=True)


def test_claim_compares_medians():
    assert against("at most 2 × peer", OURS, PEER, at_most=2).reached is True
    assert against("at most 1.9 × peer", OURS, PEER, at_most=1.9).reached is False


@pytest.mark.parametrize(
    "peer",
    [
        Row("peer", PEER.samples, correct=False),
        Row("peer", PEER.samples, correct=True, valid=False),
        Row("peer"),
        Row("peer", [0.0, 0.0, 1.0]),
    ],
    ids=["wrong", "invalid", "not measured", "no dearer than its loop"],
)
def test_claim_on_a_row_that_does_not_count_is_undecided(peer: Row):
    assert against("at most 2 × peer", OURS, peer, at_most=2).reached is None


def test_wrong_answers_of_ours_reach_nothing():
    wrong = Row("ours", [1.0, 1.0, 1.0], correct=False)
    assert against("at most 2 × peer", wrong, PEER, at_most=2).reached is None
    assert absolute("at most 5", wrong, wrong.samples, 5).reached is None


def test_repeats_that_cost_nothing_reach_nothing():
    assert against("at most 2 × peer", Row("ours", [1.0, 0.0, 1.0]), PEER, at_most=2).reached is None


def test_absolute_claims_have_a_direction():
    row = Row("ours", [4.0, 5.0, 6.0])
    assert absolute("at most 5", row, row.samples, 5).reached is True
    assert absolute("at least 6", row, row.samples, 6, at_least=True).reached is False


def contender(name: str, cost: float, *, hash_loop: float = 3.2, correct: bool = True) -> Measured:
    return Measured(name, [cost + 2] * 3, [cost + 2] * 3, [hash_loop] * 3, correct)


def rows(*contenders: Measured, size: int = 100_000) -> dict[str, Row]:
    nothing = Measured("empty loop", [2.0] * 3, [2.0] * 3, [3.2] * 3, correct=True)
    return {row.name: row for row in native.judged("update", size, [nothing, *contenders]).rows}


@pytest.mark.parametrize(("cost", "valid"), [(300, True), (375, True), (376, False)])
def test_yardstick_must_reach_its_published_figure(cost: float, valid: bool):
    row = rows(contender(native.COUNTED, cost))[native.COUNTED]
    assert row.samples == [cost] * 3
    assert row.valid is valid
    assert row.note.startswith("yardstick invalid") is not valid


@pytest.mark.parametrize(("hash_loop", "valid"), [(1.6, False), (3.2, True), (6.4, True)])
def test_yardstick_is_scaled_by_the_hash_loop(hash_loop: float, valid: bool):
    row = rows(contender(native.COUNTED, 300, hash_loop=hash_loop))[native.COUNTED]
    assert row.valid is valid


def test_yardstick_of_others_is_never_invalid():
    assert rows(contender(native.BTREE, 10_000))[native.BTREE].valid


def test_ours_is_held_against_every_yardstick():
    found = rows(
        contender(native.OURS, 1_000),
        contender(native.BOARDS[0], 1_800),
        contender(native.COUNTED, 896),
        contender(native.CLASSIC, 6_888),
        contender(native.BTREE, 900),
        size=1_000_000,
    )
    assert [claim.reached for claim in found[native.OURS].claims] == [True, True, False]
    assert [claim.reached for claim in found[native.BOARDS[0]].claims] == [False]


def test_invalid_yardstick_decides_nothing():
    found = rows(contender(native.OURS, 10), contender(native.COUNTED, 5_000), contender(native.CLASSIC, 300))
    assert [claim.reached for claim in found[native.OURS].claims] == [None, None]


def test_demand_whose_peer_cannot_be_compiled_stays_undecided():
    found = rows(contender(native.OURS, 10), contender(native.COUNTED, 300), contender(native.CLASSIC, 300))
    verdicts = {claim.text: claim.reached for claim in found[native.OURS].claims}
    assert verdicts == {"at most 1.3 × counted blocks": True, "no slower than absl::btree_set": None}


def test_run_survives_its_file(tmp_path):
    row = Row("ours", [1.5, 2.5], [0.5, 0.5], [70.0, 71.0], correct=True, latency=Latency(1, 2, 3, 4), note="µs «1»")
    row.claims.append(against("at most 2 × peer", row, Row("peer", [1.0, 2.0]), at_most=2))
    cases = [
        Case("leaderboard/add/int", 100, "ns", [row, Row("absent")]),
        Case("accuracy/bias", 10, "%", counted="items", printed=False),
        Case("calibration", None, "ns"),
    ]
    run = record.Record({"cores": 2}, {"quick": True}, {"dict": "dict"}, {"redis": "no"}, judged(cases), 1.25, cases)
    path = tmp_path / "run.json"
    record.write(run, path)
    assert record.read(path) == run
    assert json.loads(path.read_text())["format"] == record.FORMAT


def test_file_of_another_format_is_refused(tmp_path):
    path = tmp_path / "run.json"
    path.write_text('{"format": 0}')
    with pytest.raises(ValueError, match="isn't a run of engagehub bench in format 2"):
        record.read(path)

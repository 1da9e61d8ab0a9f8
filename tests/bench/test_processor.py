"""The suite of the event processor: every row on tiny workloads, and the yardstick of its sink."""

from __future__ import annotations

from contextlib import closing

from engagehub_bench.peers.bare_sqlite import BareSqlite


def test_bare_database_holds_its_rows_once(tmp_path):
    rows = [(number, "message", 7, 8, 9_000_000 + number, 1.0, None) for number in range(5)]
    with closing(BareSqlite(tmp_path / "bare.db")) as bare:
        bare.store([rows[:3], rows[1:]])
        assert bare.rows() == rows

"""Follow an invented community with the library's structures: who leads, what trends, how many were there.

Run it with ``python examples/library.py``; it needs engagehub-core and nothing else. Another seed is another community.
"""

from __future__ import annotations

import argparse

from engagehub_core import CountMinSketch, DistinctWindow, HyperLogLog, Leaderboard, TopK
from engagehub_core.demo import generate

#: What earns points, as in ``engagehub replay``.
POINTS = {"message": 1, "action": 1}


def main() -> None:
    """Read the stream once, then print the answers as of its last row, each estimate with its bounds."""
    parser = argparse.ArgumentParser(description="Follow an invented community with the library's structures.")
    parser.add_argument("--seed", type=int, default=1)
    seed: int = parser.parse_args().seed

    board = Leaderboard(half_life="7d")
    trends = TopK(5, half_life="1d")
    everybody = HyperLogLog(p=14)
    lately = DistinctWindow("30d", resolution="1h")
    rows_of = CountMinSketch.from_error(0.001, confidence=0.99)

    # Exact answers to compare with: what the structures save you from keeping.
    exact_members: set[str] = set()
    exact_rows: dict[str, int] = {}
    now = 0
    for now, member, channel, kind in generate(members=1_000, events=50_000, days=45, seed=seed):
        everybody.add(member)
        lately.add(member, at=now)
        rows_of.add(member)
        exact_members.add(member)
        exact_rows[member] = exact_rows.get(member, 0) + 1
        if kind in POINTS:
            board.add(member, POINTS[kind], at=now)
            trends.add(channel, at=now)

    print("Leaders (points fade by half in 7 days)")
    for entry in board.top(5, at=now):
        least, most = rows_of.bounds(entry.member)
        exact = exact_rows[str(entry.member)]
        print(f"  {entry.rank}. {entry.member}  {entry.score:7.1f} points   {least} to {most} rows (exactly {exact})")
    fifth = board.top(5, at=now)[-1].member
    print(f"Around {fifth}:", ", ".join(f"{entry.rank}. {entry.member}" for entry in board.around(fifth, 2, at=now)))

    print("Trending channels (weight fades by half in a day)")
    for row in trends.top(5, at=now):
        print(f"  {row.item!s:<10} {row.estimate:7.1f}   from {row.low:.1f} to {row.high:.1f}")

    print("Distinct members")
    for window in ("1h", "1d", "30d"):
        estimate, low, high = lately.answer(window, at=now)
        print(f"  last {window:<5} {estimate:7.1f}   from {low:.1f} to {high:.1f}")
    low, high = everybody.bounds(sigma=2)
    print(f"  in all     {everybody.estimate():7.1f}   from {low:.1f} to {high:.1f} (exactly {len(exact_members)})")


if __name__ == "__main__":
    main()

"""Kill a replay again and again, let it end, and compare with a replay that nobody disturbed.

The replay of a file is killed with SIGKILL at seeded random moments, each run on the database that the one before left
behind. A last run may end. Then every row, in order, and every printed answer must equal those of a replay that ran
through, and the last run must say how much it found done.

Usage: python scripts/kill_replay.py FILE [--kills 10] [--seed 1]
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROWS = """
    SELECT communities.name, events.id, kind, member, channel, at, value, data
    FROM events JOIN communities ON communities.id = events.community ORDER BY seq
"""


def command(engagehub: str, file: Path, database: Path) -> list[str]:
    """Return the command line of one replay."""
    return [engagehub, "replay", str(file), "--db", str(database), "--format", "json"]


def run_through(line: list[str]) -> tuple[dict[str, Any], float]:
    """Run a replay to its end; return what it printed and the seconds that it took."""
    started = time.perf_counter()
    done = subprocess.run(line, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout), time.perf_counter() - started


def run_and_kill(line: list[str], after: float) -> bool:
    """Run a replay and kill it after some seconds; return whether it was still at work then."""
    with subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            process.wait(timeout=after)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return True
        if process.returncode != 0:
            message = f"the replay ended by itself with {process.returncode}"
            raise SystemExit(message)
        return False


def rows_in(database: Path) -> int:
    """Return how many events are stored; 0 where the database isn't there yet."""
    try:
        with sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True) as connection:
            return int(connection.execute("SELECT count(*) FROM events").fetchone()[0])
    except sqlite3.OperationalError:
        return 0


def first_difference(one: Path, other: Path) -> str | None:
    """Compare the rows of two databases in their order; return the first pair that differs."""
    with sqlite3.connect(one) as left, sqlite3.connect(other) as right:
        pairs = itertools.zip_longest(left.execute(ROWS), right.execute(ROWS))
        for number, (a, b) in enumerate(pairs, 1):
            if a != b:
                return f"row {number}: {a!r} and {b!r}"
    return None


def answers_of(printed: dict[str, Any]) -> dict[str, Any]:
    """Return what must not depend on how the replay went."""
    return {key: value for key, value in printed.items() if key not in {"account", "events_per_second"}}


def main() -> int:
    """Kill, finish, compare; return 0 if nothing differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    engagehub = shutil.which("engagehub", path=str(Path(sys.executable).parent)) or shutil.which("engagehub")
    if engagehub is None:
        parser.error("the command engagehub isn't installed")
    draw = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory(prefix="kill-replay-") as folder:
        undisturbed, disturbed = Path(folder, "undisturbed.db"), Path(folder, "disturbed.db")
        wanted, seconds = run_through(command(engagehub, arguments.file, undisturbed))
        print(f"undisturbed: {json.dumps(wanted['account'])} in {seconds:.1f} s")
        line = command(engagehub, arguments.file, disturbed)
        killed = 0
        while killed < arguments.kills:
            # Later runs find rows stored and are shorter: most moments must still fall inside them.
            after = draw.uniform(0.02, 0.6) * seconds
            if run_and_kill(line, after):
                killed += 1
                print(f"kill {killed} after {after:.2f} s: {rows_in(disturbed)} rows stored")
            else:
                seconds = after
                print(f"a run ended within {after:.2f} s and was not killed")
        found = rows_in(disturbed)
        printed, _ = run_through(line)
        account = printed["account"]
        print(f"last run: {json.dumps(account)}")
        faults = []
        difference = first_difference(undisturbed, disturbed)
        if difference is not None:
            faults.append(f"rows differ: {difference}")
        if answers_of(printed) != answers_of(wanted):
            faults.append("the printed answers differ")
        if account["read"] != account["written"] + account["duplicate"] + account["rejected"]:
            faults.append("the account doesn't add up")
        if account["duplicate"] != found + wanted["account"]["duplicate"]:
            faults.append(f"{found} rows were stored before the last run, and it says {account['duplicate']}")
    for fault in faults:
        print(f"FAULT: {fault}")
    if not faults:
        print(f"{killed} kills: every row once, every answer as undisturbed; {found} rows were found done")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())

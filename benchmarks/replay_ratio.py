"""How long a replay takes beside thirty lines of plain Python that store the same rows, and how much memory.

Usage: python benchmarks/replay_ratio.py EVENTS.csv.gz [ROUNDS]

The yardstick gets a copy of the file with the unique key of each row in a column, made beforehand and not timed; the
replay reads the file as it is and makes the keys. Both write a database in the same fresh folder, one after the other,
ROUNDS times (3). Times are wall clock of the whole process; the ratio is that of the medians.
"""

from __future__ import annotations

import csv
import gzip
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from engagehub_core.replay.columns import ColumnNames
from engagehub_core.replay.identity import Identities
from engagehub_core.replay.lines import Input, Malformed, numbered_lines
from engagehub_core.replay.rows import rows

YARDSTICK = Path(__file__).parent / "yardsticks" / "replay_sqlite.py"


def write_keyed(source: str, target: Path) -> int:
    """Write the stream with a column of keys; return how many rows it has."""
    identities = Identities()
    count = 0
    with Input(source) as stream, gzip.open(target, "wt", encoding="utf-8", newline="", compresslevel=6) as out:
        writer = csv.writer(out)
        writer.writerow(["timestamp", "user_id", "channel_or_target", "kind", "id"])
        for row in rows(numbered_lines(stream.chunks()), ColumnNames())[1]:
            if isinstance(row, Malformed):
                sys.exit(f"{source}, line {row.line}: {row.reason}")
            stamp, member, kind, channel = row[1][:4]
            key = identities((stream.community, kind, member, channel, int(stamp) * 1_000_000, 1.0, None))
            writer.writerow([stamp, member, channel, kind, key])
            count += 1
    identities.close()
    return count


def timed(command: list[str]) -> tuple[float, float]:
    """Run a command to its end and return its seconds and the most memory it held, in MB."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        message = f"{command} left with {process.returncode}"
        raise RuntimeError(message)
    return seconds, usage.ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2)


def main() -> None:
    """Measure, and print every round."""
    source = sys.argv[1]
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    seconds: dict[str, list[float]] = {"yardstick": [], "replay": []}
    memory: dict[str, float] = {"yardstick": 0.0, "replay": 0.0}
    with tempfile.TemporaryDirectory(prefix="engagehub-ratio-") as folder:
        keyed = Path(folder) / "keyed.csv.gz"
        count = write_keyed(source, keyed)
        for number in range(rounds):
            for name, times in seconds.items():
                database = f"{folder}/{name}-{number}.db"
                if name == "yardstick":
                    command = [sys.executable, str(YARDSTICK), str(keyed), database]
                else:
                    command = [sys.executable, "-m", "engagehub_core.cli", "replay", source, "--db", database]
                took, held = timed(command)
                times.append(took)
                memory[name] = max(memory[name], held)
                print(f"round {number + 1}: {name:<9} {took:7.2f} s {held:7.1f} MB")
                for leftover in Path(folder).glob(f"{name}-{number}.db*"):
                    leftover.unlink()
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    for name, median in medians.items():
        print(
            f"{name:<9} median {median:.2f} s, {count / median:,.0f} rows a second, {memory[name]:.1f} MB at the most"
        )
    print(f"ratio {medians['replay'] / medians['yardstick']:.2f}")


if __name__ == "__main__":
    main()

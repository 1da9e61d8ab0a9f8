"""Print what ``import engagehub_core`` costs over a bare interpreter, and fail above a limit.

Pairs of processes, one bare and one that imports, are started in turn, so that a busy machine slows both; the medians
are compared. Usage: python scripts/import_cost.py [--pairs 40] [--most 15]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time


def seconds_of(statement: str) -> float:
    """Return the wall time of an isolated interpreter that runs one statement."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-I", "-c", statement], check=True)
    return time.perf_counter() - started


def main() -> int:
    """Measure, print, and return 1 where the limit is exceeded."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=40, help="how many pairs of processes")
    parser.add_argument("--most", type=float, default=15.0, help="milliseconds allowed")
    arguments = parser.parse_args()
    seconds_of("import engagehub_core")  # byte-code and file caches are warm from here on
    bare, imported = [], []
    for _ in range(arguments.pairs):
        bare.append(seconds_of("pass"))
        imported.append(seconds_of("import engagehub_core"))
    cost = (statistics.median(imported) - statistics.median(bare)) * 1000
    print(
        f"import engagehub_core: {cost:.1f} ms over a bare interpreter of {statistics.median(bare) * 1000:.1f} ms"
        f" (medians of {arguments.pairs} interleaved runs; at most {arguments.most:g} ms)"
    )
    return 0 if cost <= arguments.most else 1


if __name__ == "__main__":
    sys.exit(main())

"""Add up the pytest runs of .ci/run from their JUnit files, and refuse what nobody allowed.

Usage: python .ci/account.py FOLDER [ABSENT...]. Every report of EXPECTED must be there, unless it is named as absent,
and hold its minimum of passed tests. A report named required-* may hold no skip at all, the others only for the reasons
below.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

#: Report -> tests that must have passed; a little below what there are, so that a suite can't vanish unnoticed.
EXPECTED = {
    "readme": 2_400,
    "required-redis": 55,
    "required-postgres": 220,
    "required-data": 6,
    "required-unprivileged": 1,
    "required-peers": 35,
    "py3.12": 880,
    "py3.13": 880,
    "free-threaded": 880,
    "parallel-gil": 400,
    "parallel-free-threaded": 400,
}
ALLOWED = (
    r"ENGAGEHUB_(DATA|TEST_REDIS_URL|TEST_POSTGRES_URL) isn't set",  # the run with servers and data has these
    r"this user may write everywhere",  # the run without root's rights has these
    r"needs Python 3\.\d+",
    r"needs a free-threaded Python",
    r"this interpreter comes without test\.test_queue",  # distributions put it into a package of its own
    r"\b(HLL|bounter|datasketches|rhll) isn't installed",  # the run with the peers has these
    r"matplotlib isn't installed: it is of the extra bench",  # the slice of the benchmarks draws
)


def main() -> int:
    """Print the sums as pytest would; return 1 for a failure, a skip that isn't allowed, or tests that didn't run."""
    folder, absent = Path(sys.argv[1]), set(sys.argv[2:])
    sums = {"passed": 0, "failed": 0, "skipped": 0}
    faults = [f"{name} is no report" for name in sorted(absent - EXPECTED.keys())]
    faults += [f"{file.name} isn't expected" for file in sorted(folder.glob("*.xml")) if file.stem not in EXPECTED]
    for name, minimum in EXPECTED.items():
        file = folder / f"{name}.xml"
        if name in absent:
            if file.exists():
                faults.append(f"{name} is there and was named as absent")
            continue
        if not file.exists():
            faults.append(f"{name} is missing")
            continue
        counts = dict.fromkeys(sums, 0)
        for case in ET.parse(file).getroot().iter("testcase"):
            skip = case.find("skipped")
            if case.find("failure") is not None or case.find("error") is not None:
                counts["failed"] += 1
            elif skip is None:
                counts["passed"] += 1
            else:
                counts["skipped"] += 1
                reason = " ".join(filter(None, (skip.get("message"), skip.text)))
                known = any(re.search(pattern, reason) for pattern in ALLOWED)
                if name.startswith("required-") or not known:
                    faults.append(
                        f"{name}: nobody allowed the skip of {case.get('classname')}.{case.get('name')}: {reason}"
                    )
        if counts["passed"] < minimum:
            faults.append(f"{name}: {counts['passed']} tests passed, at least {minimum} must")
        print(f"{name}: {', '.join(f'{count} {what}' for what, count in counts.items())}")
        for what, count in counts.items():
            sums[what] += count
    for fault in faults:
        print(f"FAULT {fault}")
    print(", ".join(f"{count} {what}" for what, count in sums.items()))
    return 1 if sums["failed"] or faults else 0


if __name__ == "__main__":
    sys.exit(main())

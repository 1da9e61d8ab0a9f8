"""Add up the pytest runs of .ci/run from their JUnit files, and refuse skips that nobody allowed.

Usage: python .ci/account.py FOLDER. A file named required*.xml may hold no skip at all, the others only for the reasons
below.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

ALLOWED = (
    r"ENGAGEHUB_(DATA|TEST_REDIS_URL|TEST_POSTGRES_URL) isn't set",  # the run with servers and data has these
    r"needs Python 3\.\d+",
    r"could not import 'redis'",
)


def main() -> int:
    """Print the sums as pytest would; return 1 for a failure or a skip that isn't allowed."""
    passed = failed = skipped = 0
    refused = []
    for file in sorted(Path(sys.argv[1]).glob("*.xml")):
        for case in ET.parse(file).getroot().iter("testcase"):
            skip = case.find("skipped")
            if case.find("failure") is not None or case.find("error") is not None:
                failed += 1
            elif skip is None:
                passed += 1
            else:
                skipped += 1
                reason = " ".join(filter(None, (skip.get("message"), skip.text)))
                known = any(re.search(pattern, reason) for pattern in ALLOWED)
                if file.name.startswith("required") or not known:
                    refused.append(f"{file.stem}: {case.get('classname')}.{case.get('name')}: {reason}")
    for line in refused:
        print(f"SKIP THAT NOBODY ALLOWED {line}")
    if passed == 0:
        print("no test ran")
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or refused or not passed else 0


if __name__ == "__main__":
    sys.exit(main())

"""The garbage collector may run at any allocation, also in the middle of a construction."""

from __future__ import annotations

import subprocess
import sys

import pytest

CONSTRUCTIONS = (
    "Leaderboard()",
    "SkipList()",
    "HyperLogLog()",
    "CountMinSketch()",
    "TopK(5)",
    "DistinctWindow('1h')",
    "TotalWindow('1h')",
    "MpmcQueue(8)",
    "EventProcessor(lambda batch: None)",
)


@pytest.mark.parametrize("construction", CONSTRUCTIONS)
def test_the_first_object_of_a_class_survives_a_collection_at_every_allocation(construction):
    script = (
        f"import gc; from engagehub_core import *; gc.set_threshold(1); kept = {construction}; del kept; gc.collect()"
    )
    command = [sys.executable, "-X", "faulthandler", "-c", script]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (result.returncode, result.stderr) == (0, "")

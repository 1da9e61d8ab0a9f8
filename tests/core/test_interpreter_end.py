"""What happens to threads that are inside a structure when the interpreter ends."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

BODIES = {
    "a batch without the GIL": "board.update(members, 1.0, at=0)",
    "single calls": "[board.add(member, 1, at=0.5) for member in members]",
    "a batch of a sketch": "seen.update(members)",
    "a clock": "trends.add('ada')",
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_daemon_threads_in_a_structure_do_not_crash_the_exit(body):
    script = f"""
        import sys, threading, time, types
        from engagehub_core import HyperLogLog, Leaderboard, TopK
        board, seen, trends = Leaderboard(), HyperLogLog(), TopK(half_life="1h", clock=lambda: sum(range(50)))
        members = list(range(2_000))
        started = threading.Barrier(5)
        def work():
            started.wait()
            while True:
                {body}
        class Late:  # goes when the interpreter is ending already, and lets the other threads run into that
            def __del__(self, sleep=time.sleep): sleep(0.05)
        sys.modules["late"] = types.ModuleType("late")
        sys.modules["late"].late = Late()
        for _ in range(4):
            threading.Thread(target=work, daemon=True).start()
        started.wait()
        """
    for _ in range(4):
        command = [sys.executable, "-X", "faulthandler", "-c", textwrap.dedent(script)]
        result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert (result.returncode, result.stderr) == (0, "")

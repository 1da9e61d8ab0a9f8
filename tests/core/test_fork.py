"""Structures in the child of a fork, while another thread of the parent is inside them."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")

USES = {
    "Leaderboard": ("board.update(members, 1.0, at=0)", "board.add(1, 1, at=0)"),
    "HyperLogLog": ("seen.update(members)", "seen.add(1)"),
    "TopK": ("trends.update(members, at=0)", "trends.top(1, at=0)"),
    "live board": ("kept._apply(events)", "kept.board('week').top(1, at=0)"),
}


@pytest.mark.parametrize(("work", "use"), USES.values(), ids=USES)
def test_a_child_works_or_says_what_happened(work, use):
    """A lock that was held at the fork is held for ever in the child: it must raise there, not wait."""
    script = f"""
        import os, signal, threading, warnings
        from engagehub_core import BoardSpec, HyperLogLog, Leaderboard, TopK
        from engagehub_core.errors import Closed
        from engagehub_core.projections import Projections
        warnings.simplefilter("ignore", DeprecationWarning)  # from 3.12 on, about forking with threads
        board, seen, trends = Leaderboard(), HyperLogLog(), TopK()
        members = list(range(50_000))
        kept = Projections({{"week": BoardSpec(half_life="7d")}})
        events = [("message", member, None, "", 0, 1.0) for member in members]
        def loop():
            while True:
                {work}
        threading.Thread(target=loop, daemon=True).start()
        codes = []
        for _ in range(12):
            child = os.fork()
            if child == 0:
                signal.alarm(30)
                try:
                    {use}
                except Closed:
                    os._exit(3)
                os._exit(0)
            codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        print(*sorted(set(codes)))
        os._exit(0)
        """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.stderr == ""
    assert set(result.stdout.split()) <= {"0", "3"}
    assert result.stdout.strip()

"""Waiting for conditions rather than for time, in this process and in one that is to be interrupted."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import textwrap
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

#: What a wait that must end may take before the test gives up.
PATIENCE = 30

# The handler raises when it finds the child inside waits() for the second time: the first may be its very beginning.
_CHILD = """
import signal, sys
sightings = 0
def on_ctrl_c(number, frame):
    global sightings
    while frame is not None and frame.f_code.co_name != "waits":
        frame = frame.f_back
    if frame is not None:
        sightings += 1
        if sightings == 2:
            raise KeyboardInterrupt
signal.signal(signal.SIGINT, on_ctrl_c)
{script}
def waits():
    {wait}
print("ready", flush=True)
try:
    waits()
except KeyboardInterrupt:
    pass
{after}
sys.stdout.flush()
sys.stdin.read()  # signals may come until the parent has read everything
"""


def until(condition: Callable[[], bool]) -> None:
    """Return once the condition holds; fail when patience is at its end."""
    deadline = time.monotonic() + PATIENCE
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        pause.wait(0.001)


def answer_to_ctrl_c(script: str, wait: str, after: str) -> str:
    """Run a script whose main thread waits, send it SIGINT until it gives up, and return the line that it prints."""
    code = _CHILD.format(script=textwrap.dedent(script), wait=wait, after=textwrap.dedent(after))
    lines: list[str] = []
    with subprocess.Popen(
        [sys.executable, "-X", "faulthandler", "-c", code],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as child:  # fmt: skip
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            assert child.stdout.readline() == "ready\n"
            reader = threading.Thread(target=lambda: lines.append(child.stdout.readline()))
            reader.start()
            deadline = time.monotonic() + PATIENCE
            while reader.is_alive():
                assert time.monotonic() < deadline, "no answer to Ctrl-C"
                with contextlib.suppress(ProcessLookupError):
                    child.send_signal(signal.SIGINT)
                reader.join(0.01)
            rest, _ = child.communicate(timeout=PATIENCE)
        finally:
            child.kill()
    assert (child.returncode, rest) == (0, ""), lines[0] + rest
    return lines[0]

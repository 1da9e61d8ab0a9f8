"""Waiting on an asyncio loop for what threads do, by looking again and again."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["PAUSE_FIRST", "PAUSE_MAX", "until"]

#: Seconds between two looks at what is waited for: the first, and the longest.
PAUSE_FIRST, PAUSE_MAX = 0.001, 0.016


async def until(attempt: Callable[[], bool], timeout: float | None) -> bool:  # noqa: ASYNC109
    """Say whether the attempt succeeded in time; there is always one."""
    if attempt():
        return True
    import asyncio  # noqa: PLC0415 - only those who wait pay for it

    deadline = math.inf if timeout is None else time.monotonic() + float(timeout)
    pause = PAUSE_FIRST
    while (left := deadline - time.monotonic()) > 0:
        await asyncio.sleep(min(pause, left))
        if attempt():
            return True
        pause = min(2 * pause, PAUSE_MAX)
    return False

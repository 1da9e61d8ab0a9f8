"""Python's own queue.SimpleQueue: written in C, without a bound."""

from __future__ import annotations

import platform
from queue import SimpleQueue

__all__ = ["SUMMARY", "SimpleQueue", "missing", "version"]

SUMMARY = "queue.SimpleQueue, put and get"


def version() -> str:
    """Return the peer's line in the report."""
    return f"queue.SimpleQueue of {platform.python_implementation()} {platform.python_version()}"


def missing() -> str | None:
    """Return why the peer can't take part, or None."""
    return None

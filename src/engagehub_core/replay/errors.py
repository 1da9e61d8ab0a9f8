"""What stops a replay: each is one sentence for the person at the terminal."""

from __future__ import annotations

from engagehub_core.errors import EngageHubError

__all__ = ["BadInput", "BadUsage", "InputEnds"]


class BadUsage(EngageHubError):
    """The question itself can't be answered: a file that isn't there, an option that contradicts the input."""


class BadInput(EngageHubError):
    """An input can't be read, or can't be read on; what was read before it stays."""


class InputEnds(BadInput):
    """An input breaks off before its end."""

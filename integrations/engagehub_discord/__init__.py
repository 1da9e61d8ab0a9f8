"""The discord.py cogs of engagehub-core; needs the extra ``discord``."""

from __future__ import annotations

try:
    import discord  # noqa: F401  (asked for here so that the message below is the first thing seen)
except ImportError as error:
    message = 'engagehub_discord needs discord.py: pip install "engagehub-core[discord]"'
    raise ImportError(message, name="discord") from error

from engagehub_core import __version__

__all__ = ["__version__"]

"""The Django app of engagehub-core; needs the extra ``django``."""

from __future__ import annotations

try:
    import django  # noqa: F401  (asked for here so that the message below is the first thing seen)
except ImportError as error:
    message = 'engagehub_django needs Django: pip install "engagehub-core[django]"'
    raise ImportError(message, name="django") from error

from engagehub_core import __version__

__all__ = ["__version__"]

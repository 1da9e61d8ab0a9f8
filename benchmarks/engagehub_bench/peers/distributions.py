"""What the peers that are distributions of the package index say about themselves."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

__all__ = ["line_of", "missing_one"]


def line_of(distribution: str) -> str:
    """Return the line of an installed distribution in the report."""
    return f"{distribution} {version(distribution)}"


def missing_one(distribution: str) -> str | None:
    """Return why a distribution can't take part, or None."""
    try:
        version(distribution)
    except PackageNotFoundError:
        return f"{distribution} isn't installed"
    return None

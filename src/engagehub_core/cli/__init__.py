"""The command ``engagehub``."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line; needs the extra ``cli``."""
    try:
        import click  # noqa: F401, PLC0415
        import rich  # noqa: F401, PLC0415
    except ImportError as error:
        sys.exit(f"engagehub: {error.name} is missing; install the extra: pip install 'engagehub-core[cli]'")
    from engagehub_core.cli.root import engagehub  # noqa: PLC0415 - not before click is there

    engagehub(prog_name="engagehub")

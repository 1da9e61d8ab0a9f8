"""The command ``engagehub``."""

from __future__ import annotations

import errno
import io
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

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names that the terminal's encoding doesn't have
    try:
        engagehub(prog_name="engagehub")
    except OSError as error:
        # Inputs and databases have errors of their own, which name a file; click is quiet about a closed pipe itself.
        if error.filename is not None or error.errno == errno.EPIPE:
            raise
        sys.stdout = None  # what it still holds would fail again at the interpreter's end
        sys.exit(f"Error: writing to standard output fails: {error.strerror or error}")

"""What the library is measured beside: each peer is a module that says what it is and whether it is there.

A peer module has ``SUMMARY``, ``version()``, which is its line in the report, and ``missing()``, which says why it
can't take part, or returns None.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["NAMES", "Peer", "peer", "present"]

_MODULES = {
    "bare_sqlite": "bare_sqlite",
    "bounter": "bounter_package",
    "counter": "python_counter",
    "datasketches": "data_sketches",
    "dict": "plain_dict",
    "hll": "hll_package",
    "native": "yardsticks",
    "redis": "redis_server",
    "rhll": "rhll_package",
    "simple_queue": "simple_queue",
    "sorted_list": "sorted_list",
}
NAMES = tuple(_MODULES)


class Peer(Protocol):
    """The module of a peer."""

    SUMMARY: str

    def version(self) -> str:
        """Return the peer's line in the report."""

    def missing(self) -> str | None:
        """Return why the peer can't take part, or None."""


def peer(name: str) -> Peer:
    """Return the module of a peer by its name."""
    return cast("Peer", import_module(f"{__name__}.{_MODULES[name]}"))


def present(names: Sequence[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the version lines of the peers that are there, and why the others aren't, by their names."""
    lines: dict[str, str] = {}
    absent: dict[str, str] = {}
    for name in names:
        reason = peer(name).missing()
        if reason is None:
            lines[name] = peer(name).version()
        else:
            absent[name] = reason
    return lines, absent

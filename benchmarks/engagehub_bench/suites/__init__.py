"""What can be run: each suite is a module with a ``SUMMARY`` and ``planned(plan)``, which yields the work."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engagehub_bench.plan import Plan
    from engagehub_bench.rows import Planned

__all__ = ["NAMES", "Suite", "suite"]

NAMES = ("accuracy", "calibration", "leaderboard", "processor", "queue", "sketches")


class Suite(Protocol):
    """The module of a suite."""

    SUMMARY: str

    def planned(self, plan: Plan) -> Iterator[Planned]:
        """Yield the work, in the order in which it is done."""


def suite(name: str) -> Suite:
    """Return the module of a suite by its name."""
    return cast("Suite", import_module(f"{__name__}.{name}"))

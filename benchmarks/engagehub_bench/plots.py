"""Cost against the number of members, on log axes, as SVG and PNG."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from engagehub_bench.rows import Case

__all__ = ["plot"]


def plot(cases: Sequence[Case], folder: Path) -> list[Path]:
    """Draw every operation that was measured at more than one size.

    Parameters
    ----------
    cases : sequence of Case
        Of a run.
    folder : Path
        Made where it isn't there.

    Returns
    -------
    list of Path
        What was written.
    """
    by_name: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        if case.size is not None:
            by_name[case.name].append(case)
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, group in by_name.items():
        if len(group) > 1:
            figure = _figure(name, group)
            stem = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
            for suffix in ("svg", "png"):
                path = folder / f"{stem}.{suffix}"
                figure.savefig(path, dpi=150)
                written.append(path)
    return written


def _figure(name: str, group: Sequence[Case]) -> Figure:
    lines: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for case in group:
        for row in case.rows:
            cost = row.latency.p50 if row.latency is not None else row.median
            if cost and case.size:
                lines[row.name].append((case.size, cost))
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for label, points in lines.items():
        sizes, costs = zip(*points, strict=True)
        axes.plot(sizes, costs, marker="o", label=label)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("members")
    axes.set_ylabel(group[0].unit)
    axes.set_title(name)
    axes.grid(visible=True, which="both", alpha=0.3)
    axes.legend()
    return figure

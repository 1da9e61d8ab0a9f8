"""Cost or error against how many there are of what is counted, as SVG and PNG."""

from __future__ import annotations

import re
from collections import defaultdict
from itertools import cycle
from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from engagehub_bench.rows import Case

__all__ = ["plot"]

#: Longer curves have no marks at their points.
_MOST_MARKS = 20
#: Of SVG files: without all of them there is no such part.
_NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))


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
                # The same curves give the same file: documents keep it under version control.
                with mpl.rc_context({"svg.hashsalt": stem}):
                    figure.savefig(path, dpi=150, metadata=_NO_METADATA if suffix == "svg" else None)
                written.append(path)
    return written


def _figure(name: str, group: Sequence[Case]) -> Figure:
    is_error = group[0].unit == "%"
    lines: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for case in group:
        for row in case.rows:
            cost = row.latency.p50 if row.latency is not None else row.median
            if case.size and cost is not None and (cost or is_error):
                lines[row.name].append((case.size, cost))
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot()
    dashes = cycle(["--", ":", "-."])
    marker = "o" if len(group) <= _MOST_MARKS else None
    for label, points in lines.items():
        sizes, costs = zip(*points, strict=True)
        if label.startswith("theory"):
            axes.plot(sizes, costs, linestyle=next(dashes), color="black", linewidth=1, label=label)
        else:
            axes.plot(sizes, costs, marker=marker, label=label)
    axes.set_xscale("log")
    if not is_error:
        axes.set_yscale("log")
    axes.set_xlabel(group[0].counted)
    axes.set_ylabel(group[0].unit)
    axes.set_title(name)
    axes.grid(visible=True, which="both", alpha=0.3)
    axes.legend()
    return figure

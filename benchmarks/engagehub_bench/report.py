"""A run on a terminal: losing rows look like winning ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from engagehub_bench.noise import is_noisy

if TYPE_CHECKING:
    from rich.console import Console

    from engagehub_bench.record import Record
    from engagehub_bench.rows import Case, Claim, Row, Unit

__all__ = ["print_record"]


def print_record(console: Console, record: Record) -> None:
    """Print where a run was made, all of its cases, and what is wrong with them."""
    _print_environment(console, record)
    for case in record.cases:
        if case.printed:
            _print_case(console, case)
    claims = [claim for case in record.cases for row in case.rows for claim in row.claims]
    reached = sum(claim.reached is True for claim in claims)
    undecided = sum(claim.reached is None for claim in claims)
    console.print(f"{reached} of {len(claims)} demands reached, {undecided} undecided; {record.seconds:,.0f} s in all")
    for reason in record.noise.reasons:
        console.print(f"NOISY RUN: {reason}")
    for wrong in record.wrong:
        console.print(f"WRONG ANSWERS: {wrong}")


def _print_environment(console: Console, record: Record) -> None:
    where = record.environment
    commit = where.get("commit")
    state = (
        f"{commit['name'][:12]}{', with uncommitted changes' if commit['dirty'] else ''}" if commit else "no checkout"
    )
    native = where["native_module"]
    libraries = ", ".join(f"{name} {found}" for name, found in where["libraries"].items() if found)
    load = ", ".join(f"{load:.2f}" for load in where["load_average"] or ())
    facts = {
        "machine": f"{where['processor']}, {where['usable_cores']} of {where['cores']} cores, load {load or 'unknown'}",
        "python": f"{where['python']} ({where['python_compiler']}), {'with' if where['gil'] else 'without'} the GIL",
        "native": f"engagehub-core {where['engagehub_core']}, {native['compiler']} {native['build type']}",
        "libraries": libraries,
        "commit": f"{state}; {where['date']}",
        **{f"peer {name}": line for name, line in record.peers.items()},
        **{f"no {name}": reason for name, reason in record.absent.items()},
    }
    for name, value in facts.items():
        console.print(Text(f"{name:<17} {value}"))


def _print_case(console: Console, case: Case) -> None:
    size = f", {case.size:,} {case.counted}" if case.size else ""
    console.print()
    console.print(Text(f"{case.name}{size} ({case.unit})", style="bold"))
    table = Table()
    with_latency = any(row.latency is not None for row in case.rows)
    table.add_column("contender", overflow="fold")
    for heading in ("p50", "p99", "p99.9", "max") if with_latency else ("median", "least", "spread"):
        table.add_column(heading, justify="right")
    for heading in ("correct", "must reach", "measured", "reached", "note"):
        table.add_column(heading, overflow="fold")
    for row in case.rows:
        table.add_row(*_cells(row, case.unit))
        for claim in row.claims[1:]:
            empty = [""] * (6 if with_latency else 5)
            table.add_row(*map(Text, [*empty, *_claim_cells(claim), ""]))
    console.print(table)


def _cells(row: Row, unit: Unit) -> list[Text]:
    if row.latency is not None:
        values = [f"{each:,.0f}" for each in (row.latency.p50, row.latency.p99, row.latency.p999, row.latency.max)]
    elif row.median is not None:
        noisy = " noisy" if is_noisy(row) else ""
        values = [_number(row.median, unit), _number(min(row.samples), unit), f"{row.spread:.0%}{noisy}"]
    else:
        values = ["", "", ""]
    correct = {True: "yes", False: "NO", None: ""}[row.correct]
    return [
        Text(text)
        for text in (row.name, *values, correct, *_claim_cells(row.claims[0] if row.claims else None), row.note)
    ]


def _claim_cells(claim: Claim | None) -> list[str]:
    if claim is None:
        return ["", "", ""]
    verdict = {True: "yes", False: "NO", None: "doesn't count"}[claim.reached]
    return [claim.text, f"{claim.value:.3g} [{claim.low:.3g}, {claim.high:.3g}]", verdict]


def _number(value: float, unit: Unit) -> str:
    if unit == "ns" and value < 1_000:
        return f"{value:.1f}"
    if unit == "%":
        return f"{value:.4f}"
    return f"{value:,.1f}" if unit == "bytes" else f"{value:,.0f}"

"""``engagehub bench``."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from engagehub_bench import environment, noise, peers, record, report, suites
from engagehub_bench.peers import redis_server
from engagehub_bench.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engagehub_bench.rows import Case

__all__ = ["bench"]

_SIZES = "10000,100000,1000000"
_QUICK_SIZES = "10000,100000"
_REPEATS, _QUICK_REPEATS = 7, 3
_STREAMS, _QUICK_STREAMS = 200, 10
_WIDTH = 160
#: Ten times what anybody has asked for; more would fill the memory of a common machine.
_LARGEST = 100_000_000


def _sizes(_context: click.Context, _option: click.Parameter, value: str | None) -> tuple[int, ...] | None:
    """Return the sizes, ascending."""
    if value is None:
        return None
    try:
        sizes = {int(part.replace("_", "")) for part in value.split(",")}
    except ValueError as error:
        message = f"sizes must be whole numbers with commas between them, got {value!r}"
        raise click.BadParameter(message) from error
    if min(sizes) < 20 or max(sizes) > _LARGEST:
        odd = min(sizes) if min(sizes) < 20 else max(sizes)
        message = f"a size must be from 20 to {_LARGEST:,}, got {odd}"
        raise click.BadParameter(message)
    return tuple(sorted(sizes))


def _suites(_context: click.Context, _argument: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    for name in value:
        if name not in suites.NAMES:
            message = f"there is no suite {name!r}; there are: {', '.join(suites.NAMES)}"
            raise click.BadParameter(message)
    return value or suites.NAMES


def _peers(_context: click.Context, _option: click.Parameter, value: str) -> tuple[str, ...]:
    if value in ("all", "none"):
        return peers.NAMES if value == "all" else ()
    names = tuple(value.split(","))
    for name in names:
        if name not in peers.NAMES:
            message = f"there is no peer {name!r}; there are: {', '.join(peers.NAMES)}"
            raise click.BadParameter(message)
    return names


def _redis_url(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    if value is not None and (reason := redis_server.malformed(value)) is not None:
        message = f"not the URL of a Redis server: {reason}"
        raise click.BadParameter(message)
    return value


@click.command()
@click.argument("names", metavar="[SUITE]...", nargs=-1, callback=_suites)
@click.option("--list", "only_list", is_flag=True, help="Print suites and peers and end.")
@click.option("--quick", is_flag=True, help="Shorter loops, 3 repeats, 10 streams, two sizes.")
@click.option("--sizes", callback=_sizes, metavar="N,N…",
              help=f"Members of a board, names in a stream, items of an error curve.  [default: {_SIZES}]")  # fmt: skip
@click.option("--repeats", type=click.IntRange(min=1), help=f"How often each loop is timed.  [default: {_REPEATS}]")
@click.option("--streams", type=click.IntRange(1, 100_000),
              help=f"How many streams an error curve is measured on.  [default: {_STREAMS}]")  # fmt: skip
@click.option("--peers", "asked", default="all", show_default=True, callback=_peers, metavar="all|none|NAME,NAME…",
              help="What to measure beside.")  # fmt: skip
@click.option("--redis-url", metavar="URL", callback=_redis_url,
              help="A server for the peer redis; one key of it is written and deleted.")  # fmt: skip
@click.option("--json", "json_path", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Write raw samples, environment and verdicts.")  # fmt: skip
@click.option("--plot", "plot_folder", type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER",
              help="Draw costs and errors against sizes, as SVG and PNG.")  # fmt: skip
@click.pass_context
def bench(context: click.Context, names: tuple[str, ...], *, only_list: bool, quick: bool,
          sizes: tuple[int, ...] | None, repeats: int | None, streams: int | None, asked: tuple[str, ...],
          redis_url: str | None, json_path: Path | None, plot_folder: Path | None) -> None:  # fmt: skip
    """Measure the library beside its peers, and say what must be reached.

    A row with a wrong answer makes the command end with 1; a demand that isn't reached is printed.
    """
    _require("numpy", "engagehub bench")
    if only_list:
        _print_names()
        return
    if plot_folder is not None:
        _require("matplotlib", "--plot")
        try:
            plot_folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            message = f"{plot_folder} can't be made: {error.strerror}"
            raise click.BadParameter(message, param_hint="--plot") from error
    if json_path is not None and not json_path.absolute().parent.is_dir():
        message = f"{json_path.absolute().parent} isn't a folder"
        raise click.BadParameter(message, param_hint="--json")
    if redis_url is not None:
        redis_server.use(redis_url)
    lines, absent = peers.present(asked)
    default = _QUICK_SIZES if quick else _SIZES
    plan = Plan(
        sizes=sizes or tuple(map(int, default.split(","))),
        repeats=repeats or (_QUICK_REPEATS if quick else _REPEATS),
        quick=quick,
        peers=frozenset(lines),
        streams=streams or (_QUICK_STREAMS if quick else _STREAMS),
    )
    where = environment.described()
    began = perf_counter()
    cases = _measured(names, plan)
    run = record.Record(
        environment=where,
        options={"suites": list(names), "sizes": list(plan.sizes), "repeats": plan.repeats, "quick": plan.quick,
                 "streams": plan.streams, "seed": plan.seed},
        peers=lines,
        absent=absent,
        noise=noise.judged(cases),
        seconds=perf_counter() - began,
        cases=cases,
    )  # fmt: skip
    report.print_record(_console(), run)
    if json_path is not None:
        record.write(run, json_path)
    if plot_folder is not None:
        from engagehub_bench.plots import plot  # noqa: PLC0415 - matplotlib takes long to import

        for path in plot(cases, plot_folder):
            click.echo(path)
    context.exit(1 if run.wrong else 0)


def _require(module: str, what: str) -> None:
    if find_spec(module) is None:
        message = f'{what} needs {module}: pip install "engagehub-core[bench]"'
        raise click.UsageError(message)


def _console() -> Console:
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = _WIDTH
    return console


def _print_names() -> None:
    click.echo("suites:")
    for name in suites.NAMES:
        click.echo(f"  {name:<12} {suites.suite(name).SUMMARY}")
    click.echo("peers:")
    lines, absent = peers.present(peers.NAMES)
    for name in peers.NAMES:
        state = lines[name] if name in lines else f"not here: {absent[name]}"
        click.echo(f"  {name:<12} {peers.peer(name).SUMMARY} ({state})")


def _measured(names: Sequence[str], plan: Plan) -> list[Case]:
    planned = [work for name in names for work in suites.suite(name).planned(plan)]
    columns = (TextColumn("{task.description:<28}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    cases: list[Case] = []
    began = perf_counter()
    console = Console(stderr=True)
    with Progress(*columns, console=console) as bars:
        task = bars.add_task("", total=len(planned))
        for work in planned:
            bars.update(task, description=work.title)
            for case in work.run():
                cases.append(case)
                bars.update(task, description=f"{work.title}: {case.name.partition('/')[2] or case.name}"[:28])
            bars.advance(task)
            if not console.is_terminal:  # where no bar can move
                console.print(f"{perf_counter() - began:6.0f} s  {work.title}")
    return cases

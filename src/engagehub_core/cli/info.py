"""``engagehub info``."""

from __future__ import annotations

import platform
import sqlite3
import sys
import sysconfig
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import click

from engagehub_core import __version__, _native
from engagehub_core.cli import report
from engagehub_core.cli.options import database_option, format_option
from engagehub_core.errors import EngageHubError
from engagehub_core.sinks.sqlite import SCHEMA_VERSION, SqliteSink

__all__ = ["info"]

#: What the extras bring, and what makes batches take arrays.
_OPTIONAL = ("click", "rich", "numpy", "Django", "discord.py")
#: Features of processors that the structures or their compiler could use.
_FEATURES = ("sse4_2", "popcnt", "pclmulqdq", "avx2", "avx512f", "bmi2", "crc32", "aes", "pmull", "asimd")


@click.command()
@database_option
@format_option
def info(database: str, layout: str) -> None:
    """Print versions, compiler, processor, threading and where data lies."""
    facts = {
        "engagehub-core": __version__,
        "native": _native.BUILD["version"],
        "compiler": _native.BUILD["compiler"],
        "build type": _native.BUILD["build_type"],
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "platform": platform.platform(),
        "cpu": platform.machine(),
        "cpu features": _cpu_features(),
        "vector code": _native.simd_path(),
        "free-threaded build": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
        "GIL enabled": bool(getattr(sys, "_is_gil_enabled", lambda: True)()),
        "sqlite": sqlite3.sqlite_version,
        "database": str(Path(database).absolute()),
        "database state": _state(database),
        "installed at": str(Path(_native.__file__).parent),
        "optional packages": {name: _version_of(name) for name in _OPTIONAL},
    }
    if layout == "json":
        report.print_json(facts)
        return
    for name, value in facts.items():
        click.echo(f"{name:<20} {_line(value)}")


def _line(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {found or 'missing'}" for name, found in value.items())
    if isinstance(value, list):
        return " ".join(value) or "unknown"
    return report.shown(value).lower() if isinstance(value, bool) else str(value)


def _version_of(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _cpu_features() -> list[str]:
    """Return what Linux tells; elsewhere nothing is known without asking the processor itself."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip().lower() in ("flags", "features"):
            present = set(value.split())
            return [feature for feature in _FEATURES if feature in present]
    return []


def _state(database: str) -> str:
    path = Path(database)
    if not path.exists():
        return "not there yet"
    try:
        with SqliteSink(database, create=False, read_only=True) as store:
            names = ", ".join(report.shown(str(name)) for name in store.communities()) or "none"
            return f"{path.stat().st_size:,} bytes, schema {SCHEMA_VERSION}, communities: {names}"
    except EngageHubError as error:
        return str(error)

"""Where a run was made: machine, Python, compiler, libraries, commit."""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
import subprocess
import sys
import sysconfig
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from engagehub_core import __version__

__all__ = ["checkout", "described"]

_OPTIMISATIONS = {"pgo": "--enable-optimizations", "lto": "--with-lto"}
_LIBRARIES = (
    "numpy",
    "sortedcontainers",
    "redis",
    "datasketches",
    "rhll",
    "HLL",
    "bounter",
    "matplotlib",
    "click",
    "rich",
)


def checkout() -> Path | None:
    """Return the root of the checkout that this file is part of, or else of the one around the working folder."""
    here = Path(__file__).resolve().parents[2]
    cwd = Path.cwd()
    for folder in (here, cwd, *cwd.parents):
        if (folder / "benchmarks" / "native" / "driver.cpp").is_file() and (folder / "cpp" / "include").is_dir():
            return folder
    return None


def described() -> dict[str, Any]:
    """Return everything about the machine and the build that a figure depends on, as plain values."""
    root = checkout()
    return {
        "engagehub_core": __version__,
        "date": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "usable_cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "load_average": list(os.getloadavg()) if hasattr(os, "getloadavg") else None,
        "platform": platform.platform(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "python_compiler": platform.python_compiler(),
        "python_optimised": {name: option in _configured() for name, option in _OPTIMISATIONS.items()},
        "gil": bool(getattr(sys, "_is_gil_enabled", lambda: True)()),
        "native_module": _native_module(),
        "libraries": {name: _version_of(name) for name in _LIBRARIES},
        "commit": _commit(root) if root else None,
    }


def _configured() -> str:
    return sysconfig.get_config_var("CONFIG_ARGS") or ""


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    facts = dict(
        reversed([(name.strip(), value.strip()) for name, _, value in (line.partition(":") for line in lines)])
    )
    kind = ", ".join(f"{name} {facts[name]}" for name in ("cpu family", "model", "stepping") if name in facts)
    return f"{facts.get('model name', platform.machine())} ({kind})" if kind else platform.machine()


def _native_module() -> dict[str, Any]:
    """Return what the command ``engagehub info`` says about the compiled half."""
    done = _output(sys.executable, "-m", "engagehub_core.cli", "info", "--format", "json")
    facts = json.loads(done) if done else {}
    return {name: facts.get(name) for name in ("native", "compiler", "build type", "cpu features")}


def _version_of(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _commit(root: Path) -> dict[str, Any] | None:
    name = _output("git", "-C", str(root), "rev-parse", "HEAD")
    if name is None:
        return None
    return {"name": name.strip(), "dirty": bool(_output("git", "-C", str(root), "status", "--porcelain"))}


def _output(*command: str) -> str | None:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    except (OSError, subprocess.SubprocessError):
        return None

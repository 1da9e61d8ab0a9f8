"""The yardsticks and the library's structures in C++, compiled from the source checkout and run beside each other."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engagehub_bench.environment import checkout

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["FLAGS", "SUMMARY", "Measured", "compiled", "compiler", "measured", "missing", "version"]

SUMMARY = "counted blocks with AVX2, a classic skip list, absl::btree_set, bare sketches, rings and calls, in C++"
FLAGS = ("-O3", "-march=native", "-std=c++17", "-ffp-contract=off")


@dataclass(frozen=True)
class Measured:
    """A contender of the driver: nanoseconds an operation, one figure a repeat, none for what it doesn't know.

    Attributes
    ----------
    name : str
        Who.
    update, rank : list of float
        Raw costs.
    hash_loop : list of float
        The calibrating loop beside each repeat.
    correct : bool
        Whether its list and its ranks were right.
    """

    name: str
    update: list[float]
    rank: list[float]
    hash_loop: list[float]
    correct: bool


def compiler() -> str | None:
    """Return the C++ compiler that the environment names, or the usual one."""
    return shutil.which(os.environ.get("CXX") or "c++")


def version() -> str:
    """Return the peer's line in the report."""
    path = compiler() or "c++"
    done = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    return f"{done.stdout.partition(chr(10))[0]}, {' '.join(FLAGS)}"


def missing() -> str | None:
    """Return why the peer can't take part, or None."""
    if sys.platform == "win32":
        return "the driver counts processor time as POSIX systems do"
    if checkout() is None:
        return "there is no source checkout here"
    return None if compiler() else "there is no C++ compiler"


def compiled(part: str = "", *, shared: bool = False, includes: Sequence[Path] = ()) -> Path:
    """Return a program, compiled anew where a source or the command has changed.

    Parameters
    ----------
    part : str
        The folder of its sources below ``benchmarks/native``; none for the driver.
    shared : bool
        Whether it is a shared library.
    includes : sequence of pathlib.Path
        Folders with headers that it needs beside the library's.

    Raises
    ------
    RuntimeError
        If it doesn't compile.
    """
    root, path = checkout(), compiler()
    if root is None or path is None:
        raise RuntimeError(missing())
    native = root / "benchmarks" / "native"
    headers = root / "cpp" / "include"
    sources = sorted((native / part).glob("*.cpp"))
    folders = [option for folder in (headers, *includes) for option in ("-I", str(folder))]
    command = [path, *FLAGS, "-pthread", *(("-shared", "-fPIC") if shared else ()), *folders, *map(str, sources)]
    digest = hashlib.sha256(shlex.join(command).encode())
    for file in [*sources, *_headers(native), *_headers(root / "benchmarks" / "yardsticks"), *_headers(headers)]:
        digest.update(file.read_bytes())
    program = root / "build" / "bench" / f"{part or 'driver'}-{digest.hexdigest()[:16]}"
    if not program.exists():
        program.parent.mkdir(parents=True, exist_ok=True)
        made = program.with_suffix(f".{os.getpid()}")
        done = subprocess.run([*command, "-o", str(made)], capture_output=True, text=True, check=False)
        if done.returncode:
            message = f"{shlex.join(command)} failed:\n{done.stderr}"
            raise RuntimeError(message)
        made.replace(program)
    return program


def _headers(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.hpp"))


def measured(size: int, repeats: int, operations: int, seed: int) -> list[Measured]:
    """Run the driver and return its contenders, the empty loop first.

    Raises
    ------
    RuntimeError
        If it doesn't compile or fails.
    """
    command = [str(compiled()), *map(str, (size, repeats, operations, seed))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        message = f"{shlex.join(command)} left with {done.returncode}: {done.stderr}"
        raise RuntimeError(message)
    return [Measured(**contender) for contender in json.loads(done.stdout)["contenders"]]

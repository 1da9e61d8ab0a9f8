"""A small stream, and the command as a function and as a process."""

from __future__ import annotations

import json
import os
import random
import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from engagehub_core.cli.root import engagehub

if TYPE_CHECKING:
    from pathlib import Path


class Command:
    """Runs ``engagehub`` in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, *arguments: str, code: int = 0, stdin: bytes | None = None):
        result = CliRunner().invoke(engagehub, list(arguments), input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == code, result.output
        return result

    def json(self, *arguments: str, code: int = 0, stdin: bytes | None = None):
        return json.loads(self(*arguments, "--format", "json", code=code, stdin=stdin).stdout)

    def start(self, *arguments: str, batch: int | None = None, **options) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "engagehub_core.cli", *arguments]
        if batch is not None:  # more commits in a short stream
            imports = "from engagehub_core import cli; from engagehub_core.replay import run"
            command[1:3] = ["-c", f"{imports}; run._BATCH = {batch}; cli.main()"]
        options.setdefault("stdout", subprocess.PIPE)
        return subprocess.Popen(command, cwd=self.folder, stderr=subprocess.PIPE, env=os.environ, **options)


@pytest.fixture
def engage(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Command(tmp_path)


def stream(count: int, seed: int = 1, start: int = 1_700_000_000) -> str:
    """Return a CSV stream in which times repeat, go back now and then, and rows are equal."""
    draw = random.Random(seed)
    lines = ["timestamp,user_id,channel,kind"]
    at = start
    for _ in range(count):
        at += draw.choice([0, 0, 0, 1, 60, -30])
        member = min(draw.randrange(1, 200), draw.randrange(1, 200))
        lines.append(f"{at},{member},{draw.choice('abcde')},{draw.choice(['message', 'message', 'join', 'action'])}")
    return "\n".join(lines) + "\n"


@pytest.fixture
def make_stream():
    return stream


def count_rows(database: Path) -> int:
    """Count the rows that a run has committed until now."""
    if not database.exists():
        return 0
    connection = sqlite3.connect(database, timeout=30)
    try:
        return connection.execute("SELECT coalesce(max(seq), 0) FROM events").fetchone()[0]
    except sqlite3.OperationalError:  # before the tables are made
        return 0
    finally:
        connection.close()


@pytest.fixture
def rows_in():
    return count_rows

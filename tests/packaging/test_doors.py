"""The adapters say which extra they need, and take over the one version."""

from __future__ import annotations

import importlib
import subprocess
import sys
import types
from typing import TYPE_CHECKING

import pytest

import engagehub_core

if TYPE_CHECKING:
    from pathlib import Path

ADAPTERS = [("engagehub_django", "django"), ("engagehub_discord", "discord")]


@pytest.fixture(autouse=True)
def fresh_modules(monkeypatch: pytest.MonkeyPatch):
    for adapter, _ in ADAPTERS:
        monkeypatch.delitem(sys.modules, adapter, raising=False)


@pytest.mark.parametrize(("adapter", "neighbour"), ADAPTERS)
def test_door_names_the_extra_where_the_neighbour_is_missing(
    adapter: str, neighbour: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, neighbour, None)
    with pytest.raises(ImportError, match=rf"engagehub-core\[{neighbour}\]") as caught:
        importlib.import_module(adapter)
    assert caught.value.name == neighbour
    assert adapter not in sys.modules


@pytest.mark.parametrize(("adapter", "neighbour"), ADAPTERS)
def test_door_opens_where_the_neighbour_is_there(adapter: str, neighbour: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, neighbour, types.ModuleType(neighbour))
    module = importlib.import_module(adapter)
    assert module.__version__ == engagehub_core.__version__
    monkeypatch.delitem(sys.modules, adapter)


def test_import_of_the_core_loads_no_optional_package(tmp_path: Path):
    script = (
        "import sys; bare = set(sys.modules); import engagehub_core; new = {n.partition('.')[0] for n in sys.modules};"
        "print(sorted(new & {'numpy', 'click', 'rich', 'sqlite3', 'django', 'discord', 'redis', 'asyncio'}))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout.strip() == "[]"

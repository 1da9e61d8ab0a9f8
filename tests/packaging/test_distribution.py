"""What is installed: the four packages, the types, and nothing of the workshop."""

from __future__ import annotations

import importlib.metadata
import json
import tomllib
from pathlib import Path

import pytest

import engagehub_core

ROOT = Path(__file__).resolve().parents[2]
DISTRIBUTION = "engagehub-core"


@pytest.fixture(scope="module")
def installed() -> set[str]:
    distribution = importlib.metadata.distribution(DISTRIBUTION)
    origin = json.loads(distribution.read_text("direct_url.json") or "{}")
    if origin.get("dir_info", {}).get("editable"):
        pytest.skip("an editable install has no files of its own; install with pip install . to check them")
    return {path.as_posix() for path in distribution.files or ()}


def test_metadata_has_the_version_of_the_package():
    assert importlib.metadata.version(DISTRIBUTION) == engagehub_core.__version__


def test_nothing_is_required_at_run_time():
    requirements = importlib.metadata.requires(DISTRIBUTION) or []
    assert [requirement for requirement in requirements if "extra ==" not in requirement] == []


def test_extra_all_names_every_door():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    assert extras["all"] == [f"{DISTRIBUTION}[arrow,cli,django,discord,prometheus]"]
    assert extras.keys() == {"all", "arrow", "bench", "cli", "discord", "django", "prometheus", "test"}


def test_four_packages_with_types_are_installed(installed: set[str]):
    assert {
        "engagehub_core/__init__.py",
        "engagehub_core/_native.pyi",
        "engagehub_core/_version.py",
        "engagehub_core/py.typed",
        "engagehub_bench/__init__.py",
        "engagehub_django/__init__.py",
        "engagehub_discord/__init__.py",
    } <= installed
    native = [
        name for name in installed if name.startswith("engagehub_core/_native.") and name.endswith((".so", ".pyd"))
    ]
    assert len(native) == 1


def test_no_sources_of_the_workshop_are_installed(installed: set[str]):
    packages = ("engagehub_bench/", "engagehub_core/", "engagehub_django/", "engagehub_discord/")
    own = {name for name in installed if "__pycache__" not in name and not name.startswith("../")}
    outside = {name for name in own if not name.startswith((*packages, "engagehub_core-"))}
    assert outside == set()
    assert {name for name in own if name.endswith((".cpp", ".hpp", ".cmake", ".a", "CMakeLists.txt"))} == set()
    assert {name for name in own if "test" in name and "selftest" not in name and "testing" not in name} == set()


def test_licence_is_installed(installed: set[str]):
    assert any(name.endswith("licenses/LICENSE") for name in installed)

"""What the house demands of its own files: who may include what, how headers begin, what has one place."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import engagehub_core

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
CODE_FOLDERS = ("bindings", "cpp", "src", "integrations", "tests", "scripts", "examples", "benchmarks", "docs")
TEXT_SUFFIXES = {".cpp", ".hpp", ".md", ".py", ".pyi", ".toml", ".yml", ".sh"}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)


def files(*folders: str, suffixes: tuple[str, ...] = (".cpp", ".hpp")) -> Iterator[Path]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in suffixes and not {"__pycache__", "_build"} & set(path.parts):
                yield path


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


HEADERS = list(files("cpp/include", suffixes=(".hpp",)))


def test_there_is_a_codebase_to_check():
    assert len(HEADERS) > 5
    assert len(list(files("bindings"))) > 5


@pytest.mark.parametrize("header", HEADERS, ids=relative)
def test_header_begins_with_its_licence_and_contract(header: Path):
    text = header.read_text(encoding="utf-8")
    assert text.startswith("// SPDX-License-Identifier: MIT\n")
    preamble = text[: text.index("#pragma once")]
    assert len(preamble.splitlines()) <= 40
    if "Written by scripts/" not in preamble:
        assert re.search(r"^// Purpose: \S", preamble, re.MULTILINE)


@pytest.mark.parametrize("path", list(files("cpp", "bindings", "benchmarks")), ids=relative)
def test_source_names_its_licence(path: Path):
    assert path.read_text(encoding="utf-8").startswith("// SPDX-License-Identifier: MIT\n")


@pytest.mark.parametrize("path", list(files("cpp/include")), ids=relative)
def test_library_includes_itself_and_the_standard_library_only(path: Path):
    for quote, target in INCLUDE.findall(path.read_text(encoding="utf-8")):
        assert quote == "<", f'{target}: write <engagehub/...>, not "..."'
        intrinsic = target in {"immintrin.h", "intrin.h", "arm_neon.h"}  # the compiler's own, behind #if
        assert target.startswith("engagehub/") or re.fullmatch(r"[a-z_]+", target) or intrinsic, target


#: A yardstick that says what a call from Python costs at least, which it can't without being one.
CALLED_FROM_PYTHON = {"benchmarks/native/calls/noop.cpp"}


@pytest.mark.parametrize("path", list(files("cpp", "examples", "tests", "benchmarks")), ids=relative)
def test_python_is_known_in_bindings_only(path: Path):
    known = {"Python.h"} if relative(path) in CALLED_FROM_PYTHON else set()
    for _, target in INCLUDE.findall(path.read_text(encoding="utf-8")):
        assert not target.startswith("pybind11")
        assert target not in {"Python.h", "python.hpp", "datetime.h"} - known


@pytest.mark.parametrize("path", list(files("bindings")), ids=relative)
def test_bindings_enter_by_the_one_door(path: Path):
    includes = [target for _, target in INCLUDE.findall(path.read_text(encoding="utf-8"))]
    if path.name == "python.hpp":
        assert any(target.startswith("pybind11/") for target in includes)
        return
    # Every header of the folder begins with python.hpp or with another one that does; what is compiled without
    # exceptions, and so without pybind11, begins with Python.h.
    known = includes[0] == "Python.h" or (ROOT / "bindings" / includes[0]).exists()
    assert known, f"{includes[0]} comes before python.hpp"


@pytest.mark.parametrize("path", list(files("cpp/include")), ids=relative)
def test_structures_repeat_on_every_platform(path: Path):
    text = re.sub(r"//.*", "", path.read_text(encoding="utf-8"))
    words = {"std::hash", "std::rand", "system_clock"}
    if path.name != "siphash.hpp":  # whose key orders the cells of a table, which nobody sees
        words.add("random_device")
    assert not [word for word in words if re.search(rf"{word}\b", text)]


def test_threads_are_started_where_the_thread_sanitizer_looks():
    starting = [path for path in files("cpp/tests") if re.search(r"std::(jthread|thread|async)\b", path.read_text())]
    assert starting
    assert {path.parent.name for path in starting} <= {"threads", "support"}


def test_build_file_and_readme_stay_short():
    assert len((ROOT / "CMakeLists.txt").read_text().splitlines()) <= 120
    assert len((ROOT / "README.md").read_text().splitlines()) <= 200


def test_version_is_written_once():
    assert re.fullmatch(r"\d+\.\d+\.\d+(?:(?:a|b|rc)\d+)?", engagehub_core.__version__)
    pattern = re.compile(r"(?<![\d.])" + re.escape(engagehub_core.__version__) + r"(?![\d.])")
    sources = [ROOT / name for name in ("CMakeLists.txt", "pyproject.toml", "docs/conf.py", "README.md")]
    sources += files("src", "integrations", "bindings", "cpp", suffixes=(".py", ".pyi", ".hpp", ".cpp"))
    holders = [relative(path) for path in sources if pattern.search(path.read_text(encoding="utf-8"))]
    assert holders == ["src/engagehub_core/_version.py"]
    assert engagehub_core._native.BUILD["version"] == engagehub_core.__version__


def test_changelog_speaks_of_this_version():
    assert f"## {engagehub_core.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "path",
    [path for path in files(*CODE_FOLDERS, suffixes=tuple(TEXT_SUFFIXES)) if path != Path(__file__).resolve()],
    ids=relative,
)
def test_open_ends_carry_an_issue_number(path: Path):
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        assert not re.search(r"\b(?:TODO|FIXME|XXX|HACK)\b(?!\(#\d+\))", line), f"{relative(path)}:{number}: {line}"


def test_files_are_named_by_what_they_are():
    forbidden = {"utils", "helpers", "common", "manager", "misc"}
    found = [
        relative(path) for path in files(*CODE_FOLDERS, suffixes=(".cpp", ".hpp", ".py")) if path.stem in forbidden
    ]
    assert found == []


def test_adapters_and_benchmarks_use_public_names_only():
    public_modules = {
        "engagehub_core",
        *(f"engagehub_core.{name}" for name in ("sinks", "journal", "errors", "prometheus", "testing")),
    }
    public_names = {*engagehub_core.__all__, "sinks", "journal", "errors", "prometheus", "testing"}
    for path in files("integrations", "benchmarks/engagehub_bench", suffixes=(".py",)):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                taken = [alias.name for alias in node.names if alias.name.split(".")[0] == "engagehub_core"]
                assert set(taken) <= public_modules, relative(path)
            elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "engagehub_core":
                assert node.module in public_modules, relative(path)
                if node.module == "engagehub_core":
                    assert {alias.name for alias in node.names} <= public_names, relative(path)

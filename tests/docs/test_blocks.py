"""Every Python and C++ block of README.md and docs/ runs; every command line that they show exists."""

from __future__ import annotations

import doctest
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *(page for page in sorted((ROOT / "docs").rglob("*.md")) if "_build" not in page.parts)]
FENCE = re.compile(r"^```(?P<language>[a-z]+)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A fenced block and the line on which its body starts."""

    line: int
    body: str


def blocks(page: Path, *languages: str) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [
        Block(text.count("\n", 0, match.start("body")) + 1, match["body"])
        for match in FENCE.finditer(text)
        if match["language"] in languages
    ]


def pages_with(*languages: str) -> pytest.MarkDecorator:
    chosen = [page for page in PAGES if blocks(page, *languages)]
    return pytest.mark.parametrize("page", chosen, ids=lambda page: page.relative_to(ROOT).as_posix())


@pages_with("python")
def test_python_blocks_run(page: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "__main__"}
    for block in blocks(page, "python"):
        if ">>>" not in block.body:
            exec(compile("\n" * (block.line - 1) + block.body, str(page), "exec"), names)
            continue
        example = doctest.DocTestParser().get_doctest(block.body, names, page.name, str(page), block.line)
        output: list[str] = []
        runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
        result = runner.run(example, out=output.append, clear_globs=False)
        names = example.globs
        assert result.failed == 0, "".join(output)


@pages_with("cpp")
def test_cpp_blocks_compile(page: Path, tmp_path: Path):
    compiler = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
    assert compiler, "a C++ compiler is needed, as it is to install from a clone"
    for number, block in enumerate(blocks(page, "cpp")):
        source = tmp_path / f"block_{number}.cpp"
        source.write_text(block.body, encoding="utf-8")
        command = [
            compiler,
            "-std=c++17",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-fsyntax-only",
            "-I",
            str(ROOT / "cpp/include"),
        ]
        done = subprocess.run([*command, str(source)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def command_lines(page: Path) -> list[list[str]]:
    lines = [line for block in blocks(page, "console", "bash", "text") for line in block.body.splitlines()]
    shown = [re.sub(r"^\$ ", "", line).split("&&")[-1].partition("#")[0].strip() for line in lines]
    return [shlex.split(line) for line in shown if line.startswith("engagehub ")]


@pytest.mark.parametrize(
    "page", [page for page in PAGES if command_lines(page)], ids=lambda page: page.relative_to(ROOT).as_posix()
)
def test_commands_and_their_options_exist(page: Path):
    from click import Context

    from engagehub_core.cli.root import engagehub

    for words in command_lines(page):
        command = engagehub.get_command(Context(engagehub), words[1])
        assert command is not None, f"{shlex.join(words)}: no such command"
        known = {text for parameter in command.params for text in (*parameter.opts, *parameter.secondary_opts)}
        used = {word.partition("=")[0] for word in words[2:] if word.startswith("--")} - {"--help"}
        assert used <= known, f"{shlex.join(words)}: {sorted(used - known)}"


def test_links_between_pages_lead_somewhere():
    for page in PAGES:
        prose = FENCE.sub("", page.read_text(encoding="utf-8"))
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", prose):
            assert (page.parent / target).exists(), f"{page.relative_to(ROOT)}: {target}"

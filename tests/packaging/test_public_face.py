"""Every public name says what it takes, gives and raises, in sections that tools read, with an example that runs."""

from __future__ import annotations

import ast
import dataclasses
import doctest
import functools
import importlib
import inspect
import pkgutil
import re
from pathlib import Path
from types import GetSetDescriptorType, MemberDescriptorType
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

import engagehub_core

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

#: Beside the package itself; what else lies in it belongs to the command line or is where these names are made.
PUBLIC_MODULES = ("errors", "journal", "prometheus", "sinks", "testing")
SECTION = re.compile(r"^ *([A-Z][A-Za-z ]+)\n *-{3,}$", re.MULTILINE)
KNOWN_SECTIONS = [
    "Parameters",
    "Attributes",
    "Returns",
    "Yields",
    "Raises",
    "Warns",
    "See Also",
    "Notes",
    "References",
    "Examples",
]


class Spoken(NamedTuple):
    """A public thing: its full name, what it is, the class that holds it, and the names its examples may use."""

    name: str
    kind: str
    thing: Any
    owner: type | None
    globs: dict[str, Any]

    @property
    def doc(self) -> str:
        return inspect.getdoc(self.thing) or ""

    @property
    def sections(self) -> list[str]:
        return SECTION.findall(self.doc)

    def section(self, title: str) -> str:
        parts = SECTION.split(self.doc)
        return parts[parts.index(title) + 1] if title in parts else ""


def public_modules() -> list[ModuleType]:
    there = {info.name for info in pkgutil.iter_modules(engagehub_core.__path__)}
    names = [name for name in PUBLIC_MODULES if name in there]
    return [engagehub_core, *(importlib.import_module(f"engagehub_core.{name}") for name in names)]


def members(cls: type) -> Iterator[tuple[str, Any, str]]:
    """Yield the public methods and properties of a class, those of its native base too."""
    seen: set[str] = set()
    for base in cls.__mro__:
        if not base.__module__.startswith("engagehub_core"):
            continue
        for name, member in vars(base).items():
            if name.startswith("_") or name in seen:
                continue
            seen.add(name)
            if isinstance(member, (property, functools.cached_property, GetSetDescriptorType)):
                yield name, member, "property"
            elif callable(getattr(cls, name)) and not isinstance(member, MemberDescriptorType):
                yield name, getattr(cls, name), "method"


def spoken() -> dict[str, Spoken]:
    found: dict[str, Spoken] = {}
    for module in public_modules():
        for name in getattr(module, "__all__", ()):
            thing = getattr(module, name)
            home = getattr(thing, "__module__", None) or ""
            if not callable(thing) or not home.startswith("engagehub_core"):
                continue  # constants, and what the standard library gives (queue.ShutDown)
            full = f"{home}.{thing.__qualname__}"
            globs = {**vars(engagehub_core), **vars(importlib.import_module(home))}
            kind = "function"
            if inspect.isclass(thing):
                kind = "protocol" if getattr(thing, "_is_protocol", False) else "class"
                if issubclass(thing, BaseException):
                    kind = "error"
                elif hasattr(thing, "_fields") or dataclasses.is_dataclass(thing):
                    kind = "record"  # what calls return; their examples show it
                for member_name, member, member_kind in members(thing):
                    one = Spoken(f"{full}.{member_name}", member_kind, member, thing, globs)
                    found[one.name] = one
            found[full] = Spoken(full, kind, thing, None, globs)
    return found


@functools.cache
def stub() -> dict[str, ast.FunctionDef]:
    """Return the functions of the native stub by ``Class.method``."""
    tree = ast.parse(Path(engagehub_core.__file__).with_name("_native.pyi").read_text(encoding="utf-8"))
    found: dict[str, ast.FunctionDef] = {}
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            found.update({f"{node.name}.{sub.name}": sub for sub in node.body if isinstance(sub, ast.FunctionDef)})
        elif isinstance(node, ast.FunctionDef):
            found[node.name] = node
    return found


def signature_of(one: Spoken) -> tuple[list[str], str]:
    """Return the names of the parameters and the text of the return annotation."""
    target = one.thing
    if one.kind == "record":
        return list(getattr(one.thing, "_fields", None) or [field.name for field in dataclasses.fields(one.thing)]), ""
    if one.kind == "class":
        target = next((vars(base)["__init__"] for base in one.thing.__mro__ if "__init__" in vars(base)), None)
    python = inspect.unwrap(getattr(target, "__func__", target))
    if inspect.isfunction(python):
        signature = inspect.signature(python)
        names = [name for name in signature.parameters if name not in {"self", "cls"} and not name.startswith("_")]
        return names, str(signature.return_annotation)
    owner = one.owner or one.thing
    wanted = "__init__" if one.kind == "class" else one.name.rpartition(".")[2]
    for base in owner.__mro__:
        node = stub().get(f"{base.__name__}.{wanted}") if base.__module__ == "engagehub_core._native" else None
        if node is not None:
            arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            names = [argument.arg for argument in arguments if argument.arg not in {"self", "cls"}]
            return names, ast.unparse(node.returns) if node.returns else "None"
    pytest.fail(f"{one.name} is native and has no line in _native.pyi")


ALL = spoken()
WITH_PARAMETERS = {name: one for name, one in ALL.items() if one.kind in {"class", "record", "function", "method"}}
SHOWN = {name: one for name, one in ALL.items() if one.kind in {"class", "function", "method"}}
CALLED = {name: one for name, one in ALL.items() if one.kind in {"function", "method"}}
WITH_EXAMPLES = {name: one for name, one in ALL.items() if ">>>" in one.doc}


def over(chosen: dict[str, Spoken]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("one", list(chosen.values()), ids=list(chosen))


def test_the_walk_reaches_native_methods():
    for name in ("HyperLogLog", "Leaderboard", "MpmcQueue", "SkipList", "TopK"):
        cls = getattr(engagehub_core, name)
        walked = {one.name.rpartition(".")[2] for one in ALL.values() if one.owner is cls}
        inherited = {member for base in cls.__mro__[1:] for member in vars(base) if base is not object}
        assert len(walked & inherited) > 1, name


@pytest.mark.parametrize("module", public_modules(), ids=lambda module: module.__name__)
def test_all_is_sorted_and_true(module: ModuleType):
    names = module.__all__
    assert names == sorted(names)
    assert len(names) == len(set(names))
    for name in names:
        assert hasattr(module, name), name
    assert (module.__doc__ or "").strip().splitlines()[0].endswith((".", ":", "`")), "a module says what it holds"


def test_dir_shows_the_public_names():
    assert set(engagehub_core.__all__) <= set(dir(engagehub_core))
    assert not [name for name in dir(engagehub_core) if name.startswith("_") and not name.startswith("__")]


@over(ALL)
def test_summary_is_one_line_and_a_sentence(one: Spoken):
    lines = one.doc.splitlines()
    assert lines, f"{one.name} has no docstring"
    assert lines[0].endswith("."), lines[0]
    assert len(lines) == 1 or not lines[1].strip(), "an empty line follows the summary"
    assert "self:" not in lines[0], "a signature of pybind11 stands where the summary should"
    assert "->" not in lines[0]


@over(ALL)
def test_sections_are_known_and_in_order(one: Spoken):
    assert set(one.sections) <= set(KNOWN_SECTIONS)
    assert one.sections == sorted(one.sections, key=KNOWN_SECTIONS.index)


@over(WITH_PARAMETERS)
def test_every_parameter_is_described(one: Spoken):
    names, _ = signature_of(one)
    described = one.section("Parameters") + one.section("Attributes")
    for name in names:
        assert re.search(rf"^ *(?:\*?\w+, )*\*{{0,2}}{re.escape(name)}\b.*:", described, re.MULTILINE), (
            f"{one.name}: {name} isn't under Parameters"
        )
    for line in re.findall(r"^(\w+) : ", one.section("Parameters"), re.MULTILINE):
        assert line in names, f"{one.name} has no parameter {line}"


@over(CALLED)
def test_what_is_returned_is_described(one: Spoken):
    _, returned = signature_of(one)
    gives = returned not in {"None", "NoReturn", "Never", "<class 'NoneType'>"}
    assert gives == bool({"Returns", "Yields"} & set(one.sections)), f"{one.name} -> {returned}"


@over(SHOWN)
def test_there_is_an_example(one: Spoken):
    assert ">>>" in one.section("Examples"), f"{one.name} has no example"


@over(WITH_EXAMPLES)
def test_examples_run(one: Spoken, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.chdir(tmp_path)
    example = doctest.DocTestParser().get_doctest(one.doc, dict(one.globs), one.name, None, None)
    output: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    result = runner.run(example, out=output.append)
    assert result.attempted > 0
    assert result.failed == 0, "".join(output)


@pytest.mark.parametrize("name", [n for n in engagehub_core.__all__ if inspect.isclass(getattr(engagehub_core, n))])
def test_native_class_states_its_thread_safety(name: str):
    cls = getattr(engagehub_core, name)
    if any(base.__module__ == "engagehub_core._native" for base in cls.__mro__):
        assert "Thread safety:" in (cls.__doc__ or "")

"""A call that takes an event apart and does nothing with it, compiled from the checkout against Python's headers."""

from __future__ import annotations

import sysconfig
from functools import cache
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engagehub_bench.peers import yardsticks

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["last", "missing", "noop"]


def missing() -> str | None:
    """Return why it can't be compiled, or None."""
    if (reason := yardsticks.missing()) is not None:
        return reason
    return None if (_headers() / "Python.h").is_file() else "Python's headers aren't installed"


def _headers() -> Path:
    return Path(sysconfig.get_path("include"))


@cache
def _module() -> Any:
    path = str(yardsticks.compiled("calls", shared=True, includes=(_headers(),)))
    spec = spec_from_file_location("noop", path, loader=ExtensionFileLoader("noop", path))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def noop() -> Callable[..., bool]:
    """Return the call: ``noop(kind, member, channel, *, at, id=None)``, which is always True."""
    call: Callable[..., bool] = _module().noop
    return call


def last() -> tuple[str, int | str, int | str, int, int | str]:
    """Return kind, member, channel, microseconds and id of the newest call, whose arguments must be alive."""
    found: tuple[str, int | str, int | str, int, int | str] = _module().last()
    return found

"""What tests of the event processor may ask for."""

from __future__ import annotations

import sys

import pytest
from processing import Gate


@pytest.fixture
def gate():
    gate = Gate()
    yield gate
    gate.opened.set()


@pytest.fixture
def unraisable(monkeypatch):
    """Return the list of errors that nobody else was told of."""
    seen = []
    monkeypatch.setattr(sys, "unraisablehook", lambda args: seen.append(args.exc_value))
    return seen

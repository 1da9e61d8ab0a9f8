"""The suite of queues: every row on tiny workloads, and the yardsticks beside what they must be."""

from __future__ import annotations

import pytest

from engagehub_bench.peers import call_noop, queue_rings, yardsticks


@pytest.fixture
def needs_compiler():
    if (reason := yardsticks.missing()) is not None:
        pytest.skip(reason)


@pytest.fixture
def needs_headers():
    if (reason := call_noop.missing()) is not None:
        pytest.skip(reason)


@pytest.mark.usefixtures("needs_compiler")
def test_rings_hand_over_every_item_in_order():
    assert {"Vyukov ring, packed", "Vyukov ring, padded"} <= set(queue_rings.names())
    for name in queue_rings.names():
        for producers, consumers in ((1, 1), (2, 2), (4, 2), (1, 3)):
            nanoseconds = queue_rings.transfer(name, producers, consumers, 60_000)  # more than there are slots
            assert nanoseconds is not None, name
            assert nanoseconds > 0


@pytest.mark.usefixtures("needs_headers")
def test_noop_takes_an_event_apart():
    noop = call_noop.noop()
    number, text = 1 << 60, "mitglied-ä"
    assert noop("message", number, -number, at=1_700_000_000.25) is True
    assert call_noop.last() == ("message", number, -number, 1_700_000_000_250_000, 0)
    assert noop("join", text, "general", at=0.0000015, id=text) is True
    assert call_noop.last() == ("join", text, "general", 2, text)


@pytest.mark.usefixtures("needs_headers")
@pytest.mark.parametrize(
    ("arguments", "keywords", "error"),
    [
        (("", 1, 2), {"at": 1.0}, TypeError),
        ((3, 1, 2), {"at": 1.0}, TypeError),
        (("message", 1.5, 2), {"at": 1.0}, TypeError),
        (("message", 1, None), {"at": 1.0}, TypeError),
        (("message", 1 << 63, 2), {"at": 1.0}, ValueError),
        (("message", 1, 2), {"at": float("nan")}, ValueError),
        (("message", 1, 2), {"at": 1e20}, ValueError),
        (("message", 1, 2), {"at": "now"}, TypeError),
        (("message", 1, 2), {"id": 1}, TypeError),
        (("message", 1, 2), {"at": 1.0, "when": 1.0}, TypeError),
        (("message", 1, 2), {}, TypeError),
        (("message", 1), {"at": 1.0}, TypeError),
        (("message", "\ud800", 2), {"at": 1.0}, UnicodeEncodeError),
    ],
)
def test_noop_refuses_what_no_event_can_be(arguments: tuple[object, ...], keywords: dict[str, object], error):
    with pytest.raises(error):
        call_noop.noop()(*arguments, **keywords)

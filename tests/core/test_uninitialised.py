"""Objects whose ``__init__`` was never called: every method says so, none crashes."""

from __future__ import annotations

import copyreg

import pytest

from engagehub_core import CountMinSketch, DistinctWindow, HyperLogLog, Leaderboard, SkipList, TopK, TotalWindow

CALLS = [
    (Leaderboard, lambda board: board.add("ada", 1)),
    (Leaderboard, lambda board: board.ties),
    (Leaderboard, len),
    (Leaderboard, repr),
    (Leaderboard, lambda board: Leaderboard().merge(board)),
    (SkipList, lambda ranked: ranked.set("ada", 1)),
    (SkipList, list),
    (HyperLogLog, lambda seen: seen.add("ada")),
    (HyperLogLog, lambda seen: HyperLogLog().merge(seen)),
    (HyperLogLog, lambda seen: HyperLogLog() == seen),
    (CountMinSketch, lambda counts: counts.add("ada")),
    (CountMinSketch, lambda counts: counts.total),
    (TopK, lambda trends: trends.add("ada")),
    (TopK, lambda trends: trends.top()),
    (DistinctWindow, lambda window: window.add("ada")),
    (DistinctWindow, lambda window: window.late),
    (TotalWindow, lambda window: window.add(1)),
    (TotalWindow, lambda window: window.total()),
    (TotalWindow, lambda window: TotalWindow("1h").merge(window)),
]


CLASSES = sorted({cls for cls, _ in CALLS}, key=lambda cls: cls.__name__)


@pytest.mark.parametrize("cls", CLASSES)
def test_the_base_of_all_classes_has_no_instances(cls):
    base = cls.__mro__[-2]
    assert base.__name__ == "pybind11_object"
    with pytest.raises(TypeError, match="cannot create 'pybind11"):
        base()
    with pytest.raises(TypeError, match="cannot create 'pybind11"):
        copyreg._reduce_ex(cls.__new__(cls), 1)


@pytest.mark.parametrize(("cls", "call"), CALLS, ids=[f"{cls.__name__}-{n}" for n, (cls, _) in enumerate(CALLS)])
def test_an_object_without_init_raises(cls, call):
    class Careless(cls):
        def __init__(self):  # does not call its base
            pass

    for bare in (lambda: cls.__new__(cls), Careless):
        with pytest.raises(TypeError, match="__init__"):
            call(bare())

"""Copies and pickles of structures, and of subclasses with what their objects hold beside the structure."""

import copy
import pickle

import pytest

from engagehub_core import CountMinSketch, DistinctWindow, HyperLogLog, Leaderboard, SkipList, TopK, TotalWindow

STRUCTURES = [SkipList, Leaderboard, HyperLogLog, CountMinSketch, TopK, DistinctWindow, TotalWindow]
WINDOWS = {DistinctWindow, TotalWindow}


def arguments_of(structure):
    return ("1h", "1m") if structure in WINDOWS else ()


class Named:
    def __init__(self, *arguments, name):
        super().__init__(*arguments)
        self.name = name


class Stating:
    def __getstate__(self):
        return "the state"

    def __setstate__(self, state):
        self.restored = state


def subclasses(prefix, *mixins, **body):
    made = {}
    for structure in STRUCTURES:
        name = prefix + structure.__name__
        made[structure] = type(name, (*mixins, structure), {"__module__": __name__, **body})
        globals()[name] = made[structure]  # where pickle finds it
    return made


NAMED = subclasses("Named", Named)
SLOTTED = subclasses("Slotted", __slots__=("labels",))
STATING = subclasses("Stating", Stating)


def twins_of(original):
    return copy.copy(original), copy.deepcopy(original), pickle.loads(pickle.dumps(original))


@pytest.mark.parametrize("structure", STRUCTURES)
def test_attributes_of_a_subclass_come_along(structure):
    original = NAMED[structure](*arguments_of(structure), name=["weekly"])
    shallow, deep, pickled = twins_of(original)
    for twin in (shallow, deep, pickled):
        assert type(twin) is type(original)
        assert twin.name == ["weekly"]
    assert shallow.name is original.name
    assert deep.name is not original.name


@pytest.mark.parametrize("structure", STRUCTURES)
def test_slots_of_a_subclass_come_along(structure):
    original = SLOTTED[structure](*arguments_of(structure))
    original.labels = {"week": 1}
    for twin in twins_of(original):
        assert twin.labels == {"week": 1}


@pytest.mark.parametrize("structure", STRUCTURES)
def test_a_subclass_that_keeps_its_own_state_is_asked_for_it(structure):
    for twin in twins_of(STATING[structure](*arguments_of(structure))):
        assert twin.restored == "the state"


@pytest.mark.parametrize("structure", STRUCTURES)
def test_an_object_that_holds_itself_is_copied_once(structure):
    original = NAMED[structure](*arguments_of(structure), name=[])
    original.name.append(original)
    for twin in (copy.deepcopy(original), pickle.loads(pickle.dumps(original))):
        assert twin.name[0] is twin


@pytest.mark.parametrize("structure", STRUCTURES)
def test_a_plain_structure_holds_nothing_beside_itself(structure):
    original = structure(*arguments_of(structure))
    for twin in twins_of(original):
        assert type(twin) is structure
        assert not hasattr(twin, "__dict__")

"""Copies and pickles of the structures: a subclass's objects keep what they hold beside the structure."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self


class Copied:
    """What the modules copy and pickle ask for, made of what each structure has."""

    __slots__ = ()

    if TYPE_CHECKING:  # what each structure has

        def copy(self) -> Self:
            """Return an independent structure, without what a subclass's object holds beside it."""

        def _recipe(self) -> tuple[Callable[..., Self], tuple[Any, ...]]:
            """Return what makes the structure again: a callable and arguments that can be pickled."""

    def __copy__(self) -> Self:
        return self.copy()._given(self.__getstate__())

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        twin = memo[id(self)] = self.copy()  # what the object holds may hold the object
        return twin._given(deepcopy(self.__getstate__(), memo))

    def __reduce__(self) -> tuple[Callable[..., Self], tuple[Any, ...], object]:
        return (*self._recipe(), self.__getstate__())

    # As pickle does.
    def _given(self, state: Any) -> Self:
        restore = getattr(self, "__setstate__", None)
        if state is not None and restore is not None:
            restore(state)
            return self
        attributes, slots = state if isinstance(state, tuple) else (state, None)
        if attributes:
            vars(self).update(attributes)
        for name, value in (slots or {}).items():
            setattr(self, name, value)
        return self

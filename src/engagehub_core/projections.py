"""What an event processor keeps current from its events: boards, trends and windows."""

from __future__ import annotations

import numbers
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from engagehub_core import _native
from engagehub_core.distinct_window import DistinctWindow
from engagehub_core.durations import parse_optional
from engagehub_core.errors import InvalidArgument, InvalidType
from engagehub_core.ranking import Leaderboard
from engagehub_core.top_k import TopK

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta
    from typing import Any, Literal, TypeAlias

    from engagehub_core.instants import Instant

    Duration: TypeAlias = str | float | timedelta
    Item: TypeAlias = Literal["member", "channel", "kind", "community"]

__all__ = ["BoardSpec", "ProjectionStats", "TrendSpec", "WindowSpec"]

_ITEMS = ("member", "channel", "kind", "community")
#: What a board takes of points at once, either way.
_LARGEST_POINTS = 1e290
_MOST_COMMUNITIES = 2**24

_Spec = TypeVar("_Spec", "BoardSpec", "TrendSpec", "WindowSpec")


@dataclass(frozen=True, kw_only=True)
class BoardSpec:
    """A board that an event processor keeps current: a :class:`Leaderboard` of members for each community.

    A member gains the points of the event's kind times the event's value, at the event's instant.

    Parameters
    ----------
    points : mapping from str to number, or None, default None
        What an event of a kind is worth, at most 1e290 either way; other kinds are left out. None takes events of every
        kind, each worth 1.
    half_life : str, int, float, timedelta or None, default None
        As of :class:`Leaderboard`, like the next three.
    ties : {"competition", "dense", "ordinal"}, default "competition"
        Which ranks equal scores get.
    order : {"arrival", "member"}, default "arrival"
        How equal scores are listed.
    max_members : int or None, default None
        How many members a board has room for.
    per_community : bool, default True
        Whether each community has a board of its own.
    max_communities : int, default 65536
        How many communities are sure to find room, at most 2**24; see Notes.

    Raises
    ------
    InvalidType, InvalidArgument
        If an argument is refused.

    Notes
    -----
    Immutable, so it may be shared by threads.

    A community has a structure from the first event on that is to change it. Room is given out by 256 lanes, over which
    communities are spread by a hash, so that which of them find room depends on the order of the events alone and not
    on the number of workers. Each lane has room for half as many again as its share, and 16 more: all
    of ``max_communities`` find room (but for a chance below 1 in 10,000), and never more than 1.5 times as many plus
    4,096.

    Examples
    --------
    >>> spec = BoardSpec(half_life="7d", points={"message": 1, "reaction": 0.5})
    >>> spec.points["reaction"]
    0.5
    """

    points: Mapping[str, float] | None = field(default=None, hash=False)
    half_life: Duration | None = None
    ties: Literal["competition", "dense", "ordinal"] = "competition"
    order: Literal["arrival", "member"] = "arrival"
    max_members: int | None = None
    per_community: bool = True
    max_communities: int = 65_536

    def __post_init__(self) -> None:
        object.__setattr__(self, "points", _checked_points(self.points))
        _check_communities(self)
        self._empty()

    def _empty(self) -> Leaderboard:
        return Leaderboard(
            half_life=self.half_life, ties=self.ties, order=self.order, max_members=self.max_members, max_skew=None
        )

    def _rows(self) -> list[tuple[str, float]]:
        return list(self.points.items()) if self.points else []


@dataclass(frozen=True)
class TrendSpec:
    """A trend that an event processor keeps current: a :class:`TopK` of the channels, or of another field, of events.

    Parameters
    ----------
    k : int, default 100
        As of :class:`TopK`, like the next five.
    half_life : str, int, float, timedelta or None, default None
        After which time an event counts half.
    baseline : str, int, float, timedelta or None, default None
        The longer half-life that growth is told against.
    width : int, default 2048
        Cells in a row of the table behind it.
    depth : int, default 4
        Rows of that table.
    key : bytes or None, default None
        16 secret bytes under which items are hashed: where strangers choose them.
    item : {"channel", "member", "kind", "community"}, default "channel"
        Which field of an event is counted; events without it are left out.
    kinds : collection of str, or None, default None
        Events of which kinds count; None is every kind.
    per_community : bool, default False
        Whether each community has a trend of its own.
    max_communities : int, default 65536
        As of :class:`BoardSpec`.

    Raises
    ------
    InvalidType, InvalidArgument
        If an argument is refused.

    Notes
    -----
    Immutable, so it may be shared by threads. A trend takes 64 KiB at the defaults: think of it before you keep one for
    each community.

    Examples
    --------
    >>> TrendSpec(100, half_life="1h").item
    'channel'
    """

    k: int = 100
    half_life: Duration | None = field(default=None, kw_only=True)
    baseline: Duration | None = field(default=None, kw_only=True)
    width: int = field(default=2048, kw_only=True)
    depth: int = field(default=4, kw_only=True)
    key: bytes | None = field(default=None, kw_only=True, repr=False)
    item: Item = field(default="channel", kw_only=True)
    kinds: Collection[str] | None = field(default=None, kw_only=True)
    per_community: bool = field(default=False, kw_only=True)
    max_communities: int = field(default=65_536, kw_only=True)

    def __post_init__(self) -> None:
        _check_item(self)
        object.__setattr__(self, "kinds", _checked_kinds(self.kinds))
        _check_communities(self)
        self._empty()

    def _empty(self) -> TopK:
        return TopK(
            self.k,
            half_life=self.half_life,
            baseline=self.baseline,
            width=self.width,
            depth=self.depth,
            key=self.key,
            max_skew=None,
        )

    def _rows(self) -> list[tuple[str, float]]:
        return [(kind, 1.0) for kind in self.kinds or ()]


@dataclass(frozen=True)
class WindowSpec:
    """A window that an event processor keeps current: a :class:`DistinctWindow` of the members of events.

    Parameters
    ----------
    span : str, int, float or timedelta
        As of :class:`DistinctWindow`, like the next three: the longest window that can be asked for.
    resolution : str, int, float, timedelta or None, default None
        The length of a bucket.
    p : int, default 14
        The precision of each bucket.
    key : bytes or None, default None
        16 secret bytes under which members are hashed: where strangers choose who they are.
    item : {"member", "channel", "kind", "community"}, default "member"
        Which field of an event is counted; events without it are left out.
    kinds : collection of str, or None, default None
        Events of which kinds count; None is every kind.
    per_community : bool, default False
        Whether each community has a window of its own.
    max_communities : int, default 65536
        As of :class:`BoardSpec`.

    Raises
    ------
    InvalidType, InvalidArgument
        If an argument is refused.

    Notes
    -----
    Immutable, so it may be shared by threads.

    Examples
    --------
    >>> WindowSpec("24h", "1h").item
    'member'
    """

    span: Duration
    resolution: Duration | None = None
    p: int = field(default=14, kw_only=True)
    key: bytes | None = field(default=None, kw_only=True, repr=False)
    item: Item = field(default="member", kw_only=True)
    kinds: Collection[str] | None = field(default=None, kw_only=True)
    per_community: bool = field(default=False, kw_only=True)
    max_communities: int = field(default=65_536, kw_only=True)

    def __post_init__(self) -> None:
        _check_item(self)
        object.__setattr__(self, "kinds", _checked_kinds(self.kinds))
        _check_communities(self)
        self._empty()

    def _empty(self) -> DistinctWindow:
        return DistinctWindow(self.span, self.resolution, p=self.p, key=self.key, max_skew=None)

    def _rows(self) -> list[tuple[str, float]]:
        return [(kind, 1.0) for kind in self.kinds or ()]


class ProjectionStats(NamedTuple):
    """The account of a board, trend or window that an event processor keeps current.

    Attributes
    ----------
    skipped : int
        Events that were to change it and couldn't: late for a window, of a community that found no room, with a member
        of the other type than those before, or for want of memory.
    first_reason : str or None
        Why the first of them couldn't.
    communities : int or None
        How many have a structure of their own; None where there is one for all.
    """

    skipped: int
    first_reason: str | None
    communities: int | None


class Projections(_native.Projections):
    """The boards, trends and windows of one event processor, by name.

    Parameters
    ----------
    boards : mapping from str to BoardSpec, or None, default None
        What to keep, by the name to ask for.
    trends : mapping from str to TrendSpec, or None, default None
        Likewise.
    windows : mapping from str to WindowSpec, or None, default None
        Likewise.
    clock : callable, default time.time
        What «now» is where a question doesn't say.
    max_skew : str, int, float, timedelta or None, default "5m"
        What copies of the structures begin with.

    Raises
    ------
    InvalidType, InvalidArgument
        If an argument is refused.

    Notes
    -----
    Thread safety: every method may be called from any thread.
    """

    __slots__ = ()

    def __init__(
        self,
        boards: Mapping[str, BoardSpec] | None = None,
        trends: Mapping[str, TrendSpec] | None = None,
        windows: Mapping[str, WindowSpec] | None = None,
        *,
        clock: Callable[[], Instant] = time.time,
        max_skew: Duration | None = "5m",
    ) -> None:
        super().__init__(
            _section(boards, "boards", BoardSpec),
            _section(trends, "trends", TrendSpec),
            _section(windows, "windows", WindowSpec),
            clock,
            parse_optional(max_skew, "max_skew"),
        )

    def board(self, name: str, community: int | str = "") -> Leaderboard:
        """Return a live board: it can be asked as any other, but only events change it."""
        return Leaderboard._of(self._board(name, community))

    def trend(self, name: str, community: int | str = "") -> TopK:
        """Return a live trend: it can be asked as any other, but only events change it."""
        return TopK._of(self._trend(name, community))

    def window(self, name: str, community: int | str = "") -> DistinctWindow:
        """Return a live window: it can be asked as any other, but only events change it."""
        return DistinctWindow._of(self._window(name, community))

    def stats(self) -> dict[str, dict[str, ProjectionStats]]:
        """Return the account of each, by section (boards, trends, windows) and name."""
        result: dict[str, dict[str, ProjectionStats]] = {"boards": {}, "trends": {}, "windows": {}}
        for section, name, skipped, first_reason, communities in self._accounts():
            result[section][name] = ProjectionStats(skipped, first_reason, communities)
        return result


def _section(specs: Mapping[str, _Spec] | None, argument: str, kind: type[_Spec]) -> list[tuple[Any, ...]]:
    if specs is None:
        return []
    if not isinstance(specs, Mapping):
        message = f"{argument} must be a mapping from str to {kind.__name__}, got {type(specs).__name__}"
        raise InvalidType(message)
    rows = []
    for name, spec in specs.items():
        if not isinstance(name, str):
            message = f"{argument} must have names that are str, got {type(name).__name__}"
            raise InvalidType(message)
        if not isinstance(spec, kind):
            message = f"{argument}[{name!r}] must be a {kind.__name__}, got {type(spec).__name__}"
            raise InvalidType(message)
        limit = spec.max_communities if spec.per_community else None
        rows.append((name, spec._empty(), getattr(spec, "item", None), spec._rows(), limit))
    return rows


def _checked_points(points: Mapping[str, float] | None) -> dict[str, float] | None:
    if points is None:
        return None
    if not isinstance(points, Mapping):
        message = f"points must be a mapping from str to number, got {type(points).__name__}"
        raise InvalidType(message)
    for kind, worth in points.items():
        if not isinstance(kind, str):
            message = f"points must have kinds that are str, got {type(kind).__name__}"
            raise InvalidType(message)
        if isinstance(worth, bool) or not isinstance(worth, numbers.Real):
            message = f"points[{kind!r}] must be int or float, got {type(worth).__name__}"
            raise InvalidType(message)
        if not abs(worth) <= _LARGEST_POINTS:
            message = f"points[{kind!r}] must be a finite number of at most 1e290 either way, got {worth!r}"
            raise InvalidArgument(message)
    if not points:
        message = "points must name a kind, or be None for every kind, got none"
        raise InvalidArgument(message)
    return dict(points)


def _checked_kinds(kinds: Collection[str] | None) -> tuple[str, ...] | None:
    if kinds is None:
        return None
    if isinstance(kinds, str) or not isinstance(kinds, Collection):
        message = f"kinds must be a collection of str, got {type(kinds).__name__}"
        raise InvalidType(message)
    for kind in kinds:
        if not isinstance(kind, str):
            message = f"kinds must be str, got {type(kind).__name__}"
            raise InvalidType(message)
    if not kinds:
        message = "kinds must name a kind, or be None for every kind, got none"
        raise InvalidArgument(message)
    return tuple(kinds)


def _check_item(spec: TrendSpec | WindowSpec) -> None:
    if spec.item not in _ITEMS:
        message = f"item must be 'member', 'channel', 'kind' or 'community', got {spec.item!r}"
        raise InvalidArgument(message)


def _check_communities(spec: BoardSpec | TrendSpec | WindowSpec) -> None:
    if not isinstance(spec.per_community, bool):
        message = f"per_community must be bool, got {type(spec.per_community).__name__}"
        raise InvalidType(message)
    most = spec.max_communities
    if isinstance(most, bool) or not isinstance(most, int):
        message = f"max_communities must be int, got {type(most).__name__}"
        raise InvalidType(message)
    if not 1 <= most <= _MOST_COMMUNITIES:
        message = f"max_communities must be between 1 and 2**24, got {most}"
        raise InvalidArgument(message)

"""A Redis server's sorted set, by the URL that was given; none is ever started.

The set lies under a key of its own, which is deleted before and afterwards.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from engagehub_bench.workloads import Changes

__all__ = ["SUMMARY", "RedisScores", "connected", "malformed", "missing", "use", "version"]

SUMMARY = "ZINCRBY and ZREVRANK of a Redis server, pipelined by 100"

_KEY = "engagehub:bench:scores"
_PIPELINED = 100
_urls: list[str] = []


def malformed(url: str) -> str | None:
    """Return what is wrong with a URL, or None: also where there is no client that could tell."""
    try:
        import redis  # noqa: PLC0415 - only where this peer takes part
    except ImportError:
        return None
    try:
        redis.Redis.from_url(url).connection_pool.make_connection()  # which only reads the options
    except (TypeError, ValueError) as error:
        return str(error)
    return None


def use(url: str) -> None:
    """Name the server that takes part in this process."""
    _urls[:] = [url]


def connected() -> Any:
    """Return a client of the named server."""
    import redis  # noqa: PLC0415 - only where this peer takes part

    return redis.Redis.from_url(_urls[0])


def version() -> str:
    """Return the peer's line in the report."""
    with connected() as client:
        return f"redis-server {client.info('server')['redis_version']}, redis-py {version_of('redis')}"


def missing() -> str | None:
    """Return why the peer can't take part, or None."""
    if not _urls:
        return "no --redis-url was given"
    try:
        version_of("redis")
    except PackageNotFoundError:
        return "redis-py isn't installed"
    import redis  # noqa: PLC0415

    try:
        with connected() as client:
            client.ping()
    except redis.RedisError as error:
        return f"the server doesn't answer: {error}"
    return None


class RedisScores:
    """A sorted set on the server; ties are listed by member."""

    def __init__(self, members: Sequence[int] | Sequence[str], scores: Sequence[float]) -> None:
        self._client = connected()
        self._client.delete(_KEY)
        for start in range(0, len(members), 10_000):
            stop = start + 10_000
            self._client.zadd(_KEY, dict(zip(members[start:stop], scores[start:stop], strict=True)))

    def add_each(self, changes: Changes) -> None:
        """Increment the members' scores, a hundred commands a round trip."""
        pipeline = self._client.pipeline(transaction=False)
        for number, (member, points) in enumerate(zip(changes.members, changes.points, strict=True), 1):
            pipeline.zincrby(_KEY, points, member)
            if number % _PIPELINED == 0:
                pipeline.execute()
        pipeline.execute()

    def rank_each(self, members: Sequence[int | str]) -> None:
        """Ask for the ranks, a hundred commands a round trip."""
        pipeline = self._client.pipeline(transaction=False)
        for number, member in enumerate(members, 1):
            pipeline.zrevrank(_KEY, member)
            if number % _PIPELINED == 0:
                pipeline.execute()
        pipeline.execute()

    def add_timed(self, changes: Changes) -> list[int]:
        """Increment the members' scores, and return the nanoseconds of each round trip."""
        increment, clock, taken = self._client.zincrby, perf_counter_ns, list[int]()
        for member, points in zip(changes.members, changes.points, strict=True):
            began = clock()
            increment(_KEY, points, member)
            taken.append(clock() - began)
        return taken

    def scores(self, members: Iterable[int | str], at: float) -> list[float]:  # noqa: ARG002 - nothing decays here
        """Return the scores."""
        return [float(score) for score in self._client.zmscore(_KEY, list(members))]

    def ranks(self, members: Iterable[int | str]) -> list[int]:
        """Return the 1-based ranks."""
        return [self._client.zrevrank(_KEY, member) + 1 for member in members]

    def close(self) -> None:
        """Delete the set."""
        self._client.delete(_KEY)
        self._client.close()

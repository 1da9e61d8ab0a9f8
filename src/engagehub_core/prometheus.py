"""The accounts of event processors as metrics of Prometheus; needs the extra ``engagehub-core[prometheus]``."""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING, NamedTuple

from engagehub_core.errors import Closed, InvalidArgument, InvalidType
from engagehub_core.processor import EventProcessor

try:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
    from prometheus_client.registry import Collector
except ModuleNotFoundError as error:
    if error.name is None or error.name.partition(".")[0] != "prometheus_client":
        raise
    message = 'engagehub_core.prometheus needs prometheus_client: pip install "engagehub-core[prometheus]"'
    raise ModuleNotFoundError(message, name=error.name) from error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.metrics_core import Metric

    from engagehub_core.processor_stats import ProcessorStats
    from engagehub_core.projections import ProjectionStats

__all__ = ["ProcessorCollector"]

_PREFIX = "engagehub_processor_"

#: Of ProcessorStats. What only grows is a counter, with _total behind its name.
_COUNTERS = {
    "offered": "Events that were offered",
    "accepted": "Events that the processor answers for",
    "duplicate": "Events that were known by their id",
    "delivered": "Events in batches that the sink took",
    "evicted": "Events dropped for newer ones before the sink was given them",
    "written": "Delivered events that the sink wrote",
    "late_duplicates": "Delivered events that only the sink recognised",
    "rejected": "Delivered events that the sink refuses for good",
    "applied": "Events that are in the boards, trends and windows",
    "dead_dropped": "Events that left the full list of dead letters",
    "batches": "Batches that the sink was given",
    "failed_batches": "Batches of which an event was set aside",
    "transactions": "Writes that succeeded",
    "retries": "Writes that repeated one which failed for the moment",
    "timeouts": "Writes that took longer than sink_timeout",
    "forgotten_identities": "Ids that left before dedupe_horizon because there were too many",
}
_GAUGES = {
    "queued": "Accepted events that are in no batch yet",
    "in_flight": "Events of the batch that the sink is working on",
    "dead_lettered": "Events that the sink refused, and that no replay has delivered",
    "dead_kept": "Events in the list of dead letters",
    "identities": "Ids that are remembered",
}
_SECONDS = {
    "lag": "All that was accepted longer ago is in the structures",
    "sink_lag": "All that was accepted longer ago is in a batch",
    "last_success_ago": "Seconds since the sink last took a batch; missing before the first",
}
_REASONS = ("full", "timeout", "future")


class _Account(NamedTuple):
    """What is said of one processor at one moment."""

    name: str
    capacity: int
    stats: ProcessorStats
    structures: dict[str, dict[str, ProjectionStats]]


class ProcessorCollector(Collector):
    """Shows event processors to a registry of ``prometheus_client``.

    Parameters
    ----------
    processor : EventProcessor
        The first one; `watch` adds others.
    name : str, default "default"
        The value of its label ``processor``.

    Raises
    ------
    InvalidType, InvalidArgument
        As `watch`.
    ModuleNotFoundError
        By the import of this module, without the extra ``engagehub-core[prometheus]``.

    Notes
    -----
    Every metric begins with ``engagehub_processor_`` and has the label ``processor``. The numbers of `ProcessorStats`
    have their names, counters ``_total`` and times ``_seconds`` behind them; ``refused_total`` has the label
    ``reason``; ``skipped_total`` and ``communities`` have ``section`` (boards, trends, windows) and ``structure``.
    Beside them are ``capacity`` and ``retrying``, which is 1 while a batch waits to be tried again. Rates are left to
    Prometheus.

    It holds the processors weakly, and says nothing of one that is gone, or that belongs to another process. One that
    is closed keeps its last numbers. A registry takes one collector of this kind, which watches them all.

    Each processor is asked once a scrape, so its numbers belong together. Thread safety: any thread.

    Examples
    --------
    >>> from prometheus_client import CollectorRegistry
    >>> from engagehub_core import EventProcessor
    >>> events = EventProcessor()
    >>> registry = CollectorRegistry()
    >>> registry.register(ProcessorCollector(events, "chat"))
    >>> events.push("message", "ada")
    True
    >>> registry.get_sample_value("engagehub_processor_accepted_total", {"processor": "chat"})
    1
    >>> events.close()
    """

    def __init__(self, processor: EventProcessor, name: str = "default") -> None:
        self._lock = threading.Lock()
        self._watched: dict[str, weakref.ref[EventProcessor]] = {}
        self.watch(processor, name)

    def watch(self, processor: EventProcessor, name: str) -> None:
        """Show one more processor.

        Parameters
        ----------
        processor : EventProcessor
            The processor.
        name : str
            The value of its label ``processor``.

        Raises
        ------
        InvalidType
            If it is no event processor, or the name no str.
        InvalidArgument
            If another processor that is still there has that name.

        Notes
        -----
        O(processors).

        Examples
        --------
        >>> from prometheus_client import CollectorRegistry
        >>> from engagehub_core import EventProcessor
        >>> with EventProcessor() as first, EventProcessor() as second:
        ...     collector = ProcessorCollector(first, "first")
        ...     collector.watch(second, "second")
        ...     registry = CollectorRegistry()
        ...     registry.register(collector)
        ...     registry.get_sample_value("engagehub_processor_capacity", {"processor": "second"})
        16384
        """
        if not isinstance(processor, EventProcessor):
            message = f"processor must be an EventProcessor, got {type(processor).__name__}"
            raise InvalidType(message)
        if not isinstance(name, str):
            message = f"name must be str, got {type(name).__name__}"
            raise InvalidType(message)
        with self._lock:
            there = {known: reference for known, reference in self._watched.items() if reference() is not None}
            if name in there and there[name]() is not processor:
                message = f"name must be another one for each processor, got {name!r} again"
                raise InvalidArgument(message)
            self._watched = {**there, name: weakref.ref(processor)}

    def describe(self) -> Iterator[Metric]:
        """Say the names of all metrics, without a number.

        Yields
        ------
        prometheus_client.metrics_core.Metric
            Each of them, for the registry to find names that are used twice.

        Examples
        --------
        >>> from engagehub_core import EventProcessor
        >>> with EventProcessor() as events:
        ...     [metric.name for metric in ProcessorCollector(events).describe()][:2]
        ['engagehub_processor_offered', 'engagehub_processor_accepted']
        """
        yield from _metrics([])

    def collect(self) -> Iterator[Metric]:
        """Ask the processors.

        Yields
        ------
        prometheus_client.metrics_core.Metric
            Each metric with a number for every processor.

        Notes
        -----
        O(structures) for each processor.

        Examples
        --------
        >>> from engagehub_core import EventProcessor
        >>> with EventProcessor() as events:
        ...     metric = next(ProcessorCollector(events, "chat").collect())
        >>> metric.samples[0].labels, metric.samples[0].value
        ({'processor': 'chat'}, 0)
        """
        with self._lock:
            watched = list(self._watched.items())
        accounts = []
        for name, reference in watched:
            processor = reference()
            if processor is None:
                continue
            try:
                accounts.append(_Account(name, processor.capacity, processor.stats(), processor.structures()))
            except Closed:  # in the child of a fork
                continue
        yield from _metrics(accounts)


def _metrics(accounts: list[_Account]) -> Iterator[Metric]:
    for field, said in _COUNTERS.items():
        counter = CounterMetricFamily(_PREFIX + field, said, labels=["processor"])
        for account in accounts:
            counter.add_metric([account.name], getattr(account.stats, field))
        yield counter
    refused = CounterMetricFamily(_PREFIX + "refused", "Events that were not accepted", labels=["processor", "reason"])
    for account in accounts:
        for reason in _REASONS:
            refused.add_metric([account.name, reason], getattr(account.stats, f"refused_{reason}"))
    yield refused
    for field, said in _GAUGES.items():
        gauge = GaugeMetricFamily(_PREFIX + field, said, labels=["processor"])
        for account in accounts:
            gauge.add_metric([account.name], getattr(account.stats, field))
        yield gauge
    for field, said in _SECONDS.items():
        gauge = GaugeMetricFamily(f"{_PREFIX}{field}_seconds", said, labels=["processor"])
        for account in accounts:
            seconds = getattr(account.stats, field)
            if seconds is not None:
                gauge.add_metric([account.name], seconds)
        yield gauge
    capacity = GaugeMetricFamily(_PREFIX + "capacity", "Events that there is room for", labels=["processor"])
    retrying = GaugeMetricFamily(_PREFIX + "retrying", "Whether a batch waits for a retry", labels=["processor"])
    for account in accounts:
        capacity.add_metric([account.name], account.capacity)
        retrying.add_metric([account.name], int(account.stats.retry_error is not None))
    yield capacity
    yield retrying
    yield from _metrics_of_structures(accounts)


def _metrics_of_structures(accounts: list[_Account]) -> Iterator[Metric]:
    labels = ["processor", "section", "structure"]
    skipped = CounterMetricFamily(_PREFIX + "skipped", "Changes of a structure that could not be made", labels=labels)
    communities = GaugeMetricFamily(_PREFIX + "communities", "Communities with a structure of their own", labels=labels)
    for account in accounts:
        for section, structures in account.structures.items():
            for structure, state in structures.items():
                whose = [account.name, section, structure]
                skipped.add_metric(whose, state.skipped)
                if state.communities is not None:
                    communities.add_metric(whose, state.communities)
    yield skipped
    yield communities

"""The metrics of event processors, as Prometheus would read them."""

from __future__ import annotations

import gc
import os
import subprocess
import sys

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics import exposition
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from engagehub_core import BoardSpec, EventProcessor, ProcessorStats, TrendSpec, WindowSpec
from engagehub_core.errors import InvalidArgument, InvalidType
from engagehub_core.prometheus import ProcessorCollector

AT = 1_700_000_000


def scrape(collector: ProcessorCollector) -> dict[tuple[str, ...], float]:
    """Return the numbers by the name without prefix and the values of the labels, the processor first."""
    registry = CollectorRegistry()
    registry.register(collector)
    numbers = {}
    for family in text_string_to_metric_families(generate_latest(registry).decode()):
        for sample in family.samples:
            assert sample.name.startswith("engagehub_processor_")
            assert family.documentation
            assert (family.type == "counter") == sample.name.endswith("_total")
            key = (sample.name.removeprefix("engagehub_processor_"), *sample.labels.values())
            assert key not in numbers
            numbers[key] = sample.value
    return numbers


def picky(batch):
    if any(event.member == "bob" for event in batch):
        raise ValueError("no bob")


def test_every_number_of_the_account_is_there():
    events = EventProcessor(picky, dedupe_horizon="1h")
    events.push_many({"kind": "k", "member": ["ada", "bob", "cy"], "at": AT, "id": [1, 2, 3]})
    events.push("k", "ada", id=1, at=AT)
    with pytest.raises(InvalidArgument):
        events.push("k", "ada", at=9e9)
    with pytest.raises(Exception, match="set aside"):
        events.close()
    numbers = scrape(ProcessorCollector(events, "chat"))
    stats = events.stats()
    named = {name: value for (name, *labels), value in numbers.items() if labels == ["chat"]}
    for field in set(ProcessorStats._fields) - {"first_error", "retry_error", "skipped"}:
        if field.startswith("refused"):
            continue
        if field.endswith("_per_second"):
            assert not [name for name in named if field in name]
        elif field in {"lag", "sink_lag", "last_success_ago"}:
            assert named[f"{field}_seconds"] == pytest.approx(getattr(stats, field), abs=60)
        elif f"{field}_total" in named:
            assert named[f"{field}_total"] == getattr(stats, field)
        else:
            assert named[field] == getattr(stats, field)
    assert named["offered_total"] == 5
    assert named["accepted_total"] == named["applied_total"] == 3
    assert (named["duplicate_total"], named["delivered_total"]) == (1, 2)
    assert (named["dead_lettered"], named["dead_kept"], named["identities"]) == (1, 1, 3)
    assert (named["capacity"], named["retrying"]) == (16_384, 0)
    refused = {reason: numbers["refused_total", "chat", reason] for reason in ("full", "timeout", "future")}
    assert refused == {"full": 0, "timeout": 0, "future": 1}
    assert named["transactions_total"] > 0


def test_what_may_become_smaller_is_no_counter():
    events = EventProcessor(picky)
    events.push("k", "bob", at=AT)
    with pytest.raises(Exception, match="set aside"):
        events.flush()
    collector = ProcessorCollector(events)
    before = scrape(collector)
    events.replace_sink(lambda batch: None)
    events.replay_dead_letters()
    events.close()
    after = scrape(collector)
    assert (before["dead_lettered", "default"], after["dead_lettered", "default"]) == (1, 0)
    assert all(after[key] >= before[key] for key in before if key[0].endswith("_total"))


def test_structures_have_labels_of_their_own():
    events = EventProcessor(
        boards={"week": BoardSpec()},
        trends={"week": TrendSpec(10)},
        windows={"active": WindowSpec("1h", "1m")},
    )
    events.push("k", 1, "general", at=AT, community="a")
    events.push("k", "ada", "general", at=AT, community="a")  # board and window have members of type int
    events.push("k", 2, "general", at=AT - 86_400, community="b")  # late for the window
    events.close()
    numbers = scrape(ProcessorCollector(events))
    skipped = {key[2:]: value for key, value in numbers.items() if key[0] == "skipped_total"}
    assert skipped == {("boards", "week"): 1, ("trends", "week"): 0, ("windows", "active"): 2}
    assert sum(skipped.values()) == events.stats().skipped
    assert {key[1:]: value for key, value in numbers.items() if key[0] == "communities"} == {
        ("default", "boards", "week"): 2
    }


def test_a_retry_shows():
    def down(batch):
        raise ConnectionError

    events = EventProcessor(down, retry_first=600, retry_max=600)
    events.push("k", "m", at=AT)
    with pytest.raises(TimeoutError):
        events.flush(0.05)
    numbers = scrape(ProcessorCollector(events))
    assert (numbers["retrying", "default"], numbers["in_flight", "default"]) == (1, 1)
    assert ("last_success_ago_seconds", "default") not in numbers
    with pytest.raises(TimeoutError):
        events.close(0)
    assert scrape(ProcessorCollector(events))["queued", "default"] >= 0


def test_one_collector_watches_many_and_keeps_none():
    first, second = EventProcessor(capacity=2), EventProcessor(capacity=4)
    collector = ProcessorCollector(first, "first")
    collector.watch(second, "second")
    collector.watch(second, "second")
    with pytest.raises(InvalidArgument, match="name must be another one for each processor, got 'first' again"):
        collector.watch(second, "first")
    assert scrape(collector)["capacity", "first"] == 2
    assert scrape(collector)["capacity", "second"] == 4
    first.close()
    assert scrape(collector)["capacity", "first"] == 2  # also after it was closed
    del first
    gc.collect()
    numbers = scrape(collector)
    assert numbers
    assert {key[1] for key in numbers} == {"second"}
    third = EventProcessor(capacity=8)
    collector.watch(third, "first")  # the name is free again
    assert scrape(collector)["capacity", "first"] == 8
    third.close()
    second.close()
    del second, third
    gc.collect()
    assert scrape(collector) == {}


def test_a_registry_takes_one_collector():
    with EventProcessor() as events:
        registry = CollectorRegistry()
        registry.register(ProcessorCollector(events, "first"))
        with pytest.raises(ValueError, match="Duplicated timeseries"):
            registry.register(ProcessorCollector(events, "second"))


def test_a_registry_is_not_refused_by_openmetrics():
    with EventProcessor(lambda batch: None, boards={"week": BoardSpec()}) as events:
        events.push("k", "m", at=AT)
        registry = CollectorRegistry(auto_describe=True)
        registry.register(ProcessorCollector(events, 'a "name"\\'))
        families = list(openmetrics.text_string_to_metric_families(exposition.generate_latest(registry).decode()))
        described = {metric.name for metric in ProcessorCollector(events).describe()}
    assert {family.name for family in families} == described
    assert {sample.labels["processor"] for family in families for sample in family.samples} == {'a "name"\\'}


def test_wrong_arguments_are_named():
    with EventProcessor() as events:
        with pytest.raises(InvalidType, match="processor must be an EventProcessor, got object"):
            ProcessorCollector(object())
        with pytest.raises(InvalidType, match="name must be str, got int"):
            ProcessorCollector(events, 1)


def test_without_prometheus_client_the_error_names_the_extra():
    script = """
import sys
sys.modules["prometheus_client"] = None
try:
    import engagehub_core.prometheus
except ModuleNotFoundError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    wanted = 'engagehub_core.prometheus needs prometheus_client: pip install "engagehub-core[prometheus]"\n'
    assert done.stdout == wanted


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")
def test_the_child_of_a_fork_says_nothing_of_its_parents_processors():
    script = """
import os, warnings
from prometheus_client import CollectorRegistry
from engagehub_core import EventProcessor
from engagehub_core.prometheus import ProcessorCollector
warnings.simplefilter("ignore", DeprecationWarning)  # from 3.12 on, about forking with threads
with EventProcessor() as events:
    collector = ProcessorCollector(events)
    child = os.fork()
    if child == 0:
        os._exit(sum(len(metric.samples) for metric in collector.collect()))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert sum(len(metric.samples) for metric in collector.collect()) > 0
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_nothing_else_imports_prometheus_client():
    script = """
import sys
from engagehub_core import EventProcessor
with EventProcessor(lambda batch: None) as events:
    events.push("k", "m")
    events.stats()
assert "prometheus_client" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True)

"""The loop that times: contestants side by side, repeat after repeat, under the same conditions."""

from __future__ import annotations

import gc
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median
from time import get_clock_info, perf_counter, perf_counter_ns, thread_time_ns
from typing import TYPE_CHECKING

from engagehub_bench.calibration import put_ns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = [
    "Contestant",
    "Timed",
    "interleaved",
    "interleaved_by_processor_time",
    "seconds_together",
    "without_collector",
]


#: Some systems count a thread's time in ticks of milliseconds.
_COARSE = 1e-6


def _nothing() -> None:
    pass


@dataclass
class Contestant:
    """One loop that is timed, and what belongs to it.

    Attributes
    ----------
    name : str
        Whose loop it is.
    run : callable
        The whole loop.
    count : int
        How many operations a run makes.
    empty : callable
        The same loop without the operation; its time is subtracted.
    prepare : callable
        Runs before each run, not timed.
    warm_up : callable
        Runs after the calibrating loop, which fills the caches with objects of its own, and isn't timed either.
    """

    name: str
    run: Callable[[], object]
    count: int
    empty: Callable[[], object] = _nothing
    prepare: Callable[[], object] = _nothing
    warm_up: Callable[[], object] = _nothing


@dataclass
class Timed:
    """The repeats of a contestant, in nanoseconds an operation.

    Attributes
    ----------
    raw, overhead : list of float
        What the loop and the empty loop took.
    calibration : list of float
        What the calibrating loop took beside each repeat.
    """

    raw: list[float] = field(default_factory=list)
    overhead: list[float] = field(default_factory=list)
    calibration: list[float] = field(default_factory=list)

    @property
    def samples(self) -> list[float]:
        """The cost of the operation alone, repeat by repeat: without the median of its empty loop."""
        own = median(self.overhead)
        return [max(raw - own, 0.0) for raw in self.raw]


@contextmanager
def without_collector() -> Iterator[None]:
    """Keep Python's cyclic garbage collector out, for everybody in the same way."""
    was_enabled = gc.isenabled()
    gc.collect()
    gc.freeze()  # so that the calibrating loop, which lets the collector work, pays for its own objects only
    gc.disable()
    try:
        yield
    finally:
        gc.unfreeze()
        if was_enabled:
            gc.enable()


def interleaved(
    contestants: Sequence[Contestant],
    repeats: int,
    *,
    clock: Callable[[], int] = perf_counter_ns,
    calibrate: Callable[[], float] = put_ns,
) -> list[Timed]:
    """Run every contestant once to warm up, then all of them in each of so many repeats.

    Parameters
    ----------
    contestants : sequence of Contestant
        Who begins moves on by one with each repeat.
    repeats : int
        At least 1.
    clock : callable, default time.perf_counter_ns
        Nanoseconds.
    calibrate : callable, default calibration.put_ns
        Called beside each repeat of each contestant.

    Returns
    -------
    list of Timed
        As many as contestants, in their order.
    """
    results = [Timed() for _ in contestants]
    with without_collector():
        for repeat in range(-1, repeats):
            for turn in range(len(contestants)):
                which = (turn + repeat) % len(contestants)
                contestant, result = contestants[which], results[which]
                contestant.prepare()
                calibration = calibrate()
                contestant.warm_up()
                overhead = _timed(contestant.empty, contestant.count, clock)
                raw = _timed(contestant.run, contestant.count, clock)
                if repeat >= 0:
                    result.calibration.append(calibration)
                    result.overhead.append(overhead)
                    result.raw.append(raw)
    return results


def interleaved_by_processor_time(contestants: Sequence[Contestant], repeats: int) -> list[Timed]:
    """Do as :func:`interleaved`, but count the processor time of this thread alone.

    For loops that stay in one thread and end within milliseconds, of which another process would take a large part.
    Where that time is coarse, it is what passes.
    """
    is_fine = get_clock_info("thread_time").resolution <= _COARSE
    return interleaved(contestants, repeats, clock=thread_time_ns if is_fine else perf_counter_ns)


def _timed(loop: Callable[[], object], count: int, clock: Callable[[], int]) -> float:
    began = clock()
    loop()
    return (clock() - began) / count


def seconds_together(loops: Sequence[Callable[[], object]]) -> float:
    """Run the loops at the same time, a thread each, and return how long all of them took."""
    start = threading.Barrier(len(loops) + 1)

    def at_once(loop: Callable[[], object]) -> None:
        start.wait()
        loop()

    threads = [threading.Thread(target=at_once, args=(loop,)) for loop in loops]
    for thread in threads:
        thread.start()
    start.wait()
    began = perf_counter()
    for thread in threads:
        thread.join()
    return perf_counter() - began

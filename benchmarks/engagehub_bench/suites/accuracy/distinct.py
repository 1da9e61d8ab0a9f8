"""The error curve of distinct counts: root mean square and mean of the relative error, at 20 points a decade."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from engagehub_bench.peers import data_sketches, hll_package, rhll_package
from engagehub_bench.rows import Case, Row, absent
from engagehub_bench.sketches import PRECISION, OurDistinct
from engagehub_bench.theory import relative_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engagehub_bench.plan import Plan
    from engagehub_bench.sketches import Distinct

__all__ = ["cases", "points_to"]

_POINTS_A_DECADE = 20
_PEERS: dict[str, tuple[str, Callable[[], Distinct]]] = {
    "datasketches": ("datasketches HLL_8", data_sketches.Hll),
    "rhll": ("rhll", rhll_package.Rhll),
    "hll": ("HLL", hll_package.Hll),
}
#: As many items as the sparse form of UltraLogLog holds at the least, with 26 bits of each hash.
_SPARSE_ITEMS = 3 * 2**PRECISION // 16
_SPARSE_REGISTERS = 2**26


def points_to(largest: int) -> list[int]:
    """Return how many different items a curve is measured at: 20 in each decade, from 1 on."""
    exponents = range(int(np.log10(largest) * _POINTS_A_DECADE + 1e-9) + 1)
    return sorted({round(10 ** (exponent / _POINTS_A_DECADE)) for exponent in exponents} | {largest})


def cases(plan: Plan) -> Iterator[Case]:
    """Yield a case of each kind of error for each point; tables for the powers of ten only."""
    points = points_to(plan.sizes[-1])
    contenders: dict[str, Callable[[], Distinct]] = {"HyperLogLog": OurDistinct}
    contenders |= {label: make for name, (label, make) in _PEERS.items() if name in plan.peers}
    errors = {name: np.empty((plan.streams, len(points))) for name in contenders}
    for stream in range(plan.streams):
        numbers = _different(points[-1], (plan.seed, stream))
        for name, make in contenders.items():
            errors[name][stream] = _estimates(make(), numbers, points) / points - 1.0
    lacking = [absent(label) for label, _ in _PEERS.values() if label not in contenders]
    for which, size in enumerate(points):
        of_size = {name: 100 * each[:, which] for name, each in errors.items()}
        measured = [_root_mean_square(name, each) for name, each in of_size.items()]
        is_power = 10 ** round(np.log10(size)) == size
        yield Case("accuracy/HyperLogLog, RMSE", size, "%", [*measured, *lacking, *_theory(size)], "items", is_power)
        biases = [Row(name, [float(each.mean())]) for name, each in of_size.items()]
        yield Case("accuracy/HyperLogLog, bias", size, "%", biases, "items", printed=False)


def _different(count: int, seed: tuple[int, int]) -> Any:
    """Return random int64 above 2^56, of which two are the same in one of a hundred thousand streams of ten million."""
    return np.random.default_rng(seed).integers(1 << 56, 1 << 62, count)


def _estimates(sketch: Distinct, numbers: Any, points: list[int]) -> Any:
    """Return the estimates at the points, as one stream fills the sketch."""
    found = np.empty(len(points))
    held = 0
    for which, point in enumerate(points):
        sketch.add_numbers(numbers[held:point])
        held = point
        found[which] = sketch.estimating()()
    return found


def _root_mean_square(name: str, errors: Any) -> Row:
    """Return the row of a contender at a point, from its errors in percent."""
    root = float(np.sqrt(np.mean(errors**2)))
    streams = len(errors)
    # The mean of squares of normal errors scatters with sqrt(2 / streams) of itself, its root with half of that.
    note = f"± {root / np.sqrt(2 * streams):.4f}; bias {errors.mean():+.4f} ± {errors.std() / np.sqrt(streams):.4f}"
    return Row(name, [root], note=f"{note}; {streams} streams")


def _theory(size: int) -> list[Row]:
    registers = 2**PRECISION
    is_sparse = size <= _SPARSE_ITEMS
    ultra = relative_error(size, _SPARSE_REGISTERS if is_sparse else registers, known_below=0 if is_sparse else 2)
    plain = relative_error(size, registers, known_below=0)
    note = "sparse" if is_sparse else ""
    return [Row("theory, UltraLogLog", [100 * ultra], note=note), Row("theory, HyperLogLog", [100 * plain])]

// SPDX-License-Identifier: MIT
#include "python.hpp"

#include <pybind11/stl.h>

#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <engagehub/sketch/hyperloglog.hpp>
#include <engagehub/sketch/redis_hyperloglog.hpp>

#include "convert.hpp"
#include "guarded.hpp"
#include "made_by_init.hpp"
#include "register.hpp"
#include "sketch_state.hpp"

namespace {

using engagehub::HyperLogLog;
using engagehub::ItemView;
using sketch_state::copy_of;

struct PyHyperLogLog : MadeByInit {
    explicit PyHyperLogLog(HyperLogLog native) : guarded(std::move(native)) {}
    Guarded<HyperLogLog> guarded;
};

unsigned precision(py::handle object) {
    const std::int64_t p = convert::integer(object, "p");
    if (p < HyperLogLog::kLeastPrecision || p > HyperLogLog::kMostPrecision) {
        throw engagehub::InvalidArgument("p must be between 4 and 18, got " + std::to_string(p));
    }
    return static_cast<unsigned>(p);
}

}  // namespace

void register_hyperloglog(py::module_& module) {
    py::class_<PyHyperLogLog>(module, "HyperLogLog", "See engagehub_core.HyperLogLog.")
        .def(py::init([](const PyHyperLogLog& other) {
            return made<PyHyperLogLog>(copy_of(const_cast<PyHyperLogLog&>(other)));
        }))
        .def(py::init([](py::handle p) { return made<PyHyperLogLog>(HyperLogLog(precision(p))); }), py::arg("p"))
        .def_static(
            "_from_bytes",
            [](py::handle data) {
                const convert::BytesView bytes(data, "data");
                return made<PyHyperLogLog>(HyperLogLog::from_bytes(bytes.get()));
            })
        .def_static(
            "_from_redis",
            [](py::handle data) {
                const convert::BytesView bytes(data, "data");
                return made<PyHyperLogLog>(engagehub::hyperloglog_from_redis(bytes.get()));
            })
        .def(
            "add",
            [](PyHyperLogLog& self, py::handle item) {
                const ItemView view = convert::item(item, "item", true);
                self.guarded.with([&](HyperLogLog& native) { native.add(view); });
            },
            py::arg("item"), R"(Add an item; adding it again changes nothing.

Parameters
----------
item : int, str or bytes
    Of the kind of the items before it; bytes count as the text of which they are the UTF-8.

Raises
------
InvalidType, InvalidArgument
    If the item is refused; nothing is changed.

Notes
-----
O(1), and O(2^p / 16) at worst while the sketch is small.

Examples
--------
>>> seen = HyperLogLog()
>>> seen.add("ada")
>>> seen.add("ada")
>>> round(seen.estimate())
1
)")
        .def(
            "update",
            [](PyHyperLogLog& self, py::handle items) {
                const convert::ItemBatch batch(items, "items", true);
                self.guarded.with_released([&](HyperLogLog& native) { native.update(batch, batch.size()); });
            },
            py::arg("items"), R"(Add many items at once; the GIL is released meanwhile.

Parameters
----------
items : sequence of int, str or bytes, or integer array
    All of one kind.

Raises
------
InvalidType, InvalidArgument
    If any item is refused; nothing is changed.

Notes
-----
As add for each.

Examples
--------
>>> seen = HyperLogLog()
>>> seen.update(["ada", "bob", "ada"])
>>> round(seen.estimate())
2
)")
        .def(
            "estimate",
            [](PyHyperLogLog& self) {
                return self.guarded.with([](HyperLogLog& native) { return native.estimate(); });
            },
            R"(Return the estimated number of distinct items.

Returns
-------
float
    Off by 1.04 / sqrt(2 ** p) of the truth (one standard error): 0.81 % at p = 14.

Notes
-----
O(2^p), less while the sketch is small. By Ertl's estimator of 2017.

Examples
--------
>>> seen = HyperLogLog()
>>> seen.update(range(100_000))
>>> abs(seen.estimate() - 100_000) < 2_500
True
)")
        .def(
            "bounds",
            [](PyHyperLogLog& self, py::handle sigma) {
                const double sigmas = convert::number(sigma, "sigma");
                const auto answer = self.guarded.with([&](HyperLogLog& native) { return native.answer(sigmas); });
                return py::make_tuple(answer.low, answer.high);
            },
            py::arg("sigma") = 2, R"(Return bounds of the number of distinct items.

Parameters
----------
sigma : float, default 2
    How many standard errors either way: 1 holds the truth in about 68 % of all streams, 2 in 95 %, 3 in 99.7 %.

Returns
-------
tuple of float
    (low, high). The low one is never below the number of registers in use, which no stream with fewer items can reach.

Raises
------
InvalidType, InvalidArgument
    If sigma isn't a positive number.

Notes
-----
As estimate.

Examples
--------
>>> seen = HyperLogLog()
>>> seen.update(range(100_000))
>>> low, high = seen.bounds(sigma=3)
>>> low <= 100_000 <= high
True
)")
        .def(
            "answer",
            [](PyHyperLogLog& self) {
                return sketch_state::tuple_of(self.guarded.with([](HyperLogLog& native) { return native.answer(); }));
            },
            R"(Return the estimate with its bounds of two standard errors.

Returns
-------
tuple of float
    (estimate, low, high).

Notes
-----
As estimate.

Examples
--------
>>> HyperLogLog().answer()
(0.0, 0.0, 0.0)
)")
        .def(
            "merge",
            [](PyHyperLogLog& self, const py::args& others) { sketch_state::merge(self, others, "HyperLogLog"); },
            R"(Add all items of other sketches.

Parameters
----------
*others : HyperLogLog
    Of any p: the result has the lowest of all.

Raises
------
InvalidType
    If one isn't a HyperLogLog.
Incompatible
    If one holds another kind of item; nothing is changed.

Notes
-----
O(2^p). The state is the one that a single sketch of all items would have, in any order and grouping.

Examples
--------
>>> monday, tuesday = HyperLogLog(), HyperLogLog()
>>> monday.update(["ada", "bob"])
>>> tuesday.update(["bob", "cy"])
>>> monday.merge(tuesday)
>>> round(monday.estimate())
3
)")
        .def(
            "clear", [](PyHyperLogLog& self) { self.guarded.with([](HyperLogLog& native) { native.clear(); }); },
            R"(Forget all items; the kind of item is free again.

Notes
-----
O(1).

Examples
--------
>>> seen = HyperLogLog()
>>> seen.add("ada")
>>> seen.clear()
>>> seen.is_empty
True
)")
        .def("to_bytes", &sketch_state::to_bytes<PyHyperLogLog>, R"(Return the sketch in the library's own format.

Returns
-------
bytes
    Versioned and checksummed; equal sketches give equal bytes on every platform.

Notes
-----
O(2^p), less while the sketch is small.

Examples
--------
>>> HyperLogLog(p=4).to_bytes().hex()
'4548484c01040000000000000000fac820c3'
)")
        .def(
            "to_redis",
            [](PyHyperLogLog& self) {
                return py::bytes(self.guarded.with([](HyperLogLog& native) { return engagehub::to_redis(native); }));
            },
            R"(Return the value that a Redis or Valkey server holds for these items.

``SET key value`` and then PFCOUNT, PFADD and PFMERGE work on it.

Returns
-------
bytes
    The server's sparse form where the server would use it, else its dense form, with the cached count marked as stale.

Raises
------
InvalidArgument
    If p is below 14, the precision of servers; a higher one is brought down to it.

Notes
-----
O(2^p). Text is what ``PFADD key text`` counts; an int is counted as its eight little-endian bytes, so a server must be
given these bytes, not decimal digits.

Examples
--------
>>> seen = HyperLogLog()
>>> seen.update(["a", "b", "c"])
>>> seen.to_redis().hex()
'48594c4c01000000000000000000008060f38050b1844bfb80425a'
)")
        .def("__eq__", &sketch_state::equals<PyHyperLogLog>, py::is_operator())
        .def_property_readonly(
            "p", [](PyHyperLogLog& self) { return self.guarded.with([](HyperLogLog& native) { return native.p(); }); },
            "The precision: 2 ** p registers.")
        .def_property_readonly(
            "is_empty",
            [](PyHyperLogLog& self) {
                return self.guarded.with([](HyperLogLog& native) { return native.is_empty(); });
            },
            "Whether nothing was added.");
}

// SPDX-License-Identifier: MIT
#include "python.hpp"

#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <engagehub/decay/half_life.hpp>
#include <engagehub/sketch/count_min.hpp>
#include <engagehub/sketch/hyperloglog.hpp>
#include <engagehub/sketch/redis_hyperloglog.hpp>
#include <engagehub/sketch/top_k.hpp>

#include "clock.hpp"
#include "convert.hpp"
#include "guarded.hpp"
#include "made_by_init.hpp"
#include "register.hpp"
#include "sketch_state.hpp"

namespace {

using engagehub::CountMinSketch;
using engagehub::HalfLife;
using engagehub::HyperLogLog;
using engagehub::ItemView;
using engagehub::TableSize;
using engagehub::TopK;
using sketch_state::copy_of;

// ---- HyperLogLog

struct PyHyperLogLog : MadeByInit {
    explicit PyHyperLogLog(HyperLogLog native) : guarded(std::move(native)) {}
    Guarded<HyperLogLog> guarded;
};

unsigned precision(py::handle object) {
    const std::int64_t p = convert::integer(object, "p");
    // Out of range either way; the structure says what it must be.
    return p < 0 ? 0U : p > 255 ? 255U : static_cast<unsigned>(p);
}

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

// ---- CountMinSketch

struct PyCountMinSketch : MadeByInit {
    explicit PyCountMinSketch(CountMinSketch native) : guarded(std::move(native)) {}
    Guarded<CountMinSketch> guarded;
};

TableSize table_size(py::handle width, py::handle depth) {
    return {
        static_cast<std::size_t>(convert::natural(width, "width")),
        static_cast<std::size_t>(convert::natural(depth, "depth"))};
}

void register_count_min(py::module_& module) {
    py::class_<PyCountMinSketch>(module, "CountMinSketch", "See engagehub_core.CountMinSketch.")
        .def(py::init([](const PyCountMinSketch& other) {
            return made<PyCountMinSketch>(copy_of(const_cast<PyCountMinSketch&>(other)));
        }))
        .def(
            py::init([](py::handle width, py::handle depth) {
                return made<PyCountMinSketch>(CountMinSketch(table_size(width, depth)));
            }),
            py::arg("width"), py::arg("depth"))
        .def_static(
            "_from_bytes",
            [](py::handle data) {
                const convert::BytesView bytes(data, "data");
                return made<PyCountMinSketch>(CountMinSketch::from_bytes(bytes.get()));
            })
        .def_static(
            "_size_for",
            [](py::handle error, py::handle confidence) {
                const TableSize size = CountMinSketch::size_for(
                    convert::number(error, "error"), convert::number(confidence, "confidence"));
                return py::make_tuple(size.width, size.depth);
            })
        .def(
            "add",
            [](PyCountMinSketch& self, py::handle item, py::handle weight) {
                const ItemView view = convert::item(item, "item", true);
                const std::uint64_t count = convert::natural(weight, "weight");
                self.guarded.with([&](CountMinSketch& native) { native.add(view, count); });
            },
            py::arg("item"), py::arg("weight") = 1, R"(Count an item.

Parameters
----------
item : int, str or bytes
    Of the kind of the items before it; bytes count as the text of which they are the UTF-8.
weight : int, default 1
    How often, 0 or more; 0 changes nothing.

Raises
------
InvalidType, InvalidArgument
    If an argument is refused, or the total would reach 2 ** 64; nothing is changed.

Notes
-----
O(depth).

Examples
--------
>>> counts = CountMinSketch()
>>> counts.add("general", 3)
>>> counts.estimate("general")
3
)")
        .def(
            "update",
            [](PyCountMinSketch& self, py::handle items, py::handle weights) {
                const convert::ItemBatch batch(items, "items", true);
                const convert::NaturalBatch counts(weights, "weights", batch.size());
                self.guarded.with_released([&](CountMinSketch& native) { native.update(batch, counts, batch.size()); });
            },
            py::arg("items"), py::arg("weights") = 1, R"(Count many items at once; the GIL is released meanwhile.

Parameters
----------
items : sequence of int, str or bytes, or integer array
    All of one kind.
weights : int, sequence of int or integer array, default 1
    One for all, or as many as items.

Raises
------
InvalidType, InvalidArgument
    If anything in the batch is refused; nothing is changed.

Notes
-----
As add for each.

Examples
--------
>>> counts = CountMinSketch()
>>> counts.update(["general", "help", "general"])
>>> counts.update(["help"], [5])
>>> counts.estimate("general"), counts.estimate("help"), counts.total
(2, 6, 8)
)")
        .def(
            "estimate",
            [](PyCountMinSketch& self, py::handle item) {
                const ItemView view = convert::item(item, "item", true);
                return self.guarded.with([&](CountMinSketch& native) { return native.estimate(view); });
            },
            py::arg("item"), R"(Return how often an item was counted, or more.

Parameters
----------
item : int, str or bytes
    Any item of the kind that the sketch holds.

Returns
-------
int
    Never below the truth; above it by more than error * total with a probability of at most 1 - confidence.

Raises
------
InvalidType, InvalidArgument
    If the item is refused.

Notes
-----
O(depth).

Examples
--------
>>> counts = CountMinSketch()
>>> counts.add("general", 3)
>>> counts.estimate("general"), counts.estimate("help")
(3, 0)
)")
        .def(
            "bounds",
            [](PyCountMinSketch& self, py::handle item) {
                const ItemView view = convert::item(item, "item", true);
                const auto bounds = self.guarded.with([&](CountMinSketch& native) { return native.bounds(view); });
                return py::make_tuple(bounds.low, bounds.high);
            },
            py::arg("item"), R"(Return bounds of an item's count.

Parameters
----------
item : int, str or bytes
    Any item of the kind that the sketch holds.

Returns
-------
tuple of int
    (low, high). The truth is never above high, and not below low with the probability confidence.

Raises
------
InvalidType, InvalidArgument
    If the item is refused.

Notes
-----
O(depth).

Examples
--------
>>> counts = CountMinSketch()
>>> counts.add("general", 3)
>>> counts.bounds("general")
(3, 3)
)")
        .def(
            "answer",
            [](PyCountMinSketch& self, py::handle item) {
                const ItemView view = convert::item(item, "item", true);
                return sketch_state::tuple_of(
                    self.guarded.with([&](CountMinSketch& native) { return native.bounds(view); }));
            },
            py::arg("item"), R"(Return the estimate of an item's count with its bounds.

Parameters
----------
item : int, str or bytes
    Any item of the kind that the sketch holds.

Returns
-------
tuple of int
    (estimate, low, high); the estimate is the upper bound.

Raises
------
InvalidType, InvalidArgument
    If the item is refused.

Notes
-----
O(depth).

Examples
--------
>>> counts = CountMinSketch()
>>> counts.add("general", 3)
>>> counts.answer("general")
(3, 3, 3)
)")
        .def(
            "merge",
            [](PyCountMinSketch& self, const py::args& others) { sketch_state::merge(self, others, "CountMinSketch"); },
            R"(Add all counts of other sketches.

Parameters
----------
*others : CountMinSketch
    Of the same width and depth.

Raises
------
InvalidType
    If one isn't a CountMinSketch.
Incompatible
    If one has other sizes or holds another kind of item; nothing is changed.
InvalidArgument
    If the total would reach 2 ** 64; nothing is changed.

Notes
-----
O(width * depth). Estimates stay upper bounds. They may be higher than those of one sketch that had counted both streams,
for what conservative updates saved can't be told apart afterwards.

Examples
--------
>>> monday, tuesday = CountMinSketch(), CountMinSketch()
>>> monday.add("general", 3)
>>> tuesday.add("general", 4)
>>> monday.merge(tuesday)
>>> monday.estimate("general"), monday.total
(7, 7)
)")
        .def(
            "clear", [](PyCountMinSketch& self) { self.guarded.with([](CountMinSketch& native) { native.clear(); }); },
            R"(Set all counts to 0; the kind of item is free again.

Notes
-----
O(width * depth).

Examples
--------
>>> counts = CountMinSketch()
>>> counts.add("general", 3)
>>> counts.clear()
>>> counts.total
0
)")
        .def("to_bytes", &sketch_state::to_bytes<PyCountMinSketch>, R"(Return the sketch in the library's own format.

Returns
-------
bytes
    Versioned and checksummed; equal sketches give equal bytes on every platform.

Notes
-----
O(width * depth).

Examples
--------
>>> len(CountMinSketch(width=100, depth=4).to_bytes())
3224
)")
        .def("__eq__", &sketch_state::equals<PyCountMinSketch>, py::is_operator())
        .def_property_readonly(
            "total",
            [](PyCountMinSketch& self) {
                return self.guarded.with([](CountMinSketch& native) { return native.total(); });
            },
            "The sum of all weights, exactly.")
        .def_property_readonly(
            "width",
            [](PyCountMinSketch& self) {
                return self.guarded.with([](CountMinSketch& native) { return native.size().width; });
            },
            "Cells in a row.")
        .def_property_readonly(
            "depth",
            [](PyCountMinSketch& self) {
                return self.guarded.with([](CountMinSketch& native) { return native.size().depth; });
            },
            "Rows.")
        .def_property_readonly(
            "error",
            [](PyCountMinSketch& self) {
                return self.guarded.with([](CountMinSketch& native) { return native.error(); });
            },
            "e / width: what an estimate exceeds the truth by, over the total, at most with the probability "
            "confidence.")
        .def_property_readonly(
            "confidence",
            [](PyCountMinSketch& self) {
                return self.guarded.with([](CountMinSketch& native) { return native.confidence(); });
            },
            "1 - e ** -depth: the probability that an estimate keeps its error.");
}

// ---- TopK

struct PyTopK : MadeByInit {
    PyTopK(TopK native, Clock the_clock) : guarded(std::move(native)), clock(std::move(the_clock)) {}

    // Without a half-life the instant doesn't matter, so the clock isn't asked.
    std::int64_t instant(py::handle at) const {
        if (at.is_none()) return decays ? clock.now() : 0;
        return convert::instant(at);
    }
    convert::InstantBatch instants(py::handle at, std::size_t size) const {
        if (at.is_none()) return convert::InstantBatch::repeated(decays ? clock.now() : 0);
        return convert::InstantBatch(at, "at", size);
    }

    Guarded<TopK> guarded;
    Clock clock;
    bool decays = guarded.with([](TopK& native) { return native.half_life().decays(); });
};

// A row copied out under the lock; Python objects are made after it.
struct OwnedTopRow {
    engagehub::ItemKind kind;
    std::int64_t number;
    std::string text;
    engagehub::Answer answer;
};

void register_top_k(py::module_& module) {
    py::class_<PyTopK>(module, "TopK", "See engagehub_core.TopK.", collects_clock<PyTopK>())
        .def(py::init([](const PyTopK& other) {
            auto& source = const_cast<PyTopK&>(other);
            return made<PyTopK>(copy_of(source), source.clock);
        }))
        .def(
            py::init([](py::handle k, std::int64_t half_life, py::handle width, py::handle depth, py::object clock) {
                Clock checked(std::move(clock), std::nullopt);
                return made<PyTopK>(
                    TopK(
                        static_cast<std::size_t>(convert::natural(k, "k")), HalfLife::of_micros(half_life),
                        table_size(width, depth)),
                    std::move(checked));
            }),
            py::arg("k"), py::arg("half_life"), py::arg("width"), py::arg("depth"), py::arg("clock"))
        .def_static(
            "_from_bytes",
            [](py::handle data, py::object clock) {
                const convert::BytesView bytes(data, "data");
                return made<PyTopK>(TopK::from_bytes(bytes.get()), Clock(std::move(clock), std::nullopt));
            })
        .def(
            "add",
            [](PyTopK& self, py::handle item, py::handle weight, py::handle at) {
                const ItemView view = convert::item(item, "item", true);
                const double value = convert::number(weight, "weight");
                const std::int64_t instant = self.instant(at);
                self.guarded.with([&](TopK& native) { native.add(view, value, instant); });
            },
            py::arg("item"), py::arg("weight") = 1.0, py::arg("at") = py::none(), R"(Count an item.

Parameters
----------
item : int, str or bytes
    Of the kind of the items before it; bytes count as the text of which they are the UTF-8.
weight : int or float, default 1.0
    From 0 to 2 ** 53; 0 changes nothing.
at : int, float, datetime or None, default None
    When it happened; None is now. A late event counts with the weight that is left of it.

Raises
------
InvalidType, InvalidArgument
    If an argument is refused; nothing is changed.

Notes
-----
O(depth + log k).

Examples
--------
>>> trends = TopK(10, half_life="1h")
>>> trends.add("general", at=0)
>>> trends.add("help", at=3600)
>>> [(row.item, row.estimate) for row in trends.top(at=3600)]
[('help', 1.0), ('general', 0.5)]
)")
        .def(
            "update",
            [](PyTopK& self, py::handle items, py::handle weights, py::handle at) {
                const convert::ItemBatch batch(items, "items", true);
                const convert::NumberBatch values(weights, "weights", batch.size());
                const convert::InstantBatch instants = self.instants(at, batch.size());
                self.guarded.with_released([&](TopK& native) { native.update(batch, values, instants, batch.size()); });
            },
            py::arg("items"), py::arg("weights") = 1.0, py::arg("at") = py::none(),
            R"(Count many items at once; the GIL is released meanwhile.

Parameters
----------
items : sequence of int, str or bytes, or integer array
    All of one kind.
weights : number, sequence of numbers or array, default 1.0
    One for all, or as many as items.
at : instant, sequence of instants, array of seconds or None, default None
    One for all, or as many as items; None is now.

Raises
------
InvalidType, InvalidArgument
    If anything in the batch is refused; nothing is changed.

Notes
-----
As add for each.

Examples
--------
>>> trends = TopK(10)
>>> trends.update(["general", "help", "general"])
>>> trends.estimate("general")
2.0
)")
        .def(
            "_top",
            [](PyTopK& self, py::handle n, py::handle at) {
                const std::uint64_t most = convert::natural(n, "n");
                const std::int64_t instant = self.instant(at);
                const auto rows = self.guarded.with([&](TopK& native) {
                    std::vector<OwnedTopRow> owned;
                    for (const TopK::Row& row : native.top(static_cast<std::size_t>(most), instant)) {
                        owned.push_back({row.item.kind, row.item.number, std::string(row.item.text), row.answer});
                    }
                    return owned;
                });
                py::list result(rows.size());
                for (std::size_t i = 0; i < rows.size(); ++i) {
                    const auto& row = rows[i];
                    result[i] = py::make_tuple(
                        sketch_state::item_of({row.kind, row.number, row.text}), row.answer.estimate, row.answer.low,
                        row.answer.high);
                }
                return result;
            })
        .def(
            "estimate",
            [](PyTopK& self, py::handle item, py::handle at) {
                const ItemView view = convert::item(item, "item", true);
                const std::int64_t instant = self.instant(at);
                return self.guarded.with([&](TopK& native) { return native.answer(view, instant).estimate; });
            },
            py::arg("item"), py::arg("at") = py::none(), R"(Return an item's weight, or more.

Parameters
----------
item : int, str or bytes
    Any item of the kind that the sketch holds, among the top k or not.
at : int, float, datetime or None, default None
    As of when, but never before the newest event; None is now.

Returns
-------
float
    The upper bound before it is rounded outwards; the truth where the bounds are equal.

Raises
------
InvalidType, InvalidArgument
    If an argument is refused.

Notes
-----
O(depth).

Examples
--------
>>> trends = TopK(10, half_life="1h")
>>> trends.add("general", 8, at=0)
>>> trends.estimate("general", at=7200)
2.0
)")
        .def(
            "bounds",
            [](PyTopK& self, py::handle item, py::handle at) {
                const ItemView view = convert::item(item, "item", true);
                const std::int64_t instant = self.instant(at);
                const auto answer = self.guarded.with([&](TopK& native) { return native.answer(view, instant); });
                return py::make_tuple(answer.low, answer.high);
            },
            py::arg("item"), py::arg("at") = py::none(), R"(Return bounds of an item's weight.

Parameters
----------
item : int, str or bytes
    Any item of the kind that the sketch holds, among the top k or not.
at : int, float, datetime or None, default None
    As of when, but never before the newest event; None is now.

Returns
-------
tuple of float
    (low, high): the truth is never outside. The low one is what was counted since the item came among the k, 0 for others.

Raises
------
InvalidType, InvalidArgument
    If an argument is refused.

Notes
-----
O(depth).

Examples
--------
>>> trends = TopK(10)
>>> trends.add("general", 3)
>>> trends.bounds("general")
(3.0, 3.0)
)")
        .def(
            "answer",
            [](PyTopK& self, py::handle item, py::handle at) {
                const ItemView view = convert::item(item, "item", true);
                const std::int64_t instant = self.instant(at);
                return sketch_state::tuple_of(
                    self.guarded.with([&](TopK& native) { return native.answer(view, instant); }));
            },
            py::arg("item"), py::arg("at") = py::none(), R"(Return the estimate of an item's weight with its bounds.

Parameters
----------
item : int, str or bytes
    Any item of the kind that the sketch holds, among the top k or not.
at : int, float, datetime or None, default None
    As of when, but never before the newest event; None is now.

Returns
-------
tuple of float
    (estimate, low, high).

Raises
------
InvalidType, InvalidArgument
    If an argument is refused.

Notes
-----
O(depth).

Examples
--------
>>> trends = TopK(10)
>>> trends.add("general", 3)
>>> trends.answer("general")
(3.0, 3.0, 3.0)
)")
        .def(
            "merge", [](PyTopK& self, const py::args& others) { sketch_state::merge(self, others, "TopK"); },
            R"(Add the counts of other sketches.

Parameters
----------
*others : TopK
    Of the same k, half_life, width and depth.

Raises
------
InvalidType
    If one isn't a TopK.
Incompatible
    If one has other sizes or another half-life, or holds another kind of item; nothing is changed.

Notes
-----
O(width * depth + k log k). Bounds add up and stay bounds; they may be wider than those of one sketch that had counted all.

Examples
--------
>>> monday, tuesday = TopK(10), TopK(10)
>>> monday.add("general", 3)
>>> tuesday.add("general", 4)
>>> monday.merge(tuesday)
>>> monday.estimate("general")
7.0
)")
        .def(
            "clear", [](PyTopK& self) { self.guarded.with([](TopK& native) { native.clear(); }); },
            R"(Forget all items; the kind of item is free again.

Notes
-----
O(width * depth).

Examples
--------
>>> trends = TopK(10)
>>> trends.add("general")
>>> trends.clear()
>>> len(trends)
0
)")
        .def(
            "to_bytes", &sketch_state::to_bytes<PyTopK>,
            R"(Return the sketch in the library's own format, without its clock.

Returns
-------
bytes
    Versioned and checksummed; equal sketches give equal bytes on every platform.

Notes
-----
O(width * depth + k log k).

Examples
--------
>>> trends = TopK(10)
>>> trends.add("general")
>>> TopK.from_bytes(trends.to_bytes()) == trends
True
)")
        .def("__eq__", &sketch_state::equals<PyTopK>, py::is_operator())
        .def("__len__", [](PyTopK& self) { return self.guarded.with([](TopK& native) { return native.size(); }); })
        .def_property_readonly(
            "k", [](PyTopK& self) { return self.guarded.with([](TopK& native) { return native.k(); }); },
            "How many items it keeps.")
        .def_property_readonly(
            "width",
            [](PyTopK& self) { return self.guarded.with([](TopK& native) { return native.table_size().width; }); },
            "Cells in a row of the table behind it.")
        .def_property_readonly(
            "depth",
            [](PyTopK& self) { return self.guarded.with([](TopK& native) { return native.table_size().depth; }); },
            "Rows of the table behind it.")
        .def_property_readonly(
            "half_life",
            [](PyTopK& self) -> py::object {
                const std::int64_t micros = self.guarded.with([](TopK& native) { return native.half_life().micros(); });
                if (micros == 0) return py::none();
                return py::float_(convert::seconds(micros));
            },
            "Seconds after which a weight counts half; None without decay.")
        .def_property_readonly("_clock", [](PyTopK& self) { return self.clock.callable(); });
}

}  // namespace

void register_sketches(py::module_& module) {
    register_hyperloglog(module);
    register_count_min(module);
    register_top_k(module);
}

// SPDX-License-Identifier: MIT
#include "python.hpp"

#include <pybind11/stl.h>

#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <engagehub/decay/half_life.hpp>
#include <engagehub/sketch/top_k.hpp>

#include "clock.hpp"
#include "collectable.hpp"
#include "convert.hpp"
#include "fastcall.hpp"
#include "made_by_init.hpp"
#include "register.hpp"
#include "sketch_state.hpp"
#include "trend.hpp"

namespace {

using engagehub::HalfLife;
using engagehub::ItemHash;
using engagehub::ItemView;
using engagehub::TopK;
using sketch_state::copy_of;
using sketch_state::table_size;

// Rows copied out under the lock; Python objects are made after it.
template <class Values>
struct OwnedRow {
    engagehub::ItemKind kind;
    std::int64_t number;
    std::string text;
    Values values;

    static OwnedRow of(const ItemView& item, const Values& its_values) {
        return {item.kind, item.number, std::string(item.text), its_values};
    }
};

// The rows that ask(sketch) answers, as take(row) copies each. Where there are many, others run while they are sorted.
template <class Ask, class Take>
auto owned_rows(Trend& self, const Ask& ask, const Take& take) {
    constexpr std::size_t kMany = 1'000;
    const auto collect = [&](TopK& native) {
        std::vector<decltype(take(ask(native).front()))> rows;
        for (const auto& row : ask(native)) rows.push_back(take(row));
        return rows;
    };
    const bool is_long = self.guarded.with([](TopK& native) { return native.size() > kMany; });
    return is_long ? self.guarded.with_released(collect) : self.guarded.with(collect);
}

template <class Values, class Show>
py::list list_of(const std::vector<OwnedRow<Values>>& rows, const Show& show) {
    py::list result(rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const py::object item = sketch_state::item_of({rows[i].kind, rows[i].number, rows[i].text});
        result[i] = show(item, rows[i].values);
    }
    return result;
}

py::object seconds_or_none(HalfLife half_life) {
    if (!half_life.decays()) return py::none();
    return py::float_(convert::seconds(half_life.micros()));
}

PyObject* add(PyObject* self, PyObject* const* given, Py_ssize_t count, PyObject* keywords) {
    return fastcall::call([&]() -> PyObject* {
        static constexpr fastcall::Signature<3> kSignature{"add", 1, 3, {"item", "weight", "at"}};
        const auto bound = fastcall::bind(kSignature, given, count, keywords);
        auto& trends = fastcall::self_of<Trend>(self);
        const ItemView item = convert::item(bound[0], "item", true);
        const double weight = bound[1] == nullptr ? 1.0 : convert::number(bound[1], "weight");
        const std::int64_t at = trends.clock.change_instant(bound[2] == nullptr ? Py_None : bound[2]);
        trends.changeable().with([&](TopK& native) { native.add(item, weight, at); });
        Py_RETURN_NONE;
    });
}

PyObject* estimate(PyObject* self, PyObject* const* given, Py_ssize_t count, PyObject* keywords) {
    return fastcall::call([&]() -> PyObject* {
        static constexpr fastcall::Signature<2> kSignature{"estimate", 1, 2, {"item", "at"}};
        const auto bound = fastcall::bind(kSignature, given, count, keywords);
        auto& trends = fastcall::self_of<Trend>(self);
        const ItemView item = convert::item(bound[0], "item", true);
        const std::int64_t at = trends.clock.instant(bound[1] == nullptr ? Py_None : bound[1]);
        return PyFloat_FromDouble(trends.guarded.with([&](TopK& native) { return native.answer(item, at).estimate; }));
    });
}

PyMethodDef calls[] = {
    // NOLINT(*-avoid-c-arrays): as Python wants it
    fastcall::definition("add", add, R"(add($self, /, item, weight=1.0, at=None)
--

Count an item.

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
)"),
    fastcall::definition("estimate", estimate, R"(estimate($self, /, item, at=None)
--

Return the likely weight of an item.

Parameters
----------
item : int, str or bytes
    Any item of the kind that the sketch holds, among the top k or not.
at : int, float, datetime or None, default None
    As of when, but never before the newest event; None is now.

Returns
-------
float
    Between the bounds; the truth where they are equal.

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
)"),
};

}  // namespace

void register_top_k(py::module_& module) {
    py::class_<Trend> type(module, "TopK", "See engagehub_core.TopK.", collectable::setup<Trend>());
    for (PyMethodDef& definition : calls) fastcall::add(type, definition);
    type.def(py::init([](const Trend& other) {
            auto& source = const_cast<Trend&>(other);
            return made<Trend>(copy_of(source), source.clock.clock());
        }))
        .def(py::init([](const Live<TopK>& live) { return made<Trend>(live); }), py::arg("live"))
        .def(
            py::init([](py::handle k, std::int64_t half_life, std::int64_t baseline, py::handle width, py::handle depth,
                        py::handle key, py::object clock, std::optional<std::int64_t> max_skew) {
                Clock checked(std::move(clock), max_skew);
                return made<Trend>(
                    TopK(
                        sketch_state::in_range(k, "k", 1, TopK::kMostK, "between 1 and 2^20"),
                        {HalfLife::of_micros(half_life), HalfLife::of_micros(baseline)}, table_size(width, depth),
                        sketch_state::hash_of_key(key)),
                    std::move(checked));
            }),
            py::arg("k"), py::arg("half_life"), py::arg("baseline"), py::arg("width"), py::arg("depth"), py::arg("key"),
            py::arg("clock"), py::arg("max_skew"))
        .def_static(
            "_from_bytes",
            [](py::handle data, py::handle key, py::object clock, std::optional<std::int64_t> max_skew) {
                const convert::BytesView bytes(data, "data");
                const ItemHash given = sketch_state::hash_of_key(key);
                return made<Trend>(TopK::from_bytes(bytes.get(), given), Clock(std::move(clock), max_skew));
            })
        .def(
            "update",
            [](Trend& self, py::handle items, py::handle weights, py::handle at) {
                auto& guarded = self.changeable();
                convert::require_order(items, "items", weights, "weights");
                convert::require_order(items, "items", at, "at");
                const convert::ItemBatch batch(items, "items", true);
                const convert::NumberBatch values(weights, "weights", batch.size());
                values.require_each(engagehub::decayed_sum::require_weight<convert::Argument>);
                const convert::InstantBatch instants = self.clock.change_instants(at, batch.size());
                guarded.with_released([&](TopK& native) { native.update(batch, values, instants, batch.size()); });
            },
            py::arg("items"), py::arg("weights") = 1.0, py::arg("at") = py::none(),
            R"(Count many items at once; the GIL is released meanwhile.

Parameters
----------
items : sequence of int, str or bytes, or integer array
    All of one kind; a set only with one weight and one instant for all.
weights : number, sequence of numbers or array, default 1.0
    One for all, or as many as items; from 0 to 2 ** 53.
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
            [](Trend& self, py::handle n, py::handle at) {
                const std::uint64_t most = convert::natural(n, "n");
                const std::int64_t instant = self.clock.instant(at);
                const auto rows = owned_rows(
                    self, [&](TopK& native) { return native.top(static_cast<std::size_t>(most), instant); },
                    [](const TopK::Row& row) { return OwnedRow<engagehub::Answer>::of(row.item, row.answer); });
                return list_of(rows, [](const py::object& item, const engagehub::Answer& answer) {
                    return py::make_tuple(item, answer.estimate, answer.low, answer.high);
                });
            })
        .def(
            "_growth",
            [](Trend& self, py::handle n, py::handle at) {
                const std::uint64_t most = convert::natural(n, "n");
                const std::int64_t instant = self.clock.instant(at);
                const auto rows = owned_rows(
                    self, [&](TopK& native) { return native.growth(static_cast<std::size_t>(most), instant); },
                    [](const TopK::GrowthRow& row) { return OwnedRow<engagehub::Growth>::of(row.item, row.growth); });
                return list_of(rows, [](const py::object& item, const engagehub::Growth& growth) {
                    return py::make_tuple(item, growth.rate, growth.baseline, growth.ratio, growth.score);
                });
            })
        .def(
            "bounds",
            [](Trend& self, py::handle item, py::handle at) {
                const ItemView view = convert::item(item, "item", true);
                const std::int64_t instant = self.clock.instant(at);
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
    (low, high): the truth is never outside. The low one is what was counted since the item became a candidate, 0 for
    others.

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
            [](Trend& self, py::handle item, py::handle at) {
                const ItemView view = convert::item(item, "item", true);
                const std::int64_t instant = self.clock.instant(at);
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
            "merge",
            [](Trend& self, const py::args& others) {
                self.changeable();
                sketch_state::merge(self, others, "TopK");
            },
            R"(Add the counts of other sketches.

Parameters
----------
*others : TopK
    Of the same k, half_life, baseline, width, depth and key.

Raises
------
InvalidType
    If one isn't a TopK.
Incompatible
    If one has other sizes, half-lives or another key, or holds another kind of item; nothing is changed.

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
            "clear", [](Trend& self) { self.changeable().with([](TopK& native) { native.clear(); }); },
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
            "to_bytes", &sketch_state::to_bytes<Trend>,
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
        .def("__eq__", &sketch_state::equals<Trend>, py::is_operator())
        .def("__len__", [](Trend& self) { return self.guarded.with([](TopK& native) { return native.size(); }); })
        .def_property_readonly(
            "k", [](Trend& self) { return self.guarded.with([](TopK& native) { return native.k(); }); },
            "How many items it keeps.")
        .def_property_readonly(
            "width",
            [](Trend& self) { return self.guarded.with([](TopK& native) { return native.table_size().width; }); },
            "Cells in a row of the table behind it.")
        .def_property_readonly(
            "depth",
            [](Trend& self) { return self.guarded.with([](TopK& native) { return native.table_size().depth; }); },
            "Rows of the table behind it.")
        .def_property_readonly(
            "half_life",
            [](Trend& self) {
                return seconds_or_none(self.guarded.with([](TopK& native) { return native.half_life(); }));
            },
            "Seconds after which a weight counts half; None without decay.")
        .def_property_readonly(
            "baseline",
            [](Trend& self) {
                return seconds_or_none(self.guarded.with([](TopK& native) { return native.baseline(); }));
            },
            "Seconds of the half-life that growth is told against; None without one.")
        .def_property_readonly(
            "hash",
            [](Trend& self) {
                return sketch_state::name_of_hash(self.guarded.with([](TopK& native) { return native.hash(); }));
            },
            "The hash that finds items: \"redis\", or \"keyed\".")
        .def_property_readonly(
            "_key",
            [](Trend& self) {
                return sketch_state::key_of(self.guarded.with([](TopK& native) { return native.hash(); }));
            })
        .def_property_readonly(
            "nbytes", [](Trend& self) { return self.guarded.with([](TopK& native) { return native.nbytes(); }); },
            "How many bytes of memory the sketch takes now: the tables, and the candidates with their texts.")
        .def_property_readonly(
            "clock", [](Trend& self) { return self.clock.clock().callable(); },
            "What answers «now»: the constructor's argument.")
        .def_property_readonly(
            "max_skew", [](Trend& self) { return self.clock.clock().max_skew_seconds(); },
            "Seconds that a stamp may be ahead of the clock; None trusts every stamp.");
}

// SPDX-License-Identifier: MIT
#include "python.hpp"

#include <pybind11/stl.h>

#include <cstdint>
#include <memory>
#include <utility>

#include <engagehub/window/distinct_window.hpp>

#include "clock.hpp"
#include "collectable.hpp"
#include "convert.hpp"
#include "fastcall.hpp"
#include "register.hpp"
#include "sketch_state.hpp"
#include "window_state.hpp"

namespace {

using engagehub::DistinctWindow;
using engagehub::ItemHash;
using engagehub::ItemView;
using window_state::MaybeMicros;

using PyDistinctWindow = window_state::Window<DistinctWindow>;

ItemHash hash_of(PyDistinctWindow& window) {
    return window.guarded.with([](DistinctWindow& native) { return native.hash(); });
}

PyObject* add(PyObject* self, PyObject* const* given, Py_ssize_t count, PyObject* keywords) {
    return fastcall::call([&]() -> PyObject* {
        static constexpr fastcall::Signature<2> kSignature{"add", 1, 2, {"member", "at"}};
        const auto bound = fastcall::bind(kSignature, given, count, keywords);
        auto& window = fastcall::self_of<PyDistinctWindow>(self);
        const ItemView member = convert::item(bound[0], "member", true);
        const std::int64_t at = window.clock.change_instant(bound[1] == nullptr ? Py_None : bound[1]);
        return PyBool_FromLong(
            window.changeable().with([&](DistinctWindow& native) { return native.add(member, at) ? 1 : 0; }));
    });
}

PyMethodDef add_definition = fastcall::definition("add", add, R"(add($self, /, member, at=None)
--

Count a member as present at an instant.

Parameters
----------
member : int, str or bytes
    Of the kind of the members before it; bytes count as the text of which they are the UTF-8.
at : int, float, datetime or None, default None
    When; None is now.

Returns
-------
bool
    Whether it was counted. False if the instant is older than the span before the newest event: then only late grows.

Raises
------
InvalidType, InvalidArgument
    If an argument is refused, as an instant more than max_skew ahead of the clock is; nothing is changed.

Notes
-----
O(log buckets), and as HyperLogLog.add.

Examples
--------
>>> window = DistinctWindow("24h", resolution="1h", max_skew=None)
>>> window.add("ada", at=86_400)
True
>>> window.add("bob", at=0), window.late
(False, 1)
)");

constexpr window_state::Docs kDocs = {
    R"(Add all members of other windows.

Parameters
----------
*others : DistinctWindow
    Of the same span and resolution; of any p: the result has the lowest of all.

Raises
------
InvalidType
    If one isn't a DistinctWindow.
Incompatible
    If one has another span or resolution, holds another kind of member, or hashes otherwise; nothing is changed.
InvalidArgument
    If there would be more than 2 ** 62 late events.

Notes
-----
O(buckets * (2^p + log buckets)). The ring ends at the newest event of all; what lies before its span is dropped. late adds up.

Examples
--------
>>> one, two = DistinctWindow("24h", max_skew=None), DistinctWindow("24h", max_skew=None)
>>> _ = one.add("ada", at=0), two.add("bob", at=3600)
>>> one.merge(two)
>>> round(one.estimate(at=3600))
2
)",
    R"(Forget all members and the count of late ones; the kind of member is free again.

Notes
-----
O(buckets).

Examples
--------
>>> window = DistinctWindow("24h")
>>> window.add("ada")
True
>>> window.clear()
>>> window.estimate()
0.0
)",
    R"(Return the window in the library's own format, without its clock and max_skew.

Returns
-------
bytes
    Versioned and checksummed; equal windows give equal bytes on every platform.

Notes
-----
O(buckets * 2^p), less while they hold few members.

Examples
--------
>>> DistinctWindow("24h").to_bytes().hex()
'454844570200a493d600000000180000000e00000000000000000000000000009dbe3d28'
)"};

}  // namespace

void register_distinct_window(py::module_& module) {
    py::class_<PyDistinctWindow> type(
        module, "DistinctWindow", "See engagehub_core.DistinctWindow.", collectable::setup<PyDistinctWindow>());
    window_state::add_members(type, "DistinctWindow", kDocs);
    type.def(py::init([](const Live<DistinctWindow>& live) { return made<PyDistinctWindow>(live); }), py::arg("live"))
        .def(
            py::init([](std::int64_t span, MaybeMicros resolution, py::handle p, py::handle hash, py::handle ints,
                        py::handle key, py::object clock, MaybeMicros max_skew) {
                Clock checked(std::move(clock), max_skew);
                const unsigned bits = sketch_state::precision(p);
                const ItemHash item_hash = sketch_state::item_hash(hash, ints, key);
                const std::int64_t step =
                    window_state::resolution_or(resolution, DistinctWindow::default_resolution(span));
                return made<PyDistinctWindow>(DistinctWindow(span, step, bits, item_hash), std::move(checked));
            }),
            py::arg("span"), py::arg("resolution"), py::arg("p"), py::arg("hash"), py::arg("ints"), py::arg("key"),
            py::arg("clock"), py::arg("max_skew"))
        .def_static(
            "_from_bytes",
            [](py::handle data, py::handle key, py::object clock, MaybeMicros max_skew) {
                const ItemHash hash = sketch_state::hash_of_key(key);
                const convert::BytesView bytes(data, "data");
                return made<PyDistinctWindow>(
                    DistinctWindow::from_bytes(bytes.get(), hash), Clock(std::move(clock), max_skew));
            })
        .def(
            "update",
            [](PyDistinctWindow& self, py::handle members, py::handle at) {
                auto& guarded = self.changeable();
                convert::require_order(members, "members", at, "at");
                const convert::ItemBatch batch(members, "members", true);
                const convert::InstantBatch instants = self.clock.change_instants(at, batch.size());
                return guarded.with_released(
                    [&](DistinctWindow& native) { return native.update(batch, instants, batch.size()); });
            },
            py::arg("members"), py::arg("at") = py::none(),
            R"(Count many members at once; the GIL is released meanwhile.

Parameters
----------
members : sequence of int, str or bytes, or integer array
    All of one kind.
at : instant, sequence of instants, array of seconds or None, default None
    One for all, or as many as members; None is now.

Returns
-------
int
    How many were counted; the others were late.

Raises
------
InvalidType, InvalidArgument
    If anything in the batch is refused; nothing is changed.

Notes
-----
As add for each.

Examples
--------
>>> window = DistinctWindow("24h", resolution="1h", max_skew=None)
>>> window.update(["ada", "bob", "ada"], at=[0, 3600, 7200])
3
)")
        .def(
            "_answer",
            [](PyDistinctWindow& self, MaybeMicros window, py::handle at, py::handle sigma) {
                const double sigmas = convert::number(sigma, "sigma");
                return sketch_state::tuple_of(
                    self.ask(window, at, [&](DistinctWindow& native, std::int64_t length, std::int64_t instant) {
                        return native.answer(length, instant, sigmas);
                    }));
            })
        .def(
            "_series",
            [](PyDistinctWindow& self, MaybeMicros window, py::handle at) {
                const std::int64_t instant = self.clock.instant(at);
                return self.guarded.with_released(
                    [&](DistinctWindow& native) { return native.series(window ? *window : native.span(), instant); });
            })
        .def_property_readonly(
            "p",
            [](PyDistinctWindow& self) { return self.guarded.with([](DistinctWindow& native) { return native.p(); }); },
            "The precision: 2 ** p registers a bucket.")
        .def_property_readonly(
            "hash", [](PyDistinctWindow& self) { return sketch_state::name_of_hash(hash_of(self)); },
            "How members are hashed: \"redis\", \"postgresql\" or \"keyed\".")
        .def_property_readonly(
            "ints",
            [](PyDistinctWindow& self) {
                return hash_of(self).scheme() == ItemHash::Scheme::kRedisDecimal ? "decimal" : "bytes";
            },
            "What of an int is hashed: its eight little-endian \"bytes\", or its \"decimal\" digits.")
        .def_property_readonly("_key", [](PyDistinctWindow& self) { return sketch_state::key_of(hash_of(self)); });
    fastcall::add(type, add_definition);
}

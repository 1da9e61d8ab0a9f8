// SPDX-License-Identifier: MIT
#include "python.hpp"

#include <pybind11/stl.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include <engagehub/window/distinct_window.hpp>

#include "clock.hpp"
#include "collectable.hpp"
#include "convert.hpp"
#include "guarded.hpp"
#include "made_by_init.hpp"
#include "register.hpp"
#include "sketch_state.hpp"

namespace {

using engagehub::DistinctWindow;
using engagehub::ItemView;
using sketch_state::copy_of;

struct PyDistinctWindow : MadeByInit {
    PyDistinctWindow(DistinctWindow native, Clock the_clock)
        : guarded(std::move(native)), clock(std::move(the_clock)) {}
    Guarded<DistinctWindow> guarded;
    int traverse(visitproc visit, void* arg) const { return clock.traverse(visit, arg); }
    void clear() { clock.clear(); }

    Clock clock;
};

using MaybeMicros = std::optional<std::int64_t>;

}  // namespace

void register_distinct_window(py::module_& module) {
    py::class_<PyDistinctWindow>(
        module, "DistinctWindow", "See engagehub_core.DistinctWindow.", collectable::setup<PyDistinctWindow>())
        .def(py::init([](const PyDistinctWindow& other) {
            auto& source = const_cast<PyDistinctWindow&>(other);
            return made<PyDistinctWindow>(copy_of(source), source.clock);
        }))
        .def(
            py::init([](std::int64_t span, MaybeMicros resolution, py::handle p, py::object clock,
                        MaybeMicros max_skew) {
                Clock checked(std::move(clock), max_skew);
                const std::int64_t precision = convert::integer(p, "p");
                const unsigned bits = precision < 0 ? 0U : precision > 255 ? 255U : static_cast<unsigned>(precision);
                const std::int64_t step = resolution ? *resolution : DistinctWindow::default_resolution(span);
                return made<PyDistinctWindow>(DistinctWindow(span, step, bits), std::move(checked));
            }),
            py::arg("span"), py::arg("resolution"), py::arg("p"), py::arg("clock"), py::arg("max_skew"))
        .def_static(
            "_from_bytes",
            [](py::handle data, py::object clock, MaybeMicros max_skew) {
                const convert::BytesView bytes(data, "data");
                return made<PyDistinctWindow>(
                    DistinctWindow::from_bytes(bytes.get()), Clock(std::move(clock), max_skew));
            })
        .def(
            "add",
            [](PyDistinctWindow& self, py::handle member, py::handle at) {
                const ItemView view = convert::item(member, "member", true);
                const std::int64_t instant = self.clock.change_instant(at);
                return self.guarded.with([&](DistinctWindow& native) { return native.add(view, instant); });
            },
            py::arg("member"), py::arg("at") = py::none(), R"(Count a member as present at an instant.

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
)")
        .def(
            "update",
            [](PyDistinctWindow& self, py::handle members, py::handle at) {
                const convert::ItemBatch batch(members, "members", true);
                const convert::InstantBatch instants = self.clock.change_instants(at, batch.size());
                return self.guarded.with_released(
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
                const std::int64_t instant = self.clock.instant(at);
                const double sigmas = convert::number(sigma, "sigma");
                return sketch_state::tuple_of(self.guarded.with_released([&](DistinctWindow& native) {
                    return native.answer(window ? *window : native.span(), instant, sigmas);
                }));
            })
        .def(
            "_interval",
            [](PyDistinctWindow& self, MaybeMicros window, py::handle at) {
                const std::int64_t instant = self.clock.instant(at);
                const auto covered = self.guarded.with(
                    [&](DistinctWindow& native) { return native.interval(window ? *window : native.span(), instant); });
                return py::make_tuple(convert::seconds(covered.start), convert::seconds(covered.end));
            })
        .def(
            "merge",
            [](PyDistinctWindow& self, const py::args& others) { sketch_state::merge(self, others, "DistinctWindow"); },
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
    If one has another span or resolution, or holds another kind of member; nothing is changed.

Notes
-----
O(buckets * 2^p). The ring ends at the newest event of all; what lies before its span is dropped. late adds up.

Examples
--------
>>> one, two = DistinctWindow("24h", max_skew=None), DistinctWindow("24h", max_skew=None)
>>> _ = one.add("ada", at=0), two.add("bob", at=3600)
>>> one.merge(two)
>>> round(one.estimate(at=3600))
2
)")
        .def(
            "clear", [](PyDistinctWindow& self) { self.guarded.with([](DistinctWindow& native) { native.clear(); }); },
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
)")
        .def(
            "to_bytes", &sketch_state::to_bytes<PyDistinctWindow>,
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
'454844570100a493d600000000180000000e000000000000000000000000000b5aad1b'
)")
        .def("__eq__", &sketch_state::equals<PyDistinctWindow>, py::is_operator())
        .def_property_readonly(
            "late",
            [](PyDistinctWindow& self) {
                return self.guarded.with([](DistinctWindow& native) { return native.late(); });
            },
            "How many events were too old for the ring.")
        .def_property_readonly(
            "span",
            [](PyDistinctWindow& self) {
                return convert::seconds(self.guarded.with([](DistinctWindow& native) { return native.span(); }));
            },
            "Seconds that the ring holds, in whole buckets.")
        .def_property_readonly(
            "resolution",
            [](PyDistinctWindow& self) {
                return convert::seconds(self.guarded.with([](DistinctWindow& native) { return native.resolution(); }));
            },
            "Seconds of one bucket.")
        .def_property_readonly(
            "p",
            [](PyDistinctWindow& self) { return self.guarded.with([](DistinctWindow& native) { return native.p(); }); },
            "The precision: 2 ** p registers a bucket.")
        .def_property_readonly(
            "clock", [](PyDistinctWindow& self) { return self.clock.callable(); },
            "What answers «now»: the constructor's argument.")
        .def_property_readonly(
            "max_skew", [](PyDistinctWindow& self) { return self.clock.max_skew_seconds(); },
            "Seconds that a stamp may be ahead of the clock; None trusts every stamp.");
}

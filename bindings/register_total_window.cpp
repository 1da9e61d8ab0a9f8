// SPDX-License-Identifier: MIT
#include "python.hpp"

#include <pybind11/stl.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <utility>
#include <variant>
#include <vector>

#include <engagehub/window/total_window.hpp>

#include "clock.hpp"
#include "collectable.hpp"
#include "convert.hpp"
#include "fastcall.hpp"
#include "register.hpp"
#include "sketch_state.hpp"
#include "window_state.hpp"

namespace {

using engagehub::Total;
using engagehub::TotalWindow;
using window_state::MaybeMicros;

using PyTotalWindow = window_state::Window<TotalWindow>;

// In a batch, with the place of the value in it.
template <class... Index>
Total total_of(const convert::Exact& value, Index... index) {
    return std::visit([&](auto number) { return Total::of(number, index...); }, value);
}

// An int where every value was one, else a float.
py::object number_of(const Total& total) {
    if (total.is_float) return py::float_(total.sum.to_double());
    const auto& words = total.sum.words();
    const auto low = static_cast<std::int64_t>(words[1]);
    if (words[2] == (low < 0 ? ~std::uint64_t{0} : 0)) return py::int_(low);
    const py::int_ high(static_cast<std::int64_t>(words[2]));
    return (high << py::int_(64)) | py::int_(words[1]);
}

PyObject* add(PyObject* self, PyObject* const* given, Py_ssize_t count, PyObject* keywords) {
    return fastcall::call([&]() -> PyObject* {
        static constexpr fastcall::Signature<2> kSignature{"add", 0, 2, {"value", "at"}};
        const auto bound = fastcall::bind(kSignature, given, count, keywords);
        auto& window = fastcall::self_of<PyTotalWindow>(self);
        const Total value =
            bound[0] == nullptr ? Total::of(std::int64_t{1}) : total_of(convert::exact(bound[0], "value"));
        const std::int64_t at = window.clock.change_instant(bound[1] == nullptr ? Py_None : bound[1]);
        return PyBool_FromLong(window.guarded.with([&](TotalWindow& native) { return native.add(value, at) ? 1 : 0; }));
    });
}

PyMethodDef add_definition = fastcall::definition("add", add, R"(add($self, /, value=1, at=None)
--

Count an event and add its value at an instant.

Parameters
----------
value : int or float, default 1
    What the event adds: an int of 64 bits, or a finite float of at most 2 ** 63 either way.
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
O(1), for an event out of order O(log buckets).

Examples
--------
>>> points = TotalWindow("24h", resolution="1h", max_skew=None)
>>> points.add(5, at=86_400)
True
>>> points.add(3, at=0), points.late
(False, 1)
)");

constexpr window_state::Docs kDocs = {
    R"(Add all events of other windows.

Parameters
----------
*others : TotalWindow
    Of the same span and resolution.

Raises
------
InvalidType
    If one isn't a TotalWindow.
Incompatible
    If one has another span or resolution; nothing is changed.
InvalidArgument
    If there would be more than 2 ** 62 events, or as many late ones.

Notes
-----
O(buckets log buckets). The ring ends at the newest event of all; what lies before its span is dropped. late adds up.

Examples
--------
>>> one, two = TotalWindow("24h", max_skew=None), TotalWindow("24h", max_skew=None)
>>> _ = one.add(2, at=0), two.add(3, at=3600)
>>> one.merge(two)
>>> one.total(at=3600)
5
)",
    R"(Forget all events and the count of late ones.

Notes
-----
O(buckets).

Examples
--------
>>> points = TotalWindow("24h")
>>> points.add(5)
True
>>> points.clear()
>>> points.total()
0
)",
    R"(Return the window in the library's own format, without its clock and max_skew.

Returns
-------
bytes
    Versioned and checksummed; equal windows give equal bytes on every platform.

Notes
-----
O(buckets).

Examples
--------
>>> TotalWindow("24h").to_bytes().hex()
'454854570100a493d6000000001800000000000000000000000000000001374c13'
)"};

}  // namespace

void register_total_window(py::module_& module) {
    py::class_<PyTotalWindow> type(
        module, "TotalWindow", "See engagehub_core.TotalWindow.", collectable::setup<PyTotalWindow>());
    window_state::add_members(type, "TotalWindow", kDocs);
    type.def(
            py::init([](std::int64_t span, MaybeMicros resolution, py::object clock, MaybeMicros max_skew) {
                Clock checked(std::move(clock), max_skew);
                const std::int64_t step =
                    window_state::resolution_or(resolution, TotalWindow::default_resolution(span));
                return made<PyTotalWindow>(TotalWindow(span, step), std::move(checked));
            }),
            py::arg("span"), py::arg("resolution"), py::arg("clock"), py::arg("max_skew"))
        .def_static(
            "_from_bytes",
            [](py::handle data, py::object clock, MaybeMicros max_skew) {
                const convert::BytesView bytes(data, "data");
                return made<PyTotalWindow>(TotalWindow::from_bytes(bytes.get()), Clock(std::move(clock), max_skew));
            })
        .def(
            "update",
            [](PyTotalWindow& self, py::handle values, py::handle at) {
                convert::require_order(values, "values", at, "at");
                const convert::ExactBatch batch(values, "values");
                const convert::InstantBatch instants = self.clock.change_instants(at, batch.size());
                return self.guarded.with_released([&](TotalWindow& native) {
                    std::vector<Total> totals;
                    totals.reserve(batch.size());
                    for (std::size_t i = 0; i < batch.size(); ++i) totals.push_back(total_of(batch[i], i));
                    return native.update(totals, instants, totals.size());
                });
            },
            py::arg("values"), py::arg("at") = py::none(),
            R"(Count many events at once; the GIL is released meanwhile.

Parameters
----------
values : sequence of int or float, or array of numbers
    What each event adds.
at : instant, sequence of instants, array of seconds or None, default None
    One for all, or as many as values; None is now.

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
>>> points = TotalWindow("24h", resolution="1h", max_skew=None)
>>> points.update([5, 1, 2], at=[0, 3600, 7200])
3
)")
        .def(
            "_total",
            [](PyTotalWindow& self, MaybeMicros window, py::handle at) {
                return number_of(
                    self.ask(window, at, [](TotalWindow& native, std::int64_t length, std::int64_t instant) {
                        return native.total(length, instant);
                    }));
            })
        .def(
            "_count",
            [](PyTotalWindow& self, MaybeMicros window, py::handle at) {
                return self.ask(window, at, [](TotalWindow& native, std::int64_t length, std::int64_t instant) {
                    return native.count(length, instant);
                });
            })
        .def("_series", [](PyTotalWindow& self, MaybeMicros window, py::handle at) {
            const auto totals =
                self.ask(window, at, [](TotalWindow& native, std::int64_t length, std::int64_t instant) {
                    return native.series(length, instant);
                });
            py::list result;
            for (const Total& total : totals) result.append(number_of(total));
            return result;
        });
    fastcall::add(type, add_definition);
}

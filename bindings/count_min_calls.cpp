// SPDX-License-Identifier: MIT
// The methods of CountMinSketch that are called once an event or an item.
#include "python.hpp"

#include <cstdint>

#include "convert.hpp"
#include "count_min.hpp"
#include "fastcall.hpp"

namespace {

using namespace count_min;
using engagehub::ItemView;

py::handle or_none(PyObject* given) { return given == nullptr ? py::handle(Py_None) : py::handle(given); }

PyObject* add(PyObject* self, PyObject* const* given, Py_ssize_t count, PyObject* keywords) {
    return fastcall::call([&]() -> PyObject* {
        static constexpr fastcall::Signature<3> kSignature{"add", 1, 3, {"item", "weight", "at"}};
        const auto bound = fastcall::bind(kSignature, given, count, keywords);
        auto& sketch = fastcall::self_of<Sketch>(self);
        const ItemView item = convert::item(bound[0], "item", true);
        if (sketch.decays()) {
            const double weight = bound[1] == nullptr ? 1.0 : convert::number(bound[1], "weight");
            const std::int64_t at = sketch.clock.change_instant(or_none(bound[2]));
            sketch.guarded.with([&](EitherSketch& native) { native.decayed().add(item, weight, at); });
        } else {
            const std::uint64_t weight = bound[1] == nullptr ? 1 : convert::unsigned_word(bound[1], "weight");
            sketch.clock.change_instant(or_none(bound[2]));
            sketch.guarded.with([&](EitherSketch& native) { native.plain().add(item, weight); });
        }
        Py_RETURN_NONE;
    });
}

PyObject* estimate(PyObject* self, PyObject* const* given, Py_ssize_t count, PyObject* keywords) {
    return fastcall::call([&]() -> PyObject* {
        static constexpr fastcall::Signature<2> kSignature{"estimate", 1, 2, {"item", "at"}};
        const auto bound = fastcall::bind(kSignature, given, count, keywords);
        auto& sketch = fastcall::self_of<Sketch>(self);
        const ItemView item = convert::item(bound[0], "item", true);
        const std::int64_t at = sketch.clock.instant(or_none(bound[1]));
        if (sketch.decays()) {
            return PyFloat_FromDouble(
                sketch.guarded.with([&](EitherSketch& native) { return native.decayed().estimate(item, at); }));
        }
        return PyLong_FromUnsignedLongLong(
            sketch.guarded.with([&](EitherSketch& native) { return native.plain().estimate(item); }));
    });
}

// clang-format off
PyMethodDef add_definition = fastcall::definition("add", add, R"doc(add($self, /, item, weight=1, at=None)
--

Count an item.

Parameters
----------
item : int, str or bytes
    Of the kind of the items before it; bytes count as the text of which they are the UTF-8.
weight : int, default 1
    How often, 0 to 2 ** 64 - 1; 0 changes nothing. With a half-life also a float, up to 2 ** 53.
at : int, float, datetime or None, default None
    When it happened; None is now. A late event counts with the weight that is left of it. Without a half-life it makes
    no difference.

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
)doc");

PyMethodDef estimate_definition = fastcall::definition("estimate", estimate, R"doc(estimate($self, /, item, at=None)
--

Return how often an item was counted, or more.

Parameters
----------
item : int, str or bytes
    Any item of the kind that the sketch holds.
at : int, float, datetime or None, default None
    As of when, but never before the newest event; None is now. Without a half-life it makes no difference.

Returns
-------
int or float
    Never below the truth (with a half-life but for rounding, which bounds takes into account); above it by more than
    error * total with a probability of at most 1 - confidence. An int, or with a half-life a float.

Raises
------
InvalidType, InvalidArgument
    If an argument is refused.

Notes
-----
O(depth).

Examples
--------
>>> counts = CountMinSketch()
>>> counts.add("general", 3)
>>> counts.estimate("general"), counts.estimate("help")
(3, 0)
>>> lately = CountMinSketch(half_life="1h")
>>> lately.add("general", 8, at=0)
>>> lately.estimate("general", at=2 * 3600)
2.0
)doc");
// clang-format on

}  // namespace

namespace count_min {

void add_calls(py::handle type) {
    for (PyMethodDef* definition : {&add_definition, &estimate_definition}) fastcall::add(type, *definition);
}

}  // namespace count_min

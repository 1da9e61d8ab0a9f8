// SPDX-License-Identifier: MIT
#include "python.hpp"

#include <pybind11/stl.h>

#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <engagehub/sketch/count_min.hpp>

#include "convert.hpp"
#include "guarded.hpp"
#include "made_by_init.hpp"
#include "register.hpp"
#include "sketch_state.hpp"

namespace {

using engagehub::CountMinSketch;
using engagehub::ItemView;
using sketch_state::copy_of;
using sketch_state::table_size;

struct PyCountMinSketch : MadeByInit {
    explicit PyCountMinSketch(CountMinSketch native) : guarded(std::move(native)) {}
    Guarded<CountMinSketch> guarded;
};

}  // namespace

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
                const engagehub::TableSize size = CountMinSketch::size_for(
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

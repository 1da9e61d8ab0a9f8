// SPDX-License-Identifier: MIT
#include "python.hpp"

#include <pybind11/stl.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include <engagehub/decay/half_life.hpp>
#include <engagehub/sketch/cell_table.hpp>
#include <engagehub/sketch/item_hash.hpp>

#include "clock.hpp"
#include "collectable.hpp"
#include "convert.hpp"
#include "count_min.hpp"
#include "made_by_init.hpp"
#include "register.hpp"
#include "sketch_state.hpp"

namespace {

using namespace count_min;
using engagehub::HalfLife;
using engagehub::ItemHash;
using engagehub::ItemView;
using engagehub::TableSize;

using Skew = std::optional<std::int64_t>;

std::unique_ptr<Sketch> sketch_of_options(
    py::handle width, py::handle depth, py::handle cell_bits, std::int64_t half_life, py::object clock, Skew max_skew,
    py::handle key) {
    Clock checked(std::move(clock), max_skew);
    const TableSize size = sketch_state::table_size(width, depth);
    const std::uint64_t bits = sketch_state::in_range(cell_bits, "cell_bits", 32, 64, "64 or 32");
    const ItemHash hash = sketch_state::hash_of_key(key);
    if (half_life == 0) return made<Sketch>(EitherSketch(CountMinSketch(size, bits, hash)), std::move(checked));
    if (bits != 64) {
        throw engagehub::InvalidArgument(
            "cell_bits must be 64 where there is a half_life, got " + std::to_string(bits));
    }
    return made<Sketch>(EitherSketch(DecayedCountMin(size, HalfLife::of_micros(half_life), hash)), std::move(checked));
}

std::unique_ptr<Sketch> sketch_of_other(const Sketch& other) {
    auto& source = const_cast<Sketch&>(other);
    return made<Sketch>(sketch_state::copy_of(source), source.clock.clock());
}

std::unique_ptr<Sketch> sketch_of_bytes(py::handle data, py::handle key, py::object clock, Skew max_skew) {
    const convert::BytesView bytes(data, "data");
    const ItemHash hash = sketch_state::hash_of_key(key);
    Clock checked(std::move(clock), max_skew);
    return made<Sketch>(EitherSketch::from_bytes(bytes.get(), hash), std::move(checked));
}

void update(Sketch& self, py::handle items, py::handle weights, py::handle at) {
    convert::require_order(items, "items", weights, "weights");
    convert::require_order(items, "items", at, "at");
    const convert::HashBatch batch(items, "items", self.hash);
    if (self.decays()) {
        const convert::NumberBatch values(weights, "weights", batch.size());
        values.require_each(engagehub::decayed_sum::require_weight<convert::Argument>);
        const convert::InstantBatch instants = self.clock.change_instants(at, batch.size());
        self.guarded.with_released(
            [&](EitherSketch& native) { native.decayed().update(batch, values, instants, batch.size()); });
    } else {
        const convert::UnsignedBatch counts(weights, "weights", batch.size());
        self.clock.change_instants(at, batch.size());
        self.guarded.with_released([&](EitherSketch& native) { native.plain().update(batch, counts, batch.size()); });
    }
}

// Calls take(answer), whose numbers are of the sketch's own type.
template <class Take>
py::tuple with_answer(Sketch& self, py::handle item, py::handle at, Take&& take) {
    const ItemView view = convert::item(item, "item", true);
    const std::int64_t instant = self.clock.instant(at);
    if (self.decays())
        return take(self.guarded.with([&](EitherSketch& native) { return native.decayed().answer(view, instant); }));
    return take(self.guarded.with([&](EitherSketch& native) { return native.plain().bounds(view); }));
}

py::tuple bounds(Sketch& self, py::handle item, py::handle at) {
    return with_answer(self, item, at, [](const auto& answer) { return py::make_tuple(answer.low, answer.high); });
}

py::tuple answer(Sketch& self, py::handle item, py::handle at) {
    return with_answer(self, item, at, [](const auto& answer) { return sketch_state::tuple_of(answer); });
}

void merge(Sketch& self, const py::args& others) { sketch_state::merge(self, others, "CountMinSketch"); }

void clear(Sketch& self) {
    self.guarded.with_released([](EitherSketch& native) { native.clear(); });
}

py::object total(Sketch& self) {
    if (self.decays())
        return py::float_(self.guarded.with([](EitherSketch& native) { return native.decayed().total(); }));
    return py::int_(self.guarded.with([](EitherSketch& native) { return native.plain().total(); }));
}

unsigned cell_bits(Sketch& self) {
    return self.guarded.with([](EitherSketch& native) { return native.cell_bits(); });
}

std::size_t nbytes(Sketch& self) {
    return self.guarded.with([](EitherSketch& native) { return native.nbytes(); });
}

py::object half_life(Sketch& self) {
    if (!self.decays()) return py::none();
    const auto micros = self.guarded.with([](EitherSketch& native) { return native.half_life_micros(); });
    return py::float_(convert::seconds(micros));
}

py::object key(Sketch& self) { return sketch_state::key_of(self.hash); }

// A property that is read from the size.
template <class Read>
auto of_size(Read read) {
    return [read](Sketch& sketch) {
        return read(sketch.guarded.with(
            [](EitherSketch& native) { return native.visit([](const auto& one) { return one.size(); }); }));
    };
}

}  // namespace

void register_count_min(py::module_& module) {
    py::class_<Sketch> type(
        module, "CountMinSketch", "See engagehub_core.CountMinSketch.", collectable::setup<Sketch>());
    type.def(py::init(&sketch_of_other))
        .def(
            py::init(&sketch_of_options), py::arg("width"), py::arg("depth"), py::arg("cell_bits"),
            py::arg("half_life"), py::arg("clock"), py::arg("max_skew"), py::arg("key"))
        .def_static("_from_bytes", &sketch_of_bytes)
        .def_static("_size_for", [](py::handle error, py::handle confidence) {
            const TableSize size =
                TableSize::for_error(convert::number(error, "error"), convert::number(confidence, "confidence"));
            return py::make_tuple(size.width, size.depth);
        });
    type.def(
            "update", &update, py::arg("items"), py::arg("weights") = 1, py::arg("at") = py::none(),
            R"(Count many items at once; the GIL is released once a list's items are hashed.

Parameters
----------
items : sequence of int, str or bytes, or integer array
    All of one kind; a set only with one weight and one instant for all. An array of 64-bit integers is read where it
    is, so other threads shouldn't write to it meanwhile.
weights : int, sequence of int or integer array, default 1
    One for all, or as many as items: 0 to 2 ** 64 - 1, or with a half-life also floats, up to 2 ** 53.
at : instant, sequence of instants, array of seconds or None, default None
    One for all, or as many as items; None is now. Without a half-life it makes no difference.

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
            "bounds", &bounds, py::arg("item"), py::arg("at") = py::none(),
            R"(Return bounds of an item's count.

Parameters
----------
item : int, str or bytes
    Any item of the kind that the sketch holds.
at : int, float, datetime or None, default None
    As of when, but never before the newest event; None is now. Without a half-life it makes no difference.

Returns
-------
tuple of int or of float
    (low, high). The truth is never above high, and not below low with the probability confidence. With a half-life both
    are floats, rounded outwards.

Raises
------
InvalidType, InvalidArgument
    If an argument is refused.

Notes
-----
O(depth). Where all 32-bit cells of an item are saturated, all that is known is the total: high is the total then.

Examples
--------
>>> counts = CountMinSketch()
>>> counts.add("general", 3)
>>> counts.bounds("general")
(3, 3)
)")
        .def(
            "answer", &answer, py::arg("item"), py::arg("at") = py::none(),
            R"(Return the estimate of an item's count with its bounds.

Parameters
----------
item : int, str or bytes
    Any item of the kind that the sketch holds.
at : int, float, datetime or None, default None
    As of when, but never before the newest event; None is now. Without a half-life it makes no difference.

Returns
-------
tuple of int or of float
    (estimate, low, high) as from estimate and bounds, at one moment.

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
>>> counts.answer("general")
(3, 3, 3)
)")
        .def("merge", &merge, R"(Add all counts of other sketches.

Parameters
----------
*others : CountMinSketch
    Of the same width, depth, cell_bits, half_life and key.

Raises
------
InvalidType
    If one isn't a CountMinSketch.
Incompatible
    If one has other options, or holds another kind of item; nothing is changed.
InvalidArgument
    If the total would reach 2 ** 64; nothing is changed.

Notes
-----
O(width * depth). Estimates stay upper bounds. They may be higher than those of one sketch that had counted both streams,
for what conservative updates saved can't be told apart afterwards. Saturated cells stay saturated.

Examples
--------
>>> monday, tuesday = CountMinSketch(), CountMinSketch()
>>> monday.add("general", 3)
>>> tuesday.add("general", 4)
>>> monday.merge(tuesday)
>>> monday.estimate("general"), monday.total
(7, 7)
)")
        .def("clear", &clear, R"(Set all counts to 0; the kind of item is free again.

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
        .def(
            "to_bytes", &sketch_state::to_bytes<Sketch>,
            R"(Return the sketch in the library's own format.

Returns
-------
bytes
    Versioned and checksummed; equal sketches give equal bytes on every platform. A key isn't in them, the clock and
    max_skew aren't either.

Notes
-----
O(width * depth).

Examples
--------
>>> len(CountMinSketch(width=100, depth=4).to_bytes())
3225
)")
        .def("__eq__", &sketch_state::equals<Sketch>, py::is_operator())
        .def_property_readonly(
            "total", &total,
            "The sum of all weights, exactly; with a half-life what is left of it at the newest event.")
        .def_property_readonly("width", of_size([](TableSize size) { return size.width; }), "Cells in a row.")
        .def_property_readonly("depth", of_size([](TableSize size) { return size.depth; }), "Rows.")
        .def_property_readonly("cell_bits", &cell_bits, "Bits of a cell: 64, or 32 that saturate.")
        .def_property_readonly(
            "error", of_size([](TableSize size) { return size.error(); }),
            "e / width: what an estimate exceeds the truth by, over the total, at most with the probability "
            "confidence.")
        .def_property_readonly(
            "confidence", of_size([](TableSize size) { return size.confidence(); }),
            "1 - e ** -depth: the probability that an estimate keeps its error.")
        .def_property_readonly("half_life", &half_life, "In seconds, or None.")
        .def_property_readonly(
            "clock", [](Sketch& self) { return self.clock.clock().callable(); },
            "What answers at=None where there is a half-life.")
        .def_property_readonly(
            "max_skew", [](Sketch& self) { return self.clock.clock().max_skew_seconds(); }, "In seconds, or None.")
        .def_property_readonly(
            "hash", [](Sketch& self) { return sketch_state::name_of_hash(self.hash); },
            "The hash that finds items: \"redis\", or \"keyed\".")
        .def_property_readonly(
            "nbytes", &nbytes, "How many bytes of memory the sketch takes: the cells, and a few more.")
        .def_property_readonly("_key", &key);
    add_calls(type);
}

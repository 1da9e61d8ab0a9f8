// SPDX-License-Identifier: MIT
#include "python.hpp"

#include <pybind11/stl.h>

#include <string>
#include <utility>
#include <vector>

#include <engagehub/sketch/hyperloglog.hpp>
#include <engagehub/sketch/redis_hyperloglog.hpp>

#include "convert.hpp"
#include "fastcall.hpp"
#include "guarded.hpp"
#include "made_by_init.hpp"
#include "postgresql_value.hpp"
#include "register.hpp"
#include "sketch_state.hpp"

namespace {

using engagehub::HyperLogLog;
using engagehub::ItemHash;
using engagehub::ItemView;

struct PyHyperLogLog : MadeByInit {
    explicit PyHyperLogLog(HyperLogLog native) : hash(native.hash()), guarded(std::move(native)) {}

    const ItemHash hash;  // of the native sketch, which keeps it for life
    Guarded<HyperLogLog> guarded;
};

// Some microseconds at the usual precision, for which letting go of the GIL would cost more.
HyperLogLog copy_of(PyHyperLogLog& bound) {
    return bound.guarded.with([](HyperLogLog& native) { return native; });
}

HyperLogLog copy_of_other(PyObject* other) {
    if (!py::isinstance<PyHyperLogLog>(other))
        throw engagehub::InvalidType("others must be HyperLogLog, got " + convert::type_name(other));
    return copy_of(fastcall::self_of<PyHyperLogLog>(other));
}

PyObject* merge(PyObject* self, PyObject* const* given, Py_ssize_t count, PyObject* keywords) {
    return fastcall::call([&]() -> PyObject* {
        if (keywords != nullptr && PyTuple_GET_SIZE(keywords) != 0)
            throw py::type_error("merge() takes no keyword arguments");
        auto& sketch = fastcall::self_of<PyHyperLogLog>(self);
        if (count == 1) {
            const HyperLogLog other = copy_of_other(given[0]);
            sketch.guarded.with([&](HyperLogLog& native) { native.merge(other); });
            Py_RETURN_NONE;
        }
        std::vector<HyperLogLog> others;
        others.reserve(static_cast<std::size_t>(count));
        for (Py_ssize_t i = 0; i < count; ++i) others.push_back(copy_of_other(given[i]));
        sketch.guarded.with([&](HyperLogLog& native) {
            HyperLogLog merged = native;
            for (const HyperLogLog& other : others) merged.merge(other);
            native = std::move(merged);
        });
        Py_RETURN_NONE;
    });
}

PyObject* add(PyObject* self, PyObject* const* given, Py_ssize_t count, PyObject* keywords) {
    return fastcall::call([&]() -> PyObject* {
        static constexpr fastcall::Signature<1> kSignature{"add", 1, 1, {"item"}};
        const auto bound = fastcall::bind(kSignature, given, count, keywords);
        auto& sketch = fastcall::self_of<PyHyperLogLog>(self);
        const ItemView item = convert::item(bound[0], "item", true);
        sketch.guarded.with([&](HyperLogLog& native) { native.add(item); });
        Py_RETURN_NONE;
    });
}

PyObject* estimate(PyObject* self, PyObject* const* given, Py_ssize_t count, PyObject* keywords) {
    return fastcall::call([&]() -> PyObject* {
        static constexpr fastcall::Signature<0> kSignature{"estimate", 0, 0, {}};
        fastcall::bind(kSignature, given, count, keywords);
        auto& sketch = fastcall::self_of<PyHyperLogLog>(self);
        return PyFloat_FromDouble(sketch.guarded.with([](HyperLogLog& native) { return native.estimate(); }));
    });
}

PyMethodDef calls[] = {
    // NOLINT(*-avoid-c-arrays): as Python wants it
    fastcall::definition("merge", merge, R"(merge($self, /, *others)
--

Add all items of other sketches.

Parameters
----------
*others : HyperLogLog
    Of any p: the result has the lowest of all, and the grade "plain" if any has it.

Raises
------
InvalidType
    If one isn't a HyperLogLog.
Incompatible
    If one holds another kind of item, or hashes otherwise or under another key; nothing is changed.

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
)"),
    fastcall::definition("add", add, R"(add($self, /, item)
--

Add an item; adding it again changes nothing.

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
O(1), and once O(2^p), when the registers take over from the tokens of single items.

Examples
--------
>>> seen = HyperLogLog()
>>> seen.add("ada")
>>> seen.add("ada")
>>> round(seen.estimate())
1
)"),
    fastcall::definition("estimate", estimate, R"(estimate($self, /)
--

Return the estimated number of distinct items.

Returns
-------
float
    Exact but for rare collisions up to 3 * 2 ** p / 16 items (3,072 at p = 14); beyond that off by relative_error of
    the truth (one standard error), 0.59 % at p = 14.

Notes
-----
O(2^p), and O(1) while nothing changes. By maximum likelihood (Ertl 2024); registers that came from plain HyperLogLogs,
such as a server's, by Ertl's estimator of 2017, as the server does.

Examples
--------
>>> seen = HyperLogLog()
>>> seen.update(range(100_000))
>>> abs(seen.estimate() - 100_000) < 2_000
True
)"),
};

}  // namespace

void register_hyperloglog(py::module_& module) {
    auto type = py::class_<PyHyperLogLog>(module, "HyperLogLog", "See engagehub_core.HyperLogLog.");
    type.def(py::init([](const PyHyperLogLog& other) {
            return made<PyHyperLogLog>(copy_of(const_cast<PyHyperLogLog&>(other)));
        }))
        .def(
            py::init([](py::handle p, py::handle hash, py::handle ints, py::handle key) {
                return made<PyHyperLogLog>(
                    HyperLogLog(sketch_state::precision(p), sketch_state::item_hash(hash, ints, key)));
            }),
            py::arg("p"), py::arg("hash"), py::arg("ints"), py::arg("key"))
        .def_static(
            "_from_bytes",
            [](py::handle data, py::handle key) {
                const convert::BytesView bytes(data, "data");
                return made<PyHyperLogLog>(HyperLogLog::from_bytes(bytes.get(), sketch_state::hash_of_key(key)));
            })
        .def_static(
            "_from_redis",
            [](py::handle data, py::handle ints) {
                const convert::BytesView bytes(data, "data");
                return made<PyHyperLogLog>(engagehub::hyperloglog_from_redis(
                    bytes.get(), sketch_state::item_hash(py::str("redis"), ints, py::none())));
            })
        .def(
            "update",
            [](PyHyperLogLog& self, py::handle items) {
                const convert::HashBatch batch(items, "items", self.hash);
                self.guarded.with_released([&](HyperLogLog& native) { native.update(batch, batch.size()); });
            },
            py::arg("items"), R"(Add many items at once; the GIL is released once a list's items are hashed.

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
    (low, high). The low one is not below the number of tokens or registers in use, which fewer items can't reach, unless
    the estimate is.

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
            "clear", [](PyHyperLogLog& self) { self.guarded.with([](HyperLogLog& native) { native.clear(); }); },
            R"(Forget all items; the kind of item and the grade are free again.

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
'4548484c02040000010200000000a5862404'
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
Incompatible
    If the sketch hashes otherwise than servers do.

Notes
-----
O(2^p). Text is what ``PFADD key text`` counts. An int is what a server counts that is given its eight little-endian
bytes; with ``ints="decimal"`` what it counts that is given its decimal digits, as clients send ints.

Examples
--------
>>> seen = HyperLogLog()
>>> seen.update(["a", "b", "c"])
>>> seen.to_redis().hex()
'48594c4c01000000000000000000008060f38050b1844bfb80425a'
)")
        .def(
            "downsize",
            [](PyHyperLogLog& self, py::handle p) {
                const unsigned wanted = sketch_state::precision(p);
                self.guarded.with([&](HyperLogLog& native) { native.downsize(wanted); });
            },
            py::arg("p"), R"(Bring the sketch down to a lower precision, exactly.

Parameters
----------
p : int
    From 4 to the present one.

Raises
------
InvalidType, InvalidArgument
    If p is refused; nothing is changed.

Notes
-----
O(2^p). The state is the one that a sketch of this precision would have from the start.

Examples
--------
>>> seen = HyperLogLog(p=14)
>>> seen.update(range(10_000))
>>> seen.downsize(10)
>>> smaller = HyperLogLog(p=10)
>>> smaller.update(range(10_000))
>>> seen == smaller
True
)")
        .def(
            "__eq__",
            [](PyHyperLogLog& self, py::handle other) -> py::object {
                if (!py::isinstance<PyHyperLogLog>(other)) return py::reinterpret_borrow<py::object>(Py_NotImplemented);
                const HyperLogLog theirs = copy_of(py::cast<PyHyperLogLog&>(other));
                return py::bool_(self.guarded.with([&](HyperLogLog& native) { return native == theirs; }));
            },
            py::is_operator())
        .def_property_readonly(
            "p", [](PyHyperLogLog& self) { return self.guarded.with([](HyperLogLog& native) { return native.p(); }); },
            "The precision: 2 ** p registers.")
        .def_property_readonly(
            "hash", [](PyHyperLogLog& self) { return sketch_state::name_of_hash(self.hash); },
            "How items are hashed: \"redis\", \"postgresql\" or \"keyed\".")
        .def_property_readonly(
            "ints",
            [](PyHyperLogLog& self) {
                return self.hash.scheme() == ItemHash::Scheme::kRedisDecimal ? "decimal" : "bytes";
            },
            "What of an int is hashed: its eight little-endian \"bytes\", or its \"decimal\" digits.")
        .def_property_readonly("_key", [](PyHyperLogLog& self) { return sketch_state::key_of(self.hash); })
        .def_property_readonly(
            "grade",
            [](PyHyperLogLog& self) {
                return self.guarded.with([](HyperLogLog& native) { return native.grade(); }) ==
                        HyperLogLog::Grade::kUltra
                    ? "ultra"
                    : "plain";
            },
            "\"ultra\", or \"plain\" where registers of a plain HyperLogLog went in, which know less.")
        .def_property_readonly(
            "relative_error",
            [](PyHyperLogLog& self) {
                return self.guarded.with([](HyperLogLog& native) { return native.standard_error(); });
            },
            "One standard error of the estimate of a large set, relative to it: 0.761 / sqrt(2 ** p), of the grade "
            "\"plain\" 1.039 / sqrt(2 ** p).")
        .def_property_readonly(
            "nbytes",
            [](PyHyperLogLog& self) { return self.guarded.with([](HyperLogLog& native) { return native.nbytes(); }); },
            "How many bytes of memory the sketch takes now.")
        .def_property_readonly(
            "is_empty",
            [](PyHyperLogLog& self) {
                return self.guarded.with([](HyperLogLog& native) { return native.is_empty(); });
            },
            "Whether nothing was added.");
    postgresql_value::define(type);
    for (PyMethodDef& definition : calls) fastcall::add(type, definition);
}

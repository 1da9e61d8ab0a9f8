// SPDX-License-Identifier: MIT
// Purpose: the methods of a bound HyperLogLog that exchange values with PostgreSQL's extension hll. `Bound` holds its
// native sketch as `Guarded<HyperLogLog> guarded` and is made from one.
// Thread safety: call attached. Failure: as the header of the format says, beside InvalidType.
#pragma once

#include "python.hpp"

#include <engagehub/base/errors.hpp>
#include <engagehub/sketch/postgresql_hyperloglog.hpp>

#include "convert.hpp"
#include "made_by_init.hpp"

namespace postgresql_value {

inline engagehub::PostgresqlType type_of(
    py::handle log2m, py::handle regwidth, py::handle expthresh, py::handle sparse_enabled) {
    engagehub::PostgresqlType type;
    if (!log2m.is_none()) type.log2m = convert::integer(log2m, "log2m");
    type.regwidth = convert::integer(regwidth, "regwidth");
    type.expthresh = convert::integer(expthresh, "expthresh");
    if (!PyBool_Check(sparse_enabled.ptr())) {
        throw engagehub::InvalidType("sparse_enabled must be bool, got " + convert::type_name(sparse_enabled));
    }
    type.sparse_enabled = sparse_enabled.ptr() == Py_True;
    return type;
}

template <class Bound>
void define(py::class_<Bound>& bound) {
    bound
        .def_static(
            "_from_postgresql",
            [](py::handle data) {
                const convert::BytesView bytes(data, "data");
                return made<Bound>(engagehub::hyperloglog_from_postgresql(bytes.get()));
            })
        .def(
            "to_postgresql",
            [](Bound& self, py::handle log2m, py::handle regwidth, py::handle expthresh, py::handle sparse_enabled) {
                const auto type = type_of(log2m, regwidth, expthresh, sparse_enabled);
                return py::bytes(self.guarded.with([&](auto& native) { return to_postgresql(native, type); }));
            },
            py::kw_only(), py::arg("log2m") = py::none(), py::arg("regwidth") = 5, py::arg("expthresh") = -1,
            py::arg("sparse_enabled") = true, R"(Return the value that PostgreSQL's extension hll holds for these items.

The arguments are those of the column, ``hll(log2m, regwidth, expthresh, sparseon)``: a server unites values of one
type only.

Parameters
----------
log2m : int or None, default None
    There are 2 ** log2m registers: 4 to 17, and at most p. None is p, or 17 where p is 18. Columns have 11 unless
    declared otherwise.
regwidth : int, default 5
    Bits of a register, 1 to 7.
expthresh : int, default -1
    How many hashes a server keeps before it goes over to registers: 0, a power of two up to 8192, or -1 where it
    decides.
sparse_enabled : bool, default True
    Whether short lists of registers are allowed.

Returns
-------
bytes
    In the extension's storage version 1: empty, sparse or full as a server would write it.

Raises
------
InvalidType, InvalidArgument
    If an argument is refused.
Incompatible
    If the sketch wasn't made with ``hash="postgresql"``.

Notes
-----
O(2^p). Text and bytes are what ``hll_hash_text`` and ``hll_hash_bytea`` count, an int what ``hll_hash_bigint`` counts.

Examples
--------
>>> seen = HyperLogLog(hash="postgresql")
>>> seen.update(["a", "b", "c"])
>>> seen.to_postgresql(log2m=11).hex()
'138b7f11213dc29ae2'
)");
}

}  // namespace postgresql_value

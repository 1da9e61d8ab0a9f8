// SPDX-License-Identifier: MIT
// Purpose: what the bindings of all sketches and windows share: merging and comparing under one lock at a time, and
// the values of answers. A bound class `Bound` holds its native structure `Native` as `Guarded<Native> guarded`.
// Thread safety: call attached. Two structures are never locked at once: the other one is copied first.
#pragma once

#include "python.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <engagehub/base/errors.hpp>
#include <engagehub/base/item.hpp>
#include <engagehub/codec/bytes.hpp>
#include <engagehub/sketch/cell_table.hpp>
#include <engagehub/sketch/hyperloglog.hpp>
#include <engagehub/sketch/item_hash.hpp>
#include <engagehub/sketch/kind.hpp>

#include "convert.hpp"

namespace sketch_state {

template <class Bound>
auto copy_of(Bound& bound) {
    return bound.guarded.with_released([](auto& native) { return native; });
}

// Merges all or nothing.
template <class Bound>
void merge(Bound& self, const py::args& others, const char* name) {
    using Native = decltype(copy_of(self));
    std::vector<Native> natives;
    natives.reserve(others.size());
    for (const py::handle other : others) {
        if (!py::isinstance<Bound>(other)) {
            throw engagehub::InvalidType(std::string("others must be ") + name + ", got " + convert::type_name(other));
        }
        natives.push_back(copy_of(py::cast<Bound&>(other)));
    }
    self.guarded.with_released([&](Native& native) {
        Native merged = native;
        for (const Native& other : natives) merged.merge(other);
        native = std::move(merged);
    });
}

template <class Bound>
py::object equals(Bound& self, py::handle other) {
    if (!py::isinstance<Bound>(other)) return py::reinterpret_borrow<py::object>(Py_NotImplemented);
    const auto theirs = copy_of(py::cast<Bound&>(other));
    return py::bool_(self.guarded.with_released([&](auto& native) { return native == theirs; }));
}

template <class Bound>
py::bytes to_bytes(Bound& self) {
    return py::bytes(self.guarded.with_released([](auto& native) { return native.to_bytes(); }));
}

template <class Answer>
py::tuple tuple_of(const Answer& answer) {
    return py::make_tuple(answer.estimate, answer.low, answer.high);
}

// A text that was added as bytes may not be UTF-8: it comes back as bytes then.
inline py::object item_of(const engagehub::ItemView& item) {
    if (item.kind != engagehub::ItemKind::kText) return py::int_(item.number);
    PyObject* text = PyUnicode_DecodeUTF8(item.text.data(), static_cast<Py_ssize_t>(item.text.size()), "strict");
    if (text != nullptr) return py::reinterpret_steal<py::object>(text);
    PyErr_Clear();
    return py::bytes(item.text.data(), item.text.size());
}

// The hash that a secret key asks for: 16 bytes, or None for no key.
inline engagehub::ItemHash hash_of_key(py::handle key) {
    if (key.is_none()) return {};
    const convert::BytesView view(key, "key");
    if (view.get().size() != 16) {
        throw engagehub::InvalidArgument("key must be 16 bytes, got " + std::to_string(view.get().size()));
    }
    engagehub::ByteReader reader(view.get());
    const auto low = reader.get<std::uint64_t>();
    return engagehub::ItemHash::keyed({low, reader.get<std::uint64_t>()});
}

inline py::object key_of(const engagehub::ItemHash& hash) {
    if (hash.scheme() != engagehub::ItemHash::Scheme::kKeyed) return py::none();
    engagehub::ByteWriter writer;
    writer.put(hash.key().low);
    writer.put(hash.key().high);
    return py::bytes(writer.bytes());
}

inline const char* name_of_hash(const engagehub::ItemHash& hash) {
    switch (hash.scheme()) {
        case engagehub::ItemHash::Scheme::kPostgresql: return "postgresql";
        case engagehub::ItemHash::Scheme::kKeyed: return "keyed";
        default: return "redis";
    }
}

// By the arguments hash, ints and key of a sketch that offers the choice.
inline engagehub::ItemHash item_hash(py::handle hash, py::handle ints, py::handle key) {
    const auto one_of = [](py::handle given, const char* argument, const char* first, const char* second) {
        if (!PyUnicode_Check(given.ptr())) {
            throw engagehub::InvalidType(std::string(argument) + " must be str, got " + convert::type_name(given));
        }
        const std::string_view text = convert::text(given, argument);
        if (text == first) return true;
        if (text == second) return false;
        throw engagehub::InvalidArgument(
            std::string(argument) + " must be '" + first + "' or '" + second + "', got " + convert::shown(given));
    };
    const bool is_redis = one_of(hash, "hash", "redis", "postgresql");
    const bool is_decimal = !one_of(ints, "ints", "bytes", "decimal");
    const engagehub::ItemHash keyed = hash_of_key(key);
    if (!is_redis && !key.is_none())
        throw engagehub::InvalidArgument("key must be None with hash='postgresql', got one");
    if (is_decimal && (!is_redis || !key.is_none())) {
        throw engagehub::InvalidArgument("ints must be 'bytes' with a key or hash='postgresql', got 'decimal'");
    }
    if (!key.is_none()) return keyed;
    if (is_decimal) return engagehub::ItemHash::redis_decimal();
    return is_redis ? engagehub::ItemHash::redis() : engagehub::ItemHash::postgresql();
}

// An integer of a range, which errors show as `range` has it.
inline std::size_t in_range(
    py::handle object, const char* argument, std::size_t least, std::size_t most, const char* range) {
    const py::object given = convert::whole(object, argument);
    int overflow = 0;
    const long long value = PyLong_AsLongLongAndOverflow(given.ptr(), &overflow);
    if (overflow != 0 || value < static_cast<long long>(least) || value > static_cast<long long>(most)) {
        throw engagehub::InvalidArgument(
            std::string(argument) + " must be " + range + ", got " + convert::shown(given));
    }
    return static_cast<std::size_t>(value);
}

inline unsigned precision(py::handle object) {
    using engagehub::HyperLogLog;
    const std::size_t p =
        in_range(object, "p", HyperLogLog::kLeastPrecision, HyperLogLog::kMostPrecision, "between 4 and 18");
    return static_cast<unsigned>(p);
}

inline engagehub::TableSize table_size(py::handle width, py::handle depth) {
    using engagehub::TableSize;
    return {
        in_range(width, "width", 1, TableSize::kMostCells, "between 1 and 2^27"),
        in_range(depth, "depth", 1, TableSize::kMostDepth, "between 1 and 64")};
}

}  // namespace sketch_state

// SPDX-License-Identifier: MIT
// Purpose: what the bindings of the skip list and of the leaderboard share: policies by name, limits, batches of
// look-ups, and rows. A row is copied out of the structure under its lock, and becomes a Python object after it.
// Thread safety: call attached; with_member() and look_up() take the object's lock.
#pragma once

#include "python.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <engagehub/ranking/ranked_map.hpp>

#include "convert.hpp"
#include "errors.hpp"

namespace ranking {

using engagehub::InvalidArgument;
using engagehub::ItemView;
using engagehub::TieOrder;
using engagehub::Ties;
using Slot = engagehub::RankedMap::Slot;

// The name of a policy: any other object is refused as a name is that isn't one of them.
inline std::string policy_name(py::handle given) {
    return PyUnicode_Check(given.ptr()) ? std::string(convert::text(given, "a policy")) : std::string();
}

inline Ties ties_named(py::handle given) {
    const std::string name = policy_name(given);
    if (name == "competition") return Ties::kCompetition;
    if (name == "dense") return Ties::kDense;
    if (name == "ordinal") return Ties::kOrdinal;
    throw InvalidArgument("ties must be 'competition', 'dense' or 'ordinal', got " + convert::shown(given));
}

inline const char* name_of(Ties ties) {
    return ties == Ties::kCompetition ? "competition" : ties == Ties::kDense ? "dense" : "ordinal";
}

inline TieOrder order_named(py::handle given) {
    const std::string name = policy_name(given);
    if (name == "arrival") return TieOrder::kArrival;
    if (name == "member") return TieOrder::kMember;
    throw InvalidArgument("order must be 'arrival' or 'member', got " + convert::shown(given));
}

inline const char* name_of(TieOrder order) { return order == TieOrder::kArrival ? "arrival" : "member"; }

[[noreturn]] inline void raise_unknown(const std::string& member) {
    errors::raise("UnknownMember", "member must be present, got " + member);
}

inline py::handle or_none(PyObject* given) { return given == nullptr ? py::handle(Py_None) : py::handle(given); }

inline constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Inclusive limits of scores: None is open, infinities are allowed.
struct Limits {
    Limits(py::handle lowest, py::handle highest)
        : low(limit(lowest, -kInfinity, "low")), high(limit(highest, kInfinity, "high")) {}

    double low;
    double high;

private:
    static double limit(py::handle object, double open, const char* argument) {
        if (object.is_none()) return open;
        if (PyFloat_Check(object.ptr()) && std::isinf(PyFloat_AS_DOUBLE(object.ptr())))
            return PyFloat_AS_DOUBLE(object.ptr());
        return convert::number(object, argument);
    }
};

// A part of the listing: `count` rows from a 0-based position on.
struct Span {
    std::size_t first;
    std::size_t count;

    // Where a part that may be long begins: work on it lets other threads run.
    static constexpr std::size_t kLong = 1'000;
    bool is_long(std::size_t size) const { return length_in(size) > kLong; }
    // How many rows of it a listing of that size has.
    std::size_t length_in(std::size_t size) const { return first < size ? std::min(count, size - first) : 0; }

    // From the member at a position, so many on either side.
    static Span around(std::size_t position, std::size_t beside, std::size_t size) {
        const std::size_t before = std::min(beside, position);
        return {position - before, before + 1 + std::min(beside, size - position - 1)};
    }
    static Span between(std::size_t above_high, std::size_t not_below_low) {
        return {above_high, not_below_low > above_high ? not_below_low - above_high : 0};
    }
};

// An int of Python. PyLong_FromLong() has a short way for what fits in 30 bits; PyLong_FromSize_t() has none
// before 3.14.
inline PyObject* count(std::size_t value) {
    if (value < (std::size_t{1} << 30U)) return PyLong_FromLong(static_cast<long>(value));
    return PyLong_FromSize_t(value);
}

// Rows, copied out under the lock: texts one after the other in one buffer, since most rows are short.
class OwnedRows {
public:
    void reserve(std::size_t rows) { rows_.reserve(rows); }
    void add(std::size_t rank, const ItemView& member, double score, std::int64_t last_at) {
        const bool is_text = member.kind == engagehub::ItemKind::kText;
        const auto where = is_text ? static_cast<std::int64_t>(texts_.size()) : member.number;
        rows_.push_back({rank, member.kind, where, member.text.size(), score, last_at});
        if (is_text && rows_.size() == 1) texts_.reserve(std::min(rows_.capacity() * member.text.size() * 2, kShort));
        texts_.append(member.text);
    }

    std::size_t size() const { return rows_.size(); }
    std::size_t rank(std::size_t i) const { return rows_[i].rank; }
    double score(std::size_t i) const { return rows_[i].score; }
    std::int64_t last_at(std::size_t i) const { return rows_[i].last_at; }
    // Borrowed: valid until the next add().
    ItemView member(std::size_t i) const {
        const Row& row = rows_[i];
        if (row.kind == engagehub::ItemKind::kInteger) return ItemView::of(row.number_or_offset);
        return ItemView::of(
            std::string_view(texts_).substr(static_cast<std::size_t>(row.number_or_offset), row.length));
    }

private:
    struct Row {
        std::size_t rank;
        engagehub::ItemKind kind;
        std::int64_t number_or_offset;
        std::size_t length;
        double score;
        std::int64_t last_at;
    };
    static constexpr std::size_t kShort = 4'096;  // bytes of text that are worth a guess
    std::vector<Row> rows_;
    std::string texts_;
};

// The named tuples that rows become. They are Python's: set once, when the module that defines them is imported.
class RowTypes {
public:
    static void set(const py::type& ranked, const py::type& entry) {
        ranked_type() = checked(ranked);
        entry_type() = checked(entry);
    }

    static PyObject* ranked(const OwnedRows& rows, std::size_t i) {
        return tuple_of(
            ranked_type(), {count(rows.rank(i)), member_of(rows, i), PyFloat_FromDouble(rows.score(i)), nullptr});
    }
    static PyObject* entry(const OwnedRows& rows, std::size_t i) {
        return tuple_of(
            entry_type(),
            {count(rows.rank(i)), member_of(rows, i), PyFloat_FromDouble(rows.score(i)),
             PyFloat_FromDouble(convert::seconds(rows.last_at(i)))});
    }

private:
    // Never released: rows may be made as long as the interpreter runs.
    static PyTypeObject*& ranked_type() {
        static PyTypeObject* type = nullptr;
        return type;
    }
    static PyTypeObject*& entry_type() {
        static PyTypeObject* type = nullptr;
        return type;
    }

    static PyTypeObject* checked(const py::type& type) {
        auto* raw = reinterpret_cast<PyTypeObject*>(type.ptr());
        if (PyType_IsSubtype(raw, &PyTuple_Type) == 0 || raw->tp_basicsize != PyTuple_Type.tp_basicsize)
            throw engagehub::InvalidType("types of rows must be named tuples, got " + std::string(raw->tp_name));
        return reinterpret_cast<PyTypeObject*>(type.inc_ref().ptr());
    }

    static PyObject* member_of(const OwnedRows& rows, std::size_t i) {
        const ItemView member = rows.member(i);
        if (member.kind == engagehub::ItemKind::kInteger) return PyLong_FromLongLong(member.number);
        return PyUnicode_FromStringAndSize(member.text.data(), static_cast<Py_ssize_t>(member.text.size()));
    }

    // What tuple.__new__ does for a subclass. Takes the references over; a null before the last one is an error.
    static PyObject* tuple_of(PyTypeObject* type, const std::array<PyObject*, 4>& values) {
        const std::size_t size = type == ranked_type() ? 3 : 4;
        PyObject* row = type->tp_alloc(type, static_cast<Py_ssize_t>(size));
        bool is_whole = row != nullptr;
        for (std::size_t i = 0; i < size; ++i) {
            is_whole = is_whole && values[i] != nullptr;
            if (row != nullptr) {
                PyTuple_SET_ITEM(row, static_cast<Py_ssize_t>(i), values[i]);
            } else {
                Py_XDECREF(values[i]);
            }
        }
        if (!is_whole) {
            Py_XDECREF(row);
            throw py::error_already_set();
        }
#if PY_VERSION_HEX >= 0x030E0000
        reinterpret_cast<PyTupleObject*>(row)->ob_hash = -1;  // 0 would be a hash that is known
#endif
        return row;
    }
};

// A list of what make(rows, i) makes of each row.
inline PyObject* list_of(const OwnedRows& rows, PyObject* (*make)(const OwnedRows&, std::size_t)) {
    auto list = py::reinterpret_steal<py::object>(PyList_New(static_cast<Py_ssize_t>(rows.size())));
    if (!list) throw py::error_already_set();
    for (std::size_t i = 0; i < rows.size(); ++i)
        PyList_SET_ITEM(list.ptr(), static_cast<Py_ssize_t>(i), make(rows, i));
    return list.release().ptr();
}

// The rows of the part of a listing that find(structure) answers; visit(structure, span, rows) adds them. A long part
// is found again without the interpreter, since others may have changed the listing in between.
template <class Structure, class Bound, class Find, class Visit>
OwnedRows rows_of(Bound& self, Find&& find, Visit&& visit) {
    OwnedRows rows;
    const auto collect = [&](Structure& structure, const Span& span) {
        rows.reserve(span.length_in(structure.size()));
        visit(structure, span, rows);
    };
    const bool is_long = self.guarded.with([&](Structure& structure) {
        const Span span = find(structure);
        if (span.is_long(structure.size())) return true;
        collect(structure, span);
        return false;
    });
    if (is_long) self.guarded.with_released([&](Structure& structure) { collect(structure, find(structure)); });
    return rows;
}

// Runs work(structure, slot) under the lock for a member that must be there.
template <class Structure, class Bound, class Work>
auto with_member(Bound& self, py::handle member, Work&& work) {
    const ItemView view = convert::item(member, "member");
    using Result = decltype(work(std::declval<Structure&>(), Slot{}));
    const auto result = self.guarded.with([&](Structure& structure) -> std::optional<Result> {
        const auto slot = structure.find(view);
        if (!slot) return std::nullopt;
        return work(structure, *slot);
    });
    if (!result) raise_unknown(convert::shown(member));
    return *result;
}

// What stands for members who are absent, in batches of look-ups; None refuses them.
inline std::optional<std::int64_t> missing_rank(py::handle given) {
    if (given.is_none()) return std::nullopt;
    return convert::integer(given, "missing");
}
inline std::optional<double> missing_score(py::handle given) {
    if (given.is_none()) return std::nullopt;
    if (PyFloat_Check(given.ptr())) return PyFloat_AS_DOUBLE(given.ptr());  // NaN and infinities are meant
    return convert::number(given, "missing");
}

// Answers for many members at once, as the bytes of an array: answer(structure, slot), or `missing` for whom is absent;
// without one, an absent member is refused.
template <class Structure, class Value, class Bound, class Answer>
py::object look_up(Bound& self, py::handle members, const std::optional<Value>& missing, Answer&& answer) {
    const convert::ItemBatch items(members, "members");
    std::vector<Value> values(items.size());
    const std::size_t done = self.guarded.with_released([&](Structure& structure) {
        for (std::size_t i = 0; i < items.size(); ++i) {
            const auto slot = structure.find(items[i]);
            if (!slot && !missing) return i;
            values[i] = slot ? answer(structure, *slot) : *missing;
        }
        return items.size();
    });
    if (done != items.size()) raise_unknown(convert::shown(convert::to_python(items[done])));
    return py::reinterpret_steal<py::object>(PyByteArray_FromStringAndSize(
        reinterpret_cast<const char*>(values.data()), static_cast<Py_ssize_t>(values.size() * sizeof(Value))));
}

// Runs work(done), which makes a batch of changes and counts them. Where memory runs out, the MemoryError says in its
// attribute `applied` how many were made.
template <class Work>
void count_applied(Work&& work) {
    std::size_t done = 0;
    try {
        work(done);
    } catch (const std::bad_alloc&) {
        const auto error = py::reinterpret_borrow<py::object>(PyExc_MemoryError)(
            "memory ran out after " + std::to_string(done) + " changes of the batch");
        error.attr("applied") = done;
        PyErr_SetObject(PyExc_MemoryError, error.ptr());
        throw py::error_already_set();
    } catch (const py::error_already_set& error) {
        if (error.matches(PyExc_MemoryError)) error.value().attr("applied") = done;
        throw;
    }
}

}  // namespace ranking

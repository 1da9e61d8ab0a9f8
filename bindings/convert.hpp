// SPDX-License-Identifier: MIT
// Purpose: Python objects to native values and back: instants, items, numbers, and batches of them. Every refusal names
// the argument, what it must be and what was given, and happens before anything changes.
// Thread safety: call attached; what a Batch borrows stays valid while the Batch lives, also when the GIL is released.
#pragma once

#include "python.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <engagehub/base/errors.hpp>
#include <engagehub/base/item.hpp>
#include <engagehub/sketch/item_hash.hpp>

#include "argument.hpp"
#include "long_digits.hpp"

namespace convert {

inline std::string type_name(py::handle object) { return Py_TYPE(object.ptr())->tp_name; }

inline std::string shown(py::handle object) {
    const auto repr = py::reinterpret_steal<py::object>(PyObject_Repr(object.ptr()));
    if (!repr) {  // an int of thousands of digits has none
        if (PyErr_ExceptionMatches(PyExc_ValueError) == 0) throw py::error_already_set();
        PyErr_Clear();
        return "one of type " + type_name(object) + " that can't be shown";
    }
    std::string text = repr.cast<std::string>();
    if (text.size() > 80) text = text.substr(0, 77) + "...";
    return text;
}

// Whether a class of that name is among those that the object's class comes from. NumPy isn't imported to be asked: it
// may be absent, and an import would run Python code.
inline bool has_base(py::handle object, const char* name) {
    PyObject* order = Py_TYPE(object.ptr())->tp_mro;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(order); ++i) {
        const auto* base = reinterpret_cast<PyTypeObject*>(PyTuple_GET_ITEM(order, i));
        if (std::strcmp(base->tp_name, name) == 0) return true;
    }
    return false;
}

// Makes room for an error of ours; any other than the expected one is the caller's own and goes on to him.
inline void clear_expected(PyObject* type) {
    if (PyErr_Occurred() != nullptr && PyErr_ExceptionMatches(type) == 0) throw py::error_already_set();
    PyErr_Clear();
}

// The UTF-8 of a str, borrowed: valid while the str lives. A lone surrogate is refused.
inline std::string_view text(py::handle object, Argument argument) {
    if (PyUnicode_IS_COMPACT_ASCII(object.ptr())) {  // its own bytes, without a call
        const auto* data = reinterpret_cast<const char*>(PyUnicode_1BYTE_DATA(object.ptr()));
        return {data, static_cast<std::size_t>(PyUnicode_GET_LENGTH(object.ptr()))};
    }
    Py_ssize_t size = 0;
    const char* data = PyUnicode_AsUTF8AndSize(object.ptr(), &size);
    if (data == nullptr) {
        clear_expected(PyExc_UnicodeEncodeError);
        throw engagehub::InvalidArgument(std::string(argument) + " must be text without lone surrogates");
    }
    return {data, static_cast<std::size_t>(size)};
}

// An int, or what stands for one (NumPy's integer scalars, though not its arrays), but not a bool.
inline bool is_integer(py::handle object) {
    if (PyLong_Check(object.ptr())) return !PyBool_Check(object.ptr());
    return PyIndex_Check(object.ptr()) && !PySequence_Check(object.ptr());
}

// A float, or one of NumPy's of any size.
inline bool is_float(py::handle object) { return PyFloat_Check(object.ptr()) || has_base(object, "numpy.floating"); }

// REQUIRES: an int, and no bool.
inline std::int64_t exact_integer(py::handle object, Argument argument) {
    if (const auto value = two_digits(object.ptr())) return *value;
    int overflow = 0;
    const long long value = PyLong_AsLongLongAndOverflow(object.ptr(), &overflow);
    if (overflow != 0) {
        throw engagehub::InvalidArgument(
            std::string(argument) + " must fit in a signed 64-bit integer, got " + shown(object));
    }
    return value;
}

// The int that an object is or stands for.
inline py::object whole(py::handle object, Argument argument) {
    PyObject* index = is_integer(object) ? PyNumber_Index(object.ptr()) : nullptr;
    if (index == nullptr) {
        clear_expected(PyExc_TypeError);
        throw engagehub::InvalidType(std::string(argument) + " must be int, got " + type_name(object));
    }
    return py::reinterpret_steal<py::object>(index);
}

inline std::int64_t integer(py::handle object, Argument argument) {
    if (PyLong_CheckExact(object.ptr())) return exact_integer(object, argument);
    return exact_integer(whole(object, argument), argument);
}

// int or float, not bool, NaN or infinite.
inline double number(py::handle object, Argument argument) {
    double value = 0;
    if (PyFloat_CheckExact(object.ptr())) {
        value = PyFloat_AS_DOUBLE(object.ptr());
    } else {
        if (!is_float(object) && !is_integer(object)) {
            throw engagehub::InvalidType(std::string(argument) + " must be int or float, got " + type_name(object));
        }
        value = PyFloat_AsDouble(object.ptr());
        if (value == -1.0 && PyErr_Occurred() != nullptr) {
            clear_expected(PyExc_OverflowError);
            throw engagehub::InvalidArgument(std::string(argument) + " must fit in a double, got " + shown(object));
        }
    }
    if (!std::isfinite(value)) {
        throw engagehub::InvalidArgument(std::string(argument) + " must be finite, got " + shown(object));
    }
    return value;
}

// A member or an item: int or str; bytes too where a sketch asks.
inline engagehub::ItemView item(py::handle object, Argument argument, bool bytes_too = false) {
    if (PyUnicode_Check(object.ptr())) return engagehub::ItemView::of(text(object, argument));
    if (PyLong_CheckExact(object.ptr())) return engagehub::ItemView::of(exact_integer(object, argument));
    if (is_integer(object)) return engagehub::ItemView::of(integer(object, argument));
    if (bytes_too && PyBytes_Check(object.ptr())) {
        return engagehub::ItemView::of(
            std::string_view(
                PyBytes_AS_STRING(object.ptr()), static_cast<std::size_t>(PyBytes_GET_SIZE(object.ptr()))));
    }
    throw engagehub::InvalidType(
        std::string(argument) + (bytes_too ? " must be int, str or bytes, got " : " must be int or str, got ") +
        type_name(object));
}

inline py::object to_python(const engagehub::ItemView& item) {
    if (item.kind == engagehub::ItemKind::kInteger) return py::int_(item.number);
    return py::str(item.text.data(), item.text.size());
}

// Once each, when the module is imported: an import later on would run Python code in the middle of a call, and on a
// thread that may be stopped there because the interpreter ends.
void import_datetime();
void import_collections();

// Unix seconds as int or float, or an aware datetime, to whole microseconds between the years 1 and 9999.
std::int64_t instant(py::handle object, Argument argument = "at");

// Seconds of a column that are no object of Python; both as instant() takes them.
std::int64_t instant_of(double seconds, Argument argument);
std::int64_t instant_of(std::int64_t seconds, Argument argument);
inline std::int64_t instant_of(std::uint64_t seconds, Argument argument) {
    // What is too large for the other sign is too large for an instant.
    return instant_of(static_cast<std::int64_t>(std::min<std::uint64_t>(seconds, INT64_MAX)), argument);
}
template <class Integer, std::enable_if_t<std::is_integral_v<Integer>, int> = 0>
std::int64_t instant_of(Integer seconds, Argument argument) {
    return instant_of(static_cast<std::int64_t>(seconds), argument);
}
// Appends so many instants: those of doubles that may lie at any address, and change meanwhile without the GIL.
void append_instants(std::vector<std::int64_t>& instants, const void* seconds, std::size_t count, const char* argument);

void require_finite(const std::vector<double>& values, const char* argument);

// The elements of what has an order. THROWS: InvalidType.
py::tuple ordered_tuple(py::handle object, const char* argument);

inline double seconds(std::int64_t micros) { return static_cast<double>(micros) / 1e6; }

class BufferView;

// Whether a batch may read an array's own memory while the GIL is released, instead of copying it. Then it sees what
// other threads write there meanwhile: for who looks at each item once, whatever it is.
enum class Integers : std::uint8_t { kCopied, kBorrowed };

// Items from a list or another sequence of str, int (or bytes), or from a contiguous buffer of 64-bit signed integers
// (other integer types are widened). Checked whole: mixed kinds are refused.
class ItemBatch {
public:
    ItemBatch(py::handle object, const char* argument, bool bytes_too = false, Integers integers = Integers::kCopied);
    ItemBatch(const ItemBatch&) = delete;
    ItemBatch& operator=(const ItemBatch&) = delete;
    ~ItemBatch();

    std::size_t size() const { return size_; }
    engagehub::ItemKind kind() const { return kind_; }
    engagehub::ItemView operator[](std::size_t i) const {
        if (kind_ == engagehub::ItemKind::kText) return engagehub::ItemView::of(texts_[i]);
        return engagehub::ItemView::of(numbers_[i]);
    }
    // Calls body with a pointer to all texts or to all integers: for loops that ask for the kind only once.
    template <class Body>
    void with_values(Body&& body) const {
        if (kind_ == engagehub::ItemKind::kText) return body(texts_.data());
        body(numbers_);
    }

private:
    py::object owner_;  // a tuple, so that the texts stay alive whatever the caller does with his list
    std::unique_ptr<BufferView> buffer_;
    std::size_t size_ = 0;
    engagehub::ItemKind kind_ = engagehub::ItemKind::kNone;
    std::vector<std::string_view> texts_;
    std::vector<std::int64_t> copies_;
    const std::int64_t* numbers_ = nullptr;  // the copies, or the buffer
};

// The items of a batch for who needs nothing of them but their hashes. An array is hashed later on, without the GIL;
// the str and int of a list are hashed as they are looked at, which takes less time than to keep them alive for later.
class HashBatch {
public:
    HashBatch(py::handle object, const char* argument, const engagehub::ItemHash& hash);

    std::size_t size() const { return items_ ? items_->size() : hashes_.size(); }
    engagehub::ItemKind kind() const { return items_ ? items_->kind() : kind_; }
    // For engagehub::each_hash_piece().
    const std::uint64_t* hashes() const { return items_ ? nullptr : hashes_.data(); }
    template <class Body>
    void with_values(Body&& body) const {
        items_->with_values(std::forward<Body>(body));
    }

private:
    // Whether all were str, or all int, of the very types: then nothing of them runs Python code.
    bool hash_all(PyObject* const* objects, std::size_t size, const engagehub::ItemHash& hash, const char* argument);

    std::optional<ItemBatch> items_;
    engagehub::ItemKind kind_ = engagehub::ItemKind::kNone;
    std::vector<std::uint64_t> hashes_;
};

// Whether an argument of a batch is one value for all items, rather than one for each.
bool is_for_all(py::handle object);

// Refuses sets, dicts and their views as items where other arguments have a value for each: nobody could tell which.
// Those themselves are refused as such values by the batches below. THROWS: InvalidType.
void require_order(py::handle items, const char* argument, py::handle values, const char* values_argument);

// Finite numbers from a scalar (repeated), a sequence, or a contiguous buffer of any real type.
class NumberBatch {
public:
    NumberBatch(py::handle object, const char* argument, std::size_t size);
    double operator[](std::size_t i) const { return values_.size() == 1 ? values_[0] : values_[i]; }
    bool is_for_all() const { return is_for_all_; }
    std::vector<double> values() && { return std::move(values_); }  // a single one, if it is for all
    // Calls require(value, name) for each, which throws what is wrong with it.
    template <class Require>
    void require_each(const Require& require) const {
        if (is_for_all_) return require(values_[0], Argument(argument_));
        for (std::size_t i = 0; i < values_.size(); ++i) require(values_[i], Argument(argument_, i));
    }

private:
    const char* argument_;
    bool is_for_all_;
    std::vector<double> values_;
};

// An int of 64 bits as it is, or a finite float.
using Exact = std::variant<std::int64_t, double>;

inline Exact exact(py::handle object, Argument argument) {
    if (PyLong_CheckExact(object.ptr())) return exact_integer(object, argument);
    if (is_integer(object)) return integer(object, argument);
    return number(object, argument);
}

// Numbers from a sequence, or a contiguous buffer of any real type.
class ExactBatch {
public:
    ExactBatch(py::handle object, const char* argument);
    std::size_t size() const { return values_.size(); }
    const Exact& operator[](std::size_t i) const { return values_[i]; }

private:
    std::vector<Exact> values_;
};

// Instants from a scalar (repeated), a sequence of what instant() takes, or a contiguous buffer of seconds.
class InstantBatch {
public:
    InstantBatch(py::handle object, const char* argument, std::size_t size);
    static InstantBatch repeated(std::int64_t micros) { return InstantBatch(micros); }
    std::size_t size() const { return values_.size(); }
    // The newest one, and its name. REQUIRES: size() > 0.
    std::pair<std::int64_t, Argument> newest() const {
        const auto newest = std::max_element(values_.begin(), values_.end());
        if (is_for_all_) return {*newest, "at"};
        return {*newest, Argument("at", static_cast<std::size_t>(newest - values_.begin()))};
    }
    std::int64_t operator[](std::size_t i) const { return values_.size() == 1 ? values_[0] : values_[i]; }
    bool is_for_all() const { return is_for_all_; }
    std::vector<std::int64_t> values() && { return std::move(values_); }  // a single one, if it is for all

private:
    explicit InstantBatch(std::int64_t micros) : is_for_all_(true), values_{micros} {}
    bool is_for_all_;
    std::vector<std::int64_t> values_;
};

// An integer from 0 to 2^64 - 1.
inline std::uint64_t unsigned_word(py::handle object, Argument argument) {
    const py::object given = whole(object, argument);
    const unsigned long long value = PyLong_AsUnsignedLongLong(given.ptr());
    if (value == static_cast<unsigned long long>(-1) && PyErr_Occurred() != nullptr) {
        clear_expected(PyExc_OverflowError);
        throw engagehub::InvalidArgument(
            std::string(argument) + " must be between 0 and 2^64 - 1, got " + shown(object));
    }
    return value;
}

// Integers from 0 to 2^64 - 1 from a scalar (repeated), a sequence, or a contiguous buffer of an integer type.
class UnsignedBatch {
public:
    UnsignedBatch(py::handle object, const char* argument, std::size_t size);
    std::uint64_t operator[](std::size_t i) const { return values_.size() == 1 ? values_[0] : values_[i]; }

private:
    std::vector<std::uint64_t> values_;
};

// An integer of at least 0.
inline std::uint64_t natural(py::handle object, Argument argument) {
    const std::int64_t value = integer(object, argument);
    if (value < 0)
        throw engagehub::InvalidArgument(std::string(argument) + " must be at least 0, got " + std::to_string(value));
    return static_cast<std::uint64_t>(value);
}

// The bytes of a contiguous buffer (bytes, bytearray, memoryview): valid, and the same, while this lives. Without the
// GIL another thread may write to whatever isn't bytes in the middle of a reader, so that is copied.
class BytesView {
public:
    BytesView(py::handle object, const char* argument);
    BytesView(const BytesView&) = delete;
    BytesView& operator=(const BytesView&) = delete;
    ~BytesView() { PyBuffer_Release(&view_); }
    std::string_view get() const { return bytes_; }

private:
    Py_buffer view_{};
    std::string copy_;
    std::string_view bytes_;
};

}  // namespace convert

// SPDX-License-Identifier: MIT
#include "convert.hpp"

#include <datetime.h>

#include <cstring>
#include <limits>
#include <optional>
#include <type_traits>
#include <utility>

#include <engagehub/base/instant.hpp>
#include <engagehub/base/prefetch.hpp>
#include <engagehub/base/shown.hpp>

#include "thread_exit.hpp"

namespace convert {

using engagehub::InvalidArgument;
using engagehub::InvalidType;

// A contiguous one-dimensional buffer of a real type, if the object has one; released at the end.
class BufferView {
public:
    static std::optional<BufferView> of(py::handle object, const char* argument) {
        if (PyBytes_Check(object.ptr()) || PyByteArray_Check(object.ptr()) || PyObject_CheckBuffer(object.ptr()) == 0)
            return std::nullopt;
        return BufferView(object, argument);
    }
    BufferView(BufferView&& other) noexcept : view_(other.view_), held_(other.held_) { other.held_ = false; }
    BufferView(const BufferView&) = delete;
    BufferView& operator=(const BufferView&) = delete;
    BufferView& operator=(BufferView&&) = delete;
    ~BufferView() {
        if (held_) PyBuffer_Release(&view_);
    }

    std::size_t size() const { return static_cast<std::size_t>(view_.len / view_.itemsize); }

    // Its values, if they are 64-bit signed integers that can be read where they are; else null.
    const std::int64_t* integers() const {
        const char code = view_.format == nullptr ? 'B' : last_code();
        const bool is_signed = code == 'l' || code == 'q' || code == 'n';
        const bool is_aligned = reinterpret_cast<std::uintptr_t>(view_.buf) % alignof(std::int64_t) == 0;
        const bool fits = is_signed && view_.itemsize == sizeof(std::int64_t) && is_aligned;
        return fits ? static_cast<const std::int64_t*>(view_.buf) : nullptr;
    }

    // Calls visit(value, index) for every value, in the buffer's own type.
    template <class Visit>
    void each(Visit&& visit, const char* argument) const {
        const char code = view_.format == nullptr ? 'B' : last_code();
        switch (code) {
            case 'b': return walk<std::int8_t>(visit);
            case 'B': return walk<std::uint8_t>(visit);
            case 'h': return walk<std::int16_t>(visit);
            case 'H': return walk<std::uint16_t>(visit);
            case 'i': return walk<std::int32_t>(visit);
            case 'I': return walk<std::uint32_t>(visit);
            case 'l':
            case 'q':
            case 'n': return view_.itemsize == 4 ? walk<std::int32_t>(visit) : walk<std::int64_t>(visit);
            case 'L':
            case 'Q':
            case 'N': return view_.itemsize == 4 ? walk<std::uint32_t>(visit) : walk<std::uint64_t>(visit);
            case 'f': return walk<float>(visit);
            case 'd': return walk<double>(visit);
            default:
                throw InvalidType(
                    std::string(argument) + " must be a buffer of native integers or floats, got format " +
                    view_.format);
        }
    }

private:
    BufferView(py::handle object, const char* argument) {
        if (PyObject_GetBuffer(object.ptr(), &view_, PyBUF_FORMAT | PyBUF_C_CONTIGUOUS) != 0) {
            if (PyErr_ExceptionMatches(PyExc_MemoryError) != 0) throw py::error_already_set();
            PyErr_Clear();
            throw InvalidArgument(std::string(argument) + " must be a contiguous buffer, got " + type_name(object));
        }
        held_ = true;
        const std::string fault = view_.ndim != 1 ? " must have one dimension, got " + std::to_string(view_.ndim)
            : view_.itemsize < 1                  ? " must have elements of at least one byte, got " + type_name(object)
                                                  : "";
        if (fault.empty()) return;
        PyBuffer_Release(&view_);
        held_ = false;
        throw InvalidArgument(std::string(argument) + fault);
    }

    // Native byte order only: «<» is native where it matters here, «>» and «!» are not.
    char last_code() const {
        const std::string_view format = view_.format;
        if (format.size() == 1) return format[0];
        if (format.size() == 2 && (format[0] == '@' || format[0] == '=' || format[0] == '<')) return format[1];
        return '?';
    }

    template <class Value, class Visit>
    void walk(Visit& visit) const {
        const auto* data = static_cast<const char*>(view_.buf);
        const std::size_t count = size();
        for (std::size_t i = 0; i < count; ++i) {
            Value value;
            std::memcpy(&value, data + i * sizeof(Value), sizeof value);
            visit(value, i);
        }
    }

    Py_buffer view_{};
    bool held_ = false;
};

namespace {

// How far a batch looks ahead in a list, whose objects may lie anywhere.
constexpr std::size_t kAhead = 8;

// The years 1 to 9999, as datetime has them.
constexpr double kFirstSecond = -62135596800.0;
constexpr double kLastSecond = 253402300800.0;

std::int64_t instant_of_seconds(double seconds, py::handle object, const char* argument) {
    if (!(seconds >= kFirstSecond && seconds < kLastSecond)) {
        throw InvalidArgument(
            std::string(argument) + " must be Unix seconds between the years 1 and 9999, got " + shown(object));
    }
    return static_cast<std::int64_t>(std::llround(seconds * 1e6));
}

std::int64_t days_from_civil(int year, int month, int day) {
    // Howard Hinnant, «chrono-compatible low-level date algorithms», days_from_civil.
    const int y = year - (month <= 2 ? 1 : 0);
    const std::int64_t era = (y >= 0 ? y : y - 399) / 400;
    const auto year_of_era = static_cast<std::int64_t>(y) - era * 400;
    const std::int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

std::int64_t instant_of_datetime(py::handle object, const char* argument) {
    const py::object offset = object.attr("utcoffset")();
    if (offset.is_none()) {
        throw InvalidArgument(std::string(argument) + " must be an aware datetime, got a naive one: " + shown(object));
    }
    if (!PyDelta_Check(offset.ptr())) {
        throw InvalidType(std::string(argument) + ".utcoffset() must be a timedelta, got " + type_name(offset));
    }
    auto* raw = object.ptr();
    const std::int64_t days =
        days_from_civil(PyDateTime_GET_YEAR(raw), PyDateTime_GET_MONTH(raw), PyDateTime_GET_DAY(raw));
    const std::int64_t day_seconds = PyDateTime_DATE_GET_HOUR(raw) * 3600LL + PyDateTime_DATE_GET_MINUTE(raw) * 60LL +
        PyDateTime_DATE_GET_SECOND(raw);
    const std::int64_t offset_seconds =
        PyDateTime_DELTA_GET_DAYS(offset.ptr()) * 86400LL + PyDateTime_DELTA_GET_SECONDS(offset.ptr());
    const std::int64_t whole = days * 86400 + day_seconds - offset_seconds;
    // In seconds first: an odd utcoffset() may be of millions of years.
    const bool is_near = static_cast<double>(whole) >= kFirstSecond - 1 && static_cast<double>(whole) <= kLastSecond;
    const std::int64_t micros = is_near
        ? whole * 1'000'000 + PyDateTime_DATE_GET_MICROSECOND(raw) - PyDateTime_DELTA_GET_MICROSECONDS(offset.ptr())
        : engagehub::kLastInstant + 1;
    if (micros < engagehub::kFirstInstant || micros > engagehub::kLastInstant) {
        throw InvalidArgument(
            std::string(argument) + " must be between the years 1 and 9999 of UTC, got " + shown(object));
    }
    return micros;
}

[[noreturn]] void refuse_length(const char* argument, std::size_t wanted, std::size_t given) {
    throw InvalidArgument(
        std::string(argument) + " must have " + std::to_string(wanted) + " values as the items have, got " +
        std::to_string(given));
}

std::string at_index(const char* argument, std::size_t i) {
    return std::string(argument) + "[" + std::to_string(i) + "]";
}

// Elements of a buffer.
template <class Value>
std::int64_t signed_word(Value value, const char* argument, std::size_t i) {
    if constexpr (std::is_same_v<Value, std::uint64_t>) {
        if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
            throw InvalidArgument(
                at_index(argument, i) + " must fit in a signed 64-bit integer, got " + std::to_string(value));
        }
    }
    return static_cast<std::int64_t>(value);
}

double finite(double value, const char* argument, std::size_t i) {
    if (!std::isfinite(value))
        throw InvalidArgument(at_index(argument, i) + " must be finite, got " + engagehub::shown(value));
    return value;
}

py::tuple as_tuple(py::handle object, const char* argument) {
    if (PyUnicode_Check(object.ptr()) || PyBytes_Check(object.ptr()) || PyByteArray_Check(object.ptr())) {
        throw InvalidType(std::string(argument) + " must be a sequence or an array, got " + type_name(object));
    }
    PyObject* tuple = interpreter::guarded_call(
        [](PyObject* given, PyObject* /*unused*/) { return PySequence_Tuple(given); }, object.ptr());
    if (tuple == nullptr) {
        // What can't be iterated over is the wrong type; an error of the caller's own iterator is his.
        if (PyErr_ExceptionMatches(PyExc_TypeError) == 0 || Py_TYPE(object.ptr())->tp_iter != nullptr)
            throw py::error_already_set();
        PyErr_Clear();
        throw InvalidType(std::string(argument) + " must be a sequence or an array, got " + type_name(object));
    }
    return py::reinterpret_steal<py::tuple>(tuple);
}

bool is_scalar(py::handle object) {
    return is_integer(object) || PyFloat_Check(object.ptr()) || PyBool_Check(object.ptr());
}

}  // namespace

void import_datetime() {
    PyDateTime_IMPORT;
    if (PyDateTimeAPI == nullptr) throw py::error_already_set();
}

std::int64_t instant(py::handle object, const char* argument) {
    if (PyFloat_Check(object.ptr())) return instant_of_seconds(PyFloat_AS_DOUBLE(object.ptr()), object, argument);
    if (is_integer(object)) {
        const std::int64_t whole = integer(object, argument);
        instant_of_seconds(static_cast<double>(whole), object, argument);
        return whole * 1'000'000;
    }
    if (PyDateTime_Check(object.ptr())) return instant_of_datetime(object, argument);
    throw InvalidType(
        std::string(argument) + " must be Unix seconds (int or float) or an aware datetime, got " + type_name(object));
}

ItemBatch::ItemBatch(py::handle object, const char* argument, bool bytes_too, Integers integers) {
    if (auto buffer = BufferView::of(object, argument)) {
        size_ = buffer->size();
        if (size_ != 0) kind_ = engagehub::ItemKind::kInteger;
        if (integers == Integers::kBorrowed && buffer->integers() != nullptr) {
            numbers_ = buffer->integers();
            buffer_ = std::make_unique<BufferView>(std::move(*buffer));
            return;
        }
        copies_.reserve(size_);
        buffer->each(
            [&](auto value, std::size_t i) {
                using Value = decltype(value);
                if constexpr (std::is_floating_point_v<Value>) {
                    throw InvalidType(std::string(argument) + " must be a buffer of integers, got one of floats");
                } else {
                    copies_.push_back(signed_word(value, argument, i));
                }
            },
            argument);
        numbers_ = copies_.data();
        return;
    }
    const py::tuple tuple = as_tuple(object, argument);
    owner_ = tuple;
    size_ = tuple.size();
    for (std::size_t i = 0; i < size_; ++i) {
        const py::handle element = PyTuple_GET_ITEM(tuple.ptr(), static_cast<Py_ssize_t>(i));
        if (i + kAhead < size_) engagehub::prefetch(PyTuple_GET_ITEM(tuple.ptr(), static_cast<Py_ssize_t>(i + kAhead)));
        const std::string where = kind_ == engagehub::ItemKind::kNone ? at_index(argument, i) : std::string();
        const auto view = item(element, where.empty() ? argument : where.c_str(), bytes_too);
        if (kind_ == engagehub::ItemKind::kNone) {
            if (view.kind == engagehub::ItemKind::kText)
                texts_.reserve(size_);
            else
                copies_.reserve(size_);
        }
        engagehub::require_kind(kind_, view.kind, argument);
        if (view.kind == engagehub::ItemKind::kText) {
            texts_.push_back(view.text);
        } else {
            copies_.push_back(view.number);
        }
    }
    numbers_ = copies_.data();
}

ItemBatch::~ItemBatch() = default;

HashBatch::HashBatch(py::handle object, const char* argument, const engagehub::ItemHash& hash) {
    // Without the GIL a list may change at any time, so that ItemBatch has to take a tuple of it first.
#ifdef Py_GIL_DISABLED
    const bool is_steady = PyTuple_CheckExact(object.ptr()) != 0;
#else
    const bool is_steady = PyTuple_CheckExact(object.ptr()) != 0 || PyList_CheckExact(object.ptr()) != 0;
#endif
    if (is_steady) {
        const auto size = static_cast<std::size_t>(PySequence_Fast_GET_SIZE(object.ptr()));
        if (hash_all(PySequence_Fast_ITEMS(object.ptr()), size, hash, argument)) return;
    }
    items_.emplace(object, argument, true, Integers::kBorrowed);
}

bool HashBatch::hash_all(
    PyObject* const* objects, std::size_t size, const engagehub::ItemHash& hash, const char* argument) {
    if (size == 0) return true;
    const bool is_text = PyUnicode_CheckExact(objects[0]);
    PyTypeObject* const type = is_text ? &PyUnicode_Type : &PyLong_Type;
    hashes_.reserve(size);
    const std::string first = at_index(argument, 0);
    const bool is_uniform = hash.dispatch([&](auto hash_of) {
        for (std::size_t i = 0; i < size; ++i) {
            if (i + kAhead < size) engagehub::prefetch(objects[i + kAhead]);
            if (Py_TYPE(objects[i]) != type) return false;
            const char* name = i == 0 ? first.c_str() : argument;
            hashes_.push_back(is_text ? hash_of(text(objects[i], name)) : hash_of(exact_integer(objects[i], name)));
        }
        return true;
    });
    if (!is_uniform) return false;
    kind_ = is_text ? engagehub::ItemKind::kText : engagehub::ItemKind::kInteger;
    return true;
}

NumberBatch::NumberBatch(py::handle object, const char* argument, std::size_t size) {
    if (is_scalar(object)) {
        values_.assign(1, number(object, argument));
        return;
    }
    if (auto buffer = BufferView::of(object, argument)) {
        if (buffer->size() != size) refuse_length(argument, size, buffer->size());
        values_.reserve(size);
        buffer->each(
            [&](auto value, std::size_t i) { values_.push_back(finite(static_cast<double>(value), argument, i)); },
            argument);
        return;
    }
    const py::tuple tuple = as_tuple(object, argument);
    if (tuple.size() != size) refuse_length(argument, size, tuple.size());
    values_.reserve(size);
    for (std::size_t i = 0; i < size; ++i) {
        const py::handle element = PyTuple_GET_ITEM(tuple.ptr(), static_cast<Py_ssize_t>(i));
        values_.push_back(
            PyFloat_CheckExact(element.ptr()) && std::isfinite(PyFloat_AS_DOUBLE(element.ptr()))
                ? PyFloat_AS_DOUBLE(element.ptr())
                : number(element, at_index(argument, i).c_str()));
    }
}

ExactBatch::ExactBatch(py::handle object, const char* argument) {
    if (auto buffer = BufferView::of(object, argument)) {
        values_.reserve(buffer->size());
        buffer->each(
            [&](auto value, std::size_t i) {
                if constexpr (std::is_floating_point_v<decltype(value)>) {
                    values_.emplace_back(finite(value, argument, i));
                } else {
                    values_.emplace_back(signed_word(value, argument, i));
                }
            },
            argument);
        return;
    }
    const py::tuple tuple = as_tuple(object, argument);
    values_.reserve(tuple.size());
    for (std::size_t i = 0; i < tuple.size(); ++i) {
        const py::handle element = PyTuple_GET_ITEM(tuple.ptr(), static_cast<Py_ssize_t>(i));
        const auto digits = PyLong_CheckExact(element.ptr()) ? two_digits(element.ptr()) : std::nullopt;
        values_.push_back(digits ? Exact(*digits) : exact(element, at_index(argument, i).c_str()));
    }
}

InstantBatch::InstantBatch(py::handle object, const char* argument, std::size_t size) {
    if (is_scalar(object) || PyObject_HasAttrString(object.ptr(), "utcoffset") != 0) {
        values_.assign(1, instant(object, argument));
        return;
    }
    values_.reserve(size);
    if (auto buffer = BufferView::of(object, argument)) {
        if (buffer->size() != size) refuse_length(argument, size, buffer->size());
        buffer->each(
            [&](auto value, std::size_t i) {
                const auto seconds = static_cast<double>(value);
                if (!(seconds >= kFirstSecond && seconds < kLastSecond)) {
                    throw InvalidArgument(
                        at_index(argument, i) + " must be Unix seconds between the years 1 and 9999, got " +
                        engagehub::shown(seconds));
                }
                if constexpr (std::is_floating_point_v<decltype(value)>) {
                    values_.push_back(static_cast<std::int64_t>(std::llround(seconds * 1e6)));
                } else {
                    values_.push_back(static_cast<std::int64_t>(value) * 1'000'000);
                }
            },
            argument);
        return;
    }
    const py::tuple tuple = as_tuple(object, argument);
    if (tuple.size() != size) refuse_length(argument, size, tuple.size());
    for (std::size_t i = 0; i < size; ++i) {
        values_.push_back(instant(PyTuple_GET_ITEM(tuple.ptr(), static_cast<Py_ssize_t>(i)), argument));
    }
}

NaturalBatch::NaturalBatch(py::handle object, const char* argument, std::size_t size) {
    if (is_scalar(object)) {
        values_.assign(1, natural(object, argument));
        return;
    }
    values_.reserve(size);
    if (auto buffer = BufferView::of(object, argument)) {
        if (buffer->size() != size) refuse_length(argument, size, buffer->size());
        buffer->each(
            [&](auto value, std::size_t i) {
                using Value = decltype(value);
                if constexpr (std::is_floating_point_v<Value>) {
                    throw InvalidType(std::string(argument) + " must be a buffer of integers, got one of floats");
                } else {
                    if constexpr (std::is_signed_v<Value>) {
                        if (value < 0)
                            throw InvalidArgument(
                                at_index(argument, i) + " must be at least 0, got " + std::to_string(value));
                    }
                    values_.push_back(static_cast<std::uint64_t>(value));
                }
            },
            argument);
        return;
    }
    const py::tuple tuple = as_tuple(object, argument);
    if (tuple.size() != size) refuse_length(argument, size, tuple.size());
    for (std::size_t i = 0; i < size; ++i) {
        values_.push_back(
            natural(PyTuple_GET_ITEM(tuple.ptr(), static_cast<Py_ssize_t>(i)), at_index(argument, i).c_str()));
    }
}

BytesView::BytesView(py::handle object, const char* argument) {
    if (PyObject_GetBuffer(object.ptr(), &view_, PyBUF_SIMPLE) != 0) {
        if (PyErr_ExceptionMatches(PyExc_MemoryError) != 0) throw py::error_already_set();
        PyErr_Clear();
        throw InvalidType(
            std::string(argument) + " must be bytes or another contiguous buffer, got " + type_name(object));
    }
    bytes_ = {static_cast<const char*>(view_.buf), static_cast<std::size_t>(view_.len)};
#ifdef Py_GIL_DISABLED
    if (PyBytes_CheckExact(view_.obj)) return;
    try {
        copy_ = bytes_;
    } catch (...) {
        PyBuffer_Release(&view_);  // an object that wasn't made has no destructor
        throw;
    }
    bytes_ = copy_;
#endif
}

}  // namespace convert

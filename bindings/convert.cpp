// SPDX-License-Identifier: MIT
#include "convert.hpp"

#include <datetime.h>

#include <array>
#include <limits>
#include <type_traits>
#include <utility>

#include <engagehub/base/instant.hpp>
#include <engagehub/base/prefetch.hpp>
#include <engagehub/base/shown.hpp>

#include "buffer_view.hpp"
#include "thread_exit.hpp"

namespace convert {

using engagehub::InvalidArgument;
using engagehub::InvalidType;

namespace {

// How far a batch looks ahead in a list, whose objects may lie anywhere.
constexpr std::size_t kAhead = 8;

// The years 1 to 9999, as datetime has them.
constexpr double kFirstSecond = -62135596800.0;
constexpr double kLastSecond = 253402300800.0;

// What std::llround() gives, without a call: the rest is exact, for beyond 2^53 there is none.
std::int64_t rounded(double number) {
    const auto whole = static_cast<std::int64_t>(number);
    const double rest = number - static_cast<double>(whole);
    return whole + static_cast<std::int64_t>(rest >= 0.5) - static_cast<std::int64_t>(rest <= -0.5);
}

std::int64_t instant_of_seconds(double seconds, py::handle object, Argument argument) {
    if (!(seconds >= kFirstSecond && seconds < kLastSecond)) {
        throw InvalidArgument(
            std::string(argument) + " must be Unix seconds between the years 1 and 9999, got " + shown(object));
    }
    return rounded(seconds * 1e6);
}

std::int64_t days_from_civil(int year, int month, int day) {
    // Howard Hinnant, «chrono-compatible low-level date algorithms», days_from_civil.
    const int y = year - (month <= 2 ? 1 : 0);
    const std::int64_t era = (y >= 0 ? y : y - 399) / 400;
    const auto year_of_era = static_cast<std::int64_t>(y) - era * 400;
    const std::int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

std::int64_t instant_of_datetime(py::handle object, Argument argument) {
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

// Elements of a buffer.
template <class Value>
std::int64_t signed_word(Value value, const char* argument, std::size_t i) {
    if constexpr (std::is_same_v<Value, std::uint64_t>) {
        if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
            throw InvalidArgument(
                std::string(Argument(argument, i)) + " must fit in a signed 64-bit integer, got " +
                std::to_string(value));
        }
    }
    return static_cast<std::int64_t>(value);
}

double finite(double value, const char* argument, std::size_t i) {
    if (!std::isfinite(value))
        throw InvalidArgument(std::string(Argument(argument, i)) + " must be finite, got " + engagehub::shown(value));
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

bool is_number(py::handle object) { return is_integer(object) || is_float(object) || PyBool_Check(object.ptr()); }

// The classes of what has no order that two arguments could share: sets, dicts, and the views of dicts. Never released:
// batches may be made as long as the interpreter runs.
PyObject*& unordered_classes() {
    static PyObject* classes = nullptr;
    return classes;
}

bool is_unordered(py::handle object) {
    if (PyList_CheckExact(object.ptr()) || PyTuple_CheckExact(object.ptr())) return false;
    const int answer = PyObject_IsInstance(object.ptr(), unordered_classes());
    if (answer < 0) throw py::error_already_set();
    return answer != 0;
}

}  // namespace

void import_datetime() {
    PyDateTime_IMPORT;
    if (PyDateTimeAPI == nullptr) throw py::error_already_set();
}

void import_collections() {
    const py::module_ abc = py::module_::import("collections.abc");
    unordered_classes() = py::make_tuple(abc.attr("Set"), abc.attr("Mapping"), abc.attr("MappingView")).release().ptr();
}

bool is_for_all(py::handle object) {
    return object.is_none() || is_number(object) || PyObject_HasAttrString(object.ptr(), "utcoffset") != 0;
}

void require_order(py::handle items, const char* argument, py::handle values, const char* values_argument) {
    if (is_for_all(values) || !is_unordered(items)) return;
    throw InvalidType(
        std::string(argument) + " must be a sequence or an array where " + values_argument +
        " has a value for each, got " + type_name(items));
}

std::int64_t instant(py::handle object, Argument argument) {
    if (PyFloat_CheckExact(object.ptr())) return instant_of_seconds(PyFloat_AS_DOUBLE(object.ptr()), object, argument);
    if (is_float(object)) {
        const double seconds = PyFloat_AsDouble(object.ptr());
        if (seconds == -1.0 && PyErr_Occurred() != nullptr) throw py::error_already_set();
        return instant_of_seconds(seconds, object, argument);
    }
    if (is_integer(object)) {
        const std::int64_t whole = integer(object, argument);
        instant_of_seconds(static_cast<double>(whole), object, argument);
        return whole * 1'000'000;
    }
    if (PyDateTime_Check(object.ptr())) return instant_of_datetime(object, argument);
    throw InvalidType(
        std::string(argument) + " must be Unix seconds (int or float) or an aware datetime, got " + type_name(object));
}

py::tuple ordered_tuple(py::handle object, const char* argument) {
    if (is_unordered(object)) {
        throw InvalidType(
            std::string(argument) + " must be a sequence or an array, whose order is that of the items, got " +
            type_name(object));
    }
    return as_tuple(object, argument);
}

std::int64_t instant_of(double seconds, Argument argument) {
    if (!(seconds >= kFirstSecond && seconds < kLastSecond)) {
        throw InvalidArgument(
            std::string(argument) + " must be Unix seconds between the years 1 and 9999, got " +
            engagehub::shown(seconds));
    }
    return rounded(seconds * 1e6);
}

std::int64_t instant_of(std::int64_t seconds, Argument argument) {
    instant_of(static_cast<double>(seconds), argument);
    return seconds * 1'000'000;
}

void append_instants(
    std::vector<std::int64_t>& instants, const void* seconds, std::size_t count, const char* argument) {
    constexpr std::size_t kBlock = 256;
    std::array<double, kBlock> block{};  // what is checked is what is used, whoever writes to the array meanwhile
    const std::size_t before = instants.size();
    instants.resize(before + count);
    for (std::size_t start = 0; start < count; start += kBlock) {
        const std::size_t size = std::min(kBlock, count - start);
        std::memcpy(block.data(), static_cast<const char*>(seconds) + start * sizeof(double), size * sizeof(double));
        bool are_in_time = true;
        for (std::size_t i = 0; i < size; ++i) are_in_time &= (block[i] >= kFirstSecond) & (block[i] < kLastSecond);
        std::int64_t* const out = instants.data() + before + start;
        if (!are_in_time) {  // one of them throws
            for (std::size_t i = 0; i < size; ++i)
                out[i] = instant_of(block[i], Argument(argument, before + start + i));
        }
        for (std::size_t i = 0; i < size; ++i) out[i] = rounded(block[i] * 1e6);
    }
}

void require_finite(const std::vector<double>& values, const char* argument) {
    bool are_finite = true;
    for (const double value : values) are_finite &= std::fabs(value) <= std::numeric_limits<double>::max();
    if (are_finite) return;
    for (std::size_t i = 0; i < values.size(); ++i) finite(values[i], argument, i);
}

ItemBatch::ItemBatch(py::handle object, const char* argument, bool bytes_too, Integers integers) {
    if (auto buffer = BufferView::of(object, argument, Elements::kIntegers)) {
        size_ = buffer->size();
        if (size_ != 0) kind_ = engagehub::ItemKind::kInteger;
        if (integers == Integers::kBorrowed && buffer->integers() != nullptr) {
            numbers_ = buffer->integers();
            buffer_ = std::make_unique<BufferView>(std::move(*buffer));
            return;
        }
        copies_.reserve(size_);
        buffer->each_integer([&](auto value, std::size_t i) { copies_.push_back(signed_word(value, argument, i)); });
        numbers_ = copies_.data();
        return;
    }
    const py::tuple tuple = as_tuple(object, argument);
    owner_ = tuple;
    size_ = tuple.size();
    for (std::size_t i = 0; i < size_; ++i) {
        const py::handle element = PyTuple_GET_ITEM(tuple.ptr(), static_cast<Py_ssize_t>(i));
        if (i + kAhead < size_) engagehub::prefetch(PyTuple_GET_ITEM(tuple.ptr(), static_cast<Py_ssize_t>(i + kAhead)));
        const auto view = item(element, Argument(argument, i), bytes_too);
        if (kind_ == engagehub::ItemKind::kNone) {
            if (view.kind == engagehub::ItemKind::kText)
                texts_.reserve(size_);
            else
                copies_.reserve(size_);
        }
        if (kind_ != view.kind) engagehub::require_kind(kind_, view.kind, std::string(Argument(argument, i)).c_str());
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
    const bool is_uniform = hash.dispatch([&](auto hash_of) {
        for (std::size_t i = 0; i < size; ++i) {
            if (i + kAhead < size) engagehub::prefetch(objects[i + kAhead]);
            if (Py_TYPE(objects[i]) != type) return false;
            const Argument name(argument, i);
            hashes_.push_back(is_text ? hash_of(text(objects[i], name)) : hash_of(exact_integer(objects[i], name)));
        }
        return true;
    });
    if (!is_uniform) return false;
    kind_ = is_text ? engagehub::ItemKind::kText : engagehub::ItemKind::kInteger;
    return true;
}

NumberBatch::NumberBatch(py::handle object, const char* argument, std::size_t size)
    : argument_(argument), is_for_all_(is_number(object)) {
    if (is_for_all_) {
        values_.assign(1, number(object, argument));
        return;
    }
    if (auto buffer = BufferView::of(object, argument, Elements::kReals)) {
        if (buffer->size() != size) refuse_length(argument, size, buffer->size());
        values_.resize(size);
        if (const void* const doubles = buffer->doubles()) {
            if (size != 0) std::memcpy(values_.data(), doubles, size * sizeof(double));
        } else {
            buffer->each([&](auto value, std::size_t i) { values_[i] = static_cast<double>(value); });
        }
        require_finite(values_, argument);
        return;
    }
    const py::tuple tuple = ordered_tuple(object, argument);
    if (tuple.size() != size) refuse_length(argument, size, tuple.size());
    values_.reserve(size);
    for (std::size_t i = 0; i < size; ++i) {
        const py::handle element = PyTuple_GET_ITEM(tuple.ptr(), static_cast<Py_ssize_t>(i));
        values_.push_back(
            PyFloat_CheckExact(element.ptr()) && std::isfinite(PyFloat_AS_DOUBLE(element.ptr()))
                ? PyFloat_AS_DOUBLE(element.ptr())
                : number(element, Argument(argument, i)));
    }
}

ExactBatch::ExactBatch(py::handle object, const char* argument) {
    if (auto buffer = BufferView::of(object, argument, Elements::kReals)) {
        values_.reserve(buffer->size());
        buffer->each([&](auto value, std::size_t i) {
            if constexpr (std::is_floating_point_v<decltype(value)>) {
                values_.emplace_back(finite(value, argument, i));
            } else {
                values_.emplace_back(signed_word(value, argument, i));
            }
        });
        return;
    }
    const py::tuple tuple = ordered_tuple(object, argument);
    values_.reserve(tuple.size());
    for (std::size_t i = 0; i < tuple.size(); ++i) {
        const py::handle element = PyTuple_GET_ITEM(tuple.ptr(), static_cast<Py_ssize_t>(i));
        const auto digits = PyLong_CheckExact(element.ptr()) ? two_digits(element.ptr()) : std::nullopt;
        values_.push_back(digits ? Exact(*digits) : exact(element, Argument(argument, i)));
    }
}

InstantBatch::InstantBatch(py::handle object, const char* argument, std::size_t size)
    : is_for_all_(!object.is_none() && convert::is_for_all(object)) {
    if (is_for_all_) {
        values_.assign(1, instant(object, argument));
        return;
    }
    values_.reserve(size);
    if (auto buffer = BufferView::of(object, argument, Elements::kReals)) {
        if (buffer->size() != size) refuse_length(argument, size, buffer->size());
        if (const void* const doubles = buffer->doubles()) {
            append_instants(values_, doubles, size, argument);
        } else {
            buffer->each(
                [&](auto value, std::size_t i) { values_.push_back(instant_of(value, Argument(argument, i))); });
        }
        return;
    }
    const py::tuple tuple = ordered_tuple(object, argument);
    if (tuple.size() != size) refuse_length(argument, size, tuple.size());
    for (std::size_t i = 0; i < size; ++i) {
        values_.push_back(instant(PyTuple_GET_ITEM(tuple.ptr(), static_cast<Py_ssize_t>(i)), Argument(argument, i)));
    }
}

UnsignedBatch::UnsignedBatch(py::handle object, const char* argument, std::size_t size) {
    if (is_number(object)) {
        values_.assign(1, unsigned_word(object, argument));
        return;
    }
    values_.reserve(size);
    if (auto buffer = BufferView::of(object, argument, Elements::kIntegers)) {
        if (buffer->size() != size) refuse_length(argument, size, buffer->size());
        buffer->each_integer([&](auto value, std::size_t i) {
            if constexpr (std::is_signed_v<decltype(value)>) {
                if (value < 0) {
                    throw InvalidArgument(
                        std::string(Argument(argument, i)) + " must be between 0 and 2^64 - 1, got " +
                        std::to_string(value));
                }
            }
            values_.push_back(static_cast<std::uint64_t>(value));
        });
        return;
    }
    const py::tuple tuple = ordered_tuple(object, argument);
    if (tuple.size() != size) refuse_length(argument, size, tuple.size());
    for (std::size_t i = 0; i < size; ++i) {
        const py::handle element = PyTuple_GET_ITEM(tuple.ptr(), static_cast<Py_ssize_t>(i));
        values_.push_back(unsigned_word(element, Argument(argument, i)));
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

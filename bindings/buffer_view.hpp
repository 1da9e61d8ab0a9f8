// SPDX-License-Identifier: MIT
// Purpose: the numbers in a contiguous one-dimensional buffer: a NumPy array, an array.array, a memoryview.
// Thread safety: make and destroy attached; the values may be read with the GIL released while the view lives.
// Failure: InvalidType for another type of elements than asked for, or a mask; InvalidArgument for another shape.
#pragma once

#include "python.hpp"

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include <engagehub/base/errors.hpp>

#include "convert.hpp"

namespace convert {

// What a buffer may hold.
enum class Elements : std::uint8_t { kIntegers, kReals };

// Released at the end.
class BufferView {
public:
    // None where the object has no buffer of its own: a scalar of NumPy has one of its bytes, which isn't meant.
    static std::optional<BufferView> of(py::handle object, const char* argument, Elements wanted) {
        if (PyBytes_Check(object.ptr()) || PyByteArray_Check(object.ptr()) || PyObject_CheckBuffer(object.ptr()) == 0 ||
            has_base(object, "numpy.generic"))
            return std::nullopt;
        return BufferView(object, argument, wanted);
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
        const bool is_signed = code() == 'l' || code() == 'q' || code() == 'n';
        const bool is_aligned = reinterpret_cast<std::uintptr_t>(view_.buf) % alignof(std::int64_t) == 0;
        const bool fits = is_signed && view_.itemsize == sizeof(std::int64_t) && is_aligned;
        return fits ? static_cast<const std::int64_t*>(view_.buf) : nullptr;
    }

    // Its values, if they are doubles, which may lie at any address; else null.
    const void* doubles() const { return code() == 'd' ? view_.buf : nullptr; }

    // Calls visit(value, index) for every value, in the buffer's own type of integers.
    template <class Visit>
    void each_integer(Visit&& visit) const {
        switch (code()) {
            case 'b': return walk<std::int8_t>(visit);
            case 'B': return walk<std::uint8_t>(visit);
            case 'h': return walk<std::int16_t>(visit);
            case 'H': return walk<std::uint16_t>(visit);
            case 'i': return walk<std::int32_t>(visit);
            case 'I': return walk<std::uint32_t>(visit);
            case 'L':
            case 'Q':
            case 'N': return view_.itemsize == 4 ? walk<std::uint32_t>(visit) : walk<std::uint64_t>(visit);
            default: return view_.itemsize == 4 ? walk<std::int32_t>(visit) : walk<std::int64_t>(visit);  // l, q, n
        }
    }

    // The same where there may be floats, too: those of 16 bits come as double.
    template <class Visit>
    void each(Visit&& visit) const {
        switch (code()) {
            case 'e': return walk_halves(visit);
            case 'f': return walk<float>(visit);
            case 'd': return walk<double>(visit);
            default: return each_integer(visit);
        }
    }

private:
    static constexpr std::string_view kIntegerCodes = "bBhHiIlqnLQN";
    static constexpr std::string_view kFloatCodes = "efd";

    BufferView(py::handle object, const char* argument, Elements wanted) {
        if (has_base(object, "MaskedArray")) {
            throw engagehub::InvalidType(
                std::string(argument) +
                " must be an array without a mask, which would be ignored, got a masked array; pass its "
                ".filled(...) or .compressed()");
        }
        if (PyObject_GetBuffer(object.ptr(), &view_, PyBUF_FORMAT | PyBUF_C_CONTIGUOUS) != 0) {
            if (PyErr_ExceptionMatches(PyExc_MemoryError) != 0) throw py::error_already_set();
            PyErr_Clear();
            if (!has_gaps_only(object)) refuse_elements(object, argument, wanted);
            throw engagehub::InvalidArgument(
                std::string(argument) + " must be a contiguous buffer, got " + type_name(object));
        }
        held_ = true;
        const bool is_integer = kIntegerCodes.find(code()) != std::string_view::npos;
        const bool is_float = wanted == Elements::kReals && kFloatCodes.find(code()) != std::string_view::npos;
        if ((is_integer || is_float) && view_.ndim == 1) return;
        const int dimensions = view_.ndim;
        const std::string format = view_.format == nullptr ? "B" : view_.format;
        PyBuffer_Release(&view_);
        held_ = false;
        if (!is_integer && !is_float) refuse_elements(object, argument, wanted, format);
        throw engagehub::InvalidArgument(
            std::string(argument) + " must have one dimension, got " + std::to_string(dimensions));
    }

    // Whether it is the gaps that a buffer was refused for, and not its elements: NumPy gives none of dates.
    static bool has_gaps_only(py::handle object) {
        Py_buffer view{};
        if (PyObject_GetBuffer(object.ptr(), &view, PyBUF_FULL_RO) != 0) {
            clear_expected(PyExc_Exception);
            return PyObject_HasAttrString(object.ptr(), "dtype") == 0;
        }
        PyBuffer_Release(&view);
        return true;
    }

    [[noreturn]] static void refuse_elements(
        py::handle object, const char* argument, Elements wanted, const std::string& format = "") {
        const auto dtype = py::reinterpret_steal<py::object>(PyObject_GetAttrString(object.ptr(), "dtype"));
        if (!dtype) clear_expected(PyExc_AttributeError);
        const std::string given = dtype ? "dtype " + py::str(dtype).cast<std::string>() : "format " + format;
        const bool is_listable = format == "O" || (!format.empty() && format.back() == 'w');  // objects and texts
        throw engagehub::InvalidType(
            std::string(argument) +
            (wanted == Elements::kIntegers
                 ? " must be a buffer of integers (native int8 to int64, uint8 to uint64), got one of "
                 : " must be a buffer of integers or floats (native int8 to int64, uint8 to uint64, float16 to "
                   "float64), "
                   "got one of ") +
            given + (is_listable ? "; as a list it may be taken: .tolist()" : ""));
    }

    // Native byte order only: «<» is native where it matters here, «>» and «!» are not.
    char code() const {
        if (view_.format == nullptr) return 'B';
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

    template <class Visit>
    void walk_halves(Visit& visit) const {
        const auto* data = static_cast<const char*>(view_.buf);
        const std::size_t count = size();
        for (std::size_t i = 0; i < count; ++i) visit(PyFloat_Unpack2(data + 2 * i, PY_LITTLE_ENDIAN), i);
    }

    Py_buffer view_{};
    bool held_ = false;
};

}  // namespace convert

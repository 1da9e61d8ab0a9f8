// SPDX-License-Identifier: MIT
// Purpose: the value of an int of up to two digits (60 bits, so every Discord id) read from the digits themselves, for
// the methods that are called once an event: PyLong_AsLongLongAndOverflow() is a call and a loop.
// Thread safety: pure; an int never changes. Complexity: O(1).
// Failure: none; where the layout isn't known to this file (an interpreter newer than 3.14, or 15-bit digits) it
// answers nothing, and the caller asks the C API.
#pragma once

#include "python.hpp"

#include <cstdint>
#include <optional>

namespace convert {

#if PYLONG_BITS_IN_DIGIT == 30 && PY_VERSION_HEX < 0x030F0000 && !defined(PYPY_VERSION)

// REQUIRES: PyLong_Check(object).
inline std::optional<std::int64_t> two_digits(PyObject* object) {
    const auto* number = reinterpret_cast<const PyLongObject*>(object);
#if PY_VERSION_HEX >= 0x030C0000
    // lv_tag: how many digits, three bits further up, and a sign of 0, 1 for zero, or 2 for negative.
    const auto* digits = number->long_value.ob_digit;
    const std::uintptr_t size = number->long_value.lv_tag >> 3U;
    const bool is_negative = (number->long_value.lv_tag & 3U) == 2;
    if (size == 0) return 0;
#else
    const auto* digits = number->ob_digit;
    const Py_ssize_t signed_size = Py_SIZE(object);
    const bool is_negative = signed_size < 0;
    const Py_ssize_t size = is_negative ? -signed_size : signed_size;
    if (size == 0) return 0;
#endif
    if (size > 2) return std::nullopt;
    auto value = static_cast<std::int64_t>(digits[0]);
    if (size == 2) value |= static_cast<std::int64_t>(digits[1]) << PyLong_SHIFT;
    return is_negative ? -value : value;
}

#else

inline std::optional<std::int64_t> two_digits(PyObject* /*object*/) { return std::nullopt; }

#endif

}  // namespace convert

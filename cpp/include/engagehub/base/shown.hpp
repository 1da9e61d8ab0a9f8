// SPDX-License-Identifier: MIT
// Purpose: numbers as error messages show them: 0.1 and 1e+300, where std::to_string() has 0.100000 and 301 digits.
// std::to_chars() would do, but macOS has it for doubles since 13.3 only.
// Thread safety: a pure function, whatever the locale. Complexity: O(1). Failure: std::bad_alloc.
#pragma once

#include <cmath>
#include <iomanip>
#include <locale>
#include <sstream>
#include <string>

namespace engagehub {

// With 15 digits, or as many more as it takes to read the same value back; "inf", "-inf" and "nan".
inline std::string shown(double value) {
    if (std::isnan(value)) return "nan";
    if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
    std::string text;
    for (int digits = 15; digits <= 17; ++digits) {
        std::ostringstream out;
        out.imbue(std::locale::classic());
        out << std::setprecision(digits) << value;
        text = out.str();
        std::istringstream in(text);
        in.imbue(std::locale::classic());
        double read = 0;
        if (in >> read && read == value) break;  // what overflows is read as the largest, and fails
    }
    return text;
}

}  // namespace engagehub

// SPDX-License-Identifier: MIT
// Purpose: how an error shows a number: the shortest text that reads back as the same one.
// Thread safety: pure functions. Complexity: O(1). Failure: std::bad_alloc.
#pragma once

#include <array>
#include <charconv>
#include <string>

namespace engagehub {

// Also "inf", "-inf" and "nan".
inline std::string shown(double value) {
    std::array<char, 32> text{};  // 24 at the most
    const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
    return {text.data(), end};
}

}  // namespace engagehub

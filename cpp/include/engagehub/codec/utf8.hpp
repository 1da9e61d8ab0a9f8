// SPDX-License-Identifier: MIT
// Purpose: whether bytes are well-formed UTF-8 (The Unicode Standard, table 3-7): no overlong forms, no surrogates,
// nothing above U+10FFFF. Thread safety: pure. Complexity: O(bytes).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace engagehub {

inline bool is_utf8(std::string_view text) {
    const auto byte = [text](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
    for (std::size_t i = 0; i < text.size();) {
        const std::uint8_t lead = byte(i);
        if (lead < 0x80) {
            ++i;
            continue;
        }
        if (lead < 0xc2 || lead > 0xf4) return false;
        const std::size_t more = lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
        if (text.size() - i <= more) return false;
        const std::uint8_t least = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
        const std::uint8_t most = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
        if (byte(i + 1) < least || byte(i + 1) > most) return false;
        for (std::size_t k = 2; k <= more; ++k) {
            if ((byte(i + k) & 0xc0U) != 0x80) return false;
        }
        i += more + 1;
    }
    return true;
}

}  // namespace engagehub

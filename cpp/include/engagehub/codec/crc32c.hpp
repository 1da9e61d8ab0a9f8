// SPDX-License-Identifier: MIT
// Purpose: CRC-32C (Castagnoli, RFC 3720 appendix B.4), the checksum at the end of every native byte format.
// Thread safety: pure function. Complexity: O(length), a table lookup a byte. Failure: none.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace engagehub {
namespace detail {

constexpr std::array<std::uint32_t, 256> make_crc32c_table() {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < 256; ++i) {
        std::uint32_t value = i;
        for (int bit = 0; bit < 8; ++bit) value = (value >> 1U) ^ ((value & 1U) != 0 ? 0x82f63b78U : 0U);
        table[i] = value;
    }
    return table;
}

inline constexpr auto kCrc32cTable = make_crc32c_table();

}  // namespace detail

inline std::uint32_t crc32c(const void* data, std::size_t length) {
    const auto* bytes = static_cast<const unsigned char*>(data);
    std::uint32_t value = 0xffffffffU;
    for (std::size_t i = 0; i < length; ++i) value = (value >> 8U) ^ detail::kCrc32cTable[(value ^ bytes[i]) & 0xffU];
    return ~value;
}

}  // namespace engagehub

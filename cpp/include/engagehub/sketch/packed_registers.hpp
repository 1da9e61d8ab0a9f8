// SPDX-License-Identifier: MIT
// Purpose: registers of six bits, the first in the lowest bits of the first byte: the layout that Redis and Valkey
// use in their dense form, and this library in its own format.
// Thread safety: pure functions. Complexity: O(registers).
// Failure: unpack REQUIRES as many bytes as packed_size() says.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace engagehub {

constexpr std::size_t packed_size(std::size_t registers) { return (registers * 6 + 7) / 8; }

// REQUIRES: every register below 64.
inline std::string pack_registers(const std::vector<std::uint8_t>& registers) {
    std::string packed(packed_size(registers.size()), '\0');
    for (std::size_t i = 0; i < registers.size(); ++i) {
        const std::size_t byte = i * 6 / 8;
        const unsigned shifted = static_cast<unsigned>(registers[i]) << (i * 6 % 8);
        packed[byte] = static_cast<char>(static_cast<unsigned char>(packed[byte]) | (shifted & 0xffU));
        if ((shifted >> 8U) != 0) packed[byte + 1] = static_cast<char>(shifted >> 8U);
    }
    return packed;
}

inline std::vector<std::uint8_t> unpack_registers(std::string_view packed, std::size_t registers) {
    std::vector<std::uint8_t> unpacked(registers);
    for (std::size_t i = 0; i < registers; ++i) {
        const std::size_t byte = i * 6 / 8;
        unsigned two = static_cast<unsigned char>(packed[byte]);
        if (byte + 1 < packed.size()) two |= static_cast<unsigned>(static_cast<unsigned char>(packed[byte + 1])) << 8U;
        unpacked[i] = static_cast<std::uint8_t>((two >> (i * 6 % 8)) & 63U);
    }
    return unpacked;
}

}  // namespace engagehub

// SPDX-License-Identifier: MIT
// Purpose: the lower half of MurmurHash3_x64_128 (Austin Appleby, public domain description), little-endian on every
// platform: the hash that the PostgreSQL extension hll uses, with seed 0.
// Thread safety: pure function. Complexity: O(length). Failure: none.
#pragma once

#include <cstddef>
#include <cstdint>

#include <engagehub/codec/load.hpp>

namespace engagehub {
namespace detail {

inline std::uint64_t murmur3_finished(std::uint64_t value) {
    value = (value ^ (value >> 33U)) * 0xff51afd7ed558ccdULL;
    value = (value ^ (value >> 33U)) * 0xc4ceb9fe1a85ec53ULL;
    return value ^ (value >> 33U);
}

}  // namespace detail

inline std::uint64_t murmur3_low(const void* data, std::size_t length, std::uint64_t seed = 0) {
    constexpr std::uint64_t kFirst = 0x87c37b91114253d5ULL;
    constexpr std::uint64_t kSecond = 0x4cf5ad432745937fULL;
    const auto first_mixed = [](std::uint64_t word) { return rotated_left(word * kFirst, 31) * kSecond; };
    const auto second_mixed = [](std::uint64_t word) { return rotated_left(word * kSecond, 33) * kFirst; };
    const auto* bytes = static_cast<const unsigned char*>(data);
    const auto size = static_cast<std::uint64_t>(length);
    std::uint64_t low = seed;
    std::uint64_t high = seed;
    for (; length >= 16; bytes += 16, length -= 16) {
        low = (rotated_left(low ^ first_mixed(load_le64(bytes)), 27) + high) * 5 + 0x52dce729U;
        high = (rotated_left(high ^ second_mixed(load_le64(bytes + 8)), 31) + low) * 5 + 0x38495ab5U;
    }
    std::uint64_t tail_low = 0;
    std::uint64_t tail_high = 0;
    if (length > 8) {
        tail_low = load_le64(bytes);
        tail_high = load_tail(bytes + 8, length - 8, true);
    } else if (length == 8) {
        tail_low = load_le64(bytes);
    } else if (length != 0) {
        tail_low = load_tail(bytes, length, size >= 16);
    }
    high ^= second_mixed(tail_high) ^ size;
    low ^= first_mixed(tail_low) ^ size;
    low += high;
    high += low;
    return detail::murmur3_finished(low) + detail::murmur3_finished(high);
}

}  // namespace engagehub

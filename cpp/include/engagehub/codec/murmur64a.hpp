// SPDX-License-Identifier: MIT
// Purpose: MurmurHash64A (Austin Appleby, public domain description), little-endian on every platform. With the default
// seed it is the hash that Redis and Valkey use for HyperLogLog, hence the registers here and there are the same.
// Thread safety: pure function. Complexity: O(length). Failure: none.
#pragma once

#include <cstddef>
#include <cstdint>

namespace engagehub {

inline constexpr std::uint64_t kRedisHashSeed = 0xadc83b19ULL;

namespace detail {

inline std::uint64_t load_le64(const unsigned char* bytes) {
    std::uint64_t value = 0;
    for (unsigned i = 0; i < 8; ++i) value |= static_cast<std::uint64_t>(bytes[i]) << (8U * i);
    return value;
}

}  // namespace detail

inline std::uint64_t murmur64a(const void* data, std::size_t length, std::uint64_t seed = kRedisHashSeed) {
    constexpr std::uint64_t kMultiplier = 0xc6a4a7935bd1e995ULL;
    constexpr unsigned kShift = 47;
    const auto* bytes = static_cast<const unsigned char*>(data);
    std::uint64_t hash = seed ^ (static_cast<std::uint64_t>(length) * kMultiplier);
    for (; length >= 8; bytes += 8, length -= 8) {
        std::uint64_t word = detail::load_le64(bytes) * kMultiplier;
        word ^= word >> kShift;
        hash ^= word * kMultiplier;
        hash *= kMultiplier;
    }
    if (length != 0) {
        for (std::size_t i = 0; i < length; ++i) hash ^= static_cast<std::uint64_t>(bytes[i]) << (8U * i);
        hash *= kMultiplier;
    }
    hash ^= hash >> kShift;
    hash *= kMultiplier;
    hash ^= hash >> kShift;
    return hash;
}

}  // namespace engagehub

// SPDX-License-Identifier: MIT
// Purpose: MurmurHash64A (Austin Appleby, public domain description), little-endian on every platform. With the default
// seed it is the hash that Redis and Valkey use for HyperLogLog, hence the registers here and there are the same.
// Thread safety: pure function. Complexity: O(length). Failure: none.
#pragma once

#include <cstddef>
#include <cstdint>

#include <engagehub/codec/load.hpp>

namespace engagehub {

inline constexpr std::uint64_t kRedisHashSeed = 0xadc83b19ULL;

namespace detail {

inline constexpr std::uint64_t kMurmur64Multiplier = 0xc6a4a7935bd1e995ULL;
inline constexpr unsigned kMurmur64Shift = 47;

inline std::uint64_t murmur64a_absorbed(std::uint64_t hash, std::uint64_t word) {
    word *= kMurmur64Multiplier;
    word ^= word >> kMurmur64Shift;
    return (hash ^ (word * kMurmur64Multiplier)) * kMurmur64Multiplier;
}

inline std::uint64_t murmur64a_finished(std::uint64_t hash) {
    hash ^= hash >> kMurmur64Shift;
    hash *= kMurmur64Multiplier;
    return hash ^ (hash >> kMurmur64Shift);
}

}  // namespace detail

// The hash of the eight little-endian bytes of a word.
inline std::uint64_t murmur64a_of_word(std::uint64_t word, std::uint64_t seed = kRedisHashSeed) {
    return detail::murmur64a_finished(detail::murmur64a_absorbed(seed ^ (8 * detail::kMurmur64Multiplier), word));
}

inline std::uint64_t murmur64a(const void* data, std::size_t length, std::uint64_t seed = kRedisHashSeed) {
    const auto* bytes = static_cast<const unsigned char*>(data);
    std::uint64_t hash = seed ^ (static_cast<std::uint64_t>(length) * detail::kMurmur64Multiplier);
    const bool has_eight = length >= 8;
    for (; length >= 8; bytes += 8, length -= 8) hash = detail::murmur64a_absorbed(hash, load_le64(bytes));
    if (length != 0) {
        hash ^= load_tail(bytes, length, has_eight);
        hash *= detail::kMurmur64Multiplier;
    }
    return detail::murmur64a_finished(hash);
}

}  // namespace engagehub

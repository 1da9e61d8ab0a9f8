// SPDX-License-Identifier: MIT
// Purpose: MurmurHash64A (Austin Appleby, public domain description), little-endian on every platform. With the default
// seed it is the hash that Redis and Valkey use for HyperLogLog, hence the registers here and there are the same.
// Thread safety: pure function. Complexity: O(length). Failure: none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace engagehub {

inline constexpr std::uint64_t kRedisHashSeed = 0xadc83b19ULL;

namespace detail {

template <class Word>
std::uint64_t load_le(const unsigned char* bytes) {
#if defined(_MSC_VER) || (defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
    Word value = 0;
    std::memcpy(&value, bytes, sizeof value);  // compilers don't make one load of the loop below
    return value;
#else
    std::uint64_t value = 0;
    for (unsigned i = 0; i < sizeof(Word); ++i) value |= static_cast<std::uint64_t>(bytes[i]) << (8U * i);
    return value;
#endif
}
inline std::uint64_t load_le64(const unsigned char* bytes) { return load_le<std::uint64_t>(bytes); }
inline std::uint64_t load_le32(const unsigned char* bytes) { return load_le<std::uint32_t>(bytes); }

// The last 1 to 7 bytes of a text as a word, without a loop over them: by loads that overlap, for what both cover is
// the same. REQUIRES: 1 <= count <= 7, and that many bytes or, if the text is longer than eight, eight before the end.
inline std::uint64_t load_tail(const unsigned char* bytes, std::size_t count, bool has_eight) {
    if (has_eight) return load_le64(bytes + count - 8) >> (64U - 8U * count);
    if (count >= 4) return load_le32(bytes) | (load_le32(bytes + count - 4) << (8U * (count - 4)));
    return static_cast<std::uint64_t>(bytes[0]) | (static_cast<std::uint64_t>(bytes[count / 2]) << (8U * (count / 2))) |
        (static_cast<std::uint64_t>(bytes[count - 1]) << (8U * (count - 1)));
}

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
    for (; length >= 8; bytes += 8, length -= 8) hash = detail::murmur64a_absorbed(hash, detail::load_le64(bytes));
    if (length != 0) {
        hash ^= detail::load_tail(bytes, length, has_eight);
        hash *= detail::kMurmur64Multiplier;
    }
    return detail::murmur64a_finished(hash);
}

}  // namespace engagehub

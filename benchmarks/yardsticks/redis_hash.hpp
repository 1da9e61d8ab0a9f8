// SPDX-License-Identifier: MIT
// Purpose: a yardstick's part, no part of the library: MurmurHash64A (Appleby, 2008) under the seed of Redis, of eight
// bytes and of text, with unaligned loads and nothing else. Thread safety: pure functions. Complexity: O(length).
// Failure: none. Little-endian machines only, as yardsticks run where they are compiled.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace yardstick {

inline constexpr std::uint64_t kMurmurSeed = 0xadc83b19ULL;
inline constexpr std::uint64_t kMurmurFactor = 0xc6a4a7935bd1e995ULL;

inline std::uint64_t with_word(std::uint64_t hash, std::uint64_t word) {
    word *= kMurmurFactor;
    word ^= word >> 47U;
    return (hash ^ (word * kMurmurFactor)) * kMurmurFactor;
}

inline std::uint64_t finished(std::uint64_t hash) {
    hash = (hash ^ (hash >> 47U)) * kMurmurFactor;
    return hash ^ (hash >> 47U);
}

inline std::uint64_t redis_hash(std::int64_t number) {
    return finished(with_word(kMurmurSeed ^ (8 * kMurmurFactor), static_cast<std::uint64_t>(number)));
}

template <class Word>
Word loaded(const char* bytes) {
    Word word;
    std::memcpy(&word, bytes, sizeof word);
    return word;
}

// The last bytes of a text, 1 to 7 of them, as a number: by loads that overlap what is before them.
inline std::uint64_t last_bytes(const char* text, std::size_t size) {
    const std::size_t count = size % 8;
    const char* end = text + size;
    if (size >= 8) return loaded<std::uint64_t>(end - 8) >> (8 * (8 - count));
    if (count >= 4) {
        const std::uint64_t high = loaded<std::uint32_t>(end - 4);
        return high << (8 * (count - 4)) | loaded<std::uint32_t>(text);
    }
    std::uint64_t rest = 0;
    for (std::size_t i = 0; i < count; ++i) rest |= std::uint64_t{static_cast<unsigned char>(text[i])} << (8 * i);
    return rest;
}

inline std::uint64_t redis_hash(const char* text, std::size_t size) {
    std::uint64_t hash = kMurmurSeed ^ (size * kMurmurFactor);
    for (std::size_t i = 0; i + 8 <= size; i += 8) hash = with_word(hash, loaded<std::uint64_t>(text + i));
    if (size % 8 != 0) hash = (hash ^ last_bytes(text, size)) * kMurmurFactor;
    return finished(hash);
}

}  // namespace yardstick

// SPDX-License-Identifier: MIT
// Purpose: bytes as the words that hashes work on, little-endian on every platform.
// Thread safety: pure functions. Complexity: O(1). Failure: none; each REQUIRES the bytes that it says.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace engagehub {
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

}  // namespace detail

// The first eight or four bytes as a word, little-endian.
inline std::uint64_t load_le64(const unsigned char* bytes) { return detail::load_le<std::uint64_t>(bytes); }
inline std::uint64_t load_le32(const unsigned char* bytes) { return detail::load_le<std::uint32_t>(bytes); }

// The last 1 to 7 bytes of a text as a word, without a loop over them: by loads that overlap, for what both cover is
// the same. REQUIRES: 1 <= count <= 7, and that many bytes or, if the text is longer than eight, eight before the end.
inline std::uint64_t load_tail(const unsigned char* bytes, std::size_t count, bool has_eight) {
    if (has_eight) return load_le64(bytes + count - 8) >> (64U - 8U * count);
    if (count >= 4) return load_le32(bytes) | (load_le32(bytes + count - 4) << (8U * (count - 4)));
    return static_cast<std::uint64_t>(bytes[0]) | (static_cast<std::uint64_t>(bytes[count / 2]) << (8U * (count / 2))) |
        (static_cast<std::uint64_t>(bytes[count - 1]) << (8U * (count - 1)));
}

inline std::uint64_t rotated_left(std::uint64_t value, unsigned by) { return (value << by) | (value >> (64U - by)); }

}  // namespace engagehub

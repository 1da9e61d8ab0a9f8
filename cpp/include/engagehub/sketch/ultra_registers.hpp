// SPDX-License-Identifier: MIT
// Purpose: the registers of an UltraLogLog (Ertl, «UltraLogLog: a practical and more space-efficient alternative to
// HyperLogLog for approximate distinct counting», VLDB 2024) on the bit split of Redis. A register is a byte: 0 while
// nothing reached it, else 4 * level + 2 * [level - 1 was reached] + [level - 2 was reached], where level is the
// highest rank that reached it, plus p - 2. That offset makes a byte mean the same at every precision, and its upper
// six bits alone are the register of a plain HyperLogLog. Thread safety: pure functions. Complexity: O(1) a register.
// Failure: none; every function REQUIRES reachable bytes, and gives them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <engagehub/base/simd.hpp>

namespace engagehub::ultra {

inline constexpr unsigned kHashBits = 64;
inline constexpr std::uint8_t kPlainBits = 0xfc;

constexpr unsigned level_of(unsigned rank, unsigned p) { return rank + p - 2; }
constexpr unsigned rank_of(std::uint8_t byte, unsigned p) { return byte == 0 ? 0 : (byte >> 2U) + 2U - p; }
constexpr unsigned highest_rank(unsigned p) { return kHashBits + 1 - p; }

// REQUIRES: value != 0.
inline unsigned trailing_zeros(std::uint64_t value) {
#if defined(__GNUC__)
    return static_cast<unsigned>(__builtin_ctzll(value));
#else
    unsigned zeros = 0;
    for (unsigned step = 32; step != 0; step /= 2) {
        if ((value & ((std::uint64_t{1} << step) - 1)) == 0) {
            value >>= step;
            zeros += step;
        }
    }
    return zeros;
#endif
}

// Of a hash, the low p bits choose the register; the rank is 1 + the zeros that the others end with. The bit above the
// hash ends the run if all of them are zero.
inline std::size_t index_of(std::uint64_t hash, unsigned p) {
    return static_cast<std::size_t>(hash & ((std::uint64_t{1} << p) - 1));
}
inline unsigned rank_of_hash(std::uint64_t hash, unsigned p) {
    return trailing_zeros((hash >> p) | (std::uint64_t{1} << (kHashBits - p))) + 1;
}

// What two registers hold together. The lower one's levels lie d below: of its top level and the two bits below, the
// upper one keeps what is at most two levels below its own.
constexpr std::uint8_t joined(std::uint8_t a, std::uint8_t b) {
    const unsigned high = a < b ? b : a;
    const unsigned low = a < b ? a : b;
    const unsigned distance = (high >> 2U) - (low >> 2U);
    const unsigned bits = low & 3U;
    // An empty register has level 0, and none that isn't has a level below 3. Written as a choice of three, which
    // compilers turn into vector code.
    const unsigned kept = distance == 0 ? bits : distance == 1 ? 2U | (bits >> 1U) : distance == 2 ? 1U : 0U;
    return static_cast<std::uint8_t>(high | kept);
}

// The register after an item that reaches the level. Without a branch, for which it would be couldn't be predicted: the
// byte's levels as bits of a word, one more bit, and back. REQUIRES: level >= 3.
inline std::uint8_t raised(std::uint8_t byte, unsigned level) {
    const unsigned held = byte >> 2U;
    // An empty register shifts its bit out of the word.
    const std::uint64_t reached =
        ((std::uint64_t{4} | (byte & 3U)) << ((held - 2U) & 63U)) | (std::uint64_t{1} << level);
    const unsigned highest = held < level ? level : held;
    return static_cast<std::uint8_t>((highest << 2U) | ((reached >> (highest - 2)) & 3U));
}

// Whether a stream can give this byte: levels from that of rank 1 on, and no bit for a rank below 1.
constexpr bool is_reachable(std::uint8_t byte, unsigned p) {
    if (byte == 0) return true;
    const unsigned level = byte >> 2U;
    if (level < level_of(1, p)) return false;
    const unsigned known = level - level_of(1, p);  // ranks below the highest
    return known >= 2 || (byte & (known == 1 ? 1U : 3U)) == 0;
}

namespace detail {

inline void join_plain(std::uint8_t* into, const std::uint8_t* from, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) into[i] = joined(into[i], from[i]);
}

#ifdef ENGAGEHUB_AVX2
// By a table of sixteen bytes: min(distance, 3) * 4 + the lower one's bits -> the bits that it adds.
ENGAGEHUB_TARGET_AVX2 inline void join_avx2(std::uint8_t* into, const std::uint8_t* from, std::size_t size) {
    const __m256i table = _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 2, 3, 2, 2, 3, 3, 1, 1, 1, 1, 0, 0, 0, 0));
    const __m256i three = _mm256_set1_epi8(3);
    const __m256i levels = _mm256_set1_epi8(63);
    for (std::size_t i = 0; i < size; i += 32) {
        auto* at = reinterpret_cast<__m256i*>(into + i);
        const __m256i a = _mm256_loadu_si256(at);
        const __m256i b = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + i));
        const __m256i high = _mm256_max_epu8(a, b);
        const __m256i low = _mm256_min_epu8(a, b);
        const __m256i distance = _mm256_min_epu8(
            three,
            _mm256_sub_epi8(
                _mm256_and_si256(_mm256_srli_epi16(high, 2), levels),
                _mm256_and_si256(_mm256_srli_epi16(low, 2), levels)));
        const __m256i row = _mm256_or_si256(_mm256_slli_epi16(distance, 2), _mm256_and_si256(low, three));
        _mm256_storeu_si256(at, _mm256_or_si256(high, _mm256_shuffle_epi8(table, row)));
    }
}
#endif

#ifdef ENGAGEHUB_NEON
inline void join_neon(std::uint8_t* into, const std::uint8_t* from, std::size_t size) {
    constexpr std::array<std::uint8_t, 16> kTable = {0, 1, 2, 3, 2, 2, 3, 3, 1, 1, 1, 1, 0, 0, 0, 0};
    const uint8x16_t table = vld1q_u8(kTable.data());
    const uint8x16_t three = vdupq_n_u8(3);
    for (std::size_t i = 0; i < size; i += 16) {
        const uint8x16_t a = vld1q_u8(into + i);
        const uint8x16_t b = vld1q_u8(from + i);
        const uint8x16_t high = vmaxq_u8(a, b);
        const uint8x16_t low = vminq_u8(a, b);
        const uint8x16_t distance = vminq_u8(three, vsubq_u8(vshrq_n_u8(high, 2), vshrq_n_u8(low, 2)));
        const uint8x16_t row = vorrq_u8(vshlq_n_u8(distance, 2), vandq_u8(low, three));
        vst1q_u8(into + i, vorrq_u8(high, vqtbl1q_u8(table, row)));
    }
}
#endif

}  // namespace detail

// Register by register: into becomes what both hold. REQUIRES: size is 2^p, p >= 4.
inline void join(std::uint8_t* into, const std::uint8_t* from, std::size_t size) {
#if defined(ENGAGEHUB_AVX2)
    if (size >= 32 && simd::path() == simd::Path::kAvx2) {
        detail::join_avx2(into, from, size);
        return;
    }
#elif defined(ENGAGEHUB_NEON)
    if (simd::path() == simd::Path::kNeon) {
        detail::join_neon(into, from, size);
        return;
    }
#endif
    detail::join_plain(into, from, size);
}

// The same for registers of plain HyperLogLogs, whose lower bits are unknown and kept at zero. Compilers make vector
// code of it for every processor.
inline void join_ranks(std::uint8_t* into, const std::uint8_t* from, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) {
        const auto other = static_cast<std::uint8_t>(from[i] & kPlainBits);
        into[i] = into[i] < other ? other : into[i];
    }
}

// Registers at p brought down to those at the lower precision `to`, exactly: calls put(index, byte) for each register
// that isn't empty; a register gets all that was put to it, joined.
template <class Put>
void fold(const std::uint8_t* registers, unsigned p, unsigned to, Put&& put) {
    for (std::size_t i = 0; i < std::size_t{1} << p; ++i) {
        if (registers[i] == 0) continue;
        // The bits that no longer choose the register are the first ones of the rest.
        const std::size_t rest = i >> to;
        put(i & ((std::size_t{1} << to) - 1),
            rest == 0 ? registers[i] : static_cast<std::uint8_t>(level_of(trailing_zeros(rest) + 1, to) << 2U));
    }
}

}  // namespace engagehub::ultra

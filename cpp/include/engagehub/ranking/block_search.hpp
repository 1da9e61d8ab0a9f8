// SPDX-License-Identifier: MIT
// Purpose: how many of the sorted words of a block lie below one: a whole block is compared by vector instructions
// (AVX2 where the processor has it, NEON on 64-bit ARM), or halved by plain code.
// Thread safety: pure functions.
// Complexity: O(log count) plain, O(count / 4) or O(count / 2) steps without a branch by vectors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

#include <engagehub/base/simd.hpp>

namespace engagehub::block_search {

// What fills a block behind its count words, up to a multiple of kStride: it is below nothing.
inline constexpr std::int64_t kPad = std::numeric_limits<std::int64_t>::max();
inline constexpr std::size_t kStride = 8;

// Words below value among count sorted ones.
inline std::size_t count_below_plain(const std::int64_t* words, std::size_t count, std::int64_t value) {
    const std::int64_t* base = words;
    while (count > 1) {
        const std::size_t half = count / 2;
        base = base[half - 1] < value ? base + half : base;  // a conditional move: the branch couldn't be predicted
        count -= half;
    }
    return static_cast<std::size_t>(base - words) + (count == 1 && *base < value ? 1 : 0);
}

#ifdef ENGAGEHUB_AVX2
ENGAGEHUB_TARGET_AVX2 inline std::size_t count_below_avx2(
    const std::int64_t* words, std::size_t count, std::int64_t value) {
    const __m256i wanted = _mm256_set1_epi64x(value);
    __m256i first = _mm256_setzero_si256();
    __m256i second = _mm256_setzero_si256();
    for (std::size_t i = 0; i < count; i += 8) {
        const auto* at = reinterpret_cast<const __m256i*>(words + i);
        first = _mm256_sub_epi64(first, _mm256_cmpgt_epi64(wanted, _mm256_loadu_si256(at)));
        second = _mm256_sub_epi64(second, _mm256_cmpgt_epi64(wanted, _mm256_loadu_si256(at + 1)));
    }
    first = _mm256_add_epi64(first, second);
    const __m128i halves = _mm_add_epi64(_mm256_castsi256_si128(first), _mm256_extracti128_si256(first, 1));
    return static_cast<std::size_t>(_mm_cvtsi128_si64(halves) + _mm_extract_epi64(halves, 1));
}
#endif

#ifdef ENGAGEHUB_NEON
inline std::size_t count_below_neon(const std::int64_t* words, std::size_t count, std::int64_t value) {
    const int64x2_t wanted = vdupq_n_s64(value);
    uint64x2_t first = vdupq_n_u64(0);
    uint64x2_t second = vdupq_n_u64(0);
    for (std::size_t i = 0; i < count; i += 4) {
        first = vsubq_u64(first, vcgtq_s64(wanted, vld1q_s64(words + i)));
        second = vsubq_u64(second, vcgtq_s64(wanted, vld1q_s64(words + i + 2)));
    }
    return static_cast<std::size_t>(vaddvq_u64(vaddq_u64(first, second)));
}
#endif

// REQUIRES: the words are padded.
inline std::size_t count_below(const std::int64_t* words, std::size_t count, std::int64_t value) {
#if defined(ENGAGEHUB_AVX2)
    if (simd::path() == simd::Path::kAvx2) return count_below_avx2(words, count, value);
#elif defined(ENGAGEHUB_NEON)
    if (simd::path() == simd::Path::kNeon) return count_below_neon(words, count, value);
#endif
    return count_below_plain(words, count, value);
}

}  // namespace engagehub::block_search

// SPDX-License-Identifier: MIT
// Purpose: how many of the sorted words of a block lie below one: a whole block is compared by vector instructions
// (AVX2 where the processor has it, NEON on 64-bit ARM), or halved by plain code.
// Thread safety: pure, but for the switch, which may be set at any time and changes no answer.
// Complexity: O(log count) plain, O(count / 4) or O(count / 2) steps without a branch by vectors.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>

#if defined(__aarch64__) || defined(_M_ARM64)
#define ENGAGEHUB_NEON 1
#include <arm_neon.h>
#elif defined(__x86_64__) || defined(_M_X64)
#define ENGAGEHUB_AVX2 1
#include <immintrin.h>
#ifdef _MSC_VER
#include <intrin.h>
#define ENGAGEHUB_TARGET_AVX2
#else
#define ENGAGEHUB_TARGET_AVX2 __attribute__((target("avx2")))
#endif
#endif

namespace engagehub::block_search {

enum class Path : std::uint8_t { kPlain, kAvx2, kNeon };

inline const char* name_of(Path path) { return path == Path::kAvx2 ? "avx2" : path == Path::kNeon ? "neon" : "plain"; }

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

inline bool has_avx2() {
#if defined(_MSC_VER) && !defined(__clang__)
    int leaf[4];
    __cpuid(leaf, 0);
    if (leaf[0] < 7) return false;
    __cpuid(leaf, 1);
    constexpr int kOsSavesVectors = (1 << 27) | (1 << 28);
    if ((leaf[2] & kOsSavesVectors) != kOsSavesVectors || (_xgetbv(0) & 6U) != 6U) return false;
    __cpuidex(leaf, 7, 0);
    return (leaf[1] & (1 << 5)) != 0;
#else
    return __builtin_cpu_supports("avx2") != 0;
#endif
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

// The best path that this processor has.
inline Path best_path() {
#if defined(ENGAGEHUB_NEON)
    return Path::kNeon;
#elif defined(ENGAGEHUB_AVX2)
    return has_avx2() ? Path::kAvx2 : Path::kPlain;
#else
    return Path::kPlain;
#endif
}

namespace detail {

inline Path initial_path() {
    // NOLINTNEXTLINE(concurrency-mt-unsafe): unsafe only beside a thread that sets variables, and this runs at loading.
    const char* wanted = std::getenv("ENGAGEHUB_SIMD");
    return wanted != nullptr && std::strcmp(wanted, "plain") == 0 ? Path::kPlain : best_path();
}

inline std::atomic<Path> current{initial_path()};

}  // namespace detail

// The path in use: the best one, unless the environment variable ENGAGEHUB_SIMD says «plain» or force_plain() was
// called.
inline Path path() { return detail::current.load(std::memory_order_relaxed); }
inline void force_plain(bool forced) { detail::current.store(forced ? Path::kPlain : detail::initial_path()); }

// REQUIRES: the words are padded.
inline std::size_t count_below(const std::int64_t* words, std::size_t count, std::int64_t value) {
#if defined(ENGAGEHUB_AVX2)
    if (path() == Path::kAvx2) return count_below_avx2(words, count, value);
#elif defined(ENGAGEHUB_NEON)
    if (path() == Path::kNeon) return count_below_neon(words, count, value);
#endif
    return count_below_plain(words, count, value);
}

}  // namespace engagehub::block_search

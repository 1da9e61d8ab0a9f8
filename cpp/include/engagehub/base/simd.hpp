// SPDX-License-Identifier: MIT
// Purpose: which vector instructions the code may use: AVX2 where the processor has it, NEON on 64-bit ARM, or none.
// Every vector path gives exactly what the plain one gives; the environment variable ENGAGEHUB_SIMD=plain and
// force_plain() choose the plain one.
// Thread safety: the switch may be set at any time and changes no answer. Complexity: O(1). Failure: none.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>

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

namespace engagehub::simd {

enum class Path : std::uint8_t { kPlain, kAvx2, kNeon };

inline const char* name_of(Path path) { return path == Path::kAvx2 ? "avx2" : path == Path::kNeon ? "neon" : "plain"; }

#ifdef ENGAGEHUB_AVX2
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

}  // namespace engagehub::simd

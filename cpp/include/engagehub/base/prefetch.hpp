// SPDX-License-Identifier: MIT
// Purpose: a hint that a cache line will be read soon. Thread safety: none needed; any address is harmless.
#pragma once

namespace engagehub {

inline void prefetch(const void* address) {
#if defined(__GNUC__) || defined(__clang__)
    __builtin_prefetch(address);
    // GCC takes a function that only prefetches for one without effects and drops its calls; this is an effect.
    __asm__ volatile("" : : "r"(address));
#else
    static_cast<void>(address);
#endif
}

}  // namespace engagehub

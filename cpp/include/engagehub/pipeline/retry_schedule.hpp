// SPDX-License-Identifier: MIT
// Purpose: how long to wait before the next try of something that keeps failing: twice as long each time, up to a
// limit, and by a random part less, so that many that failed together don't come back together (M. Brooker,
// «Exponential Backoff And Jitter», AWS Architecture Blog, 2015: equal jitter, which unlike full jitter never comes
// back at once).
// Thread safety: belongs to one thread.
// Invariants: the n-th wait since restart() lies between half of d and d = min(first * 2^(n-1), most).
// Complexity: O(1).
// Failure: none; the delays are the caller's to check.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <random>

namespace engagehub {

class RetrySchedule {
public:
    using Seconds = std::chrono::duration<double>;

    // REQUIRES: 0 < first <= most.
    RetrySchedule(Seconds first, Seconds most, std::uint64_t seed) : first_(first), most_(most), random_(seed) {}

    // The wait before the next try.
    Seconds next() noexcept {
        const Seconds longest = longest_;
        longest_ = std::min(longest_ * 2, most_);
        // 53 random bits as a fraction below 1: the standard's distributions differ between platforms.
        const double fraction = static_cast<double>(random_() >> 11U) * 0x1p-53;
        return longest * (1 - fraction / 2);
    }
    // After a success.
    void restart() noexcept { longest_ = first_; }

private:
    Seconds first_;
    Seconds most_;
    Seconds longest_ = first_;
    std::mt19937_64 random_;
};

}  // namespace engagehub

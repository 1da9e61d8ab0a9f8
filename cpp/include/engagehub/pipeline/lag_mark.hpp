// SPDX-License-Identifier: MIT
// Purpose: how far a reader is behind the producers, in time, without a stamp on each event: now and then the reader
// notes the hour and how much has been accepted; when it has come so far, it was at most so long behind.
// Thread safety: look(), rest() from the reader; behind() from any thread.
// Complexity: O(1). Failure: none.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <limits>

namespace engagehub {

class LagMark {
public:
    using Clock = std::chrono::steady_clock;

    // The reader is at the position; pushed() says how much has been accepted.
    template <class Pushed>
    void look(std::uint64_t position, Pushed&& pushed) noexcept {
        if (position < target_) return;
        current_to_.store(taken_at_, std::memory_order_relaxed);  // relaxed, as below: a number to be shown
        taken_at_ = Clock::now().time_since_epoch().count();
        target_ = pushed();
    }
    // The reader has nothing to do and waits to be woken.
    void rest() noexcept { current_to_.store(kCurrent, std::memory_order_relaxed); }
    void wake() noexcept {
        taken_at_ = Clock::now().time_since_epoch().count();
        current_to_.store(taken_at_, std::memory_order_relaxed);
    }

    // Seconds: everything that was accepted longer ago has been read.
    double behind(Clock::time_point now) const noexcept {
        const Clock::rep since = current_to_.load(std::memory_order_relaxed);
        const Clock::duration lag(now.time_since_epoch().count() - since);
        return since == kCurrent || lag.count() < 0 ? 0.0 : std::chrono::duration<double>(lag).count();
    }

private:
    static constexpr Clock::rep kCurrent = std::numeric_limits<Clock::rep>::max();

    std::uint64_t target_ = 0;
    Clock::rep taken_at_ = Clock::now().time_since_epoch().count();
    std::atomic<Clock::rep> current_to_{kCurrent};
};

}  // namespace engagehub

// SPDX-License-Identifier: MIT
// Purpose: sleeping until something that lock-free code does becomes true, without a cost to that code while nobody
// sleeps: one load after each change.
// Thread safety: every method from any thread.
// Invariants: no wake-up is lost. A waiter announces itself and then looks at the condition once more; the other side
// makes the change and then looks for waiters. The announcement, the change (a claim of MpmcQueue) and both looks are
// sequentially consistent, so at least one side sees the other. No fence is used: thread sanitizers don't know them.
// Complexity: O(1); a waiter spins for some microseconds and then parks on a condition variable.
// Failure: std::system_error from the mutex, which means that the process is out of resources.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>

#include <engagehub/queue/threading.hpp>

namespace engagehub {

using Deadline = std::chrono::steady_clock::time_point;
inline constexpr Deadline kNoDeadline = Deadline::max();

// A point that many seconds from now; kNoDeadline for what the clock can't hold.
inline Deadline deadline_after(double seconds) {
    if (!(seconds < 1e9)) return kNoDeadline;
    return std::chrono::steady_clock::now() +
        std::chrono::duration_cast<std::chrono::steady_clock::duration>(std::chrono::duration<double>(seconds));
}

// Waits on a condition variable until the predicate holds: true, or until the deadline: what the predicate says then.
template <class Condition, class Mutex, class Predicate>
bool park(Condition& condition, std::unique_lock<Mutex>& lock, Deadline deadline, Predicate&& predicate) {
    if (deadline == kNoDeadline) {
        condition.wait(lock, predicate);
        return true;
    }
    return condition.wait_until(lock, deadline, predicate);
}

template <class Threading = StandardThreading>
class BasicEventCount {
    using Mutex = typename Threading::Mutex;

public:
    // Returns once ready() holds, or a notification came, or at the deadline: false then. A true answer is a hint,
    // since another thread may have been quicker; so is a false one. Whoever waits must try again after it: the
    // notification that ended the wait may have been meant for one thread only.
    template <class Ready>
    bool wait(Deadline deadline, Ready&& ready) {
        for (typename Threading::Backoff backoff; !backoff.is_spent(); backoff.pause()) {
            if (ready()) return true;
        }
        waiters_.fetch_add(1, std::memory_order_seq_cst);
        const Retract retract{*this};
        std::unique_lock<Mutex> lock(mutex_);
        const std::uint64_t seen = epoch_;
        lock.unlock();
        if (ready()) return true;
        lock.lock();
        return park(condition_, lock, deadline, [&] { return epoch_ != seen; });
    }

    // Call after the change. One: the change serves one waiter.
    void notify_one() {
        if (bump()) condition_.notify_one();
    }
    void notify_all() {
        if (bump()) condition_.notify_all();
    }

private:
    struct Retract {
        BasicEventCount& self;
        // Relaxed: a count that is seen too high costs a needless notification.
        ~Retract() { self.waiters_.fetch_sub(1, std::memory_order_relaxed); }
    };

    bool bump() {
        if (waiters_.load(std::memory_order_seq_cst) == 0) return false;
        const std::lock_guard<Mutex> lock(mutex_);
        ++epoch_;
        return true;
    }

    typename Threading::template Atomic<std::uint32_t> waiters_{0};
    Mutex mutex_;
    typename Threading::Condition condition_;
    std::uint64_t epoch_ = 0;  // guarded by mutex_
};

using EventCount = BasicEventCount<>;

}  // namespace engagehub

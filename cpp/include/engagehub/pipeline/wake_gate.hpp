// SPDX-License-Identifier: MIT
// Purpose: puts workers to sleep until the queue has grown to a position that each of them names, so that a producer
// wakes a worker once for a batch and not once for an event. The cost to a producer is one load.
// Thread safety: every method from any thread; each worker uses its own number.
// Invariants: wake_at_ is the least position that a sleeping worker named. No wake-up is lost: the worker stores
// wake_at_ and then looks at the queue, a producer claims its position and then looks at wake_at_, all sequentially
// consistent. Complexity: O(workers) to sleep and to wake, O(1) otherwise.
#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <mutex>
#include <vector>

#include <engagehub/queue/event_count.hpp>
#include <engagehub/queue/mpmc_queue.hpp>

namespace engagehub {

class WakeGate {
public:
    explicit WakeGate(std::size_t workers) : named_(workers, kAwake) {}

    // A producer has claimed all positions below `end`.
    void produced(std::uint64_t end) {
        if (end < wake_at_.load(std::memory_order_seq_cst)) return;
        const std::lock_guard<std::mutex> lock(mutex_);
        for (auto& position : named_) {
            if (position <= end) position = kAwake;
        }
        publish();
        condition_.notify_all();
    }

    void wake_all() {
        const std::lock_guard<std::mutex> lock(mutex_);
        std::fill(named_.begin(), named_.end(), kAwake);
        publish();
        condition_.notify_all();
    }

    // Sleeps until pushed() has reached `position`, is_wanted() holds, somebody calls wake_all(), or the deadline.
    // is_wanted is called with the lock held: whoever makes it true calls wake_all() afterwards.
    template <class Pushed, class Wanted>
    void sleep(std::size_t worker, std::uint64_t position, Deadline deadline, Pushed&& pushed, Wanted&& is_wanted) {
        std::unique_lock<std::mutex> lock(mutex_);
        named_[worker] = position;
        publish();
        if (pushed() < position && !is_wanted()) {
            park(condition_, lock, deadline, [&] { return named_[worker] == kAwake; });
        }
        named_[worker] = kAwake;
        publish();
    }

private:
    static constexpr std::uint64_t kAwake = std::numeric_limits<std::uint64_t>::max();

    void publish() { wake_at_.store(*std::min_element(named_.begin(), named_.end()), std::memory_order_seq_cst); }

    alignas(kCacheLine) std::atomic<std::uint64_t> wake_at_{kAwake};
    alignas(kCacheLine) std::mutex mutex_;
    std::condition_variable condition_;
    std::vector<std::uint64_t> named_;  // guarded by mutex_
};

}  // namespace engagehub

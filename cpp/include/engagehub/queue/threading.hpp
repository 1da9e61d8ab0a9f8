// SPDX-License-Identifier: MIT
// Purpose: what the queue takes from the machine: atomics, locks and ways to pass the time. They are one template
// parameter of the queue's classes, so that a test can put others in their place, which a seeded scheduler drives.
// Thread safety: that of the standard's types; a Backoff belongs to one thread.
// Complexity: nothing is added to the standard's types.
// Failure: std::mutex may throw std::system_error, which means that the process is out of resources.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace engagehub {

// Passes the time while another thread finishes what it has begun: at first on the core, then by giving it away.
class Backoff {
public:
    void pause() noexcept {
        if (++rounds_ <= kSpins) {
#if defined(__x86_64__)
            __builtin_ia32_pause();
#elif defined(__aarch64__)
            __asm__ __volatile__("yield");
#endif
        } else {
            std::this_thread::yield();
        }
    }
    bool is_spent() const noexcept { return rounds_ >= kSpins + kYields; }

private:
    static constexpr int kSpins = 64;
    static constexpr int kYields = 4;
    int rounds_ = 0;
};

// Fences aren't among them: the queue uses none, since thread sanitizers don't know them.
struct StandardThreading {
    template <class T>
    using Atomic = std::atomic<T>;
    using Mutex = std::mutex;
    using Condition = std::condition_variable;
    using Backoff = engagehub::Backoff;
};

}  // namespace engagehub

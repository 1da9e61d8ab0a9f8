// SPDX-License-Identifier: MIT
// Purpose: scheduled atomics that do less than they promise, so that a test can show that it would notice.
// Thread safety, failure: those of scheduled_threading.hpp.
#pragma once

#include <atomic>
#include <utility>

#include "scheduled_threading.hpp"

namespace engagehub_tests {

// A compare-and-swap in two steps.
template <class T>
struct TornExchange : ScheduledAtomic<T> {
    using ScheduledAtomic<T>::ScheduledAtomic;
    bool compare_exchange_weak(T& expected, T desired, std::memory_order success, std::memory_order failure) noexcept {
        const T was = this->load(failure);
        if (was == expected) this->store(desired, success);
        return was == std::exchange(expected, was);
    }
};

// Of one kind of operation, those that ask for one order are relaxed.
template <std::memory_order kLost>
struct Relaxed {
    static std::memory_order weaker(std::memory_order order) noexcept {
        return order == kLost ? std::memory_order_relaxed : order;
    }

    template <class T>
    struct Load : ScheduledAtomic<T> {
        using ScheduledAtomic<T>::ScheduledAtomic;
        T load(std::memory_order order) const noexcept { return ScheduledAtomic<T>::load(weaker(order)); }
    };
    template <class T>
    struct Store : ScheduledAtomic<T> {
        using ScheduledAtomic<T>::ScheduledAtomic;
        void store(T value, std::memory_order order) noexcept { ScheduledAtomic<T>::store(value, weaker(order)); }
    };
    template <class T>
    struct Exchange : ScheduledAtomic<T> {
        using ScheduledAtomic<T>::ScheduledAtomic;
        bool compare_exchange_weak(
            T& expected, T desired, std::memory_order success, std::memory_order failure) noexcept {
            return ScheduledAtomic<T>::compare_exchange_weak(expected, desired, weaker(success), failure);
        }
    };
};

template <template <class> class Weak>
struct WithAtomic : ScheduledThreading {
    template <class T>
    using Atomic = Weak<T>;
};

}  // namespace engagehub_tests

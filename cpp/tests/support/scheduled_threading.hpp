// SPDX-License-Identifier: MIT
// Purpose: atomics, locks and pauses of which each is a step of a DeterministicSchedule: what a test gives to the queue
// in place of engagehub::StandardThreading. Watched and Shown are elements that notice accesses which nothing orders.
// Thread safety: within one schedule, or on one thread outside of it.
// Failure: Condition::wait outside of a schedule throws std::logic_error.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <stdexcept>

#include "deterministic_schedule.hpp"

namespace engagehub_tests {

inline bool acquires(std::memory_order order) {
    return order != std::memory_order_relaxed && order != std::memory_order_release;
}
inline bool releases(std::memory_order order) {
    return order == std::memory_order_release || order == std::memory_order_acq_rel ||
        order == std::memory_order_seq_cst;
}

template <class T>
class ScheduledAtomic {
public:
    ScheduledAtomic() = default;
    explicit ScheduledAtomic(T value) noexcept : value_(value) {}
    ScheduledAtomic(const ScheduledAtomic&) = delete;
    ScheduledAtomic& operator=(const ScheduledAtomic&) = delete;

    T load(std::memory_order order = std::memory_order_seq_cst) const noexcept {
        schedule::step();
        if (acquires(order)) schedule::acquire(released_);
        return value_;
    }
    void store(T value, std::memory_order order = std::memory_order_seq_cst) noexcept {
        schedule::step();
        released_ = releases(order) ? schedule::release() : ReleaseClock{};
        value_ = value;
    }
    T fetch_add(T by, std::memory_order order = std::memory_order_seq_cst) noexcept {
        return exchange_for([by](T was) { return static_cast<T>(was + by); }, order);
    }
    T fetch_sub(T by, std::memory_order order = std::memory_order_seq_cst) noexcept {
        return exchange_for([by](T was) { return static_cast<T>(was - by); }, order);
    }
    T fetch_or(T bits, std::memory_order order = std::memory_order_seq_cst) noexcept {
        return exchange_for([bits](T was) { return static_cast<T>(was | bits); }, order);
    }
    // Also fails for no reason, as it may.
    bool compare_exchange_weak(T& expected, T desired, std::memory_order success, std::memory_order failure) noexcept {
        schedule::step();
        if (value_ != expected || schedule::one_in(8)) {
            if (acquires(failure)) schedule::acquire(released_);
            expected = value_;
            return false;
        }
        replace(desired, success);
        return true;
    }

private:
    template <class Change>
    T exchange_for(Change change, std::memory_order order) noexcept {
        schedule::step();
        const T was = value_;
        replace(change(was), order);
        return was;
    }
    // A read-modify-write goes on with the release that it found.
    void replace(T value, std::memory_order order) noexcept {
        if (acquires(order)) schedule::acquire(released_);
        if (releases(order)) schedule::join(released_, schedule::release());
        value_ = value;
    }

    T value_{};
    ReleaseClock released_{};
};

class ScheduledMutex {
public:
    void lock() {
        schedule::step();
        take();
    }
    void unlock() noexcept {
        schedule::step();
        let_go();
    }

private:
    friend class ScheduledCondition;

    void take() {
        while (is_held_) schedule::sleep(this, false);
        is_held_ = true;
        schedule::acquire(released_);
    }
    void let_go() noexcept {
        released_ = schedule::release();
        is_held_ = false;
        schedule::wake_all(this);
    }

    bool is_held_ = false;
    ReleaseClock released_{};
};

class ScheduledCondition {
public:
    template <class Predicate>
    void wait(std::unique_lock<ScheduledMutex>& lock, Predicate&& predicate) {
        while (!predicate()) sleep(*lock.mutex(), false);
    }
    // Time passes as the schedule likes: the deadline may come at any moment.
    template <class TimePoint, class Predicate>
    bool wait_until(std::unique_lock<ScheduledMutex>& lock, const TimePoint& /*deadline*/, Predicate&& predicate) {
        while (!predicate()) {
            if (!sleep(*lock.mutex(), true)) return predicate();
        }
        return true;
    }
    void notify_one() noexcept {
        schedule::step();
        schedule::wake_one(this);
    }
    void notify_all() noexcept {
        schedule::step();
        schedule::wake_all(this);
    }

private:
    // Nothing comes between the release of the lock and the sleep.
    bool sleep(ScheduledMutex& mutex, bool is_timed) {
        if (!schedule::is_active()) throw std::logic_error("a wait outside of a schedule would never end");
        mutex.let_go();
        const bool is_woken = schedule::sleep(this, is_timed);
        mutex.take();
        return is_woken;
    }
};

// Soon spent, so that waits come to their sleep.
class ScheduledBackoff {
public:
    void pause() noexcept {
        ++rounds_;
        schedule::yield();
    }
    bool is_spent() const noexcept { return rounds_ >= 1; }

private:
    int rounds_ = 0;
};

struct ScheduledThreading {
    template <class T>
    using Atomic = ScheduledAtomic<T>;
    using Mutex = ScheduledMutex;
    using Condition = ScheduledCondition;
    using Backoff = ScheduledBackoff;
};

// A number whose every access must be ordered with the others at its place.
class Watched {
public:
    Watched() noexcept { schedule::touch(this); }
    explicit Watched(int value) noexcept : value_(value) { schedule::touch(this); }
    Watched(Watched&& other) noexcept : value_(other.value()) { schedule::touch(this); }
    Watched& operator=(Watched&& other) noexcept {
        schedule::touch(this);
        value_ = other.value();
        return *this;
    }
    ~Watched() { schedule::touch(this); }

    int value() const noexcept {
        schedule::touch(this);
        return value_;
    }

private:
    int value_ = 0;
};

// A number that several readers may look at together: each access of a reader must be ordered with every write.
template <std::size_t kReaders>
class Shown {
public:
    void set(int value) noexcept {
        for (const char& mark : marks_) schedule::touch(&mark);
        value_ = value;
    }
    int value(std::size_t reader) const noexcept {
        schedule::touch(&marks_[reader]);
        return value_;
    }

private:
    int value_ = 0;
    std::array<char, kReaders> marks_{};  // what readers touch, each its own
};

}  // namespace engagehub_tests

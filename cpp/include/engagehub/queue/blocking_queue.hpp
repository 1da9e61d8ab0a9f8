// SPDX-License-Identifier: MIT
// Purpose: MpmcQueue with waiting: push and pop with a deadline, shutdown, and try-versions that wait out a slot that
// another thread has claimed and not yet published, so that «full» and «empty» are linearisable answers.
// Thread safety: every method from any thread, except the constructor, the destructor and visit().
// Invariants: those of MpmcQueue and EventCount.
// Complexity: as MpmcQueue; a waiter spins briefly and then parks.
// Failure: as MpmcQueue and EventCount.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include <engagehub/queue/event_count.hpp>
#include <engagehub/queue/mpmc_queue.hpp>
#include <engagehub/queue/threading.hpp>

namespace engagehub {

template <class T, class Threading = StandardThreading>
class BlockingQueue {
    using Ring = MpmcQueue<T, Threading>;
    using Backoff = typename Threading::Backoff;

public:
    explicit BlockingQueue(std::size_t capacity, std::uint64_t initial = 0) : ring_(capacity, initial) {}

    const Ring& ring() const noexcept { return ring_; }

    // kDone, kFull or kClosed. ENSURES: value is moved from if and only if the status is kDone.
    QueueStatus try_push(T&& value) {
        QueueStatus status = ring_.try_push(std::move(value));
        if (status == QueueStatus::kBusy) status = unless_busy([&] { return ring_.try_push(std::move(value)); });
        if (status == QueueStatus::kDone) items_.notify_one();
        return status;
    }

    // Moves in as many as there is room for, at once or in several claims. Status kDone if all, else kFull or kClosed.
    template <class Iterator>
    QueueClaim try_push_n(Iterator first, std::size_t count) {
        QueueClaim total;
        for (Backoff backoff;; backoff.pause()) {
            const QueueClaim claim = ring_.try_push_n(first, count - total.count);
            if (claim.count != 0) {
                total.count += claim.count;
                total.end = claim.end;
                first += static_cast<std::ptrdiff_t>(claim.count);
                claim.count == 1 ? items_.notify_one() : items_.notify_all();
            }
            total.status = claim.status;
            if (claim.status != QueueStatus::kBusy) return total;
        }
    }

    // kDone, kEmpty or kClosed.
    QueueStatus try_pop(T& value) {
        QueueStatus status = ring_.try_pop(value);
        if (status == QueueStatus::kBusy) status = unless_busy([&] { return ring_.try_pop(value); });
        if (status == QueueStatus::kDone) space_.notify_one();
        return status;
    }

    // Takes up to `count`, at once or in several claims. Status kDone if all, else kEmpty or kClosed.
    template <class Take>
    QueueClaim try_pop_n(std::size_t count, Take&& take) {
        QueueClaim total;
        for (Backoff backoff;; backoff.pause()) {
            const QueueClaim claim = ring_.try_pop_n(count - total.count, take);
            if (claim.count != 0) {
                total.count += claim.count;
                total.end = claim.end;
                claim.count == 1 ? space_.notify_one() : space_.notify_all();
            }
            total.status = claim.status;
            if (claim.status != QueueStatus::kBusy) return total;
        }
    }

    // Wait until a pop (a push) may have something to do: an element (room), or the end of the queue. A hint: try
    // again.
    bool wait_for_item(Deadline deadline) {
        return items_.wait(deadline, [this] { return ring_.size() != 0 || ring_.is_closed(); });
    }
    bool wait_for_space(Deadline deadline) {
        return space_.wait(deadline, [this] { return ring_.size() != ring_.capacity() || ring_.is_closed(); });
    }

    // kDone, kClosed, or kFull at the deadline.
    QueueStatus push(T&& value, Deadline deadline = kNoDeadline) {
        for (bool goes_on = true;; goes_on = wait_for_space(deadline)) {
            const QueueStatus status = try_push(std::move(value));
            if (status != QueueStatus::kFull || !goes_on) return status;
        }
    }

    // kDone, kClosed, or kEmpty at the deadline.
    QueueStatus pop(T& value, Deadline deadline = kNoDeadline) {
        for (bool goes_on = true;; goes_on = wait_for_item(deadline)) {
            const QueueStatus status = try_pop(value);
            if (status != QueueStatus::kEmpty || !goes_on) return status;
        }
    }

    // No push succeeds from here on; all who wait look again.
    void close() {
        ring_.close();
        items_.notify_all();
        space_.notify_all();
    }

    // REQUIRES: no other operation is in flight.
    template <class Visit>
    void visit(Visit&& visit) const {
        ring_.visit(std::forward<Visit>(visit));
    }

private:
    // Waits out who is in the way of the last attempt.
    template <class Attempt>
    static QueueStatus unless_busy(Attempt&& attempt) {
        for (Backoff backoff;;) {
            backoff.pause();
            const QueueStatus status = attempt();
            if (status != QueueStatus::kBusy) return status;
        }
    }

    Ring ring_;
    BasicEventCount<Threading> items_;
    BasicEventCount<Threading> space_;
};

}  // namespace engagehub

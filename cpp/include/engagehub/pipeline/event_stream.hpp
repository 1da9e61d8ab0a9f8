// SPDX-License-Identifier: MIT
// Purpose: the accepted events on their way to those who read them, and how the two sides wait for each other.
// Thread safety: every method from any thread; give_back() of a cursor from its owner or holder.
// Invariants: who sleeps for a change is woken by it: see WakeGate and EventCount.
// Complexity: that of the ring. Failure: the constructor throws InvalidArgument or std::bad_alloc.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include <engagehub/pipeline/queued_event.hpp>
#include <engagehub/pipeline/wake_gate.hpp>
#include <engagehub/queue/broadcast_ring.hpp>
#include <engagehub/queue/event_count.hpp>

namespace engagehub {

class EventStream {
public:
    EventStream(std::size_t capacity, std::size_t readers) : ring(capacity, readers), gate(readers) {}
    EventStream(const EventStream&) = delete;
    EventStream& operator=(const EventStream&) = delete;
    // What was left unread is let go of, for each that has not read it.
    ~EventStream() {
        for (std::size_t reader = 0; reader < ring.readers(); ++reader) {
            for (std::uint64_t position = ring.position(reader); ring.readable(position, 1) != 0; ++position)
                ring[position].let_go();
        }
    }

    template <class Write>
    QueueClaim push(std::size_t count, Write&& write) noexcept {
        const QueueClaim claim = ring.push(count, std::forward<Write>(write));
        if (claim.count != 0) gate.produced(claim.end);
        return claim;
    }

    // The reader has no use for anything before the position any more.
    void give_back(std::size_t reader, std::uint64_t position) {
        ring.advance(reader, position);
        space.notify_all();
        progress.notify_all();
    }

    bool has_room_or_end() const noexcept { return ring.has_room() || ring.is_closed(); }

    // Asks for everything accepted so far, without waiting for full batches.
    std::uint64_t request_flush() {
        const std::uint64_t ticket = ring.pushed();
        // Relaxed: the gate's lock below carries it to the readers.
        std::uint64_t wanted = flush_wanted_.load(std::memory_order_relaxed);
        while (wanted < ticket && !flush_wanted_.compare_exchange_weak(wanted, ticket, std::memory_order_relaxed)) {
        }
        gate.wake_all();
        return ticket;
    }
    // Relaxed: read again with the gate's lock held before a reader sleeps.
    std::uint64_t flush_wanted() const noexcept { return flush_wanted_.load(std::memory_order_relaxed); }

    void close() {
        ring.close();
        gate.wake_all();
        space.notify_all();
    }
    // After close(): what is still there will not be read.
    void abandon() {
        abandoned_.store(true, std::memory_order_seq_cst);
        close();
    }
    bool is_abandoned() const noexcept { return abandoned_.load(std::memory_order_seq_cst); }

    BroadcastRing<QueuedEvent> ring;
    WakeGate gate;
    EventCount space;     // for producers: room in the ring
    EventCount progress;  // for those who wait until readers have come somewhere

private:
    std::atomic<std::uint64_t> flush_wanted_{0};
    std::atomic<bool> abandoned_{false};
};

}  // namespace engagehub

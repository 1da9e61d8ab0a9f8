// SPDX-License-Identifier: MIT
// Purpose: a bounded ring for many producers in which every reader sees every element, all in one order: the slots of
// Vyukov's queue, of which each says by a number whether it is published, with the readers' cursors of the Disruptor.
// A slot is free when all cursors have passed it. Source: D. Vyukov, «Bounded MPMC queue», 1024cores.net; M. Thompson
// et al., «Disruptor: High performance alternative to bounded queues», 2011. Thread safety: push() and questions from
// any thread; what is done to a cursor by the thread that owns it, or holds it (see hold()). Invariants: positions
// count from 0 and don't wrap in a thousand years. The producer index is twice a position, and its lowest bit says that
// the ring is closed, so that no claim can slip past close(); a cursor likewise, whose lowest bit says that it is held.
// No slot is written before every cursor has passed its last element. Complexity: O(1) an element, and for a producer
// O(readers) about once a lap. Progress: a producer that is suspended between claim and publication holds up the
// readers, no other producer. Failure: the constructor throws InvalidArgument or std::bad_alloc; nothing else throws.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>

#include <engagehub/queue/mpmc_queue.hpp>
#include <engagehub/queue/threading.hpp>

namespace engagehub {

#ifdef _MSC_VER
#pragma warning(push)
#pragma warning(disable : 4324)  // padded by alignas: on purpose
#endif

template <class T, class Threading = StandardThreading>
class BroadcastRing {
    using Index = typename Threading::template Atomic<std::uint64_t>;

    static_assert(std::is_trivially_destructible_v<T>, "an element is overwritten when all have read it");

public:
    // capacity is rounded up to a power of two. REQUIRES: readers > 0.
    BroadcastRing(std::size_t capacity, std::size_t readers)
        : mask_(rounded_capacity(capacity) - 1),
          readers_(readers),
          slots_(std::make_unique<Slot[]>(mask_ + 1)),
          cursors_(std::make_unique<Cursor[]>(readers)) {}
    BroadcastRing(const BroadcastRing&) = delete;
    BroadcastRing& operator=(const BroadcastRing&) = delete;
    ~BroadcastRing() = default;

    std::size_t capacity() const noexcept { return mask_ + 1; }
    std::size_t readers() const noexcept { return readers_; }

    // Claims room for up to `count` elements and calls write(i, T&) for each in order, which must not throw. kFull: at
    // one moment of the call there was no room for more.
    template <class Write>
    QueueClaim push(std::size_t count, Write&& write) noexcept {
        if (count == 0) return {};
        // Acquire, here and where the claim fails: cursors that are older than the index would show a ring as full that
        // never was.
        std::uint64_t tail = tail_.load(std::memory_order_acquire);
        for (;;) {
            if ((tail & kFlag) != 0) return {QueueStatus::kClosed, 0, 0};
            const std::uint64_t first = tail / 2;
            // Acquire, here and with the cursors: what the readers did comes before the slot is written again.
            std::uint64_t room = room_at(first, passed_.load(std::memory_order_acquire));
            if (room < count) {
                const std::uint64_t passed = this->passed();
                passed_.store(passed, std::memory_order_release);
                room = room_at(first, passed);
                if (room == 0) return {QueueStatus::kFull, 0, 0};
            }
            const std::uint64_t taken = std::min<std::uint64_t>(count, room);
            // Sequentially consistent, so that a reader that announced that it goes to sleep either sees this claim or
            // is seen by the producer afterwards.
            if (!tail_.compare_exchange_weak(
                    tail, tail + 2 * taken, std::memory_order_seq_cst, std::memory_order_acquire))
                continue;
            for (std::uint64_t i = 0; i != taken; ++i) {
                Slot& slot = slot_of(first + i);
                write(static_cast<std::size_t>(i), slot.element);
                slot.number.store(first + i + 1, std::memory_order_release);
            }
            return {
                taken == count ? QueueStatus::kDone : QueueStatus::kFull, static_cast<std::size_t>(taken),
                first + taken};
        }
    }

    // How many elements can be read from the position on, `most` at the most. REQUIRES: the cursor has not passed it.
    std::size_t readable(std::uint64_t position, std::size_t most) const noexcept {
        std::size_t count = 0;
        while (count != most &&
               slot_of(position + count).number.load(std::memory_order_acquire) == position + count + 1)
            ++count;
        return count;
    }
    // REQUIRES: it can be read.
    const T& operator[](std::uint64_t position) const noexcept { return slot_of(position).element; }

    // Gives everything before the position back, and the cursor if it was held. Sequentially consistent: see EventCount
    // for who relies on it.
    void advance(std::size_t reader, std::uint64_t position) noexcept {
        cursors_[reader].index.store(position * 2, std::memory_order_seq_cst);
    }
    std::uint64_t position(std::size_t reader) const noexcept {
        return cursors_[reader].index.load(std::memory_order_seq_cst) / 2;
    }

    // For a cursor that several threads move: until advance(), who holds it is alone with it. False if it is held,
    // and sometimes for no reason.
    bool hold(std::size_t reader, std::uint64_t& position) noexcept {
        Index& index = cursors_[reader].index;
        // Relaxed: a stale index only makes the compare-and-swap fail.
        std::uint64_t free = index.load(std::memory_order_relaxed) & ~kFlag;
        // Acquire: the one who held it before is done.
        if (!index.compare_exchange_weak(free, free | kFlag, std::memory_order_acquire, std::memory_order_relaxed))
            return false;
        position = free / 2;
        return true;
    }

    // No push succeeds from here on; what is in the ring can still be read.
    void close() noexcept { tail_.fetch_or(kFlag, std::memory_order_seq_cst); }
    bool is_closed() const noexcept { return (tail_.load(std::memory_order_seq_cst) & kFlag) != 0; }

    // Claims of producers since the ring was made, and how many of them every reader has passed; neither decreases.
    std::uint64_t pushed() const noexcept { return tail_.load(std::memory_order_seq_cst) / 2; }
    std::uint64_t passed() const noexcept {
        std::uint64_t least = position(0);
        for (std::size_t i = 1; i < readers_; ++i) least = std::min(least, position(i));
        return least;
    }
    bool has_room() const noexcept {
        const std::uint64_t passed = this->passed();  // first, so that the difference can't be negative
        return pushed() - passed < capacity();
    }

private:
    static constexpr std::uint64_t kFlag = 1;
    // A slot that fills cache lines begins with one, so that neighbours share none.
    static constexpr std::size_t kSlotAlignment =
        (sizeof(Index) + sizeof(T)) % kCacheLine == 0 ? kCacheLine : std::max(alignof(Index), alignof(T));

    struct alignas(kSlotAlignment) Slot {
        Index number{0};  // the position of the element in it, plus one
        T element;
    };
    struct alignas(kCacheLine) Cursor {
        Index index{0};
    };

    // Readers that are ahead of the producer's index say that the index is stale: the claim will fail and look again.
    // More than a capacity behind it they are in passed_ only, which goes back when a producer was slow to store it.
    std::uint64_t room_at(std::uint64_t tail, std::uint64_t passed) const noexcept {
        if (passed >= tail) return capacity();
        return tail - passed >= capacity() ? 0 : capacity() - (tail - passed);
    }

    Slot& slot_of(std::uint64_t position) const noexcept { return slots_[static_cast<std::size_t>(position) & mask_]; }

    const std::size_t mask_;
    const std::size_t readers_;
    const std::unique_ptr<Slot[]> slots_;
    const std::unique_ptr<Cursor[]> cursors_;
    alignas(kCacheLine) Index tail_{0};
    alignas(kCacheLine) Index passed_{0};  // as a producer last saw it
};

#ifdef _MSC_VER
#pragma warning(pop)
#endif

}  // namespace engagehub

// SPDX-License-Identifier: MIT
// Purpose: a bounded queue for many producers and many consumers, Dmitry Vyukov's ring: every slot carries a sequence
// number that says whose turn it is, so that an operation costs one compare-and-swap on the index of its own side.
// Source: D. Vyukov, «Bounded MPMC queue», 1024cores.net. Two things are added: a claim takes several neighbouring
// slots at once, and the lowest bit of the producer index says that the queue is closed, so that no claim can slip past
// close(). Thread safety: every method from any thread, except the constructor, the destructor and visit(). Invariants:
// indices and sequences count in steps of two. A slot of position p holds 2p when it waits for its producer, 2p + 1
// when it holds an element, 2(p + capacity) when it was emptied; all wrap at 2^64 together. Complexity: O(1) an
// element. Progress: an operation is a claim and then a publication; a thread that is suspended between the two holds
// up the threads behind it (status kBusy), nobody else. Elements move without throwing, so nothing of the caller runs
// in between. Failure: the constructor throws InvalidArgument or std::bad_alloc; nothing else throws.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <type_traits>
#include <utility>

#include <engagehub/base/errors.hpp>
#include <engagehub/queue/threading.hpp>

namespace engagehub {

// std::hardware_destructive_interference_size may differ between two compilers of one program, so it is written down.
#if defined(__APPLE__) && defined(__aarch64__)
inline constexpr std::size_t kCacheLine = 128;
#else
inline constexpr std::size_t kCacheLine = 64;
#endif

enum class QueueStatus : std::uint8_t {
    kDone,
    kFull,    // as many elements as slots at one moment of the call
    kEmpty,   // no element at one moment of the call
    kBusy,    // neither: another thread has claimed the slot in question and not yet published it; try again
    kClosed,  // push: the queue was closed; pop: it was closed and every element was taken
};

// What a claim of several slots gave: the first `count` elements, the last of them being element number `end` - 1 since
// the queue was made. The status says why not more; kDone if all.
struct QueueClaim {
    QueueStatus status = QueueStatus::kDone;
    std::size_t count = 0;
    std::uint64_t end = 0;
};

// The power of two that a ring of at least that many slots has. THROWS: InvalidArgument.
inline constexpr std::size_t kMaxQueueCapacity = std::size_t{1} << 30U;
inline std::size_t rounded_capacity(std::size_t capacity) {
    if (capacity < 2 || capacity > kMaxQueueCapacity) {
        throw InvalidArgument(
            "capacity must be between 2 and " + std::to_string(kMaxQueueCapacity) + ", got " +
            std::to_string(capacity));
    }
    std::size_t power = 2;
    while (power < capacity) power *= 2;
    return power;
}

#ifdef _MSC_VER
#pragma warning(push)
#pragma warning(disable : 4324)  // padded by alignas: on purpose
#endif

template <class T, class Threading = StandardThreading>
class MpmcQueue {
    using Index = typename Threading::template Atomic<std::uint64_t>;

    static_assert(
        std::is_nothrow_move_constructible_v<T>, "an exception between claim and publication would block the queue");
    static_assert(
        std::is_nothrow_destructible_v<T>, "an exception between claim and publication would block the queue");

public:
    static constexpr std::size_t kMaxCapacity = kMaxQueueCapacity;

    // capacity is rounded up to a power of two. `initial` is the position of the first element, so that a test can
    // begin just before the indices wrap.
    explicit MpmcQueue(std::size_t capacity, std::uint64_t initial = 0)
        : mask_(rounded_capacity(capacity) - 1),
          base_(initial * 2),
          slots_(std::make_unique<Slot[]>(mask_ + 1)),
          tail_(base_),
          head_(base_) {
        for (std::uint64_t position = initial; position != initial + this->capacity(); ++position) {
            // Relaxed: whoever uses the queue learns of it by an edge of its own, which comes after this constructor.
            slot_of(position * 2).sequence.store(position * 2, std::memory_order_relaxed);
        }
    }
    MpmcQueue(const MpmcQueue&) = delete;
    MpmcQueue& operator=(const MpmcQueue&) = delete;

    ~MpmcQueue() {
        while (try_pop_n(capacity(), [](T&&) noexcept {}).count != 0) {
        }
    }

    std::size_t capacity() const noexcept { return mask_ + 1; }

    // What try_push_n does for one, without its loops: that is a third of the cost.
    // ENSURES: value is moved from if and only if the status is kDone.
    QueueStatus try_push(T&& value) noexcept {
        // Orders: as in try_push_n.
        std::uint64_t tail = tail_.load(std::memory_order_relaxed);
        for (;;) {
            Slot& slot = slot_of(tail);
            const std::uint64_t sequence = slot.sequence.load(std::memory_order_acquire);
            if (sequence != tail) {
                const QueueStatus status = push_obstacle(tail, sequence);
                if (status != QueueStatus::kDone) return status;
                continue;
            }
            if (!tail_.compare_exchange_weak(tail, tail + 2, std::memory_order_seq_cst, std::memory_order_relaxed))
                continue;
            ::new (static_cast<void*>(&slot.storage)) T(std::move(value));
            slot.sequence.store(tail + 1, std::memory_order_release);
            return QueueStatus::kDone;
        }
    }

    // Claims up to `count` neighbouring slots at once and moves that many elements in, in order.
    template <class Iterator>
    QueueClaim try_push_n(Iterator first, std::size_t count) noexcept {
        if (count == 0) return {};
        // Relaxed: a stale index only makes the compare-and-swap below fail.
        std::uint64_t tail = tail_.load(std::memory_order_relaxed);
        for (;;) {
            const std::uint64_t sequence = slot_of(tail).sequence.load(std::memory_order_acquire);
            if (sequence != tail) {
                const QueueStatus status = push_obstacle(tail, sequence);
                if (status != QueueStatus::kDone) return {status, 0, 0};
                continue;
            }
            // A slot that is free stays free until the producer index passes it, so the claim below proves all of them.
            std::uint64_t end = tail + 2;
            const std::uint64_t limit = tail + 2 * std::min<std::uint64_t>(count, capacity());
            while (end != limit && slot_of(end).sequence.load(std::memory_order_acquire) == end) end += 2;
            // Sequentially consistent, so that a consumer that announced that it goes to sleep either sees this claim
            // or is seen by the producer afterwards. Relaxed on failure: a retry reads everything anew.
            if (!tail_.compare_exchange_weak(tail, end, std::memory_order_seq_cst, std::memory_order_relaxed)) continue;
            for (std::uint64_t at = tail; at != end; at += 2, ++first) {
                Slot& slot = slot_of(at);
                ::new (static_cast<void*>(&slot.storage)) T(std::move(*first));
                slot.sequence.store(at + 1, std::memory_order_release);
            }
            const auto taken = static_cast<std::size_t>((end - tail) / 2);
            return {taken == count ? QueueStatus::kDone : QueueStatus::kBusy, taken, (end - base_) / 2};
        }
    }

    QueueStatus try_pop(T& value) noexcept {
        static_assert(
            std::is_nothrow_move_assignable_v<T>, "an exception between claim and publication would block the queue");
        // Orders: as in try_pop_n, of which this is the case of one.
        std::uint64_t head = head_.load(std::memory_order_relaxed);
        for (;;) {
            Slot& slot = slot_of(head);
            const std::uint64_t sequence = slot.sequence.load(std::memory_order_acquire);
            if (sequence != head + 1) {
                const QueueStatus status = pop_obstacle(head, sequence);
                if (status != QueueStatus::kDone) return status;
                continue;
            }
            if (!head_.compare_exchange_weak(head, head + 2, std::memory_order_seq_cst, std::memory_order_relaxed))
                continue;
            T& element = *std::launder(reinterpret_cast<T*>(&slot.storage));
            value = std::move(element);
            element.~T();
            slot.sequence.store(head + 2 * std::uint64_t{capacity()}, std::memory_order_release);
            return QueueStatus::kDone;
        }
    }

    // Claims up to `count` neighbouring elements at once and calls take(T&&) for each, in order. take must not throw.
    template <class Take>
    QueueClaim try_pop_n(std::size_t count, Take&& take) noexcept {
        if (count == 0) return {};
        // Relaxed: a stale index only makes the compare-and-swap below fail.
        std::uint64_t head = head_.load(std::memory_order_relaxed);
        for (;;) {
            const std::uint64_t sequence = slot_of(head).sequence.load(std::memory_order_acquire);
            if (sequence != head + 1) {
                const QueueStatus status = pop_obstacle(head, sequence);
                if (status != QueueStatus::kDone) return {status, 0, 0};
                continue;
            }
            std::uint64_t end = head + 2;
            const std::uint64_t limit = head + 2 * std::min<std::uint64_t>(count, capacity());
            while (end != limit && slot_of(end).sequence.load(std::memory_order_acquire) == end + 1) end += 2;
            // Orders: as in try_push_n, for producers that wait for space.
            if (!head_.compare_exchange_weak(head, end, std::memory_order_seq_cst, std::memory_order_relaxed)) continue;
            for (std::uint64_t at = head; at != end; at += 2) {
                Slot& slot = slot_of(at);
                T& element = *std::launder(reinterpret_cast<T*>(&slot.storage));
                take(std::move(element));
                element.~T();
                slot.sequence.store(at + 2 * std::uint64_t{capacity()}, std::memory_order_release);
            }
            const auto taken = static_cast<std::size_t>((end - head) / 2);
            return {taken == count ? QueueStatus::kDone : QueueStatus::kBusy, taken, (end - base_) / 2};
        }
    }

    // No push succeeds from here on; what is in the queue can still be taken.
    void close() noexcept { tail_.fetch_or(kClosedBit, std::memory_order_seq_cst); }
    bool is_closed() const noexcept { return (tail_.load(std::memory_order_seq_cst) & kClosedBit) != 0; }

    // Claims of producers and consumers since the queue was made; they never decrease.
    std::uint64_t pushed() const noexcept {
        return ((tail_.load(std::memory_order_seq_cst) & ~kClosedBit) - base_) / 2;
    }
    std::uint64_t popped() const noexcept { return (head_.load(std::memory_order_seq_cst) - base_) / 2; }

    // Momentary when other threads are at work: between 0 and capacity, exact when nobody is.
    std::size_t size() const noexcept {
        const std::uint64_t taken = popped();  // first, so that the difference can't be negative
        return static_cast<std::size_t>(std::min<std::uint64_t>(pushed() - taken, capacity()));
    }

    // Calls visit(const T&) for every element, oldest first. REQUIRES: no other operation is in flight.
    template <class Visit>
    void visit(Visit&& visit) const {
        const std::uint64_t end = tail_.load(std::memory_order_seq_cst) & ~kClosedBit;
        for (std::uint64_t at = head_.load(std::memory_order_seq_cst); at != end; at += 2) {
            const Slot& slot = slots_[static_cast<std::size_t>(at / 2) & mask_];
            if (!visit(*std::launder(reinterpret_cast<const T*>(&slot.storage)))) return;
        }
    }

private:
    static constexpr std::uint64_t kClosedBit = 1;

    struct Slot {
        Index sequence{0};
        std::aligned_storage_t<sizeof(T), alignof(T)> storage;
    };

    // Why no producer can claim the slot of `tail`, which holds another sequence. kDone: only because the index was
    // stale; it is read anew. A closed index never equals the sequence of its slot: that one waits for its producer.
    QueueStatus push_obstacle(std::uint64_t& tail, std::uint64_t sequence) const noexcept {
        if ((tail & kClosedBit) != 0) return QueueStatus::kClosed;
        if (ahead(sequence, tail)) {
            tail = tail_.load(std::memory_order_relaxed);  // relaxed: as every first look at it
            return QueueStatus::kDone;
        }
        // Sequentially consistent, as the claim of a consumer is: see EventCount for who relies on it.
        // Signed: consumers may have passed the index read above meanwhile.
        const auto held = static_cast<std::int64_t>(tail - head_.load(std::memory_order_seq_cst));
        return held >= static_cast<std::int64_t>(2 * capacity()) ? QueueStatus::kFull : QueueStatus::kBusy;
    }

    // The same for consumers and the slot of `head`.
    QueueStatus pop_obstacle(std::uint64_t& head, std::uint64_t sequence) const noexcept {
        if (ahead(sequence, head + 1)) {
            head = head_.load(std::memory_order_relaxed);
            return QueueStatus::kDone;
        }
        const std::uint64_t tail = tail_.load(std::memory_order_seq_cst);
        if ((tail & ~kClosedBit) != head) return QueueStatus::kBusy;
        return (tail & kClosedBit) != 0 ? QueueStatus::kClosed : QueueStatus::kEmpty;
    }

    static bool ahead(std::uint64_t a, std::uint64_t b) { return static_cast<std::int64_t>(a - b) > 0; }

    Slot& slot_of(std::uint64_t index) noexcept { return slots_[static_cast<std::size_t>(index / 2) & mask_]; }

    const std::size_t mask_;
    const std::uint64_t base_;
    const std::unique_ptr<Slot[]> slots_;
    alignas(kCacheLine) Index tail_;
    alignas(kCacheLine) Index head_;
};

#ifdef _MSC_VER
#pragma warning(pop)
#endif

}  // namespace engagehub

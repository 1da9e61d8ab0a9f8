// SPDX-License-Identifier: MIT
// Purpose: a yardstick, no part of the library: Dmitry Vyukov's bounded queue and nothing else («Bounded MPMC queue»,
// 1024cores.net): a sequence number in every cell, one compare-and-swap an operation. No closing, no batches, no
// waiting. kAlignment is that of a cell: its natural one packs cells, a cache line pads them.
// Thread safety: every method from any thread. Complexity: O(1). Failure: a full or an empty ring says false, and so
// does one whose next cell another thread is still busy with.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace yardstick {

inline constexpr std::size_t kCacheLine = 64;

template <class T, std::size_t kAlignment>
class VyukovRing {
public:
    // REQUIRES: capacity is a power of two.
    explicit VyukovRing(std::size_t capacity) : mask_(capacity - 1), cells_(std::make_unique<Cell[]>(capacity)) {
        for (std::size_t i = 0; i < capacity; ++i) cells_[i].sequence.store(i, std::memory_order_relaxed);
    }

    bool push(const T& value) {
        std::size_t position = tail_.load(std::memory_order_relaxed);
        for (;;) {
            Cell& cell = cells_[position & mask_];
            const auto ahead = distance(cell.sequence.load(std::memory_order_acquire), position);
            if (ahead < 0) return false;
            if (ahead > 0) {
                position = tail_.load(std::memory_order_relaxed);
            } else if (tail_.compare_exchange_weak(position, position + 1, std::memory_order_relaxed)) {
                cell.value = value;
                cell.sequence.store(position + 1, std::memory_order_release);
                return true;
            }
        }
    }

    bool pop(T& value) {
        std::size_t position = head_.load(std::memory_order_relaxed);
        for (;;) {
            Cell& cell = cells_[position & mask_];
            const auto ahead = distance(cell.sequence.load(std::memory_order_acquire), position + 1);
            if (ahead < 0) return false;
            if (ahead > 0) {
                position = head_.load(std::memory_order_relaxed);
            } else if (head_.compare_exchange_weak(position, position + 1, std::memory_order_relaxed)) {
                value = cell.value;
                cell.sequence.store(position + mask_ + 1, std::memory_order_release);
                return true;
            }
        }
    }

private:
    struct alignas(kAlignment) Cell {
        std::atomic<std::size_t> sequence{0};
        T value;
    };

    static std::ptrdiff_t distance(std::size_t a, std::size_t b) { return static_cast<std::ptrdiff_t>(a - b); }

    const std::size_t mask_;
    const std::unique_ptr<Cell[]> cells_;
    alignas(kCacheLine) std::atomic<std::size_t> tail_{0};
    alignas(kCacheLine) std::atomic<std::size_t> head_{0};
};

}  // namespace yardstick

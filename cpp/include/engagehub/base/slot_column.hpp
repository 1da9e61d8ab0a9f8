// SPDX-License-Identifier: MIT
// Purpose: a column of values indexed by slot. It grows by chunks, so that it neither moves a million values nor keeps
// half of its memory for later; a column of few values has one small chunk.
// Thread safety: external; const methods may run side by side.
// Invariants: chunks_ hold capacity() values, all but the first chunk kChunk of them. Complexity: O(1) to index,
// amortised O(1) to grow. Failure: ensure() throws std::bad_alloc and changes nothing.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include <engagehub/base/prefetch.hpp>

namespace engagehub {

template <class Value>
class SlotColumn {
    static_assert(std::is_trivially_copyable_v<Value>, "chunks are moved by plain copies");

public:
    using Slot = std::uint32_t;

    SlotColumn() = default;
    SlotColumn(const SlotColumn& other) : capacity_(other.capacity_) {
        chunks_.reserve(other.chunks_.size());
        for (std::size_t i = 0; i < other.chunks_.size(); ++i) {
            const std::size_t length = std::min(kChunk, capacity_ - i * kChunk);
            chunks_.push_back(std::make_unique<Value[]>(length));
            std::copy_n(other.chunks_[i].get(), length, chunks_.back().get());
        }
    }
    SlotColumn(SlotColumn&& other) noexcept
        : chunks_(std::move(other.chunks_)), capacity_(std::exchange(other.capacity_, 0)) {}
    SlotColumn& operator=(SlotColumn other) noexcept {
        chunks_.swap(other.chunks_);
        std::swap(capacity_, other.capacity_);
        return *this;
    }
    ~SlotColumn() = default;

    Value& operator[](Slot slot) { return chunks_[slot / kChunk][slot % kChunk]; }
    const Value& operator[](Slot slot) const { return chunks_[slot / kChunk][slot % kChunk]; }
    std::size_t capacity() const { return capacity_; }
    std::size_t bytes() const { return capacity_ * sizeof(Value) + chunks_.capacity() * sizeof chunks_[0]; }

    // Makes the slot usable; values not written before are zero.
    void ensure(Slot slot) {
        while (slot >= capacity_) grow();
    }

    void prefetch(Slot slot) const {
        if (slot < capacity_) engagehub::prefetch(&(*this)[slot]);
    }

    void clear() { *this = SlotColumn(); }

private:
    static constexpr std::size_t kChunk = 1024;
    static constexpr std::size_t kFirst = 4;

    void grow() {
        if (capacity_ != 0 && capacity_ < kChunk) {
            auto larger = std::make_unique<Value[]>(capacity_ * 2);
            std::copy_n(chunks_[0].get(), capacity_, larger.get());
            chunks_[0] = std::move(larger);
            capacity_ *= 2;
            return;
        }
        const std::size_t length = capacity_ == 0 ? kFirst : kChunk;
        chunks_.push_back(std::make_unique<Value[]>(length));
        capacity_ += length;
    }

    std::vector<std::unique_ptr<Value[]>> chunks_;
    std::size_t capacity_ = 0;
};

}  // namespace engagehub

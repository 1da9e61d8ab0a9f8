// SPDX-License-Identifier: MIT
// Purpose: texts indexed by slot, 24 bytes each: up to 23 bytes of text inside, which holds most names and every number
// in digits, a longer one in an allocation of its own size.
// Thread safety: external; const methods may run side by side.
// Invariants: the last byte of a cell is 23 less the length of a text inside, or kLong, and then the cell begins with a
// pointer and a 32-bit length. A zeroed cell past the texts ever set is never read.
// Complexity: O(length) to set and copy. Failure: set() throws std::bad_alloc or std::length_error and changes nothing.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string_view>
#include <utility>

#include <engagehub/base/slot_column.hpp>

namespace engagehub {

class TextColumn {
public:
    using Slot = std::uint32_t;

    TextColumn() = default;
    // Delegates, so that the destructor frees what was copied before a std::bad_alloc.
    TextColumn(const TextColumn& other) : TextColumn() {
        for (Slot slot = 0; slot < other.size_; ++slot) {
            set(slot, other[slot]);
            if (other.cells_[slot][kInside] != kLong) cells_[slot] = other.cells_[slot];  // with what it has to spare
        }
    }
    TextColumn(TextColumn&& other) noexcept : cells_(std::move(other.cells_)), size_(std::exchange(other.size_, 0)) {}
    TextColumn& operator=(TextColumn other) noexcept {
        std::swap(cells_, other.cells_);
        std::swap(size_, other.size_);
        return *this;
    }
    ~TextColumn() {
        for (Slot slot = 0; slot < size_; ++slot) release(slot);
    }

    // One more than the largest slot ever set.
    std::size_t size() const { return size_; }
    // All memory, that of long texts included. O(size).
    std::size_t bytes() const {
        std::size_t result = cells_.bytes();
        for (Slot slot = 0; slot < size_; ++slot) {
            if (cells_[slot][kInside] == kLong) result += length_in(cells_[slot]);
        }
        return result;
    }

    std::string_view operator[](Slot slot) const {
        const Cell& cell = cells_[slot];
        if (cell[kInside] != kLong) return {cell.data(), kInside - static_cast<std::size_t>(cell[kInside])};
        return {pointer_in(cell), length_in(cell)};
    }

    // REQUIRES: slot <= size(), and the slot's text, if it had one, was released.
    void set(Slot slot, std::string_view text) {
        if (text.size() > 0xffffffffU) throw std::length_error("a text holds at most 4 GiB");
        cells_.ensure(slot);
        Cell cell{};
        if (text.size() <= kInside) {
            std::copy(text.begin(), text.end(), cell.begin());
            cell[kInside] = static_cast<char>(kInside - text.size());
        } else {
            char* copy = std::allocator<char>().allocate(text.size());
            std::copy(text.begin(), text.end(), copy);
            const auto length = static_cast<std::uint32_t>(text.size());
            std::memcpy(cell.data(), static_cast<const void*>(&copy), sizeof copy);
            std::memcpy(cell.data() + sizeof copy, &length, sizeof length);
            cell[kInside] = kLong;
        }
        cells_[slot] = cell;
        if (slot == size_) ++size_;
    }

    // Leaves the empty text.
    void release(Slot slot) noexcept {
        Cell& cell = cells_[slot];
        if (cell[kInside] == kLong) std::allocator<char>().deallocate(pointer_in(cell), length_in(cell));
        cell = {};
        cell[kInside] = static_cast<char>(kInside);
    }

    // Four bytes that a released slot has to spare.
    void set_spare(Slot slot, std::uint32_t value) { std::memcpy(cells_[slot].data(), &value, sizeof value); }
    std::uint32_t spare(Slot slot) const {
        std::uint32_t value = 0;
        std::memcpy(&value, cells_[slot].data(), sizeof value);
        return value;
    }

    void prefetch(Slot slot) const { cells_.prefetch(slot); }

private:
    static constexpr std::size_t kInside = 23;
    using Cell = std::array<char, kInside + 1>;
    static constexpr char kLong = 0x7f;

    static char* pointer_in(const Cell& cell) {
        char* pointer = nullptr;
        std::memcpy(static_cast<void*>(&pointer), cell.data(), sizeof pointer);
        return pointer;
    }
    static std::uint32_t length_in(const Cell& cell) {
        std::uint32_t length = 0;
        std::memcpy(&length, cell.data() + sizeof(char*), sizeof length);
        return length;
    }

    SlotColumn<Cell> cells_;
    std::size_t size_ = 0;
};

}  // namespace engagehub

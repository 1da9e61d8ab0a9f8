// SPDX-License-Identifier: MIT
// Purpose: the items that a TopK counts one by one, by small dense numbers (slots), so that whatever is kept for them
// are columns. An item is found by the hash that the sketch has for it anyway; each hash is kept, so neither finding
// nor erasing hashes again. Open addressing with linear probing; erasing shifts back, so no tombstones.
// Thread safety: external; const methods may run side by side.
// Invariants: a slot stays the item's until erase(); freed slots are given out again, the last freed first, and are
// chained through the column of hashes; at most half of the cells are in use.
// Complexity: O(1) expected, O(size) where strangers chose items of equal hashes: a sketch under a key has none.
// Failure: reserve() and insert() throw std::bad_alloc or std::length_error and change nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include <engagehub/base/item.hpp>
#include <engagehub/base/slot_column.hpp>
#include <engagehub/base/text_column.hpp>

namespace engagehub {

class CandidateTable {
public:
    using Slot = std::uint32_t;

    ItemKind kind() const { return kind_; }
    // All memory, that of long texts included. O(size).
    std::size_t bytes() const {
        return cells_.capacity() * sizeof(Slot) + hashes_.capacity() * sizeof(std::uint64_t) + texts_.bytes() +
            numbers_.bytes();
    }

    ItemView operator[](Slot slot) const {
        if (kind_ == ItemKind::kText) return ItemView::of(texts_[slot]);
        return ItemView::of(numbers_[slot]);
    }
    std::uint64_t hash(Slot slot) const { return hashes_[slot]; }

    std::optional<Slot> find(const ItemView& item, std::uint64_t hash) const {
        if (item.kind != kind_) return std::nullopt;
        for (std::size_t i = hash & mask();; i = (i + 1) & mask()) {
            const Slot slot = cells_[i];
            if (slot == kNone) return std::nullopt;
            if (hashes_[slot] == hash && holds(slot, item)) return slot;
        }
    }

    // Room for that many items.
    void reserve(std::size_t slots) {
        if (slots <= hashes_.capacity()) return;
        std::size_t wanted = kFewestCells;
        while (wanted < 2 * slots) wanted *= 2;
        if (wanted > cells_.size()) {
            std::vector<Slot> old(wanted, kNone);
            old.swap(cells_);
            for (const Slot slot : old) {
                if (slot != kNone) enter(slot);
            }
        }
        hashes_.reserve(slots);
    }

    // REQUIRES: reserve() made room, the item isn't there, and it is of the kind of those before it.
    Slot insert(const ItemView& item, std::uint64_t hash) {
        const bool is_new = free_ == kNone;
        const Slot slot = is_new ? static_cast<Slot>(hashes_.size()) : free_;
        if (item.kind == ItemKind::kText) {
            texts_.set(slot, item.text);
        } else {
            numbers_.ensure(slot);
            numbers_[slot] = item.number;
        }
        if (is_new) {
            hashes_.push_back(hash);
        } else {
            free_ = static_cast<Slot>(hashes_[slot]);
            hashes_[slot] = hash;
        }
        kind_ = item.kind;
        enter(slot);
        return slot;
    }

    // REQUIRES: the slot is in use.
    void erase(Slot slot) noexcept {
        std::size_t hole = hashes_[slot] & mask();
        while (cells_[hole] != slot) hole = (hole + 1) & mask();
        for (std::size_t next = (hole + 1) & mask(); cells_[next] != kNone; next = (next + 1) & mask()) {
            const std::size_t wanted = hashes_[cells_[next]] & mask();
            if (((next - wanted) & mask()) >= ((next - hole) & mask())) {
                cells_[hole] = cells_[next];
                hole = next;
            }
        }
        cells_[hole] = kNone;
        if (kind_ == ItemKind::kText) texts_.release(slot);
        hashes_[slot] = free_;
        free_ = slot;
    }

private:
    static constexpr Slot kNone = 0xffffffffU;
    static constexpr std::size_t kFewestCells = 8;

    std::size_t mask() const { return cells_.size() - 1; }
    bool holds(Slot slot, const ItemView& item) const {
        return kind_ == ItemKind::kText ? texts_[slot] == item.text : numbers_[slot] == item.number;
    }

    void enter(Slot slot) {
        std::size_t i = hashes_[slot] & mask();
        while (cells_[i] != kNone) i = (i + 1) & mask();
        cells_[i] = slot;
    }

    ItemKind kind_ = ItemKind::kNone;
    Slot free_ = kNone;
    std::vector<Slot> cells_;
    std::vector<std::uint64_t> hashes_;  // by slot
    TextColumn texts_;
    SlotColumn<std::int64_t> numbers_;
};

}  // namespace engagehub

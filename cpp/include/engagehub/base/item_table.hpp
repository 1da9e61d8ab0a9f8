// SPDX-License-Identifier: MIT
// Purpose: gives every item a small dense number (its slot), so that the structures keep columns indexed by slot and
// each text is stored once. Open addressing with linear probing over 32-bit cells: a cell holds a slot and, in the bits
// that slots leave free, a piece of the hash. Erasing shifts back, so no tombstones.
// Thread safety: external; const methods may run side by side. Invariants: a slot stays the item's until erase(); freed
// slots are given out again, the last freed first, and are chained through the column that held their items.
// Complexity: O(1) expected, O(length) to hash a text.
// Failure: insert() throws InvalidType for the other kind of item, std::length_error beyond four fifths of 2^32 items
// and std::bad_alloc; all change nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

#include <engagehub/base/item.hpp>
#include <engagehub/base/prefetch.hpp>
#include <engagehub/base/slot_column.hpp>
#include <engagehub/base/text_column.hpp>
#include <engagehub/codec/siphash.hpp>

namespace engagehub {

class ItemTable {
public:
    using Slot = std::uint32_t;

    ItemKind kind() const { return kind_; }
    std::size_t size() const { return size_; }
    // One more than the largest slot ever given out: the length of a column indexed by slot.
    std::size_t slots() const { return slots_; }

    // Keyed, since strangers choose the names of members; the order of the cells is never seen outside.
    static std::uint64_t hash(const ItemView& item) {
        const SipKey& key = process_key();
        if (item.kind == ItemKind::kText) return siphash<1, 3>(key, item.text.data(), item.text.size());
        return siphash<1, 3>(key, &item.number, sizeof item.number);
    }

    std::optional<Slot> find(const ItemView& item) const { return find(item, hash(item)); }
    std::optional<Slot> find(const ItemView& item, std::uint64_t hash) const {
        if (item.kind != kind_ || size_ == 0) return std::nullopt;
        const std::uint32_t cell = cells_[locate(item, hash)];
        if (cell == kEmpty) return std::nullopt;
        return cell & mask();
    }

    // The item's slot, and whether it is new.
    std::pair<Slot, bool> insert(const ItemView& item, const char* argument = "member") {
        return insert(item, hash(item), argument);
    }
    std::pair<Slot, bool> insert(const ItemView& item, std::uint64_t hash, const char* argument) {
        ItemKind kind = kind_;
        require_kind(kind, item.kind, argument);
        if ((size_ + 1) * 5 > cells_.size() * 4) grow();
        const std::size_t index = locate(item, hash);
        if (cells_[index] != kEmpty) return {cells_[index] & mask(), false};
        const Slot slot = store(item);
        kind_ = kind;
        cells_[index] = tag(hash) | slot;
        ++size_;
        return {slot, true};
    }

    // Takes an insertion back: REQUIRES: kind() was known before it, and no item from before it is gone.
    void withdraw(Slot slot, ItemKind known) noexcept {
        if (known == ItemKind::kNone && size_ == 1) {
            clear();
        } else {
            erase(slot);
        }
    }

    // REQUIRES: the slot is in use.
    void erase(Slot slot) noexcept {
        std::size_t hole = home((*this)[slot]);
        while ((cells_[hole] & mask()) != slot) hole = (hole + 1) & mask();
        for (std::size_t next = (hole + 1) & mask(); cells_[next] != kEmpty; next = (next + 1) & mask()) {
            const std::size_t wanted = home((*this)[cells_[next] & mask()]);
            if (((next - wanted) & mask()) >= ((next - hole) & mask())) {
                cells_[hole] = cells_[next];
                hole = next;
            }
        }
        cells_[hole] = kEmpty;
        if (kind_ == ItemKind::kText) {
            texts_.release(slot);
            texts_.set_spare(slot, free_);
        } else {
            numbers_[slot] = free_;
        }
        free_ = slot;
        --size_;
    }

    ItemView operator[](Slot slot) const {
        if (kind_ == ItemKind::kText) return ItemView::of(texts_[slot]);
        return ItemView::of(numbers_[slot]);
    }

    // Forgets all, the kind of item too.
    void clear() noexcept { *this = ItemTable(); }

    // For batches, ahead of find(): first the cell, then the item that the cell seems to hold.
    void prefetch_cell(std::uint64_t hash) const {
        if (size_ != 0) prefetch(&cells_[hash & mask()]);
    }
    // The slot that find() will probably answer; any slot below slots() otherwise.
    Slot guess(std::uint64_t hash) const {
        if (size_ == 0) return 0;
        const std::uint32_t cell = cells_[hash & mask()];
        return cell == kEmpty ? 0 : cell & mask();
    }
    void prefetch_item(Slot slot) const {
        if (kind_ == ItemKind::kText) {
            texts_.prefetch(slot);
        } else {
            numbers_.prefetch(slot);
        }
    }

private:
    // No cell looks like this: slots stay below four fifths of the cells.
    static constexpr std::uint32_t kEmpty = 0xffffffffU;
    static constexpr Slot kNone = 0xffffffffU;

    std::uint32_t mask() const { return static_cast<std::uint32_t>(cells_.size() - 1); }
    std::uint32_t tag(std::uint64_t hash) const { return static_cast<std::uint32_t>(hash >> 32U) & ~mask(); }
    std::size_t home(const ItemView& item) const { return hash(item) & mask(); }

    // The cell that holds the item, or the empty one where it would go. REQUIRES: the item is of the table's kind.
    std::size_t locate(const ItemView& item, std::uint64_t hash) const {
        const std::uint32_t wanted = tag(hash);
        for (std::size_t i = hash & mask();; i = (i + 1) & mask()) {
            const std::uint32_t cell = cells_[i];
            if (cell == kEmpty || ((cell & ~mask()) == wanted && holds(cell & mask(), item))) return i;
        }
    }
    bool holds(Slot slot, const ItemView& item) const {
        return kind_ == ItemKind::kText ? texts_[slot] == item.text : numbers_[slot] == item.number;
    }

    void grow() {
        constexpr std::size_t kFirst = 8;
        if (cells_.size() > 0xffffffffU) throw std::length_error("an object holds at most 3,435,973,836 items");
        std::vector<std::uint32_t> old(cells_.empty() ? kFirst : cells_.size() * 2, kEmpty);
        const std::uint32_t old_mask = mask();
        old.swap(cells_);
        for (const std::uint32_t cell : old) {
            if (cell == kEmpty) continue;
            const Slot slot = cell & old_mask;
            const std::uint64_t hash = ItemTable::hash((*this)[slot]);
            std::size_t i = hash & mask();
            while (cells_[i] != kEmpty) i = (i + 1) & mask();
            cells_[i] = tag(hash) | slot;
        }
    }

    Slot store(const ItemView& item) {
        const bool is_text = item.kind == ItemKind::kText;
        const Slot slot = free_ != kNone ? free_ : slots_;
        const Slot next = free_ == kNone ? kNone : is_text ? texts_.spare(slot) : static_cast<Slot>(numbers_[slot]);
        if (is_text) {
            texts_.set(slot, item.text);
        } else {
            numbers_.ensure(slot);
            numbers_[slot] = item.number;
        }
        if (free_ != kNone) {
            free_ = next;
        } else {
            ++slots_;
        }
        return slot;
    }

    ItemKind kind_ = ItemKind::kNone;
    Slot slots_ = 0;
    Slot free_ = kNone;
    std::size_t size_ = 0;
    std::vector<std::uint32_t> cells_;
    TextColumn texts_;
    SlotColumn<std::int64_t> numbers_;
};

}  // namespace engagehub

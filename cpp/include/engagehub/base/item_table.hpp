// SPDX-License-Identifier: MIT
// Purpose: gives every item a small dense number (its slot), so that the structures keep columns indexed by slot and
// each text is stored once. Open addressing with linear probing over (hash, slot); erasing shifts back, so no
// tombstones. Thread safety: external; const methods may run side by side. Invariants: a slot stays the item's until
// erase(); freed slots are given out again, the last freed first. Complexity: O(1) expected, O(length) to hash a text.
// Failure: insert() throws InvalidType for the other kind of item, std::length_error beyond 2^32 - 2 items and
// std::bad_alloc; all change nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <engagehub/base/item.hpp>
#include <engagehub/codec/siphash.hpp>

namespace engagehub {

class ItemTable {
public:
    using Slot = std::uint32_t;

    ItemKind kind() const { return kind_; }
    std::size_t size() const { return size_; }
    // One more than the largest slot ever given out: the length of a column indexed by slot.
    std::size_t slots() const { return kind_ == ItemKind::kText ? texts_.size() : numbers_.size(); }

    std::optional<Slot> find(const ItemView& item) const {
        if (item.kind != kind_ || size_ == 0) return std::nullopt;
        const Cell* cell = locate(item, short_hash(item));
        if (cell->slot == kEmpty) return std::nullopt;
        return cell->slot;
    }

    // The item's slot, and whether it is new.
    std::pair<Slot, bool> insert(const ItemView& item, const char* argument = "member") {
        ItemKind kind = kind_;
        require_kind(kind, item.kind, argument);
        if ((size_ + 1) * 4 > cells_.size() * 3) grow();
        const std::uint32_t hash = short_hash(item);
        Cell* cell = const_cast<Cell*>(locate(item, hash));
        if (cell->slot != kEmpty) return {cell->slot, false};
        const Slot slot = store(item);
        kind_ = kind;
        *cell = {hash, slot};
        ++size_;
        return {slot, true};
    }

    // REQUIRES: the slot is in use.
    void erase(Slot slot) noexcept {
        const std::size_t mask = cells_.size() - 1;
        const ItemView item = (*this)[slot];
        auto hole = static_cast<std::size_t>(const_cast<Cell*>(locate(item, short_hash(item))) - cells_.data());
        for (std::size_t next = (hole + 1) & mask; cells_[next].slot != kEmpty; next = (next + 1) & mask) {
            const std::size_t home = cells_[next].hash & mask;
            if (((next - home) & mask) >= ((next - hole) & mask)) {
                cells_[hole] = cells_[next];
                hole = next;
            }
        }
        cells_[hole] = {};
        if (kind_ == ItemKind::kText) texts_[slot] = std::string();
        free_.push_back(slot);  // store() made room for it
        --size_;
    }

    ItemView operator[](Slot slot) const {
        if (kind_ == ItemKind::kText) return ItemView::of(std::string_view(texts_[slot]));
        return ItemView::of(numbers_[slot]);
    }

    // Forgets all, the kind of item too.
    void clear() { *this = ItemTable(); }

private:
    static constexpr Slot kEmpty = 0xffffffffU;
    struct Cell {
        std::uint32_t hash = 0;
        Slot slot = kEmpty;
    };

    // Keyed, since strangers choose the names of members; the order of the cells is never seen outside.
    static std::uint32_t short_hash(const ItemView& item) {
        const SipKey& key = process_key();
        if (item.kind == ItemKind::kText) {
            return static_cast<std::uint32_t>(siphash<1, 3>(key, item.text.data(), item.text.size()));
        }
        return static_cast<std::uint32_t>(siphash<1, 3>(key, &item.number, sizeof item.number));
    }

    // The cell that holds the item, or the empty one where it would go.
    const Cell* locate(const ItemView& item, std::uint32_t hash) const {
        const std::size_t mask = cells_.size() - 1;
        for (std::size_t i = hash & mask;; i = (i + 1) & mask) {
            const Cell& cell = cells_[i];
            if (cell.slot == kEmpty || (cell.hash == hash && (*this)[cell.slot] == item)) return &cell;
        }
    }

    void grow() {
        std::vector<Cell> larger(cells_.empty() ? 8 : cells_.size() * 2);
        const std::size_t mask = larger.size() - 1;
        for (const Cell& cell : cells_) {
            if (cell.slot == kEmpty) continue;
            std::size_t i = cell.hash & mask;
            while (larger[i].slot != kEmpty) i = (i + 1) & mask;
            larger[i] = cell;
        }
        cells_ = std::move(larger);
    }

    Slot store(const ItemView& item) {
        if (!free_.empty()) {
            const Slot slot = free_.back();
            if (item.kind == ItemKind::kText) {
                texts_[slot] = std::string(item.text);
            } else {
                numbers_[slot] = item.number;
            }
            free_.pop_back();
            return slot;
        }
        const std::size_t slot = item.kind == ItemKind::kText ? texts_.size() : numbers_.size();
        if (slot >= kEmpty) throw std::length_error("an object holds at most 2^32 - 2 items");
        if (slot >= free_.capacity()) free_.reserve(slot + slot / 2 + 8);  // so that erase() can't fail
        if (item.kind == ItemKind::kText) {
            texts_.emplace_back(item.text);
        } else {
            numbers_.push_back(item.number);
        }
        return static_cast<Slot>(slot);
    }

    ItemKind kind_ = ItemKind::kNone;
    std::size_t size_ = 0;
    std::vector<Cell> cells_;
    std::vector<std::string> texts_;
    std::vector<std::int64_t> numbers_;
    std::vector<Slot> free_;
};

}  // namespace engagehub

// SPDX-License-Identifier: MIT
// Purpose: members ordered by a key, highest first, with ranks: a table from member to key beside a SkipList of keys.
// Equal keys are a tie: they are listed by arrival (first to reach the present key) or by member (integers ascending,
// text by UTF-8 bytes), and share a rank or not by the tie policy.
// Thread safety: external; const methods may run side by side.
// Invariants: the list holds exactly one entry a member, with the member's present key; with dense ranks, distinct_
// holds each key that occurs, once. Complexity: O(log n) expected for every change and look-up of one member; O(log n +
// k) to list k. Failure: assign() throws InvalidType for the other kind of member and std::bad_alloc, and changes
// nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include <engagehub/base/item_table.hpp>
#include <engagehub/decay/scaled.hpp>
#include <engagehub/ranking/skip_list.hpp>

namespace engagehub {

enum class Ties : std::uint8_t { kCompetition, kDense, kOrdinal };
enum class TieOrder : std::uint8_t { kArrival, kMember };

class RankedMap {
public:
    using Slot = ItemTable::Slot;
    struct Row {
        std::size_t rank;
        Slot slot;
        Scaled key;
    };

    explicit RankedMap(Ties ties = Ties::kCompetition, TieOrder order = TieOrder::kArrival)
        : ties_(ties), order_(order), list_(Before{&members_, order}) {}
    RankedMap(const RankedMap& other) : RankedMap(other.ties_, other.order_) {
        other.list_.visit(0, other.size(), [&](const Entry& entry) { assign(other.members_[entry.slot], entry.key); });
    }
    RankedMap& operator=(const RankedMap&) = delete;

    Ties ties() const { return ties_; }
    TieOrder order() const { return order_; }
    std::size_t size() const { return list_.size(); }
    std::size_t slots() const { return members_.slots(); }
    ItemKind kind() const { return members_.kind(); }
    ItemView member(Slot slot) const { return members_[slot]; }
    std::optional<Slot> find(const ItemView& member) const { return members_.find(member); }
    const Scaled& key(Slot slot) const { return entries_[slot].key; }

    // Gives the member this key; an equal key keeps the member's place among its ties.
    Slot assign(const ItemView& member, const Scaled& key) {
        const auto [slot, is_new] = members_.insert(member);
        if (!is_new && entries_[slot].key == key) return slot;
        const Entry entry{key, order_ == TieOrder::kArrival ? ++arrivals_ : 0, slot};
        try {
            if (slot >= entries_.size()) entries_.resize(static_cast<std::size_t>(slot) + 1);
            if (ties_ == Ties::kDense && count_of(key) == 0) distinct_.insert(key);
            list_.insert(entry);
        } catch (...) {
            if (ties_ == Ties::kDense && count_of(key) == 0) distinct_.erase(key);
            if (is_new) members_.erase(slot);
            throw;
        }
        if (!is_new) erase_entry(entries_[slot]);
        entries_[slot] = entry;
        return slot;
    }

    // REQUIRES: the slot is in use.
    void erase(Slot slot) {
        const Entry entry = entries_[slot];
        erase_entry(entry);
        members_.erase(slot);
    }

    void clear() {
        list_.clear();
        distinct_.clear();
        members_.clear();
        entries_.clear();
    }

    // 1-based, under the tie policy.
    std::size_t rank(Slot slot) const {
        const Entry& entry = entries_[slot];
        switch (ties_) {
            case Ties::kOrdinal: return position(slot) + 1;
            case Ties::kDense: return distinct_.partition_point([&](const Scaled& key) { return key > entry.key; }) + 1;
            case Ties::kCompetition: break;
        }
        return count_above(entry.key) + 1;
    }

    // 0-based place in the listing, whatever the ties.
    std::size_t position(Slot slot) const {
        const Entry& entry = entries_[slot];
        const Before before{&members_, order_};
        return list_.partition_point([&](const Entry& other) { return before(other, entry); });
    }

    std::size_t count_above(const Scaled& key) const {
        return list_.partition_point([&](const Entry& entry) { return entry.key > key; });
    }

    // How many keys satisfy a predicate that holds for the highest ones only.
    template <class Predicate>
    std::size_t count_while(const Predicate& is_high) const {
        return list_.partition_point([&](const Entry& entry) { return is_high(entry.key); });
    }

    // Calls visit(Row) for up to count members from a position on.
    template <class Visit>
    void visit(std::size_t first, std::size_t count, Visit&& visit) const {
        std::size_t index = first;
        std::size_t rank = 0;
        Scaled last;
        list_.visit(first, count, [&](const Entry& entry) {
            if (index == first) {
                rank = this->rank(entry.slot);
            } else if (ties_ == Ties::kOrdinal || entry.key != last) {
                rank = ties_ == Ties::kDense ? rank + 1 : index + 1;
            }
            last = entry.key;
            ++index;
            visit(Row{rank, entry.slot, entry.key});
        });
    }

    void check() const {
        list_.check();
        distinct_.check();
    }

private:
    struct Entry {
        Scaled key;
        std::uint64_t arrival = 0;
        Slot slot = 0;
    };
    struct Before {
        const ItemTable* members;
        TieOrder order;
        bool operator()(const Entry& a, const Entry& b) const {
            if (a.key != b.key) return a.key > b.key;
            if (order == TieOrder::kArrival || a.slot == b.slot) return a.arrival < b.arrival;
            const ItemView left = (*members)[a.slot];
            const ItemView right = (*members)[b.slot];
            return left.kind == ItemKind::kInteger ? left.number < right.number : left.text < right.text;
        }
    };
    struct Higher {
        bool operator()(const Scaled& a, const Scaled& b) const { return a > b; }
    };

    std::size_t count_of(const Scaled& key) const {
        return list_.partition_point([&](const Entry& entry) { return !(key > entry.key); }) - count_above(key);
    }

    void erase_entry(const Entry& entry) {
        list_.erase(entry);
        if (ties_ == Ties::kDense && count_of(entry.key) == 0) distinct_.erase(entry.key);
    }

    Ties ties_;
    TieOrder order_;
    ItemTable members_;
    std::vector<Entry> entries_;  // by slot
    SkipList<Entry, Before> list_;
    SkipList<Scaled, Higher> distinct_;  // only with dense ranks
    std::uint64_t arrivals_ = 0;
};

}  // namespace engagehub

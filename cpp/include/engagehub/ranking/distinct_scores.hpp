// SPDX-License-Identifier: MIT
// Purpose: the scores that occur on a board, each once, so that dense ranks are a position among them.
// Thread safety: external; const methods may run side by side.
// Complexity: O(log n) expected. Failure: insert() throws std::bad_alloc and changes nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include <engagehub/base/slot_column.hpp>
#include <engagehub/ranking/rank_key.hpp>
#include <engagehub/ranking/skip_list.hpp>

namespace engagehub {

class DistinctScores {
public:
    explicit DistinctScores(const RankKeyCodec& codec) : codec_(codec), list_(Order{this}) {}
    DistinctScores(const DistinctScores&) = delete;
    DistinctScores& operator=(const DistinctScores&) = delete;

    std::size_t count_above(const RankKey& key) const { return list_.count_below(codec_.floor(key)); }

    bool contains(const RankKey& key) const {
        const std::size_t position = count_above(key);
        return position < list_.size() && codec_.is_tie(keys_[list_.at(position)], key);
    }

    // REQUIRES: !contains(key).
    void insert(const RankKey& key) {
        const Slot slot = free_ != kNone ? free_ : static_cast<Slot>(list_.size());
        keys_.ensure(slot);
        const Slot next = free_ != kNone ? static_cast<Slot>(keys_[slot].low) : kNone;
        list_.insert(codec_.floor(key), slot);
        keys_[slot] = codec_.floor(key);
        free_ = next;
    }

    // REQUIRES: contains(key).
    void erase(const RankKey& key) noexcept {
        const Slot slot = list_.at(count_above(key));
        list_.erase(keys_[slot], slot);
        keys_[slot] = {0, free_};
        free_ = slot;
    }

    // The ascending keys, one for each score. REQUIRES: nothing is in it.
    void load(const std::vector<RankKey>& sorted) {
        std::vector<Slot> slots;
        slots.reserve(sorted.size());
        for (const RankKey& key : sorted) {
            const auto slot = static_cast<Slot>(slots.size());
            keys_.ensure(slot);
            keys_[slot] = codec_.floor(key);
            slots.push_back(slot);
        }
        list_.build(list_, slots, [](Slot) { return false; });
    }

    void clear() noexcept {
        list_.clear();
        keys_.clear();
        free_ = kNone;
    }

    void swap(DistinctScores& other) noexcept {
        std::swap(codec_, other.codec_);
        list_.swap(other.list_);
        std::swap(keys_, other.keys_);
        std::swap(free_, other.free_);
    }

    void check() const { list_.check(); }

private:
    using Slot = std::uint32_t;
    static constexpr Slot kNone = 0xffffffffU;
    struct Order {
        const DistinctScores* scores;
        const RankKey& key(Slot slot) const { return scores->keys_[slot]; }
        bool before(Slot /*a*/, Slot /*b*/) const { return false; }  // no two keys are equal
    };

    RankKeyCodec codec_;
    SlotColumn<RankKey> keys_;
    SkipList<Order> list_;
    Slot free_ = kNone;  // chained through keys_
};

}  // namespace engagehub

// SPDX-License-Identifier: MIT
// Purpose: members ordered by score, highest first, with ranks: a table from member to slot, a column of keys by slot,
// and a SkipList of slots. Equal scores are a tie: they are listed by arrival (first to reach the present score) or by
// member (integers ascending, text by UTF-8 bytes), and share a rank or not by the tie policy.
// Thread safety: external; const methods may run side by side.
// Invariants: the list holds each member's slot once, under its present key; with dense ranks, distinct_ holds each
// score that occurs, once. Complexity: O(log n) expected for every change and look-up of one member; O(log n + k) to
// list k; O(n + k log k) for a batch of k by Batch. Failure: a change throws InvalidType for the other kind of member,
// std::length_error and std::bad_alloc, and changes nothing.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <engagehub/base/item_table.hpp>
#include <engagehub/base/slot_column.hpp>
#include <engagehub/decay/scaled.hpp>
#include <engagehub/ranking/distinct_scores.hpp>
#include <engagehub/ranking/key_sort.hpp>
#include <engagehub/ranking/rank_key.hpp>
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
    };

    explicit RankedMap(
        Ties ties = Ties::kCompetition, TieOrder order = TieOrder::kArrival, const RankKeyCodec& codec = RankKeyCodec())
        : codec_(codec), ties_(ties), order_(order), list_(Order{this}), distinct_(codec) {}
    // The other's members and scores under another codec, which holds all of them, as under its own.
    RankedMap(const RankedMap& other) : RankedMap(other, other.codec_, [](const Scaled& score) { return score; }) {}
    // Scores are converted by a function that doesn't change their order, though it may make ties.
    template <class Convert>
    RankedMap(const RankedMap& other, const RankKeyCodec& codec, const Convert& convert)
        : RankedMap(other.ties_, other.order_, codec) {
        make_room_for_arrivals(other.size());
        members_ = other.members_;
        keys_ = other.keys_;
        std::vector<Slot> sorted;
        sorted.reserve(other.size());
        other.list_.visit(0, other.size(), [&](Slot slot) {
            keys_[slot] = codec_.encode(convert(other.score(slot)), next_arrival());
            sorted.push_back(slot);
        });
        if (order_ == TieOrder::kMember) sort(sorted);  // ties that are new have another order
        list_again(sorted, [](Slot) { return false; });
    }
    RankedMap& operator=(const RankedMap&) = delete;

    Ties ties() const { return ties_; }
    TieOrder order() const { return order_; }
    const RankKeyCodec& codec() const { return codec_; }
    std::size_t size() const { return list_.size(); }
    std::size_t slots() const { return members_.slots(); }
    ItemKind kind() const { return members_.kind(); }
    ItemView member(Slot slot) const { return members_[slot]; }
    std::optional<Slot> find(const ItemView& member) const {
        const std::uint64_t hash = ItemTable::hash(member);
        keys_.prefetch(members_.guess(hash));  // whoever asks for a slot asks for its key next
        return members_.find(member, hash);
    }
    std::optional<Slot> find(const ItemView& member, std::uint64_t hash) const { return members_.find(member, hash); }
    Scaled score(Slot slot) const { return codec_.decode(keys_[slot]); }

    // REQUIRES: the member isn't there.
    Slot insert(const ItemView& member, std::uint64_t hash, const Scaled& score) {
        make_room_for_arrivals(1);
        const ItemKind known = kind();
        const Slot slot = members_.insert(member, hash, "member").first;
        try {
            keys_.ensure(slot);
            const RankKey key = codec_.encode(score, next_arrival());
            keys_[slot] = key;
            welcome(key);
            try {
                list_.insert(key, slot);
            } catch (...) {
                part_with(key);
                throw;
            }
        } catch (...) {
            members_.withdraw(slot, known);
            throw;
        }
        return slot;
    }

    // Gives a member this score; the score that it has keeps its place among its ties.
    void move(Slot slot, const Scaled& score) {
        make_room_for_arrivals(1);
        const RankKey from = keys_[slot];
        const RankKey to = key_for(score, from);
        if (to == from) return;
        welcome(to);
        try {
            list_.move(from, to, slot);
        } catch (...) {
            part_with(to);
            throw;
        }
        keys_[slot] = to;
        part_with(from);
    }

    Slot assign(const ItemView& member, const Scaled& score) {
        const std::uint64_t hash = ItemTable::hash(member);
        const auto slot = find(member, hash);
        if (!slot) return insert(member, hash, score);
        move(*slot, score);
        return *slot;
    }

    // Adds to the score of a member, who starts at zero; the new score.
    Scaled add(const ItemView& member, const Scaled& amount) {
        const std::uint64_t hash = ItemTable::hash(member);
        const auto slot = find(member, hash);
        const Scaled sum = slot ? score(*slot) + amount : amount;
        if (slot) {
            move(*slot, sum);
        } else {
            insert(member, hash, sum);
        }
        return sum;
    }

    // As assign() for one after the other of size members and scores, which have been checked. A std::bad_alloc leaves
    // a valid map with the first done of them assigned.
    template <class Members, class Scores>
    void assign(const Members& members, const Scores& scores, std::size_t size, std::size_t& done) {
        done = 0;
        if (!prefers_batch(size)) {
            for (; done < size; ++done) assign(members[done], Scaled::of_double(scores[done]));
            return;
        }
        Batch batch(*this, size);
        for (std::size_t i = 0; i < size; ++i) {
            batch.assign(batch.reach(members[i], ItemTable::hash(members[i])), Scaled::of_double(scores[i]));
        }
        batch.commit();
        done = size;
    }

    // REQUIRES: the slot is in use.
    void erase(Slot slot) noexcept {
        const RankKey key = keys_[slot];
        list_.erase(key, slot);
        part_with(key);
        members_.erase(slot);
    }

    // Takes out the members from a position on.
    void truncate(std::size_t length) {
        if (length >= size()) return;
        if (size() - length < size() / kRebuildShare) {
            while (size() > length) erase(at(size() - 1));
            return;
        }
        std::vector<Slot> leaving;
        leaving.reserve(size() - length);
        list_.visit(length, size(), [&](Slot slot) { leaving.push_back(slot); });
        std::vector<bool> leaves(slots());
        for (const Slot slot : leaving) leaves[slot] = true;
        list_again({}, [&](Slot slot) { return !leaves[slot]; });
        for (const Slot slot : leaving) members_.erase(slot);
    }

    // REQUIRES: the policies are equal.
    void swap(RankedMap& other) noexcept {
        std::swap(codec_, other.codec_);
        std::swap(members_, other.members_);
        std::swap(keys_, other.keys_);
        list_.swap(other.list_);
        distinct_.swap(other.distinct_);
        std::swap(arrivals_, other.arrivals_);
    }

    void clear() noexcept {
        list_.clear();
        distinct_.clear();
        members_.clear();
        keys_.clear();
        arrivals_ = 0;
    }

    // 1-based, under the tie policy.
    std::size_t rank(Slot slot) const {
        const RankKey& key = keys_[slot];
        switch (ties_) {
            case Ties::kOrdinal: return position(slot) + 1;
            case Ties::kDense: return distinct_.count_above(key) + 1;
            case Ties::kCompetition: break;
        }
        return list_.count_below(codec_.floor(key)) + 1;
    }

    // 0-based place in the listing, whatever the ties.
    std::size_t position(Slot slot) const { return list_.position(keys_[slot], slot); }

    // The slot at a 0-based place. REQUIRES: position < size().
    Slot at(std::size_t position) const { return list_.at(position); }

    // How many members' scores satisfy a predicate that holds for the highest ones only.
    template <class Predicate>
    std::size_t count_while(const Predicate& is_high) const {
        return list_.partition_point([&](const RankKey& key) { return is_high(codec_.decode(key)); });
    }

    // Calls visit(Row) for up to count members from a position on.
    template <class Visit>
    void visit(std::size_t first, std::size_t count, Visit&& visit) const {
        std::size_t index = first;
        std::size_t rank = 0;
        RankKey last;
        list_.visit(first, count, [&](Slot slot) {
            const RankKey& key = keys_[slot];
            if (index == first) {
                rank = first == 0 ? 1 : this->rank(slot);
            } else if (ties_ == Ties::kOrdinal || !codec_.is_tie(key, last)) {
                rank = ties_ == Ties::kDense ? rank + 1 : index + 1;
            }
            last = key;
            ++index;
            visit(Row{rank, slot});
        });
    }

    // Calls visit(slot) for up to count members from a position on.
    template <class Visit>
    void visit_slots(std::size_t first, std::size_t count, Visit&& visit) const {
        list_.visit(first, count, visit);
    }

    void check() const {
        list_.check();
        distinct_.check();
        if (list_.size() != members_.size()) throw std::logic_error("the list holds every member");
    }

    // Many changes at once, in the order given, with the outcome of doing them one by one: the keys change at once and
    // the list follows in commit(), in one pass. Nothing else may touch the map meanwhile. A Batch that isn't committed
    // takes its changes back.
    class Batch {
    public:
        struct Reached {
            Slot slot;
            bool is_new;
            bool is_first;  // in this batch
        };

        // REQUIRES: at most so many calls of assign() follow.
        Batch(RankedMap& map, std::size_t changes) : map_(map), known_(map.kind()), is_touched_(map.slots()) {
            map_.make_room_for_arrivals(changes);
            touched_.reserve(std::min(changes, kAtOnce));
        }
        Batch(const Batch&) = delete;
        Batch& operator=(const Batch&) = delete;
        ~Batch() {
            for (; !committed_ && !touched_.empty(); touched_.pop_back()) take_back(touched_.back());
        }

        // The slot of a member, which is on the map from now on. REQUIRES: assign() follows.
        Reached reach(const ItemView& member, std::uint64_t hash) {
            if (const auto known = map_.find(member, hash)) {
                const bool is_first = !is_touched_[*known];
                if (is_first) touched_.push_back({*known, map_.keys_[*known], false});
                is_touched_[*known] = true;
                return {*known, false, is_first};
            }
            touched_.push_back({0, {}, true});
            Slot slot = 0;
            try {
                slot = map_.members_.insert(member, hash, "members").first;
            } catch (...) {
                touched_.pop_back();
                throw;
            }
            touched_.back().slot = slot;  // from here on the destructor takes it back
            map_.keys_.ensure(slot);
            if (slot >= is_touched_.size()) is_touched_.resize(slot + slot / 2 + 64);
            is_touched_[slot] = true;
            return {slot, true, true};
        }

        void assign(const Reached& reached, const Scaled& score) {
            RankKey& key = map_.keys_[reached.slot];
            key = reached.is_new ? map_.codec_.encode(score, map_.next_arrival()) : map_.key_for(score, key);
        }

        void commit() {
            std::vector<Slot> changed;
            changed.reserve(touched_.size());
            for (const Touched& touched : touched_) {
                if (touched.is_new || map_.keys_[touched.slot] != touched.key) {
                    changed.push_back(touched.slot);
                } else {
                    is_touched_[touched.slot] = false;
                }
            }
            map_.sort(changed);
            map_.list_again(changed, [&](Slot slot) { return !is_touched_[slot]; });
            committed_ = true;
        }

    private:
        struct Touched {
            Slot slot;
            RankKey key;
            bool is_new;
        };

        void take_back(const Touched& touched) noexcept {
            if (touched.is_new) {
                map_.members_.withdraw(touched.slot, known_);
            } else {
                map_.keys_[touched.slot] = touched.key;
            }
        }

        static constexpr std::size_t kAtOnce = 4'096;  // more would be a guess: members may occur often

        RankedMap& map_;
        ItemKind known_;  // before the batch
        std::vector<Touched> touched_;
        std::vector<bool> is_touched_;  // by slot
        bool committed_ = false;
    };

    // Whether so many changes had better go by a Batch: its pass over the list costs what so many changes cost.
    bool prefers_batch(std::size_t changes) const {
        return changes >= 16 && changes >= size() / kRebuildShare && may_number(changes);
    }

    // For changes one by one: asks the memory for what the change of a member some steps ahead will touch.
    void prefetch_cell(std::uint64_t hash) const { members_.prefetch_cell(hash); }
    Slot guess(std::uint64_t hash) const { return members_.guess(hash); }
    void prefetch_columns(Slot slot) const {
        members_.prefetch_item(slot);
        keys_.prefetch(slot);
    }
    void prefetch_entry(Slot slot) const {
        if (slot < keys_.capacity()) list_.prefetch(keys_[slot]);
    }

private:
    static constexpr std::size_t kRebuildShare = 32;

    struct Order {
        const RankedMap* map;
        const RankKey& key(Slot slot) const { return map->keys_[slot]; }
        bool before(Slot a, Slot b) const {
            const ItemView left = map->members_[a];
            const ItemView right = map->members_[b];
            return left.kind == ItemKind::kInteger ? left.number < right.number : left.text < right.text;
        }
    };

    std::uint64_t next_arrival() { return order_ == TieOrder::kArrival ? arrivals_++ : 0; }

    // The key of a score for a member that has this one: the same where the score is.
    RankKey key_for(const Scaled& score, const RankKey& held) {
        const RankKey same = codec_.encode(score, codec_.arrival(held));
        return same == held ? held : codec_.with_arrival(same, next_arrival());
    }

    // Whether there are numbers for all members and so many changes.
    bool may_number(std::size_t changes) const {
        return order_ == TieOrder::kMember ||
            (size() <= codec_.max_arrival() && changes <= codec_.max_arrival() - size());
    }

    void make_room_for_arrivals(std::size_t changes) {
        if (order_ == TieOrder::kMember || codec_.max_arrival() - arrivals_ >= changes) return;
        if (!may_number(changes)) {
            throw std::length_error(
                "a board with so short a half-life has room for " + std::to_string(codec_.max_arrival()) + " arrivals");
        }
        // Numbers the members anew, in the order of the list.
        SlotColumn<RankKey> keys = keys_;
        std::vector<Slot> sorted;
        sorted.reserve(size());
        list_.visit(0, size(), [&](Slot slot) {
            keys[slot] = codec_.with_arrival(keys[slot], sorted.size());
            sorted.push_back(slot);
        });
        std::swap(keys_, keys);
        try {
            list_again(sorted, [](Slot) { return false; });
        } catch (...) {
            std::swap(keys_, keys);
            throw;
        }
        arrivals_ = sorted.size();
    }

    // Slots in the order of the list, by the keys that they have now.
    void sort(std::vector<Slot>& slots) const {
        std::vector<KeyedSlot> entries;
        entries.reserve(slots.size());
        for (const Slot slot : slots) entries.push_back({keys_[slot], slot});
        const Order order{this};
        sort_by_key(entries, [&](Slot left, Slot right) { return order.before(left, right); });
        std::transform(
            entries.begin(), entries.end(), slots.begin(), [](const KeyedSlot& entry) { return entry.slot; });
    }

    // Lists the members anew: those of the list that are to be kept, and others in order.
    template <class Keep>
    void list_again(const std::vector<Slot>& sorted, const Keep& keep) {
        List list(Order{this});
        list.build(list_, sorted, keep);
        if (ties_ == Ties::kDense) {
            std::vector<RankKey> scores;
            list.visit(0, list.size(), [&](Slot slot) {
                if (scores.empty() || !codec_.is_tie(scores.back(), keys_[slot])) scores.push_back(keys_[slot]);
            });
            DistinctScores distinct(codec_);
            distinct.load(scores);
            distinct_.swap(distinct);
        }
        list_.swap(list);
    }

    // A score comes to the board, and one has gone that may have been the last of its kind.
    void welcome(const RankKey& key) {
        if (ties_ == Ties::kDense && !distinct_.contains(key)) distinct_.insert(key);
    }
    void part_with(const RankKey& key) noexcept {
        if (ties_ != Ties::kDense) return;
        const std::size_t position = list_.count_below(codec_.floor(key));
        if (position == size() || !codec_.is_tie(keys_[list_.at(position)], key)) distinct_.erase(key);
    }

    using List = SkipList<Order>;

    RankKeyCodec codec_;
    Ties ties_;
    TieOrder order_;
    ItemTable members_;
    SlotColumn<RankKey> keys_;
    List list_;
    DistinctScores distinct_;  // only with dense ranks
    std::uint64_t arrivals_ = 0;
};

}  // namespace engagehub

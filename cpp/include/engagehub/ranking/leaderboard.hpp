// SPDX-License-Identifier: MIT
// Purpose: a RankedMap whose scores may decay: forward decay stores sums that never change with time, so a query never
// re-scores anybody (see decay/half_life.hpp). A change at an instant before the member's newest one decays the new
// points only, never the total. Thread safety: external; const methods may run side by side. Invariants: newest() is
// the newest instant of any change ever made. Complexity: as RankedMap. Failure: bad input throws InvalidArgument or
// InvalidType and changes nothing. update() REQUIRES checked input; a std::bad_alloc in its middle leaves a valid board
// with the changes before it made.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include <engagehub/base/errors.hpp>
#include <engagehub/base/instant.hpp>
#include <engagehub/decay/half_life.hpp>
#include <engagehub/ranking/ranked_map.hpp>

namespace engagehub {

class Leaderboard {
public:
    using Slot = RankedMap::Slot;
    struct Row {
        std::size_t rank;
        ItemView member;
        double score;
        std::int64_t last_at;
    };

    // Far beyond any use, and so far below the largest double that 10^18 additions don't reach infinity.
    static constexpr double kLargestPoints = 1e290;

    explicit Leaderboard(HalfLife half_life = {}, Ties ties = Ties::kCompetition, TieOrder order = TieOrder::kArrival)
        : half_life_(half_life), ranking_(ties, order) {}
    Leaderboard(const Leaderboard& other) : Leaderboard(other.half_life_, other.ties(), other.order()) {
        merge(other);
        newest_ = other.newest_;
    }
    Leaderboard& operator=(const Leaderboard&) = delete;

    HalfLife half_life() const { return half_life_; }
    Ties ties() const { return ranking_.ties(); }
    TieOrder order() const { return ranking_.order(); }
    std::size_t size() const { return ranking_.size(); }
    ItemKind kind() const { return ranking_.kind(); }
    std::optional<Slot> find(const ItemView& member) const { return ranking_.find(member); }
    std::int64_t newest() const { return newest_; }

    // Queries answer as of this instant: the one asked for, but never before the newest change.
    std::int64_t as_of(std::int64_t at) const { return std::max(at, newest_); }

    static void require_points(double points, const char* argument) {
        if (!(std::abs(points) <= kLargestPoints)) {
            throw InvalidArgument(
                std::string(argument) + " must be a finite number of at most 1e290 either way, got " +
                std::to_string(points));
        }
    }

    // The member's score as of the later of at and the member's newest change.
    double add(const ItemView& member, double points, std::int64_t at) {
        require_points(points, "points");
        require_instant(at);
        const auto slot = ranking_.find(member);
        Scaled key = half_life_.store(points, at);
        if (slot) key = ranking_.key(*slot) + key;
        return read(change(member, key, at));
    }

    // Replaces the score. An instant before the member's newest change is refused: what it should replace is unknown.
    double set(const ItemView& member, double score, std::int64_t at) {
        require_points(score, "score");
        require_instant(at);
        if (const auto slot = ranking_.find(member); slot && at < last_[*slot]) {
            throw InvalidArgument(
                "at must not be before the member's newest change at " + std::to_string(last_[*slot]) +
                " microseconds, got " + std::to_string(at));
        }
        return read(change(member, half_life_.store(score, at), at));
    }

    // Takes the member off the board; its score as of at. REQUIRES: the slot is in use.
    double remove(Slot slot, std::int64_t at) {
        const double last = score(slot, at);
        ranking_.erase(slot);
        return last;
    }

    void clear() {
        ranking_.clear();
        last_.clear();
        newest_ = kNever;
    }

    // Adds the other board's sums member by member; ties among the arrivals are in the other's order.
    // THROWS: Incompatible for another half-life or kind of member, InvalidArgument where a sum would pass the largest
    // double.
    void merge(const Leaderboard& other) {
        if (half_life_ != other.half_life_) {
            throw Incompatible(
                "half_life must be equal to merge, got " + std::to_string(half_life_.micros()) + " and " +
                std::to_string(other.half_life_.micros()) + " microseconds");
        }
        if (size() != 0 && other.size() != 0 && kind() != other.kind()) {
            throw Incompatible(
                std::string("members must be of one kind to merge, got ") + name_of(kind()) + " and " +
                name_of(other.kind()));
        }
        if (&other == this) {
            const Leaderboard same(other);
            merge(same);
            return;
        }
        const std::int64_t newest = std::max(newest_, other.newest_);
        other.ranking_.visit(0, other.size(), [&](const RankedMap::Row& row) {
            const auto slot = ranking_.find(other.ranking_.member(row.slot));
            if (slot && std::isinf(half_life_.read(ranking_.key(*slot) + row.key, newest))) {
                throw InvalidArgument("scores must stay within the range of a double to merge");
            }
        });
        other.ranking_.visit(0, other.size(), [&](const RankedMap::Row& row) {
            const ItemView member = other.ranking_.member(row.slot);
            const auto slot = ranking_.find(member);
            change(member, slot ? ranking_.key(*slot) + row.key : row.key, other.last_[row.slot]);
        });
        newest_ = newest;
    }

    double score(Slot slot, std::int64_t at) const { return half_life_.read(ranking_.key(slot), as_of(at)); }
    std::int64_t last_at(Slot slot) const { return last_[slot]; }
    std::size_t rank(Slot slot) const { return ranking_.rank(slot); }
    std::size_t position(Slot slot) const { return ranking_.position(slot); }

    // The share of the board's members that stand strictly below, 0 to 100.
    double percentile(Slot slot) const {
        const Scaled& key = ranking_.key(slot);
        const std::size_t not_below = ranking_.count_while([&](const Scaled& other) { return !(other < key); });
        return 100.0 * static_cast<double>(size() - not_below) / static_cast<double>(size());
    }

    // How many show a score above the limit (or at it, where inclusive) as of at.
    std::size_t count_above(double limit, bool inclusive, std::int64_t at) const {
        const std::int64_t instant = as_of(at);
        return ranking_.count_while([&](const Scaled& key) {
            const double shown = half_life_.read(key, instant);
            return shown > limit || (inclusive && shown == limit);
        });
    }

    // Up to count rows from a 0-based position on.
    std::vector<Row> rows(std::size_t first, std::size_t count, std::int64_t at) const {
        std::vector<Row> result;
        if (first >= size()) return result;
        result.reserve(std::min(count, size() - first));
        const Scaled weight = half_life_.weight(as_of(at));
        ranking_.visit(first, count, [&](const RankedMap::Row& row) {
            result.push_back({row.rank, ranking_.member(row.slot), (row.key / weight).to_double(), last_[row.slot]});
        });
        return result;
    }

    void check() const { ranking_.check(); }

private:
    static constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::min();

    Slot change(const ItemView& member, const Scaled& key, std::int64_t at) {
        const bool is_new = !ranking_.find(member);
        if (last_.size() == ranking_.slots())
            last_.push_back(kNever);  // before the change, which must not fail halfway
        const Slot slot = ranking_.assign(member, key);
        last_[slot] = is_new ? at : std::max(last_[slot], at);
        newest_ = std::max(newest_, at);
        return slot;
    }

    double read(Slot slot) const { return half_life_.read(ranking_.key(slot), last_[slot]); }

    HalfLife half_life_;
    RankedMap ranking_;
    std::vector<std::int64_t> last_;  // by slot: the member's newest change
    std::int64_t newest_ = kNever;
};

}  // namespace engagehub

// SPDX-License-Identifier: MIT
// Purpose: a RankedMap whose scores may decay: forward decay stores sums that never change with time, so a query never
// re-scores anybody (see decay/half_life.hpp). A change at an instant before the member's newest one decays the new
// points only, never the total. A board may be bounded: then the lowest member leaves for a new one.
// Thread safety: external; const methods may run side by side.
// Invariants: newest() is the newest instant of any change ever made; size() <= max_members(). Complexity: as
// RankedMap. Failure: bad input throws InvalidArgument or InvalidType and changes nothing; so does std::bad_alloc, but
// for update(), which says how many changes it has made.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <engagehub/base/errors.hpp>
#include <engagehub/base/instant.hpp>
#include <engagehub/base/shown.hpp>
#include <engagehub/base/slot_column.hpp>
#include <engagehub/decay/half_life.hpp>
#include <engagehub/ranking/leaderboard_format.hpp>
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
    static constexpr std::size_t kUnbounded = std::numeric_limits<std::size_t>::max();

    explicit Leaderboard(
        HalfLife half_life = {}, Ties ties = Ties::kCompetition, TieOrder order = TieOrder::kArrival,
        std::size_t max_members = kUnbounded)
        : half_life_(half_life), max_members_(max_members), ranking_(ties, order, RankKeyCodec(half_life)) {
        if (max_members == 0) throw InvalidArgument("max_members must be at least 1, got 0");
    }
    Leaderboard(const Leaderboard&) = default;
    // A copy with another bound, which must not be below the other's size.
    Leaderboard(const Leaderboard& other, std::size_t max_members) : Leaderboard(other) { max_members_ = max_members; }
    Leaderboard& operator=(const Leaderboard&) = delete;

    HalfLife half_life() const { return half_life_; }
    Ties ties() const { return ranking_.ties(); }
    TieOrder order() const { return ranking_.order(); }
    std::size_t max_members() const { return max_members_; }
    // How many times a member has left because the board was full.
    std::uint64_t evicted() const { return evicted_; }
    std::size_t size() const { return ranking_.size(); }
    ItemKind kind() const { return ranking_.kind(); }
    std::optional<Slot> find(const ItemView& member) const { return ranking_.find(member); }
    // Of the newest change ever made, or kNever.
    std::int64_t newest() const { return newest_; }
    static constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::min();

    // Queries answer as of this instant: the one asked for, but never before the newest change.
    std::int64_t as_of(std::int64_t at) const { return std::max(at, newest_); }

    // The name of the argument is whatever a std::string can be made of. THROWS: InvalidArgument.
    template <class Name>
    static void require_points(double points, const Name& argument) {
        if (!(std::abs(points) <= kLargestPoints)) {
            throw InvalidArgument(
                std::string(argument) + " must be a finite number of at most 1e290 either way, got " +
                engagehub::shown(points));
        }
    }

    // The member's score as of the later of at and the member's newest change.
    double add(const ItemView& member, double points, std::int64_t at) {
        require_points(points, "points");
        require_instant(at);
        const std::uint64_t hash = ItemTable::hash(member);
        ranking_.prefetch_cell(hash);  // the weight is computed meanwhile
        const Scaled weight = half_life_.weight(at);
        prefetch(ranking_.guess(hash));
        return add(member, hash, Scaled::of_double(points) * weight, at, weight);
    }

    // Replaces the score. An instant before the member's newest change is refused: what it should replace is unknown.
    double set(const ItemView& member, double score, std::int64_t at) {
        require_points(score, "score");
        require_instant(at);
        const std::uint64_t hash = ItemTable::hash(member);
        const Scaled weight = half_life_.weight(at);
        const Scaled stored = Scaled::of_double(score) * weight;
        const auto slot = ranking_.find(member, hash);
        if (!slot) return insert(member, hash, stored, at, weight);
        if (at < last_[*slot]) {
            throw InvalidArgument(
                "at must not be before the member's newest change at " + std::to_string(last_[*slot]) +
                " microseconds, got " + std::to_string(at));
        }
        return change(*slot, stored, at, weight);
    }

    // As add() for one after the other of size members, points and instants, all of which have been checked. A
    // std::bad_alloc leaves a valid board with the first done changes made.
    template <class Members, class Points, class Instants>
    void update(
        const Members& members, const Points& points, const Instants& instants, std::size_t size, std::size_t& done) {
        done = 0;
        Weigher weigher(half_life_);
        const auto stored = [&](std::size_t i) { return Scaled::of_double(points[i]) * weigher(instants[i]); };
        const bool may_evict = max_members_ != kUnbounded && max_members_ - this->size() < size;
        if (!may_evict && ranking_.prefers_batch(size)) {
            update_in_one_pass(members, stored, instants, size);
            done = size;
            return;
        }
        Lookahead lookahead(*this, true);
        for (; done < size; ++done) {
            const std::uint64_t hash = lookahead.next(members, done, size);
            add(members[done], hash, stored(done), instants[done], weigher(instants[done]));
        }
    }

    // Takes the member off the board; its score as of at. REQUIRES: the slot is in use.
    double remove(Slot slot, std::int64_t at) {
        const double last = score(slot, at);
        ranking_.erase(slot);
        return last;
    }

    // Takes off the members that show less than a score; how many.
    std::size_t prune(double below, std::int64_t at) {
        if (std::isnan(below)) throw InvalidArgument("below must be a number, got nan");
        const std::size_t before = size();
        ranking_.truncate(count_above(below, true, at));
        return before - size();
    }

    // Goes on with another half-life: each member has the score that it had at the newest change. One that has faded
    // out of the range of doubles may become zero.
    void rebuild(HalfLife half_life) {
        const RankKeyCodec codec(half_life);
        const std::int64_t at = std::max(newest_, kFirstInstant);
        const Scaled now = half_life_.weight(at);
        const Scaled then = half_life.weight(at);
        RankedMap ranking(ranking_, codec, [&](const Scaled& stored) {
            const Scaled score = stored / now * then;
            return codec.holds(score) ? score : Scaled{};
        });
        ranking_.swap(ranking);
        half_life_ = half_life;
    }

    void clear() {
        ranking_.clear();
        last_.clear();
        newest_ = kNever;
        evicted_ = 0;
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
        if (kind() != ItemKind::kNone && other.size() != 0 && kind() != other.kind()) {
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
        std::vector<Slot> theirs;
        theirs.reserve(other.size());
        other.ranking_.visit_slots(0, other.size(), [&](Slot slot) {
            theirs.push_back(slot);
            const auto ours = ranking_.find(other.ranking_.member(slot));
            if (ours && !may_hold(ranking_.score(*ours) + other.ranking_.score(slot), newest)) {
                throw InvalidArgument("scores must stay within the range of a double to merge");
            }
        });
        const Column members{theirs, [&](Slot slot) { return other.ranking_.member(slot); }};
        const Column instants{theirs, [&](Slot slot) { return other.last_[slot]; }};
        update_in_one_pass(
            members, [&](std::size_t i) { return other.ranking_.score(theirs[i]); }, instants, theirs.size());
        newest_ = newest;
        evict();
    }

    // Merges all of them or none: as one after the other, but for the bound, which holds at the end.
    void merge(const std::vector<const Leaderboard*>& others) {
        Leaderboard merged(*this, kUnbounded);
        for (const Leaderboard* other : others) merged.merge(*other);
        ranking_.swap(merged.ranking_);
        std::swap(last_, merged.last_);
        newest_ = merged.newest_;
        evict();
    }

    // What a stored sum is worth as of the newest change.
    double shown(const Scaled& stored) const { return newest_ == kNever ? 0.0 : half_life_.read(stored, newest_); }
    double score(Slot slot, std::int64_t at) const { return half_life_.read(ranking_.score(slot), as_of(at)); }
    std::int64_t last_at(Slot slot) const { return last_[slot]; }
    std::size_t rank(Slot slot) const { return ranking_.rank(slot); }
    std::size_t position(Slot slot) const { return ranking_.position(slot); }

    // The share of the board's members that stand strictly below, 0 to 100.
    double percentile(Slot slot) const {
        const Scaled score = ranking_.score(slot);
        const std::size_t not_below = ranking_.count_while([&](const Scaled& other) { return !(other < score); });
        return 100.0 * static_cast<double>(size() - not_below) / static_cast<double>(size());
    }

    // How many show a score above the limit (or at it, where inclusive) as of at.
    std::size_t count_above(double limit, bool inclusive, std::int64_t at) const {
        const std::int64_t instant = as_of(at);
        return ranking_.count_while([&](const Scaled& stored) {
            const double shown = half_life_.read(stored, instant);
            return shown > limit || (inclusive && shown == limit);
        });
    }

    // Calls visit(Row) for up to count rows from a 0-based position on; the members are borrowed.
    template <class Visit>
    void visit(std::size_t first, std::size_t count, std::int64_t at, Visit&& visit) const {
        if (first >= size()) return;
        ranking_.visit_slots(first, std::min(count, kAhead), [&](Slot slot) { prefetch(slot); });
        const Scaled weight = half_life_.weight(as_of(at));
        ranking_.visit(first, count, [&](const RankedMap::Row& row) {
            const double score = (ranking_.score(row.slot) / weight).to_double();
            visit(Row{row.rank, ranking_.member(row.slot), score, last_[row.slot]});
        });
    }

    // The rows that visit() would visit.
    std::vector<Row> rows(std::size_t first, std::size_t count, std::int64_t at) const {
        std::vector<Row> result;
        if (first < size()) result.reserve(std::min(count, size() - first));
        visit(first, count, at, [&](const Row& row) { result.push_back(row); });
        return result;
    }

    void check() const {
        ranking_.check();
        if (size() > max_members_) throw std::logic_error("a bounded board holds at most max_members");
    }

    // Everything about the board but the arrivals, which the order of the rows says.
    struct Snapshot {
        struct Row {
            ItemView member;  // borrowed
            Scaled score;     // the stored sum
            std::int64_t last_at = 0;
        };
        HalfLife half_life;
        Ties ties = Ties::kCompetition;
        TieOrder order = TieOrder::kArrival;
        std::size_t max_members = kUnbounded;
        std::uint64_t evicted = 0;
        std::int64_t newest = kNever;
        std::vector<Row> rows;  // as listed
    };

    // Borrows the members: valid until the next change.
    Snapshot snapshot() const {
        Snapshot result{half_life_, ties(), order(), max_members_, evicted_, newest_, {}};
        result.rows.reserve(size());
        ranking_.visit_slots(0, size(), [&](Slot slot) {
            result.rows.push_back({ranking_.member(slot), ranking_.score(slot), last_[slot]});
        });
        return result;
    }

    // THROWS: Corrupted, with the number of the row, where it can't be the snapshot of a board.
    explicit Leaderboard(const Snapshot& snapshot)
        : Leaderboard(checked_half_life(snapshot), snapshot.ties, snapshot.order, snapshot.max_members) {
        load(snapshot);
    }

    // docs/formats/leaderboard.md
    std::string to_bytes() const { return leaderboard_format::write(snapshot()); }
    static Leaderboard from_bytes(std::string_view bytes) {
        return Leaderboard(leaderboard_format::read<Snapshot>(bytes));
    }

private:
    static constexpr std::size_t kAhead = 64;

    // The weight of an instant, remembered while the instant stays the same.
    class Weigher {
    public:
        explicit Weigher(HalfLife half_life) : half_life_(half_life) {}
        const Scaled& operator()(std::int64_t at) {
            if (at != at_) {
                weight_ = half_life_.weight(at);
                at_ = at;
            }
            return weight_;
        }

    private:
        HalfLife half_life_;
        std::int64_t at_ = kNever;
        Scaled weight_;
    };

    // What a function answers for each of some slots.
    template <class Answer>
    struct Column {
        const std::vector<Slot>& slots;
        Answer answer;
        auto operator[](std::size_t i) const { return answer(slots[i]); }
    };
    template <class Answer>
    Column(const std::vector<Slot>&, Answer) -> Column<Answer>;

    // Hashes members some steps before their turn, and asks the memory for what their changes will touch.
    class Lookahead {
    public:
        Lookahead(const Leaderboard& board, bool one_by_one) : board_(board), one_by_one_(one_by_one) {}

        // The hash of the member whose turn it is.
        template <class Members>
        std::uint64_t next(const Members& members, std::size_t i, std::size_t size) {
            for (; hashed_ < size && hashed_ < i + kCells; ++hashed_) {
                const std::uint64_t hash = ItemTable::hash(members[hashed_]);
                board_.ranking_.prefetch_cell(hash);
                hashes_[hashed_ % kCells] = hash;
            }
            if (i + kColumns < size) board_.prefetch(board_.ranking_.guess(hashes_[(i + kColumns) % kCells]));
            if (one_by_one_ && i + kEntries < size)
                board_.ranking_.prefetch_entry(board_.ranking_.guess(hashes_[(i + kEntries) % kCells]));
            return hashes_[i % kCells];
        }

    private:
        static constexpr std::size_t kCells = 16;
        static constexpr std::size_t kColumns = 8;
        static constexpr std::size_t kEntries = 2;

        const Leaderboard& board_;
        bool one_by_one_;
        std::array<std::uint64_t, kCells> hashes_{};
        std::size_t hashed_ = 0;
    };

    // Looks at all but the rows.
    static HalfLife checked_half_life(const Snapshot& snapshot) {
        if (snapshot.half_life.decays() && snapshot.half_life.micros() < RankKeyCodec::kLeastHalfLife)
            throw Corrupted("half_life must be at least 1 millisecond for a board", 0);
        if (snapshot.max_members == 0) throw Corrupted("max_members must be at least 1", 0);
        if (snapshot.newest != kNever && (snapshot.newest < kFirstInstant || snapshot.newest > kLastInstant))
            throw Corrupted("the newest change must be between the years 1 and 9999", 0);
        return snapshot.half_life;
    }

    void load(const Snapshot& snapshot) {
        const auto require = [](bool held, const char* what, std::size_t row) {
            if (!held) throw Corrupted(std::string("rows must ") + what + ", row " + std::to_string(row), row);
        };
        const auto& rows = snapshot.rows;
        require(rows.size() <= max_members_, "be at most max_members", rows.size());
        require(rows.empty() || snapshot.newest != kNever, "be none on a board without a newest change", 0);
        require(
            snapshot.newest == kNever || (snapshot.newest >= kFirstInstant && snapshot.newest <= kLastInstant),
            "be of a board whose newest change is between the years 1 and 9999", 0);
        RankedMap::Batch batch(ranking_, rows.size());
        for (std::size_t i = 0; i < rows.size(); ++i) {
            const auto& row = rows[i];
            require(row.member.kind != ItemKind::kNone && row.member.kind == rows[0].member.kind, "be of one kind", i);
            require(may_hold(row.score, snapshot.newest), "have a score that the half-life allows", i);
            require(row.last_at >= kFirstInstant && row.last_at <= snapshot.newest, "not be newer than the board", i);
            require(i == 0 || !(rows[i - 1].score < row.score), "be in descending order", i);
            const auto reached = batch.reach(row.member, ItemTable::hash(row.member));
            require(reached.is_new, "name a member once", i);
            last_.ensure(reached.slot);
            last_[reached.slot] = row.last_at;
            batch.assign(reached, row.score);
        }
        batch.commit();
        std::size_t listed = 0;
        ranking_.visit_slots(0, size(), [&](Slot slot) {
            require(ranking_.member(slot) == rows[listed].member, "list ties by the board's order", listed);
            ++listed;
        });
        newest_ = snapshot.newest;
        evicted_ = snapshot.evicted;
    }

    // The weight is that of the instant, here and below.
    double add(
        const ItemView& member, std::uint64_t hash, const Scaled& stored, std::int64_t at, const Scaled& weight) {
        const auto slot = ranking_.find(member, hash);
        return slot ? change(*slot, ranking_.score(*slot) + stored, at, weight)
                    : insert(member, hash, stored, at, weight);
    }

    double change(Slot slot, const Scaled& stored, std::int64_t at, const Scaled& weight) {
        ranking_.move(slot, stored);
        if (at < last_[slot]) return half_life_.read(stored, last_[slot]);
        note(slot, at);
        return (stored / weight).to_double();
    }

    double insert(
        const ItemView& member, std::uint64_t hash, const Scaled& stored, std::int64_t at, const Scaled& weight) {
        last_.ensure(static_cast<Slot>(ranking_.slots()));
        note(ranking_.insert(member, hash, stored), at);
        evict();
        return (stored / weight).to_double();
    }

    // Whether a sum is finite at the newest change and has a key.
    bool may_hold(const Scaled& stored, std::int64_t newest) const {
        return ranking_.codec().holds(stored) && !std::isinf(half_life_.read(stored, newest));
    }

    void note(Slot slot, std::int64_t at) {
        last_[slot] = at;
        newest_ = std::max(newest_, at);
    }

    void evict() noexcept {
        for (; size() > max_members_; ++evicted_) ranking_.erase(ranking_.at(size() - 1));
    }

    void prefetch(Slot slot) const {
        ranking_.prefetch_columns(slot);
        last_.prefetch(slot);
    }

    // All changes or, after a std::bad_alloc, none.
    template <class Members, class Stored, class Instants>
    void update_in_one_pass(const Members& members, const Stored& stored, const Instants& instants, std::size_t size) {
        struct Undo {
            Slot slot;
            std::int64_t at;
        };
        std::vector<Undo> undo;
        RankedMap::Batch batch(ranking_, size);
        Lookahead lookahead(*this, false);
        std::int64_t newest = newest_;
        try {
            for (std::size_t i = 0; i < size; ++i) {
                const std::uint64_t hash = lookahead.next(members, i, size);
                const auto reached = batch.reach(members[i], hash);
                const auto [slot, is_new, is_first] = reached;
                last_.ensure(slot);
                const std::int64_t at = instants[i];
                if (is_first && !is_new) undo.push_back({slot, last_[slot]});
                last_[slot] = is_new ? at : std::max(last_[slot], at);
                newest = std::max(newest, at);
                batch.assign(reached, is_new ? stored(i) : ranking_.score(slot) + stored(i));
            }
            batch.commit();
        } catch (...) {
            for (const Undo& each : undo) last_[each.slot] = each.at;
            throw;
        }
        newest_ = newest;
    }

    HalfLife half_life_;
    std::size_t max_members_;
    RankedMap ranking_;
    SlotColumn<std::int64_t> last_;  // by slot: the member's newest change
    std::int64_t newest_ = kNever;
    std::uint64_t evicted_ = 0;
};

}  // namespace engagehub

// SPDX-License-Identifier: MIT
// The library's own structures among the contenders.
#include "contender.hpp"

#include <cmath>
#include <limits>

#include <engagehub/ranking/leaderboard.hpp>
#include <engagehub/ranking/rank_key.hpp>
#include <engagehub/ranking/skip_list.hpp>

namespace bench {
namespace {

using engagehub::RankKey;

class RankedSlots {
public:
    explicit RankedSlots(const std::vector<double>& scores) : keys_(scores.size()) {
        for (std::size_t i = 0; i < scores.size(); ++i) {
            keys_[i] = key_of(scores[i]);
            list_.insert(keys_[i], static_cast<std::uint32_t>(i));
        }
    }

    void update(std::uint32_t slot, double score) {
        const RankKey key = key_of(score);
        list_.move(keys_[slot], key, slot);
        keys_[slot] = key;
    }

    std::size_t rank(std::uint32_t slot) const { return list_.position(keys_[slot], slot); }

    template <class Visit>
    void visit(Visit&& visit) const {
        list_.visit(0, list_.size(), visit);
    }

private:
    struct ByKey {
        const std::vector<RankKey>* keys;
        const RankKey& key(std::uint32_t slot) const { return (*keys)[slot]; }
        bool before(std::uint32_t a, std::uint32_t b) const { return a < b; }
    };

    RankKey key_of(double score) { return codec_.encode(engagehub::Scaled::of_double(score), arrivals_++); }

    engagehub::RankKeyCodec codec_;
    std::uint64_t arrivals_ = 0;
    std::vector<RankKey> keys_;
    engagehub::SkipList<ByKey> list_{ByKey{&keys_}};
};

// Members are 60-bit integers. A step's points are what brings the member from its decayed score to the step's: counted
// before the clock runs, with the mathematical library, not with ours.
class Board final : public Contender {
public:
    Board(std::string name, const std::vector<double>& scores, std::int64_t half_life)
        : name_(std::move(name)),
          half_life_(half_life),
          board_(engagehub::HalfLife::of_micros(half_life)),
          scores_(scores),
          last_(scores.size(), at_) {
        for (std::size_t i = 0; i < scores.size(); ++i) board_.add(member(i), scores[i], at_);
    }

    std::string name() const override { return name_; }

    void prepare(const std::vector<Step>& steps) override {
        changes_.clear();
        for (const Step& step : steps) {
            at_ += kStep;
            const double present = scores_[step.slot] * faded(at_ - last_[step.slot]);
            changes_.push_back({at_, step.score - present});
            scores_[step.slot] = step.score;
            last_[step.slot] = at_;
        }
        next_ = 0;
    }

    void update(const Step* steps, std::size_t count) override {
        const Change* change = changes_.data() + next_;
        for (std::size_t i = 0; i < count; ++i) board_.add(member(steps[i].slot), change[i].points, change[i].at);
        next_ += count;
    }

    bool knows_ranks() const override { return false; }
    std::uint64_t rank(const Step* /*steps*/, std::size_t /*count*/) const override { return 0; }

    std::vector<std::uint32_t> listed() const override {
        std::vector<std::uint32_t> slots;
        for (const auto& row : board_.rows(0, board_.size(), at_)) {
            slots.push_back(slot_of(row));
        }
        return slots;
    }

    // Also the scores themselves and the newest changes. Other scores have faded more or less than these.
    bool is_correct(const std::vector<double>& /*scores*/) const override {
        double above = std::numeric_limits<double>::infinity();
        std::vector<bool> seen(scores_.size(), false);
        for (const auto& row : board_.rows(0, board_.size(), at_)) {
            const std::uint32_t slot = slot_of(row);
            const double expected = scores_[slot] * faded(at_ - last_[slot]);
            if (row.last_at != last_[slot] || std::abs(row.score - expected) > 1e-6 || row.score > above) return false;
            if (seen[slot]) return false;
            seen[slot] = true;
            above = row.score;
        }
        return board_.size() == scores_.size();
    }

private:
    struct Change {
        std::int64_t at;
        double points;
    };

    static constexpr std::int64_t kFirstMember = 700'000'000'000'000'000;
    static constexpr std::int64_t kStride = 4'097;
    static constexpr std::int64_t kStep = 1'000;  // microseconds

    static engagehub::ItemView member(std::size_t slot) {
        return engagehub::ItemView::of(kFirstMember + static_cast<std::int64_t>(slot) * kStride);
    }
    static std::uint32_t slot_of(const engagehub::Leaderboard::Row& row) {
        return static_cast<std::uint32_t>((row.member.number - kFirstMember) / kStride);
    }
    double faded(std::int64_t age) const {
        return half_life_ == 0 ? 1.0 : std::exp2(-static_cast<double>(age) / static_cast<double>(half_life_));
    }

    std::string name_;
    std::int64_t half_life_;
    std::int64_t at_ = 1'700'000'000'000'000;
    engagehub::Leaderboard board_;
    std::vector<double> scores_;
    std::vector<std::int64_t> last_;
    std::vector<Change> changes_;
    std::size_t next_ = 0;
};

}  // namespace

void add_ours(Contenders& contenders, const std::vector<double>& scores) {
    constexpr std::int64_t kWeek = 7LL * 86'400 * 1'000'000;
    contenders.push_back(std::make_unique<Over<RankedSlots, true>>("SkipList", scores));
    contenders.push_back(std::make_unique<Board>("Leaderboard::add, no decay", scores, 0));
    contenders.push_back(std::make_unique<Board>("Leaderboard::add, 7 days", scores, kWeek));
}

}  // namespace bench

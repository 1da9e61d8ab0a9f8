// SPDX-License-Identifier: MIT
// Purpose: one body for the unit test and the fuzz target of a leaderboard: a stream of operations, chosen by a source
// of numbers, beside the model. The invariants are checked after each operation.
// Failure: throws std::logic_error where the two differ; anything else is a crash or a sanitizer's report.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <engagehub/ranking/leaderboard.hpp>

#include "tests/support/board_model.hpp"
#include "tests/support/require.hpp"

namespace engagehub_tests {

// Chooses by a seeded generator, for a number of operations.
class RandomChoices {
public:
    RandomChoices(std::uint64_t seed, std::size_t operations) : random_(seed), left_(operations) {}
    bool next_operation() { return left_ != 0 && left_-- != 0; }
    std::size_t below(std::size_t end) { return random_() % end; }

private:
    std::mt19937_64 random_;
    std::size_t left_;
};

// Chooses by bytes, until there are none.
class ByteChoices {
public:
    ByteChoices(const std::uint8_t* data, std::size_t size) : next_(data), end_(data + size) {}
    bool next_operation() const { return next_ != end_; }
    std::size_t below(std::size_t end) {
        std::size_t value = take();
        if (end > 256) value = value * 256 + take();
        return value % end;
    }

private:
    std::size_t take() { return next_ == end_ ? 0 : *next_++; }

    const std::uint8_t* next_;
    const std::uint8_t* end_;
};

struct BoardSettings {
    engagehub::Ties ties;
    engagehub::TieOrder order;
    bool has_texts;
    std::size_t max_members = engagehub::Leaderboard::kUnbounded;
};

template <class Choices>
class BoardBesideModel {
public:
    BoardBesideModel(const BoardSettings& settings, Choices& choices)
        : choices_(choices),
          settings_(settings),
          members_(settings.has_texts),
          board_(
              std::make_unique<engagehub::Leaderboard>(
                  half_life(), settings.ties, settings.order, settings.max_members)),
          model_(settings.ties, settings.order, decays_, members_, settings.max_members) {}

    // Members are drawn from so many.
    void run(std::size_t members) {
        range_ = members;
        while (choices_.next_operation()) {
            operate(choices_.below(kOperations));
            board_->check();
            compare_size();
            compare_one();
        }
        compare_all();
    }

private:
    static constexpr std::size_t kOperations = 32;
    static constexpr std::int64_t kSecond = 1'000'000;

    engagehub::HalfLife half_life() const { return engagehub::HalfLife::of_micros(decays_ ? kSecond : 0); }
    std::int64_t number() { return static_cast<std::int64_t>(choices_.below(range_)); }
    double points() { return static_cast<double>(choices_.below(11)) - 5.0; }
    std::int64_t second() { return static_cast<std::int64_t>(choices_.below(20)); }

    void operate(std::size_t operation) {
        switch (operation) {
            case 0: return update(1 + choices_.below(8));
            case 1: return update(16 + choices_.below(100));
            case 2: return merge();
            case 3: board_ = std::make_unique<engagehub::Leaderboard>(*board_); return compare_all();
            case 4: return round_trip();
            case 5: return rebuild();
            case 6: return prune();
            case 7:
                if (choices_.below(64) == 0) clear();
                return;
            case 8: return count();
            case 9:
            case 10:
            case 11:
            case 12: return remove();
            case 13:
            case 14:
            case 15:
            case 16:
            case 17: return set();
            default: return add();
        }
    }

    void add() {
        const std::int64_t who = number();
        const double gained = points();
        const std::int64_t at = second();
        const double shown = board_->add(members_(who), gained, at * kSecond);
        const auto* before = model_.find(who);
        const std::int64_t last = before == nullptr ? at : std::max(at, before->second);
        const double sum = (before == nullptr ? 0.0 : before->stored) + gained * model_.weight(at);
        require(shown == sum / model_.weight(last), "add() answers the score as of the member's newest change");
        model_.add(who, gained, at);
    }

    void set() {
        const std::int64_t who = number();
        const double score = points();
        const std::int64_t at = second();
        const auto* before = model_.find(who);
        const bool is_late = before != nullptr && at < before->second;
        try {
            require(board_->set(members_(who), score, at * kSecond) == score, "set() answers the score");
            require(!is_late, "a late set() is refused");
            model_.set(who, score, at);
        } catch (const engagehub::InvalidArgument&) {
            require(is_late, "set() is refused only where it is late");
        }
    }

    void remove() {
        const std::int64_t who = number();
        const auto slot = board_->find(members_(who));
        const auto* row = model_.find(who);
        require(slot.has_value() == (row != nullptr), "find() knows who is on the board");
        if (row == nullptr) return;
        require(board_->remove(*slot, 0) == model_.shown(*row, 0), "remove() answers the score");
        model_.remove(who);
    }

    void update(std::size_t size) {
        std::vector<std::int64_t> numbers;
        std::vector<double> gained;
        std::vector<std::int64_t> instants;
        for (std::size_t i = 0; i < size; ++i) {
            numbers.push_back(number());
            gained.push_back(points());
            instants.push_back(second() * kSecond);
            model_.add(numbers[i], gained[i], instants[i] / kSecond);
        }
        struct Views {
            Members& members;
            const std::vector<std::int64_t>& numbers;
            engagehub::ItemView operator[](std::size_t i) const { return members(numbers[i]); }
        };
        std::size_t done = 0;
        board_->update(Views{members_, numbers}, gained, instants, size, done);
        require(done == size, "update() counts its changes");
    }

    void merge() {
        engagehub::Leaderboard other(half_life(), settings_.ties, settings_.order);
        BoardModel model(settings_.ties, settings_.order, decays_, members_);
        for (std::size_t i = choices_.below(30); i != 0; --i) {
            const std::int64_t who = number();
            const double gained = points();
            const std::int64_t at = second();
            other.add(members_(who), gained, at * kSecond);
            model.add(who, gained, at);
        }
        board_->merge(other);
        model_.merge(model);
    }

    void round_trip() {
        const std::string bytes = board_->to_bytes();
        board_ = std::make_unique<engagehub::Leaderboard>(engagehub::Leaderboard::from_bytes(bytes));
        require(board_->to_bytes() == bytes, "what was read is written as the same bytes");
        compare_all();
    }

    void rebuild() {
        decays_ = !decays_;
        board_->rebuild(half_life());
        model_.rebuild(decays_);
        compare_all();
    }

    void prune() {
        if (model_.rows().empty()) return;
        // Mostly few of the lowest, at times many.
        const std::size_t size = model_.rows().size();
        const std::size_t leaving = 1 + choices_.below(choices_.below(16) == 0 ? size : 1 + size / 16);
        const double limit = model_.shown(model_.rows()[size - leaving], 0);
        std::size_t left = size;
        while (left != 0 && model_.shown(model_.rows()[left - 1], 0) < limit) --left;
        require(board_->prune(limit, 0) == size - left, "prune() counts who leaves");
        model_.truncate(left);
    }

    void clear() {
        board_->clear();
        model_.clear();
    }

    void count() {
        const double limit = points();
        const std::int64_t at = second();
        std::size_t above = 0;
        std::size_t not_below = 0;
        for (const auto& row : model_.rows()) {
            above += model_.shown(row, at) > limit ? 1 : 0;
            not_below += model_.shown(row, at) >= limit ? 1 : 0;
        }
        require(board_->count_above(limit, false, at * kSecond) == above, "count_above() counts");
        require(board_->count_above(limit, true, at * kSecond) == not_below, "count_above() counts those at the limit");
    }

    void compare_size() const {
        require(board_->size() == model_.rows().size(), "size() counts the members");
        require(board_->evicted() == model_.evicted(), "evicted() counts who left");
        require(
            board_->newest() ==
                (model_.newest() == BoardModel::kNever ? BoardModel::kNever : model_.newest() * kSecond),
            "newest() is the newest change");
    }

    void compare_one() {
        if (!model_.rows().empty()) compare_row(choices_.below(model_.rows().size()));
    }

    void compare_row(std::size_t position) {
        const auto& row = model_.rows()[position];
        const auto slot = board_->find(members_(row.number));
        require(slot.has_value(), "a member is found");
        require(board_->position(*slot) == position, "position() is the place in the listing");
        require(board_->rank(*slot) == model_.rank(position), "rank() follows the tie policy");
        require(board_->score(*slot, 0) == model_.shown(row, 0), "score() answers the sum");
        require(board_->last_at(*slot) == row.second * kSecond, "last_at() is the newest change");
        const auto rows = board_->rows(position, 3, 0);
        require(rows.size() == std::min<std::size_t>(3, model_.rows().size() - position), "a page has its rows");
        for (std::size_t i = 0; i < rows.size(); ++i) require_row(rows[i], position + i);
    }

    void compare_all() {
        compare_size();
        board_->check();
        const auto rows = board_->rows(0, model_.rows().size() + 1, 0);
        require(rows.size() == model_.rows().size(), "all members are listed");
        for (std::size_t i = 0; i < rows.size(); ++i) {
            require(rows[i].member == members_(model_.rows()[i].number), "members are listed in order");
            require(rows[i].score == model_.shown(model_.rows()[i], 0), "scores are listed");
        }
    }

    void require_row(const engagehub::Leaderboard::Row& row, std::size_t position) {
        const auto& expected = model_.rows()[position];
        require(row.member == members_(expected.number), "a page lists its members");
        require(row.rank == model_.rank(position), "a page ranks its members");
        require(row.score == model_.shown(expected, 0), "a page shows scores");
        require(row.last_at == expected.second * kSecond, "a page shows the newest changes");
    }

    Choices& choices_;
    BoardSettings settings_;
    Members members_;
    bool decays_ = false;
    std::unique_ptr<engagehub::Leaderboard> board_;
    BoardModel model_;
    std::size_t range_ = 1;
};

// The settings are chosen by the first bytes, the operations by the others.
inline void operate_on_board(const std::uint8_t* data, std::size_t size) {
    ByteChoices choices(data, size);
    BoardSettings settings{
        static_cast<engagehub::Ties>(choices.below(3)), static_cast<engagehub::TieOrder>(choices.below(2)),
        choices.below(2) == 1};
    if (choices.below(4) == 0) settings.max_members = 1 + choices.below(100);
    const std::size_t members = 1 + choices.below(600);
    BoardBesideModel<ByteChoices>(settings, choices).run(members);
}

}  // namespace engagehub_tests

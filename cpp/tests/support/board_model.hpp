// SPDX-License-Identifier: MIT
// Purpose: the obviously right board: a sorted vector, and ranks counted by their definitions. Decay has a half-life of
// a second or none, instants are whole seconds and points whole numbers, so that every sum is an exact double.
// Thread safety: external. Complexity: O(n) for everything.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <engagehub/base/item.hpp>
#include <engagehub/ranking/ranked_map.hpp>

namespace engagehub_tests {

// Members are numbers, or texts of 3 to 27 bytes with a zero byte inside, each other than all others.
class Members {
public:
    explicit Members(bool are_texts) : are_texts_(are_texts) {}

    // Valid until the next call.
    engagehub::ItemView operator()(std::int64_t number) {
        if (!are_texts_) return engagehub::ItemView::of(number - 50);
        text_ = text_of(number);
        return engagehub::ItemView::of(std::string_view(text_));
    }
    bool precedes(std::int64_t a, std::int64_t b) const { return are_texts_ ? text_of(a) < text_of(b) : a < b; }

private:
    static std::string text_of(std::int64_t number) {
        const auto letter = static_cast<char>('a' + number % 3);
        return std::string(static_cast<std::size_t>(1 + number % 20), letter) + '\0' + std::to_string(number);
    }

    bool are_texts_;
    std::string text_;
};

class BoardModel {
public:
    static constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::min();

    struct Row {
        std::int64_t number;
        double stored;
        std::uint64_t arrival;
        std::int64_t second;  // of the newest change
    };

    BoardModel(
        engagehub::Ties ties, engagehub::TieOrder order, bool decays, const Members& members,
        std::size_t most = std::numeric_limits<std::size_t>::max())
        : ties_(ties), order_(order), decays_(decays), members_(members), most_(most) {}

    const std::vector<Row>& rows() const { return rows_; }
    std::int64_t newest() const { return newest_; }
    std::size_t evicted() const { return evicted_; }

    const Row* find(std::int64_t number) const {
        const auto known = known_.find(number);
        return known == known_.end() ? nullptr : &rows_[position(known->second)];
    }
    std::size_t position(const Row& row) const {
        return static_cast<std::size_t>(
            std::lower_bound(
                rows_.begin(), rows_.end(), row, [&](const Row& a, const Row& b) { return precedes(a, b); }) -
            rows_.begin());
    }

    double weight(std::int64_t second) const { return decays_ ? std::exp2(static_cast<double>(second)) : 1.0; }
    double shown(const Row& row, std::int64_t second) const {
        return row.stored / weight(std::max(second, newest_)) + 0.0;
    }

    void add(std::int64_t number, double points, std::int64_t second) {
        const Row* row = find(number);
        change(number, (row == nullptr ? 0.0 : row->stored) + points * weight(second), second);
        evict();
    }
    void set(std::int64_t number, double score, std::int64_t second) {
        change(number, score * weight(second), second);
        evict();
    }
    void merge(const BoardModel& other) {
        for (const Row& theirs : other.rows_) {
            const Row* ours = find(theirs.number);
            change(theirs.number, (ours == nullptr ? 0.0 : ours->stored) + theirs.stored, theirs.second);
        }
        newest_ = std::max(newest_, other.newest_);
        evict();
    }
    void remove(std::int64_t number) {
        rows_.erase(place(known_.at(number)));
        known_.erase(number);
    }
    void truncate(std::size_t length) {
        while (rows_.size() > length) remove(rows_.back().number);
    }
    void rebuild(bool decays) {
        const double now = weight(newest_);
        decays_ = decays;
        for (Row& row : rows_) known_[row.number].stored = row.stored = row.stored / now * weight(newest_);
    }
    void clear() {
        rows_.clear();
        known_.clear();
        newest_ = kNever;
        evicted_ = 0;
    }

    std::size_t rank(std::size_t position) const {
        if (ties_ == engagehub::Ties::kOrdinal) return position + 1;
        std::size_t above = 0;
        for (std::size_t i = 0; i < position && rows_[i].stored > rows_[position].stored; ++i) {
            const bool is_new = i == 0 || rows_[i].stored != rows_[i - 1].stored;
            above += ties_ == engagehub::Ties::kCompetition || is_new ? 1 : 0;
        }
        return above + 1;
    }

private:
    bool precedes(const Row& a, const Row& b) const {
        if (a.stored != b.stored) return a.stored > b.stored;
        return order_ == engagehub::TieOrder::kArrival ? a.arrival < b.arrival : members_.precedes(a.number, b.number);
    }
    std::vector<Row>::iterator place(const Row& row) {
        return rows_.begin() + static_cast<std::ptrdiff_t>(position(row));
    }

    void change(std::int64_t number, double stored, std::int64_t second) {
        newest_ = std::max(newest_, second);
        Row row{number, stored + 0.0, arrivals_, second};
        if (const auto known = known_.find(number); known != known_.end()) {
            row.second = std::max(known->second.second, second);
            if (known->second.stored == row.stored) row.arrival = known->second.arrival;
            remove(number);
        }
        ++arrivals_;
        rows_.insert(place(row), row);
        known_[number] = row;
    }
    void evict() {
        for (; rows_.size() > most_; ++evicted_) remove(rows_.back().number);
    }

    engagehub::Ties ties_;
    engagehub::TieOrder order_;
    bool decays_;
    Members members_;
    std::size_t most_;
    std::vector<Row> rows_;  // as listed
    std::unordered_map<std::int64_t, Row> known_;
    std::uint64_t arrivals_ = 0;
    std::int64_t newest_ = kNever;  // in seconds
    std::size_t evicted_ = 0;
};

}  // namespace engagehub_tests

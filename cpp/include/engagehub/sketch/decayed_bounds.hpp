// SPDX-License-Identifier: MIT
// Purpose: the weights of the items of a TopK under one half-life: bounds and an estimate for each candidate, by its
// slot, and a table of upper bounds for everybody else. Weights decay by forward decay: a change at t counts 2^(t/H), a
// query divides by the weight of its instant, nothing is ever swept.
// Thread safety: external; const methods may run side by side.
// Invariants, for the true weight T of an item at any instant: (1) a candidate has low <= T <= high, and low is what
// was gained since it was admitted; (2) anybody else has T <= the table's bound; (3) stored numbers are decayed sums
// relative to 2^exponent, which follows the newest event in steps of more than 512 halvings.
// Complexity: O(depth) an operation; O(width * depth + candidates) in the rare move of the exponent.
// Failure: the constructor throws InvalidArgument, reserve() std::bad_alloc; both change nothing.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <engagehub/decay/decayed_sum.hpp>
#include <engagehub/decay/half_life.hpp>
#include <engagehub/decay/scaled.hpp>
#include <engagehub/sketch/bound_table.hpp>
#include <engagehub/sketch/cell_table.hpp>
#include <engagehub/sketch/kind.hpp>

namespace engagehub {

class DecayedBounds {
public:
    using Slot = std::uint32_t;
    using Columns = BoundTable::Columns;

    struct Bounds {
        double low = 0.0;
        double high = 0.0;
        float share = 0.0F;       // how far from low to high the estimate lies: it stays when both gain the same
        std::uint32_t place = 0;  // for the owner: where the candidate is in his heap

        double estimate() const { return std::min(high, low + static_cast<double>(share) * (high - low)); }

        static Bounds around(double estimate, double low, double high) {
            const double share = high > low ? (estimate - low) / (high - low) : 0.0;
            return {low, high, static_cast<float>(std::clamp(share, 0.0, 1.0)), 0};
        }
        friend Bounds operator+(const Bounds& a, const Bounds& b) {
            return around(a.estimate() + b.estimate(), a.low + b.low, a.high + b.high);
        }
    };

    DecayedBounds(HalfLife half_life, TableSize size) : half_life_(half_life), table_(size) {}

    HalfLife half_life() const { return half_life_; }
    std::int64_t exponent() const { return exponent_; }
    void set_exponent(std::int64_t exponent) { exponent_ = exponent; }
    const BoundTable& table() const { return table_; }
    BoundTable& table() { return table_; }
    const Bounds& operator[](Slot slot) const { return rows_[slot]; }
    Bounds& operator[](Slot slot) { return rows_[slot]; }
    std::size_t bytes() const { return table_.bytes() + rows_.capacity() * sizeof(Bounds); }

    // Room for slots below this.
    void reserve(std::size_t slots) {
        rows_.reserve(slots);
        rows_.resize(slots);
    }

    // Makes the instant one that gain() takes, and answers whether stored numbers moved: equal bounds may have been
    // different before.
    bool follow(std::int64_t at, bool is_first) {
        if (!half_life_.decays()) return false;
        const std::int64_t exponent = weight(at).exponent;
        if (is_first) exponent_ = exponent;
        if (exponent - exponent_ <= decayed_sum::kMostDistance) return false;
        move_exponent(exponent);
        return true;
    }

    decayed_sum::Addend gain(double value, std::int64_t at) {
        if (!half_life_.decays()) return {value, value};
        return decayed_sum::addend(value, weight(at), exponent_);
    }

    // Of an item that is no candidate. What its bound is above that of an item that was never counted is taken for its
    // own: right on the mean, for the cells beside are filled by the same strangers.
    Bounds outside(const Columns& columns) const {
        const double high = table_.least(columns);
        if (high == 0.0) return {};
        return Bounds::around(std::max(0.0, high - table_.level(columns)), 0.0, high);
    }

    void add(Slot slot, const decayed_sum::Addend& gain) {
        rows_[slot].low += gain.low;
        rows_[slot].high += gain.high;
    }
    // Of a candidate from now on only the table knows.
    void dismiss(Slot slot, const Columns& columns) { table_.raise(columns, rows_[slot].high); }

    // REQUIRES: not below the present one.
    void move_exponent(std::int64_t exponent) {
        if (exponent == exponent_) return;
        const int halvings = decayed_sum::halvings(exponent_, exponent);
        for (std::size_t i = 0; i < table_.cells(); ++i) {
            const double bound = decayed_sum::moved_up(BoundTable::value_of(table_.cell(i)), halvings);
            table_.store(i, BoundTable::bits_of(bound));
        }
        for (Bounds& row : rows_) {
            row.low = decayed_sum::moved_down(row.low, halvings);
            row.high = decayed_sum::moved_up(row.high, halvings);
        }
        exponent_ = exponent;
    }

    // As of an instant of that weight, rounded outwards where numbers may have been rounded.
    Answer read(const Bounds& stored, const Scaled& now, std::uint64_t additions, bool is_exact) const {
        const auto value = [&](double number) {
            return half_life_.decays() ? decayed_sum::value(number, exponent_, now) : number;
        };
        if (stored.high == 0.0) return {0.0, 0.0, 0.0};
        const double estimate = value(stored.estimate());
        if (is_exact) return {estimate, stored.low, stored.high};
        return {
            estimate, decayed_sum::lowest(value(stored.low), additions),
            decayed_sum::highest(value(stored.high), additions)};
    }

private:
    // 2^(at / half-life). Events of one batch or one tick of the clock have the same.
    const Scaled& weight(std::int64_t at) {
        if (at != weighed_at_) {
            weight_ = half_life_.weight(at);
            weighed_at_ = at;
        }
        return weight_;
    }

    HalfLife half_life_;
    BoundTable table_;
    std::vector<Bounds> rows_;  // by slot
    std::int64_t exponent_ = 0;
    std::int64_t weighed_at_ = 0;
    Scaled weight_{1.0, 0};  // of the epoch
};

}  // namespace engagehub

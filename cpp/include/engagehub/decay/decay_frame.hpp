// SPDX-License-Identifier: MIT
// Purpose: the power of two that decayed sums are stored relative to, and what it takes to read them: it follows the
// newest weight in steps of more than 512 halvings, so that nothing overflows, whatever the ages.
// Thread safety: external; const methods may run side by side.
// Invariant: the exponent is that of the weight of some instant counted, at most 512 below that of the newest; all is 0
// while nothing was counted.
// Complexity: O(1), but for moving what is stored, once in 512 half-lives.
// Failure: read() throws Corrupted; the rest REQUIRES weights from 0 to 2^53 and instants that are ones.
#pragma once

#include <algorithm>
#include <cstdint>

#include <engagehub/base/instant.hpp>
#include <engagehub/codec/bytes.hpp>
#include <engagehub/decay/decayed_sum.hpp>
#include <engagehub/decay/half_life.hpp>
#include <engagehub/decay/scaled.hpp>

namespace engagehub {

class DecayFrame {
public:
    explicit DecayFrame(HalfLife half_life) : half_life_(half_life) {}

    HalfLife half_life() const { return half_life_; }
    std::uint64_t additions() const { return additions_; }
    bool is_empty() const { return additions_ == 0; }

    // Queries answer as of this instant: the one asked for, but never before the newest weight.
    std::int64_t as_of(std::int64_t at) const { return is_empty() ? at : std::max(at, newest_); }

    // Counts a weight above 0. move(halvings) is called first where all that is stored has to go down: with
    // decayed_sum::moved_up() for upper bounds and moved_down() for lower ones.
    template <class Move>
    decayed_sum::Addend count(double weight, std::int64_t at, Move&& move) {
        const Scaled factor = half_life_.weight(at);
        if (is_empty()) exponent_ = factor.exponent;
        if (factor.exponent - exponent_ > decayed_sum::kMostDistance) raise_exponent(factor.exponent, move);
        newest_ = is_empty() ? at : std::max(newest_, at);
        ++additions_;
        return decayed_sum::addend(weight, factor, exponent_);
    }

    // Takes in the other frame. REQUIRES: the same half-life, a room for its additions. ours(halvings) and
    // theirs(halvings) move what is stored here and there, where it has to be.
    template <class Ours, class Theirs>
    void merge(const DecayFrame& other, Ours&& ours, Theirs&& theirs) {
        if (other.is_empty()) return;
        if (is_empty()) exponent_ = other.exponent_;
        if (other.exponent_ > exponent_) raise_exponent(other.exponent_, ours);
        DecayFrame moved = other;
        if (exponent_ > other.exponent_) moved.raise_exponent(exponent_, theirs);
        newest_ = is_empty() ? other.newest_ : std::max(newest_, other.newest_);
        additions_ += other.additions_;
    }

    // A stored sum as of an instant, rounded to the nearest and outwards.
    double value(double stored, std::int64_t at) const {
        return decayed_sum::value(stored, exponent_, half_life_.weight(as_of(at)));
    }
    double lowest(double stored, std::int64_t at) const { return decayed_sum::lowest(value(stored, at), additions_); }
    double highest(double stored, std::int64_t at) const {
        return stored == 0.0 ? 0.0 : decayed_sum::highest(value(stored, at), additions_);
    }

    void write(ByteWriter& writer) const {
        writer.put_signed(half_life_.micros());
        writer.put(additions_);
        writer.put_signed(newest_);
        writer.put_signed(exponent_);
    }

    static DecayFrame read(ByteReader& reader) {
        const std::int64_t micros = reader.get_signed();
        if (micros <= 0) reader.fail("has no positive half-life");
        DecayFrame frame(HalfLife::of_micros(micros));
        frame.additions_ = reader.get<std::uint64_t>();
        frame.newest_ = reader.get_signed();
        frame.exponent_ = reader.get_signed();
        if (frame.additions_ > decayed_sum::kMostAdditions) reader.fail("has an impossible number of additions");
        if (frame.newest_ < kFirstInstant || frame.newest_ > kLastInstant) reader.fail("has an impossible instant");
        const std::int64_t newest = frame.is_empty() ? 0 : frame.half_life_.weight(frame.newest_).exponent;
        if (frame.exponent_ > newest || frame.exponent_ < newest - (frame.is_empty() ? 0 : decayed_sum::kMostDistance))
            reader.fail("has an impossible exponent");
        if (frame.is_empty() && frame.newest_ != 0) reader.fail("has a state without additions");
        return frame;
    }

    friend bool operator==(const DecayFrame& a, const DecayFrame& b) {
        return a.half_life_ == b.half_life_ && a.additions_ == b.additions_ && a.newest_ == b.newest_ &&
            a.exponent_ == b.exponent_;
    }

private:
    template <class Move>
    void raise_exponent(std::int64_t exponent, Move& move) {
        move(decayed_sum::halvings(exponent_, exponent));
        exponent_ = exponent;
    }

    HalfLife half_life_;
    std::uint64_t additions_ = 0;
    std::int64_t newest_ = 0;
    std::int64_t exponent_ = 0;
};

}  // namespace engagehub

// SPDX-License-Identifier: MIT
// Purpose: sums of decayed weights as plain doubles that share one power of two. A weight at t counts 2^(t/H) for ever
// (forward decay), a query divides by the weight of its instant. Stored doubles are relative to 2^exponent, which
// follows the newest weight in steps of more than 512 halvings, so that nothing overflows, whatever the ages.
// Thread safety: external; const methods may run side by side.
// Invariants: (1) the exponent is that of the weight of some instant counted, at most 512 below that of the newest;
// all is 0 while nothing was counted; (2) for the true sum T of n weights, a stored upper bound u and a lower one l
// have l * (1 - (n + 8) * 2^-52) <= T <= u * (1 + (n + 8) * 2^-52), relative to 2^exponent: each weight and each
// addition rounds by less than 2^-52. What falls below 2^-1022 is raised to it in an upper bound and 0 in a lower one.
// Complexity: O(1), but for moving what is stored, once in 512 half-lives.
// Failure: read() throws Corrupted; the rest REQUIRES weights from 0 to 2^53 and instants that are ones.
#pragma once

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

#include <engagehub/base/errors.hpp>
#include <engagehub/base/instant.hpp>
#include <engagehub/codec/bytes.hpp>
#include <engagehub/decay/half_life.hpp>
#include <engagehub/decay/scaled.hpp>

namespace engagehub {

class DecayFrame {
public:
    static constexpr double kMostWeight = 9007199254740992.0;  // 2^53
    static constexpr std::uint64_t kMostAdditions = std::uint64_t{1} << 62U;

    // What a weight adds to stored bounds: below 2^-1022 the two differ.
    struct Addend {
        double low;
        double high;
    };

    explicit DecayFrame(HalfLife half_life) : half_life_(half_life) {}

    HalfLife half_life() const { return half_life_; }
    std::uint64_t additions() const { return additions_; }
    bool is_empty() const { return additions_ == 0; }

    // Queries answer as of this instant: the one asked for, but never before the newest weight.
    std::int64_t as_of(std::int64_t at) const { return is_empty() ? at : std::max(at, newest_); }

    static void require_weight(double weight, const char* argument) {
        if (!(weight >= 0.0 && weight <= kMostWeight)) {
            throw InvalidArgument(std::string(argument) + " must be between 0 and 2^53, got " + std::to_string(weight));
        }
    }

    // Counts a weight above 0. move(halvings) is called first where all that is stored has to go down: with moved_up()
    // for upper bounds and moved_down() for lower ones.
    template <class Move>
    Addend count(double weight, std::int64_t at, Move&& move) {
        const Scaled factor = half_life_.weight(at);
        if (is_empty()) exponent_ = factor.exponent;
        if (factor.exponent - exponent_ > kMostDistance) raise_exponent(factor.exponent, move);
        newest_ = is_empty() ? at : std::max(newest_, at);
        ++additions_;
        const Scaled value = Scaled::of_double(weight) * factor;
        const std::int64_t distance = value.exponent - exponent_;
        if (distance < DBL_MIN_EXP - 1) return {0.0, DBL_MIN};
        const double result = Scaled{value.mantissa, distance}.to_double();
        return {result, result};
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

    static double moved_up(double bound, int halvings) {
        return bound == 0.0 ? 0.0 : std::max(std::ldexp(bound, -halvings), DBL_MIN);
    }
    static double moved_down(double bound, int halvings) {
        const double moved = std::ldexp(bound, -halvings);
        return moved < DBL_MIN ? 0.0 : moved;
    }

    // A stored sum as of an instant, rounded to the nearest and outwards.
    double value(double stored, std::int64_t at) const { return read(stored, half_life_.weight(as_of(at))); }
    double lowest(double stored, std::int64_t at) const {
        const double lowest = std::nextafter(value(stored, at) * (1.0 - margin()), 0.0);
        return lowest < DBL_MIN ? 0.0 : lowest;
    }
    double highest(double stored, std::int64_t at) const {
        if (stored == 0.0) return 0.0;
        return std::nextafter(value(stored, at) * (1.0 + margin()), std::numeric_limits<double>::infinity());
    }
    // By what share of itself rounding may have moved a stored sum, and the factor of one query.
    double margin() const { return std::min(1.0, (static_cast<double>(additions_) + 8.0) * 0x1p-52); }

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
        if (frame.additions_ > kMostAdditions) reader.fail("has an impossible number of additions");
        if (frame.newest_ < kFirstInstant || frame.newest_ > kLastInstant) reader.fail("has an impossible instant");
        const std::int64_t newest = frame.is_empty() ? 0 : frame.half_life_.weight(frame.newest_).exponent;
        if (frame.exponent_ > newest || frame.exponent_ < newest - (frame.is_empty() ? 0 : kMostDistance))
            reader.fail("has an impossible exponent");
        if (frame.is_empty() && frame.newest_ != 0) reader.fail("has a state without additions");
        return frame;
    }

    // THROWS: Corrupted, for what no sum can be: above what 2^62 weights of 2^53 reach at 513 halvings.
    static double read_sum(ByteReader& reader) {
        const double sum = reader.get_double();
        if (!(sum >= 0.0 && sum <= 0x1p700) || std::signbit(sum)) reader.fail("has an impossible sum");
        return sum;
    }

    friend bool operator==(const DecayFrame& a, const DecayFrame& b) {
        return a.half_life_ == b.half_life_ && a.additions_ == b.additions_ && a.newest_ == b.newest_ &&
            a.exponent_ == b.exponent_;
    }

private:
    static constexpr std::int64_t kMostDistance = 512;

    double read(double stored, const Scaled& now) const {
        return (Scaled::normalised(stored, exponent_) / now).to_double();
    }

    template <class Move>
    void raise_exponent(std::int64_t exponent, Move& move) {
        // Further down than 4096 there is nothing.
        move(static_cast<int>(std::min<std::int64_t>(exponent - exponent_, 4096)));
        exponent_ = exponent;
    }

    HalfLife half_life_;
    std::uint64_t additions_ = 0;
    std::int64_t newest_ = 0;
    std::int64_t exponent_ = 0;
};

}  // namespace engagehub

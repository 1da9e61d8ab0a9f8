// SPDX-License-Identifier: MIT
// Purpose: a score and the arrival of the member at it as one 128-bit number that sorts as a board lists: the highest
// score first, and among equal scores the earliest arrival. Sums of forward decay need an exponent whose range depends
// on the half-life (instants are bounded, so t / half-life is), and what it leaves of the 128 bits is the arrival's.
//
//   bit 127: 1 for scores below zero | exponent code, 12 to 49 bits | fraction, 52 bits | arrival, 63 to 26 bits
//
// The score's bits are complemented for positive scores, which come first, the larger the earlier; zero is the last of
// them. The high word is kept signed, with its top bit inverted, since vector units compare signed words.
// Thread safety: values. Complexity: O(1).
// Failure: the constructor throws InvalidArgument for a half-life under a millisecond, whose exponents leave no room.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>

#include <engagehub/base/errors.hpp>
#include <engagehub/base/instant.hpp>
#include <engagehub/decay/half_life.hpp>
#include <engagehub/decay/scaled.hpp>

namespace engagehub {

struct RankKey {
    std::int64_t high = 0;
    std::uint64_t low = 0;

    friend bool operator==(const RankKey& a, const RankKey& b) { return a.high == b.high && a.low == b.low; }
    friend bool operator!=(const RankKey& a, const RankKey& b) { return !(a == b); }
    friend bool operator<(const RankKey& a, const RankKey& b) {
        return a.high != b.high ? a.high < b.high : a.low < b.low;
    }
};

class RankKeyCodec {
public:
    static constexpr std::int64_t kLeastHalfLife = 1'000;

    // most_arrival_bits is there for tests, which couldn't wait for 2^26 arrivals.
    explicit RankKeyCodec(HalfLife half_life = {}, unsigned most_arrival_bits = 63) {
        std::int64_t first = 0;
        std::int64_t last = 0;
        if (half_life.decays()) {
            if (half_life.micros() < kLeastHalfLife) {
                throw InvalidArgument(
                    "half_life must be at least 1 millisecond for a board, got " + std::to_string(half_life.micros()) +
                    " microseconds");
            }
            first = kFirstInstant / half_life.micros() - 1;
            last = kLastInstant / half_life.micros() + 1;
        }
        // Doubles add exponents of -1074 to 1023; what cancels in a sum goes 53 lower, what adds up some higher.
        lowest_ = first - kMargin;
        highest_ = last + kMargin;
        const auto codes = static_cast<std::uint64_t>(highest_ - lowest_) + 2;  // 0 is the code of zero
        unsigned exponent_bits = 12;
        while ((codes >> exponent_bits) != 0) ++exponent_bits;
        shift_ = 75 - exponent_bits;
        max_arrival_ = (std::uint64_t{1} << (most_arrival_bits < shift_ ? most_arrival_bits : shift_)) - 1;
    }

    // The largest arrival number that there is room for; numbers begin at 0.
    std::uint64_t max_arrival() const { return max_arrival_; }

    // Whether a key can hold it: any sum of points between the years 1 and 9999 can.
    bool holds(const Scaled& score) const {
        return score.mantissa == 0.0 || (score.exponent >= lowest_ && score.exponent <= highest_);
    }

    // REQUIRES: holds(score) and arrival <= max_arrival().
    RankKey encode(const Scaled& score, std::uint64_t arrival) const {
        std::uint64_t high = 0;
        std::uint64_t low = 0;
        bool is_negative = false;
        if (score.mantissa != 0.0) {
            std::uint64_t bits = 0;
            std::memcpy(&bits, &score.mantissa, sizeof bits);
            is_negative = (bits >> 63U) != 0;
            const std::uint64_t fraction = bits & kFraction;
            const auto code = static_cast<std::uint64_t>(score.exponent - lowest_) + 1;
            high = (code << (shift_ - 12)) | (fraction >> (64 - shift_));
            low = fraction << shift_;
        }
        if (is_negative) {
            high |= kTop;
        } else {
            high = ~high & ~kTop;
            low = ~low;
        }
        return {static_cast<std::int64_t>(high ^ kTop), (low & ~arrivals()) | arrival};
    }

    Scaled decode(const RankKey& key) const {
        std::uint64_t high = static_cast<std::uint64_t>(key.high) ^ kTop;
        std::uint64_t low = key.low;
        const bool is_negative = (high & kTop) != 0;
        if (!is_negative) {
            high = ~high;
            low = ~low;
        }
        high &= ~kTop;
        const std::uint64_t code = high >> (shift_ - 12);
        if (code == 0) return {};
        const std::uint64_t fraction = ((high << (64 - shift_)) | (low >> shift_)) & kFraction;
        const std::uint64_t bits = (is_negative ? kTop : 0) | kExponentOfOne | fraction;
        Scaled score;
        std::memcpy(&score.mantissa, &bits, sizeof bits);
        score.exponent = static_cast<std::int64_t>(code) - 1 + lowest_;
        return score;
    }

    std::uint64_t arrival(const RankKey& key) const { return key.low & arrivals(); }
    // The same score with another arrival.
    RankKey with_arrival(const RankKey& key, std::uint64_t arrival) const {
        return {key.high, (key.low & ~arrivals()) | arrival};
    }
    // No key of this score sorts before it, and every key of a higher score does.
    RankKey floor(const RankKey& key) const { return with_arrival(key, 0); }
    bool is_tie(const RankKey& a, const RankKey& b) const {
        return a.high == b.high && ((a.low ^ b.low) & ~arrivals()) == 0;
    }

private:
    static constexpr std::int64_t kMargin = 1'300;
    static constexpr std::uint64_t kTop = 0x8000000000000000ULL;
    static constexpr std::uint64_t kFraction = 0x000fffffffffffffULL;
    static constexpr std::uint64_t kExponentOfOne = 0x3ff0000000000000ULL;

    std::uint64_t arrivals() const { return (std::uint64_t{1} << shift_) - 1; }

    std::int64_t lowest_ = 0;
    std::int64_t highest_ = 0;
    std::uint64_t max_arrival_ = 0;
    unsigned shift_ = 63;  // bits for the arrival: 75 less those of the exponent code
};

}  // namespace engagehub

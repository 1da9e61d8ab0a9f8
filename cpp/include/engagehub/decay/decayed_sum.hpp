// SPDX-License-Identifier: MIT
// Purpose: sums of decayed weights as plain doubles relative to a power of two, 2^exponent, which their owner keeps
// near the weight of the newest instant. A weight at t counts 2^(t/H) for ever (forward decay), a query divides by the
// weight of its instant. Rounding: each weight and each addition rounds by less than 2^-52; so for the true sum T of n
// weights, a stored upper bound u and a lower one l have l * (1 - margin(n)) <= T <= u * (1 + margin(n)). What falls
// below 2^-1022 is raised to it in an upper bound and becomes 0 in a lower one. Thread safety: pure functions.
// Complexity: O(1). Failure: as each says; the rest REQUIRES weights from 0 to 2^53.
#pragma once

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

#include <engagehub/base/errors.hpp>
#include <engagehub/base/shown.hpp>
#include <engagehub/codec/bytes.hpp>
#include <engagehub/decay/scaled.hpp>

namespace engagehub::decayed_sum {

inline constexpr double kMostWeight = 9007199254740992.0;  // 2^53
inline constexpr std::uint64_t kMostAdditions = std::uint64_t{1} << 62U;
// How far, in halvings, the exponent may lag behind the newest weight: no sum overflows then.
inline constexpr std::int64_t kMostDistance = 512;

// The name of the argument is whatever a std::string can be made of. THROWS: InvalidArgument.
template <class Name>
void require_weight(double weight, const Name& argument) {
    if (!(weight >= 0.0 && weight <= kMostWeight)) {
        throw InvalidArgument(std::string(argument) + " must be between 0 and 2^53, got " + shown(weight));
    }
}
inline void require_room(std::uint64_t additions, std::uint64_t more) {
    if (more > kMostAdditions - additions) {
        throw InvalidArgument(
            "additions must be at most 2^62, got " + std::to_string(additions) + " + " + std::to_string(more));
    }
}

// What 2^62 weights of 2^53 reach, kMostDistance and one halvings ahead, and more.
inline constexpr double kMostSum = 0x1p700;

// What a weight adds to stored bounds: below 2^-1022 the two differ.
struct Addend {
    double low;
    double high;
};

// REQUIRES: the exponent isn't more than kMostDistance below that of the factor, which is the weight of the instant.
inline Addend addend(double weight, const Scaled& factor, std::int64_t exponent) {
    const Scaled value = Scaled::of_double(weight) * factor;
    const std::int64_t distance = value.exponent - exponent;
    if (distance < DBL_MIN_EXP - 1) return {0.0, DBL_MIN};
    const double result = Scaled{value.mantissa, distance}.to_double();
    return {result, result};
}

// What is stored when the exponent rises. Further up than 4096 nothing is left.
inline int halvings(std::int64_t from, std::int64_t to) {
    return static_cast<int>(std::min<std::int64_t>(to - from, 4096));
}
inline double moved_up(double bound, int halvings) {
    return bound == 0.0 ? 0.0 : std::max(std::ldexp(bound, -halvings), DBL_MIN);
}
inline double moved_down(double bound, int halvings) {
    const double moved = std::ldexp(bound, -halvings);
    return moved < DBL_MIN ? 0.0 : moved;
}

// By what share of itself rounding may have moved a sum of so many weights, and the factor of one query.
inline double margin(std::uint64_t additions) {
    return std::min(1.0, (static_cast<double>(additions) + 8.0) * 0x1p-52);
}

// A stored sum as of an instant of that weight: to the nearest, and bounds rounded outwards.
inline double value(double stored, std::int64_t exponent, const Scaled& now) {
    return (Scaled::normalised(stored, exponent) / now).to_double();
}
inline double lowest(double value, std::uint64_t additions) {
    const double lowest = std::nextafter(value * (1.0 - margin(additions)), 0.0);
    return lowest < DBL_MIN ? 0.0 : lowest;
}
// REQUIRES: the value isn't that of nothing, whose bound is exact.
inline double highest(double value, std::uint64_t additions) {
    return std::nextafter(value * (1.0 + margin(additions)), std::numeric_limits<double>::infinity());
}

// THROWS: Corrupted, for what no sum can be.
inline double read_sum(ByteReader& reader) {
    const double sum = reader.get_double();
    if (!(sum >= 0.0 && sum <= kMostSum) || std::signbit(sum)) reader.fail("has an impossible sum");
    return sum;
}

}  // namespace engagehub::decayed_sum

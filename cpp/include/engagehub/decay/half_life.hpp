// SPDX-License-Identifier: MIT
// Purpose: forward decay (Cormode, Shkapenyuk, Srivastava, Xu, ICDE 2009): what happens at instant t has the weight
// 2^(t/H), and is divided by the weight of «now» when it is read. Stored sums never change with time, so their order
// doesn't either. The instant and H are whole microseconds: the exponent's whole part is exact at any distance from the
// epoch, and only its fraction, r/H with 0 <= r < H, is rounded.
// Thread safety: values.
// Complexity: O(1). The weight's relative error is below 2^-52, and the same on every platform (no libm call).
// Failure: the constructor throws InvalidArgument.
#pragma once

#include <cstdint>
#include <string>

#include <engagehub/base/errors.hpp>
#include <engagehub/decay/exp2_table.hpp>
#include <engagehub/decay/scaled.hpp>

namespace engagehub {

namespace detail {

// 2^x for 0 <= x <= 1: table of 64 steps, then e^y - 1 for |y| <= ln(2)/128 by its Taylor polynomial, whose first
// missing term is below 2^-60.
inline double exp2_fraction(double x) {
    constexpr double kLn2 = 0x1.62e42fefa39efp-1;
    auto step = static_cast<std::size_t>(x * 64.0 + 0.5);
    double scale = 1.0;
    const double y = (x - static_cast<double>(step) * 0x1p-6) * kLn2;
    if (step == 64) {
        step = 0;
        scale = 2.0;
    }
    const double expm1 = y * (1.0 + y * (1.0 / 2 + y * (1.0 / 6 + y * (1.0 / 24 + y * (1.0 / 120 + y * (1.0 / 720))))));
    const auto& entry = kExp2Table[step];
    return scale * (entry.high + (entry.low + entry.high * expm1));
}

}  // namespace detail

class HalfLife {
public:
    HalfLife() = default;  // no decay

    // REQUIRES: micros >= 0; 0 means no decay.
    static HalfLife of_micros(std::int64_t micros) {
        if (micros < 0)
            throw InvalidArgument("half_life must be positive, got " + std::to_string(micros) + " microseconds");
        HalfLife result;
        result.micros_ = micros;
        return result;
    }

    std::int64_t micros() const { return micros_; }
    bool decays() const { return micros_ != 0; }

    // 2^(at / half-life).
    Scaled weight(std::int64_t at) const {
        if (!decays()) return {1.0, 0};
        std::int64_t whole = at / micros_;
        std::int64_t rest = at % micros_;
        if (rest < 0) {
            rest += micros_;
            --whole;
        }
        return Scaled::normalised(
            detail::exp2_fraction(static_cast<double>(rest) / static_cast<double>(micros_)), whole);
    }

    // What value, gained at the instant, adds to a stored sum; and what a stored sum is worth at an instant.
    Scaled store(double value, std::int64_t at) const { return Scaled::of_double(value) * weight(at); }
    double read(const Scaled& stored, std::int64_t at) const { return (stored / weight(at)).to_double(); }

    friend bool operator==(const HalfLife& a, const HalfLife& b) { return a.micros_ == b.micros_; }
    friend bool operator!=(const HalfLife& a, const HalfLife& b) { return !(a == b); }

private:
    std::int64_t micros_ = 0;
};

}  // namespace engagehub

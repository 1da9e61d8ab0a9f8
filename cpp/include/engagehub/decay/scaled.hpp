// SPDX-License-Identifier: MIT
// Purpose: a real number as mantissa * 2^exponent with a 64-bit exponent, so that forward-decayed sums neither overflow
// nor lose their order, however old they are. Order and equality are those of the numbers.
// Thread safety: values.
// Invariants: mantissa is 0 (then exponent is 0 too, and never -0.0) or 1 <= |mantissa| < 2.
// Complexity: O(1). Each operation rounds once, as double arithmetic does.
// Failure: none; of_double REQUIRES a finite value.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

namespace engagehub {

struct Scaled {
    double mantissa = 0.0;
    std::int64_t exponent = 0;

    static Scaled of_double(double value) { return normalised(value, 0); }

    static Scaled normalised(double value, std::int64_t exponent) {
        std::uint64_t bits = 0;
        std::memcpy(&bits, &value, sizeof bits);
        const auto field = static_cast<std::int64_t>((bits >> 52U) & 0x7ffU);
        if (field == 0) return normalised_small(value, exponent);
        bits = (bits & ~kExponentField) | kExponentOfOne;
        Scaled result{0.0, exponent + field - 1023};
        std::memcpy(&result.mantissa, &bits, sizeof bits);
        return result;
    }

    // Whether the invariants hold, for what comes from outside.
    bool is_normalised() const {
        if (mantissa == 0.0) return exponent == 0 && !std::signbit(mantissa);
        return std::abs(mantissa) >= 1.0 && std::abs(mantissa) < 2.0;
    }

    // The nearest double: 0.0 or infinity where it is out of range.
    double to_double() const {
        if (mantissa == 0.0) return 0.0;
        if (exponent > 1100) return std::copysign(std::numeric_limits<double>::infinity(), mantissa);
        if (exponent < -1200) return std::copysign(0.0, mantissa) + 0.0;
        if (exponent >= -1022 && exponent <= 1023) return mantissa * power_of_two(exponent);
        return std::ldexp(mantissa, static_cast<int>(exponent)) + 0.0;
    }

    friend Scaled operator+(const Scaled& a, const Scaled& b) {
        if (a.mantissa == 0.0) return b;
        if (b.mantissa == 0.0) return a;
        const Scaled& large = a.exponent >= b.exponent ? a : b;
        const Scaled& small = a.exponent >= b.exponent ? b : a;
        const std::int64_t distance = large.exponent - small.exponent;
        if (distance > 128) return large;  // below half a unit in the last place of any sum
        return normalised(large.mantissa + small.mantissa * power_of_two(-distance), large.exponent);
    }

    friend Scaled operator*(const Scaled& a, const Scaled& b) {
        return normalised(a.mantissa * b.mantissa, a.exponent + b.exponent);
    }

    friend Scaled operator/(const Scaled& a, const Scaled& b) {
        return normalised(a.mantissa / b.mantissa, a.exponent - b.exponent);
    }

    friend bool operator==(const Scaled& a, const Scaled& b) {
        return a.mantissa == b.mantissa && a.exponent == b.exponent;
    }
    friend bool operator!=(const Scaled& a, const Scaled& b) { return !(a == b); }
    friend bool operator<(const Scaled& a, const Scaled& b) {
        if (a.mantissa > 0.0 && b.mantissa > 0.0) {
            return a.exponent != b.exponent ? a.exponent < b.exponent : a.mantissa < b.mantissa;
        }
        if (a.mantissa < 0.0 && b.mantissa < 0.0) {
            return a.exponent != b.exponent ? a.exponent > b.exponent : a.mantissa < b.mantissa;
        }
        return a.mantissa < b.mantissa;
    }
    friend bool operator>(const Scaled& a, const Scaled& b) { return b < a; }

private:
    static constexpr std::uint64_t kExponentField = 0x7ff0000000000000ULL;
    static constexpr std::uint64_t kExponentOfOne = 0x3ff0000000000000ULL;

    // Zero and what is below the normal doubles.
    static Scaled normalised_small(double value, std::int64_t exponent) {
        if (value == 0.0) return {};
        int shift = 0;
        const double half = std::frexp(value, &shift);  // 0.5 <= |half| < 1
        return {half * 2.0, exponent + shift - 1};
    }

    // REQUIRES: -1022 <= exponent <= 1023.
    static double power_of_two(std::int64_t exponent) {
        const std::uint64_t bits = static_cast<std::uint64_t>(exponent + 1023) << 52U;
        double power = 0.0;
        std::memcpy(&power, &bits, sizeof power);
        return power;
    }
};

}  // namespace engagehub

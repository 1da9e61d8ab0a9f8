// SPDX-License-Identifier: MIT
// Purpose: sums of ints and floats that are the same in whatever order and grouping they are added: 128 bits before the
// point and 64 behind it. Ints are exact, and so are floats of at least 2^-12 (0.00025) or with few digits; what a
// float has below 2^-64 (5e-20) is rounded once, before it is added. Thread safety: values. Invariants: two's
// complement, the lowest word first. Complexity: O(1). Failure: none; of() REQUIRES at most 2^63 either way, and who
// adds up keeps to 2^62 such values.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace engagehub {

class FixedSum {
public:
    static constexpr std::size_t kWords = 3;
    using Words = std::array<std::uint64_t, kWords>;
    static constexpr double kMostFloat = 9223372036854775808.0;  // 2^63

    FixedSum() = default;
    explicit FixedSum(const Words& words) : words_(words) {}

    static FixedSum of(std::int64_t value) {
        return FixedSum(Words{0, static_cast<std::uint64_t>(value), value < 0 ? ~std::uint64_t{0} : 0});
    }

    static FixedSum of(double value) {
        int exponent = 0;
        const double fraction = std::frexp(std::fabs(value), &exponent);
        const auto digits = static_cast<std::uint64_t>(std::ldexp(fraction, kDigits));
        const int shift = exponent - kDigits + 64;  // the value is digits * 2^shift steps of 2^-64
        FixedSum result;
        if (shift >= 64) {
            const auto up = static_cast<unsigned>(shift - 64);
            result.words_ = {0, digits << up, up == 0 ? 0 : digits >> (64U - up)};
        } else if (shift >= 0) {
            const auto up = static_cast<unsigned>(shift);
            result.words_ = {digits << up, up == 0 ? 0 : digits >> (64U - up), 0};
        } else if (shift >= -kDigits) {
            result.words_[0] = halved(digits, static_cast<unsigned>(-shift));
        }
        return value < 0 ? -result : result;
    }

    FixedSum& operator+=(const FixedSum& other) {
        std::uint64_t carry = 0;
        for (std::size_t i = 0; i < kWords; ++i) {
            const std::uint64_t with_carry = words_[i] + carry;
            carry = with_carry < carry ? 1 : 0;
            words_[i] = with_carry + other.words_[i];
            carry += words_[i] < with_carry ? 1 : 0;
        }
        return *this;
    }

    FixedSum operator-() const {
        FixedSum result({~words_[0], ~words_[1], ~words_[2]});
        result += FixedSum(Words{1, 0, 0});
        return result;
    }

    bool is_negative() const { return words_[2] >> 63U != 0; }
    bool is_whole() const { return words_[0] == 0; }
    const Words& words() const { return words_; }

    // The nearest double, of two the even one.
    double to_double() const {
        const Words magnitude = is_negative() ? (-*this).words_ : words_;
        unsigned bits = 64 * kWords;
        while (bits > 0 && bit(magnitude, bits - 1) == 0) --bits;
        const unsigned dropped = bits > kDigits ? bits - kDigits : 0;
        std::uint64_t digits = 0;
        for (unsigned i = bits; i > dropped; --i) digits = digits << 1U | bit(magnitude, i - 1);
        if (dropped != 0 && bit(magnitude, dropped - 1) != 0) {
            bool is_more_than_half = false;
            for (unsigned i = 0; i + 1 < dropped; ++i) is_more_than_half = is_more_than_half || bit(magnitude, i) != 0;
            if (is_more_than_half || (digits & 1U) != 0) ++digits;
        }
        const double value = std::ldexp(static_cast<double>(digits), static_cast<int>(dropped) - 64);
        return is_negative() ? -value : value;
    }

    friend bool operator==(const FixedSum& a, const FixedSum& b) { return a.words_ == b.words_; }
    friend bool operator!=(const FixedSum& a, const FixedSum& b) { return !(a == b); }

private:
    static constexpr int kDigits = 53;

    static std::uint64_t bit(const Words& words, unsigned i) { return words[i / 64] >> (i % 64) & 1U; }

    // Over 2^by, rounded to nearest, of two to the even one. REQUIRES: 1 <= by <= 53.
    static std::uint64_t halved(std::uint64_t value, unsigned by) {
        const std::uint64_t whole = value >> by;
        const std::uint64_t rest = value & ((std::uint64_t{1} << by) - 1);
        const std::uint64_t half = std::uint64_t{1} << (by - 1);
        return whole + (rest > half || (rest == half && (whole & 1U) != 0) ? 1 : 0);
    }

    Words words_{};
};

}  // namespace engagehub

// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include <engagehub/base/fixed_sum.hpp>

using engagehub::FixedSum;

namespace {

constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();

}  // namespace

TEST_CASE("FixedSum holds an int or a float as it is") {
    for (const std::int64_t value : {kLeast, kLeast + 1, std::int64_t{-1}, std::int64_t{0}, std::int64_t{1}, kMost}) {
        CHECK(FixedSum::of(value).to_double() == static_cast<double>(value));
        CHECK(FixedSum::of(value).is_whole());
        CHECK(FixedSum::of(value).is_negative() == (value < 0));
        CHECK(FixedSum::of(value).words()[1] == static_cast<std::uint64_t>(value));
        CHECK(FixedSum::of(value) == -(-FixedSum::of(value)));
    }
    std::mt19937_64 random(1);
    for (int i = 0; i < 20'000; ++i) {
        const double sign = random() % 2 == 0 ? 1.0 : -1.0;
        const int exponent = static_cast<int>(random() % 75) - 12;  // 2^-12 to 2^63
        const double value = sign * std::ldexp(1.0 + static_cast<double>(random() >> 12U) * 0x1p-52, exponent);
        if (std::fabs(value) > FixedSum::kMostFloat) continue;
        REQUIRE(FixedSum::of(value).to_double() == value);
    }
    for (const double value : {0.0, -0.0, 0.1, -0.3, 1e-3, 0x1p-64, FixedSum::kMostFloat, -FixedSum::kMostFloat})
        CHECK(FixedSum::of(value).to_double() == value);
    CHECK_FALSE(FixedSum::of(0.5).is_whole());
    CHECK(FixedSum::of(-4.0) == FixedSum::of(std::int64_t{-4}));
}

TEST_CASE("FixedSum rounds what lies below its last bit, of two to the even one") {
    CHECK(FixedSum::of(0x1p-65) == FixedSum());
    CHECK(FixedSum::of(0x1.8p-65).to_double() == 0x1p-64);
    CHECK(FixedSum::of(0x1.8p-64).to_double() == 0x1p-63);
    CHECK(FixedSum::of(0x1.4p-63).to_double() == 0x1p-63);
    CHECK(FixedSum::of(-0x1.8p-64).to_double() == -0x1p-63);
    CHECK(FixedSum::of(0x1.fffffffffffffp-13).to_double() == 0x1p-12);
    for (const double tiny : {0x1p-66, 0x1.8p-100, 0x1p-1022, 0x1p-1074}) CHECK(FixedSum::of(tiny) == FixedSum());
}

TEST_CASE("FixedSum adds up the same in any order") {
    std::mt19937_64 random(2);
    for (int round = 0; round < 100; ++round) {
        std::vector<FixedSum> parts;
        for (int i = 0; i < 50; ++i) {
            parts.push_back(
                i % 3 == 0
                    ? FixedSum::of(static_cast<std::int64_t>(random()))
                    : FixedSum::of(
                          std::ldexp(static_cast<double>(random()) - 0x1p63, -static_cast<int>(random() % 100))));
        }
        FixedSum forward;
        for (const FixedSum& part : parts) forward += part;
        std::shuffle(parts.begin(), parts.end(), random);
        FixedSum shuffled;
        for (const FixedSum& part : parts) shuffled += part;
        REQUIRE(forward == shuffled);
        for (const FixedSum& part : parts) shuffled += -part;
        REQUIRE(shuffled == FixedSum());
    }
    FixedSum tenths;
    for (int i = 0; i < 10; ++i) tenths += FixedSum::of(0.1);
    CHECK(tenths.to_double() == 1.0);
    FixedSum wide = FixedSum::of(kMost);
    for (int i = 0; i < 62; ++i) wide += FixedSum(wide);
    CHECK(wide.to_double() == std::ldexp(1.0, 125));
    wide += FixedSum::of(0.5);
    CHECK(wide.words()[0] == std::uint64_t{1} << 63U);
}

TEST_CASE("FixedSum gives the nearest double") {
    const auto sum = [](std::int64_t a, double b) {
        FixedSum result = FixedSum::of(a);
        result += FixedSum::of(b);
        return result.to_double();
    };
    constexpr std::int64_t kDigits = std::int64_t{1} << 53U;
    CHECK(sum(kDigits, 1.0) == 0x1p53);
    CHECK(sum(kDigits, 1.25) == 0x1p53 + 2.0);
    CHECK(sum(kDigits + 2, 1.0) == 0x1p53 + 4.0);
    CHECK(sum(-kDigits, -1.25) == -0x1p53 - 2.0);
    CHECK(sum(2 * kDigits - 1, 0.5) == 0x1p54);
    CHECK(sum(1, 0x1p-60) == 1.0);
    CHECK(sum(1, 0x1p-52) == 1.0 + 0x1p-52);
}

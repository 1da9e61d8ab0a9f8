// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <random>
#include <string>

#include <engagehub/codec/murmur64a.hpp>
#include <engagehub/decay/half_life.hpp>

using engagehub::HalfLife;
using engagehub::InvalidArgument;
using engagehub::Scaled;

TEST_CASE("murmur64a gives the hashes of a Redis server") {
    const auto hash = [](const std::string& text) { return engagehub::murmur64a(text.data(), text.size()); };
    CHECK(hash("") == 0xd8dfea6585bc9732ULL);
    CHECK(hash("a") == 0x53d2470a9b43b1a7ULL);
    CHECK(hash("abcdefg") == 0x22fe613bb08c9602ULL);
    CHECK(hash("abcdefgh") == 0xf3a65df559914567ULL);
    CHECK(hash("abcdefghi") == 0x834fba4d9152daf7ULL);
    CHECK(hash("user:123") == 0x58bc286e21d8c7f9ULL);
}

TEST_CASE("exp2_fraction is within 0.75 units in the last place of long double exp2") {
    std::mt19937_64 random(1);
    std::uniform_real_distribution<double> uniform(0.0, 1.0);
    for (int i = 0; i < 200'000; ++i) {
        const double x = uniform(random);
        const long double exact = std::exp2(static_cast<long double>(x));
        const auto error = static_cast<double>(static_cast<long double>(engagehub::detail::exp2_fraction(x)) - exact);
        REQUIRE(std::abs(error) <= 0.75 * 0x1p-52);
    }
    CHECK(engagehub::detail::exp2_fraction(0.0) == 1.0);
    CHECK(engagehub::detail::exp2_fraction(1.0) == 2.0);
}

TEST_CASE("weight is a power of two at whole half-lives, before and after the epoch") {
    const auto week = HalfLife::of_micros(604'800'000'000);
    CHECK(week.weight(0) == Scaled{1.0, 0});
    CHECK(week.weight(3 * week.micros()) == Scaled{1.0, 3});
    CHECK(week.weight(-5 * week.micros()) == Scaled{1.0, -5});
    CHECK(week.weight(-1).exponent == -1);
    CHECK(HalfLife().weight(123) == Scaled{1.0, 0});
    CHECK_THROWS_AS(HalfLife::of_micros(-1), InvalidArgument);
}

TEST_CASE("a stored value reads as itself at its instant and as its half one half-life later") {
    std::mt19937_64 random(2);
    std::uniform_int_distribution<std::int64_t> instants(-62'135'596'800'000'000, 253'402'300'799'000'000);
    for (const std::int64_t micros :
         {std::int64_t{1'000'000}, std::int64_t{3'600'000'000}, std::int64_t{315'360'000'000'000}}) {
        const auto half_life = HalfLife::of_micros(micros);
        for (int i = 0; i < 10'000; ++i) {
            const std::int64_t at = instants(random) / 2;
            const Scaled stored = half_life.store(-12.75, at);
            REQUIRE(half_life.read(stored, at) == doctest::Approx(-12.75).epsilon(4e-16));
            REQUIRE(half_life.read(stored, at + micros) == half_life.read(stored, at) / 2);
        }
    }
}

TEST_CASE("Scaled adds and orders as numbers do") {
    std::mt19937_64 random(3);
    std::uniform_real_distribution<double> uniform(-10.0, 10.0);
    for (int i = 0; i < 100'000; ++i) {
        const double a = std::ldexp(uniform(random), static_cast<int>(random() % 80) - 40);
        const double b = i % 7 == 0 ? -a : std::ldexp(uniform(random), static_cast<int>(random() % 80) - 40);
        REQUIRE((Scaled::of_double(a) + Scaled::of_double(b)).to_double() == a + b);
        REQUIRE((Scaled::of_double(a) < Scaled::of_double(b)) == (a < b));
        REQUIRE((Scaled::of_double(a) == Scaled::of_double(b)) == (a == b));
    }
    CHECK(Scaled::of_double(-0.0) == Scaled{});
    CHECK_FALSE(std::signbit(Scaled::of_double(-0.0).to_double()));
}

TEST_CASE("Scaled keeps the order of values far outside the range of double") {
    const Scaled tiny{1.5, -5'000'000'000};
    const Scaled tinier{1.25, -5'000'000'000};
    CHECK(tinier < tiny);
    CHECK(Scaled{} < tinier);
    CHECK(Scaled{-1.5, -5'000'000'000} < Scaled{-1.25, -5'000'000'000});
    CHECK(tiny.to_double() == 0.0);
    CHECK(std::isinf(Scaled{1.0, 5'000'000'000}.to_double()));
}

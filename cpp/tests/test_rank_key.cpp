// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include <engagehub/ranking/rank_key.hpp>

using engagehub::HalfLife;
using engagehub::InvalidArgument;
using engagehub::RankKey;
using engagehub::RankKeyCodec;
using engagehub::Scaled;

namespace {

constexpr std::int64_t kSecond = 1'000'000;

std::vector<std::int64_t> half_lives() {
    return {0, 1'000, 1'001, kSecond, 3'600 * kSecond, 604'800 * kSecond, 315'576'000 * kSecond, INT64_MAX};
}

// The exponents that a board can meet: those of doubles, moved by the weight of any instant.
Scaled random_score(std::mt19937_64& random, const HalfLife& half_life) {
    const double sign = random() % 2 == 0 ? 1.0 : -1.0;
    if (random() % 20 == 0) return {};
    const std::uint64_t fraction = random() % 4 == 0 ? 0 : random() & 0xfffffffffffffULL;
    const double value = sign * (1.0 + static_cast<double>(fraction) * 0x1p-52);
    const auto span = static_cast<std::uint64_t>(engagehub::kLastInstant - engagehub::kFirstInstant);
    const std::int64_t at = engagehub::kFirstInstant + static_cast<std::int64_t>(random() % (span + 1));
    const std::int64_t whole = half_life.decays() ? half_life.weight(at).exponent : 0;
    return {value, whole + static_cast<std::int64_t>(random() % 2'300) - 1'150};
}

bool is_higher(const Scaled& a, const Scaled& b) { return b < a; }

}  // namespace

TEST_CASE("a key gives back the score and the arrival that it was made of") {
    std::mt19937_64 random(21);
    for (const std::int64_t micros : half_lives()) {
        for (const unsigned bits : {63U, 20U, 3U}) {
            const HalfLife half_life = HalfLife::of_micros(micros);
            const RankKeyCodec codec(half_life, bits);
            CAPTURE(micros);
            for (int i = 0; i < 5'000; ++i) {
                const Scaled score = random_score(random, half_life);
                REQUIRE(codec.holds(score));
                const std::uint64_t arrival = i < 2 ? codec.max_arrival() : random() % (codec.max_arrival() + 1);
                const RankKey key = codec.encode(score, arrival);
                REQUIRE(codec.decode(key) == score);
                REQUIRE(codec.arrival(key) == arrival);
                REQUIRE(codec.with_arrival(key, 0) == codec.encode(score, 0));
                REQUIRE(codec.floor(key) == codec.encode(score, 0));
                REQUIRE(key.high < INT64_MAX);  // which pads blocks
            }
        }
    }
}

TEST_CASE("keys sort by descending score, then by ascending arrival") {
    std::mt19937_64 random(22);
    for (const std::int64_t micros : half_lives()) {
        const HalfLife half_life = HalfLife::of_micros(micros);
        const RankKeyCodec codec(half_life);
        CAPTURE(micros);
        Scaled last = random_score(random, half_life);
        for (int i = 0; i < 20'000; ++i) {
            Scaled score = random_score(random, half_life);
            if (random() % 4 == 0) score = last;
            if (random() % 4 == 0) score = {-last.mantissa + 0.0, last.exponent};
            if (random() % 4 == 0 && last.mantissa != 0.0) score = {std::nextafter(last.mantissa, 0.0), last.exponent};
            score = Scaled::normalised(score.mantissa, score.exponent);
            const std::uint64_t arrival = random() % 3;
            const std::uint64_t last_arrival = random() % 3;
            const RankKey key = codec.encode(score, arrival);
            const RankKey other = codec.encode(last, last_arrival);
            const bool before = score == last ? arrival < last_arrival : is_higher(score, last);
            REQUIRE((key < other) == before);
            REQUIRE((key == other) == (score == last && arrival == last_arrival));
            REQUIRE(codec.is_tie(key, other) == (score == last));
            if (is_higher(score, last)) REQUIRE(codec.encode(score, codec.max_arrival()) < codec.floor(other));
            last = score;
        }
    }
}

TEST_CASE("a key has room for the scores of every instant, and its arrivals are what is left") {
    CHECK(RankKeyCodec().max_arrival() == (std::uint64_t{1} << 63U) - 1);
    CHECK(RankKeyCodec(HalfLife::of_micros(1'000)).max_arrival() == (std::uint64_t{1} << 26U) - 1);
    CHECK(RankKeyCodec(HalfLife::of_micros(kSecond)).max_arrival() == (std::uint64_t{1} << 36U) - 1);
    CHECK(RankKeyCodec({}, 3).max_arrival() == 7);
    CHECK_THROWS_AS(RankKeyCodec(HalfLife::of_micros(999)), InvalidArgument);
    for (const std::int64_t micros : half_lives()) {
        const HalfLife half_life = HalfLife::of_micros(micros);
        const RankKeyCodec codec(half_life);
        CAPTURE(micros);
        for (const std::int64_t at : {engagehub::kFirstInstant, std::int64_t{0}, engagehub::kLastInstant}) {
            for (const double points : {5e-324, 1.0, 1e290, 1.7e308}) {
                CHECK(codec.holds(half_life.store(points, at)));
                CHECK(codec.holds(half_life.store(-points, at)));
            }
        }
        CHECK(codec.holds({}));
        CHECK_FALSE(codec.holds({1.0, half_life.weight(engagehub::kLastInstant).exponent + 1'400}));
        CHECK_FALSE(codec.holds({1.0, half_life.weight(engagehub::kFirstInstant).exponent - 1'400}));
    }
}

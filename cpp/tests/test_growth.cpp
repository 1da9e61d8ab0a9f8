// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <random>

#include <engagehub/sketch/growth.hpp>

using engagehub::Growth;
using engagehub::GrowthScale;
using engagehub::HalfLife;

namespace {

constexpr std::int64_t kHour = 3'600'000'000;
const HalfLife kRecent = HalfLife::of_micros(kHour);
const HalfLife kBaseline = HalfLife::of_micros(24 * kHour);

struct Sums {
    double recent = 0.0;
    double baseline = 0.0;
};

// One event each step, by definition.
Sums steady(double an_hour, std::int64_t from_hours_ago, std::int64_t to_hours_ago) {
    Sums sums;
    const double step = 1.0 / an_hour;
    for (double age = static_cast<double>(to_hours_ago) + step / 2; age < static_cast<double>(from_hours_ago);
         age += step) {
        sums.recent += std::exp2(-age);
        sums.baseline += std::exp2(-age / 24.0);
    }
    return sums;
}

}  // namespace

TEST_CASE("a constant rate is told after any time of observation, and is no growth") {
    for (const std::int64_t hours : {1, 5, 24, 24 * 365}) {
        CAPTURE(hours);
        const Sums sums = steady(100.0, hours, 0);
        const Growth growth = GrowthScale(kRecent, kBaseline, hours * kHour)(sums.recent, sums.baseline);
        CHECK(growth.rate == doctest::Approx(100.0).epsilon(0.001));
        CHECK(growth.baseline == doctest::Approx(100.0).epsilon(0.01));
        CHECK(growth.ratio == doctest::Approx(1.0).epsilon(0.01));
        CHECK(std::abs(growth.score) < 0.1);
    }
}

TEST_CASE("a rise is above zero, a fall below, and a longer or larger one is surer") {
    const GrowthScale scale(kRecent, kBaseline, 100 * 24 * kHour);
    const Sums past = steady(10.0, 2'400, 2);
    const auto after = [&](double an_hour) {
        const Sums now = steady(an_hour, 2, 0);
        return scale(past.recent + now.recent, past.baseline + now.baseline);
    };
    double last = -1e9;
    for (const double rate : {1.0, 5.0, 10.0, 20.0, 40.0, 400.0}) {
        const Growth growth = after(rate);
        CHECK(growth.score > last);
        if (rate != 10.0) CHECK((growth.score < 0.0) == (rate < 10.0));
        last = growth.score;
    }
    // Two hours of ten times as much hardly touch the baseline.
    CHECK(after(100.0).baseline == doctest::Approx(10.0).epsilon(0.25));
    CHECK(after(100.0).rate == doctest::Approx(77.5).epsilon(0.01));
}

TEST_CASE("an item without a past ranks by how much there is of it") {
    const GrowthScale scale(kRecent, kBaseline, 100 * 24 * kHour);
    const Growth one = scale(1.0, 1.0);
    CHECK(one.baseline == 0.0);
    CHECK(one.rate == doctest::Approx(std::log(2.0)).epsilon(1e-12));
    CHECK(std::isfinite(one.ratio));
    CHECK(one.score < 3.5);
    const Growth many = scale(50.0, 50.0);
    CHECK(many.score > 10.0);
    CHECK(many.ratio > one.ratio);
    const Growth nothing = scale(0.0, 0.0);
    CHECK(nothing.ratio == 1.0);
    CHECK(nothing.score == 0.0);
    CHECK(scale(0.0, 50.0).score < 0.0);
    CHECK(scale(0.0, 50.0).ratio == 0.0);
    // Too small to divide by, in every part.
    for (const double tiny : {1e-300, 1e-310, 5e-324}) {
        for (const auto& [recent, baseline] : {std::pair(tiny, tiny), std::pair(0.0, tiny), std::pair(tiny, 1e-3)}) {
            const Growth dust = scale(recent, baseline);
            CHECK(dust.ratio >= 0.0);
            CHECK(dust.ratio < 25.0);
            CHECK(std::abs(dust.score) < 0.1);
        }
    }
    // Sums that rounding put into the wrong order.
    CHECK(std::isfinite(scale(1.0, 0.9999).score));
}

TEST_CASE("a sketch that has seen seconds calls nothing a growth") {
    for (const std::int64_t observed : {std::int64_t{0}, std::int64_t{1}, std::int64_t{1'000'000}}) {
        const Growth growth = GrowthScale(kRecent, kBaseline, observed)(5.0, 5.0);
        CHECK(growth.rate == doctest::Approx(5.0 * 3'600.0).epsilon(0.001));
        CHECK(std::abs(growth.score) < 0.5);
        CHECK(growth.ratio == doctest::Approx(1.0).epsilon(0.01));
    }
}

TEST_CASE("the score is Li and Ma's significance of the counts that decayed sums are worth") {
    const GrowthScale scale(
        kRecent, kBaseline, 1'000'000 * kHour);  // nothing left of the beginning: counts are doubled
    const double on = 2.0 * 30.0;
    const double off = 2.0 * (200.0 - 30.0) + 1.0;
    const double on_time = 2.0 / std::log(2.0);
    const double off_time = 2.0 * 23.0 / std::log(2.0) + (2.0 * 24.0 / std::log(2.0)) / (on + off - 1.0);
    const double alpha = on_time / off_time;
    const double wanted = std::sqrt(
        2.0 *
        (on * std::log((1.0 + alpha) / alpha * on / (on + off)) + off * std::log((1.0 + alpha) * off / (on + off))));
    CHECK(scale(30.0, 200.0).score == doctest::Approx(wanted).epsilon(1e-12));
}

TEST_CASE("without any growth scores vary as standard deviations should") {
    // Poisson events, 40 an hour, for ten days: 400 seeded rounds; a normal score would have a mean square of 1 with a
    // standard error of 0.07, and be beyond 4 in one of 16,000.
    std::mt19937_64 random(3);
    std::exponential_distribution<double> wait(40.0);
    const GrowthScale scale(kRecent, kBaseline, 240 * kHour);
    double squares = 0.0;
    double largest = 0.0;
    for (int round = 0; round < 400; ++round) {
        Sums sums;
        for (double age = wait(random); age < 240.0; age += wait(random)) {
            sums.recent += std::exp2(-age);
            sums.baseline += std::exp2(-age / 24.0);
        }
        const double score = scale(sums.recent, sums.baseline).score;
        squares += score * score / 400;
        largest = std::max(largest, std::abs(score));
    }
    CHECK(squares > 0.6);
    CHECK(squares < 1.4);
    CHECK(largest < 4.5);
}

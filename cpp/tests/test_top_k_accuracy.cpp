// SPDX-License-Identifier: MIT
// TopK(100) as it comes, on skewed streams: ENGAGEHUB_TEST_TOP_K_ITEMS=10000000 is the full volume (20 seeds for each
// number of names and order, about ten minutes), a slice by default. Seeds are fixed, so a gate fails by a change of
// the code only; how likely it were with other seeds is said at each.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include <engagehub/sketch/top_k.hpp>

#include "tests/support/zipf_stream.hpp"

using engagehub::Answer;
using engagehub::HalfLife;
using engagehub::ItemView;
using engagehub::TopK;
using engagehub_tests::Zipf;

namespace {

constexpr std::size_t kUsualK = 100;
constexpr std::int64_t kSecond = 1'000'000;
constexpr std::int64_t kDay = 86'400 * kSecond;
constexpr std::int64_t kBegin = 1'700'000'000 * kSecond;

struct Volume {
    std::size_t items;
    std::uint64_t seeds;
    bool is_full;
};

Volume volume() {
    const char* wanted = std::getenv("ENGAGEHUB_TEST_TOP_K_ITEMS");
    if (wanted == nullptr) return {150'000, 3, false};
    return {std::stoul(wanted), 20, true};
}

std::string name_of(std::uint32_t name) { return "channel-" + std::to_string(name); }

template <class Value>
Value hundredth(std::vector<Value> values) {
    std::nth_element(values.begin(), values.begin() + (kUsualK - 1), values.end(), std::greater<>());
    return values[kUsualK - 1];
}

struct Found {
    double recall = 0.0;
    double precision = 0.0;
};

// Names as heavy as the 100th are neither missed nor wrong.
Found found_in(const std::vector<TopK::Row>& rows, const std::vector<std::uint32_t>& counts) {
    const std::uint32_t limit = hundredth(counts);
    double heavier = 0.0;
    for (const std::uint32_t count : counts) heavier += count > limit ? 1.0 : 0.0;
    double right = 0.0;
    double found = 0.0;
    for (const auto& row : rows) {
        const std::uint32_t count = counts[std::stoul(std::string(row.item.text.substr(8)))];
        right += count >= limit ? 1.0 : 0.0;
        found += count > limit ? 1.0 : 0.0;
    }
    return {found / heavier, right / static_cast<double>(kUsualK)};
}

}  // namespace

TEST_CASE("TopK finds the hundred heaviest of a skewed stream in 64 KiB") {
    const auto [items, seeds, is_full] = volume();
    for (const std::size_t names : {10'000U, 100'000U, 1'000'000U}) {
        const Zipf zipf(names, 1.1);
        for (const bool is_rising : {false, true}) {
            CAPTURE(names);
            CAPTURE(is_rising);
            double recall = 0.0;
            double precision = 0.0;
            for (std::uint64_t seed = 0; seed < seeds; ++seed) {
                std::mt19937_64 random(seed);
                auto stream = zipf_stream(zipf, items, random);
                const auto counts = engagehub_tests::counts_of(stream, names);
                if (is_rising) stream = engagehub_tests::by_rising_frequency(counts);
                TopK sketch;
                for (const std::uint32_t item : stream) {
                    const std::string name = name_of(item);
                    sketch.add(ItemView::of(std::string_view(name)));
                }
                REQUIRE(sketch.nbytes() <= 65'536);  // all of it, these names inside
                const auto found = found_in(sketch.top(kUsualK), counts);
                recall += found.recall / static_cast<double>(seeds);
                precision += found.precision / static_cast<double>(seeds);
                for (std::uint32_t item = 0; item < names; ++item) {
                    const std::string name = name_of(item);
                    const Answer answer = sketch.answer(ItemView::of(std::string_view(name)));
                    if (!(answer.low <= counts[item] && counts[item] <= answer.high)) FAIL("out of bounds: " << name);
                }
            }
            if (is_full) {
                std::printf(
                    "%8zu names, %s order: recall %.4f, precision %.4f\n", names, is_rising ? "rising" : "random",
                    recall, precision);
            }
            // In rising order a hundred has 0.6 wrong ones on the mean, about as a Poisson variable, in random order
            // none: with other seeds the mean of 20 streams were below 0.99 with a probability of 1 %, that of 3 below
            // 0.98 with one of 0.3 %.
            CHECK(recall >= (is_full ? 0.99 : 0.98));
            CHECK(precision >= (is_full ? 0.99 : 0.98));
        }
    }
}

TEST_CASE("TopK ranks what is trending as exact decayed counts do") {
    const auto [items, seeds, is_full] = volume();
    const auto half_life = HalfLife::of_micros(3'600 * kSecond);
    for (const std::size_t names : {10'000U, 100'000U, 1'000'000U}) {
        const Zipf zipf(names, 1.1);
        for (const bool is_rising : {false, true}) {
            CAPTURE(names);
            CAPTURE(is_rising);
            double least = 1.0;
            for (std::uint64_t seed = 0; seed < (is_full ? 5 : seeds); ++seed) {
                std::mt19937_64 random(100 + seed);
                auto stream = zipf_stream(zipf, items, random);
                if (is_rising) {
                    stream = engagehub_tests::by_rising_frequency(engagehub_tests::counts_of(stream, names));
                } else {
                    // Fashion: every hour ten of the hundred most frequent names are others.
                    for (std::size_t i = 0; i < items; ++i)
                        stream[i] = static_cast<std::uint32_t>((stream[i] + 10 * (24 * i / items)) % names);
                }
                TopK sketch(kUsualK, half_life);
                std::vector<double> exact(names);
                const std::int64_t end = kBegin + kDay;
                for (std::size_t i = 0; i < items; ++i) {
                    const auto at = kBegin + static_cast<std::int64_t>(static_cast<std::uint64_t>(kDay) / items * i);
                    const std::string name = name_of(stream[i]);
                    sketch.add(ItemView::of(std::string_view(name)), 1.0, at);
                    exact[stream[i]] += std::exp2(static_cast<double>(at - end) / 3.6e9);
                }
                const double limit = hundredth(exact);
                std::vector<double> estimates;
                std::vector<double> truths;
                for (std::uint32_t item = 0; item < names; ++item) {
                    const std::string name = name_of(item);
                    const Answer answer = sketch.answer(ItemView::of(std::string_view(name)), end);
                    // The sums of the model are rounded, too, by less than 10^7 * 2^-53.
                    const double rounding = exact[item] * 2e-9;
                    if (!(answer.low <= exact[item] + rounding && exact[item] - rounding <= answer.high))
                        FAIL("out of bounds: " << name);
                    if (exact[item] < limit) continue;
                    estimates.push_back(answer.estimate);
                    truths.push_back(exact[item]);
                }
                least = std::min(least, engagehub_tests::rank_correlation(estimates, truths));
            }
            if (is_full)
                std::printf("%8zu names, %s order: Spearman %.5f\n", names, is_rising ? "rising" : "random", least);
            // The least of all streams; measured 0.999, and it would take tens of wrong neighbours to lose 0.01.
            CHECK(least >= 0.99);
        }
    }
}
